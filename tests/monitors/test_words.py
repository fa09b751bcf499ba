"""The words that sentences share: shares in percent, numbers in four digits, more where two would look the same."""

from __future__ import annotations

import math
import random

import pytest

from streamer.monitors.words import deviations, from_to, now_before, quantity, tell_apart, to, told_apart


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        ("features.amount", "mean of features.amount"),
        ("missing.age", "share of events without age"),
        ("label.yes", "share of label yes"),
        ("error", "share of failed events"),
        ("p95(latency_ms)", "mean of p95(latency_ms)"),
        ("/a/b", "mean of /a/b"),
    ],
)
def test_what_a_signal_is_the_mean_of(signal: str, words: str) -> None:
    assert quantity(signal) == words


@pytest.mark.parametrize(
    ("signal", "before", "after", "words"),
    [
        ("missing.age", 0.0123, 0.5, "from 1.2% to 50.0%"),
        ("features.a", 0.0123, 12345.6, "from 0.0123 to 1.235e+04"),
        ("features.a", -0.0, 1e-9, "from -0 to 1e-09"),
        ("confidence", 0.98765, 1.0, "from 0.9877 to 1"),
        ("missing.age", 0.0001, 0.0004, "from 0.01% to 0.04%"),
        ("missing.age", 0.0, 0.0004, "from 0.00% to 0.04%"),
        ("missing.age", 0.0, 2e-9, "from 0% to 2e-07%"),
        ("missing.age", 0.5, 0.5, "from 50.0% to 50.0%"),
        ("features.a", 1.00001, 1.00002, "from 1.00001 to 1.00002"),
        ("features.lat", 52.37031, 52.37224, "from 52.3703 to 52.3722"),
        ("features.pressure", 101_325.0, 101_330.0, "from 101325 to 101330"),
        ("features.at", 1.79e12, 1.79e12 + 250, "from 1790000000000 to 1790000000250"),
        ("features.a", 52.3749, 52.3751, "from 52.3749 to 52.3751"),
        ("missing.age", 0.00001, 0.00002, "from 0.001% to 0.002%"),
    ],
)
def test_shares_are_in_percent_and_numbers_in_four_digits(signal: str, before: float, after: float, words: str) -> None:
    assert from_to(signal, before, after) == words


def test_two_numbers_that_differ_never_look_the_same() -> None:
    rng = random.Random(4)
    for _ in range(3000):
        first = rng.choice((0.0, 0.001, 0.5, rng.random(), rng.random() ** 30))
        second = rng.choice((math.nextafter(first, 2), first + rng.random() ** 40, first))
        for share in (False, True):
            texts = tell_apart(first, second, share)
            assert (texts[0] == texts[1]) == (first == second) or first * 100 == second * 100


def test_what_is_shown_is_off_by_a_tenth_of_the_difference_at_most() -> None:
    """52.37 and 52.372 differ, and yet nobody sees from them that they are .0019 apart."""
    rng = random.Random(5)
    for _ in range(3000):
        first = rng.choice((0.0, 1.0, -1.0)) * 10 ** rng.uniform(-6, 12)
        second = first + rng.choice((1, -1)) * 10 ** rng.uniform(-9, 12)
        one, other = map(float, tell_apart(first, second))
        assert abs(one - first) + abs(other - second) <= abs(second - first) * 0.100001 or first == second


def test_many_numbers_are_told_apart_from_their_neighbours() -> None:
    assert told_apart([52.3701, 52.3704, 52.3711]) == ["52.3701", "52.3704", "52.3711"]
    assert told_apart([1.0, 1.0, 2.0]) == ["1", "1", "2"]
    assert told_apart([]) == []
    rng = random.Random(6)
    for _ in range(300):
        edges = sorted({1e9 + rng.random() ** 20 for _ in range(10)})
        assert len(set(told_apart(edges))) == len(edges)


def test_a_number_that_is_alone() -> None:
    assert (to("features.a", 151.234), to("error", 0.0104)) == (" to 151.2", " to 1.0%")


def test_where_a_series_stands_and_how_far_it_moved() -> None:
    assert now_before("features.a", 151.2, 99.18) == " (now 151.2, before 99.18)"
    assert now_before("error", 0.0104, 0.0101) == " (now 1.04%, before 1.01%)"
    assert (deviations(-2.61), deviations(0.004), deviations(0.0)) == (
        "-2.6 deviations",
        "+0.004 deviations",
        "+0.0 deviations",
    )
