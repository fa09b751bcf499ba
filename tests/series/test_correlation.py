"""Correlations of a stream: the same however it is cut and in both engines; what changes is told with its pair."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from detectors.correlation import BLOCK, KNOWN
from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.task import Task
from streamer.series.correlation import EVERY_MS, FEATURES_MAX, CorrelationSource

AT = ("inferences", 0)
SETUP = load_text(
    'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\nreference: {warmup: 30, windows: 10}\n'
    "monitors:\n  together: {signal: correlation, by: [segment.c], "
    "detect: {kind: level, against: days, change: 0.2, direction: up}}\n",
    "x",
    {},
)


def make(rng: random.Random, i: int, sign: float, every_s: float) -> dict[str, Any]:
    z = rng.gauss(0, 1)
    features: dict[str, Any] = {"a": z + rng.gauss(0, 0.5), "b": sign * z + rng.gauss(0, 0.5), "c": rng.gauss(0, 1)}
    if rng.random() < 0.1:
        del features["c"]
    if i > 4_000:
        features["late"] = rng.gauss(0, 1)
    return {"model": "m", "time": 1_700_000_000 + i * every_s, "features": features, "segment": {"c": rng.choice("xy")}}


def log(n: int, flipped: int = 1 << 60, every_s: float = 5.0) -> list[dict[str, Any]]:
    rng = random.Random(1)
    return [make(rng, i, -1.0 if i >= flipped else 1.0, every_s) for i in range(n)]


def run(events: list[dict[str, Any]], size: int = 500, engine: Engine = ENGINE, task: Task | None = None) -> Task:
    task = task or Task(SETUP, AT, 0, engine=engine)
    for first in range(0, len(events), size):
        part = enumerate(events[first : first + size], task.position)
        task.step(decode([Record(i, -1, None, json.dumps(e).encode()) for i, e in part], fields_of(SETUP), AT[0]))
    return task


def source_of(task: Task) -> CorrelationSource:
    [found] = [source for source in task.sources.values() if isinstance(source, CorrelationSource)]
    return found


@pytest.mark.parametrize(("size", "engine"), [(7, ENGINE), (100_000, ENGINE), (500, PYTHON)])
def test_cut_and_engine_change_nothing(size: int, engine: Engine) -> None:
    events = log(9_000, 8_000)
    whole, cut = run(events), run(events, size, engine)
    assert whole.dump() == cut.dump()
    half = Task.load(SETUP, AT, run(events[:5_003], 100, engine).dump())
    assert run(events[5_003:], size, engine, half).dump() == whole.dump()


def test_a_flip_is_told_with_its_pair() -> None:
    events = log(16_000, 12_000, 20.0)
    task = run(events)
    told = [json.loads(out.value or b"") for out in task.outbox if out.topic == "alerts"]
    told = [one["data"] for one in told if one["data"]["status"] == "firing"]
    assert {one["alert"]["labels"]["segment_c"] for one in told} == {"x", "y"}
    assert all(12_000 < one["trigger"]["offset"] < 12_000 + 10 * BLOCK for one in told)
    assert all(", most of all a and b: -0." in one["sentence"] for one in told)
    assert all(one["evidence"]["window"]["reasons"][0]["count"] == BLOCK for one in told)


def test_dense_traffic_is_looked_at_now_and_then() -> None:
    task = run(log(8_000, every_s=0.01))
    blocks = [int(space.shape.count.max()) for space in source_of(task).spaces]
    assert max(blocks) <= 1, "a block in ten minutes"
    thin = run(log(8_000, every_s=EVERY_MS / 1000))
    assert all(int(space.shape.count[0]) >= 8_000 // 2 // BLOCK - 2 > KNOWN for space in source_of(thin).spaces)


def test_features_are_bounded() -> None:
    rng = random.Random(2)
    made = [
        {"model": "m", "segment": {"c": "x"}, "features": {f"f{j}": rng.gauss(0, 1) for j in range(FEATURES_MAX + 6)}}
    ]
    events = [{**made[0], "time": 1_700_000_000 + 10 * i} for i in range(300)]
    [space] = source_of(run(events)).spaces
    assert len(space.names) == space.shape.features == FEATURES_MAX
    assert len(space.shape.mean) == FEATURES_MAX * (FEATURES_MAX - 1) // 2
