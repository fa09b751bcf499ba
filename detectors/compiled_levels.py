"""The levels of `schemas/native` with the same interface and the same dumps as those of `detectors/levels.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detectors import cusum, extremes, levels
from detectors.bank import F64, I64, State
from detectors.compiled import Compiled
from detectors.cusum import SIDES
from detectors.levels import Told
from detectors.loads import LOADS
from schemas.core import native

if TYPE_CHECKING:
    from schemas import _native


class CompiledLevels(Compiled):
    """`detectors.levels.Levels`."""

    core: _native.Levels

    def __init__(self, rate: float) -> None:
        assert native is not None
        self.rate, self.rates = rate, np.zeros(0)
        self.core = native.Levels()

    def resize(self, rows: int) -> None:
        self.rates = np.concatenate([self.rates, np.full(max(rows - self.rows, 0), self.rate)])
        self.core.resize(rows)

    def begin(self, row: int, count: int) -> None:
        """See `Levels.begin`."""
        assert 1 <= count <= levels.LEVELS_MAX
        self.core.begin(row, count, extremes.odds(self.rates.item(row) / count, cusum.TESTS))

    def levels(self, row: int) -> int:
        return self.core.levels(row)

    def share(self, rates: F64) -> None:
        """See `Levels.share`."""
        self.rates = rates.copy()
        counts = np.array([max(self.core.levels(row), 1) for row in range(self.rows)], np.int64)
        self.core.share(extremes.odds_of(rates / counts, cusum.TESTS))

    def retain(self, rows: I64) -> None:
        self.core.retain(rows)
        self.rates = self.rates[rows]

    def update(self, rows: I64, levels: I64, events: I64, offsets: I64, times_ms: I64) -> list[Told]:
        return list(map(Told._make, self.core.update(rows, levels, events, offsets, times_ms)))

    def dump(self) -> dict[str, NDArray[Any]]:
        (*ints, began), (pace, values, *floats) = self.core.dump()
        found = {**dict(zip(levels.INTS, ints, strict=True)), "pace": pace}
        wide = zip(levels.FLOATS.items(), floats, strict=True)
        return {
            **found,
            "values": values.reshape(-1, LOADS + 1),
            "began": began.reshape(-1, 2 * SIDES),
            **{name: array.reshape(-1, width) for (name, width), array in wide},
        }

    def load(self, state: State) -> None:
        levels.check_state(state)
        flat = {name: np.ascontiguousarray(array).ravel() for name, array in state.items()}
        ints, floats = (*levels.INTS, "began"), ("pace", "values", *levels.FLOATS)
        self.core.load([flat[name] for name in ints], [flat[name] for name in floats])
        self.share(np.full(self.rows, self.rate))
