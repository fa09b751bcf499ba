"""Exact intervals and tests of counts, against scipy."""

from __future__ import annotations

import random
from math import exp, expm1, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import counts
from detectors.counts import beta_interval, clopper_pearson, fisher, log_beta
from tests.later import Later

stats, special = Later("scipy.stats"), Later("scipy.special")

pairs = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SIZES = [1, 2, 3, 10, 30, 100, 1000, 10_000, 1_000_000, 10_000_000]


def hits_of(n: int) -> list[int]:
    """The ends, the orders of magnitude, and twenty more anywhere (the same ones in every run)."""
    some = random.Random(n)
    found = {0, 1, 2, 3, n // 1000, n // 100, n // 10, n // 2, n - 1, n, *(some.randint(0, n) for _ in range(20))}
    return sorted(hits for hits in found if hits <= n)


@given(pairs)
def test_the_interval_is_scipys(count: tuple[int, int]) -> None:
    hits, n = count
    expected = stats.binomtest(hits, n).proportion_ci(method="exact")
    assert clopper_pearson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_of_nothing_nothing_is_known() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("n", SIZES)
def test_the_interval_is_scipys_at_every_size(n: int) -> None:
    last = (-1.0, -1.0)
    for hits in hits_of(n):
        low, high = clopper_pearson(hits, n)
        expected = stats.binomtest(hits, n).proportion_ci(method="exact")
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9), hits
        assert 0.0 <= low <= hits / n <= high <= 1.0, hits
        assert low > last[0], hits
        assert high > last[1], hits
        assert clopper_pearson(hits, n) == (low, high), "the same of the same"
        last = low, high


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("off", [0.0, 1e-3, 0.03, 0.3, 1.0, 3.0, 10.0, 100.0])
def test_the_interval_is_found_from_any_start(monkeypatch: pytest.MonkeyPatch, n: int, off: float) -> None:
    """The start saves time and decides nothing: from the mean, right of it or far left, the borders are the same."""
    expected = {hits: clopper_pearson(hits, n) for hits in hits_of(n)}
    for side in (-1.0, 1.0):
        monkeypatch.setattr(counts, "_start", lambda a, b, side=side: log(a / b) + side * off)
        for hits, interval in expected.items():
            assert clopper_pearson(hits, n) == pytest.approx(interval, rel=1e-9, abs=1e-12), hits


@pytest.mark.parametrize("n", [1, 10, 1000, 10_000_000])
def test_the_borders_at_nothing_and_at_all_are_the_formulas(n: int) -> None:
    """With no hit the chance of that is (1 - share) ** n."""
    border = -expm1(log(0.025) / n)
    assert clopper_pearson(0, n) == (0.0, pytest.approx(border, rel=1e-6))
    assert clopper_pearson(n, n) == (pytest.approx(1.0 - border, abs=1e-12), 1.0)


def test_a_border_mostly_costs_one_sum_and_never_more_than_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the time of a call hangs on, counted, since a clock varies with the machine's load."""
    sums = 0

    def counting(logit: float, a: float, b: float) -> tuple[float, float]:
        nonlocal sums
        sums += 1
        return log_beta(logit, a, b)

    monkeypatch.setattr(counts, "log_beta", counting)
    for n in SIZES:
        for hits in hits_of(n):
            before = sums
            clopper_pearson(hits, n)
            assert sums - before <= (2 if 10 <= hits <= n - 10 else 6), (hits, n)


@given(st.floats(1e-3, 1), st.integers(1, 2000), st.integers(1, 2000))
def test_log_beta_is_scipys(part: float, a: int, b: int) -> None:
    """Up to the mean; the slope is that of the logarithm in the logit: x (1 - x) times the density over the sum."""
    x = part * a / (a + b)
    level, slope = log_beta(log(x / (1.0 - x)), a, b)
    assert exp(level) == pytest.approx(special.betainc(a, b, x), abs=1e-9)
    if special.betainc(a, b, x) > 1e-250:
        assert level == pytest.approx(log(special.betainc(a, b, x)), abs=1e-8)
        assert slope == pytest.approx(x * (1.0 - x) * stats.beta.pdf(x, a, b) / special.betainc(a, b, x), rel=1e-8)


@given(pairs, pairs)
def test_fishers_test_is_scipys(now: tuple[int, int], before: tuple[int, int]) -> None:
    (hits, n), (hits_before, n_before) = now, before
    table = [[hits, n - hits], [hits_before, n_before - hits_before]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert fisher(hits, n, hits_before, n_before) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    lower = stats.fisher_exact(table, alternative="less").pvalue
    assert fisher(n - hits, n, n_before - hits_before, n_before) == pytest.approx(lower, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("tail", [0.2, 0.05, 0.025, 1e-3, 1e-6])
def test_the_interval_of_any_beta_distribution_is_scipys(tail: float) -> None:
    some = random.Random(1)
    for _ in range(300):
        a, b = 0.5 * 10 ** some.uniform(0, 5), 0.5 * 10 ** some.uniform(0, 5)
        expected = stats.beta.ppf(tail, a, b), stats.beta.isf(tail, a, b)
        assert beta_interval(a, b, tail) == pytest.approx(expected, abs=1e-9)
    for a, b in [(0.5, 0.5), (0.5, 30.5), (100.5, 0.5)]:
        expected = stats.beta.ppf(tail, a, b), stats.beta.isf(tail, a, b)
        assert beta_interval(a, b, tail) == pytest.approx(expected, abs=1e-9)
    assert beta_interval(0.0, 3.0) == (0.0, 0.0)
    assert beta_interval(3.0, 0.0) == (1.0, 1.0)
    assert (beta_interval(3.0, 8.0)[0], beta_interval(4.0, 7.0)[1]) == clopper_pearson(3, 10)
    for wrong in [(0.3, 2.0, 0.1), (1.0, 1.0, 0.3), (0.0, 0.0, 0.1)]:
        with pytest.raises(AssertionError):
            beta_interval(*wrong)
