"""Recent values of each series in sixteen blocks of eight: enough to say when it left the reference, and how far.

Block sums are kept in the order of the values, so they are the same bits however the log was cut into batches.

>>> import numpy as np
>>> history = History()
>>> history.resize(1)
>>> at = np.arange(128)
>>> where = np.zeros(128, np.int64), np.where(at < 64, 0.0, 1.0), np.ones(128, bool), at, at, at * 10
>>> history.update(*where, marks=np.array([63]), expected=np.array([1.0]))
[Recent(n=64, mean=0.0, std=0.0, first_offset=0, last_offset=63, first_time_ms=0, last_time_ms=630)]
>>> history.recent(0, expected=0.0)
Recent(n=64, mean=1.0, std=0.0, first_offset=64, last_offset=127, first_time_ms=640, last_time_ms=1270)
"""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, HUGE, I64, Bool, State, array_of, ranks, rows_of

BLOCKS = 16
SHIFT = 3
BLOCK = 1 << SHIFT
FIELDS = {"total": "f8", "squares": "f8", "first_offset": "i8", "first_time_ms": "i8"}
LATEST = ("seen", "last_offset", "last_time_ms")
NO_MARKS = np.zeros(0, np.int64)
NOTHING_EXPECTED = np.zeros(0)


class Recent(NamedTuple):
    """The newest n values of a row: mean and standard deviation in the units given, and where they stand."""

    n: int
    mean: float
    std: float
    first_offset: int
    last_offset: int
    first_time_ms: int
    last_time_ms: int


class History:
    """Blocks of rows 0..rows-1; `seen` counts all values ever taken, so it also says where the ring stands.

    Give differences from the reference's centre: sums of squares of values far from zero would lose the deviation.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.seen = np.zeros(0, np.int64)
        self.last_offset = np.zeros(0, np.int64)
        self.last_time_ms = np.zeros(0, np.int64)
        self.blocks = {name: np.zeros((0, BLOCKS), dtype) for name, dtype in FIELDS.items()}

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        if rows <= self.rows:
            return
        more = rows - self.rows
        for name in LATEST:
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.int64)]))
        for name, blocks in self.blocks.items():
            self.blocks[name] = np.concatenate([blocks, np.zeros((more, BLOCKS), blocks.dtype)])
        self.rows = rows

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        for name in LATEST:
            setattr(self, name, getattr(self, name)[rows])
        self.blocks = {name: blocks[rows] for name, blocks in self.blocks.items()}
        self.rows = len(rows)

    def heard(self) -> tuple[I64, I64, I64]:
        """Of each row how many values it took, and offset and time of the last of them."""
        return self.seen, self.last_offset, self.last_time_ms

    def update(
        self,
        rows: I64,
        values: F64,
        ready: Bool,
        events: I64,
        offsets: I64,
        times_ms: I64,
        marks: I64 = NO_MARKS,
        expected: F64 = NOTHING_EXPECTED,
    ) -> list[Recent | None]:
        """Take, in order, the values that are `ready`; value i belongs to event events[i], which stands at
        offsets[events[i]]. Tells, for each of `marks` (places in the column, ascending), what `recent` would say of
        its row right behind that value, with the mean expected there.
        """
        keep = slice(None) if ready.all() else np.flatnonzero(ready)
        marked = rows[marks]
        rows, values, events = rows[keep], np.clip(values[keep], -HUGE, HUGE), events[keep]
        place, offsets, times_ms = self.seen[rows] + ranks(rows), offsets[events], times_ms[events]

        def take(begin: int, end: int) -> None:
            part = slice(begin, end)
            self._take(rows[part], values[part], place[part], offsets[part], times_ms[part])

        begin, told = 0, []
        ends = np.cumsum(ready)[marks].tolist() if len(marks) else []
        for end, row, mean in zip(ends, marked.tolist(), expected.tolist(), strict=True):
            take(begin, end)
            told.append(self.recent(row, mean))
            begin = end
        take(begin, len(rows))
        return told

    def _take(self, rows: I64, values: F64, place: I64, offsets: I64, times_ms: I64) -> None:
        np.add.at(self.seen, rows, 1)
        self.last_offset[rows] = offsets  # With repeated rows the last assignment holds, which is the newest value.
        self.last_time_ms[rows] = times_ms
        # Numpy shifts and masks several times as fast as it divides; both sizes are powers of two.
        block = place >> SHIFT
        # A value whose block these same values lap would be gone anyway; without it every slot is one block.
        left = block > (self.seen[rows] - 1 >> SHIFT) - BLOCKS
        if not left.all():
            rows, values, place, block = rows[left], values[left], place[left], block[left]
            offsets, times_ms = offsets[left], times_ms[left]
        slot = rows * BLOCKS + (block & BLOCKS - 1)
        fresh = np.flatnonzero(place & BLOCK - 1 == 0)
        begun = slot[fresh]
        # numpy adds at one index per value several times as fast as at two.
        own = {name: blocks.reshape(-1) for name, blocks in self.blocks.items()}
        own["total"][begun] = 0.0
        own["squares"][begun] = 0.0
        own["first_offset"][begun] = offsets[fresh]
        own["first_time_ms"][begun] = times_ms[fresh]
        np.add.at(own["total"], slot, values)
        np.add.at(own["squares"], slot, values * values)

    def recent(self, row: int, expected: float) -> Recent | None:
        """The newest blocks, as many as maximise n (mean - expected)^2; None while there are no values."""
        latest: list[Any] = [getattr(self, name)[row].item() for name in LATEST]
        blocks: list[Any] = [self.blocks[name][row].tolist() for name in FIELDS]
        return onset(*latest, *blocks, expected=expected)

    def dump(self) -> dict[str, NDArray[Any]]:
        """Arrays of one element, or of BLOCKS, per row."""
        return {
            **{name: getattr(self, name).copy() for name in LATEST},
            **{n: b.copy() for n, b in self.blocks.items()},
        }

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state, and then nothing is changed."""
        found = checked_state(state)
        for name in LATEST:
            setattr(self, name, found[name].copy())
        self.blocks = {name: found[name].copy() for name in FIELDS}
        self.rows = len(self.seen)


