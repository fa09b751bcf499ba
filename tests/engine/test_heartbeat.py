"""Signs of life: one per model and tick, which add up, so that silence differs from health."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from schemas.events.batch import Record
from schemas.events.native_json import decode
from schemas.records.alert import rfc3339
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.heartbeat import Watched, details, heartbeats
from streamer.engine.task import Task
from streamer.port import Tick
from tests.monitors.life import AT, BEGIN_MS, CONFIG, Life
from tests.signals.events import HEAD, batch_of

ROOT = Path(__file__).resolve().parents[2]


SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "heartbeat.v1.json").read_text()))


def test_every_model_gives_a_sign_of_life_that_adds_up() -> None:
    life = Life()
    life.task.step(decode([Record(0, BEGIN_MS, None, b"{")], fields_of(CONFIG), AT[0]))
    life.task.tick(Tick(1, BEGIN_MS, caught_up=False))
    [alone] = life.beats()
    assert (alone["subject"], alone["data"]["model"], alone["data"]["offset"]) == ("partition", None, 1)
    life.task.published()
    life.offset = 1
    life.minute("app", "batch")
    [beat] = life.beats()
    for record in (alone, beat):
        SCHEMA.validate(record)
    data = beat["data"]
    assert sum(data["account"].values()) == data["offset"] == 41
    assert (data["events"], data["tick"]["number"]) == (40, 2)
    assert beat["id"] == "inferences-0-2-fraud"


def test_what_is_told_of_each_model() -> None:
    life = Life()
    for _ in range(3):
        life.minute("app")
    for _ in range(5):
        life.minute()
    task = life.task
    told = details(Watched(task.admission, task.tables.values(), task.by_order, task.alerts(), {"fraud": 5}))
    assert set(told) == {"fraud"}
    fraud = told["fraud"]
    assert fraud["muted"] == 5
    assert (fraud["events"], fraud["alerts"]) == (60, {"pending": 0, "firing": 2, "fading": 0})
    assert fraud["series"] == {"ready": 0, "warming": 0}, "presence has no reference"
    assert set(fraud["windows"].values()) == {0}
    assert fraud["newest_event"] == rfc3339(task.admission.newest_ms["fraud"])


def test_series_warm_up_and_are_ready() -> None:
    text = HEAD + "monitors: {m: {signal: features.*, detect: {kind: adwin}}}\n"
    task = Task(load_text(text, "x", {}), AT, 0)
    task.step(batch_of([{"features": {"a": 1.0, **({"b": 2.0} if i < 20 else {})}} for i in range(100)]))

    def series() -> dict[str, int]:
        found: dict[str, int] = details(Watched(task.admission, task.tables.values(), [], {}, {}))["m"]["series"]
        return found

    assert series() == {"ready": 1, "warming": 1}
    task.step(batch_of([{"features": {"b": 2.0}} for _ in range(80)], begin=100))
    assert series() == {"ready": 2, "warming": 0}


def test_the_records_of_a_tick_say_where_the_task_stands() -> None:
    tick = Tick(17, 1_700_000_060_000, caught_up=True)
    admission = Life().task.admission
    [out] = heartbeats("g", ("t", 3), 17, 4, tick, Watched(admission, [], [], {}, {}))
    assert out.topic == "heartbeats"
    data = json.loads(out.value or b"")["data"]
    assert (data["model"], data["topic"], data["partition"], data["offset"]) == (None, "t", 3, 17)
    assert data["tick"] == {"number": 4, "time_ms": 1_700_000_060_000, "caught_up": True}
