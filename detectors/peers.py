"""Peers: one of several series of one kind that lies outside of what the others have between them, without any history.

Of each peer there is a level (the mean of its window) and that level's own error. Levels may differ while all is well,
so what is usual is how far *they* lie apart: a random-effects model, level = centre + difference + error, in which the
variance of the differences is what is left of the spread of the levels once their errors are taken off (Paule & Mandel
1982). The peer that is farthest out is held against the centre and the spread of all others, by Student's law, whose
heavy tails are the price of few of them (Grubbs 1969). Up to a tenth of the peers are taken off so, one after another,
so that two that are off do not hide each other: the generalised extreme studentised deviate (Rosner 1983). This is how
institutions are compared (Spiegelhalter 2005, Funnel plots for comparing institutional performance). The chance is of a
whole group in one window; equal and normal levels without error of their own are the case in which it is exact.

What moves all alike cancels. What it cannot see: a peer that is off by less than its peers differ from each other; more
than a tenth of them that are off alike, which is another kind of peers; and that a level changed at all. Where levels
are far more skewed than a normal law the one farthest out is told, though it may have been there for ever.

>>> import numpy as np
>>> levels, errors = np.array([2.0, 2.1, 1.9, 2.05, 1.95, 2.0, 3.1]), np.full(7, 0.05)
>>> found = outlying(levels, errors, 0.001)
>>> found.out, round(found.fit.centre, 3)
([6], 2.0)
>>> outlying(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.1]), errors, 0.001).out
[]
"""

from __future__ import annotations

from functools import lru_cache
from math import cos, exp, inf, log, pi, sin, sqrt
from typing import NamedTuple

import numpy as np

from detectors.bank import F64, I64
from detectors.counts import log_beta

LEAST = 4
"""Of fewer one cannot say what they have between them."""
TENTH = 10
"""One in so many may be off."""
FIRM = 10.0
"""What is beyond chance, but not beyond so many times it, is not clear either."""
FLAT = 1e-9
"""Of a level its error at least, which is what a float rounds."""
STEPS = 60
ACCURATE = 1e-10
CORRELATED_MAX = 0.97
POWER_DEVIATE = 0.8416212335729143
"""Of the standard normal distribution, below which 80 % are."""


class Fit(NamedTuple):
    """What some levels have between them."""

    centre: float
    spread: float  # deviation of the differences, without errors
    unsure: float  # error of the centre
    usual: float  # error of most levels, as a variance
    freedom: int

    def scale(self, variance: float) -> float:
        """By how much a level with such an error may be off, as a deviation. Who is surer of its own than most others
        are of theirs is held to theirs: how far apart levels lie is known no better than that.
        """
        return sqrt(self.spread**2 + max(variance, self.usual) + self.unsure**2)


class Outlying(NamedTuple):
    """Places in the levels that were given."""

    out: list[int]  # beyond chance
    nearly: list[int]  # not beyond, but not by much
    left: I64  # all but those beyond chance
    fit: Fit  # what these have between them


