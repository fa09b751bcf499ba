"""Aggregates per window of event time: traffic, quantiles of latency, seasons and slow leaks."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from math import pi, sin
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.task import Task
from streamer.series.aggregates import Aggregates

AT = ("inferences", 0)
BEGIN_S = 1_700_006_400  # a full hour
HOUR_S, DAY_S = 3600, 86_400


def config(monitors: str, more: str = "") -> Config:
    head = f'version: 1\nkafka: {{brokers: "b:1"}}\ntopics: {{events: [inferences]}}\n{more}monitors:\n'
    return load_text(head + monitors, "x", {})


def run(setup: Config, events: list[dict[str, Any]], size: int = 500) -> Task:
    task = Task(setup, AT, 0)
    for begin in range(0, len(events), size):
        part = events[begin : begin + size]
        records = [Record(begin + i, -1, None, json.dumps({"model": "m", **e}).encode()) for i, e in enumerate(part)]
        task.step(decode(records, fields_of(setup), AT[0]))
    return task


def alerts(task: Task) -> list[dict[str, Any]]:
    return [json.loads(out.value or b"")["data"] for out in task.outbox if out.topic == "alerts"]


def fired(task: Task) -> list[tuple[str, str]]:
    return [(a["alert"]["labels"]["monitor"], a["direction"]) for a in alerts(task) if a["status"] == "firing"]


def poisson(rng: random.Random, until_s: float, rate: Callable[[float], float], most: float) -> list[float]:
    """Times from 0 on of events that come at `rate(t)` a second, never above `most`."""
    times, now_s = [], 0.0
    while True:
        now_s += rng.expovariate(most)
        if now_s >= until_s:
            return times
        if rng.random() < rate(now_s) / most:
            times.append(now_s)


TRAFFIC = "  t: {signal: traffic, detect: {kind: level}, for: 2m}\n"


def test_a_window_counts_what_is_in_it() -> None:
    setup = config("  t: {signal: traffic, detect: {kind: adwin}}\n", "limits: {lateness: 0s}\n")
    events = [{"time": BEGIN_S + t} for t in (5, 61, 62, 119, 125, 179, 200, 1000, 1001, 1061, 1121)]
    task = run(setup, events)
    [table] = task.tables.values()
    # Of the windows 0..3, 16..18 those with a neighbour on both sides count, whose first one is a part.
    assert table.reference.at(0).n == 3
    [rule] = [source for source in task.sources.values() if isinstance(source, Aggregates)]
    assert rule.clocks["m"].spoke == (BEGIN_S + 1121) // 60 - 1


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


def test_disorder_within_the_bound_changes_no_value() -> None:
    rng = random.Random(3)
    setup = config(
        "  t: {signal: p90(latency_ms), window: {time: 10s}, detect: {kind: adwin}}\n", "limits: {lateness: 30s}\n"
    )
    ordered = [{"time": BEGIN_S + t / 10, "latency_ms": rng.uniform(5, 50)} for t in range(20_000)]
    mixed = sorted(ordered, key=lambda e: e["time"] + rng.uniform(0, 14))
    tables = [next(iter(run(setup, events).tables.values())) for events in (ordered, mixed)]
    n = min(table.reference.at(0).n for table in tables)
    assert n == 60
    assert tables[0].reference.at(0)[:7] == tables[1].reference.at(0)[:7]


def latency(rng: random.Random, i: int, factor: float = 1.0) -> float:
    return rng.gammavariate(4, 3) * factor


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


@pytest.mark.parametrize("size", [1, 13, 100_000])
def test_the_cut_of_the_log_changes_nothing(size: int) -> None:
    rng = random.Random(8)
    setup = config(
        """
  t: {signal: traffic, by: [caller], window: {time: 7s}, detect: {kind: level, recent: 10, beyond: 1, change: 0.2}}
  q: {signal: p95(latency_ms), window: {time: 5s}, detect: {kind: level, against: reference, beyond: 1, change: 0.1}}
  s: {signal: std(latency_ms), window: {time: 5s}, detect: {kind: trend, points: 20, beyond: 1}}
  m: {signal: mean(confidence), window: {time: 3s}, detect: {kind: adwin}}
""",
        "limits: {lateness: 4s}\nreference: {windows: 10}\n",
    )
    events = []
    for i in range(1500):
        event = {"time": BEGIN_S + i * 0.4 + rng.uniform(-3, 3) + (40 if i > 900 else 0), "caller": rng.choice("ab")}
        if rng.random() < 0.8:
            event["latency_ms"] = rng.lognormvariate(0, 1) * (3 if i > 1200 else 1)
        event["prediction"] = {"confidence": rng.random()}
        events.append(event)
    whole, cut = run(setup, events), run(setup, events, size)
    assert cut.outbox == whole.outbox
    assert cut.dump() == whole.dump()
    assert len(whole.outbox) > 3


def test_a_snapshot_continues_as_if_nothing_had_happened() -> None:
    rng = random.Random(9)
    setup = config(TRAFFIC + "  q: {signal: p99(latency_ms), detect: {kind: level, beyond: 1, change: 0.1}}\n")
    events = [{"time": BEGIN_S + t * 2, "latency_ms": latency(rng, t)} for t in range(4000)]
    whole = run(setup, events)
    records = [Record(i, -1, None, json.dumps({"model": "m", **e}).encode()) for i, e in enumerate(events)]
    first = run(setup, events[:2345])
    second = Task.load(setup, AT, first.dump())
    second.step(decode(records[2345:], fields_of(setup), AT[0]))
    assert first.outbox + second.outbox == whole.outbox
    assert second.dump() == whole.dump()


def test_statistics_are_those_of_numpy() -> None:
    rng = np.random.default_rng(1)
    values = rng.lognormal(0, 1, 500)
    for name, expected in (
        ("mean", values.mean()), ("std", values.std()), ("min", values.min()), ("max", values.max()),
        ("count", 500.0), ("median", np.sort(values)[249]), ("p99", np.sort(values)[494]),
    ):  # fmt: skip
        setup = config(
            f"  a: {{signal: {name}(value), detect: {{kind: level, against: reference}}}}\n",
            "reference: {windows: 10}\n",
        )
        events = [
            {"time": BEGIN_S + w * 60 + i / 10, "prediction": {"value": v}}
            for w in range(18)
            for i, v in enumerate(values)
        ]
        task = run(setup, events)
        [table] = task.tables.values()
        assert table.reference.at(0).mean == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("huge", [[0.0, 1e200], [0.0, 1.7e308, 1.7e308], [1e307, 1.7e308, 1.7e308, -1.75e308]])
@pytest.mark.parametrize("stat", ["std", "mean"])
@pytest.mark.parametrize("window", [2, 17])
def test_numbers_near_the_end_of_float64_stop_nothing(huge: list[float], stat: str, window: int) -> None:
    """Found by review: their squares and sums overflowed, and one such window stopped its partition."""
    monitors = f"""  level: {{signal: {stat}(features.x), detect: {{kind: level}}}}
  edge: {{signal: {stat}(features.x), detect: {{kind: adwin}}}}
"""
    setup = config(monitors, "limits: {lateness: 0s}\nreference: {windows: 10}\n")
    values = [huge if number == window else [0.0, 1.0, 2.0] for number in range(22)]
    times = [(BEGIN_S + 60 * number + i, x) for number, xs in enumerate(values) for i, x in enumerate(xs)]
    task = run(setup, [{"time": time_s, "features": {"x": x}} for time_s, x in times])
    assert task.position == len(times)
    assert Task.load(setup, AT, task.dump()).dump() == task.dump()
