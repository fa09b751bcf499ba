"""Which times the calendar has out of the ordinary, by the clock of its zone."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.config.calendar import Calendar
from streamer.series.calendar import NEVER, Away

HOUR_MS = 3_600_000


def ms(time: str) -> int:
    return int(np.datetime64(time, "ms").astype(np.int64))


def away(zone: str = "Europe/Amsterdam", **parts: list[dict[str, object]]) -> Away:
    return Away(Calendar.model_validate({"zone": zone, **parts}))


def hours(calendar: Away, first: str, last: str, model: str = "m") -> list[str]:
    """The whole hours from first to last that are in it, in UTC; one by one and all at once."""
    times = np.arange(ms(first), ms(last), HOUR_MS)
    found = calendar.at(model, times)
    assert [calendar.now(model, time) for time in times.tolist()] == found.tolist()
    assert calendar.within(model, ms(first), ms(last)) == HOUR_MS * np.count_nonzero(found)
    return [str(np.datetime64(time, "ms"))[5:13] for time in times[found].tolist()]


def test_a_day_is_one_of_the_zone() -> None:
    found = hours(away(days=[{"date": "2026-12-25"}]), "2026-12-20T00:00", "2026-12-31T00:00")
    assert (found[0], found[-1], len(found)) == ("12-24T23", "12-25T22", 24)
    assert not NEVER


@pytest.mark.parametrize(("day", "length"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_on_which_the_clock_changes_has_another_length(day: str, length: int) -> None:
    calendar = away(days=[{"date": day}])
    around = ms(f"{day}T00:00")
    assert calendar.within("m", around - 48 * HOUR_MS, around + 72 * HOUR_MS) == length * HOUR_MS


@pytest.mark.parametrize(("opens", "closes", "begin", "length"), [("02:00", "03:00", 1, 1), ("01:00", "02:30", 0, 1.5)])
def test_hours_that_never_come_are_those_after_them(opens: str, closes: str, begin: int, length: float) -> None:
    """At 02:00 of 29 March the clock of Amsterdam goes to 03:00."""
    window = {"from": f"2026-03-29T{opens}", "to": f"2026-03-29T{closes}"}
    calendar = away(maintenance=[window])
    assert calendar.now("m", ms(f"2026-03-29T0{begin}:00"))
    assert calendar.within("m", ms("2026-03-28T00:00"), ms("2026-03-30T00:00")) == length * HOUR_MS


def test_an_hour_that_comes_twice_is_in_it_twice() -> None:
    window = {"from": "2026-10-25T02:00", "to": "2026-10-25T02:30"}
    calendar = away(maintenance=[window])
    assert calendar.within("m", ms("2026-10-24T00:00"), ms("2026-10-26T00:00")) == 1.5 * HOUR_MS


def test_what_comes_again_and_overlaps() -> None:
    nightly = {"every": "sunday", "from": "23:00", "to": "01:00"}
    calendar = away("UTC", maintenance=[nightly], days=[{"every": "month-end"}])
    found = hours(calendar, "2026-05-22T00:00", "2026-06-08T00:00")  # 31 May is a Sunday.
    assert found[:2] == ["05-24T23", "05-25T00"]
    assert found[2:-1] == [f"05-31T{hour:02d}" for hour in range(24)] + ["06-01T00"]
    assert found[-1] == "06-07T23"


def test_several_days_and_one_model_only() -> None:
    calendar = away("UTC", days=[{"date": "2026-01-01", "to": "2026-01-03", "models": ["a"]}])
    assert len(hours(calendar, "2025-12-01T00:00", "2026-02-01T00:00", "a")) == 72
    assert hours(calendar, "2025-12-01T00:00", "2026-02-01T00:00", "b") == []


def test_models_are_named_by_patterns_too() -> None:
    calendar = away("UTC", days=[{"date": "2026-12-25", "models": ["credit-*", "fraud"]}])
    noon = ms("2026-12-25T12:00")
    told = [calendar.now(name, noon) for name in ("credit-eu", "fraud", "credit", "frauds")]
    assert told == [True, True, False, False]


def test_spans_are_told_as_they_are_within_two_times() -> None:
    calendar = away("UTC", days=[{"date": "2026-12-25", "models": ["m*"]}, {"date": "2026-12-31"}])
    christmas, new_year = ms("2026-12-25T00:00"), ms("2026-12-31T00:00")
    first, last = christmas + HOUR_MS, new_year + HOUR_MS
    assert calendar.spans("m", first, last) == [[first, christmas + 24 * HOUR_MS], [new_year, last]]
    assert calendar.spans("other", first, last) == [[new_year, last]]
    assert calendar.spans("m", first - 50 * 24 * HOUR_MS, first - 2 * HOUR_MS) == []
    assert NEVER.spans("m", first, last) == []
