"""How often a rare thing comes, one by one: cumulative sums (Page 1954) whose limits are what healthy days have shown.

An average over a block says nothing until the block is full, and little in the one in which a change begins. For a flag
that is one in a hundred and becomes one in twenty that is most of the delay. So the ones of a series are held against
what is expected, block by block of eight: each sum is the logarithm of the odds that they have come 2 or 5 times as
often, or half or a tenth as often, since the time at which that is most likely; it is never below nought. Sums of
Poisson counts are used, ones * log(ratio) - expected * (ratio - 1), as they need no logarithm for another expectation.

The highest sum of a day is Gumbel's, with a scale of 1 where ones are independent (Siegmund 1985), and wider where they
come in bursts or breathe with the day. So a limit is learned from days (`extremes.py`), and never nearer than chance
would have it. Expected is the share of the last weeks, times how it usually is under the load that there is: a share
that follows the load is no news.

>>> cusums = Cusums(rate=0.001)
>>> cusums.resize(1)
>>> draw = np.random.default_rng(0)
>>> for day in range(8):
...     cusums.turn(0, day)
...     told = [cusums.take(0, ones, (0, 0), (0, 0), False) for ones in draw.binomial(8, 0.01, 1_080) * 1.0]
>>> found = [cusums.take(0, ones, (0, 0), (0, 0), False) for ones in draw.binomial(8, 0.06, 100) * 1.0]
>>> [(8 * block + 8, one[0]) for block, one in enumerate(found) if one][:1]
[(160, 1)]
"""

from __future__ import annotations

from math import inf, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64
from detectors.extremes import EULER, LAG, MEMORY, NEVER, DailyExtremes, odds, odds_of

SIZE = 8.0
"""Values of a block."""
RATIOS = (2.0, 0.5, 5.0, 0.1)
LOGS = (0.6931471805599453, -0.6931471805599453, 1.6094379124341003, -2.302585092994046)
"""How many times as often the ones come that each sum is about: two channels, up and down each."""
RARE = 0.35
"""What is more frequent, its opposite too, is left to averages: they are quick there."""
CEILING = 100.0
"""Where healthy days bring a sum so far it says nothing."""
TESTS = 24.0
"""What shares the rate of a series: twice as many as the averages have, so that little of it goes to the sums."""
LEAST = 200.0
"""Values before anything is expected."""
SHY = 3.0
"""Ones that may have been missed by chance, besides the deviation of those that came."""
PRIOR = 10.0
"""Ones that a load must have shown to count as much as what is usual under all of them .."""
FACTOR = 5.0
""".. and no load has more than so many times as many, or as few."""
WINDOW, ODD = 16.0, 8.0
"""Windows of so many expected ones tell how much healthy stretches differ beyond chance. None differs by more than ODD
times what chance would, or a fault would excuse itself.
"""
APART, WIDER = 1.5, 2.0
"""Expected are so many deviations more than usual, of healthy stretches among themselves; and where they differ much, a
limit is as much wider.
"""
FADED = 1.0 - 1.0 / MEMORY
"""What a day leaves of those before it."""
ROUNDING = 1e-9
MIXED, CAME, UNLIKE, NOW = 2, 3, 5, 7

TOTALS = ("n", "ones", "mixed", "came", "expected", "unlike", "weight", "apart", "next")
"""Of a row: values and ones lately, whether ones were of different size, what came and was expected in the window that
goes on; by how much windows differ, over how much they could tell; and what follows from that for today and tomorrow.
"""
FADING = [TOTALS.index(name) for name in ("n", "ones", "unlike", "weight")]
SIDES = len(RATIOS)
WIDTH = len(TOTALS) + (2 + 4 + LAG + 1) * SIDES
"""Numbers of a row in a dump: totals, sums and since when, and of each sum its days."""


Counts = tuple[float, float]
Told = tuple[int, float, float, int]


def factor_of(load: Counts, seen: Counts) -> float:
    """How many times as often as on average ones come under a load; both: values, and ones among them."""
    mean = seen[1] / seen[0] if seen[0] > 0.0 else 0.0
    return min(max((load[1] + PRIOR) / (load[0] * mean + PRIOR), 1.0 / FACTOR), FACTOR)


