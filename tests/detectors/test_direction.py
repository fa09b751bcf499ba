"""Directions: what a length does not change, and what no cutting does."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.direction import Centre, lengths, units


def test_a_length_does_not_overflow_and_zero_has_no_direction() -> None:
    vectors = np.array([[3.0, 4.0], [3e300, 4e300], [0.0, 0.0], [1.7e308, 1.7e308], [3e-300, 4e-300]])
    assert lengths(vectors).tolist() == pytest.approx([5.0, 5e300, 0.0, np.inf, 5e-300])
    assert lengths(units(vectors)).tolist() == pytest.approx([1.0, 1.0, 0.0, 1.0, 1.0])
    centre = Centre(2)
    assert np.isnan(centre.distances(vectors)).all()
    centre.learn(vectors[:1])
    assert np.isnan(centre.distances(vectors)).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("dimensions", [2, 7, 8, 9, 128, 129, 384])
def test_neither_learning_nor_judging_hangs_on_the_cutting(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    vectors = rng.normal(0.3, 1.0, (60, dimensions))
    whole, parts = Centre(dimensions), Centre(dimensions)
    whole.learn(vectors[:40])
    for begin in range(0, 40, 7):
        parts.learn(vectors[begin : min(begin + 7, 40)])
    assert (parts.n, parts.total.tolist()) == (whole.n, whole.total.tolist())
    again = Centre.load(whole.dump())
    one_by_one = [again.distances(vector[None, :]).item() for vector in vectors]
    assert whole.distances(vectors).tolist() == one_by_one
    assert whole.distances(2.0 * vectors).tolist() == one_by_one


@pytest.mark.parametrize("state", [[-1, np.zeros(2)], [1, np.array([np.nan])]])
def test_an_invalid_state_is_refused(state: object) -> None:
    with pytest.raises(ValueError, match="centre"):
        Centre.load(state)
