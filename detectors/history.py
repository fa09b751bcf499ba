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

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, HUGE, I64, Bool, State, array_of, in_order, rows_of
from detectors.last_change import Asked, Change, Piece, last_change

BLOCK = 2
FACTOR, LEVELS, KEPT = 4, 5, 8
"""Blocks of a level that make one of the next; levels; and of each level so many blocks."""
SLOTS = LEVELS * KEPT
"""Block k of a level stands at its slot k modulo KEPT."""
FOUR = np.arange(1 - FACTOR, 1)
SUMS, PLACES = ("total", "squares"), ("first_offset", "first_time_ms")
FIELDS = (*SUMS, *PLACES)
LATEST = ("seen", "last_offset", "last_time_ms")
NO_MARKS = np.zeros(0, np.int64)


class Blocks(NamedTuple):
    """Blocks of one level that took values: those of a row one after another, in their order."""

    rows: I64
    number: I64  # of each in the life of its row
    sums: F64  # SUMS
    places: I64  # PLACES


class History:
    """Blocks of rows 0..rows-1; `seen` counts all values ever taken, so it also says where the ring stands.

    Give differences from the reference's centre: sums of squares of values far from zero would lose the deviation.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.seen = np.zeros(0, np.int64)
        self.last_offset = np.zeros(0, np.int64)
        self.last_time_ms = np.zeros(0, np.int64)
        self.sums = np.zeros((len(SUMS), 0, SLOTS))
        self.places = np.zeros((len(PLACES), 0, SLOTS), np.int64)

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        if rows <= self.rows:
            return
        more = rows - self.rows
        for name in LATEST:
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.int64)]))
        self.sums = np.concatenate([self.sums, np.zeros((len(SUMS), more, SLOTS))], axis=1)
        self.places = np.concatenate([self.places, np.zeros((len(PLACES), more, SLOTS), np.int64)], axis=1)
        self.rows = rows

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        for name in LATEST:
            setattr(self, name, getattr(self, name)[rows])
        self.sums = np.ascontiguousarray(self.sums[:, rows])
        self.places = np.ascontiguousarray(self.places[:, rows])
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
        ends, marked = np.cumsum(ready)[marks].tolist() if len(marks) else [], rows[marks].tolist()
        rows, values, events = rows[keep], np.clip(values[keep], -HUGE, HUGE), events[keep]
        offsets, times_ms = offsets[events], times_ms[events]
        # No row knows of another: so each stands behind its first mark at once, then each behind its second.
        turns, of_value = turns_of(rows, ends, marked)
        told: list[Change | None] = [None] * len(ends)
        for turn in range(max(turns, default=0) + 2 if turns else 1):
            part = np.flatnonzero(of_value == turn) if turns else slice(None)
            self._take(rows[part], values[part], offsets[part], times_ms[part])
            for i in (i for i, own in enumerate(turns) if own == turn):
                told[i] = self.changed(marked[i], asked[i])
        return told

    def _take(self, rows: I64, values: F64, offsets: I64, times_ms: I64) -> None:
        """All values of a row at once: what they add to the block that is open, and the blocks that they begin."""
        if not len(rows):
            return
        order, there, first = in_order(rows)
        rows, values, places = rows[order], values[order], np.stack([offsets[order], times_ms[order]])
        begins, begun = np.array(first), self.seen[there]
        lengths = np.diff(begins, append=len(rows))
        self.seen[there] = begun + lengths
        self.last_offset[there], self.last_time_ms[there] = places[:, begins + lengths - 1]
        place = np.arange(len(rows)) + np.repeat(begun - begins, lengths)
        odd = (place & 1).astype(bool)
        fresh = ~odd
        opens = fresh.copy()
        opens[begins] = True
        at = np.flatnonzero(opens)
        sums = np.stack([values, values * values])
        blocks = Blocks(rows[at], place[at] >> 1, sums[:, at] + 0.0, places[:, at])
        gone_on = np.flatnonzero(odd[at])  # Begun before these values.
        if len(gone_on):
            slot = slots(blocks.rows[gone_on], blocks.number[gone_on], 0)
            blocks.sums[:, gone_on] = self._ring(self.sums)[:, slot] + sums[:, at[gone_on]]
            blocks.places[:, gone_on] = self._ring(self.places)[:, slot]
        second = ~opens
        pairs = (np.cumsum(opens) - 1)[second]
        blocks.sums[:, pairs] += sums[:, second]
        full = odd[at]
        full[pairs] = True
        self._keep(blocks, full, 0)

    @staticmethod
    def _ring(blocks: NDArray[Any]) -> NDArray[Any]:
        """The same with rows and slots as one axis: numpy takes one index per value several times as fast as two."""
        return blocks.reshape(len(blocks), -1)

    def _keep(self, blocks: Blocks, full: Bool, level: int) -> None:
        """Take blocks of a level; and where four are full, that of the next which they are."""
        joined = self._joined(blocks, full, level) if level < LEVELS - 1 else None
        slot = slots(blocks.rows, blocks.number, level)
        # With repeated slots the last assignment holds, which is the newest block.
        self._ring(self.sums)[:, slot], self._ring(self.places)[:, slot] = blocks.sums, blocks.places
        if joined is not None and len(joined.rows):
            self._keep(joined, np.ones(len(joined.rows), bool), level + 1)

    def _joined(self, blocks: Blocks, full: Bool, level: int) -> Blocks:
        """The blocks of the next level that are full by these; the first of four may have been there before."""
        last = np.flatnonzero(full & (blocks.number & FACTOR - 1 == FACTOR - 1))
        rows, number = blocks.rows[last], blocks.number[last]
        at, own = np.maximum(last[:, None] + FOUR, 0), slots(rows[:, None], number[:, None] + FOUR, level)
        # Only blocks of the same row stand right before: these are new, unless the row's first is later.
        new = (last[:, None] + FOUR >= 0) & (blocks.rows[at] == rows[:, None])
        sums = np.where(new, blocks.sums[:, at], self._ring(self.sums)[:, own])
        places = np.where(new[:, 0], blocks.places[:, at[:, 0]], self._ring(self.places)[:, own[:, 0]])
        total = sums[..., 0]
        for further in range(1, FACTOR):
            total = total + sums[..., further]
        return Blocks(rows, number // FACTOR, total, places)

    def pieces(self, row: int) -> list[Piece]:
        """What the row holds, oldest first."""
        blocks = list(zip(*self.sums[:, row].tolist(), *self.places[:, row].tolist(), strict=True))
        return [Piece(n, *blocks[slot]) for n, slot in held(self.seen.item(row))]

    def changed(self, row: int, asked: Asked) -> Change | None:
        """What a detector found in the row; None while there are no values."""
        seen = self.seen.item(row)
        if seen == 0:
            return None
        pieces, end = self.pieces(row), (self.last_offset.item(row), self.last_time_ms.item(row))
        return last_change(pieces, end, asked, sum(piece.n for piece in pieces) == seen)

    def dump(self) -> dict[str, NDArray[Any]]:
        """See `packed`."""
        return packed({name: getattr(self, name) for name in LATEST}, self.sums, self.places)

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state, and then nothing is changed."""
        latest, self.sums, self.places = unpacked(state)
        for name in LATEST:
            setattr(self, name, latest[name])
        self.rows = len(self.seen)


