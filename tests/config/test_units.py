"""Durations and sizes: what a config writes is what it shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.units import DURATION_MAX, parse_duration, parse_size, rough_duration, show_duration, show_size

NO_DURATIONS = ["", "s", "1", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1S", "1w", "1s1ms", "12345678901234s", "١s"]
NO_SIZES = ["", "B", "-1", "1.5KB", "1 KB", "1kb", "1GiB", "1234567890123"]


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


@given(st.integers(0, DURATION_MAX), st.integers(0, 10**12 - 1))
def test_what_is_shown_reads_back(milliseconds: int, size: int) -> None:
    assert parse_duration(show_duration(milliseconds)) == milliseconds
    assert parse_size(show_size(size)) == size


@pytest.mark.parametrize("text", [*NO_DURATIONS, None, 1, True])
def test_what_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration such as") as error:
        parse_duration(text)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("text", [*NO_SIZES, -1, 1.0, True, None, [1]])
def test_what_is_no_size(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a size such as"):
        parse_size(text)


def test_a_hundred_years_are_enough() -> None:
    assert parse_duration("36500d") == DURATION_MAX
    with pytest.raises(ValueError, match="36501d is over the limit of 36500d."):
        parse_duration("36501d")


def test_a_person_is_told_the_two_largest_units() -> None:
    told = {29_410 * 60_000: "20d 10h", 3_600_000: "1h", 89_999.0: "1m 30s", 1_500: "1s 500ms", 400: "400ms", 0: "0s"}
    assert {ms: rough_duration(ms) for ms in told} == told
    assert rough_duration(86_399_999) == "1d", "rounded up to the next unit"
