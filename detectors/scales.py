"""The scales on which averages and shares are measured, so that a step of one size means the same wherever it is.

>>> import numpy as np
>>> drawn_in(np.array([2.0, -3.0, 30.0, 3_000.0])).round(1).tolist()
[2.0, -3.0, 11.0, 35.9]
>>> [round(level_of(share), 2) for share in (0.0, 0.02, 0.5, 1.0)]
[-1.0, -0.85, 0.0, 1.0]
>>> [round(share_at(level_of(share)), 9) for share in (0.0, 0.02, 0.5, 1.0)]
[0.0, 0.02, 0.5, 1.0]
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from detectors.bank import F64

KNEE = 3.0
"""Deviations up to which a value counts as it is; beyond, a tail of any weight is drawn in so far that averages have a
deviation, and still no value is so large that a larger one does not count for more.
"""


def drawn_in(values: F64) -> F64:
    """Values in deviations, with their tails drawn in beyond the knee by an eighth root; smooth, and ascending."""
    times = np.maximum(np.abs(values), KNEE) / KNEE
    far = np.sign(values) * KNEE * (8.0 * np.sqrt(np.sqrt(np.sqrt(times))) - 7.0)
    return np.where(np.abs(values) <= KNEE, values, far)


def slope_of(share: float) -> float:
    """How much a small variance of a share is on the scale of `level_of`."""
    if not 0.0 < share < 1.0:
        return 1.0
    slope = (1.0 / sqrt(share) + 1.0 / sqrt(1.0 - share)) / 2.0
    return slope * slope


def moments(sums: F64, least: float) -> tuple[float, float, float]:
    """Count, mean and deviation by count, sum and sum of squares; `least`: the variance of one more value."""
    count, total, squares = sums.tolist()
    if count <= 0.0:
        return 0.0, 0.0, 0.0
    mean = total / count
    return count, mean, sqrt(max(squares / count - mean * mean, 0.0) + least / count)


def level_of(share: float) -> float:
    """A share on a scale on which its error is about the same everywhere, from -1 to 1."""
    share = min(max(share, 0.0), 1.0)
    return sqrt(share) - sqrt(1.0 - share)


def share_at(level: float) -> float:
    """The share of this level; see `level_of`, of which it is the inverse."""
    level = min(max(level, -1.0), 1.0)
    return (1.0 + level * sqrt(2.0 - level * level)) / 2.0