def slots(rows: I64, number: I64, level: int) -> I64:
    """Where blocks of a level stand in the ring of all rows."""
    found: I64 = rows * SLOTS + (level * KEPT + (number & KEPT - 1))
    return found


def turns_of(rows: I64, ends: Sequence[int], marked: Sequence[int]) -> tuple[list[int], I64]:
    """Of each mark how many others of its row stand before it, at earlier values; and of each value the same. `ends`:
    where the values begin that come behind the marks, whose rows are `marked`.
    """
    own: dict[int, list[int]] = {}
    turns = []
    for end, row in zip(ends, marked, strict=True):
        before = own.setdefault(row, [])
        if not before or before[-1] != end:
            before.append(end)
        turns.append(len(before) - 1)
    of_value = np.zeros(len(rows) if turns else 0, np.int64)
    for row, before in own.items():
        mine = np.flatnonzero(rows == row)
        of_value[mine] = np.searchsorted(before, mine, side="right")
    return turns, of_value


def held(seen: int) -> list[tuple[int, int]]:
    """Sizes and slots of the blocks that together hold the newest values of a row, oldest first: of each level as many
    as there are, as long as the next one can go on where they begin.
    """
    found = list[tuple[int, int]]()
    for level, (begin, end) in enumerate(spans(seen)):
        size = BLOCK * FACTOR**level
        found += [(size, level * KEPT + (block & KEPT - 1)) for block in range(end - 1, begin - 1, -1)]
    if seen % BLOCK:  # The block that is not full yet has its slot, too.
        found[0] = seen % BLOCK, found[0][1]
    return found[::-1]


