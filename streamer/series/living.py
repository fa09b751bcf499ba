"""How many series of a model live, of one table: those among which a monitor's part of what may be told falsely is
divided. One lives whose warm-up is over, and that had a value in the last LIVES_MS before the newest of its model; so
names that come once take nothing, and whoever falls silent gives its share back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detectors.bank import array_of
from streamer.signals.columns import I64

LIVES_MS = 14 * 86_400_000
"""What speaks once a week is not silent."""


class Living:
    """`counts`: by row how many series of its model live; None as long as nobody asked. Newer rows are not in it."""

    def __init__(self) -> None:
        self.counts: I64 | None = None

    def count(self, models: Sequence[str], seen: I64, times_ms: I64) -> bool:
        """Count anew; whether that changed something. Of each row its model, how many values it had after its warm-up,
        and the time of the last.
        """
        numbers: dict[str, int] = {}
        of = np.array([numbers.setdefault(model, len(numbers)) for model in models], np.int64)
        newest_ms = np.zeros(len(numbers), np.int64)
        np.maximum.at(newest_ms, of, np.where(seen > 0, times_ms, 0))
        lives = (seen > 0) & (times_ms > newest_ms[of] - LIVES_MS)
        before, self.counts = self.counts, np.bincount(of[lives], minlength=len(numbers))[of]
        return before is None or not np.array_equal(before, self.counts)

    def of(self, row: int) -> int:
        """0 where it is not known."""
        return self.counts.item(row) if self.counts is not None and row < len(self.counts) else 0

    def retain(self, rows: I64, before: int) -> None:
        """Row rows[i] of so many becomes row i; all others are forgotten."""
        counts = self.dump(before)
        self.counts = None if counts is None else counts[rows]

    def dump(self, rows: int) -> I64 | None:
        """Of all rows of the table."""
        if self.counts is None:
            return None
        return np.concatenate([self.counts, np.zeros(rows - len(self.counts), np.int64)])

    def load(self, state: Mapping[str, Any], rows: int) -> None:
        """Of a table's state; ValueError for an invalid one."""
        if state.get("living") is not None:  # Older snapshots have none.
            self.counts = array_of(state, "living", "i8", (rows,)).copy()


def joined(own: I64 | None, rows: int, other: I64 | None, more: int) -> I64 | None:
    """Two dumps, one behind the other."""
    if own is None and other is None:
        return None
    sizes = (own, rows), (other, more)
    return np.concatenate([np.zeros(size, np.int64) if one is None else one for one, size in sizes])
