"""Robust statistics of short series: a centre with its scale, and a steady rise or fall.

>>> import numpy as np
>>> trend(np.array([1.0, 2.0, 3.0, 4.0, 50.0]), np.arange(5))
Trend(slope=1.0, z=2.2045407685048604)
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from detectors.bank import F64, I64
from detectors.reference import MAD_TO_SIGMA, middle


class Trend(NamedTuple):
    """Per place, in the units of the values; and how many standard deviations from no trend."""

    slope: float
    z: float


def trend(values: F64, at: I64, period: int = 1) -> Trend:
    """Median of the pairwise slopes (Theil 1950, Sen 1968) and the statistic of Mann (1945) and Kendall (1975).

    The values stand at ascending places. With a period only those at the same place of it are compared (Hirsch, Slack &
    Smith 1982), so that a cycle is no trend and hides none. Zero where no two can be compared. Time is O(n^2).
    """
    first, second = np.triu_indices(len(values), 1)
    same = (at[second] - at[first]) % period == 0
    first, second = first[same], second[same]
    if not len(first):
        return Trend(0.0, 0.0)
    apart = values[second] - values[first]
    s = int(np.sign(apart).sum())
    n = np.bincount(at % period)
    z = (s - np.sign(s)) / sqrt(float((n * (n - 1) * (2 * n + 5)).sum()) / 18)
    return Trend(middle(np.sort(apart / (at[second] - at[first]))), float(z))


def centre_and_scale(values: F64) -> tuple[float, float]:
    """Median and 1.4826 MAD of one or more values."""
    centre = middle(np.sort(values))
    return centre, MAD_TO_SIGMA * middle(np.sort(np.abs(values - centre)))
