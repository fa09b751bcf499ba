"""Traffic against healthy days: office hours, batches, growth and holidays are quiet, a fall and a storm are not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from math import pi, sin
from typing import Any

import numpy as np
import pytest

from streamer.monitors.daily_traffic import DailyTrafficMonitor
from streamer.monitors.seasons import HOUR_MS
from tests.monitors.daily import monitor_of, span, taken_up

TEXT, SIGNAL, WINDOW = "{kind: level, against: days}", "traffic", "{time: 10m}"
TEN_MS = HOUR_MS // 6
WEEK = 7 * 24
Load = Callable[[int], float]
SEEDS = 10 if os.environ.get("DRIFTLINE_REPETITIONS") else 2


def steady(hour: int) -> float:
    return 1.0


def day_night(hour: int) -> float:
    weekend = hour // 24 % 7 >= 5
    return (1 + 0.7 * sin(2 * pi * (hour - 9) / 24)) * (0.6 if weekend else 1.0)


def office(hour: int) -> float:
    return 3.6 if 9 <= hour % 24 < 18 and hour // 24 % 7 < 5 else 0.05


def batch(hour: int) -> float:
    return 12.0 if hour % 24 == 2 else 0.7


def growth(hour: int) -> float:
    return 1.05 ** (hour / WEEK)


def holiday(hour: int) -> float:
    return day_night(hour) * (0.3 if hour // 24 in (16, 22) else 1.0)


def bursts(hour: int) -> float:
    """Of the windows of an hour only one has them."""
    return 1.0


def breaches(monitor: Any, load: Load, begin: float, end: int, seed: int = 0, a_window: float = 60.0) -> list[int]:
    """The hours in whose windows there is a breach; it may begin within an hour."""
    draw = np.random.default_rng((seed, int(begin)))
    found = []
    for window in range(round(begin * 6), end * 6):
        share = 6.0 * (window % 6 == 0) + 0.01 if load is bursts else load(window // 6)
        value = float(draw.poisson(a_window * share))
        if monitor.judge(0, value, span(window * TEN_MS, TEN_MS, int(value)), 0).breach:
            found.append(window // 6)
    return sorted(set(found))


def traffic() -> DailyTrafficMonitor:
    monitor = monitor_of(TEXT, SIGNAL, WINDOW)
    assert type(monitor) is DailyTrafficMonitor
    return monitor


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("load", [steady, day_night, office, batch, growth, holiday, bursts])
def test_four_healthy_weeks_are_quiet(load: Load, seed: int) -> None:
    found = breaches(traffic(), load, 0, 4 * WEEK, seed)
    assert [hour for hour in found if hour >= WEEK] == []
    assert sum(hour - 1 not in found for hour in found) <= 2, "at most what is new in the first days"


@pytest.mark.parametrize("begin", [0, 12, 2 * 24 + 16, 5 * 24, 6 * 24 + 12])
def test_who_opens_in_the_morning_and_goes_home_is_no_fault(begin: int) -> None:
    """Not in the first days either, whenever they begin."""
    for seed in range(3):
        assert breaches(traffic(), office, begin, begin + WEEK, seed) == []


@pytest.mark.parametrize("factor", [0.25, 4.0, 8.0])
def test_in_the_first_day_a_fault_is_smaller_than_a_morning_and_begins_at_any_minute(factor: float) -> None:
    for begin, found in ((3.0, []), (3 + 1 / 3, [3]), (3.5, []), (3 + 2 / 3, [3])):
        monitor = traffic()
        assert breaches(monitor, steady, 0, 3) == breaches(monitor, steady, 3, round(begin)) == []
        assert breaches(monitor, lambda hour: factor, begin, 4) == found


@pytest.mark.parametrize("night", [0.5, 0.2, 0.05])
def test_the_first_mornings_and_evenings_are_no_news(night: float) -> None:
    """However quiet the night is, and whenever the model starts; ten seeds of each."""
    for seed in range(SEEDS):
        begin = (4, 14, 0, 2, 6, 8, 12, 18, 22, 5 * 24 + 3)[seed]
        assert breaches(traffic(), lambda hour: 1.0 if 7 <= hour % 24 < 22 else night, begin, begin + 72, seed) == []


def spoken(monitor: Any, hour: int, windows: int, mean: float, draw: np.random.Generator) -> bool:
    """Whether there is a breach in an hour of so many windows with events, between two silences."""
    told = False
    for place in range(windows):
        given = span((hour * 6 + place) * TEN_MS, TEN_MS, 1)._replace(whole=0 < place < windows - 1)
        told |= monitor.judge(0, float(draw.poisson(mean)), given, 0).breach
    return told


@pytest.mark.parametrize(("hours", "windows"), [(range(24), 1), ((2,), 6)])
def test_windows_beside_a_silence_count(hours: Sequence[int], windows: int) -> None:
    """All events of an hour come in its first minutes, or all of a day in one hour of the night."""
    for seed in range(SEEDS):
        monitor, draw, at = traffic(), np.random.default_rng(seed), 22 * 24
        assert not any([spoken(monitor, day + h, windows, 100.0, draw) for day in range(0, at, 24) for h in hours])
        told = [spoken(monitor, at + h, windows, 30.0, draw) for h in (*hours, hours[0] + 24)]
        assert not told[0]
        assert any(told[1:6]), "once the hour is over, or some of them"


def test_hours_beside_hours_without_events_are_left_to_silence() -> None:
    monitor, draw, at = traffic(), np.random.default_rng(0), 22 * 24
    for hour in range(at):
        spoken(monitor, hour, 6, 60.0, draw)
    assert not spoken(monitor, at, 2, 60.0, draw), "then nothing for three hours"
    assert not spoken(monitor, at + 4, 2, 60.0, draw)
    assert not spoken(monitor, at + 5, 6, 60.0, draw)
    assert not spoken(monitor, at + 6, 6, 18.0, draw)
    assert spoken(monitor, at + 7, 6, 18.0, draw), "later hours are judged as ever"


@pytest.mark.parametrize("load", [steady, day_night, office, holiday, growth])
def test_a_fall_to_thirty_percent_over_four_busy_hours_is_found_and_is_over(load: Load) -> None:
    monitor, at = traffic(), 3 * WEEK + 3 * 24 + 11
    assert [hour for hour in breaches(monitor, load, 0, at) if hour >= WEEK] == []
    found = breaches(monitor, lambda hour: 0.3 * load(hour), at, at + 4)
    assert found[:1] == [at + 1], "once the first hour of it is over"
    assert breaches(monitor, load, at + 4, at + 24)[-1:] <= [at + 5]


def test_a_holiday_is_low_from_its_morning_on_and_a_fault_begins_at_some_hour() -> None:
    monitor, at = traffic(), 3 * WEEK + 24
    breaches(monitor, day_night, 0, at)
    assert breaches(monitor, lambda hour: 0.3 * day_night(hour), at, at + 24) == []


def test_a_storm_is_found_in_ten_minutes() -> None:
    monitor, at = traffic(), 2 * WEEK + 12
    breaches(monitor, day_night, 0, at)
    assert breaches(monitor, lambda hour: 6.0 * day_night(hour), at, at + 1) == [at]


def test_thin_traffic_falls_by_chance() -> None:
    assert [h for h in breaches(traffic(), day_night, 0, 4 * WEEK, a_window=1.5) if h >= WEEK] == []


def test_in_school_what_was_told_is_not_told_again() -> None:
    monitor = traffic()
    assert breaches(monitor, steady, 0, 5) == []
    assert breaches(monitor, lambda hour: 3.0, 5 + 1 / 3, 6) == [5]
    assert breaches(monitor, steady, 6, 12) == []
    assert breaches(monitor, lambda hour: 3.0, 12 + 1 / 3, 13) == []


@pytest.mark.parametrize(("direction", "found"), [("up", []), ("down", [1])])
def test_only_the_direction_that_is_wanted_is_a_breach(direction: str, found: list[int]) -> None:
    monitor, at = monitor_of(f"{{kind: level, against: days, direction: {direction}}}", SIGNAL, WINDOW), 2 * WEEK
    breaches(monitor, steady, 0, at)
    assert [hour - at for hour in breaches(monitor, lambda hour: 0.2, at, at + 2)] == found


def test_a_snapshot_goes_on_as_the_monitor_does() -> None:
    monitor, at = traffic(), 9 * 24 + 5
    breaches(monitor, day_night, 0, at)
    other = taken_up(monitor, TEXT, SIGNAL, WINDOW)
    for one in (monitor, other):
        breaches(one, lambda hour: 0.3 * day_night(hour), at, at + 30)
    assert str(monitor.dump()) == str(other.dump())


def test_a_week_of_another_length_is_refused() -> None:
    monitor = traffic()
    breaches(monitor, steady, 0, 2)
    state = monitor.dump()
    state["hours"][0][1] = state["hours"][0][1][:-1]
    with pytest.raises(ValueError, match="week"):
        traffic().load(state)
