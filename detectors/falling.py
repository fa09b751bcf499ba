"""A share that falls: hits and misses that come one by one, held against the first of them, however often one looks.

**The null**: from the first REFERENCE on the chance of a miss never gets larger. What it was is known from those only
up to chance, so the test is against the upper border of their exact interval (Clopper & Pearson 1934), which half of
`alpha` pays for; the other half is the test's own.

**The test** bets on each value that misses are more frequent than that, by GRID. Such a bet does not win on average, so
its capital ever reaches 2 / alpha with a chance of alpha / 2 at most (Ville 1939). As nobody knows when a share falls,
another bet begins with every STRIDE-th value, the k-th with a capital of 1 / (k (k + 1)): those of all add up to 1. The
newest KEPT are gone on with; letting one go only loses capital, so the promise holds. A bet is known by its values and
misses alone, which are whole numbers. (An e-detector by epochs, Shin, Ramdas & Rinaldo 2024, with a false alarm ever
instead of one in so many.)

`found_by` says beforehand how likely a fall is found by the n-th value behind it, at least: exactly for the one bet
that begins there.

>>> needed(4, 0.3), needed(4, 0.4), needed(4, 0.6)  # four misses in the first sixty: three in ten from here on, ..
(129, 47, 15)
>>> test = Falling(alpha=0.05)
>>> test.add([place % 15 > 0 for place in range(REFERENCE)])
>>> test.add([place % 2 > 0 for place in range(60)])
>>> test.told_at, test.since
(15, Count(n=15, misses=8))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from math import exp, log, log1p
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import F64, array_of
from detectors.counts import beta_interval

ALPHA, POWER = 0.05, 0.8
REFERENCE = 60
STRIDE, KEPT = 8, 64
GRID = (0.125, 0.25, 0.5)
"""The chance of a miss that is bet on: so far from the border towards 1, a third of the capital each."""
VALUES_MAX = 2_000
"""Beyond, a fall is not promised to be found."""


class Count(NamedTuple):
    """Values, and those of them that are misses."""

    n: int
    misses: int


@cache
def border(misses: int, alpha: float) -> float:
    """The largest chance of a miss that so many of the first are likely with."""
    left = REFERENCE - misses
    return beta_interval(misses + 1.0, float(left), alpha / 2.0)[1] if left else 1.0


@cache
def odds(limit: float) -> list[tuple[float, float]]:
    """By entry of GRID the logarithm of what a miss, and a hit, multiplies the capital by."""
    bets = [limit + part * (1.0 - limit) for part in GRID]
    return [(log(bet / limit), log((1.0 - bet) / (1.0 - limit))) for bet in bets] if limit < 1.0 else [(0.0, 0.0)]


def evidence(of: Count, limit: float) -> float:
    """The logarithm of what a capital of 1 became."""
    logs = [of.misses * miss + (of.n - of.misses) * hit for miss, hit in odds(limit)]
    most = max(logs)
    return most + log(sum([exp(one - most) for one in logs]) / len(logs))


class Falling:
    """The values of one series."""

    def __init__(self, alpha: float = ALPHA) -> None:
        assert 0.0 < alpha < 0.4
        self.alpha = alpha
        self.first = Count(0, 0)  # the first REFERENCE
        self.values = 0  # behind these
        self.bets: list[Count] = []  # what came since each began, the oldest first; the last one began last
        self.begun = 0
        self.told_at = 0  # the value behind the first with which it fired; 0 for not yet
        self.since = Count(0, 0)  # of the bet that had won most then

    @property
    def limit(self) -> float:
        """Where the evidence says that it fell."""
        return 2.0 / self.alpha

    def add(self, hits: Iterable[bool]) -> None:
        """Values in their order; True for a hit."""
        for hit in hits:
            if self.first.n < REFERENCE:
                self.first = Count(self.first.n + 1, self.first.misses + (not hit))
                continue
            if self.values % STRIDE == 0:
                self.bets.append(Count(0, 0))
                self.begun += 1
                del self.bets[:-KEPT]
            self.values += 1
            self.bets = [Count(n + 1, misses + (not hit)) for n, misses in self.bets]
            if not hit and not self.told_at and self.evidence >= self.limit:  # Only a miss wins.
                self.told_at = self.values
                won = self._won()
                self.since = self.bets[max(range(len(won)), key=won.__getitem__)]

    def _won(self) -> list[float]:
        """The logarithm of the capital of each bet."""
        border_now, oldest = border(self.first.misses, self.alpha), self.begun - len(self.bets) + 1
        return [evidence(one, border_now) - log(number) - log1p(number) for number, one in enumerate(self.bets, oldest)]

    @property
    def evidence(self) -> float:
        """The e-value: what all bets have won."""
        won = self._won() if self.bets else []
        most = max(won, default=0.0)
        return exp(min(most, 600.0)) * sum(exp(one - most) for one in won)

    def forget(self) -> None:
        """What came since the first is no matter of this series; it goes on with new bets."""
        self.bets, self.told_at, self.since = [], 0, Count(0, 0)
        self.values += -self.values % STRIDE

    def dump(self) -> dict[str, Any]:
        """Plain values and arrays."""
        counts = [*self.first, self.values, self.begun, self.told_at, *self.since]
        return {"counts": counts, "bets": np.array(self.bets, np.int64).reshape(-1, 2)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        n, misses, values, begun, told_at, *since = map(int, state["counts"])
        bets = array_of(state, "bets", "i8", (min(len(state["bets"]), KEPT), 2))
        if not (0 <= misses <= n <= REFERENCE and 0 <= told_at <= values and len(bets) <= begun) or len(since) != 2:
            raise ValueError("values that cannot be")
        if (bets < 0).any() or (bets[:, 1] > bets[:, 0]).any():
            raise ValueError("bets that cannot be")
        self.first, self.values, self.begun, self.told_at = Count(n, misses), values, begun, told_at
        self.since, self.bets = Count(*since), [Count(*one) for one in bets.tolist()]


def found_by(misses: int, truth: float, alpha: float = ALPHA, begun: int = 1, values: int = VALUES_MAX) -> F64:
    """The chance that the fall is found by the first, second .. last value behind it, at least: `misses` are those of
    the first, `truth` is the chance of a miss from there on, and it falls where the bet of this number begins.
    """
    limit, needs = border(misses, alpha), log(2.0 / alpha) + log(begun) + log1p(begun)
    quiet, fired, enough, found = np.ones(1), 0.0, 0, np.zeros(values)
    for value in range(values):
        after = np.append(quiet * (1.0 - truth), 0.0)
        after[1:] += quiet * truth
        while enough <= value + 1 and evidence(Count(value + 1, enough), limit) < needs:
            enough += 1
        fired += float(after[enough:].sum())
        quiet = after[:enough]
        found[value] = fired
    return found


def needed(misses: int, truth: float, alpha: float = ALPHA, begun: int = 1, power: float = POWER) -> int | None:
    """Values by which a fall is found with this chance; None where that takes more than VALUES_MAX."""
    enough = np.flatnonzero(found_by(misses, truth, alpha, begun) >= power)
    return int(enough[0]) + 1 if len(enough) else None
