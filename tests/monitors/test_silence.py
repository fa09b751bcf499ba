"""Silence: ticks are data, and a task that did not listen hears none. And age, by the time of events."""

from __future__ import annotations

import json

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from schemas.records.alert import rfc3339
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.monitors.silence import AgeMonitor
from streamer.port import Tick
from tests.monitors.life import AT, BEGIN_MS, CONFIG, MINUTE_MS, Life
from tests.signals.events import HEAD


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


def test_how_silent_it_is_by_now_is_what_the_alert_says() -> None:
    life = Life()
    life.minute("app")
    for minutes in range(6):
        [now] = life.task.monitors["no-data"].standing()
        assert now.statistic == 60.0 * minutes
        assert (("firing", "no-data", "") in life.alerts()) == ((now.reached or 0.0) >= 1.0)
        if minutes < 5:
            life.minute()
    alert = next(one["data"] for one in life.records() if one["data"]["alert"]["labels"]["monitor"] == "no-data")
    assert (now.statistic, now.threshold) == (alert["statistic"], alert["threshold"]) == (300.0, 300)


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


def test_a_reader_that_honours_the_end_of_an_alert_does_not_lose_one_that_is_silent() -> None:
    life = Life()
    for _ in range(3):
        life.minute("app")
    ends: dict[str, str] = {}
    for _ in range(500):
        life.minute()
        for record in life.records():
            ends[record["data"]["fingerprint"]] = record["data"]["alert"]["endsAt"]
        life.task.published()
        assert all(end > rfc3339(life.now_ms) for end in ends.values())
    assert len(ends) == 2
    assert all(end < rfc3339(life.now_ms + 241 * MINUTE_MS) for end in ends.values())


DAY_MS = 86_400_000


def aged(detect: str) -> tuple[Task, AgeMonitor]:
    rare = "limits: {ahead: 7d}\n"  # An event a day, and each is believed.
    text = f"{HEAD}{rare}monitors: {{old: {{signal: events, by: [version], detect: {detect}}}}}\n"
    task = Task(load_text(text, "x", {}), AT, 0)
    [monitor] = task.by_order
    assert isinstance(monitor, AgeMonitor)
    return task, monitor


def seen(task: Task, *events: tuple[str, int]) -> None:
    """Events of a version at a time in ms of the model's own clock."""
    values = [json.dumps({"model": "m", "model_version": v, "time": ms / 1000}).encode() for v, ms in events]
    records = [Record(task.position + i, BEGIN_MS + 400 * DAY_MS, None, value) for i, value in enumerate(values)]
    task.step(decode(records, fields_of(task.config), AT[0]))


def told(task: Task) -> list[tuple[str, str]]:
    records = [json.loads(out.value or b"") for out in task.outbox if out.topic == "alerts"]
    found = [record["data"] for record in records if record["id"].endswith("-1")]
    return [(data["alert"]["labels"]["model_version"], data["sentence"].partition(";")[0]) for data in found]


def test_a_version_is_too_old_once_by_the_events_of_its_model() -> None:
    task, monitor = aged("{kind: age, max: 2d}")
    seen(task, ("1", BEGIN_MS), ("2", BEGIN_MS + DAY_MS))
    task.tick(Tick(2, BEGIN_MS + 9 * DAY_MS, caught_up=True))
    assert told(task) == [], "time passes by events, not by the clock of the tick"
    seen(task, ("2", BEGIN_MS + 2 * DAY_MS + 1))
    for number in (1, 2):
        task.tick(Tick(3, BEGIN_MS + number, caught_up=True))
    assert told(task) == [("1", "m (1): the model is 2.0 days old (limit 2)")]
    assert [one.statistic for one in monitor.standing()] == [172_800.001, 86_400.001]
    assert [(one.reached or 0.0) > 1.0 for one in monitor.standing()] == [True, False]
    again = Task.load(task.config, AT, task.dump())
    seen(again, ("2", BEGIN_MS + 3 * DAY_MS + 2))
    again.tick(Tick(4, BEGIN_MS + 3, caught_up=True))
    assert told(again) == [("2", "m (2): the model is 2.0 days old (limit 2)")], "the first is not told again"
    assert list(monitor.told) == [0]


@pytest.mark.parametrize(("since", "old"), [("2023-11-01", True), ("2023-11-13", False)])
def test_the_age_may_be_that_of_a_date(since: str, old: bool) -> None:
    """The clock of the model stands at 2023-11-14, 22:13."""
    task, _ = aged(f"{{kind: age, max: 7d, since: {since}}}")
    seen(task, ("1", BEGIN_MS))
    task.tick(Tick(1, BEGIN_MS, caught_up=True))
    assert [text.startswith("m (1): the model is 13.9 days old") for _, text in told(task)] == [True] * old


@pytest.mark.parametrize(("first", "missed"), [(25, 0), (20, 1)])
def test_a_caller_that_came_on_one_day_only_is_not_missed(first: int, missed: int) -> None:
    """It may be a weekly batch; one that was there on the evening before, too, is none. Both go after eight hours."""
    gone = "monitors: {gone: {signal: events, by: [caller], detect: {kind: silence, days: true}}}"
    daily = f"{HEAD}heartbeat: {{interval: 1h}}\n{gone}\n"
    task, begin_ms = Task(load_text(daily, "x", {}), AT, 0), BEGIN_MS // DAY_MS * DAY_MS
    for hour in range(48):
        now_ms, there = begin_ms + hour * 60 * MINUTE_MS, first <= hour < 32
        events = [
            {"model": "m", "caller": caller, "time": (now_ms + minute * MINUTE_MS) / 1000, "features": {"a": 1.0}}
            for minute in range(0, 60, 3)
            for caller in ("app", "batch")[: 1 + there]
        ]
        records = [Record(task.position + i, now_ms, None, json.dumps(one).encode()) for i, one in enumerate(events)]
        task.step(decode(records, fields_of(task.config), AT[0]))
        task.tick(Tick(task.position, now_ms + 60 * MINUTE_MS, caught_up=True))
    records_out = [json.loads(out.value or b"") for out in task.outbox if out.topic == "alerts"]
    fired = {one["data"]["fingerprint"] for one in records_out if one["data"]["status"] == "firing"}
    assert len(fired) == missed
