"""Features that appear: those that the first events of a group did not have."""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.bank import ranks
from schemas.events.batch import Batch
from streamer.series.table import ColumnsSoFar, SeriesTable
from streamer.series.timeless import Timeless
from streamer.signals.columns import Column, Groups, dense
from streamer.signals.observe import observe_presence

NAMES_MAX = 4096
"""Names remembered per group; where there are more, names are data, and none of them is news."""
NO_NEWS, REFUSED = -1, -2
"""No row: a name that is known; a table that is full."""


class NewFeatures(Timeless):
    """Makes `new_feature.NAME`: 1 at each event that has a feature which none of the first `warmup` events had."""

    def __init__(self, warmup: int) -> None:
        self.warmup = warmup
        self.seen: dict[tuple[str, ...], int] = {}  # events so far, up to the warm-up
        self.names: dict[tuple[str, ...], set[str]] = {}

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        used = np.flatnonzero(groups.of_event >= 0)
        table.begin(batch, used)
        learning = np.zeros(len(groups.of_event), bool)
        learning[used] = self._learning(groups, groups.of_event[used])
        seen, signal = observe_presence(batch, groups, table.signal.path, table.signal.every), table.signal
        own = np.array([signal.every or name == signal.path for name in seen.members], bool)[seen.member]
        events, names = seen.event[own], seen.member[own]
        # One look per group, name and phase, however many events there are.
        codes = (groups.of_event[events] * (len(batch.names) + 1) + names) * 2 + ~learning[events]
        inverse, first = dense(codes)
        rows = np.array([self._row(table, groups, batch, int(events[i]), int(names[i]), learning) for i in first], int)
        table.resize()
        found = rows[inverse] if len(first) else np.zeros(0, np.int64)
        table.dropped += int(np.count_nonzero(found == REFUSED))
        chosen = found >= 0
        return Column(found[chosen], np.ones(int(chosen.sum())), events[chosen])

    def _learning(self, groups: Groups, codes: Any) -> Any:
        """Which of the used events belong to the warm-up of their group; counts them."""
        before = np.array([self.seen.get(key, 0) for key in groups.keys], np.int64)
        learning = before[codes] + ranks(codes) < self.warmup
        for g, count in enumerate(np.bincount(codes, minlength=len(groups.keys)).tolist()):
            if count:
                self.seen[groups.keys[g]] = min(self.warmup, int(before[g]) + count)
        return learning

    def _row(self, table: SeriesTable, groups: Groups, batch: Batch, event: int, name: int, learning: Any) -> int:
        key, text = groups.keys[groups.of_event[event]], batch.names[name]
        names = self.names.setdefault(key, set())
        if learning[event] and len(names) < NAMES_MAX:
            names.add(text)
        if text in names or len(names) >= NAMES_MAX:
            return NO_NEWS
        row = table.row(key, text)
        return row if row >= 0 else REFUSED

    def dump(self) -> Any:
        return [[list(key), seen, sorted(self.names.get(key, ()))] for key, seen in self.seen.items()]

    def load(self, state: Any) -> None:
        for key, seen, names in state:
            if not 0 <= seen <= self.warmup or len(names) > NAMES_MAX:
                raise ValueError("invalid names of features")
            self.seen[tuple(map(str, key))] = int(seen)
            self.names[tuple(map(str, key))] = set(map(str, names))
