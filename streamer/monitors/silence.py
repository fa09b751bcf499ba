"""Monitors that look at every tick: who fell silent, and who is too old."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import numpy as np

from detectors.bank import renumbered
from detectors.extremes import DAY_MS, SCHOOL
from detectors.reference import Judged
from detectors.standing import Standing
from schemas.events.batch import Batch
from streamer.config.detect import DetectAge, DetectSilence
from streamer.config.units import rough_duration
from streamer.monitors.base import MonitorBase, MonitorSpec
from streamer.monitors.evidence import Evidence, evidence, tier_of
from streamer.monitors.finding import BREACH, CLEAR, Finding
from streamer.series.presence import EVENTS, TIME, Presence
from streamer.signals.columns import I64, Column

GROSS = 5.0
"""In school a gap is unmistakable that is so many times as long as any before."""


class TickedMonitor(MonitorBase):
    """What is found at a tick, and told once."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(made.source, Presence)
        self.presence = made.source
        self.told: dict[int, None] = {}  # rows whose breach was reported

    def present(self, *names: str) -> list[tuple[int, ...]]:
        """Of each row what there is of it by these names, see FIELDS of `presence.py`."""
        self.presence.resize(len(self.table.keys))
        return list(zip(*(self.presence.state[name].tolist() for name in names), strict=True))

    def retain(self, rows: I64) -> None:
        self.told = renumbered(self.told, rows)

    def dump(self) -> Any:
        return list(self.told)

    def load(self, state: Any) -> None:
        self.told = dict.fromkeys(map(int, state))


class SilenceMonitor(TickedMonitor):
    """A level: breach once a series that has spoken often enough was silent for `after`, clear when it is back. With
    `days` also beyond the gaps of its healthy days. One of several, such as a caller, is missed by the events of the
    others, too: while nobody speaks nobody misses it. Nor is one missed that has come on one day only: it may be a
    weekly batch, or somebody who tried.
    """

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(self.config.detect, DetectSilence)
        self.detect = self.config.detect

    def findings(self, batch: Batch, column: Column, judged: Judged) -> list[Finding]:
        """Who is back."""
        found = []
        for row, event, silent_ms in zip(
            *(a.tolist() for a in (column.rows, column.events, column.values)), strict=True
        ):
            if row in self.told:
                del self.told[row]
                found.append(Finding(event, self.order, row, CLEAR, self._evidence(silent_ms, row)))
        return found

    def overdue(self, passed_ms: int, newest_ms: Mapping[str, int], unmissed: Container[str] = ()) -> list[Finding]:
        """Who is overdue by this tick; the findings belong to no event."""
        state, found = self.presence.state, []
        late = (state["silent_ms"] >= self.detect.after_ms) & (state["n"] >= self.detect.min_count)
        for row in np.flatnonzero(late).tolist():
            if self.table.keys[row][0][0] in unmissed:
                continue
            if row not in self.told and self._missed(row):
                self.told[row] = None
                silent_ms = float(state["silent_ms"][row])
                found.append(Finding(-1, self.order, row, BREACH, self._evidence(silent_ms, row)))
        return found

    def _missed(self, row: int) -> bool:
        """Whether it is to be told; of labels only while there are inferences that they would be of."""
        if self.detect.days:
            return self._beyond(row)
        return self.presence.alone(self.table) or self.table.by != () or self._others(row) > 0

    def _others(self, row: int) -> float:
        return self.presence.gap(row, self.table.keys[row][0][0])[1]

    def _beyond(self, row: int) -> bool:
        """Whether the gap is longer than those of healthy days."""
        days, alone = self.presence.days, self.presence.alone(self.table)
        if days.days_left()[row] > SCHOOL - self.table.signal.days_needed:
            return False
        silent_ms, events = self.presence.gap(row, self.table.keys[row][0][0])
        longest_ms, most = self._limit(row, TIME), self._limit(row, EVENTS)
        if days.in_school(row):
            first_ms, newest_ms = (self.presence.state[name].item(row) for name in ("first_ms", "newest_ms"))
            once = first_ms // DAY_MS == newest_ms // DAY_MS
            return not (once and self.table.by) and silent_ms > longest_ms and (alone or events > most)
        return (silent_ms > longest_ms and (alone or events > days.usual(row, EVENTS)[1])) or events > most

    def _limit(self, row: int, channel: int) -> float:
        """The longest gap that is none yet."""
        limit = self.presence.days.limits(row, channel)[1]
        return limit if isfinite(limit) else GROSS * self.presence.days.seen(row, channel)[1]

    def _evidence(self, silent_ms: float, row: int) -> dict[str, Any]:
        """The limit is that of time: longer ones than `after` are those of its days."""
        limit_ms = float(self.detect.after_ms)
        if self.detect.days:
            limit_ms = max(limit_ms, min(self._limit(row, TIME), silent_ms))
        more = tier_of(self.presence.days.in_school(row)) if self.detect.days else None
        return evidence(-1, silent_ms / 1000, round(limit_ms / 1000), None, None, None, more)

    def standing(self) -> Sequence[Standing]:
        least, after_ms, found = self.detect.min_count, float(self.detect.after_ms), []
        for row, (n, silent_ms) in enumerate(self.present("n", "silent_ms")):
            limit_ms = max(after_ms, self._limit(row, TIME)) if self.detect.days else after_ms
            few = f"nobody misses it before {least} events, {n:,} came" if n < least else "silence is what ticks count"
            found.append(Standing(silent_ms / 1000, round(limit_ms / 1000) if isfinite(limit_ms) else None, few))
        return found

    def days_left(self) -> I64:
        return self.presence.days.days_left() if self.detect.days else super().days_left()

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        silent, limit = (rough_duration(1000 * told["finding"][name]) for name in ("statistic", "threshold"))
        beside = "" if self.presence.what == "events" else ", while inferences go on"
        return f"no {self.presence.what} for {silent} (limit {limit}){beside}"


