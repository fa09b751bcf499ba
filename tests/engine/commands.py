"""What tests of the control topic share: an ordered log of events with commands between them, and what came of it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.task import Task
from streamer.engine.tasks import Orderings, Tasks
from streamer.port import Out, Parts, Tick

ORDERED = ("drift-ordered", 0)
TEXT = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in]}
control: {topic: drift-control}
reference: {warmup: 100}
monitors:
  mean: {signal: features.a, accept_after: 30d, repeat_interval: 10m, detect: {kind: adwin}, keep_firing_for: 1m}
  share: {signal: anomaly, window: {events: 100}, repeat_interval: 10m, detect: {kind: fraction, max: 0.2}}
"""
LEARNS = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in]}
control: {topic: drift-control}
verdicts: {topic: said}
reference: {warmup: 30}
"""
"""Of configs that learn from verdicts: `false_alarms` and `monitors` are to follow."""
BASE_MS = 1_700_000_000_000


def config_of(text: str = TEXT) -> Config:
    return load_text(text, "x.yaml", {})


def command(kind: str, id: str = "c1", model: str = "fraud", by: str = "ada", why: str = "known", **data: Any) -> bytes:
    said = {"id": id, "type": kind, "model": model, "by": by, "why": why, "data": data}
    return json.dumps({name: value for name, value in said.items() if value is not None}).encode()


def values(*parts: tuple[float, int], seed: int = 0, model: str = "fraud", step_ms: int = 1000) -> list[bytes]:
    """So many events of these means, a second apart."""
    rng = random.Random(seed)
    drawn = [rng.gauss(mean, 5.0) for mean, count in parts for _ in range(count)]
    return [
        json.dumps({"model": model, "time": (BASE_MS + i * step_ms) / 1000, "features": {"a": value}}).encode()
        for i, value in enumerate(drawn)
    ]


def log_of(
    config: Config, events: Iterable[bytes], commands: Mapping[int, list[bytes]], piece: int = 20
) -> list[Record]:
    """The ordered log: `commands` by how many events stand before them. Records have up to so many events."""
    stages, events = Orderings(config, Parts(1, 1)), list(events)
    of_events, of_commands = stages.new(("in", 0), 0), stages.new(("drift-control", 0), 0)
    log: list[Record] = []

    def put(stage: Any, topic: str, texts: list[bytes]) -> None:
        records = [Record(stage.position + i, -1, None, text) for i, text in enumerate(texts)]
        stage.step(stages.decode(records, topic))
        for out in stage.outbox:
            assert out.topic == "ordered", out
            log.append(Record(len(log), 0, None, out.value))
        stage.published()

    edges = sorted({*range(0, len(events), piece), *commands, len(events)})
    for begin, end in zip(edges, [*edges[1:], len(events)], strict=True):
        if begin in commands:
            put(of_commands, "drift-control", commands[begin])
        if begin < end:
            put(of_events, "in", events[begin:end])
    return log


def told(config: Config, log: list[Record], ticks: Mapping[int, Tick] | None = None) -> Task:
    """One task of the whole log; ticks come before the records at their places."""
    task = Tasks(config).new(ORDERED, 0)
    edges = sorted({0, *(ticks or {}), len(log)})
    for begin, end in zip(edges, [*edges[1:], len(log)], strict=True):
        if ticks and begin in ticks:
            task.tick(ticks[begin])
        if begin < end:
            task.step(Tasks(config).decode(log[begin:end], ORDERED[0]))
    return task


def piecewise(config: Config, log: list[Record], rng: random.Random) -> tuple[list[Out], Task]:
    """The log cut anywhere, and from snapshots on: all that was decided, and the task at the end."""
    stages, outs, begin = Tasks(config), list[Out](), 0
    task = stages.new(ORDERED, 0)
    while begin < len(log):
        end = begin + rng.choice((1, 2, 7, 30))
        task.step(stages.decode(log[begin:end], ORDERED[0]))
        begin = end
        if rng.random() < 0.2:
            outs += task.outbox
            task = stages.load(ORDERED, task.dump())
    return outs + list(task.outbox), task


def of_role(outs: Iterable[Out], role: str) -> list[dict[str, Any]]:
    return [json.loads(out.value or b"") for out in outs if out.topic == role]


def statuses(outs: Iterable[Out], monitor: str = "mean") -> list[str]:
    """What readers were told of a monitor, each with whether somebody is said to know of it."""
    mine = [r for r in of_role(outs, "alerts") if r["data"]["alert"]["labels"]["monitor"] == monitor]
    return [r["data"]["status"] + ("*" if r["data"]["acknowledged"] else "") for r in mine]


def results(task: Task) -> dict[str, int]:
    found = {one.labels["result"]: one.value for one in task.counters() if one.name == "control_commands_total"}
    return {name: count for name, count in found.items() if count}
