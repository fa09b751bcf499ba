"""What every detector bank is: the state of one detector kind for all series of a monitor, fed with columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
I8 = NDArray[np.int8]
F64 = NDArray[np.float64]
State = Mapping[str, NDArray[Any]]

ROWS_MAX = 1 << 24
"""A state that claims more rows is refused before anything is allocated."""


class Hits(NamedTuple):
    """Edges found in one update: parallel arrays, `index` ascending into the values given."""

    index: I64
    direction: I8  # +1 up, -1 down, 0 unknown
    statistic: F64
    threshold: F64


class Bank(Protocol):
    """State of rows 0..rows-1. Same history of a row gives the same state and hits, however it was cut."""

    rows: int

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""

    def update(self, rows: I64, values: F64) -> Hits:
        """Row rows[i] takes values[i], in order. Values must be finite: AssertionError otherwise."""

    def dump(self) -> dict[str, NDArray[Any]]:
        """Canonical arrays of all rows."""

    def load(self, state: State) -> None:
        """Replace the state of all rows. Raises ValueError on anything inconsistent."""


def hits_of(found: list[tuple[int, int, float, float]]) -> Hits:
    """Hits from (index, direction, statistic, threshold) tuples."""
    columns = list(zip(*found, strict=True)) or [(), (), (), ()]
    return Hits(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int8),
        np.array(columns[2], np.float64),
        np.array(columns[3], np.float64),
    )


def check_values(rows: I64, values: F64) -> None:
    """A detector only ever sees finite numbers: one NaN would make ADWIN blind for ever."""
    assert len(rows) == len(values)
    assert bool(np.isfinite(values).all()), "a detector was given a number that is not finite"


def arrays_of(state: State, rows: int, names: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """The named one-dimensional arrays of `rows` elements and the given dtypes; ValueError when one is not there."""
    if not 0 <= rows <= ROWS_MAX:
        raise ValueError(f"{rows} rows")
    found = {}
    for name, dtype in names.items():
        array = state.get(name)
        if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype) or array.shape != (rows,):
            raise ValueError(f"state array {name!r} is missing or not {dtype}[{rows}]")
        found[name] = array
    return found


def rows_of(state: State, name: str) -> int:
    """Number of rows of a state, from its array `name`."""
    array = state.get(name)
    if not isinstance(array, np.ndarray) or array.ndim < 1:
        raise ValueError(f"state array {name!r} is missing")
    return len(array)
