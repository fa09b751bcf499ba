"""Silence: ticks are data, and a task that did not listen hears none."""

from __future__ import annotations

import json

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.engine.task import Task
from tests.monitors.life import AT, BEGIN_MS, CONFIG, MINUTE_MS, Life


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
