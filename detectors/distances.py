"""How far a window's distribution is from the reference's: distances between counts over the same bins.

Theory of operation. A distance alone is no verdict: with few values all of them are large by chance, with many the
least difference is significant. So there are two numbers: the *distance*, an effect size whose limit the user sets,
and *surprise*, how many standard deviations the difference is beyond chance given both sample sizes. Only both
together should make a verdict.

>>> reference, window = np.array([50, 30, 20]), np.array([20, 30, 50])
>>> round(distance("total_variation", reference, window), 3), round(surprise(reference, window), 1)
(0.3, 4.4)
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Counts = NDArray[Any]

SMOOTH = 0.5
"""Added to every cell where a logarithm is taken (Jeffreys' prior): an empty bin is rare, not impossible."""


def shares(counts: Counts) -> F64:
    found: F64 = counts / counts.sum()
    return found


def smoothed(counts: Counts) -> F64:
    return shares(counts + SMOOTH)


def psi(reference: Counts, window: Counts) -> float:
    """Population stability index: both Kullback-Leibler divergences together (Jeffreys 1946), of smoothed shares."""
    p, q = smoothed(reference), smoothed(window)
    return float(np.sum((q - p) * np.log(q / p)))


def jensen_shannon(reference: Counts, window: Counts) -> float:
    """Jensen-Shannon distance, base 2: 0 to 1; the root of the divergence (Lin 1991), as `scipy.spatial.distance`."""
    p, q = shares(reference), shares(window)
    middle = (p + q) / 2.0

    def divergence(part: F64) -> float:
        some = part > 0.0
        return float(np.sum(part[some] * np.log2(part[some] / middle[some])))

    return sqrt(max(divergence(p) + divergence(q), 0.0) / 2.0)


def hellinger(reference: Counts, window: Counts) -> float:
    """Hellinger distance, 0 to 1."""
    apart = np.sqrt(shares(reference)) - np.sqrt(shares(window))
    return sqrt(float(np.sum(apart * apart)) / 2.0)


def total_variation(reference: Counts, window: Counts) -> float:
    """Half the sum of differences: the share of events that would have to change their bin."""
    return float(np.abs(shares(reference) - shares(window)).sum()) / 2.0


def l_infinity(reference: Counts, window: Counts) -> float:
    """The largest difference of one bin's share."""
    return float(np.abs(shares(reference) - shares(window)).max())


def kolmogorov_smirnov(reference: Counts, window: Counts) -> float:
    """The largest difference of the cumulative shares, at the edges of the bins."""
    return float(np.abs(np.cumsum(shares(reference) - shares(window))).max())


def wasserstein(reference: Counts, window: Counts) -> float:
    """Earth mover's distance between the bins' numbers, over how many there are: 1 is from the first to the last."""
    moved = np.abs(np.cumsum(shares(reference) - shares(window)))
    return float(moved[:-1].sum()) / max(len(moved) - 1, 1)


def cramers_v(reference: Counts, window: Counts) -> float:
    """Cramer's V of the 2 x k table: chi-square as an effect size, 0 to 1."""
    statistic, _ = chi_square(reference, window)
    return sqrt(statistic / float(reference.sum() + window.sum()))


def chi_square(reference: Counts, window: Counts) -> tuple[float, int]:
    """Pearson's statistic for "both come from one distribution", and its degrees of freedom; empty bins count not."""
    some = (reference + window) > 0
    table = np.array([reference[some], window[some]], np.float64)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    apart = table - expected
    return float(np.sum(apart * apart / expected)), int(some.sum()) - 1


def surprise(reference: Counts, window: Counts) -> float:
    """The chi-square statistic in standard deviations of the normal law (Wilson & Hilferty 1931); 0 for one bin."""
    statistic, freedom = chi_square(reference, window)
    if freedom < 1:
        return 0.0
    spread = 2.0 / (9.0 * freedom)
    return float((np.cbrt(statistic / freedom) - (1.0 - spread)) / sqrt(spread))


DISTANCES: dict[str, Callable[[Counts, Counts], float]] = {
    "psi": psi,
    "jensen_shannon": jensen_shannon,
    "hellinger": hellinger,
    "total_variation": total_variation,
    "l_infinity": l_infinity,
    "kolmogorov_smirnov": kolmogorov_smirnov,
    "wasserstein": wasserstein,
    "cramers_v": cramers_v,
}


def distance(name: str, reference: Counts, window: Counts) -> float:
    """One of DISTANCES, between two non-empty histograms over the same bins."""
    return DISTANCES[name](reference, window)
