"""What each series was lately, in blocks of 2, 8, 32, 128 and 512 values, eight of each: finer the newer they are.

That is enough to say what the series was before it changed and what it has been since, see `last_change.py`, for some
4,000 values. Sums are kept in the order of the values, so they are the same bits however the log was cut into batches.

>>> import numpy as np
>>> history = History()
>>> history.resize(1)
>>> at = np.arange(128)
>>> where = np.zeros(128, np.int64), np.where(at < 64, 0.0, 1.0), np.ones(128, bool), at, at, at * 10
>>> [found] = history.update(*where, marks=np.array([99]), asked=[Asked(way=1)])
>>> found.before.last_offset, found.after.mean, found.onset, len(history.pieces(0))
(63, 1.0, (64, 640), 16)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, HUGE, I64, Bool, State, array_of, ranks, rows_of
from detectors.last_change import Asked, Change, Piece, last_change

SHIFT = 1
BLOCK = 1 << SHIFT
FACTOR, LEVELS, KEPT = 4, 5, 8
"""Blocks of a level that make one of the next; levels; and of each level so many blocks."""
SLOTS = LEVELS * KEPT
"""Block k of a level stands at its slot k modulo KEPT."""
FIELDS = {"total": "f8", "squares": "f8", "first_offset": "i8", "first_time_ms": "i8"}
LATEST = ("seen", "last_offset", "last_time_ms")
NO_MARKS = np.zeros(0, np.int64)


class History:
    """Blocks of rows 0..rows-1; `seen` counts all values ever taken, so it also says where the ring stands.

    Give differences from the reference's centre: sums of squares of values far from zero would lose the deviation.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.seen = np.zeros(0, np.int64)
        self.last_offset = np.zeros(0, np.int64)
        self.last_time_ms = np.zeros(0, np.int64)
        self.blocks = {name: np.zeros((0, SLOTS), dtype) for name, dtype in FIELDS.items()}

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        if rows <= self.rows:
            return
        more = rows - self.rows
        for name in LATEST:
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.int64)]))
        for name, blocks in self.blocks.items():
            self.blocks[name] = np.concatenate([blocks, np.zeros((more, SLOTS), blocks.dtype)])
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

    def forget(self, row: int) -> None:
        """The row begins anew, with values that come from now on."""
        self.seen[row] = 0

    def update(
        self,
        rows: I64,
        values: F64,
        ready: Bool,
        events: I64,
        offsets: I64,
        times_ms: I64,
        marks: I64 = NO_MARKS,
        asked: Sequence[Asked] = (),
    ) -> list[Change | None]:
        """Take, in order, the values that are `ready`; value i belongs to event events[i], which stands at
        offsets[events[i]]. Tells, for each of `marks` (places in the column, ascending), what is `asked` of its row
        right behind that value.
        """
        keep = slice(None) if ready.all() else np.flatnonzero(ready)
        marked = rows[marks]
        rows, values, events = rows[keep], np.clip(values[keep], -HUGE, HUGE), events[keep]
        offsets, times_ms = offsets[events], times_ms[events]

        def take(begin: int, end: int) -> None:
            part = slice(begin, end)
            self._take(rows[part], values[part], offsets[part], times_ms[part])

        begin, told = 0, []
        ends = np.cumsum(ready)[marks].tolist() if len(marks) else []
        for end, row, one in zip(ends, marked.tolist(), asked, strict=True):
            take(begin, end)
            told.append(self.changed(row, one))
            begin = end
        take(begin, len(rows))
        return told

    def _take(self, rows: I64, values: F64, offsets: I64, times_ms: I64) -> None:
        """Each row's next block, as far as there are values for it, before the one after that."""
        if not len(rows):
            return
        begun = self.seen[rows]
        place = begun + ranks(rows)
        np.add.at(self.seen, rows, 1)
        self.last_offset[rows] = offsets  # With repeated rows the last assignment holds, which is the newest value.
        self.last_time_ms[rows] = times_ms
        # Numpy shifts and masks several times as fast as it divides.
        turn = (place >> SHIFT) - (begun >> SHIFT)
        last = int(turn.max())
        for number in range(last + 1):
            chosen = slice(None) if last == 0 else np.flatnonzero(turn == number)
            self._fill(rows[chosen], values[chosen], place[chosen], offsets[chosen], times_ms[chosen])

    def _fill(self, rows: I64, values: F64, place: I64, offsets: I64, times_ms: I64) -> None:
        """Values that belong to one block of each row."""
        block = place >> SHIFT
        slot = rows * SLOTS + (block & KEPT - 1)
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
        full = np.flatnonzero(place & BLOCK - 1 == BLOCK - 1)
        rows, block = rows[full], block[full]
        for level in range(1, LEVELS):
            full = np.flatnonzero(block & FACTOR - 1 == FACTOR - 1)
            if not len(full):
                return
            rows, block = rows[full], block[full] // FACTOR
            self._join(rows, block, level)

    def _join(self, rows: I64, block: I64, level: int) -> None:
        """These blocks of a level are full: they are what those of the level below are together."""
        first = (level - 1) * KEPT + (block * FACTOR & KEPT - 1)
        slot = level * KEPT + (block & KEPT - 1)
        for name in ("total", "squares"):
            sums = self.blocks[name]
            joined = sums[rows, first]
            for further in range(1, FACTOR):
                joined = joined + sums[rows, first + further]
            sums[rows, slot] = joined
        for name in ("first_offset", "first_time_ms"):
            self.blocks[name][rows, slot] = self.blocks[name][rows, first]

    def pieces(self, row: int) -> list[Piece]:
        """What the row holds, oldest first."""
        fields: list[Any] = [self.blocks[name][row].tolist() for name in FIELDS]
        return [Piece(n, *(field[slot] for field in fields)) for n, slot in held(self.seen.item(row))]

    def changed(self, row: int, asked: Asked) -> Change | None:
        """What a detector found in the row; None while there are no values."""
        seen = self.seen.item(row)
        if seen == 0:
            return None
        pieces, end = self.pieces(row), (self.last_offset.item(row), self.last_time_ms.item(row))
        return last_change(pieces, end, asked, sum(piece.n for piece in pieces) == seen)

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


