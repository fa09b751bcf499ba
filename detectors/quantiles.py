"""A mergeable sketch of quantiles with a rank error below 1 %, exact for the first `CAPACITY` values.

The compactor hierarchy of Karnin, Lang and Liberty (2016, "Optimal quantile approximation in streams"), with the coin
replaced by strict alternation: a level keeps every other value of its sorted buffer, the odd ones and the even ones in
turn, so that the errors of two compactions cancel and a replay repeats them.

>>> import numpy as np
>>> sketch = Quantiles()
>>> sketch.add(np.arange(100_000.0))
>>> abs(sketch.quantile(0.95) - 95_000) < 1_000
True
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.bank import F64

CAPACITY = 1024
"""Values per level: n of them need about log2(n / CAPACITY) levels, 160 kB for a billion."""
LEVELS_MAX = 40


class Quantiles:
    """Level k holds values that stand for 2 ** k each. What was added together or one by one is the same."""

    def __init__(self) -> None:
        self.n = 0
        self.levels: list[F64] = [np.zeros(0)]
        self.odd: list[bool] = [False]  # which half the next compaction of the level keeps

    def add(self, values: F64) -> None:
        """Finite values, in order."""
        self.n += len(values)
        while len(values):
            room = CAPACITY - len(self.levels[0])
            self.levels[0] = np.concatenate([self.levels[0], values[:room]])
            values = values[room:]
            self._compact()

    def merge(self, other: Quantiles) -> None:
        """Take all that the other one has seen."""
        self.n += other.n
        for level, values in enumerate(other.levels):
            self._level(level)
            self.levels[level] = np.concatenate([self.levels[level], values])
        self._compact()

    def quantile(self, share: float) -> float:
        """The value below which a share of what was seen lies; ValueError when nothing was."""
        if not self.n:
            raise ValueError("a quantile of nothing")
        values = np.concatenate(self.levels)
        weights = np.concatenate([np.full(len(part), 1 << level) for level, part in enumerate(self.levels)])
        order = np.argsort(values, kind="stable")
        ranks = np.cumsum(weights[order])
        place = int(np.searchsorted(ranks, share * ranks[-1], side="left"))
        return float(values[order[min(place, len(values) - 1)]])

    def _level(self, level: int) -> None:
        while len(self.levels) <= level:
            self.levels.append(np.zeros(0))
            self.odd.append(False)

    def _compact(self) -> None:
        level = 0
        while level < len(self.levels):
            values = self.levels[level]
            if len(values) >= CAPACITY:
                self._level(level + 1)
                ordered = np.sort(values)
                even = len(ordered) // 2 * 2  # One that has no partner stays.
                self.levels[level + 1] = np.concatenate([self.levels[level + 1], ordered[self.odd[level] : even : 2]])
                self.levels[level] = ordered[even:]
                self.odd[level] = not self.odd[level]
            level += 1

    def dump(self) -> list[Any]:
        return [self.n, [level.copy() for level in self.levels], list(self.odd)]

    @classmethod
    def load(cls, state: Any) -> Quantiles:
        """ValueError for an invalid state."""
        n, levels, odd = state
        made = cls()
        made.n, made.odd = int(n), [bool(flag) for flag in odd]
        made.levels = [np.array(level, np.float64) for level in levels]
        weights = sum(len(level) << k for k, level in enumerate(made.levels))
        if not 0 < len(made.levels) == len(made.odd) <= LEVELS_MAX or weights != made.n:
            raise ValueError("an invalid sketch")
        if any(level.ndim != 1 or len(level) >= CAPACITY or not np.isfinite(level).all() for level in made.levels):
            raise ValueError("an invalid sketch")
        return made
