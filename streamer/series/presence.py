"""Who is there: the signal `events`, by groups, and how long each has been silent by ticks of the wall clock that are
data. A tick counts at most twice its interval, and nothing where the task had not read all there was: silence is what
was heard, not what was missed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.events.batch import Batch
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, Heard, SeriesTable
from streamer.signals.columns import I64, Column, Groups, dense

FIELDS = ("n", "spoke", "silent_ms", "first_ms", "last_ms", "last_offset")
"""Per row: events so far, whether any since the last tick, the silence up to then, the time of the first event; time
and offset of the last.
"""


class Presence(SourceBase):
    """Makes the signal `events`: no value while a group speaks, and its silence in ms at the event that ends one."""

    def __init__(self) -> None:
        self.state = {name: np.zeros(0, np.int64) for name in FIELDS}

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        events = np.flatnonzero(groups.of_event >= 0)
        inverse, first = dense(groups.of_event[events])
        rows = np.array([table.row(groups.keys[groups.of_event[events[i]]], "events") for i in first], np.int64)
        table.resize()
        self.resize(len(table.keys))
        counts = np.bincount(inverse, minlength=len(rows))
        table.dropped += int(counts[rows < 0].sum())
        kept = np.flatnonzero(rows >= 0)
        last = np.zeros(len(rows), np.int64)
        last[inverse] = events  # With repeated groups the last assignment holds.
        rows, first, last, counts = rows[kept], events[first[kept]], last[kept], counts[kept]
        self.state["last_ms"][rows], self.state["last_offset"][rows] = batch.times_ms[last], batch.offsets[last]
        new = self.state["n"][rows] == 0
        self.state["first_ms"][rows[new]] = batch.times_ms[first[new]]
        silent = self.state["silent_ms"][rows]
        self.state["n"][rows] += counts
        self.state["spoke"][rows] = 1
        self.state["silent_ms"][rows] = 0
        back = silent > 0
        table.taken += int(counts.sum()) - int(back.sum())  # The others count when they are judged.
        return Column(rows[back], silent[back].astype(np.float64), first[back])

    def resize(self, rows: int) -> None:
        for name, column in self.state.items():
            self.state[name] = np.concatenate([column, np.zeros(rows - len(column), np.int64)])

    def heard(self, table: SeriesTable) -> Heard:
        return self.state["last_ms"], self.state["last_offset"]

    def retain(self, rows: I64, table: SeriesTable) -> None:
        self.state = {name: column[rows] for name, column in self.state.items()}

    def tick(self, passed_ms: int) -> None:
        """So much time has passed since the last tick."""
        self.state["silent_ms"] += np.where(self.state["spoke"] > 0, 0, passed_ms)
        self.state["spoke"][:] = 0

    def dump(self) -> Any:
        return {name: column.copy() for name, column in self.state.items()}

    def load(self, state: Any) -> None:
        found = {name: np.array(state[name], np.int64) for name in FIELDS}
        if len({len(column) for column in found.values()}) != 1 or any((column < 0).any() for column in found.values()):
            raise ValueError("times of presence that are negative or of different length")
        self.state = found
