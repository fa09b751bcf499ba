"""Monitors that look at every tick: who fell silent, and who is too old."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from detectors.bank import renumbered
from detectors.reference import Judged
from schemas.events.batch import Batch
from streamer.config.detect import DetectAge, DetectSilence
from streamer.config.units import show_duration
from streamer.monitors.base import MonitorBase, MonitorSpec
from streamer.monitors.evidence import Evidence, evidence
from streamer.monitors.finding import BREACH, CLEAR, Finding
from streamer.series.presence import Presence
from streamer.signals.columns import I64, Column


class SilenceMonitor(MonitorBase):
    """A level: breach once a series that has spoken often enough was silent for `after`, clear when it is back."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(self.config.detect, DetectSilence)
        assert isinstance(made.source, Presence)
        self.detect, self.presence = self.config.detect, made.source

    def findings(self, batch: Batch, column: Column, judged: Judged) -> list[Finding]:
        """Who is back."""
        back = np.flatnonzero(column.values >= self.detect.after_ms)
        return [
            Finding(int(column.events[i]), self.order, int(column.rows[i]), CLEAR, self._evidence(column.values[i]))
            for i in back
        ]

    def overdue(self, passed_ms: int, newest_ms: Mapping[str, int]) -> list[Finding]:
        """Who became overdue with the tick that took `passed_ms`; the findings belong to no event."""
        state, after_ms = self.presence.state, self.detect.after_ms
        silent = state["silent_ms"]
        late = (silent >= after_ms) & (silent - passed_ms < after_ms) & (state["n"] >= self.detect.min_count)
        return [
            Finding(-1, self.order, row, BREACH, self._evidence(silent[row])) for row in np.flatnonzero(late).tolist()
        ]

    def _evidence(self, silent_ms: float) -> dict[str, Any]:
        return evidence(-1, float(silent_ms) / 1000, self.detect.after_ms / 1000, None, None, None)

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        silent, limit = (show_duration(1000 * int(told["finding"][name])) for name in ("statistic", "threshold"))
        return f"no events for {silent} (limit {limit})"

    def dump(self) -> Any:
        return None

    def load(self, state: Any) -> None:
        """What there is to remember is in the table's rule and in the alert book."""


class AgeMonitor(MonitorBase):
    """A level: breach once a series is older than `max`, by the event time of its model."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(self.config.detect, DetectAge)
        assert isinstance(made.source, Presence)
        self.detect, self.presence = self.config.detect, made.source
        self.told: dict[int, None] = {}  # rows whose breach was reported
        since = self.detect.since
        given = datetime.fromisoformat(since).replace(tzinfo=UTC) if since else None
        self.since_ms = None if given is None else int(given.timestamp() * 1000)

    def overdue(self, passed_ms: int, newest_ms: Mapping[str, int]) -> list[Finding]:
        """Whose age passed the limit since the last tick."""
        found = []
        for row, (group, _) in enumerate(self.table.keys):
            began_ms = int(self.presence.state["first_ms"][row]) if self.since_ms is None else self.since_ms
            age_ms = newest_ms[group[0]] - began_ms
            if age_ms > self.detect.max_ms and row not in self.told:
                self.told[row] = None
                shown = evidence(1, age_ms / 1000, self.detect.max_ms / 1000, None, None, None)
                found.append(Finding(-1, self.order, row, BREACH, shown))
        return found

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        old, limit = (told["finding"][name] / 86_400 for name in ("statistic", "threshold"))
        return f"the model is {old:.1f} days old (limit {limit:g})"

    def retain(self, rows: I64) -> None:
        self.told = renumbered(self.told, rows)

    def dump(self) -> Any:
        return list(self.told)

    def load(self, state: Any) -> None:
        self.told = dict.fromkeys(map(int, state))
