"""What every detector bank is: the state of one detector kind for all series of a monitor, fed with columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

R = TypeVar("R")
V = TypeVar("V")

I64 = NDArray[np.int64]
I8 = NDArray[np.int8]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
State = Mapping[str, Any]

HUGE = 1e150
"""References and histories count larger values as this one: squares and sums stay finite, never inf or NaN."""

ROWS_MAX = 1 << 24
"""A state that claims more rows is refused before anything is allocated."""

TIERS = ("school", "calibrated", "proved")
"""How far a row's limits can be trusted: there are none yet; they are those of its own days; and its averages vary as
those of independent values would, at every scale that was seen often enough, so that days are exchangeable.
"""
SCHOOL, CALIBRATED = 0, 1
TIERLESS = -1

DIRECTION = {"up": (1,), "down": (-1,), "both": (1, 0, -1)}
"""Directions of an edge that a monitor wants to hear of."""


class Hits(NamedTuple):
    """Edges found in one update: parallel arrays, `place` ascending into the values given."""

    place: I64
    direction: I8  # +1 up, -1 down, 0 unknown
    statistic: F64
    threshold: F64
    age: I64  # how many values ago it began, by the detector's own estimate; 0 unknown
    tier: I8  # the place in TIERS of its row, TIERLESS where the detector has none


class Bank(Protocol):
    """State of rows 0..rows-1. Same history of a row gives the same state and hits, however it was cut."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i, for these ascending rows; all others are forgotten."""

    def forget(self, row: int) -> None:
        """The row begins anew, with values that come from now on."""

    def update(self, rows: I64, values: F64) -> Hits:
        """Row rows[i] takes values[i], in order. Values must be finite: AssertionError otherwise."""

    def dump(self) -> dict[str, NDArray[Any]]:
        """Canonical arrays of all rows: equal histories give equal bytes."""

    def load(self, state: State) -> None:
        """Replace the state of all rows. Raises ValueError on anything inconsistent, and then changes nothing."""


def ageless(place: I64, direction: I8, statistic: F64, threshold: F64) -> Hits:
    """Hits of a detector that has no idea when it began, and no days."""
    n = len(place)
    return Hits(place, direction, statistic, threshold, np.zeros(n, np.int64), np.full(n, TIERLESS, np.int8))


def hits_of(found: list[tuple[int, int, float, float]]) -> Hits:
    """Hits from (index, direction, statistic, threshold) tuples."""
    columns = list(zip(*found, strict=True)) or [(), (), (), ()]
    return ageless(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int8),
        np.array(columns[2], np.float64),
        np.array(columns[3], np.float64),
    )


def check_values(rows: I64, values: F64) -> None:
    """A detector only ever sees finite numbers: one NaN would make ADWIN blind for ever."""
    assert len(rows) == len(values)
    assert bool(np.isfinite(values).all()), "a detector was given a number that is not finite"


def array_of(state: State, name: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The named array of exactly this dtype and shape; ValueError when it is not there."""
    array = state.get(name)
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype) or array.shape != shape:
        raise ValueError(f"state array {name!r} is missing or not {dtype}{list(shape)}")
    return array


def arrays_of(state: State, length: int, names: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """The named one-dimensional arrays of `length` elements and the given dtypes; ValueError when one is not there."""
    return {name: array_of(state, name, dtype, (length,)) for name, dtype in names.items()}


def rows_of(state: State, name: str) -> int:
    """Number of rows of a state, from its array `name`; ValueError for none or too many."""
    array = state.get(name)
    if not isinstance(array, np.ndarray) or array.ndim != 1 or len(array) > ROWS_MAX:
        raise ValueError(f"state array {name!r} is missing or has too many rows")
    return len(array)


def count_of(counts: NDArray[Any], most: int) -> int:
    """Sum of ragged lengths, each in 0..most; ValueError otherwise, so that a sum cannot overflow."""
    if len(counts) and not (int(counts.min()) >= 0 and int(counts.max()) <= most):
        raise ValueError("an invalid length")
    return sum(counts.tolist())


def renumbered(by_row: Mapping[int, V], kept: I64) -> dict[int, V]:
    """What is known of some rows, when row kept[i] has become row i and all others are gone."""
    number = {row: i for i, row in enumerate(kept.tolist())}
    return {number[row]: value for row, value in by_row.items() if row in number}


def once(function: Callable[..., R]) -> Callable[..., R]:
    """Remembers the arrays given last, by their bytes, and what came of them: the detectors of a table get the same."""
    before: list[tuple[str, bytes]] = []
    result: list[R] = []

    def call(*arrays: NDArray[Any]) -> R:
        given = [(array.dtype.str, array.tobytes()) for array in arrays]
        if given != before or not result:
            before[:], result[:] = given, [function(*arrays)]
        return result[0]

    return call


@once
def in_order(rows: I64) -> tuple[I64, I64, list[int]]:
    """What sorts the rows, leaving equal ones in their order; the rows that there are, ascending; where each of them
    begins among the sorted ones. Numpy sorts small integers by their digits.
    """
    order = np.argsort(rows.astype(np.uint16) if rows.max(initial=0) < 1 << 16 else rows, kind="stable")
    ordered = rows[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=-1))
    return order, ordered[begins], begins.tolist()


@once
def by_row(rows: I64, values: F64) -> tuple[I64, list[float], list[tuple[int, int, int]]]:
    """What sorts the rows; the values sorted so; and each row that there is, where it begins among them and ends."""
    order, there, begins = in_order(rows)
    return order, values[order].tolist(), list(zip(there.tolist(), begins, [*begins[1:], len(rows)], strict=False))


def ranks(rows: I64) -> I64:
    """For each position how often its row occurred before it: [3, 5, 3, 3] -> [0, 0, 1, 2]."""
    order, _, starts = in_order(rows)
    lengths = np.diff([*starts, len(rows)])
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - np.repeat(starts, lengths)
    return rank
