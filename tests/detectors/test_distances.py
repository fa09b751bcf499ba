"""Every distance against scipy or its definition, and what a verdict may not depend on."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.distances import DISTANCES, SMOOTH, chi_square, distance, surprise
from tests.later import Later

stats, scipy_distance = Later("scipy.stats"), Later("scipy.spatial.distance")

counts = st.integers(2, 12).flatmap(lambda k: st.tuples(*[st.lists(st.integers(0, 500), min_size=k, max_size=k)] * 2))


def psi(p: Any, q: Any) -> float:
    p, q = (p + SMOOTH) / (p + SMOOTH).sum(), (q + SMOOTH) / (q + SMOOTH).sum()
    return float(stats.entropy(p, q) + stats.entropy(q, p))


def spread_out(shares: Any) -> Any:
    """Samples on 0..k-1 with the given counts."""
    return np.repeat(np.arange(len(shares)), shares)


def ks(p: Any, q: Any) -> float:
    with warnings.catch_warnings():  # About its p-value of few samples, which nobody asked for.
        warnings.simplefilter("ignore")
        return float(stats.ks_2samp(spread_out(p), spread_out(q), method="asymp").statistic)


ORACLES = {
    "psi": psi,
    "jensen_shannon": lambda p, q: scipy_distance.jensenshannon(p, q, base=2),
    "hellinger": lambda p, q: np.linalg.norm(np.sqrt(p / p.sum()) - np.sqrt(q / q.sum())) / np.sqrt(2),
    "total_variation": lambda p, q: np.abs(p / p.sum() - q / q.sum()).sum() / 2,
    "l_infinity": lambda p, q: np.abs(p / p.sum() - q / q.sum()).max(),
    "kolmogorov_smirnov": ks,
    "wasserstein": lambda p, q: stats.wasserstein_distance(spread_out(p), spread_out(q)) / (len(p) - 1),
    "cramers_v": lambda p, q: stats.contingency.association(np.array([p, q])[:, (p + q) > 0], "cramer"),
}


@pytest.mark.parametrize("name", DISTANCES)
@settings(max_examples=60)
@given(counts)
def test_as_the_reference_implementation(name: str, given_counts: tuple[list[int], list[int]]) -> None:
    p, q = (np.array(c) for c in given_counts)
    p[0] += 1  # Neither histogram is empty, and two bins are not.
    q[1] += 1
    np.testing.assert_allclose(distance(name, p, q), ORACLES[name](p, q), atol=1e-9, rtol=1e-9)
    assert distance(name, p, p) == pytest.approx(0.0, abs=1e-7)


@settings(max_examples=60)
@given(counts)
def test_chi_square_as_scipy(given_counts: tuple[list[int], list[int]]) -> None:
    p, q = (np.array(c) for c in given_counts)
    p[0] += 1
    q[1] += 1
    table = np.array([p, q])[:, (p + q) > 0]
    wanted = stats.chi2_contingency(table, correction=False)
    statistic, freedom = chi_square(p, q)
    np.testing.assert_allclose(statistic, wanted.statistic, rtol=1e-9, atol=1e-9)
    assert freedom == wanted.dof


def test_surprise_is_the_normal_quantile_of_the_p_value() -> None:
    for scale in (1, 2, 4):
        p, q = np.array([300, 400, 300]) * scale, np.array([340, 400, 260]) * scale
        wanted = stats.norm.isf(stats.chi2_contingency([p, q], correction=False).pvalue)
        assert surprise(p, q) == pytest.approx(wanted, abs=0.15)


def test_a_share_of_the_data_says_the_same_with_less_certainty() -> None:
    reference, window = np.array([5000, 3000, 2000]), np.array([4000, 3000, 3000])
    for name in DISTANCES:
        if name != "psi":  # Its smoothing shrinks with the sample, by design.
            assert distance(name, reference // 20, window // 20) == pytest.approx(distance(name, reference, window))
    assert surprise(reference // 20, window // 20) < surprise(reference, window)


def test_chance_alone_is_no_surprise() -> None:
    rng = np.random.default_rng(5)
    shares = np.full(10, 0.1)
    beyond = [surprise(rng.multinomial(500, shares), rng.multinomial(1000, shares)) for _ in range(4000)]
    assert abs(float(np.mean(beyond))) < 0.06
    assert abs(float(np.std(beyond)) - 1) < 0.05
    assert max(beyond) < 5
