"""Levels and trends of aggregates: what is far from what others were, under cycles, seasons and slow leaks."""

from __future__ import annotations

import os
import random
from math import pi, sin
from typing import Any

import numpy as np
import pytest

from streamer.monitors.levels import PATIENCE, AggregateMonitor, LevelMonitor, Span, TrendMonitor
from streamer.monitors.seasons import HOUR_MS
from tests.monitors.daily import monitor_of, span
from tests.series.windows import BEGIN_S, DAY_S, HOUR_S, TRAFFIC, alerts, config, fired, latency, poisson, run


@pytest.mark.parametrize("seed", range(3))
def test_traffic_that_falls_to_a_third_is_found_and_a_day_cycle_is_not(seed: int) -> None:
    rng = random.Random(seed)
    setup = config(TRAFFIC)

    def daily(t: float) -> float:
        return 1.0 + 0.7 * sin(2 * pi * t / DAY_S)

    healthy = [{"time": BEGIN_S + t} for t in poisson(rng, DAY_S, daily, 1.7)]
    assert fired(run(setup, healthy)) == []
    drop_s = 7 * HOUR_S
    less = [e for e in healthy if e["time"] < BEGIN_S + drop_s or rng.random() < 0.33]
    task = run(setup, less)
    assert fired(task)[0] == ("t", "down")
    assert 0 < alerts(task)[0]["trigger"]["offset"] - sum(e["time"] < BEGIN_S + drop_s for e in less) < 600
    assert "expected" in alerts(task)[0]["sentence"]


def test_one_caller_who_stops_and_one_who_retries_in_a_storm() -> None:
    rng = random.Random(5)
    setup = config("  t: {signal: traffic, by: [caller], detect: {kind: level}, for: 1m}\n")
    events = []
    for t in range(3 * HOUR_S):
        for caller in ("app", "desk", "batch"):
            stopped = caller == "desk" and t > 2 * HOUR_S
            storm = 4 if caller == "batch" and t > 2 * HOUR_S else 1
            events += [{"time": BEGIN_S + t, "caller": caller}] * ((rng.random() < 0.6) * storm * (not stopped))
    found = [(a["alert"]["labels"]["caller"], a["direction"]) for a in alerts(run(setup, events))]
    assert sorted(set(found)) == [("batch", "up"), ("desk", "down")]


def test_a_burst_a_day_is_neither_drift_nor_death() -> None:
    setup = config(TRAFFIC, "limits: {lateness: 1m}\n")
    events = [{"time": BEGIN_S + day * DAY_S + i / 10} for day in range(20) for i in range(6000)]
    assert fired(run(setup, events)) == []


def test_a_latency_that_doubles_and_one_that_gets_better() -> None:
    rng = random.Random(4)
    setup = config(
        "  l: {signal: p95(latency_ms), detect: {kind: level, against: reference, direction: up}, for: 2m}\n"
    )
    for factor, wanted in ((2.0, [("l", "up")]), (0.3, [])):
        events = [
            {"time": BEGIN_S + t, "latency_ms": latency(rng, t, factor if t > 3 * HOUR_S else 1.0)}
            for t in range(4 * HOUR_S)
        ]
        assert fired(run(setup, events)) == wanted


@pytest.mark.parametrize(("rise", "wanted"), [(0.01, [("leak", "up")]), (0.0, [])])
def test_one_percent_a_day_is_found_in_two_weeks_under_a_day_cycle(rise: float, wanted: list[tuple[str, str]]) -> None:
    rng = random.Random(6)
    setup = config("  leak: {signal: median(latency_ms), window: {time: 1h}, detect: {kind: trend}}\n")
    events = []
    for minute in range(16 * 24 * 60):
        cycle = 1.0 + 0.2 * sin(2 * pi * minute / 1440)
        events.append(
            {"time": BEGIN_S + minute * 60, "latency_ms": latency(rng, 0, cycle * (1 + rise * minute / 1440))}
        )
    task = run(setup, events)
    assert fired(task) == wanted
    if wanted:
        assert "went steadily from" in alerts(task)[0]["sentence"]


def test_eight_weeks_of_seasons_are_healthy_and_a_changed_hour_is_found() -> None:
    rng = random.Random(7)
    setup = config(
        "  t: {signal: traffic, window: {time: 1h}, detect: {kind: level, season: week, recent: 6, change: 0.4}}\n"
    )

    def weekly(hour: int) -> int:
        day, of_day = hour // 24 % 7, hour % 24
        return int((60 if day < 5 else 20) * (1.2 + sin(2 * pi * of_day / 24)))

    def events(odd: bool) -> list[dict[str, Any]]:
        made = []
        for hour in range(8 * 168):
            n = int(rng.gauss(weekly(hour), weekly(hour) ** 0.5)) + 5
            if odd and hour >= 7 * 168 and hour % 168 in (50, 51, 52):  # As on a weekend: fine on other days.
                n = n // 4
            made += [{"time": BEGIN_S + hour * HOUR_S + i * HOUR_S / n} for i in range(n)]
        return made

    assert fired(run(setup, events(odd=False))) == []
    assert fired(run(setup, events(odd=True)))[:1] == [("t", "down")]


def made(kind: type[AggregateMonitor], text: str, signal: str = "mean(value)") -> Any:
    """The monitor of one row, without a stream."""
    task = run(config(f"  m: {{signal: {signal}, detect: {text}}}\n"), [])
    [monitor] = task.by_order
    assert isinstance(monitor, kind)
    monitor.table.row(("m",), signal)
    monitor.table.resize()
    return monitor


def at(start_ms: int) -> Span:
    return Span(start_ms, start_ms + 60_000, 60)


