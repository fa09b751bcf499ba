"""Aggregates per window of event time: what a window counts, disorder, cuts, and statistics as numpy has them."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.engine.task import Task
from streamer.monitors.levels import LevelMonitor
from streamer.series.aggregates import Aggregates
from tests.series.windows import AT, BEGIN_S, TRAFFIC, config, latency, run


def test_a_window_counts_what_is_in_it() -> None:
    setup = config("  t: {signal: traffic, detect: {kind: adwin}}\n", "limits: {lateness: 0s}\n")
    events = [{"time": BEGIN_S + t} for t in (5, 61, 62, 119, 125, 179, 200, 1000, 1001, 1061, 1121)]
    task = run(setup, events)
    [table] = task.tables.values()
    # Of the windows 0..3, 16..18 those with a neighbour on both sides count, whose first one is a part.
    assert table.reference.at(0).n == 3
    [rule] = [source for source in task.sources.values() if isinstance(source, Aggregates)]
    assert rule.clocks["m"].spoke == (BEGIN_S + 1121) // 60 - 1


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


def test_a_window_goes_on_until_it_has_seen_enough() -> None:
    text = "  l: {signal: p95(latency_ms), window: {time: 1m, least: 100}, detect: {kind: level}}\n"
    setup = config(text, "limits: {lateness: 0s}\nreference: {windows: 10}\n")
    values = [float(i * 37 % 101) for i in range(1000)]
    for every_s, windows in ((0.1, 1), (20, 9), (900, 9)):  # Fast, thin, and with silences longer than a window.
        events = [{"time": BEGIN_S + i * every_s, "latency_ms": value} for i, value in enumerate(values)]
        [monitor] = run(setup, events).by_order
        assert isinstance(monitor, LevelMonitor)
        # Of 600 events in a minute, or of about a hundred.
        assert monitor.kept[0, 0] == pytest.approx([95] * windows, abs=3)


def test_the_statistics_of_a_long_window_are_those_of_all_its_numbers() -> None:
    draw = np.random.default_rng(3)
    values = draw.lognormal(8, 1, 240)
    for name in ("mean", "std", "min", "max"):
        text = f"  l: {{signal: {name}(value), window: {{time: 1m, least: 240}}, detect: {{kind: level}}}}\n"
        events = [{"time": BEGIN_S + 11 * i, "prediction": {"value": v}} for i, v in enumerate([*values, 1.0, 1.0])]
        events.append({"time": BEGIN_S + 86_400, "prediction": {"value": 1.0}})
        [monitor] = run(config(text, "limits: {lateness: 0s}\n"), events).by_order
        assert isinstance(monitor, LevelMonitor)
        # But for those that share its last minute.
        assert monitor.kept[0, 0] == pytest.approx([getattr(np, name)(values)], rel=0.02)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_counts_beside_a_silence_stand_apart(size: int) -> None:
    """In minutes of a burst each ten; the first of all is a part of a window."""
    setup = config("  t: {signal: traffic, detect: {kind: level, against: days}}\n", "limits: {lateness: 0s}\n")
    times = [600 * burst + second for burst in range(4) for second in (0, 10, 70, 130, 140, 150)]
    task = run(setup, [], size)
    [source] = [source for source in task.sources.values() if isinstance(source, Aggregates)]
    [table] = task.tables.values()
    found: list[tuple[int, float]] = []
    for begin in range(0, len(times), size):
        records = [
            Record(begin + i, -1, None, json.dumps({"model": "m", "time": BEGIN_S + at}).encode())
            for i, at in enumerate(times[begin : begin + size])
        ]
        task.step(decode(records, fields_of(setup), AT[0]))
        edges = source.edges()
        found += [(span[0] // 1000 - BEGIN_S, value) for span, value in zip(edges.spans, edges.values, strict=True)]
    # The last window of the first burst, then the first and the last of each: what is open is not told yet.
    assert found == [(120, 3.0), (600, 2.0), (720, 3.0), (1200, 2.0), (1320, 3.0), (1800, 2.0)]
    assert table.reference.at(0).n == 4, "and nobody else sees them"
