"""Silence and signs of life: ticks are data, a blind task hears no silence, and every record is accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.offline.replay import Replay
from streamer.port import Tick

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "heartbeat.v1.json").read_text()))
AT = ("inferences", 0)
BEGIN_MS = 1_700_000_000_000
MINUTE_MS = 60_000
CONFIG = load_text(
    """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
monitors:
  no-data: {signal: events, detect: {kind: silence, after: 5m, min_count: 10}, keep_firing_for: 1m}
  caller: {signal: events, by: [caller], detect: {kind: silence, after: 3m, min_count: 10}, keep_firing_for: 1m}
""",
    "x",
    {},
)


class Life:
    """A task and the time: a minute passes with each `minute`, in which the given callers send 20 events each."""

    def __init__(self) -> None:
        self.task = Task(CONFIG, AT, 0)
        self.now_ms, self.offset = BEGIN_MS, 0

    def minute(self, *callers: str, caught_up: bool = True, passed_ms: int = MINUTE_MS) -> None:
        records = []
        for _ in range(20):
            for caller in callers:
                event = {"model": "fraud", "time": self.now_ms / 1000, "caller": caller, "features": {"a": 1.0}}
                records.append(Record(self.offset, -1, None, json.dumps(event).encode()))
                self.offset += 1
        if records:
            self.task.step(decode(records, fields_of(CONFIG), AT[0]))
        self.now_ms += passed_ms
        self.task.tick(Tick(self.offset, self.now_ms, caught_up))

    def alerts(self) -> list[tuple[str, str, str]]:
        found = [json.loads(out.value or b"")["data"] for out in self.task.outbox if out.topic == "alerts"]
        return [(d["status"], d["alert"]["labels"]["monitor"], d["alert"]["labels"].get("caller", "")) for d in found]

    def beats(self) -> list[dict[str, Any]]:
        return [json.loads(out.value or b"") for out in self.task.outbox if out.topic == "heartbeats"]


def test_a_model_that_stops_is_missed_and_one_that_comes_back_is_not() -> None:
    life = Life()
    for _ in range(3):
        life.minute("app")
    for _ in range(4):
        life.minute()
    assert life.alerts() == [("firing", "caller", "app")]
    life.minute()
    assert life.alerts()[1:] == [("firing", "no-data", "")]
    for _ in range(60):
        life.minute()
    assert len(life.alerts()) == 2  # One silence, one alert; it does not resolve by itself.
    for _ in range(3):
        life.minute("app")
    assert sorted(life.alerts()[2:]) == [("resolved", "caller", "app"), ("resolved", "no-data", "")]


def test_the_alert_says_who_and_how_long() -> None:
    life = Life()
    life.minute("app")
    for _ in range(5):
        life.minute()
    [*_, last] = [json.loads(out.value or b"") for out in life.task.outbox if out.topic == "alerts"]
    assert last["data"]["sentence"] == "fraud: no events for 5m (limit 5m); found by silence at inferences[0]@20."
    assert last["data"]["trigger"]["time"] == "2023-11-14T22:19:20.000Z"


def test_one_caller_of_two_falls_silent() -> None:
    life = Life()
    for _ in range(3):
        life.minute("app", "batch")
    for _ in range(10):
        life.minute("app")
    assert life.alerts() == [("firing", "caller", "batch")]


def test_who_spoke_little_is_not_missed() -> None:
    life = Life()
    event = json.dumps({"model": "fraud", "caller": "once", "features": {"a": 1.0}}).encode()
    life.task.step(decode([Record(0, BEGIN_MS, None, event)], fields_of(CONFIG), AT[0]))
    life.offset = 1
    for _ in range(30):
        life.minute()
    assert life.alerts() == []


def test_a_task_that_did_not_listen_heard_no_silence() -> None:
    """Behind in its reading, down for a day, or with a clock set back: none of it is the model's silence."""
    life = Life()
    life.minute("app")
    for _ in range(30):
        life.minute(caught_up=False)
    life.minute("app", passed_ms=24 * 60 * MINUTE_MS)
    life.minute(passed_ms=-60 * MINUTE_MS)
    life.minute(passed_ms=24 * 60 * MINUTE_MS)  # Two minutes at most: what happened meanwhile nobody knows.
    assert life.alerts() == []
    life.minute()
    assert life.alerts() == [("firing", "caller", "app")]


def test_silence_survives_a_snapshot() -> None:
    whole, first = Life(), Life()
    for life in (whole, first):
        life.minute("app", "batch")
        life.minute("app")
        life.minute()
    first.task, outbox = Task.load(CONFIG, AT, first.task.dump()), first.task.outbox
    for life in (whole, first):
        for _ in range(5):
            life.minute()
    assert outbox + first.task.outbox == whole.task.outbox
    assert first.task.dump() == whole.task.dump()
    assert len(whole.alerts()) == 3


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


def test_a_replay_takes_the_records_timestamps_for_ticks() -> None:
    engine = Replay(CONFIG, fields_of(CONFIG))
    records = []
    for i in range(60):
        arrived_ms = BEGIN_MS + i * 1000 + (20 * MINUTE_MS if i >= 30 else 0)
        event = {"model": "fraud", "time": arrived_ms / 1000, "caller": "app"}
        records.append(Record(i, arrived_ms, None, json.dumps(event).encode()))
    cut = [out for part in (records[:13], records[13:30], records[30:]) for out in engine.step(AT, part)]
    assert [json.loads(o.value or b"")["data"]["status"] for o in cut] == ["firing", "firing"]
    assert Replay(CONFIG, fields_of(CONFIG)).step(AT, records) == cut
