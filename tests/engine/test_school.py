"""Until when each model is in school: in event time, by the last of its series, and told by heartbeats."""

from __future__ import annotations

import json

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from schemas.records.alert import rfc3339
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.school import School, schools
from streamer.engine.task import Task
from streamer.port import Tick
from tests.engine.tasks import AT, LEAST

DAY_S = 86_400
BEGIN_S = 1_700_000_000 // DAY_S * DAY_S
HOURS = 24
CONFIG = LEAST + (
    "reference: {warmup: 50}\n"
    "monitors:\n"
    "  level: {signal: features.*, detect: {kind: envelope}}\n"
    "  other: {signal: features.*, detect: {kind: adwin}}\n"
)
ENGINES = [engine for engine in (COMPILED, PYTHON) if engine is not None]


def fed(task: Task, begin_day: int, days: int, names: str = "a", model: str = "m") -> None:
    """Ten events an hour."""
    every_s = 360
    given = [
        {"model": model, "time": BEGIN_S + at, "features": dict.fromkeys(names, 1.0 + at % 7)}
        for at in range(begin_day * DAY_S, (begin_day + days) * DAY_S, every_s)
    ]
    records = [Record(i, -1, None, json.dumps(one).encode()) for i, one in enumerate(given, task.position)]
    task.step(decode(records, fields_of(task.config), AT[0]))


def until(day: int) -> int:
    return (BEGIN_S + day * DAY_S) * 1000


def begun(more: str = "", engine: Engine = PYTHON) -> Task:
    return Task(load_text(CONFIG + more, "x", {}), AT, 0, engine=engine)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_school_is_over_when_the_last_series_has_seen_enough_days(engine: Engine) -> None:
    task = begun(engine=engine)
    fed(task, 0, 1)
    first = task.school()["m"]
    assert (first.series, first.until_ms) == (1, until(7))
    fed(task, 1, 2, "ab")
    assert task.school()["m"][:2] == (2, until(8)), "b came a day later"
    fed(task, 3, 4, "ab")
    assert task.school()["m"][:2] == (2, until(8)), "the last day of a has no successor yet"
    fed(task, 7, 1, "ab")
    assert task.school()["m"][:2] == (1, until(8))
    newest_ms = task.admission.newest_ms["m"]
    assert task.school()["m"].left_ms == until(8) - newest_ms < DAY_S * 1000
    fed(task, 8, 1, "ab")
    assert task.school() == {}


def test_what_it_says_comes_true() -> None:
    task = begun()
    fed(task, 0, 2)
    said = task.school()["m"].until_ms
    for day in range(2, 9):
        fed(task, day, 1)
        assert ("m" in task.school()) == (task.admission.newest_ms["m"] < said)


def test_candidates_and_models_without_learners_are_in_no_school() -> None:
    task = begun("  candidate: {signal: features.*, shadow: true, detect: {kind: envelope}}\n")
    fed(task, 0, 1)
    assert task.school()["m"].series == 1
    assert schools([task.monitors["other"], task.monitors["candidate"]], task.admission.newest_ms) == {}


def test_heartbeats_tell_until_when() -> None:
    task = begun()

    def told() -> dict[str, str | None]:
        task.published()
        task.tick(Tick(task.position, (BEGIN_S + 10 * DAY_S) * 1000, False))
        beats = [json.loads(out.value or b"")["data"] for out in task.outbox if out.topic == "heartbeats"]
        return {beat["model"]: beat["school_until"] for beat in beats}

    fed(task, 0, 9)
    fed(task, 6, 3, "c", "late")
    assert told() == {"m": None, "late": rfc3339(until(13))}


def test_a_model_that_is_not_known_any_more_has_none() -> None:
    task = begun()
    fed(task, 0, 1)
    assert schools(task.by_order, {}) == {}
    [one] = schools(task.by_order, {"m": until(1), "other": until(1)}).values()
    assert one[:3] == School(1, until(8), 7 * DAY_S * 1000)[:3]


def test_heartbeats_name_who_still_needs_days() -> None:
    task = begun()
    fed(task, 0, 2)
    task.published()
    task.tick(Tick(task.position, BEGIN_S * 1000, False))
    beats = [json.loads(out.value or b"")["data"] for out in task.outbox if out.topic == "heartbeats"]
    [one] = next(beat for beat in beats if beat["model"] == "m")["learning"]
    assert one["labels"]["signal"].startswith("features.")
    assert one["days"] == 6
