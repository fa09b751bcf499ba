"""The words that sentences share: shares in percent, numbers in four digits."""

from __future__ import annotations

import pytest

from streamer.monitors.words import from_to, quantity


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
    ],
)
def test_shares_are_in_percent_and_numbers_in_four_digits(signal: str, before: float, after: float, words: str) -> None:
    assert from_to(signal, before, after) == words
