"""The distance next to the closed form, robustness, and whatever a reference may look like."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.mahalanobis import Shape, cholesky, distances, learn_shape

RNG = np.random.default_rng(1)


def correlated(n: int, p: int) -> np.ndarray:
    return RNG.normal(size=(n, 1)) + 0.5 * RNG.normal(size=(n, p))


def test_the_factor_is_that_of_numpy() -> None:
    matrix = np.cov(correlated(200, 7).T)
    assert cholesky(np.tril(matrix)) == pytest.approx(np.linalg.cholesky(matrix), abs=1e-12)


def test_the_distance_is_the_closed_form() -> None:
    shape = learn_shape(correlated(400, 5))
    events = correlated(50, 5) * 2
    z = (events - shape.centre) / shape.scale
    squared = np.einsum("ij,jk,ik->i", z, np.linalg.inv(shape.factor @ shape.factor.T), z)
    expected = (np.cbrt(squared / 5) - (1 - 2 / 45)) / np.sqrt(2 / 45)
    assert distances(shape, events) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("p", [2, 10, 40])
def test_normal_events_have_about_normal_distances(p: int) -> None:
    shape = learn_shape(RNG.normal(size=(2000, p)))
    found = distances(shape, RNG.normal(size=(4000, p)))
    assert abs(found.mean()) < 0.35
    assert 0.8 < found.std() < 1.3


def test_events_are_judged_one_by_one() -> None:
    shape, events = learn_shape(correlated(300, 9)), correlated(501, 9)
    whole = distances(shape, events)
    assert np.array_equal(whole, np.concatenate([distances(shape, events[i : i + 1]) for i in range(501)]))


def test_a_tenth_of_outliers_hides_no_flipped_correlation() -> None:
    reference = correlated(1000, 2)
    reference[:100] = RNG.normal(0, 50, (100, 2))
    flipped = correlated(500, 2) * [1, -1]
    shape = learn_shape(reference)
    assert np.median(distances(shape, flipped)) > np.median(distances(shape, correlated(500, 2))) + 0.5


def test_missing_constant_copied_and_hostile_values() -> None:
    reference = correlated(500, 5)
    reference[:, 3] = reference[:, 2]
    reference[:, 4] = 7.0
    reference[::3, 0] = np.nan
    shape = learn_shape(reference)
    assert all(np.isfinite(array).all() for array in shape)
    events = np.vstack([reference[1], reference[1], reference[1], reference[1]])
    events[1, 1:] = np.nan
    events[2, 1] = 1e300
    events[3, 4] = 8.0
    found = distances(shape, events)
    assert np.isfinite(found).all()
    assert found[2] > 1000 > abs(found[1])
    assert found[3] > found[0]


def test_a_feature_nobody_had_and_fewer_events_than_features() -> None:
    reference = correlated(5, 12)
    reference[:, 7] = np.nan
    shape = learn_shape(reference)
    assert isinstance(shape, Shape)
    assert np.isfinite(distances(shape, reference)).all()