def judged(monitor: Any, values: list[float], begin: int = 0) -> list[Any]:
    return [monitor.judge(0, value, at(60_000 * (begin + i)), i) for i, value in enumerate(values)]


STEADY = [10.0, 10.5, 9.5, 10.2, 9.8]


def test_a_level_is_judged_once_there_is_enough_to_compare_it_with() -> None:
    monitor = made(LevelMonitor, "{kind: level, recent: 5}")
    early = judged(monitor, STEADY)
    assert [(verdict.breach, verdict.expected) for verdict in early] == [(False, None)] * 5
    [far] = judged(monitor, [40.0], 5)
    assert (far.breach, far.expected, far.n) == (True, 10.0, 5)
    assert far.deviations > 4
    assert monitor.kept[0, 0] == STEADY, "what is in breach is not remembered"
    [near] = judged(monitor, [10.1], 6)
    assert not near.breach
    assert monitor.kept[0, 0] == [*STEADY[1:], 10.1]


@pytest.mark.parametrize(
    ("direction", "breaches"), [("up", [True, False]), ("down", [False, True]), ("both", [True, True])]
)
def test_only_the_direction_that_is_wanted_is_a_breach(direction: str, breaches: list[bool]) -> None:
    monitor = made(LevelMonitor, f"{{kind: level, recent: 5, direction: {direction}}}")
    judged(monitor, STEADY)
    assert [verdict.breach for verdict in judged(monitor, [40.0, -20.0], 5)] == breaches


def test_a_level_that_lasts_is_the_new_normal() -> None:
    monitor = made(LevelMonitor, "{kind: level, recent: 5}")
    judged(monitor, STEADY)
    high = judged(monitor, [40.0] * (PATIENCE * 5 + 1), 5)
    assert all(verdict.breach for verdict in high)
    assert monitor.kept[0, 0] == [40.0], "what was remembered is reset"
    assert [verdict.expected for verdict in judged(monitor, [40.0] * 4, 30)] == [None] * 4
    assert judged(monitor, [40.0], 34)[0].breach is False


def test_hours_are_compared_with_the_same_hour_of_other_days() -> None:
    monitor = made(LevelMonitor, "{kind: level, recent: 5, season: day}")
    for day in range(4):
        for hour in range(24):
            verdict = monitor.judge(0, 10.0 + 50.0 * (hour == 12) + day / 10, at(HOUR_MS * (24 * day + hour)), 0)
            assert (verdict.expected is None) == (day < 3)
            assert not verdict.breach
    assert monitor.judge(0, 60.0, at(HOUR_MS * (24 * 4 + 11)), 0).breach, "fine at noon, and not at eleven"


def test_counts_may_vary_by_chance() -> None:
    counted, measured = (
        made(LevelMonitor, "{kind: level, recent: 5, change: 0.2}", s) for s in ("traffic", "mean(value)")
    )
    for monitor in (counted, measured):
        judged(monitor, [100.0] * 5)
    assert [monitor.judge(0, 130.0, at(0), 0).breach for monitor in (counted, measured)] == [False, True]


def test_a_trend_is_looked_at_now_and_then() -> None:
    monitor = made(TrendMonitor, "{kind: trend, points: 28}")
    verdicts = judged(monitor, [10.0 + 0.1 * i for i in range(32)])
    assert [i for i, verdict in enumerate(verdicts) if verdict is not None] == [27, 29, 31]
    assert all(verdict.breach for verdict in verdicts if verdict is not None)
    assert len(monitor.kept[0, 0]) == len(monitor.places[0]) == 28


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("level", {"kept": [[0, 0, np.zeros(6)]]}),
        ("level", {"kept": [[1, 0, np.zeros(2)]]}),
        ("level", {"kept": [[-1, 0, np.zeros(2)]]}),
        ("trend", {"kept": [[0, 0, np.zeros(2)]], "places": [[0, np.zeros(3, np.int64)]]}),
    ],
)
def test_a_state_that_no_dump_made_is_refused(kind: str, wrong: dict[str, Any]) -> None:
    text = "{kind: level, recent: 5}" if kind == "level" else "{kind: trend, points: 20}"
    monitor = made(AggregateMonitor, text)
    with pytest.raises(ValueError, match="invalid remembered values|without its places"):
        monitor.load({**monitor.dump(), **wrong})


@pytest.mark.parametrize("weekend", [1.0, 0.8, 0.5])
def test_faster_weekends_are_no_trend_and_one_percent_a_day_is(weekend: float) -> None:
    """Eight weeks of hours; ten seeds by DRIFTLINE_REPETITIONS, else one."""
    for seed in range(10 if os.environ.get("DRIFTLINE_REPETITIONS") else 1):
        draw, day = np.random.default_rng(seed), np.arange(8 * 168) // 24
        values = 100.0 * np.where(day % 7 >= 5, weekend, 1.0) * (1.0 + 0.1 * draw.standard_normal(len(day)))
        rising = values * (1.0 + 0.01 * np.maximum(day - 28, 0))
        for given, begin, end in ((values, 0, 56), (rising, 28, 42)):
            monitor = trend_monitor()
            told = [monitor.judge(0, x, span(h * HOUR_MS, HOUR_MS, 9), h) for h, x in enumerate(given.tolist())]
            days = {h // 24 for h, verdict in enumerate(told) if verdict is not None and verdict.breach}
            assert not days if given is values else begin <= min(days) <= end


def trend_monitor() -> TrendMonitor:
    monitor = monitor_of("{kind: trend}", "p95(latency_ms)", "{time: 1h}")
    assert type(monitor) is TrendMonitor
    return monitor
