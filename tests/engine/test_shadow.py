"""Shadow monitors: a candidate's alerts go to a topic of their own, and change nothing of what the others tell."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.heartbeat import Watched, details
from streamer.engine.task import Task
from streamer.port import Out, Tick
from tests.engine.tasks import AT, LEAST, events, piecewise, run

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "alert.v1.json").read_text()))
LIVE = "monitors:\n  m: {signal: features.*, accept_after: 1h, detect: {kind: page_hinkley}}\n"
CANDIDATE = "  c: {signal: features.*, SHADOWaccept_after: 20m, keep_firing_for: 1m, detect: {kind: adwin}}\n"
SHADOW = CANDIDATE.replace("SHADOW", "shadow: true, ")


def config(monitors: str) -> Config:
    return load_text(LEAST + monitors, "x", {})


def shifted(*parts: tuple[float, int]) -> list[Any]:
    rng = random.Random(1)
    values = [rng.gauss(mean, 5) for mean, count in parts for _ in range(count)]
    return events(lambda i: {"features": {"a": values[i]}}, len(values))


LOG = shifted((100, 900), (140, 5000), (210, 400))


def told(task: Task, topic: str) -> list[Any]:
    return [json.loads(out.value or b"") for out in task.outbox if out.topic == topic]


def test_a_candidate_tells_a_topic_of_its_own_and_changes_nothing_of_what_the_others_tell() -> None:
    """It accepts a level before the live monitor does, in the table of both, and that one must not learn anew."""
    alone, both = run(config(LIVE), LOG), run(config(LIVE + SHADOW), LOG)
    for topic in ("alerts", "incidents"):
        records = [told(task, topic) for task in (alone, both)]
        for record in [*records[0], *records[1]]:
            record["data"].pop("replay", None)  # names the config
        assert records[0] == records[1]
        assert records[0]
    shadows = told(both, "shadow")
    for record in shadows:
        SCHEMA.validate(record)
    assert {r["data"]["alert"]["labels"]["monitor"] for r in shadows} == {"c"}
    assert all(r["data"]["shadow"] is True for r in shadows)
    assert {(r["data"]["resolution"] or {}).get("how") for r in shadows} == {None, "accepted"}
    assert not any("shadow" in r["data"] for r in told(both, "alerts"))


@pytest.mark.parametrize("engine", [PYTHON, ENGINE], ids=["python", "chosen"])
def test_cuts_and_restarts_change_nothing(engine: Engine) -> None:
    made = config(LIVE + SHADOW)
    whole = Task(made, AT, 0, engine=engine)
    whole.step(decode(LOG, fields_of(made), AT[0]))
    outs, cut = piecewise(made, LOG, engine, random.Random(2))
    assert outs == whole.outbox
    assert cut.dump() == whole.dump()


def restarted(before: str, after: str) -> tuple[Task, list[Out]]:
    """With another config while an alert of the candidate is open; what it told before."""
    old, new = config(before), config(after)
    task = run(old, LOG[:1500])
    outs = list(task.outbox)
    task = Task.load(new, AT, task.dump())
    task.tick(Tick(1500, 1_700_001_500_000, caught_up=True))
    task.step(decode(LOG[1500:3000], fields_of(new), AT[0]))
    return task, outs


def test_who_is_promoted_goes_on_with_what_it_learned_and_its_open_alert_ends_among_the_live() -> None:
    task, outs = restarted(LIVE + SHADOW, LIVE + CANDIDATE.replace("SHADOW", ""))
    assert task.monitors_reset == []
    [first] = [json.loads(out.value or b"") for out in outs if out.topic == "shadow"]
    mine = [r for r in told(task, "alerts") if r["data"]["alert"]["labels"]["monitor"] == "c"]
    assert {r["correlationid"] for r in mine} == {first["correlationid"]}
    assert mine[-1]["data"]["resolution"]["how"] == "accepted"
    assert not told(task, "shadow")


def test_who_becomes_a_candidate_leaves_its_incident() -> None:
    live = "monitors:\n" + CANDIDATE.replace("SHADOW", "")
    task, outs = restarted(live, "monitors:\n" + SHADOW)
    assert task.monitors_reset == []
    assert [out.topic for out in outs] == ["alerts", "incidents"]
    assert [r["data"]["status"] for r in told(task, "incidents")] == ["resolved"], "by the first tick"
    assert told(task, "alerts") == []
    assert told(task, "shadow")[-1]["data"]["resolution"]["how"] == "accepted"


def test_it_is_counted_apart() -> None:
    task = run(config("monitors:\n" + SHADOW), LOG[:1500])
    assert task.open_incidents() == {}
    counted = {c.name: c.value for c in task.counters()}
    assert counted["shadow_alerts_emitted_total"] == 1
    assert "alerts_emitted_total" not in counted
    shown = details(Watched(task.admission, task.tables.values(), task.by_order, task.alerts(), {}))["fraud"]
    assert shown["alerts"] == {"pending": 0, "firing": 0, "fading": 0}
    assert shown["shadow_alerts"] == {"pending": 0, "firing": 1, "fading": 0}
