"""Warm-up samples of rows that get none from their reference, since that was there before whoever learns from it.

A reference hands out the values of a warm-up once. A monitor that is added later, or one of a series whose reference
a file gave, learns from the next values instead, as many.

>>> import numpy as np
>>> late = LateSamples(warmup=2)
>>> rows, values, ready = np.array([0, 1, 0, 0]), np.array([1.0, 2, 3, 4]), np.array([True, False, True, True])
>>> late.update(rows, values, ready, learned=np.zeros(4, bool)).tolist()  # Row 1 still gets one from its reference.
[False, False, False, True]
>>> [(row, sample.tolist()) for row, sample in late.completed()]
[(0, [1.0, 3.0])]
"""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, ROWS_MAX, Bool, State, arrays_of, count_of, renumbered, rows_of
from detectors.reference import check_warmup


class LateSamples:
    """Collects the next `warmup` values of rows whose reference is ready but who have not learned."""

    def __init__(self, warmup: int) -> None:
        check_warmup(warmup)
        self.warmup = warmup
        self.waiting: dict[int, list[float]] = {}
        self.kept: list[tuple[int, F64]] = []

    def update(self, rows: I64, values: F64, ready: Bool, learned: Bool) -> Bool:
        """Take the values that are `ready`, by their reference, of rows that have not `learned`: both said of each
        value. The ready ones that are left for the windows, behind whatever sample they have.
        """
        late = np.flatnonzero(ready & ~learned)
        if not len(late):
            return ready
        left = ready.copy()
        full = {row for row, _ in self.kept}
        for place, row, value in zip(late.tolist(), rows[late].tolist(), values[late].tolist(), strict=True):
            if row in full:
                continue
            left[place] = False
            waiting = self.waiting.setdefault(row, [])
            waiting.append(value)
            if len(waiting) == self.warmup:
                self.kept.append((row, np.array(self.waiting.pop(row))))
                full.add(row)
        return left

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        assert not self.kept, "samples that nobody has taken would be lost"
        self.waiting = renumbered(self.waiting, rows)

    def completed(self) -> list[tuple[int, F64]]:
        """As `Reference.completed`: the rows whose sample has become full since the last call, ascending, with their
        values in the order of the log. To be called, and learned from, behind every update.
        """
        completed, self.kept = sorted(self.kept, key=itemgetter(0)), []
        return completed

    def dump(self) -> dict[str, NDArray[Any]]:
        """The rows that wait for more, ascending; how many values each has; those values, one row after the other."""
        assert not self.kept, "samples that nobody has taken would be lost"
        waiting = sorted(self.waiting.items())
        return {
            "row": np.array([row for row, _ in waiting], np.int64),
            "n": np.array([len(values) for _, values in waiting], np.int64),
            "values": np.array(list(chain.from_iterable(values for _, values in waiting)), np.float64),
        }

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state, and then nothing is changed."""
        found = arrays_of(state, rows_of(state, "row"), {"row": "i8", "n": "i8"})
        rows, counts = found["row"], found["n"]
        if len(rows) and not (rows[0] >= 0 and rows[-1] < ROWS_MAX and (np.diff(rows) > 0).all()):
            raise ValueError("rows that do not ascend")
        values = arrays_of(state, count_of(counts, self.warmup - 1), {"values": "f8"})["values"]
        if not counts.all() or not np.isfinite(values).all():
            raise ValueError("a sample without values, or one that is not finite")
        samples = np.split(values, np.cumsum(counts)[:-1])
        self.waiting = {row: sample.tolist() for row, sample in zip(rows.tolist(), samples, strict=False)}
        self.kept = []
