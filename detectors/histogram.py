"""Histograms of many series, each with its own fixed edges: the counts that distances between windows are made of.

>>> import numpy as np
>>> histogram = Histogram(bins=3)
>>> histogram.resize(1)
>>> histogram.set_edges(0, [0.0, 10.0])
>>> histogram.update(np.zeros(4, np.int64), np.array([-5.0, 0.0, 9.0, 10.0]))
>>> histogram.take(0).tolist()  # below 0, from 0 to below 10, from 10 on; taken counts begin anew
[1, 2, 1]
>>> histogram.take(0).tolist()
[0, 0, 0]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, ROWS_MAX, State, array_of, check_values

BINS_MAX = 1024


class Histogram:
    """Counts of rows 0..rows-1 in `bins` bins; bin b holds edges[b-1] <= value < edges[b].

    A row without edges counts everything in its first bin: its edges are infinite.
    """

    def __init__(self, bins: int) -> None:
        check_bins(bins)
        self.bins = bins
        self.edges = np.zeros((0, bins - 1))
        self.counts = np.zeros((0, bins), np.int64)

    @property
    def rows(self) -> int:
        return len(self.counts)

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = max(rows - self.rows, 0)
        self.edges = np.concatenate([self.edges, np.full((more, self.bins - 1), np.inf)])
        self.counts = np.concatenate([self.counts, np.zeros((more, self.bins), np.int64)])

    def set_edges(self, row: int, edges: Sequence[float]) -> None:
        """Ascending edges, bins - 1 of them; ValueError otherwise. Counts of old edges mean nothing and are zeroed."""
        self.edges[row] = checked_edges(edges, self.bins)
        self.counts[row] = 0

    def update(self, rows: I64, values: F64) -> None:
        """Row rows[i] counts values[i]; AssertionError for a value that is not finite."""
        check_values(rows, values)
        bins = (self.edges[rows] <= values[:, None]).sum(axis=1)
        np.add.at(self.counts, (rows, bins), 1)

    def take(self, row: int) -> I64:
        """The counts of a row, which begin at zero again."""
        counts: I64 = self.counts[row].copy()
        self.counts[row] = 0
        return counts

    def dump(self) -> dict[str, NDArray[Any]]:
        """Edges (rows x bins - 1) and counts (rows x bins)."""
        return {"edges": self.edges.copy(), "counts": self.counts.copy()}

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for a state that cannot be, and then nothing is changed."""
        found = checked_state(state, self.bins)
        self.edges, self.counts = found["edges"].copy(), found["counts"].copy()


def check_bins(bins: int) -> None:
    if not 2 <= bins <= BINS_MAX:
        raise ValueError(f"a histogram has 2 to {BINS_MAX} bins")


def checked_edges(edges: Sequence[float], bins: int) -> F64:
    array = np.asarray(edges, np.float64)
    if array.shape != (bins - 1,) or np.isnan(array).any() or (np.diff(array) < 0).any():
        raise ValueError(f"{bins} bins need {bins - 1} ascending edges")
    return array


def checked_state(state: State, bins: int) -> dict[str, NDArray[Any]]:
    """The arrays of a dump; ValueError for what cannot be."""
    counts = state.get("counts")
    rows = len(counts) if isinstance(counts, np.ndarray) and counts.ndim == 2 else -1
    if not 0 <= rows <= ROWS_MAX:
        raise ValueError("state array 'counts' is missing or has too many rows")
    edges = array_of(state, "edges", "f8", (rows, bins - 1))
    counts = array_of(state, "counts", "i8", (rows, bins))
    with np.errstate(invalid="ignore"):  # Edges that were never set are infinite, and inf - inf is no step down.
        descending = (np.diff(edges, axis=1) < 0).any()
    if np.isnan(edges).any() or descending or (counts < 0).any():
        raise ValueError("a histogram that cannot be")
    return {"edges": edges, "counts": counts}