class Cusums:
    """Of rows 0..rows-1 the sums, and the days that they are held against."""

    def __init__(self, rate: float) -> None:
        self.rate, self.odds = rate, np.zeros(0)  # by row how unlikely a healthy day is to go beyond
        self.totals = np.zeros((0, len(TOTALS)))
        self.sums, self.since = np.zeros((0, SIDES)), np.zeros((0, SIDES))
        self.days = DailyExtremes(SIDES // 2)

    @property
    def rows(self) -> int:
        return len(self.totals)

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = max(rows - self.rows, 0)
        self.odds = np.concatenate([self.odds, np.full(more, odds(self.rate, TESTS))])
        self.totals = np.concatenate([self.totals, np.zeros((more, len(TOTALS)))])
        self.sums, self.since = (np.concatenate([one, np.zeros((more, SIDES))]) for one in (self.sums, self.since))
        self.days.resize(rows)

    def share(self, rates: F64) -> None:
        """So many false alarms a day each row may have from now on; that is no part of a dump."""
        self.odds = odds_of(rates, TESTS)

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.odds = self.odds[rows]
        self.totals, self.sums, self.since = self.totals[rows], self.sums[rows], self.since[rows]
        self.days.retain(rows)

    def forget(self, row: int) -> None:
        """The row begins anew."""
        self.totals[row], self.sums[row], self.since[row] = 0.0, 0.0, 0.0
        self.days.forget(row)

    def turn(self, row: int, day: int) -> None:
        """A block of this day comes next."""
        if self.days.behind(row, day):
            apart = self.totals.item(row, NOW + 1)  # Of the day before the last: a fault of today is no excuse yet.
            self.totals[row, NOW:] = apart, self.unlike(row)
            apart, wider = self.odds.item(row), 1.0 + WIDER * apart
            self.days.turn(row, day, apart * wider, [(apart - EULER) * wider] * 2)
            self.totals[row, FADING] *= FADED

    def unlike(self, row: int) -> float:
        """The deviation of healthy stretches among themselves, beyond chance, as a part of what is expected."""
        unlike, weight = self.totals[row, UNLIKE:NOW].tolist()
        return sqrt(max(unlike - sqrt(2.0 * weight), 0.0) / weight) if weight > 0.0 else 0.0

    def mixed(self, row: int, ones: float, apart: float, squares: float) -> bool:
        """Whether the ones of a row were of different size; `apart`, `squares`: the sums of the new ones."""
        if abs(apart * apart - ones * squares) > ROUNDING * apart * apart:
            self.totals[row, MIXED] = 1.0
        return bool(self.totals[row, MIXED])

    def take(self, row: int, ones: float, load: Counts, seen: Counts, opposite: bool) -> Told | None:
        """A block with so many ones; values, and ones among them, under its load and under all. What is told: 1 for
        more or -1 for less, the sum, its limit, and how many values ago it began. `opposite`: whether what hardly ever
        fails to come counts, too; then -1 is that it fails more often.
        """
        n, known = self.totals[row, :2].tolist()
        self.totals[row, :2] += SIZE, ones
        turned = opposite and known > (1.0 - RARE) * n
        if turned:
            known, ones = n - known, SIZE - ones
            load, seen = (load[0], load[0] - load[1]), (seen[0], seen[0] - seen[1])
        if n < LEAST or known > RARE * n:
            self.sums[row], self.since[row] = 0.0, 0.0
            return None
        each, error, far = SIZE / n * factor_of(load, seen), sqrt(known) + SHY, 1.0 + APART * self.totals.item(row, NOW)
        above, below = each * (known + error) * far, each * max(known - error, 0.0) / far
        self._compare(row, ones, each * known)
        told, sums, since = None, self.sums[row].tolist(), self.since[row].tolist()
        for side, (ratio, log) in enumerate(zip(RATIOS, LOGS, strict=True)):
            value = sums[side] + ones * log - (above if ratio > 1.0 else below) * (ratio - 1.0)
            value = min(max(value, 0.0), CEILING)
            since[side] = since[side] + SIZE if value > 0.0 else 0.0
            limit = self.days.limit.item(row, side // 2, side % 2)
            if value > limit:
                way = 1 if (ratio > 1.0) != turned else -1
                told = told or (way, value, limit, int(since[side]))
                value = limit
            sums[side] = value
            today = self.days.today[row, side // 2]
            today[side % 2] = max(today[side % 2], value)
        self.sums[row], self.since[row] = sums, since
        return told

    def _compare(self, row: int, ones: float, expected: float) -> None:
        """Add to the window that goes on; a full one tells how much it differs."""
        totals = self.totals[row]
        came, usual = totals.item(CAME) + ones, totals.item(CAME + 1) + expected
        totals[CAME : CAME + 2] = came, usual
        if usual >= WINDOW:
            away = came - usual
            totals[CAME:UNLIKE] = 0.0
            totals[UNLIKE:NOW] += min(away * away - usual, ODD * usual), usual * usual

    def dump(self) -> NDArray[Any]:
        """WIDTH numbers a row."""
        days, rows = self.days, self.rows
        parts = [self.totals, self.sums, self.since, days.today, days.mean, days.variance, days.limit, days.waiting]
        return np.concatenate([part.reshape(rows, prod(part.shape[1:])) for part in (*parts, days.count * 1.0)], axis=1)

    def load(self, state: F64, day: I64) -> None:
        """What was dumped, of rows whose newest day is known; it was checked."""
        cuts = np.cumsum([len(TOTALS), *[SIDES] * 6, LAG * SIDES])
        totals, sums, since, *sides, waiting, count = np.split(state, cuts, axis=1)
        self.totals, self.sums, self.since = totals.copy(), sums.copy(), since.copy()
        self.odds = np.full(len(state), odds(self.rate, TESTS))
        days, shape = self.days, (len(state), SIDES // 2, 2)
        days.day = day.copy()
        days.today, days.mean, days.variance, days.limit = (side.reshape(shape).copy() for side in sides)
        days.waiting, days.count = waiting.reshape(*shape, LAG).copy(), count.reshape(shape).astype(np.int64)


def fresh(rows: int) -> F64:
    """The dump of rows that nothing is known of."""
    cusums = Cusums(0.5)
    cusums.resize(rows)
    return cusums.dump()


def check_state(state: F64) -> None:
    """ValueError for what no sums have dumped."""
    cusums = Cusums(0.5)
    cusums.load(np.where(np.isnan(state), 0.0, state), np.full(len(state), NEVER))
    days, plain = cusums.days, (cusums.totals, cusums.sums, cusums.since, cusums.days.mean, cusums.days.variance)
    sane = [not np.isnan(state).any(), *(bool(np.isfinite(one).all()) for one in plain)]
    sane += [bool((one >= 0.0).all()) for one in (*plain[1:], days.count, np.delete(cusums.totals, UNLIKE, axis=1))]
    sane += [bool((cusums.totals[:, 1] <= cusums.totals[:, 0]).all()), bool((cusums.sums <= CEILING).all())]
    sane += [bool((days.count <= MEMORY).all()), bool((days.today < inf).all() and (days.waiting < inf).all())]
    if not all(sane):
        raise ValueError("sums that cannot have been")