def held(seen: int) -> list[tuple[int, int]]:
    """Sizes and slots of the blocks that together hold the newest values of a row, oldest first: of each level as many
    as there are, as long as the next one can go on where they begin.
    """
    newest, found = seen >> SHIFT, list[tuple[int, int]]()
    if seen & BLOCK - 1:
        found.append((seen & BLOCK - 1, newest & KEPT - 1))
    size, full, place = BLOCK, newest, newest
    for level in range(LEVELS):
        # The block that is not full yet has its slot, too.
        stop = max(full - KEPT + (level == 0 and len(found)), 0)
        if level < LEVELS - 1:
            stop = -(-stop // FACTOR) * FACTOR
        found += [(size, level * KEPT + (block & KEPT - 1)) for block in range(place - 1, stop - 1, -1)]
        size, full, place = size * FACTOR, full // FACTOR, stop // FACTOR
    return found[::-1]


def checked_state(state: State) -> dict[str, NDArray[Any]]:
    """The arrays of a dump; ValueError for what cannot be."""
    rows = rows_of(state, "seen")
    latest = {name: array_of(state, name, "i8", (rows,)) for name in LATEST}
    blocks = {name: array_of(state, name, dtype, (rows, SLOTS)) for name, dtype in FIELDS.items()}
    if (latest["seen"] < 0).any() or not all(np.isfinite(blocks[name]).all() for name in ("total", "squares")):
        raise ValueError("an invalid history")
    if (blocks["squares"] < 0.0).any():
        raise ValueError("a negative sum of squares")
    return {**latest, **blocks}
