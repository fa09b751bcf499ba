"""Exact statements about counts: the interval of a share, and whether two counts can be of one share.

>>> [round(border, 4) for border in clopper_pearson(5, 10)]
[0.1871, 0.8129]
>>> round(fisher(8, 10, 1, 10), 6)  # 8 of 10 now, 1 of 10 before: this many or more by chance
0.002739
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log, log1p

TAIL = 0.025
"""Of a 95 % interval on either side."""
STEPS = 60
TINY = 1e-300


def clopper_pearson(hits: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper & Pearson 1934); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    low = 0.0 if hits == 0 else _where(lambda share: beta(share, hits, n - hits + 1), TAIL)
    high = 1.0 if hits == n else _where(lambda share: beta(share, hits + 1, n - hits), 1.0 - TAIL)
    return low, high


def _where(rising: Callable[[float], float], level: float) -> float:
    """Where a function that rises from 0 to 1 has a level."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        if rising(middle) < level:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by Lentz's continued fraction (Press et al., section 6.4)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - beta(1.0 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    c, d = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1.0))
    found = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d, c = 1.0 / _not_zero(1.0 + even * d), _not_zero(1.0 + even / c)
        found *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d, c = 1.0 / _not_zero(1.0 + odd * d), _not_zero(1.0 + odd / c)
        found *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return front * found


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


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
