"""Events that the config's calendar takes out of the ordinary: they are used, and count as such, but no monitor sees
them, so that nothing fires by them and nothing is learned from them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from schemas.events.batch import Batch
from streamer.config.calendar import Calendar
from streamer.series.calendar import Away
from streamer.series.table import SeriesTable
from streamer.signals.columns import I64, Bool


class Muted:
    """State: how many events of each model were muted."""

    def __init__(self, calendar: Calendar) -> None:
        self.away = Away(calendar)
        self.events: dict[str, int] = {}

    def seen(self, batch: Batch, used: Bool) -> Bool:
        """The events that monitors see; the others are counted."""
        if not self.away or not used.any():
            return used
        seen = used.copy()
        for code in np.flatnonzero(np.bincount(batch.model[used])).tolist():
            model = batch.strings[code]
            mine = np.flatnonzero(used & (batch.model == code))
            muted = mine[self.away.at(model, batch.times_ms[mine])]
            if len(muted):
                seen[muted] = False
                self.events[model] = self.events.get(model, 0) + len(muted)
        return seen

    def models(self, models: Collection[str], time_ms: int) -> set[str]:
        """Those of the models that nobody misses at this time of the clock."""
        return {model for model in models if self.away.now(model, time_ms)} if self.away else set()

    def rows(self, table: SeriesTable, models: Collection[str]) -> I64:
        """The rows of these models."""
        found = [row for row, (group, _) in enumerate(table.keys) if group[0] in models] if models else []
        return np.array(found, np.int64)

    def forget(self, models: Collection[str]) -> None:
        """These models are known no more."""
        self.events = {model: count for model, count in self.events.items() if model not in models}

    def dump(self) -> list[tuple[str, int]]:
        return sorted(self.events.items())

    def load(self, state: Any) -> None:
        self.events = {str(model): int(count) for model, count in state}
