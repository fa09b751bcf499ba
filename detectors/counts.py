"""Exact statements about counts: the interval of a share, and whether two counts can be of one share.

>>> [round(border, 4) for border in clopper_pearson(5, 10)]
[0.1871, 0.8129]
>>> round(fisher(8, 10, 1, 10), 6)  # 8 of 10 now, 1 of 10 before: this many or more by chance
0.002739
"""

from __future__ import annotations

from math import exp, lgamma, log, log1p, sqrt
from statistics import NormalDist

TAIL = 0.025
"""Of a 95 % interval on either side."""
DEVIATE = 1.959963984540054
"""Of the standard normal distribution, above which TAIL is."""
CLOSE = 0.02
"""How far off in the logarithm of the tail the last step may begin: the error is of the fifth power of that."""
STEPS = 60
"""Far more than ever taken (one to three are, by the start below)."""


def clopper_pearson(hits: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper & Pearson 1934); (0, 1) for n = 0."""
    # The upper border is the lower one of the misses. Turned around as a logit, it stays exact for a tiny share too.
    low = 0.0 if hits == 0 else 1.0 / (1.0 + exp(-_quantile(float(hits), n - hits + 1.0)))
    high = 1.0 if hits == n else 1.0 / (1.0 + exp(_quantile(float(n - hits), hits + 1.0)))
    return low, high


def beta_interval(a: float, b: float, tail: float = TAIL) -> tuple[float, float]:
    """The values that leave this tail of the beta distribution of a and b on either side; tail is at most 0.2, and a
    and b, if not 0, are 0.5 or more.

    0 for a = 0 and 1 for b = 0: so Clopper & Pearson's of any level is (low of k, n - k + 1; high of k + 1, n - k).

    >>> [round(border, 4) for border in beta_interval(1, 1, 0.05)]
    [0.05, 0.95]
    """
    assert 0.0 < tail <= 0.2
    assert a + b > 0.0
    assert all(shape == 0.0 or shape >= 0.5 for shape in (a, b))
    low = 0.0 if a == 0.0 else 1.0 if b == 0.0 else 1.0 / (1.0 + exp(-_quantile(a, b, tail)))
    high = 1.0 if b == 0.0 else 0.0 if a == 0.0 else 1.0 / (1.0 + exp(_quantile(b, a, tail)))
    return low, high


def _quantile(a: float, b: float, tail: float = TAIL) -> float:
    """The logit below which this tail of the beta distribution of a and b is.

    On this scale the logarithm of the tail is concave, so a step of Newton's from anywhere lands left of the quantile
    and the next ones rise to it: it always converges. Near by, four terms of the inverse's Taylor series go at once
    where Newton's steps would, so that a border mostly costs one sum of the continued fraction, the expensive part.
    """
    mean = log(a / b)  # The quantile is below it: a log-concave density has at least 1/e on either side of its mean.
    logit = min(_start(a, b) if tail == TAIL and min(a, b) >= 1.0 else _start_of(a, b, tail), mean)
    for _ in range(STEPS):
        level, slope = log_beta(logit, a, b)
        off = level - log(tail)
        logit = min(logit + (_taylor(logit, a, b, slope, off) if abs(off) < 1.0 else -off / slope), mean)
        if abs(off) < CLOSE:
            break
    return logit


def _start_of(a: float, b: float, tail: float) -> float:
    """Where to look first for a quantile of any tail: near the mean where the formula of `_start` has no root."""
    if min(a, b) < 1.0:
        return log(a / b) + log(tail) / min(a, 1.0)
    return _start(a, b, NormalDist().inv_cdf(1.0 - tail))


def _start(a: float, b: float, deviate: float = DEVIATE) -> float:
    """The quantile as a normal deviate has it, nearly (Abramowitz & Stegun 1964, 26.5.22)."""
    of_a, of_b = 1.0 / (2.0 * a - 1.0), 1.0 / (2.0 * b - 1.0)
    h, skew = 2.0 / (of_a + of_b), (deviate * deviate - 3.0) / 6.0
    w = deviate * sqrt(max(h + skew, 0.0)) / h - (of_b - of_a) * (skew + 5.0 / 6.0 - 2.0 / (3.0 * h))
    return log(a / b) - 2.0 * w


def _taylor(logit: float, a: float, b: float, slope: float, off: float) -> float:
    """The step to where the logarithm of the tail is `off` less.

    The derivatives of the inverse function follow one from another, C' - k * bend * C from C = the k-th over the k-th
    power of the first, where bend is that of the logarithm of the slope.
    """
    x, y = 1.0 / (1.0 + exp(-logit)), 1.0 / (1.0 + exp(logit))
    spread = (a + b) * x * y
    bend = a - (a + b) * x - slope
    bend_1 = -spread - slope * bend
    bend_2 = spread * (x - y) - slope * (bend * bend + bend_1)
    third = 2.0 * bend * bend - bend_1
    fourth = 4.0 * bend * bend_1 - bend_2 - 3.0 * bend * third
    step = -off / slope
    return step * (1.0 + step * (-bend / 2.0 + step * (third / 6.0 + step * fourth / 24.0)))


def log_beta(logit: float, a: float, b: float) -> tuple[float, float]:
    """The logarithm of the regularised incomplete beta function, and its slope, at a logit up to that of the mean.

    By the continued fraction of DiDonato & Morris (1992), which is the slope itself. Up to the mean all its terms are
    positive, so that nothing is divided by zero, and with a whole b it ends by itself at the b-th.
    """
    odds = exp(logit)
    x, y = odds / (1.0 + odds), 1.0 / (1.0 + odds)
    ahead = max(a * y - b * x, 0.0) + 1.0
    slope = c = a * ahead / (a + 1.0)
    d, m, factor = 0.0, 1.0, 0.0
    while abs(factor - 1.0) > 1e-12:
        before = a + m + m - 1.0
        part = m * (b - m) * x / before
        top = (a + m - 1.0) * (a + b + m - 1.0) * x * part / before
        bottom = m + part + (a + m) * (ahead + m * (1.0 + y)) / (before + 2.0)
        d = 1.0 / (bottom + top * d)
        c = bottom + top / c
        factor = c * d
        slope *= factor
        m += 1.0
    front = lgamma(a + b) - lgamma(a) - lgamma(b) + a * logit - (a + b) * log1p(odds)
    return front - log(slope), slope


def fisher(hits: int, n: int, hits_before: int, n_before: int) -> float:
    """Fisher's exact test, upper tail: how likely `hits` or more of `n` are, given the sums, if the share is that of
    before (Fisher 1934). The lower tail is that of the misses.
    """
    total = hits + hits_before
    if hits * (n + n_before) > n * total:
        return _tail(hits, n, total, n_before)
    if hits <= max(0, total - n_before):
        return 1.0
    # Below the mean the other tail is the small one, whose terms are summed from the largest on.
    return 1.0 - _tail(n - hits + 1, n, n + n_before - total, n_before)


def _tail(hits: int, n: int, total: int, n_before: int) -> float:
    """P(X >= hits) of the hypergeometric X, for hits above its mean: `total` marked ones are among n + n_before."""
    term = exp(_choose(n, hits) + _choose(n_before, total - hits) - _choose(n + n_before, total))
    found = term
    for k in range(hits, min(n, total)):  # Each term by the one before: no sum of many logarithms.
        term *= (n - k) * (total - k) / ((k + 1.0) * (n_before - total + k + 1.0))
        found += term
        if term < found * 1e-17:
            break
    return min(found, 1.0)


def _choose(n: int, k: int) -> float:
    return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0)
