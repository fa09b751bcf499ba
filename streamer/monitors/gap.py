"""The gap between the error that labels show and the one that confidence promised for the same predictions.

Where the two part, the relation of inputs to outcomes has changed: a change of the inputs alone moves both. It is a
level, per group: the windows are of `detectors/gap.py`, each group is held against its own calibration, as it stood
before the labels that are judged, and what it tells is as seldom by chance as the budget says, by the pace at which
labels come. Of a gap it is told which segments stand out (`detectors/excess.py`).

It is over when a window four times as long as the one that found it is as usual again; or accepted, once it has lasted
for `accept_after` and the calibration has learned from nothing but labels that came after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detectors.bank import array_of, renumbered
from detectors.confidence import BLOCKS, Calibration, cells_of
from detectors.excess import Excess, Part, promised
from detectors.extremes import DAY_MS
from detectors.gap import SCALES, SHORTEST, WINDOWS, Found, Gap
from detectors.reference import Judged
from detectors.standing import Standing, without
from schemas.events.batch import Batch
from streamer.config.detect import DetectGap
from streamer.monitors.base import MonitorBase, MonitorSpec
from streamer.monitors.evidence import Evidence, evidence, span
from streamer.monitors.finding import BREACH, CLEAR, Finding
from streamer.monitors.words import label_of, tell_apart
from streamer.series.calibrations import ANY, in_force
from streamer.series.joined import Joined
from streamer.series.labels import Labels
from streamer.series.realised import Realised
from streamer.signals.columns import I64, Column

ARL_MAX = 1e12
SEGMENTS_TOLD = 3
APART = 3.0
"""Standard errors by which a segment stands out of the others, so that the sentence names it."""
WAYS = {"up": 1, "down": -1, "both": 0}


class Watched:
    """What is known of a group: its gap, where that is, and the pace of its labels."""

    def __init__(self, way: int) -> None:
        self.gap, self.excess = Gap(way=way), Excess()
        self.labels, self.first_ms = 0, 0  # that came, and when the first one did
        self.found_ms, self.found_version = 0, 0  # the time and the newest calibration when the gap opened
        self.begun = np.zeros((SCALES, 2), np.int64)  # offset and time of the first label of each window

    def dump(self) -> dict[str, Any]:
        scalars = np.array([self.labels, self.first_ms, self.found_ms, self.found_version])
        own = {"scalars": scalars, "begun": self.begun.copy()}
        return {**own, "gap": self.gap.dump(), "excess": self.excess.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.labels, self.first_ms, self.found_ms, self.found_version = array_of(state, "scalars", "i8", (4,)).tolist()
        self.begun = array_of(state, "begun", "i8", (SCALES, 2)).copy()
        self.gap.load(state["gap"])
        self.excess.load(state["excess"])


class GapMonitor(MonitorBase):
    """A level: breach by a window whose errors are outside of what was estimated for it."""

    over = "errors and estimate agree again"

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(self.config.detect, DetectGap)
        assert isinstance(made.source, Realised)
        self.source = made.source
        self.way = WAYS[self.config.detect.direction]
        self.rows: dict[int, Watched] = {}

    def findings(self, batch: Batch, column: Column, judged: Judged) -> list[Finding]:
        if not len(column.rows):
            return []
        labels, found = self.source.labels, list[Finding]()
        assert labels is not None
        assert labels.calibrations is not None
        joined = labels.joined
        places = np.searchsorted(joined.event, column.events)
        sure = (joined.confidence[places] >= 0.0) & (joined.confidence[places] <= 1.0)
        for row in np.unique(column.rows[sure]).tolist():
            stood = labels.calibrations.stood((self.table.by, self.table.keys[row][0], ANY))
            if stood:
                mine = places[sure & (column.rows == row)]
                found += self._take(row, batch, labels, np.sort(mine), stood)
        return found

    def _take(
        self, row: int, batch: Batch, labels: Labels, mine: I64, stood: Sequence[tuple[int, Calibration]]
    ) -> list[Finding]:
        """Labels of a row in the order of the log, cut where a window ends or a calibration gets a version."""
        joined, found = labels.joined, list[Finding]()
        one = self.rows.setdefault(row, Watched(self.way))
        which, begin = in_force(stood, joined.event[mine]), 0
        while begin < len(mine):
            end = begin + int(np.searchsorted(which[begin:], which[begin], side="right"))
            part = mine[begin : min(end, begin + one.gap.room)]
            begin += len(part)
            event = joined.event.item(part.item(-1))
            said = self._part(row, batch, labels, part, stood[which.item(begin - 1)][1])
            if said is not None:
                found.append(Finding(event, self.order, row, *said))
        return found

    def _part(
        self, row: int, batch: Batch, labels: Labels, part: I64, newest: Calibration
    ) -> tuple[str, Evidence | None] | None:
        """At most so many labels as until the next look; what it says, and its evidence."""
        one = self.rows[row]
        joined, gap = labels.joined, one.gap
        first, last = (joined.event.item(part.item(place)) for place in (0, -1))
        now_ms = int(batch.times_ms[last])
        one.first_ms = one.first_ms if one.labels else int(batch.times_ms[first])
        one.labels += len(part)
        # So many false alarms a day are granted, and so many labels come in one.
        one.gap.arl = min(one.labels * DAY_MS / max(self.rate(row) * (now_ms - one.first_ms), 1e-9), ARL_MAX)
        one.begun[gap.labels % WINDOWS == 0] = batch.offsets[first], batch.times_ms[first]
        open_before, labels_before = bool(gap.found), gap.labels
        found = gap.add(joined.confidence[part], joined.wrong[part], newest)
        if gap.reference is None:
            return None
        self._by_segment(one, labels, part, gap.reference)
        if (labels_before + len(part)) % SHORTEST:
            return None
        said: tuple[str, Evidence | None] | None = None
        if found:
            said = CLEAR, None
            if found[-1].direction:
                said = BREACH, self._told(one, found[-1], batch, last)
        one.excess.passed(gap.labels)
        if gap.found and not open_before:
            one.found_ms, one.found_version = now_ms, newest.version
        lasted = now_ms - one.found_ms >= self.config.accept_after_ms and newest.version - one.found_version > BLOCKS
        if gap.found and lasted:
            gap.accept()
            one.excess.passed(0)
            return CLEAR, None
        return said

    def _by_segment(self, one: Watched, labels: Labels, part: I64, reference: Calibration) -> None:
        fields = [field for field in labels.by if field not in self.table.by]
        if not fields:
            return
        joined: Joined = labels.joined
        likely, spread = promised(reference)
        cells = cells_of(joined.confidence[part])
        sums = np.stack([np.ones(len(part), np.int64), joined.wrong[part], likely[cells], spread[cells]])
        numbers, first = np.unique(joined.group[part], return_index=True)
        for number in numbers[np.argsort(first)].tolist():
            more = sums[:, joined.group[part] == number].sum(axis=1)
            key = labels.joined_keys[number]
            for field in fields:
                one.excess.add((field, key[1 + labels.by.index(field)]), more)

    def _told(self, one: Watched, found: Found, batch: Batch, last: int) -> Evidence:
        scale = WINDOWS.tolist().index(found.window)
        parts = one.excess.parts(scale, found.direction)[:SEGMENTS_TOLD]
        estimate, (offset, begun_ms) = found.estimate, one.begun[scale].tolist()
        window = {
            "n": found.window,
            "count": round(found.realised * found.window),
            "realised": found.realised,
            "estimated": estimate.error,
            "interval": [estimate.low, estimate.high],
            "calibration": {"version": estimate.version},
            "segments": [segment_of(part) for part in parts],
            **span(offset, int(batch.offsets[last]), begun_ms, int(batch.times_ms[last])),
        }
        border = estimate.high if found.direction > 0 else estimate.low
        told = evidence(found.direction, found.realised, border, None, None, window)
        told["finding"]["effect"] = {"absolute": found.realised - estimate.error, "deviations": None}
        return told

    def standing(self) -> Sequence[Standing]:
        """By the newest window that is full."""
        known = (self.rows.get(row) for row in range(len(self.table.keys)))
        return [_standing(one, self.way) for one in known]

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        window = told["evidence"]["window"]
        realised, estimated = tell_apart(window["realised"], window["estimated"], share=True)
        low, high = tell_apart(window["interval"][0], window["interval"][1], share=True)
        text = (
            f"the relation of inputs to outcomes changed: {realised} of {window['n']} labelled predictions were wrong"
        )
        text += f", {estimated} estimated from confidence ({low} to {high})"
        top = window["segments"][0] if window["segments"] else None
        if top is None or abs(top["apart"]) < APART:
            return text
        now, then = tell_apart(top["realised"], top["estimated"], share=True)
        where = f"{top['field']} is {top['value']}" if top["value"] else f"there is no {top['field']}"
        return f"{text}, most of all where {where} ({now} of {top['n']}, {then} estimated)"

    def retain(self, rows: I64) -> None:
        self.rows = renumbered(self.rows, rows)

    def dump(self) -> Any:
        return {"gaps": [[row, one.dump()] for row, one in sorted(self.rows.items())]}

    def load(self, state: Any) -> None:
        for row, given in state["gaps"]:
            if not 0 <= int(row) < len(self.table.keys):
                raise ValueError("a gap of a series that there is not")
            self.rows[int(row)] = one = Watched(self.way)
            one.load(given)


def _standing(one: Watched | None, way: int) -> Standing:
    newest = None if one is None else one.gap.newest
    if newest is None:
        labels = 0 if one is None else one.labels
        return without(f"{labels:,} labels came that a calibration could be held against, a window has {SHORTEST}")
    estimate, size = newest.estimate, f"the newest window, of {newest.window:,} labels"
    up = newest.realised >= estimate.error
    border, asked = estimate.high if up else estimate.low, way == 0 or (way > 0) == up
    return Standing(newest.realised, border, size, estimate.error, 1 if asked else -1)


def segment_of(part: Part) -> dict[str, Any]:
    """As the evidence has it."""
    numbers = {"n": part.n, "realised": part.realised, "estimated": part.promised, "apart": part.apart}
    return {"field": label_of(part.field), "value": part.value, **numbers}
