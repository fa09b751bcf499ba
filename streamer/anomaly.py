"""The anomaly rule: is this event unlike what the reference has seen, and why?

An event is anomalous when a numeric feature lies further from the centre than `beyond` deviations of its own tail,
when a text feature holds a category the warm-up never saw, or when a score the model supplies exceeds its limit.
An event nothing can be said about yet (every feature still warming up) is not judged at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.reference import Judged
from schemas.batch import Batch
from streamer.series import Known, SeriesTable
from streamer.signals import FEATURES, Column, Groups

CATEGORIES_MAX = 1000
"""Categories remembered per feature. A feature with more is free text or an id; unseen values of it mean nothing."""

Category = tuple[tuple[str, ...], str]


class KnownCategories:
    """Texts each feature of each group showed in its first `warmup` values; frozen afterwards, like every reference."""

    def __init__(self, warmup: int, rows_max: int) -> None:
        self.warmup = warmup
        self.rows_max = rows_max
        self.seen: dict[Category, int] = {}
        self.known: dict[Category, dict[str, None]] = {}

    def unseen(self, key: Category, text: str) -> bool | None:
        """True for a category outside the reference, None while there is no verdict; learns during the warm-up."""
        count = self.seen.get(key)
        if count is None:
            if len(self.seen) >= self.rows_max:
                return None
            count = 0
            self.known[key] = {}
        known = self.known[key]
        if count < self.warmup:
            self.seen[key] = count + 1
            if len(known) <= CATEGORIES_MAX:
                known[text] = None
            return None
        return None if len(known) > CATEGORIES_MAX else text not in known

    def dump(self) -> list[Any]:
        return [[list(g), name, n, list(self.known[g, name])] for (g, name), n in self.seen.items()]

    def load(self, state: list[Any]) -> None:
        for group, name, count, known in state:
            key = (tuple(map(str, group)), str(name))
            self.seen[key] = int(count)
            self.known[key] = dict.fromkeys(map(str, known))


class AnomalyRule:
    """Judges every event of the groups of `numbers`, a table over all numeric features."""

    def __init__(
        self, numbers: SeriesTable, beyond: float, unseen: bool, score: str | None, score_max: float | None
    ) -> None:
        self.numbers = numbers
        self.beyond = beyond
        self.score = score
        self.score_max = score_max
        self.categories = KnownCategories(numbers.reference.warmup, numbers.rows_max) if unseen else None

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: Known) -> Column:
        """One 0/1 value per judged event, with reasons; `table` gives the row of each group."""
        judged = np.zeros(len(batch.offsets), bool)
        found: list[tuple[int, str]] = self._far(*known[self.numbers.id], judged)
        found += self._unseen(batch, groups, judged)
        found += self._scored(batch, groups, judged)
        events = np.flatnonzero(judged)
        values = np.zeros(len(batch.offsets))
        values[[event for event, _ in found]] = 1.0
        # Rows exist from the first judged event of a group on; a group the full table refuses is counted there.
        rows = np.array([table.row(groups.keys[groups.of_event[e]], "anomaly") for e in events], np.int64)
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
        found = []
        feature = [n.startswith(FEATURES) for n in batch.names]
        columns = (batch.texts.event, batch.texts.name, batch.texts.text)
        for event, name, text in zip(*(c.tolist() for c in columns), strict=True):
            group = groups.of_event[event]
            if group < 0 or not feature[name]:
                continue
            verdict = self.categories.unseen((groups.keys[group], batch.names[name]), batch.strings[text])
            if verdict is not None:
                judged[event] = True
                if verdict:
                    found.append((event, f"{batch.names[name]} unseen category"))
        return found

    def _scored(self, batch: Batch, groups: Groups, judged: Any) -> list[tuple[int, str]]:
        if self.score is None or self.score_max is None or self.score not in batch.names:
            return []
        mine = batch.numbers.name == batch.names.index(self.score)
        mine &= groups.of_event[batch.numbers.event] >= 0
        events = batch.numbers.event[mine]
        judged[events] = True
        over = batch.numbers.value[mine] > self.score_max
        return [(int(event), f"{self.score} above {self.score_max:g}") for event in events[over]]

    def dump(self) -> list[Any]:
        return self.categories.dump() if self.categories else []

    def load(self, state: list[Any]) -> None:
        if self.categories:
            self.categories.load(state)
