"""What tests of whole tasks share: events as records, a run cut anywhere, and what it published."""

from __future__ import annotations

import json
import random
from typing import Any

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.model import Config
from streamer.engine.engines import Engine
from streamer.engine.task import Task
from streamer.port import Out, Partition

AT = ("inferences", 0)


LEAST = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\n'


def run(config: Config, records: list[Record], cuts: list[int] | None = None, at: Partition = AT) -> Task:
    task, decode = Task(config, at, 0), Decoder(fields_of(config))
    edges = [0, *sorted(cuts or []), len(records)]
    for begin, end in zip(edges, edges[1:], strict=False):
        if begin < end:
            task.step(decode(records[begin:end], at[0]))
    return task


def piecewise(config: Config, log: list[Record], engine: Engine, rng: random.Random) -> tuple[list[Out], Task]:
    """The log in pieces of any size, now and then from a snapshot on: all that was decided, and the task at the end."""
    task, outs, begin = Task(config, AT, 0, engine=engine), list[Out](), 0
    decode = engine.decoder(fields_of(config))
    while begin < len(log):
        end = begin + rng.choice((1, 7, 300))
        task.step(decode(log[begin:end], AT[0]))
        begin = end
        if rng.random() < 0.05:
            outs += task.outbox
            task = Task.load(config, AT, task.dump(), engine)
    return outs + list(task.outbox), task


def events(make: Any, n: int, model: str = "fraud") -> list[Record]:
    """n events of one model, a second apart; `make(i)` gives the fields beside model and time."""
    return [
        Record(i, -1, None, json.dumps({"model": model, "time": 1_700_000_000 + i, **make(i)}).encode())
        for i in range(n)
    ]


def alerts(task: Task) -> list[dict[str, Any]]:
    return [json.loads(out.value or b"") for out in task.outbox if out.topic == "alerts"]


def news(outs: list[Out]) -> list[dict[str, Any]]:
    """`data` of the alerts that fired or resolved; not of those that are only told again."""
    records = [json.loads(out.value or b"") for out in outs if out.topic == "alerts"]
    return [r["data"] for r in records if r["data"]["status"] == "resolved" or int(r["sequence"]) == 1]


def by_topic(*tasks: Task) -> dict[str, list[Out]]:
    """What each topic gets, in order; the order between topics means nothing."""
    outs = [out for task in tasks for out in task.outbox]
    return {
        topic: [out for out in outs if out.topic == topic]
        for topic in ("alerts", "shadow", "incidents", "windows", "dead_letter")
    }


def kinds(task: Task) -> list[tuple[str, str, str]]:
    return [
        (a["data"]["status"], a["data"]["alert"]["labels"]["monitor"], a["data"]["alert"]["labels"]["signal"])
        for a in alerts(task)
    ]
