"""Exact intervals and tests of counts, against scipy."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betainc

from detectors.counts import beta, clopper_pearson, fisher

counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=150, deadline=None, database=None)
@given(counts)
def test_the_interval_is_scipys(count: tuple[int, int]) -> None:
    hits, n = count
    expected = stats.binomtest(hits, n).proportion_ci(method="exact")
    assert clopper_pearson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_of_nothing_nothing_is_known() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@settings(max_examples=150, deadline=None, database=None)
@given(st.floats(0, 1), st.integers(1, 2000), st.integers(1, 2000))
def test_beta_is_scipys(x: float, a: int, b: int) -> None:
    assert beta(x, a, b) == pytest.approx(betainc(a, b, x), abs=1e-9)


@settings(max_examples=150, deadline=None, database=None)
@given(counts, counts)
def test_fishers_test_is_scipys(now: tuple[int, int], before: tuple[int, int]) -> None:
    (hits, n), (hits_before, n_before) = now, before
    table = [[hits, n - hits], [hits_before, n_before - hits_before]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert fisher(hits, n, hits_before, n_before) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    lower = stats.fisher_exact(table, alternative="less").pvalue
    assert fisher(n - hits, n, n_before - hits_before, n_before) == pytest.approx(lower, rel=1e-6, abs=1e-12)
