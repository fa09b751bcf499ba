"""What a source is unless it says otherwise: the clock means nothing to it, only the times of events do, and all that
it remembers is in the rows of its table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from streamer.series.table import Group, Heard, SeriesTable
from streamer.signals.columns import I64, Column

NOBODY: I64 = np.zeros(0, np.int64)


class SourceBase:
    """See `Source`."""

    def tick(self, passed_ms: int, unmissed: I64 = NOBODY) -> None:
        """Nothing happens by itself."""

    def heard(self, table: SeriesTable) -> Heard:
        return table.heard()

    def retain(self, rows: I64, table: SeriesTable) -> None:
        """Nothing is remembered by row."""

    def samples(self) -> Mapping[Group, Any]:
        """Nothing is learned from events as a whole."""
        return {}

    def edges(self) -> Column:
        """It has no windows."""
        return Column(NOBODY, np.zeros(0), NOBODY)

    def skipped(self) -> Mapping[str, int]:
        """All that it makes counts."""
        return {}

    def calm(self, groups: int, names: int) -> bool:
        return True

    def rest(self) -> None:
        """No turn of the log means anything."""

    def turn(self, offset: int) -> Collection[Group]:
        return ()

    def erase(self, event_id: int, models: Collection[str]) -> bool:
        """Nothing is remembered by id."""
        return False

    def forget(self, models: Collection[str]) -> None:
        """Nothing is remembered by group."""

    def dump(self) -> Any:
        return None

    def load(self, state: Any) -> None:
        """There is nothing to load."""
