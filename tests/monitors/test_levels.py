"""Levels and trends of aggregates: what is far from what others were, under cycles, seasons and slow leaks."""

from __future__ import annotations

import random
from math import pi, sin
from typing import Any

import pytest

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