def outlying(levels: F64, errors: F64, chance: float, way: int = 0, shares: bool = False) -> Outlying:
    """Who is outside of what the others have between them, up to `chance` that any of them is by chance. `way`: only
    above (1) or below (-1). `shares`: the levels are angles, see `angle`.
    """
    variances = np.maximum(errors, FLAT * np.abs(levels)) ** 2
    left, fit = np.arange(len(levels)), fitted(levels, variances)
    taken, fits, firm, nearly = list[int](), [fit], 0, 0
    for _ in range(max(1, len(levels) // TENTH)):
        if len(left) < LEAST:
            break
        away = apart(levels[left], fit.centre, shares) * (way or 1)
        far = _over(away if way else np.abs(away), np.sqrt(fit.spread**2 + variances[left]))
        place = int(np.argmax(far))
        one, among = int(left[place]), len(left)
        left = np.delete(left, place)
        fit = fitted(levels[left], variances[left])
        off = float(apart(levels[one : one + 1], fit.centre, shares)[0])
        scale = fit.scale(float(variances[one]))
        size = off * way if way else abs(off)
        found = by_chance(size / scale if scale > 0.0 else inf * size if size else 0.0, fit.freedom)
        likely = found * among / (2.0 if way else 1.0)
        taken.append(one)
        fits.append(fit)
        firm = len(taken) if likely < chance else firm
        nearly = len(taken) if likely < chance * FIRM else nearly
    gone = np.array(taken[:firm], np.int64)
    return Outlying(taken[:firm], taken[firm:nearly], np.delete(np.arange(len(levels)), gone), fits[firm])


def fitted(levels: F64, variances: F64) -> Fit:
    """The centre of levels with errors, and how far they lie apart beyond those: the variance with which the weighted
    squares are as many as expected (Paule & Mandel 1982). Newton's steps rise to it from below, as the sum is convex.
    """
    freedom = len(levels) - 1
    middle = float(levels.mean())
    plain = float(((levels - middle) ** 2).sum()) / freedom
    between = max(plain - float(variances.max()), 0.0)
    least, centre, weights = float(variances.min()), middle, np.ones(len(levels))
    for _ in range(STEPS):
        if between + least <= 0.0:
            break
        weights = 1.0 / (variances + between)
        centre = float((weights * levels).sum() / weights.sum())
        squares = weights * (levels - centre) ** 2
        over = float(squares.sum()) - freedom
        if over <= 0.0:
            break
        step = over / float((squares * weights).sum())
        between += step
        if step <= ACCURATE * between:
            break
    unsure = sqrt(1.0 / float(weights.sum())) if between + least > 0.0 else 0.0
    return Fit(centre, sqrt(between), unsure, float(np.median(variances)), freedom)


def _over(sizes: F64, scales: F64) -> F64:
    """Sizes in scales; without a scale all but nothing is beyond measure."""
    sure = scales > 0.0
    found: F64 = np.where(sure, sizes / np.where(sure, scales, 1.0), np.where(sizes > 0.0, inf, np.minimum(sizes, 0.0)))
    return found


def apart(levels: F64, centre: float, shares: bool) -> F64:
    """How far levels are from the centre. Of angles there are two answers, whose deviation is 1 over the root of the
    number: the difference, which takes rare misses for surer than they are, and that of the shares by the deviation at
    the centre, which takes rare hits so. The smaller one is not too sure of either.
    """
    away: F64 = levels - centre
    if shares:
        score = (np.cos(centre) - np.cos(levels)) / np.sin(centre)
        away = np.where(np.abs(score) < np.abs(away), score, away)
    return away


def angle(ones: F64, n: F64) -> F64:
    """Shares on the scale where their error is 1 over the root of n, whatever the share (Anscombe 1948)."""
    found: F64 = 2.0 * np.arcsin(np.sqrt((ones + 0.375) / (n + 0.75)))
    return found


def shift_of_share(centre: float, shift: float, sign: int) -> float | None:
    """What a difference of angles is as one of shares, by both answers of `apart`; None of more than all or nothing."""
    there, share = centre + sign * shift, (1.0 - cos(centre)) / 2.0
    moved = max(abs(cos(there) - cos(centre)), shift * sin(centre)) / 2.0
    return moved if 0.0 <= there <= pi and 0.0 <= share + sign * moved <= 1.0 else None


def inflated(correlation: float) -> float:
    """How much larger the variance of a mean is for values that are each correlated so with the one before (AR(1))."""
    r = min(max(correlation, 0.0), CORRELATED_MAX)
    return (1.0 + r) / (1.0 - r)


def by_chance(size: float, freedom: int) -> float:
    """How likely a value of Student's distribution is so far from 0, on either side; of sizes below 1 only that it is
    likely.
    """
    if size <= 1.0:
        return 1.0
    return exp(log_beta(log(freedom) - 2.0 * log(size), freedom / 2.0, 0.5)[0]) if size < inf else 0.0


@lru_cache(4096)
def limit(chance: float, freedom: int) -> float:
    """The size that is so unlikely."""
    low, high = 0.0, 1.0
    while by_chance(exp(high), freedom) > chance:
        low, high = high, 2.0 * high
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if by_chance(exp(middle), freedom) > chance else (low, middle)
    return exp(high)


def limit_of(fit: Fit, chance: float, way: int) -> float:
    """So many deviations a level may be off the others."""
    return limit(chance * (2.0 if way else 1.0) / (fit.freedom + 2), fit.freedom)


def shift_of_peer(fit: Fit, error: float, chance: float, way: int) -> float:
    """By how much one of them must be off to be told in 80 % of the windows, wherever among the others it was."""
    usual = sqrt(fit.spread**2 + error * error)
    return limit_of(fit, chance, way) * fit.scale(error * error) + POWER_DEVIATE * usual
