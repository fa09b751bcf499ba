"""Groups side by side: exact rates, ratios whose intervals cover, and bounded state."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.counts import clopper_pearson
from detectors.fairness import GROUPS_MAX, Groups, rate, ratio
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
    groups = Groups()
    groups.add("a", events=100, selected=30, labelled=10, wrong=1)
    groups.add("b", events=50, selected=5)
    groups.add("c", events=150, selected=15, labelled=40, wrong=8)
    groups.add("a", events=100, selected=30, labelled=10, wrong=1)
    assert groups.selection("a") == (0.3, *clopper_pearson(60, 200))
    assert groups.error("c") == (0.2, *clopper_pearson(8, 40))
    assert groups.error("b") == (0.0, 0.0, 1.0)
    found = groups.selection_ratio("a")
    assert found == ratio(60, 200, 20, 200)
    assert found is not None
    assert found.share == pytest.approx(3.0)
    assert found.low < 3.0 < found.high
    assert groups.error_ratio("b") is None
    assert groups.error_ratio("a") == ratio(2, 20, 8, 40)


def test_nobody_and_everybody_have_intervals_too() -> None:
    nobody, everybody = ratio(0, 50, 0, 80), ratio(50, 50, 80, 80)
    assert nobody is not None
    assert everybody is not None
    assert 0 < nobody.low < 1 < nobody.high
    assert 0.9 < everybody.low < everybody.share == 1.0 < everybody.high < 1.1
    assert ratio(0, 0, 3, 9) is None
    assert rate(0, 0) == (0.0, 0.0, 1.0)
    lonely = Groups()
    lonely.add("a", events=3)
    assert lonely.selection_ratio("a") is None


def test_groups_are_bounded_and_a_dump_comes_back() -> None:
    groups, again = Groups(), Groups()
    for number in range(GROUPS_MAX + 2):
        groups.add(f"g{number}", events=number + 5, selected=number, labelled=3, wrong=1)
    assert (len(groups.counts), groups.beyond) == (GROUPS_MAX, 2 * GROUPS_MAX + 11)
    again.load(groups.dump())
    assert str(again.dump()) == str(groups.dump())
    assert again.selection_ratio("g7") == groups.selection_ratio("g7")
    again.load(Groups().dump())
    assert again.counts == {}
    good = groups.dump()
    for name, value in {"groups": ["x"] * GROUPS_MAX, "counts": good["counts"][:, ::-1].copy(), "beyond": -1}.items():
        with pytest.raises(ValueError, match="cannot be"):
            again.load({**good, name: value})
    with pytest.raises(AssertionError):
        groups.add("a", events=1, selected=2)
