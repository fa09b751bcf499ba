"""Who is outside of what the others have between them: size where it is exact, power, clusters, shares, few peers."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.peers import angle, by_chance, fitted, inflated, limit, outlying, shift_of_peer


@pytest.mark.parametrize(("peers", "spread"), [(6, 0.0), (20, 0.0), (20, 1.0)])
def test_no_more_is_found_by_chance_than_is_granted(peers: int, spread: float) -> None:
    draw, errors = np.random.default_rng(peers), np.full(peers, 0.1)
    found = sum(
        bool(outlying(draw.normal(0, spread, peers) + draw.normal(0, 0.1, peers), errors, 0.05).out)
        for _ in range(1000)
    )
    assert found <= 1000 * 0.05 + 3 * (1000 * 0.05) ** 0.5


@pytest.mark.parametrize("way", [0, 1, -1])
def test_one_that_is_off_is_found_and_two_do_not_hide_each_other(way: int) -> None:
    draw = np.random.default_rng(3)
    levels = draw.normal(0, 0.05, 20)
    levels[[4, 11]] += 1.0
    found = outlying(levels, np.full(20, 0.05), 1e-4, way)
    assert set(found.out) == (set() if way < 0 else {4, 11})
    assert abs(found.fit.centre) < (0.2 if way < 0 else 0.05)


def test_five_of_another_kind_are_other_peers() -> None:
    levels = np.concatenate([np.zeros(15), np.ones(5)]) + np.random.default_rng(1).normal(0, 0.05, 20)
    assert outlying(levels, np.full(20, 0.05), 1e-2).out == []


def test_what_is_equal_is_not_off_and_what_is_not_is() -> None:
    levels = np.full(6, 7.0)
    assert outlying(levels, np.zeros(6), 1e-3).out == []
    levels[2] = 8.0
    assert outlying(levels, np.zeros(6), 1e-3).out == [2]


def test_student_and_its_limit() -> None:
    assert by_chance(2.8784, 18) == pytest.approx(0.01, rel=1e-4)
    assert by_chance(12.924, 3) == pytest.approx(0.001, rel=1e-4)
    assert by_chance(limit(1e-6, 5), 5) == pytest.approx(1e-6, rel=1e-6)


def test_the_spread_is_what_errors_leave_over() -> None:
    draw = np.random.default_rng(2)
    errors = draw.uniform(0.1, 2.0, 2000)
    fit = fitted(draw.normal(5, 1, 2000) + draw.normal(0, 1, 2000) * errors, errors**2)
    assert fit.centre == pytest.approx(5, abs=0.1)
    assert fit.spread == pytest.approx(1, abs=0.1)
    assert shift_of_peer(fit, 0.1, 1e-3, 0) > 3


def test_rare_shares_that_come_by_chance_are_none() -> None:
    draw, n = np.random.default_rng(4), np.full(20, 300.0)
    for share in (0.001, 0.01, 0.3):
        found = sum(
            bool(outlying(angle(draw.binomial(300, share, 20) * 1.0, n), 1 / np.sqrt(n), 0.05, 0, True).out)
            for _ in range(400)
        )
        assert found <= 400 * 0.05
    assert inflated(-0.3) == 1.0
    assert inflated(0.5) == 3.0
