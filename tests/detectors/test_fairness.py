"""Groups side by side: exact rates, and ratios whose intervals cover."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.counts import clopper_pearson
from detectors.fairness import rate, ratio
from tests.detectors.shifts import REPETITIONS, SEED, surely


@pytest.mark.parametrize(
    ("n", "share", "n_others", "share_of_others"),
    [(60, 0.3, 5_000, 0.3), (60, 0.05, 2_000, 0.1), (300, 0.03, 300, 0.06), (2_000, 0.6, 9_000, 0.5)],
)
def test_the_interval_of_a_ratio_covers(n: int, share: float, n_others: int, share_of_others: float) -> None:
    rng = np.random.default_rng([SEED, n])
    covered = 0
    for hits, others in rng.binomial([n, n_others], [share, share_of_others], (REPETITIONS, 2)).tolist():
        found = ratio(hits, n, others, n_others)
        assert found is not None
        covered += found.low <= share / share_of_others <= found.high
    low, high = surely(covered)
    assert low > 0.87
    assert high > 0.94


def test_rates_and_ratios_are_those_of_the_counts() -> None:
    assert rate(60, 200) == (0.3, *clopper_pearson(60, 200))
    assert rate(0, 20) == (0.0, *clopper_pearson(0, 20))
    found = ratio(60, 200, 20, 200)
    assert found is not None
    assert found.share == pytest.approx(3.0)
    assert found.low < 3.0 < found.high
    assert ratio(0, 0, 10, 60) is None


def test_nobody_and_everybody_have_intervals_too() -> None:
    nobody, everybody = ratio(0, 50, 0, 80), ratio(50, 50, 80, 80)
    assert nobody is not None
    assert everybody is not None
    assert 0 < nobody.low < 1 < nobody.high
    assert 0.9 < everybody.low < everybody.share == 1.0 < everybody.high < 1.1
    assert ratio(0, 0, 3, 9) is None
    assert rate(0, 0) == (0.0, 0.0, 1.0)
