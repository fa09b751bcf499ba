"""Every value above zero: for what must not happen even once.

>>> import numpy as np
>>> bank = OccurrenceBank(Occurrence())
>>> bank.resize(1)
>>> bank.update(np.zeros(3, np.int64), np.array([0.0, 1.0, 0.0])).place.tolist()
[1]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, Hits, State, ageless, arrays_of, check_values, rows_of
from detectors.params import Occurrence

FIELDS = ("n", "hits")


class OccurrenceBank:
    """Its verdicts depend on no past; what it counts is there for whoever reads a snapshot."""

    def __init__(self, params: Occurrence) -> None:
        self.params = params
        self.counts = {name: np.zeros(0, np.int64) for name in FIELDS}

    @property
    def rows(self) -> int:
        return len(self.counts["n"])

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        fresh = np.zeros(max(rows - self.rows, 0), np.int64)
        self.counts = {name: np.concatenate([counts, fresh]) for name, counts in self.counts.items()}

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.counts = {name: counts[rows] for name, counts in self.counts.items()}

    def forget(self, row: int) -> None:
        """The row begins anew, with values that come from now on."""
        for counts in self.counts.values():
            counts[row] = 0

    def update(self, rows: I64, values: F64) -> Hits:
        """See `Bank.update`. The statistic is the value."""
        check_values(rows, values)
        place = np.flatnonzero(values > 0.0)
        np.add.at(self.counts["n"], rows, 1)
        np.add.at(self.counts["hits"], rows[place], 1)
        return ageless(place, np.ones(len(place), np.int8), values[place].copy(), np.zeros(len(place)))

    def dump(self) -> dict[str, NDArray[Any]]:
        return {name: counts.copy() for name, counts in self.counts.items()}

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state."""
        found = arrays_of(state, rows_of(state, "n"), dict.fromkeys(FIELDS, "i8"))
        if not ((found["hits"] >= 0) & (found["hits"] <= found["n"])).all():
            raise ValueError("invalid counts")
        self.counts = {name: counts.copy() for name, counts in found.items()}
