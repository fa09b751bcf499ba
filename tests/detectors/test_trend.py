"""The trend statistics next to plain definitions, and a cycle that neither makes a trend nor hides one."""

from __future__ import annotations

from itertools import combinations
from math import pi, sqrt
from statistics import median

import numpy as np
import pytest

from detectors.trend import centre_and_scale, trend

HOURS = np.arange(336)


def test_without_a_period_it_is_mann_kendall_and_theil_sen() -> None:
    values = np.random.default_rng(1).normal(size=40).cumsum()
    pairs = list(combinations(range(40), 2))
    s = sum((values[j] > values[i]) * 1 - (values[j] < values[i]) * 1 for i, j in pairs)
    found = trend(values, np.arange(40))
    assert found.z == pytest.approx((s - (1 if s > 0 else -1)) / sqrt(40 * 39 * 85 / 18))
    assert found.slope == pytest.approx(median((values[j] - values[i]) / (j - i) for i, j in pairs))


@pytest.mark.parametrize("daily", [0.0, 0.01])
def test_a_day_cycle_hides_no_trend_and_makes_none(daily: float) -> None:
    noise = np.random.default_rng(2).normal(0, 0.05, len(HOURS))
    values = (1 + 0.5 * np.sin(2 * pi * HOURS / 24)) * (1 + daily * HOURS / 24) + noise
    found = trend(values, HOURS, 24)
    assert (found.z > 5) is (daily > 0)
    assert found.slope * 24 == pytest.approx(daily, abs=0.002)
    assert abs(trend(values, HOURS).z) < abs(found.z) or daily == 0.0


def test_nothing_to_compare_is_no_trend() -> None:
    assert trend(np.array([1.0]), np.array([3])) == (0.0, 0.0)
    assert trend(np.array([1.0, 2.0]), np.array([3, 4]), 24) == (0.0, 0.0)


def test_centre_and_scale_take_no_notice_of_outliers() -> None:
    values = np.random.default_rng(3).normal(10, 2, 4001)
    values[:200] = 1e9
    centre, scale = centre_and_scale(values)
    assert centre == pytest.approx(10, abs=0.3)
    assert scale == pytest.approx(2, abs=0.3)
