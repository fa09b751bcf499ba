"""Distances of events: learning by group, gaps, bounds, and that nothing depends on the cut of the log."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.task import Task
from streamer.series.out_of_distribution import FEATURES_MAX, Distance

AT = ("inferences", 0)
HEAD = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\nreference: {warmup: 100}\n'
BOTH = load_text(
    HEAD
    + """
monitors:
  whole: {signal: distance, by: [segment.c], detect: {kind: page_hinkley, threshold: 10}}
  odd: {signal: ood, by: [segment.c], window: {events: 50}, detect: {kind: fraction, max: 0.05}}
  sure: {signal: confident_ood, window: {events: 50}, detect: {kind: fraction, max: 0.05}}
""",
    "x",
    {},
)


def make(rng: random.Random, i: int, shifted: bool) -> dict[str, Any]:
    z = rng.gauss(0, 1)
    features = {"a": z + rng.gauss(0, 0.3), "b": (-z if shifted else z) + rng.gauss(0, 0.3), "c": rng.gauss(0, 1)}
    if rng.random() < 0.1:
        del features["c"]
    if rng.random() < 0.05:
        features["b"] = None  # type: ignore[assignment]
    if shifted and rng.random() < 0.2:
        features["a"] = 500.0
    return {
        "model": "m",
        "features": {**features, "text": "x"},
        "segment": {"c": rng.choice("xyz")},
        "prediction": {"confidence": rng.choice([0.5, 0.95])},
    }


def run(setup: Config, events: list[dict[str, Any]], size: int = 500, task: Task | None = None, begin: int = 0) -> Task:
    task, decode = task or Task(setup, AT, begin), Decoder(fields_of(setup))
    for first in range(0, len(events), size):
        part = enumerate(events[first : first + size], begin + first)
        task.step(decode([Record(i, -1, None, json.dumps(e).encode()) for i, e in part], AT[0]))
    return task


@pytest.mark.parametrize("size", [1, 17, 100_000])
def test_the_cut_of_the_log_changes_nothing(size: int) -> None:
    rng = random.Random(1)
    events = [make(rng, i, i > 1500) for i in range(2200)]
    whole, cut = run(BOTH, events), run(BOTH, events, size)
    assert cut.outbox == whole.outbox
    assert cut.dump() == whole.dump()
    assert len(whole.outbox) >= 3
    for at in (50, 700, 1900) if size > 1 else (1900,):
        first = run(BOTH, events[:at])
        second = run(BOTH, events[at:], size, Task.load(BOTH, AT, first.dump()), at)
        assert first.outbox + second.outbox == whole.outbox
        assert second.dump() == whole.dump()


def rule_of(task: Task) -> Distance:
    [rule] = [source for source in task.sources.values() if isinstance(source, Distance)]
    return rule


ALONE = load_text(HEAD + "monitors: {whole: {signal: distance, detect: {kind: adwin}}}\n", "x", {})


def test_features_beyond_the_bound_are_left_out() -> None:
    rng = random.Random(2)
    wide = [{"model": "m", "features": {f"f{k}": rng.random() for k in range(FEATURES_MAX + 30)}} for _ in range(150)]
    task = run(ALONE, wide)
    space = rule_of(task).spaces[("m",)]
    assert len(space.names) == FEATURES_MAX
    assert space.shape is not None
    [table] = task.tables.values()
    assert table.reference.at(0).n == 50


def test_an_event_with_less_than_half_of_the_features_has_no_distance() -> None:
    rng = random.Random(3)
    whole = [{"model": "m", "features": {k: rng.random() for k in "abcde"}} for _ in range(100)]
    other = [{"model": "m", "features": features} for features in ({"a": 1, "b": 1}, {"z": 1, "y": 1})]
    task = run(ALONE, [*whole, *other])
    assert not task.tables[next(iter(task.tables))].keys
    task = run(ALONE, [{"model": "m", "features": {"a": 1, "b": 1, "c": 0.5}}], task=task, begin=102)
    assert task.tables[next(iter(task.tables))].keys == [(("m",), "distance")]


def test_one_number_alone_is_no_space() -> None:
    task = run(ALONE, [{"model": "m", "features": {"a": i}} for i in range(500)])
    assert rule_of(task).spaces[("m",)].events == []
    assert Task.load(ALONE, AT, task.dump()).dump() == task.dump()


def test_how_unfamiliar_an_event_is_grows_with_its_distance_and_is_half_at_the_limit() -> None:
    rng = random.Random(4)
    setup = load_text(HEAD + "monitors: {odd: {signal: ood, detect: {kind: fraction, max: 0.5}}}\n", "x", {})
    healthy = [{"model": "m", "features": {"a": rng.gauss(0, 1), "b": rng.gauss(0, 1)}} for _ in range(600)]
    task = run(setup, healthy)
    away = [{"model": "m", "features": {"a": float(far), "b": 0.0}} for far in (2, 3, 5, 8, 20, 80)]
    task = run(setup, away, task=task, begin=600)
    found = np.full(len(away), np.nan)
    task.watching.unfamiliar(found)
    assert found.tolist() == sorted(found.tolist())
    assert len({*found.tolist()}) == len(away)
    [(column, _)] = [pair for table_id, pair in task.watching.known.items() if table_id.signal.kind == "ood"]
    assert ((found >= 0.5) == (column.values > 0)).all()
    assert 0 < np.count_nonzero(found >= 0.5) < len(away)
    assert found.max() < 1.0
