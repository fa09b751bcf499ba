"""Features that appear: those that the first events of a group did not have."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from detectors.bank import ranks
from schemas.events.batch import Batch
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, Group, SeriesTable
from streamer.series.turnover import Places, newest_of_groups
from streamer.signals.columns import I64, Column, Groups, dense
from streamer.signals.observe import observe_presence

NAMES_MAX = 4096
"""Names remembered per group; where there are more, names are data, and none of them is news."""
NAMES_PER_PLACE = 16
"""Names of all groups together that take one place of the limit; beyond the places a group's names are not remembered,
and none of them is news.
"""
NO_NEWS, REFUSED = -1, -2
"""No row: a name that is known; a table that is full."""


class NewFeatures(SourceBase):
    """Makes `new_feature.NAME`: 1 at each event that has a feature which none of the first `warmup` events had."""

    def __init__(self, warmup: int, groups_max: int) -> None:
        self.warmup = warmup
        self.places: Places[Group] = Places(groups_max, warmup)
        self.seen: dict[Group, int] = {}  # events so far, up to the warm-up
        self.names: dict[Group, set[str] | None] = {}  # None where they were too many
        self.remembered = 0  # names of all groups

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        used = np.flatnonzero(groups.of_event >= 0)
        table.begin(batch, used)
        heard = [self.places.hear(groups.keys[g], *at) for g, *at in newest_of_groups(batch, groups, used)]
        table.taken += len(used)
        self.places.clock += len(used)
        if not all(heard):  # A full memory: events of a group that is not in it are nobody's.
            used = used[[groups.keys[g] in self.places.heard for g in groups.of_event[used].tolist()]]
            groups = groups._replace(of_event=only(groups.of_event, used, table))
        learning = np.zeros(len(groups.of_event), bool)
        learning[used] = self._learning(groups, groups.of_event[used])
        seen = observe_presence(batch, groups, table.signal.takes)
        events, names = seen.event, seen.member
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
        if learning[event]:
            if names is not None and text not in names and len(names) < NAMES_MAX:
                self._learn(key, names, text)
            return NO_NEWS
        if names is None:
            return REFUSED
        if text in names or len(names) >= NAMES_MAX:
            return NO_NEWS
        row = table.row(key, text)
        return row if row >= 0 else REFUSED

    def _learn(self, key: Group, names: set[str], text: str) -> None:
        """Remember one more name of a group; of one for whose names there is no place nothing."""
        if self.remembered < NAMES_PER_PLACE * self.places.turnover.places:
            names.add(text)
            self.remembered += 1
        else:
            self.remembered -= len(names)
            self.names[key] = None

    def calm(self, groups: int, names: int) -> bool:
        return self.places.turnover.calm(self._used(groups, groups * names))

    def rest(self) -> None:
        self.places.turnover.rest()

    def turn(self, offset: int) -> list[Group]:
        gone = self.places.turn(offset, self._used(0, 0))
        self._forget(gone)
        return gone

    def forget(self, models: Collection[str]) -> None:
        gone = [key for key in self.places.heard if key[0] in models]
        self.places.forget(gone)
        self._forget(gone)

    def _used(self, groups: int, names: int) -> int:
        """Places that are taken, when so many groups and names are added."""
        return max(len(self.places.heard) + groups, (self.remembered + names) // NAMES_PER_PLACE)

    def _forget(self, gone: list[Group]) -> None:
        for key in gone:
            self.seen.pop(key, None)
            self.remembered -= len(self.names.pop(key, None) or ())

    def dump(self) -> Any:
        groups = []
        for key in self.places.heard:
            names = self.names.get(key, set())
            groups.append([list(key), self.seen.get(key, 0), None if names is None else sorted(names)])
        return {"groups": groups, "places": self.places.dump()}

    def load(self, state: Any) -> None:
        for key, seen, names in state["groups"]:
            if not 0 <= seen <= self.warmup or len(names or ()) > NAMES_MAX:
                raise ValueError("invalid names of features")
            group = tuple(map(str, key))
            self.seen[group] = int(seen)
            self.names[group] = None if names is None else set(map(str, names))
            self.remembered += len(names or ())
        self.places.load(state["places"], list(self.seen))


def only(of_event: I64, used: I64, table: SeriesTable) -> I64:
    """The groups of these events alone; those of the others are counted as dropped."""
    left = np.full(len(of_event), -1, np.int64)
    left[used] = of_event[used]
    table.dropped += int(np.count_nonzero(of_event >= 0)) - len(used)
    return left
