"""The anomaly rule: is this event unlike what the reference has seen, and why?

An event is anomalous when a numeric feature lies further from the centre than `beyond` deviations of its own tail,
when a text feature holds a category the reference never saw, or when a score the model supplies exceeds its limit.
An event nothing can be said about yet (every feature still warming up) is not judged at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.reference import Judged
from schemas.events.batch import Batch
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, SeriesTable
from streamer.signals.columns import Column, Groups, dense


class AnomalyRule(SourceBase):
    """Judges every event of the groups of `numbers` and `unseen`, tables over all features: so its references are
    theirs, whether learned or from a file.
    """

    def __init__(
        self,
        numbers: SeriesTable,
        unseen: SeriesTable | None,
        beyond: float,
        score: str | None,
        score_max: float | None,
    ) -> None:
        self.numbers, self.unseen = numbers, unseen
        self.beyond = beyond
        self.score = score
        self.score_max = score_max
        numbers.widen()

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        """One 0/1 value per judged event, with reasons; `table` gives the row of each group."""
        judged = np.zeros(len(batch.offsets), bool)
        self.numbers.learn_tails(batch, *known[self.numbers.id])
        found: list[tuple[int, str]] = self._far(*known[self.numbers.id], judged)
        if self.unseen is not None:
            found += self._unseen(*known[self.unseen.id], judged)
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
        places = self.numbers.far(numbers, known, self.beyond)
        return [
            (event, f"{self.numbers.keys[row][1]} beyond {self.beyond:g} deviations")
            for event, row in zip(numbers.events[places].tolist(), numbers.rows[places].tolist(), strict=True)
        ]

    def _unseen(self, unseen: Column, known: Judged, judged: Any) -> list[tuple[int, str]]:
        assert self.unseen is not None
        judged[unseen.events[known.ready]] = True
        places = np.flatnonzero(known.ready & (unseen.values > 0.0))
        return [
            (event, f"{self.unseen.keys[row][1]} unseen category")
            for event, row in zip(unseen.events[places].tolist(), unseen.rows[places].tolist(), strict=True)
        ]

    def _scored(self, batch: Batch, groups: Groups, judged: Any) -> list[tuple[int, str]]:
        if self.score is None or self.score_max is None or self.score not in batch.names:
            return []
        mine = batch.numbers.name == batch.names.index(self.score)
        mine &= groups.of_event[batch.numbers.event] >= 0
        events = batch.numbers.event[mine]
        judged[events] = True
        over = batch.numbers.value[mine] > self.score_max
        return [(int(event), f"{self.score} above {self.score_max:g}") for event in events[over]]

    def dump(self) -> Any:
        return None

    def load(self, state: Any) -> None:
        """All it remembers is in the tables that it is judged by."""
