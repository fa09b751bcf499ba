"""Monitors of aggregates, whose values are few: far from what others were, and a steady rise or fall."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import sqrt
from typing import Any, ClassVar, NamedTuple

import numpy as np

from detectors.bank import renumbered
from detectors.extremes import DAY_MS
from detectors.reference import Judged
from detectors.trend import centre_and_scale, trend
from schemas.events.batch import Batch
from schemas.records.alert import rfc3339
from streamer.config.detect import DetectLevel, DetectTrend
from streamer.monitors.base import MonitorBase, MonitorSpec
from streamer.monitors.calm import Calm
from streamer.monitors.evidence import Evidence, evidence
from streamer.monitors.finding import NEITHER, Finding
from streamer.monitors.seasons import around, moderated, number_of, slots_of, unbiased
from streamer.monitors.window_outcomes import Outcomes, forgotten, note, outcomes_of, plain
from streamer.monitors.words import deviations, from_to, tell_apart
from streamer.signals.columns import I64, Column
from streamer.signals.grammar import counts_events

PATIENCE = 4
"""A level that lasts so many times the windows remembered is the new normal: what is remembered is reset."""


WEEK_DAYS, WEEKLY = 7, 2.5
"""What is a trend by the hours of the day is so many deviations from none by the fewer pairs of hours of the week."""
MEDIAN_VARIANCE = 1.5708
"""A median of n values is itself unsure, by pi / 2 / n of their variance."""


class Verdict(NamedTuple):
    """What one value, or a stretch of them, says. `deviations` have the sign of the direction."""

    breach: bool
    value: float
    expected: float | None  # None where there is nothing to compare with yet
    deviations: float | None
    n: int
    begin_ms: int | None = None  # of a stretch that began before the newest window


class Span(NamedTuple):
    """A window, and how many numbers it saw."""

    start_ms: int
    end_ms: int
    n: int
    whole: bool = True  # not the edge of a silence of its model


class Window(NamedTuple):
    """What a monitor of aggregates judges."""

    event: int
    row: int
    value: float
    span: Span


class AggregateMonitor(MonitorBase):
    """Remembers values per row and hour slot; the judge of its kind looks at each new one."""

    windowed = True
    most: int  # values remembered per slot
    beyond: float  # deviations, the limit that is told
    calm_after: ClassVar[int] = 1  # clear windows until a breach is over

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert made.source is not None
        self.source = made.source
        self.counted = counts_events(self.table.signal)
        self.kept: dict[tuple[int, int], list[float]] = {}  # (row, slot) -> values, oldest first
        self.places: dict[int, list[int]] = {}  # of a trend: row -> the windows of the values
        self.runs: dict[int, int] = {}  # row -> breaches in a row, or values since the last look
        self.outcomes: Outcomes = {}
        self.calm = Calm(self.calm_after)

    def findings(self, batch: Batch, column: Column, judged: Judged) -> list[Finding]:
        found = []
        why = dict(column.reasons)
        for i, (event, row, value, span) in enumerate(self.windows(column)):
            verdict = self.judge(row, value, span, int(batch.offsets[event]))
            if verdict is None:
                continue
            ended = "insufficient" if verdict.expected is None else "evaluated"
            if span.whole:
                note(self.outcomes, self.table.keys[row][0][0], ended)
            else:
                ended = ""  # Its source has counted it.
            signal = NEITHER if verdict.expected is None else self.calm.signal(row, verdict.breach)
            told = self.told(row, verdict, span, why.get(i)) if self.shows(signal) else None
            found.append(Finding(event, self.order, row, signal, told, ended))
        return found

    def windows(self, column: Column) -> list[Window]:
        """What is judged, in the order of the log."""
        columns = column.events.tolist(), column.rows.tolist(), column.values.tolist(), column.spans
        return [Window(event, row, value, Span(*span)) for event, row, value, span in zip(*columns, strict=True)]

    def judge(self, row: int, value: float, span: Span, offset: int) -> Verdict | None:
        """What the value of a window says; None where it was not looked at."""
        raise NotImplementedError

    def tier(self, row: int) -> dict[str, str]:
        """As evidence; nothing where healthy days are not what it learns."""
        return {}

    def told(self, row: int, verdict: Verdict, span: Span, reason: str | None = None) -> Evidence:
        window: dict[str, Any] = {
            "value": verdict.value,
            "expected": verdict.expected,
            "deviations": verdict.deviations,
            "n": verdict.n,
            "from": rfc3339(span.start_ms if verdict.begin_ms is None else verdict.begin_ms),
            "to": rfc3339(span.end_ms),
        }
        if reason is not None:
            window["reasons"] = [{"reason": reason, "count": span.n}]
        deviations = verdict.deviations or 0.0
        return evidence(1 if deviations > 0 else -1, deviations, self.beyond, None, None, window, self.tier(row))

    def ended(self) -> Outcomes:
        """Those too of which no value came."""
        found = {model: counts.copy() for model, counts in self.outcomes.items()}
        for model, skipped in self.source.skipped().items():
            note(found, model, "skipped", skipped)
        return found

    def retain(self, rows: I64) -> None:
        number = {row: i for i, row in enumerate(rows.tolist())}
        self.kept = {(number[row], slot): values for (row, slot), values in self.kept.items() if row in number}
        self.places, self.runs = renumbered(self.places, rows), renumbered(self.runs, rows)
        self.calm.retain(rows)

    def forget(self, models: Collection[str]) -> None:
        skipped = self.source.skipped()
        for model in sorted(skipped.keys() & set(models)):
            note(self.outcomes, model, "skipped", skipped[model])
        self.outcomes = forgotten(self.outcomes, models)

    def dump(self) -> Any:
        kept = [[row, slot, np.array(values, np.float64)] for (row, slot), values in self.kept.items()]
        places = [[row, np.array(windows, np.int64)] for row, windows in self.places.items()]
        runs = list(self.runs.items())
        return {
            "kept": kept,
            "places": places,
            "runs": runs,
            "verdicts": plain(self.outcomes),
            "calm": self.calm.dump(),
        }

    def load(self, state: Any) -> None:
        kept = {(int(row), int(slot)): values.tolist() for row, slot, values in state["kept"]}
        if any(not 0 <= row < len(self.table.keys) or len(values) > self.most for (row, _), values in kept.items()):
            raise ValueError("invalid remembered values")
        self.places = {int(row): windows.tolist() for row, windows in state["places"]}
        if any(len(windows) != len(kept[row, 0]) for row, windows in self.places.items()):
            raise ValueError("a trend without its places")
        self.kept, self.runs = kept, {int(row): int(run) for row, run in state["runs"]}
        self.outcomes = outcomes_of(state["verdicts"])
        self.calm.load(state["calm"])


class LevelMonitor(AggregateMonitor):
    """A value far from what others were."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(self.config.detect, DetectLevel)
        self.detect = self.config.detect
        self.most, self.beyond = self.detect.recent, self.detect.beyond
        self.slot_of = slots_of(self.detect.season, self.table.signal.window_ms)
        self.slots = number_of(self.detect.season)
        self.scales: dict[tuple[int, int], float] = {}  # of what is kept, while that is the same

    def judge(self, row: int, value: float, span: Span, offset: int) -> Verdict:
        detect = self.detect
        slot = self.slot_of(span.start_ms)
        kept = self.kept.setdefault((row, slot), [])
        verdict = Verdict(False, value, None, None, 0)
        if detect.against == "reference":
            learned = self.table.reference.at(row)
            if learned.n >= self.table.reference.warmup and learned.last_offset < offset:
                verdict = self._compare(value, learned.centre, learned.scale, learned.n)
        elif len(kept) >= detect.least:
            centre, scale = centre_and_scale(np.array(kept))
            scale = scale if self.slots == 1 else self._among(row, slot, scale, len(kept))
            verdict = self._compare(value, centre, scale, len(kept))
        self.runs[row] = self.runs.get(row, 0) + 1 if verdict.breach else 0
        if self.runs[row] > PATIENCE * detect.recent:
            kept.clear()
        if not verdict.breach or not kept:
            kept.append(value)
            del kept[: -detect.recent]
            self.scales.pop((row, slot), None)
        return verdict

    def _among(self, row: int, slot: int, scale: float, n: int) -> float:
        """The scale of a slot that has few windows, by those around it."""
        others = [self._scale(row, other) for other in around(slot, self.slots) if other != slot]
        return moderated(unbiased(scale, n), n, [one for one in others if one is not None])

    def _scale(self, row: int, slot: int) -> float | None:
        """That of another slot; None where it has too few windows."""
        kept = self.kept.get((row, slot), ())
        if len(kept) < self.detect.least:
            return None
        if (row, slot) not in self.scales:
            self.scales[row, slot] = unbiased(centre_and_scale(np.array(kept))[1], len(kept))
        return self.scales[row, slot]

    def retain(self, rows: I64) -> None:
        super().retain(rows)
        self.scales.clear()

    def _compare(self, value: float, centre: float, scale: float, n: int) -> Verdict:
        detect = self.detect
        if self.counted:
            scale = max(scale, sqrt(max(centre, 1.0)))  # Independent events cannot come more evenly than that.
        scale *= sqrt(1.0 + MEDIAN_VARIANCE / n)
        away = value - centre
        allowed = abs(centre) * detect.change
        deviations = away / scale if scale > 0.0 else float(np.sign(away)) * detect.beyond * 2.0
        wanted = {"up": away > 0, "down": away < 0, "both": True}[detect.direction]
        far = abs(away) > allowed and abs(deviations) > detect.beyond
        return Verdict(wanted and far, value, centre, deviations, n)

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        window = told["evidence"]["window"]
        value, expected = tell_apart(window["value"], window["expected"])
        most = ": " if self.table.signal.spec.least else ", most of all "
        why = "".join(most + one["reason"] for one in window.get("reasons", ()))
        return f"{labels['signal']} was {value}, {expected} expected ({deviations(window['deviations'])}){why}"