def onset(
    seen: int,
    last_offset: int,
    last_time_ms: int,
    totals: list[float],
    squares: list[float],
    first_offsets: list[int],
    first_times_ms: list[int],
    *,
    expected: float,
) -> Recent | None:
    """The newest blocks, as many as maximise n (mean - expected)^2; None while there are no values.

    That is the maximum-likelihood onset of a shift from a known mean (Lorden 1971), to the nearest block.
    """
    if seen == 0:
        return None
    newest = (seen - 1) // BLOCK
    n, total, square = 0, 0.0, 0.0
    best: tuple[float, int, float, float, int] | None = None
    for block in range(newest, max(newest - BLOCKS, -1), -1):
        slot = block % BLOCKS
        n += seen - newest * BLOCK if block == newest else BLOCK
        total += totals[slot]
        square += squares[slot]
        apart = total / n - expected
        gain = n * (apart * apart)
        if best is None or gain > best[0]:
            best = gain, n, total, square, slot
    assert best is not None
    _, n, total, square, slot = best
    mean = total / n
    variance = square / n - mean * mean
    std = sqrt(variance) if variance > 0.0 else 0.0
    return Recent(n, mean, std, first_offsets[slot], last_offset, first_times_ms[slot], last_time_ms)


def checked_state(state: State) -> dict[str, NDArray[Any]]:
    """The arrays of a dump; ValueError for what cannot be."""
    rows = rows_of(state, "seen")
    latest = {name: array_of(state, name, "i8", (rows,)) for name in LATEST}
    blocks = {name: array_of(state, name, dtype, (rows, BLOCKS)) for name, dtype in FIELDS.items()}
    if (latest["seen"] < 0).any() or not all(np.isfinite(blocks[name]).all() for name in ("total", "squares")):
        raise ValueError("an invalid history")
    if (blocks["squares"] < 0.0).any():
        raise ValueError("a negative sum of squares")
    return {**latest, **blocks}
