"""Who fell silent: groups that no event has come from for too long, by ticks of the wall clock that are data.

A tick counts at most twice its interval, and nothing where the task had not read all there was: silence is what was
heard, not what was missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from schemas.events.batch import Batch
from streamer.alerts.lifecycle import BREACH, CLEAR, Finding
from streamer.config import model as cfg
from streamer.config.detect import DetectAge, DetectSilence
from streamer.monitors.base import MonitorBase
from streamer.monitors.evidence import evidence
from streamer.series.table import Known, SeriesTable
from streamer.signals.grammar import Column, Groups, dense

FIELDS = ("n", "spoke", "silent_ms", "first_ms")
"""Per row: events so far, whether any since the last tick, the silence up to then, and the time of the first event."""


class Presence:
    """Makes the signal `events`: no value while a group speaks, and its silence in ms at the event that ends one."""

    def __init__(self) -> None:
        self.state = {name: np.zeros(0, np.int64) for name in FIELDS}

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: Known) -> Column:
        events = np.flatnonzero(groups.of_event >= 0)
        inverse, first = dense(groups.of_event[events])
        rows = np.array([table.row(groups.keys[groups.of_event[events[i]]], "events") for i in first], np.int64)
        table.resize()
        self.resize(len(table.keys))
        counts = np.bincount(inverse, minlength=len(rows))
        table.dropped += int(counts[rows < 0].sum())
        kept = np.flatnonzero(rows >= 0)
        rows, first, counts = rows[kept], events[first[kept]], counts[kept]
        new = self.state["n"][rows] == 0
        self.state["first_ms"][rows[new]] = batch.times_ms[first[new]]
        silent = self.state["silent_ms"][rows]
        self.state["n"][rows] += counts
        self.state["spoke"][rows] = 1
        self.state["silent_ms"][rows] = 0
        back = silent > 0
        return Column(rows[back], silent[back].astype(np.float64), first[back])

    def resize(self, rows: int) -> None:
        for name, column in self.state.items():
            self.state[name] = np.concatenate([column, np.zeros(rows - len(column), np.int64)])

    def tick(self, passed_ms: int) -> None:
        """So much time has passed since the last tick."""
        self.state["silent_ms"] += np.where(self.state["spoke"] > 0, 0, passed_ms)
        self.state["spoke"][:] = 0

    def dump(self) -> Any:
        return {name: column.copy() for name, column in self.state.items()}

    def load(self, state: Any) -> None:
        found = {name: np.array(state[name], np.int64) for name in FIELDS}
        if len({len(column) for column in found.values()}) != 1 or any((column < 0).any() for column in found.values()):
            raise ValueError("presence that cannot be")
        self.state = found


class SilenceMonitor(MonitorBase):
    """A level: breach once a series that has spoken often enough was silent for `after`, clear when it is back."""

    def __init__(self, order: int, name: str, config: cfg.Monitor, table: SeriesTable, presence: object) -> None:
        assert isinstance(config.detect, DetectSilence)
        assert isinstance(presence, Presence)
        super().__init__(order, name, config, table)
        self.detect, self.presence = config.detect, presence

    def findings(self, batch: Batch, column: Column) -> list[Finding]:
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

    def dump(self) -> Any:
        return None

    def load(self, state: Any) -> None:
        """What there is to remember is in the table's rule and in the alert book."""


class AgeMonitor(MonitorBase):
    """A level: breach once a series is older than `max`, by the event time of its model."""

    def __init__(self, order: int, name: str, config: cfg.Monitor, table: SeriesTable, presence: object) -> None:
        assert isinstance(config.detect, DetectAge)
        assert isinstance(presence, Presence)
        super().__init__(order, name, config, table)
        self.detect, self.presence = config.detect, presence
        self.told: dict[int, None] = {}  # rows whose breach was reported
        given = datetime.fromisoformat(config.detect.since).replace(tzinfo=UTC) if config.detect.since else None
        self.since_ms = None if given is None else int(given.timestamp() * 1000)

    def findings(self, batch: Batch, column: Column) -> list[Finding]:
        return []

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

    def dump(self) -> Any:
        return list(self.told)

    def load(self, state: Any) -> None:
        self.told = dict.fromkeys(map(int, state))
