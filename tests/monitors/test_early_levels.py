"""A statistic that moved soon after its first windows is found in school; what breathes is none, under any shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.monitors.early_levels import EVENTS, LENGTH, WINDOWS, Asked, EarlyLevels
from tests.monitors.daily import monitor_of, span, taken_up
from tests.monitors.test_daily_levels import (
    A_DAY,
    EVERY_MS,
    SIGNAL,
    TEXT,
    WINDOW,
    Shape,
    breaches,
    daily,
    latency,
    learn,
    rushes,
    saw,
    still,
)

SEEDS = range(10)
HOUR = A_DAY // 24


def begun(shape: Shape, times: float, at: int, seed: int, days: float = 2.5) -> list[int]:
    """Windows in which there is a breach, of a series that is so many times as much from one of the first on."""
    monitor = latency()
    assert breaches(monitor, shape, 0, at, seed=seed) == []
    return breaches(monitor, shape, at, at + round(days * A_DAY), times, seed)


@pytest.mark.parametrize("after", [WINDOWS + 1, WINDOWS + HOUR, WINDOWS + 6 * HOUR])
def test_a_third_more_is_told_after_a_day_and_twice_as_much_in_hours(after: int) -> None:
    slow = [begun(still, 1.3, after, seed) for seed in SEEDS]
    fast = [begun(still, 2.0, after, seed, 0.5) for seed in SEEDS]
    assert all(slow)
    assert sum(map(bool, fast)) >= 9, "one of which the first windows were low by chance takes a day, too"
    assert np.median([windows[0] - after for windows in slow]) >= 0.8 * A_DAY, "it must be seen to last"
    assert np.median([windows[0] - after for windows in fast if windows]) < 5 * HOUR


def test_twice_as_much_is_told_of_what_breathes_too() -> None:
    for shape in (daily, saw):
        found = [begun(shape, 2.0, WINDOWS + HOUR, seed) for seed in SEEDS]
        assert sum(map(bool, found)) >= 9, shape


@pytest.mark.parametrize("shape", [still, daily, saw, rushes])
def test_the_first_days_of_a_healthy_series_are_quiet(shape: Shape) -> None:
    for seed in SEEDS:
        begin = seed * 31

        def shifted(window: int, begin: int = begin) -> tuple[float, int]:
            return shape(window + begin)

        assert breaches(latency(), shifted, 0, round(3.3 * A_DAY), seed=seed) == [], seed


def test_it_is_told_as_long_as_it_is_so_by_the_first_windows_and_once() -> None:
    monitor, at = latency(), WINDOWS + HOUR
    breaches(monitor, still, 0, at)
    [first, *_] = found = breaches(monitor, still, at, at + 2 * A_DAY, 2.0)
    assert found == list(range(first, at + 2 * A_DAY))
    value, where = 160.0, span((at + 2 * A_DAY) * EVERY_MS, EVERY_MS, 120)
    learn(monitor, value, at + 2 * A_DAY)
    verdict = monitor.judge(0, value, where, at + 2 * A_DAY)
    assert verdict.expected == pytest.approx(80, rel=0.15), "not by the reference, of which it is the most"
    told = monitor.told(0, verdict, where)
    assert told["finding"]["provisional"]
    over = breaches(monitor, still, at + 2 * A_DAY + 1, at + 3 * A_DAY)
    assert len(over) <= 2 * LENGTH, "it is back"
    assert not monitor.early.rows


def test_a_restart_changes_nothing_and_rows_of_an_older_snapshot_are_no_matter() -> None:
    monitor, at = latency(), WINDOWS + HOUR
    breaches(monitor, still, 0, at)
    breaches(monitor, still, at, at + 9, 2.0)
    other = taken_up(monitor, TEXT, SIGNAL, WINDOW)
    other.table.reference.load(monitor.table.reference.dump())
    assert repr(other.dump()) == repr(monitor.dump())
    found = [breaches(one, still, at + 9, at + A_DAY, 2.0) for one in (monitor, other)]
    assert found[0] == found[1] != []
    state = monitor.dump()
    del state["early"]
    older = monitor_of(TEXT, SIGNAL, WINDOW)
    older.load(state)
    assert older.early.rows == {}


def test_a_statistic_of_a_model_that_is_gone_leaves() -> None:
    monitor = latency()
    breaches(monitor, still, 0, 3)
    assert [*monitor.early.rows] == [0]
    monitor.retain(np.zeros(0, np.int64))
    assert monitor.early.rows == {}


@pytest.mark.parametrize("change", [(0, 7), (4, 2), (1, [-1, 0, 0.0, 0, 0])])
def test_nonsense_is_refused(change: tuple[int, Any]) -> None:
    monitor = latency()
    breaches(monitor, still, 0, 8)
    state = monitor.dump()
    state["early"][0][change[0]] = change[1]
    with pytest.raises(ValueError, match="cannot be"):
        latency().load(state)


def test_the_first_windows_show_as_many_events_as_a_warm_up() -> None:
    early = EarlyLevels()
    early.begin(0)
    for window in range(40):
        early.take(0, 1.0, span(window * EVERY_MS, EVERY_MS, 20), Asked(0.2, 1, 0.1))
    assert early.rows[0].first.events == EVENTS
    early.close(0)
    assert early.take(0, 9.0, span(0, EVERY_MS, 20), Asked(0.2, 1, 0.1)) is None
