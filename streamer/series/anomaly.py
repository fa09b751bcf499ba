"""The anomaly rule: is this event unlike what the reference has seen, and why?

An event is anomalous when a numeric feature lies further from the centre than `beyond` deviations of its own tail,
when a text feature holds a category the warm-up never saw, or when a score the model supplies exceeds its limit.
An event nothing can be said about yet (every feature still warming up) is not judged at all.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from detectors.reference import Judged
from schemas.events.batch import Batch
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, Group, SeriesTable
from streamer.series.turnover import Places
from streamer.signals.columns import I64, Column, Groups, dense
from streamer.signals.observe import FEATURES

CATEGORIES_MAX = 1000
"""Categories remembered per feature. A feature with more is free text or an id; unseen values of it mean nothing."""

Category = tuple[Group, str]


class KnownCategories:
    """Texts each feature of each group showed in its first `warmup` values; frozen afterwards, like every reference."""

    def __init__(self, warmup: int, rows_max: int) -> None:
        self.warmup = warmup
        self.places: Places[Category] = Places(rows_max, warmup)
        self.seen: dict[Category, int] = {}
        self.known: dict[Category, dict[str, None] | None] = {}  # None of free texts

    def hear(self, keys: list[Category], times_ms: list[int], offsets: list[int]) -> None:
        """Note the last event of each key, in the order of their first; a full memory takes none that is new."""
        for key, *at in zip(keys, times_ms, offsets, strict=True):
            if self.places.hear(key, *at):
                self.seen.setdefault(key, 0)
                self.known.setdefault(key, {})

    def frozen(self, key: Category) -> bool:
        """True past the warm-up: then `unseen` changes nothing any more."""
        return self.seen.get(key, 0) >= self.warmup

    def unseen(self, key: Category, text: str) -> bool | None:
        """True for a category outside the reference, None while there is no verdict; learns during the warm-up."""
        count = self.seen.get(key)
        if count is None:
            return None
        known = self.known[key]
        if count < self.warmup:
            self.seen[key] = count + 1
            if known is not None:
                known[text] = None
                if len(known) > CATEGORIES_MAX:
                    self.known[key] = None
            return None
        return None if known is None else text not in known

    def forget(self, keys: Collection[Category]) -> None:
        for key in keys:
            del self.seen[key], self.known[key]

    def dump(self) -> dict[str, Any]:
        keys = []
        for group, name in self.places.heard:
            known = self.known[group, name]
            keys.append([list(group), name, self.seen[group, name], None if known is None else list(known)])
        return {"keys": keys, "places": self.places.dump()}

    def load(self, state: Any) -> None:
        for group, name, count, known in state["keys"]:
            key = (tuple(map(str, group)), str(name))
            self.seen[key] = int(count)
            self.known[key] = None if known is None else dict.fromkeys(map(str, known))
        self.places.load(state["places"], list(self.seen))


class AnomalyRule(SourceBase):
    """Judges every event of the groups of `numbers`, a table over all numeric features."""

    def __init__(
        self, numbers: SeriesTable, beyond: float, unseen: bool, score: str | None, score_max: float | None
    ) -> None:
        self.numbers = numbers
        self.beyond = beyond
        self.score = score
        self.score_max = score_max
        self.categories = KnownCategories(numbers.reference.warmup, numbers.rows_max) if unseen else None

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        """One 0/1 value per judged event, with reasons; `table` gives the row of each group."""
        judged = np.zeros(len(batch.offsets), bool)
        found: list[tuple[int, str]] = self._far(*known[self.numbers.id], judged)
        found += self._unseen(batch, groups, judged)
        found += self._scored(batch, groups, judged)
        events = np.flatnonzero(judged)
        values = np.zeros(len(batch.offsets))
        values[[event for event, _ in found]] = 1.0
        # Rows exist from the first judged event of a group on; a group the full table refuses is counted there.
        inverse, first = dense(groups.of_event[events])
        row_of = [table.row(groups.keys[groups.of_event[events[i]]], "anomaly") for i in first]
        rows = np.array(row_of, np.int64)[inverse]
        keep = rows >= 0
        table.dropped += int(np.count_nonzero(~keep))
        table.resize()
        rows, events = rows[keep], events[keep]
        place = {int(event): i for i, event in enumerate(events)} if found else {}
        reasons = sorted((place[event], name) for event, name in found if event in place)
        return Column(rows, values[events], events, reasons)

    def _far(self, numbers: Column, known: Judged, judged: Any) -> list[tuple[int, str]]:
        judged[numbers.events[known.ready]] = True
        places = self.numbers.reference.far(numbers.rows, known, self.beyond)
        return [
            (event, f"{self.numbers.keys[row][1]} beyond {self.beyond:g} deviations")
            for event, row in zip(numbers.events[places].tolist(), numbers.rows[places].tolist(), strict=True)
        ]

    def _unseen(self, batch: Batch, groups: Groups, judged: Any) -> list[tuple[int, str]]:
        if self.categories is None:
            return []
        feature = np.array([n.startswith(FEATURES) for n in batch.names] or [False], bool)
        group = groups.of_event[batch.texts.event]
        chosen = np.flatnonzero(feature[batch.texts.name] & (group >= 0))
        if not len(chosen):
            return []
        events, names, texts = (column[chosen].astype(np.int64) for column in batch.texts)
        keys = group[chosen] * len(batch.names) + names
        self._hear(batch, groups, events, keys)
        # A key past its warm-up gives one verdict per text, however many events have it; others learn in log order.
        distinct = np.unique(keys)
        frozen = np.array([self.categories.frozen(self._key(batch, groups, key)) for key in distinct])
        learns = ~frozen[np.searchsorted(distinct, keys)]
        pairs, inverse = np.unique(np.where(learns, -1, keys * len(batch.strings) + texts), return_inverse=True)
        verdicts = np.zeros(len(chosen), np.int64)  # 1 = unseen, 0 = seen, -1 = none
        verdicts[~learns] = np.array([self._verdict(batch, groups, pair) for pair in pairs.tolist()])[inverse][~learns]
        for place in np.flatnonzero(learns).tolist():
            verdicts[place] = self._verdict(batch, groups, int(keys[place]) * len(batch.strings) + int(texts[place]))
        judged[events[verdicts >= 0]] = True
        unseen = verdicts > 0
        return [
            (event, f"{batch.names[name]} unseen category")
            for event, name in zip(events[unseen].tolist(), names[unseen].tolist(), strict=True)
        ]

    def _hear(self, batch: Batch, groups: Groups, events: I64, keys: I64) -> None:
        assert self.categories is not None
        inverse, first = dense(keys)
        last = np.zeros(len(first), np.int64)
        last[inverse] = events  # With repeated keys the last assignment holds.
        known = [self._key(batch, groups, key) for key in keys[first].tolist()]
        self.categories.hear(known, batch.times_ms[last].tolist(), batch.offsets[last].tolist())
        self.categories.places.clock += len(keys)

    @staticmethod
    def _key(batch: Batch, groups: Groups, key: int) -> Category:
        group, name = divmod(int(key), len(batch.names))
        return groups.keys[group], batch.names[name]

    def _verdict(self, batch: Batch, groups: Groups, pair: int) -> int:
        """Of a key and a text, as one number; -1 while there is none, and for the number that stands for nothing."""
        if pair < 0:
            return -1
        assert self.categories is not None
        key, text = divmod(pair, len(batch.strings))
        verdict = self.categories.unseen(self._key(batch, groups, key), batch.strings[text])
        return -1 if verdict is None else int(verdict)

    def _scored(self, batch: Batch, groups: Groups, judged: Any) -> list[tuple[int, str]]:
        if self.score is None or self.score_max is None or self.score not in batch.names:
            return []
        mine = batch.numbers.name == batch.names.index(self.score)
        mine &= groups.of_event[batch.numbers.event] >= 0
        events = batch.numbers.event[mine]
        judged[events] = True
        over = batch.numbers.value[mine] > self.score_max
        return [(int(event), f"{self.score} above {self.score_max:g}") for event in events[over]]

    def calm(self, groups: int, names: int) -> bool:
        categories = self.categories
        return categories is None or categories.places.turnover.calm(len(categories.seen) + groups * names)

    def rest(self) -> None:
        if self.categories is not None:
            self.categories.places.turnover.rest()

    def turn(self, offset: int) -> Collection[Group]:
        if self.categories is not None:
            self.categories.forget(self.categories.places.turn(offset))
        return ()  # A group is judged by its numbers, too.

    def forget(self, models: Collection[str]) -> None:
        if self.categories is not None:
            gone = [key for key in self.categories.seen if key[0][0] in models]
            self.categories.places.forget(gone)
            self.categories.forget(gone)

    def dump(self) -> Any:
        return self.categories.dump() if self.categories is not None else None

    def load(self, state: Any) -> None:
        if self.categories is not None:
            self.categories.load(state)
