"""Ten days of the standard set's monitors that learn from days: cuts, snapshots, and what a person is told."""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.config.standard import STANDARD
from streamer.engine.task import Task
from streamer.port import Tick
from tests.engine.tasks import news
from tests.series.windows import BEGIN_S, DAY_S, HOUR_S
from tests.signals.events import HEAD

MINE = ("feature-distribution", "anomaly-fraction", "traffic", "latency", "error", "no-data", "caller-silent")
AT = ("inferences", 0)
BEGIN = BEGIN_S // DAY_S * DAY_S
EVERY_S = 120.0
HALF_S = 1800


def config() -> Config:
    others = "".join(f"  {name}: false\n" for name in STANDARD if name not in MINE)
    head = HEAD.replace("100", "100, windows: 10")
    return load_text(f"{head}heartbeat: {{interval: 30m}}\nmonitors:\n{others}", "x", {})


def events(days: int, fault: str = "", seed: int = 1) -> list[dict[str, Any]]:
    """Nobody at night; from the last noon on a fault."""
    rng, found, t = random.Random(seed), [], 0.0
    noon = (days - 1) * DAY_S + 12 * HOUR_S
    while t < days * DAY_S:
        t += rng.expovariate(1 / EVERY_S)
        if not 7 * HOUR_S <= t % DAY_S < 22 * HOUR_S:
            continue
        caller, broken = rng.choices(("app", "desk", "batch"), (7, 2, 1))[0], t >= noon
        if broken and (fault == "dead" or (fault == "caller" and caller == "desk")):
            continue
        latency = rng.gammavariate(4, 10) * (2.5 if broken and fault == "latency" else 1.0)
        event = {"time": BEGIN + t, "caller": caller, "latency_ms": latency, "features": {"a": rng.gauss(0, 1)}}
        found.append({"model": "m", "status": "500" if rng.random() < 0.01 else "200", **event})
    return found


def feed(task: Task, given: list[dict[str, Any]], begin_s: float, end_s: float, size: Callable[[], int]) -> None:
    """The events of a stretch of time as batches of at most so many, and a tick at the end of every half an hour."""
    fields, times = fields_of(task.config), [e["time"] for e in given]
    offset = bisect_left(times, begin_s)
    for tick in range(int(begin_s) + HALF_S, int(end_s) + 1, HALF_S):
        until = bisect_left(times, tick)
        while offset < until:
            part = given[offset : min(offset + size(), until)]
            records = [Record(offset + k, -1, None, json.dumps(e).encode()) for k, e in enumerate(part)]
            task.step(decode(records, fields, AT[0]))
            offset += len(part)
        task.tick(Tick(offset, tick * 1000, caught_up=True))


def fired(task: Task) -> list[tuple[str, str]]:
    labels = [a["alert"]["labels"] for a in news(task.outbox) if a["status"] == "firing"]
    return [(one["monitor"], one.get("caller", "")) for one in labels]


def whole() -> int:
    return 1000


def played(fault: str, days: int = 10, size: Callable[[], int] = whole) -> Task:
    task = Task(config(), AT, 0)
    feed(task, events(days, fault), BEGIN, BEGIN + days * DAY_S, size)
    return task


SCHOOL = [("no-data", "")]
"""The first night is news, and no other."""


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("", []),
        ("caller", [("caller-silent", "desk")]),
        ("latency", [("latency", "")]),
    ],
)
def test_nights_are_no_silence_and_a_fault_is_told_by_the_monitor_that_is_about_it(
    fault: str, found: list[tuple[str, str]]
) -> None:
    assert fired(played(fault)) == SCHOOL + found


def test_a_model_that_is_busy_around_the_clock_and_stops_is_missed_after_an_hour() -> None:
    rng, task = random.Random(2), Task(config(), AT, 0)
    given = [{"model": "m", "time": BEGIN + 60.0 * i + 30 * rng.random(), "caller": "app"} for i in range(9 * 1440)]
    feed(task, given, BEGIN, BEGIN + 9 * DAY_S + 3 * HOUR_S, whole)
    [told] = news(task.outbox)
    assert told["alert"]["labels"]["monitor"] == "no-data"
    assert told["sentence"].startswith("m: no events for 1h (limit 1h)")


def test_the_cut_of_the_log_changes_nothing() -> None:
    """Single records among batches of all sizes."""
    rng, uncut = random.Random(4), played("caller", 9)
    cut = played("caller", 9, lambda: rng.choice((1, 1, 2, 7, 41)))
    assert cut.outbox == uncut.outbox
    assert cut.dump() == uncut.dump()


def test_a_snapshot_continues_as_if_nothing_had_happened() -> None:
    given, setup = events(9, "latency"), config()
    uncut, first = Task(setup, AT, 0), Task(setup, AT, 0)
    middle_s, end_s = BEGIN + 8 * DAY_S + 13 * HOUR_S, BEGIN + 9 * DAY_S
    feed(uncut, given, BEGIN, end_s, whole)
    feed(first, given, BEGIN, middle_s, whole)
    second = Task.load(setup, AT, first.dump())
    feed(second, given, middle_s, end_s, whole)
    assert first.outbox + second.outbox == uncut.outbox
    assert second.dump() == uncut.dump()