class AgeMonitor(TickedMonitor):
    """A level: breach once a series is older than `max`, by the event time of its model."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(self.config.detect, DetectAge)
        self.detect = self.config.detect
        since = self.detect.since
        given = datetime.fromisoformat(since).replace(tzinfo=UTC) if since else None
        self.since_ms = None if given is None else int(given.timestamp() * 1000)

    def overdue(self, passed_ms: int, newest_ms: Mapping[str, int], unmissed: Container[str] = ()) -> list[Finding]:
        """Whose age passed the limit since the last tick."""
        found = []
        for row, (group, _) in enumerate(self.table.keys):
            began_ms = int(self.presence.state["first_ms"][row]) if self.since_ms is None else self.since_ms
            age_ms = newest_ms[group[0]] - began_ms
            if age_ms > self.detect.max_ms and row not in self.told and group[0] not in unmissed:
                self.told[row] = None
                shown = evidence(1, age_ms / 1000, self.detect.max_ms / 1000, None, None, None)
                found.append(Finding(-1, self.order, row, BREACH, shown))
        return found

    def standing(self) -> Sequence[Standing]:
        """By the newest event of the model, as the ticks go by."""
        rows, newest_ms, found = self.present("first_ms", "newest_ms"), dict[str, int](), []
        for (group, _), (_, newest) in zip(self.table.keys, rows, strict=True):
            newest_ms[group[0]] = max(newest, newest_ms.get(group[0], 0))
        for (group, _), (first, _) in zip(self.table.keys, rows, strict=True):
            age_ms = newest_ms[group[0]] - (first if self.since_ms is None else self.since_ms)
            found.append(Standing(age_ms / 1000, self.detect.max_ms / 1000))
        return found

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        old, limit = (told["finding"][name] / 86_400 for name in ("statistic", "threshold"))
        return f"the model is {old:.1f} days old (limit {limit:g})"
