"""How often each level of a category comes, one by one: the sums of `cusum.py`, of each level its own.

A histogram over a window tells a change of much of it. A level that goes from three in a thousand to ten moves none of
its distances, whatever its size; counted by itself it is a rare flag like any other. Each value has one level, so eight
values of a row are a block of all its levels: what a value costs is an eighth of a step of each.

What is expected of a level is its share of the last weeks, times how it usually is under the load that there is, and
its limits are what days have shown (`cusum.py`, `loads.py`); so a mix that breathes with the day or the week is none.
What a row may tell falsely is divided among its levels.

>>> bank = Levels(rate=0.01)
>>> bank.resize(1)
>>> bank.begin(0, 3)
>>> draw, rows, places = np.random.default_rng(0), np.zeros(8_640, np.int64), np.arange(8_640)
>>> for day in range(9):
...     rare = 0.003 if day < 8 else 0.01
...     values = draw.choice(3, 8_640, p=[0.697 - rare, 0.3 + 0.003, rare])
...     times_ms = day * DAY_MS + places * 10_000
...     told = bank.update(rows, values, places, day * 8_640 + places, times_ms)
>>> [(one.place + 1, one.level, one.way) for one in told[:1]]
[(1696, 2, 1)]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, State, array_of, count_of, rows_of
from detectors.cusum import SIDES, SIZE, WIDTH, Cusums
from detectors.cusum import check_state as check_sums
from detectors.extremes import DAY_MS, NEVER
from detectors.loads import LOADS, load_of, paced

LEVELS_MAX = 32
"""Levels of a row, the rest as one among them: it has all that are less frequent, and what nobody has seen before."""

FLOATS = {"came": SIDES, "loads": LOADS, "seen": 1, "block": 1, "sums": WIDTH}
"""Of a level how many numbers a dump has of it: what came since each sum began, what came under each load, under all,
and in the block that goes on; and what its sums have."""
INTS = ("levels", "fill", "day", "since", "first", "first_ms")
"""Of a row: its levels, values in the block, the newest day, when the last block ended, where this one began."""


class Told(NamedTuple):
    """A level that came more often, `way` 1, or less often, -1."""

    place: int  # in the column
    row: int
    level: int
    way: int
    statistic: float
    threshold: float
    age: int  # how many values ago it began
    before: float  # its usual share
    came: int  # how often it came since then
    first_offset: int
    from_ms: int


class Row:
    """The levels of a row that has some."""

    def __init__(self, levels: int, rate: float) -> None:
        self.fill, self.first, self.first_ms, self.since, self.pace = 0, 0, 0, NEVER, 0.0
        self.block, self.values = np.zeros(levels), np.zeros(LOADS + 1)
        self.loads, self.seen = np.zeros((levels, LOADS)), np.zeros(levels)
        self.came, self.began = np.zeros((levels, SIDES)), np.zeros((levels, SIDES, 2), np.int64)
        self.sums = Cusums(rate)
        self.sums.resize(levels)

    def take(self, level: int, offset: int, time_ms: int) -> bool:
        """A value; whether its block is full."""
        if self.fill == 0:
            self.first, self.first_ms = offset, time_ms
        self.fill += 1
        self.block[level] += 1.0
        return self.fill == int(SIZE)

    def close(self, time_ms: int) -> Iterator[tuple[int, int, float, float, int, float, int, int, int]]:
        """The block is full: what its levels say, as Told has it."""
        took_ms = float(max(time_ms - self.since, 0))
        place = LOADS
        if self.since != NEVER:
            self.pace = paced(self.pace, took_ms)
            place = load_of(self.pace)
        self.since = max(self.since, time_ms)
        whole, under = self.values.item(LOADS), self.values.item(place) if place < LOADS else 0.0
        for level, ones in enumerate(self.block.tolist()):
            self.sums.turn(level, time_ms // DAY_MS)
            load = under, self.loads.item(level, place) if place < LOADS else 0.0
            told = self.sums.take(level, ones, load, (whole, self.seen.item(level)), True)
            self._since(level, ones)
            if told is not None:
                way, statistic, limit, age = told
                sums, since = self.sums.sums[level].tolist(), self.sums.since[level].tolist()
                side = next(i for i in range(SIDES) if sums[i] == limit and since[i] == age)
                n, known = self.sums.totals[level, :2].tolist()
                came, (first, first_ms) = self.came.item(level, side), self.began[level, side].tolist()
                yield level, way, statistic, limit, age, known / n, int(came), first, first_ms
        if place < LOADS:
            self.loads[:, place] += self.block
            self.values[place] += SIZE
        self.seen += self.block
        self.values[LOADS] += SIZE
        self.fill, self.block[:] = 0, 0.0

    def _since(self, level: int, ones: float) -> None:
        """Count what came since each sum began."""
        for side, since in enumerate(self.sums.since[level].tolist()):
            if since <= SIZE:
                self.came[level, side] = ones if since == SIZE else 0.0
                self.began[level, side] = (self.first, self.first_ms) if since == SIZE else 0
            else:
                self.came[level, side] += ones


class Levels:
    """Rows 0..rows-1, of which those have levels that were begun."""

    def __init__(self, rate: float) -> None:
        """`rate`: false alarms a day that a row may have."""
        self.rate, self.rates = rate, np.zeros(0)
        self.of: list[Row | None] = []

    @property
    def rows(self) -> int:
        return len(self.of)

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = max(rows - self.rows, 0)
        self.of += [None] * more
        self.rates = np.concatenate([self.rates, np.full(more, self.rate)])

    def begin(self, row: int, levels: int) -> None:
        """The row has so many levels, and nothing is known of them."""
        assert 1 <= levels <= LEVELS_MAX
        self.of[row] = Row(levels, self.rates.item(row) / levels)

    def levels(self, row: int) -> int:
        """How many it has; 0: it was not begun."""
        one = self.of[row]
        return 0 if one is None else len(one.block)

    def share(self, rates: F64) -> None:
        """So many false alarms a day each row may have from now on; that is no part of a dump."""
        self.rates = rates.copy()
        for one, rate in zip(self.of, rates.tolist(), strict=True):
            if one is not None:
                one.sums.share(np.full(len(one.block), rate / len(one.block)))

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.of, self.rates = [self.of[row] for row in rows.tolist()], self.rates[rows]

    def update(self, rows: I64, levels: I64, events: I64, offsets: I64, times_ms: I64) -> list[Told]:
        """Row rows[i] takes a value of levels[i] of event events[i], in order; of rows that were begun. The first level
        of each block that says something.
        """
        found = []
        places = offsets[events].tolist(), times_ms[events].tolist()
        for i, (row, level, offset, time_ms) in enumerate(zip(rows.tolist(), levels.tolist(), *places, strict=True)):
            own = self.of[row]
            assert own is not None
            if own.take(level, offset, time_ms):
                told = list(own.close(time_ms))
                found += [Told(i, row, *one) for one in told[:1]]
        return found

    def dump(self) -> dict[str, NDArray[Any]]:
        """Of all rows INTS and `pace`; of those that were begun `values`; of their levels `began` and FLOATS."""
        known = [one for one in self.of if one is not None]
        ints = [
            [0, 0, NEVER, NEVER, 0, 0]
            if one is None
            else [len(one.block), one.fill, int(one.sums.days.day[0]), one.since, one.first, one.first_ms]
            for one in self.of
        ]
        columns = np.array(ints, np.int64).reshape(-1, len(INTS)).T
        numbers = {
            name: np.concatenate([np.zeros((0, width)), *(_numbers(one)[name] for one in known)])
            for name, width in FLOATS.items()
        }
        return {
            **{name: column.copy() for name, column in zip(INTS, columns, strict=True)},
            "pace": np.array([0.0 if one is None else one.pace for one in self.of], np.float64),
            "values": np.concatenate([np.zeros((0, LOADS + 1)), *(one.values[None] for one in known)]),
            "began": np.concatenate([np.zeros((0, 2 * SIDES), np.int64), *(_began(one) for one in known)]),
            **numbers,
        }

    def load(self, state: State) -> None:
        """Replace the state of all rows; ValueError for an invalid one, which changes nothing."""
        check_state(state)
        self.of, self.rates = [], np.full(len(state["levels"]), self.rate)
        begin, number = 0, 0
        for row, levels in enumerate(state["levels"].tolist()):
            if levels == 0:
                self.of.append(None)
                continue
            own = Row(levels, self.rate / levels)
            part = slice(begin, begin + levels)
            _, own.fill, day, own.since, own.first, own.first_ms = (int(state[name][row]) for name in INTS)
            own.pace, own.values = state["pace"].item(row), state["values"][number].copy()
            own.came, own.loads = state["came"][part].copy(), state["loads"][part].copy()
            own.seen, own.block = state["seen"][part, 0].copy(), state["block"][part, 0].copy()
            own.began = state["began"][part].reshape(levels, SIDES, 2).copy()
            own.sums.load(state["sums"][part], np.full(levels, day))
            self.of.append(own)
            begin, number = begin + levels, number + 1


def _numbers(row: Row) -> dict[str, F64]:
    columns = {"seen": row.seen[:, None], "block": row.block[:, None]}
    return {"came": row.came, "loads": row.loads, "sums": row.sums.dump(), **columns}


def _began(row: Row) -> I64:
    return row.began.reshape(len(row.block), 2 * SIDES)


def levels_of(counts: Sequence[int]) -> tuple[I64, list[int]]:
    """Of each code of a reference, with how often it came there, its level; and of each level but the last, which is
    the rest, the code: the most frequent ones, in their order.
    """
    often = np.argsort(-np.array(counts, np.int64), kind="stable")[: LEVELS_MAX - 1].tolist()
    chosen = sorted(code for code in often if counts[code] > 0)
    found = np.full(len(counts), len(chosen), np.int64)
    found[chosen] = np.arange(len(chosen))
    return found, chosen


def check_state(state: State) -> None:
    """ValueError for what no levels have dumped."""
    rows = rows_of(state, "levels")
    ints = {name: array_of(state, name, "i8", (rows,)) for name in INTS}
    pace, levels = array_of(state, "pace", "f8", (rows,)), ints["levels"]
    whole, known = count_of(levels, LEVELS_MAX), int((levels > 0).sum())
    values = array_of(state, "values", "f8", (known, LOADS + 1))
    array_of(state, "began", "i8", (whole, 2 * SIDES))
    numbers = {name: array_of(state, name, "f8", (whole, width)) for name, width in FLOATS.items()}
    check_sums(numbers.pop("sums"))
    sane = [bool(np.isfinite(one).all() and (one >= 0.0).all()) for one in (pace, values, *numbers.values())]
    sane += [bool((ints["fill"] >= 0).all() and (ints["fill"] < SIZE).all())]
    sane += [bool((ints[name] >= NEVER).all()) for name in ("day", "since")]
    filled = np.bincount(np.repeat(np.arange(rows), levels), numbers["block"][:, 0], rows)
    if not all(sane) or not np.array_equal(filled, ints["fill"] * 1.0):
        raise ValueError("levels that cannot have been")
