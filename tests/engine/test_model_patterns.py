"""Monitors of models by pattern: other models leave no trace, whatever is cut where, with and without the core."""

from __future__ import annotations

import json
import random

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.task import Task
from tests.engine.tasks import AT, LEAST, news, piecewise

ENGINES = [engine for engine in (PYTHON, COMPILED) if engine is not None]
MODELS = ("credit-eu", "fraud", "other", "credit-us", "lending")


def config(*models: str, more: str = "") -> Config:
    """A monitor for each of these."""
    own = [
        f"  m{i}: {{model: {model}, signal: features.x, detect: {{kind: adwin}}}}\n" for i, model in enumerate(models)
    ]
    return load_text(f"{LEAST}standard: false\nreference: {{warmup: 50}}\n{more}monitors:\n{''.join(own)}", "x", {})


def log(n: int = 4000) -> list[Record]:
    """All models in turn; each moves after half of them."""
    rng, found = random.Random(5), []
    for i in range(n):
        x = rng.gauss(i // 2000, 0.1)
        event = {"model": MODELS[i % len(MODELS)], "time": 1_700_000_000 + i, "features": {"x": x}}
        found.append(Record(i, -1, None, json.dumps(event).encode()))
    return found


def run(to: Config, records: list[Record], engine: Engine = ENGINES[-1]) -> Task:
    task = Task(to, AT, 0, engine=engine)
    task.step(decode(records, fields_of(to), AT[0]))
    return task


def alerted(task: Task) -> set[tuple[str, str]]:
    found = [one["alert"]["labels"] for one in news(task.outbox)]
    return {(labels["monitor"], labels["model"]) for labels in found}


CREDIT = {("m0", "credit-eu"), ("m0", "credit-us")}


def test_each_monitor_is_about_its_models() -> None:
    task = run(config('"credit-*"', "[fraud, 'l?nding']"), log())
    assert alerted(task) == {*CREDIT, ("m1", "fraud"), ("m1", "lending")}
    assert task.admission.counts["filtered"] == 800
    assert set(task.admission.newest_ms) == {*MODELS} - {"other"}


def test_names_are_filtered_as_the_same_patterns_are() -> None:
    """A list of names is decided by the gate, a pattern before it."""
    named, written = run(config("[credit-eu, credit-us]"), log()), run(config('"credit-*"'), log())
    assert alerted(named) == alerted(written) == CREDIT
    assert repr(named.admission.dump()) == repr(written.admission.dump())


def test_models_of_no_pattern_take_no_place() -> None:
    """All the room is for those that are watched, however many others come before."""
    small = config('"credit-*"', more="limits: {series: 2}\n")
    others = [
        Record(i, -1, None, json.dumps({"model": f"o{i}", "time": 1_699_000_000 + i, "features": {"x": 1}}).encode())
        for i in range(100)
    ]
    task = run(small, [*others, *(record._replace(offset=record.offset + 100) for record in log())])
    assert alerted(task) == CREDIT
    assert (task.admission.no_place, task.admission.counts["filtered"]) == (0, 2500)


@pytest.mark.parametrize("engine", ENGINES)
def test_any_cutting_gives_the_same(engine: Engine) -> None:
    to = config('"credit-*"', "[fraud, 'l*']")
    whole = run(to, log(), ENGINES[0])
    outs, task = piecewise(to, log(), engine, random.Random(2))
    assert task.dump() == whole.dump()
    assert outs == list(whole.outbox)


def test_one_name_in_a_list_keeps_the_state_and_another_pattern_begins_anew() -> None:
    state = run(config("fraud"), log()).dump()
    assert Task.load(config("[fraud]"), AT, state).monitors_reset == []
    assert Task.load(config('"frau*"'), AT, state).monitors_reset == ["m0"]