class TrendMonitor(AggregateMonitor):
    """A steady rise or fall. It is of many windows, and looked at now and then."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(self.config.detect, DetectTrend)
        self.detect = self.config.detect
        self.most, self.beyond = self.detect.points, self.detect.beyond

    def judge(self, row: int, value: float, span: Span, offset: int) -> Verdict | None:
        detect, window = self.detect, span.start_ms // self.table.signal.window_ms
        kept, places = self.kept.setdefault((row, 0), []), self.places.setdefault(row, [])
        kept.append(value)
        places.append(window)
        del kept[: -detect.points], places[: -detect.points]
        self.runs[row] = self.runs.get(row, 0) + 1
        if len(kept) < detect.points or self.runs[row] < detect.clock:
            return None
        self.runs[row] = 0
        values = np.array(kept)
        day = DAY_MS // self.table.signal.window_ms  # Compare equal hours, once there are three days of them.
        period = day if day > 1 and 3 * day <= detect.points else 1
        found, centre = trend(values, np.array(places), period), centre_and_scale(values)[0]
        rise = found.slope * (places[-1] - places[0])
        wanted = {"up": rise > 0, "down": rise < 0, "both": True}[detect.direction]
        far = abs(rise) > detect.max * abs(centre) and abs(found.z) > detect.beyond
        if far and day > 0 and 2 * WEEK_DAYS * day <= detect.points:
            # Weekends at one end and not at the other are no trend: equal hours of the week must say so, too.
            far = trend(values, np.array(places), WEEK_DAYS * day).z * float(np.sign(rise)) > WEEKLY
        return Verdict(wanted and far, centre + rise / 2, centre - rise / 2, found.z, len(kept))

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        signal, window = labels["signal"], told["evidence"]["window"]
        return f"{signal} went steadily {from_to(signal, window['expected'], window['value'])} in {window['n']} windows"
