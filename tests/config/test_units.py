"""Durations and sizes: what a config writes is what it shows."""

from __future__ import annotations

import pytest

from streamer.config.units import parse_duration, parse_size, show_duration, show_size


@pytest.mark.parametrize(
    ("text", "value"), [("250ms", 250), ("10s", 10_000), ("2m", 120_000), ("1h", 3_600_000), ("7d", 604_800_000)]
)
def test_durations(text: str, value: int) -> None:
    assert (parse_duration(text), show_duration(value)) == (value, text)


@pytest.mark.parametrize(
    ("text", "value"), [("7B", 7), ("900KB", 900_000), ("3MB", 3_000_000), ("3KiB", 3072), ("1MiB", 1 << 20)]
)
def test_sizes(text: str, value: int) -> None:
    assert (parse_size(text), show_size(value)) == (value, text)
    assert (parse_size(str(value)), parse_size(value)) == (value, value)
