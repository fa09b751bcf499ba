"""Recent values of each series in sixteen blocks of eight: enough to say when it left the reference, and how far.

Block sums are kept in the order of the values, so they are the same bits however the log was cut into batches.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, State, ranks, rows_of

BLOCKS = 16
BLOCK = 8
FIELDS = {"total": "f8", "squares": "f8", "first_offset": "i8", "first_time_ms": "i8"}


class Recent(NamedTuple):
    """The newest n values of a row: mean and standard deviation in the units given, and where they stand."""

    n: int
    mean: float
    std: float
    first_offset: int
    last_offset: int
    first_time_ms: int
    last_time_ms: int


def ranks(rows: I64) -> I64:
    """For each position how often its row occurred before it: [3, 5, 3, 3] -> [0, 0, 1, 2]."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(rows) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(rows)])
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - np.repeat(starts, lengths)
    return rank


class History:
    """Blocks of rows 0..rows-1; `seen` counts all values ever taken, so it also says where the ring stands."""

    def __init__(self) -> None:
        self.rows = 0
        self.seen = np.zeros(0, np.int64)
        self.last_offset = np.zeros(0, np.int64)
        self.last_time_ms = np.zeros(0, np.int64)
        self.blocks = {name: np.zeros((0, BLOCKS), dtype) for name, dtype in FIELDS.items()}

    def resize(self, rows: int) -> None:
        if rows <= self.rows:
            return
        more = rows - self.rows
        for name in ("seen", "last_offset", "last_time_ms"):
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.int64)]))
        for name, blocks in self.blocks.items():
            self.blocks[name] = np.concatenate([blocks, np.zeros((more, BLOCKS), blocks.dtype)])
        self.rows = rows

    def update(self, rows: I64, values: F64, offsets: I64, times_ms: I64) -> None:
        """Row rows[i] takes values[i], which stands at offsets[i] and times_ms[i]; in order."""
        if not len(rows):
            return
        place = self.seen[rows] + ranks(rows)
        np.add.at(self.seen, rows, 1)
        self.last_offset[rows] = offsets  # With repeated rows the last assignment holds, which is the newest value.
        self.last_time_ms[rows] = times_ms
        # A value whose block this same batch laps would be gone anyway; without it every slot is one block.
        keep = place // BLOCK > (self.seen[rows] - 1) // BLOCK - BLOCKS
        rows, values, place, offsets, times_ms = rows[keep], values[keep], place[keep], offsets[keep], times_ms[keep]
        slot = place // BLOCK % BLOCKS
        fresh = place % BLOCK == 0
        opened = rows[fresh], slot[fresh]
        self.blocks["total"][opened] = 0.0
        self.blocks["squares"][opened] = 0.0
        self.blocks["first_offset"][opened] = offsets[fresh]
        self.blocks["first_time_ms"][opened] = times_ms[fresh]
        np.add.at(self.blocks["total"], (rows, slot), values)
        np.add.at(self.blocks["squares"], (rows, slot), values * values)

    def recent(self, row: int, expected: float) -> Recent | None:
        """The newest blocks, as many as maximise n (mean - expected)^2; None while there are no values.

        That is the maximum-likelihood onset of a shift from a known mean (Lorden 1971), to the nearest block.
        """
        seen = int(self.seen[row])
        if seen == 0:
            return None
        newest = (seen - 1) // BLOCK
        n, total, squares = 0, 0.0, 0.0
        best: tuple[float, int, float, float, int] | None = None
        for block in range(newest, max(newest - BLOCKS, -1), -1):
            slot = block % BLOCKS
            n += seen - newest * BLOCK if block == newest else BLOCK
            total += float(self.blocks["total"][row, slot])
            squares += float(self.blocks["squares"][row, slot])
            gain = n * (total / n - expected) ** 2
            if best is None or gain > best[0]:
                best = gain, n, total, squares, slot
        assert best is not None
        _, n, total, squares, slot = best
        mean = total / n
        return Recent(
            n,
            mean,
            max(squares / n - mean * mean, 0.0) ** 0.5,
            int(self.blocks["first_offset"][row, slot]),
            int(self.last_offset[row]),
            int(self.blocks["first_time_ms"][row, slot]),
            int(self.last_time_ms[row]),
        )

    def dump(self) -> dict[str, NDArray[Any]]:
        plain = {name: getattr(self, name).copy() for name in ("seen", "last_offset", "last_time_ms")}
        return {**plain, **{name: blocks.copy() for name, blocks in self.blocks.items()}}

    def load(self, state: State) -> None:
        rows = rows_of(state, "seen")
        shapes: dict[str, tuple[str, tuple[int, ...]]] = {
            name: ("i8", (rows,)) for name in ("seen", "last_offset", "last_time_ms")
        }
        shapes |= {name: (dtype, (rows, BLOCKS)) for name, dtype in FIELDS.items()}
        for name, (dtype, shape) in shapes.items():
            array = state.get(name)
            if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype) or array.shape != shape:
                raise ValueError(f"history array {name!r} is missing or of another shape")
        if (state["seen"] < 0).any() or not np.isfinite(state["total"]).all():
            raise ValueError("a history that cannot be")
        for name in ("seen", "last_offset", "last_time_ms"):
            setattr(self, name, state[name].copy())
        self.blocks = {name: state[name].copy() for name in FIELDS}
        self.rows = rows
