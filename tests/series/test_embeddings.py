"""Norm and distance of embeddings: what is learned, wherever the log is cut, and what an alert says."""

from __future__ import annotations

import random
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.task import Task
from streamer.series.embeddings import DISTANCE, NORM
from tests.signals.events import HEAD, batch_of, firing

ENGINES = [PYTHON, *([COMPILED] if COMPILED is not None else [])]
WHERE = "embeddings: {text: {at: /features/emb, dimensions: 5}, pic: {at: /pic, dimensions: 2}}\n"
TEXT = WHERE + "monitors: {all: {signal: embedding.*, by: [caller], detect: {kind: adwin}}}\n"
USUAL = (3.0, 1.0, 0.0, -1.0, -2.0)


def log(n: int, seed: int = 1, centre: tuple[float, ...] = USUAL, size: float = 1.0) -> list[dict[str, Any]]:
    rng = random.Random(seed)

    def one(i: int) -> dict[str, Any]:
        emb = [size * rng.gauss(mean, 1.0) for mean in centre]
        event: dict[str, Any] = {"caller": "xy"[i % 3 == 0], "features": {"a": 1.0, "emb": emb}}
        return event | ({"pic": [rng.random(), rng.random()]} if i % 4 else {})

    return [one(i) for i in range(n)]


@pytest.mark.parametrize("size", [1, 7, 130])
def test_no_cutting_shows_and_both_engines_are_one(size: int) -> None:
    events, dumps = log(500), []
    for engine, step in [(PYTHON, 500), *((engine, size) for engine in ENGINES)]:
        task = Task(load_text(HEAD + TEXT, "x", {}), ("inferences", 0), 0, engine=engine)
        for begin in range(0, len(events), step):
            task.step(batch_of(events[begin : begin + step], HEAD + TEXT, begin))
            if size > 1 or begin % 10 == 0:  # Snapshots take most of the time.
                task = Task.load(task.config, ("inferences", 0), task.dump(), engine)
        dumps.append(task.dump())
    assert len(set(dumps)) == 1
    [table] = task.tables.values()
    members = [f"{name}.{what}" for name in ("text", "pic") for what in (NORM, DISTANCE)]
    assert sorted({member for _, member in table.keys}) == sorted(members)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_a_centre_is_as_large_as_the_config_says_now(engine: Engine) -> None:
    task = Task(load_text(HEAD + TEXT, "x", {}), ("inferences", 0), 0, engine=engine)
    task.step(batch_of(log(300), HEAD + TEXT))
    other = TEXT.replace("dimensions: 5", "dimensions: 4")
    again = Task.load(load_text(HEAD + other, "x", {}), ("inferences", 0), task.dump(), engine)
    again.step(batch_of(log(50, centre=USUAL[:4]), HEAD + other, 300))
    assert Task.load(again.config, ("inferences", 0), again.dump(), engine).dump() == again.dump()


def test_another_direction_and_another_length_are_two_things() -> None:
    least = WHERE + "monitors: {all: {signal: embedding.text.*, detect: {kind: adwin}}}\n"

    def moved(more: list[dict[str, Any]]) -> set[str]:
        return {alert["alert"]["labels"]["signal"] for alert in firing(least, log(1200) + more)}

    assert moved(log(400, 2)) == set()
    assert moved(log(400, 2, tuple(reversed(USUAL)))) == {"embedding.text.distance"}
    assert moved(log(400, 2, size=1.5)) == {"embedding.text.norm"}


def test_the_standard_set_watches_what_there_is_and_nothing_where_there_is_none() -> None:
    assert "embedding" not in load_text(HEAD, "x", {}).effective_monitors()
    assert "embedding" in load_text(HEAD + WHERE, "x", {}).effective_monitors()
    assert "embedding" not in load_text(HEAD + WHERE + "monitors: {embedding: off}\n", "x", {}).effective_monitors()
