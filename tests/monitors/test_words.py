"""The words that sentences share: shares in percent, numbers in four digits, more where two would look the same."""

from __future__ import annotations

import math
import random

import pytest

from streamer.monitors.words import deviations, from_to, now_before, quantity, tell_apart


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


def test_where_a_series_stands_and_how_far_it_moved() -> None:
    assert now_before("features.a", 151.2, 99.18) == " (now 151.2, before 99.18)"
    assert now_before("error", 0.0104, 0.0101) == " (now 1.04%, before 1.01%)"
    assert (deviations(-2.61), deviations(0.004), deviations(0.0)) == (
        "-2.6 deviations",
        "+0.004 deviations",
        "+0.0 deviations",
    )