def spans(seen: Any) -> list[tuple[Any, Any]]:
    """By level the first block that is needed of a row with so many values, and the first behind those; of an array of
    rows arrays.
    """
    newest, found = seen // BLOCK, list[tuple[Any, Any]]()
    full, end = newest, newest + seen % BLOCK
    for level in range(LEVELS):
        begin = (end if level == 0 else full) - KEPT
        begin *= begin > 0
        if level < LEVELS - 1:
            begin = -(-begin // FACTOR) * FACTOR
        found.append((begin, end))
        full, end = full // FACTOR, begin // FACTOR
    return found


def needed(seen: I64) -> Bool:
    """Which slots of each row hold what `held` says; all others are made of these, or of no more use."""
    places = np.arange(KEPT)
    by_level = [(places - begin[:, None] & KEPT - 1) < (end - begin)[:, None] for begin, end in spans(seen)]
    return np.concatenate(by_level, axis=1)


def narrow(numbers: I64) -> NDArray[Any]:
    """The same in half as many bytes, where they fit."""
    fits = not len(numbers) or (int(numbers.min()) >= -(1 << 31) and int(numbers.max()) < 1 << 31)
    return numbers.astype(np.int32) if fits else numbers


def packed(latest: Mapping[str, I64], sums: F64, places: I64) -> dict[str, NDArray[Any]]:
    """Arrays of one element per row, then of one per block that is needed, those of a row one after another: sums, and
    how far its first value lies before the last of the row.
    """
    blocks = needed(latest["seen"])
    rows = np.nonzero(blocks)[0]
    since = [latest[name][rows] - ring[blocks] for name, ring in zip(LATEST[1:], places, strict=True)]
    return {
        **{name: latest[name].copy() for name in LATEST},
        **{name: ring[blocks] for name, ring in zip(SUMS, sums, strict=True)},
        **{name: narrow(own) for name, own in zip(PLACES, since, strict=True)},
    }


def latest_of(state: State) -> dict[str, I64]:
    """LATEST of a state; ValueError where it has not got them."""
    rows = rows_of(state, "seen")
    return {name: array_of(state, name, "i8", (rows,)) for name in LATEST}


def place_of(state: State, name: str, count: tuple[int]) -> NDArray[Any]:
    """One of PLACES, which may be narrow."""
    return array_of(state, name, "i4" if getattr(state.get(name), "dtype", None) == np.int32 else "i8", count)


def unpacked(state: State) -> tuple[dict[str, I64], F64, I64]:
    """The inverse, with the blocks that others are made of; ValueError for what cannot be."""
    latest = {name: array.copy() for name, array in latest_of(state).items()}
    rows = len(latest["seen"])
    if (latest["seen"] < 0).any():
        raise ValueError("an invalid history")
    blocks = needed(latest["seen"])
    of, count = np.nonzero(blocks)[0], (int(blocks.sum()),)
    sums, places = np.zeros((len(SUMS), rows, SLOTS)), np.zeros((len(PLACES), rows, SLOTS), np.int64)
    for k, name in enumerate(SUMS):
        sums[k, blocks] = array_of(state, name, "f8", count)
    for k, (name, last) in enumerate(zip(PLACES, LATEST[1:], strict=True)):
        places[k, blocks] = latest[last][of] - place_of(state, name, count)
    if not np.isfinite(sums).all() or (sums[1] < 0.0).any():
        raise ValueError("an invalid history")
    _complete(latest["seen"], sums, places)
    return latest, sums, places


def _complete(seen: I64, sums: F64, places: I64) -> None:
    """Make the blocks of which finer ones are needed instead: in time they are needed themselves."""
    full = seen // BLOCK
    for level, (_, end) in enumerate(spans(seen)[1:], start=1):
        full = full // FACTOR
        for more in range(int((full - end).max(initial=0))):
            rows = np.flatnonzero(end + more < full)
            number = (end + more)[rows]
            first = (level - 1) * KEPT + (number * FACTOR & KEPT - 1)
            own = level * KEPT + (number & KEPT - 1)
            total = sums[:, rows, first]
            for further in range(1, FACTOR):
                total = total + sums[:, rows, first + further]
            sums[:, rows, own], places[:, rows, own] = total, places[:, rows, first]
