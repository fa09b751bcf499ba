"""What tests of aggregates share: events in event time, at a rate, and the alerts that come of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.task import Task
from tests.engine.tasks import news

AT = ("inferences", 0)


BEGIN_S = 1_700_006_400  # a full hour


HOUR_S, DAY_S = 3600, 86_400


def config(monitors: str, more: str = "") -> Config:
    head = f'version: 1\nkafka: {{brokers: "b:1"}}\ntopics: {{events: [inferences]}}\n{more}monitors:\n'
    return load_text(head + monitors, "x", {})


def run(setup: Config, events: list[dict[str, Any]], size: int = 500) -> Task:
    task, decode = Task(setup, AT, 0), Decoder(fields_of(setup))
    for begin in range(0, len(events), size):
        part = events[begin : begin + size]
        records = [Record(begin + i, -1, None, json.dumps({"model": "m", **e}).encode()) for i, e in enumerate(part)]
        task.step(decode(records, AT[0]))
    return task


def alerts(task: Task) -> list[dict[str, Any]]:
    return news(task.outbox)


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


def latency(rng: random.Random, i: int, factor: float = 1.0) -> float:
    return rng.gammavariate(4, 3) * factor
