"""Whether labels come: the signal `labels`, of each model, with the cadence at which they come while all is well.

A label record is heard as an event is (`presence.py`), but what goes on beside it are the inferences: a gap is one in
time and in inferences without a label, so that a model which nobody asks anything is not missed by its labels. Labels
come in batches, by night or once a week; until days of them are known there is no cadence that they could be late by.
"""

from __future__ import annotations

import numpy as np

from schemas.events.batch import Batch
from streamer.series.presence import Presence
from streamer.series.table import ColumnsSoFar, SeriesTable
from streamer.signals.columns import I64, Bool, Column, Groups
from streamer.signals.roles import LABELLED, has, is_about, is_label


class LabelPresence(Presence):
    """Makes the signal `labels`: no value while they come, and the silence in ms at the one that ends it."""

    what = "labels"

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        there = groups.of_event >= 0
        labels = there & is_label(batch) if has(batch, LABELLED) else np.zeros(len(there), bool)
        self.inferences: Bool = there & ~is_about(batch)
        return super().column(batch, Groups(np.where(labels, groups.of_event, -1), groups.keys), table, known)

    def _counts(self, batch: Batch, events: I64) -> I64:
        """How many inferences the model of each of these labels had had."""
        counts = np.zeros(len(events), np.int64)
        for code in np.unique(batch.model[self.inferences]).tolist():
            so_far = np.cumsum(self.inferences & (batch.model == code)) + self.events.get(batch.strings[code], 0)
            counts[batch.model[events] == code] = so_far[events[batch.model[events] == code]]
            self.events[batch.strings[code]] = so_far.item(-1)
        for code in np.unique(batch.model[events]).tolist():
            if not (self.inferences & (batch.model == code)).any():
                counts[batch.model[events] == code] = self.events.get(batch.strings[code], 0)
        return counts

    def alone(self, table: SeriesTable) -> bool:
        return False
