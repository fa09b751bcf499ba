"""Traffic against healthy days: office hours, batches, growth and holidays are quiet, a fall and a storm are not."""

from __future__ import annotations

from collections.abc import Callable
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


def breaches(monitor: Any, load: Load, begin: int, end: int, seed: int = 0, a_window: float = 60.0) -> list[int]:
    """The hours in whose windows there is a breach."""
    draw = np.random.default_rng((seed, begin))
    found = []
    for window in range(begin * 6, end * 6):
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
def test_in_the_first_day_a_fault_is_smaller_than_a_morning(factor: float) -> None:
    monitor = traffic()
    assert breaches(monitor, steady, 0, 3) == []
    assert breaches(monitor, lambda hour: factor, 3, 4) == [3]


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
    assert breaches(monitor, lambda hour: 3.0, 5, 6) == [5]
    assert breaches(monitor, steady, 6, 12) == []
    assert breaches(monitor, lambda hour: 3.0, 12, 13) == []


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
