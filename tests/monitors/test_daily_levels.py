"""A statistic against healthy days: swings, saws and rushes are quiet, what lasts is found at each size of change."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sin
from typing import Any

import numpy as np
import pytest

from detectors.extremes import DAY_MS
from streamer.monitors.daily_levels import LOADS, DailyLevelMonitor, load_of
from streamer.monitors.seasons import HOUR_MS
from tests.monitors.daily import monitor_of, span, taken_up

TEXT = "{kind: level, against: days, change: 0.2, direction: up}"
SIGNAL, WINDOW = "p95(latency_ms)", "{time: 1m, least: 100}"
A_DAY = 72
EVERY_MS = DAY_MS // A_DAY
NOISE = 0.08
"""Of the 95th percentile of a hundred values."""
Shape = Callable[[int], tuple[float, int]]
"""Of a window: the level, and how many events it has."""


def still(window: int) -> tuple[float, int]:
    return 80.0, 120


def daily(window: int) -> tuple[float, int]:
    load = (1 + 0.7 * sin(2 * pi * window / A_DAY)) * (0.6 if window // A_DAY % 7 >= 5 else 1.0)
    return 80.0 * np.exp(0.4 * (load - 1) / (load + 1)), round(120 * load)


def saw(window: int) -> tuple[float, int]:
    return 80.0 * np.exp(0.5 * (window % 18 / 18 - 0.5)), 120


def rushes(window: int) -> tuple[float, int]:
    """Six hours of one day of each week, at another hour each time, with three times the load."""
    week, rest = divmod(window, 7 * A_DAY)
    begin = (week * 5 % 7) * A_DAY + 30 + 4 * week
    load = 3.0 if begin <= rest < begin + 18 else 1.0
    return 80.0 * np.exp(0.4 * (load - 1) / (load + 1)), round(120 * load)


def breaches(monitor: Any, shape: Shape, begin: int, end: int, times: float = 1.0, seed: int = 0) -> list[int]:
    """Windows in which there is a breach."""
    draw = np.random.default_rng((seed, begin))
    found = []
    for window in range(begin, end):
        level, n = shape(window)
        value = times * level * (1 + NOISE * draw.standard_normal())
        monitor_span = span(window * EVERY_MS, EVERY_MS, n)
        learn(monitor, value, window)
        if monitor.judge(0, value, monitor_span, window).breach:
            found.append(window)
    return found


def learn(monitor: Any, value: float, window: int) -> None:
    """What the table does before a monitor looks."""
    row, one = np.zeros(1, np.int64), np.array([window])
    monitor.table.reference.update(row, np.array([value]), row, one, one)


def latency() -> DailyLevelMonitor:
    monitor = monitor_of(TEXT, SIGNAL, WINDOW)
    assert type(monitor) is DailyLevelMonitor
    return monitor


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [still, daily, saw, rushes])
def test_four_healthy_weeks_are_quiet(shape: Shape, seed: int) -> None:
    found = breaches(latency(), shape, 0, 28 * A_DAY, seed=seed)
    # It may be wrong once in five hundred days and was once in these twelve times four weeks, for a window.
    assert len(found) <= 1


@pytest.mark.parametrize("shape", [still, daily, saw, rushes])
def test_a_third_more_is_found_in_a_day_and_twice_as_much_in_two_hours(shape: Shape) -> None:
    for times, within in ((1.3, A_DAY), (2.0, 6)):
        monitor, at = latency(), 24 * A_DAY + 30
        breaches(monitor, shape, 0, at)
        found = breaches(monitor, shape, at, at + within, times)
        assert found, f"{times} x"


def test_the_stretch_that_is_told_is_all_that_was_averaged() -> None:
    monitor, at = latency(), 10 * A_DAY
    breaches(monitor, still, 0, at)
    verdicts = [monitor.judge(0, 80.0 * 1.3, span(w * EVERY_MS, EVERY_MS, 120), w) for w in range(at, at + 20)]
    told = next(verdict for verdict in verdicts if verdict.breach)
    place = verdicts.index(told)
    assert told.begin_ms == (at + place - told.n + 1) * EVERY_MS
    assert monitor.told(0, told, span((at + place) * EVERY_MS, EVERY_MS, 120))["evidence"]["window"]["n"] == told.n > 1


def test_a_faster_model_is_no_news_where_only_slower_is_asked_for() -> None:
    monitor, at = latency(), 10 * A_DAY
    breaches(monitor, still, 0, at)
    assert breaches(monitor, still, at, at + A_DAY, 0.3) == []
    both = monitor_of("{kind: level, against: days, change: 0.2}", SIGNAL, WINDOW)
    breaches(both, still, 0, at)
    assert breaches(both, still, at, at + A_DAY, 0.3) != []


def test_in_school_only_what_is_far_beyond_all_is_told_and_not_again_when_it_comes_again() -> None:
    monitor = latency()
    assert breaches(monitor, still, 0, A_DAY) == []
    assert breaches(monitor, still, A_DAY, A_DAY + 12, 1.4) == []
    assert breaches(monitor, still, A_DAY + 12, A_DAY + 30, 2.5) != []
    breaches(monitor, still, A_DAY + 30, A_DAY + 46)
    assert breaches(monitor, still, A_DAY + 46, A_DAY + 60) == []
    assert breaches(monitor, still, A_DAY + 60, A_DAY + 78, 2.2) == []


def test_loads_are_told_apart_and_none_is_out_of_bounds() -> None:
    loads = [load_of(span(0, HOUR_MS, n)) for n in (1, 10, 12, 20, 100_000)]
    assert loads == sorted(loads)
    assert loads[1] == loads[2] < loads[3], "half as much again is another load"
    assert load_of(span(0, 400 * DAY_MS, 1)) == 0
    assert load_of(span(0, 1000, 10**9)) == LOADS - 1


def test_a_snapshot_goes_on_as_the_monitor_does() -> None:
    for days, times in ((2, 3.0), (9, 1.5)):
        monitor = latency()
        breaches(monitor, daily, 0, days * A_DAY)
        breaches(monitor, daily, days * A_DAY, days * A_DAY + 6, times)
        other = taken_up(monitor, TEXT, SIGNAL, WINDOW)
        other.table.reference.load(monitor.table.reference.dump())
        for one in (monitor, other):
            breaches(one, daily, days * A_DAY + 6, (days + 2) * A_DAY)
        assert str(monitor.dump()) == str(other.dump())


def test_a_swing_of_another_shape_is_refused() -> None:
    monitor = latency()
    breaches(monitor, still, 0, 3)
    state = monitor.dump()
    state["swings"][0][1] = state["swings"][0][1][:-1]
    with pytest.raises(ValueError, match="swing"):
        latency().load(state)


def test_alike_days_by_chance_make_no_near_limit() -> None:
    """The first week's highest values happen to be much alike; what its values differ by says that they need not be."""
    monitor = latency()
    learn(monitor, 76.0, 0)
    monitor.part = monitor.part._replace(a_day=1 / 140, series=1)  # As one of a standard set.
    draw = np.random.default_rng(1)
    a_day, window_ms = 14, DAY_MS // 14
    values = np.clip(draw.normal(74.0, 8.0, 10 * a_day), 50.0, 85.0)
    values[::a_day] = 85.0
    for at, value in enumerate([*values.tolist(), 104.0]):
        told = monitor.judge(0, value, span(at * window_ms, window_ms, 100), at + 1)
        assert not told.breach
    assert monitor.judge(0, 152.0, span((at + 1) * window_ms, window_ms, 100), at + 2).breach
