"""Scales are in order, and a step of the same error is as long everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.scales import drawn_in, level_of, moments, share_at, slope_of


def test_tails_are_drawn_in_and_stay_in_order() -> None:
    values = np.sort(np.concatenate([np.linspace(-10, 10, 2001), [-1e12, 1e12, 3.0, -3.0]]))
    drawn_values = drawn_in(values)
    assert (np.diff(drawn_values) >= 0).all()
    assert (drawn_values[np.abs(values) <= 3] == values[np.abs(values) <= 3]).all()
    assert np.abs(drawn_values).max() < 1e4


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.5, 0.98])
def test_a_share_is_on_a_scale_whose_slope_is_known(share: float) -> None:
    step = 1e-6
    assert ((level_of(share + step) - level_of(share)) / step) ** 2 == pytest.approx(slope_of(share), rel=1e-2)
    assert level_of(-1.0) == level_of(0.0) == -level_of(1.0) == -1.0
    assert slope_of(0.0) == slope_of(1.0) == 1.0


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 1.0])
def test_a_share_is_found_again_from_its_level(share: float) -> None:
    assert share_at(level_of(share)) == pytest.approx(share, abs=1e-12)


def test_moments_are_those_of_the_values_and_of_nothing_where_there_are_none() -> None:
    values = np.array([1.0, 4.0, 7.0])
    count, mean, deviation = moments(np.array([3.0, values.sum(), (values * values).sum()]), 0.0)
    assert (count, mean, deviation) == (3.0, 4.0, pytest.approx(values.std()))
    assert moments(np.array([3.0, 12.0, 48.0]), 3.0)[2] == 1.0
    assert moments(np.zeros(3), 1.0) == (0.0, 0.0, 0.0)
