"""From events to incidents: whole tasks, cut and restarted anywhere, and the records as their schema has them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from schemas.records.alert import ms_of
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.task import Task
from streamer.incidents.record import onset_ms
from streamer.offline.replay import Replay
from streamer.port import Out, Tick
from tests.engine.tasks import AT, LEAST, events, run

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "incident.v1.json").read_text()))
TEXT = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
reference: {warmup: 100}
defaults: {keep_firing_for: 5s}
monitors:
  mean: {signal: features.*, detect: {kind: page_hinkley, threshold: 30}}
  odd: {signal: anomaly, window: {events: 100}, detect: {kind: fraction, max: 0.2}, severity: critical}
  shape: {signal: features.*, window: {events: 200}, detect: {kind: distribution}, severity: info}
"""
CONFIG = load_text(TEXT, "x", {})
SHIFT, BACK = 601, 1100


def stream(models: tuple[str, ...] = ("fraud",), shifted: tuple[str, ...] = ("fraud",), n: int = 1800) -> list[Record]:
    """Events of the models in turn; two features of the shifted ones move for a while."""
    rng, records = random.Random(5), []
    for i in range(n):
        for model in models:
            far = 60.0 if model in shifted and SHIFT <= i < BACK else 0.0
            features = {"a": rng.gauss(far, 5), "b": rng.gauss(-far, 5), "c": rng.gauss(0, 5)}
            value = json.dumps({"model": model, "time": 1_700_000_000 + i, "features": features}).encode()
            records.append(Record(len(records), 1_700_000_000_000 + 1000 * i, None, value))
    return records


STREAM = stream()


def incidents(outs: list[Out]) -> list[dict[str, Any]]:
    found = []
    for out in outs:
        if out.topic == "incidents":
            made = json.loads(out.value or b"")
            SCHEMA.validate(made)
            assert (out.key or b"").decode() == made["data"]["incident"]
            found.append(made)
    return found


def alerts(outs: list[Out]) -> list[dict[str, Any]]:
    return [json.loads(out.value or b"") for out in outs if out.topic == "alerts"]


def test_a_fault_is_one_incident_whose_members_are_its_alerts() -> None:
    outs = run(CONFIG, STREAM).outbox
    fired = [a for a in alerts(outs) if a["data"]["status"] == "firing" and int(a["sequence"]) == 1]
    assert len(fired) >= 5
    told = incidents(outs)
    assert {record["data"]["incident"] for record in told} == {f"incident-{fired[0]['correlationid']}"}
    assert [record["type"].split(".")[3] for record in told][:: len(told) - 1] == ["opened", "resolved"]
    assert [int(record["sequence"]) for record in told] == list(range(1, len(told) + 1))
    last = told[-1]["data"]
    assert {m["episode"] for m in last["members"]} == {a["correlationid"] for a in fired}
    assert (last["alerts"], last["severity"]) == ({"count": len(fired), "open": 0}, "critical")
    moved = {a["correlationid"]: a["data"]["sentence"] for a in fired}
    assert all(member["moved"] in moved[member["episode"]] for member in last["members"])
    assert all(last["since"] >= member["since"] or member["monitor"] == "mean" for member in last["members"])


def test_the_sentence_is_for_a_person_with_the_largest_first() -> None:
    told = incidents(run(CONFIG, STREAM).outbox)
    first, last = told[0]["data"], told[-1]["data"]
    assert first["sentence"].startswith(f"fraud: 2 alerts began together at {first['since']}: mean of features.")
    assert last["sentence"].startswith(f"fraud: over; {last['alerts']['count']} alerts began together at")
    assert f"at {first['since']}: {last['members'][0]['moved']}; " in last["sentence"], "it stays as it was found"
    assert last["sentence"].endswith(f"; and {last['alerts']['count'] - 3} more.")


@pytest.mark.parametrize("engine", [ENGINE, PYTHON], ids=["ENGINE", "PYTHON"])
@pytest.mark.parametrize("size", [1, 7, 400])
def test_cuts_and_snapshots_within_an_incident_change_nothing(size: int, engine: Engine) -> None:
    records = STREAM[:1400]
    whole = run(CONFIG, records)
    task, outs = Task(CONFIG, AT, 0, engine=engine), []
    for begin in range(0, len(records), size):
        task.step(decode(records[begin : begin + size], fields_of(CONFIG), AT[0]))
        outs += task.outbox
        task.published()
        if size > 1 or begin % 50 == 0:
            task = Task.load(CONFIG, AT, task.dump(), engine)
    assert len(incidents(outs)) == 3
    assert outs == whole.outbox, "alerts and incidents in one order"
    assert task.dump() == whole.dump()


def test_a_replay_prints_what_run_publishes() -> None:
    outs = Replay(CONFIG, fields_of(CONFIG)).step(AT, STREAM)
    assert incidents(outs) == incidents(run(CONFIG, STREAM).outbox)


def test_one_feature_times_hundred_under_the_least_config_is_one_incident() -> None:
    rng = random.Random(3)

    def event(i: int) -> dict[str, Any]:
        amount = rng.lognormvariate(3, 1) * (100 if 4000 <= i < 6000 else 1)
        features = {"amount": amount, "age": rng.gauss(40, 9), "country": rng.choice(["NL", "DE"])}
        return {"features": features, "prediction": {"label": rng.choice("yn"), "confidence": rng.betavariate(9, 2)}}

    outs = run(load_text(LEAST, "x", {}), events(event, 6500)).outbox
    fired = [a for a in alerts(outs) if a["data"]["status"] == "firing" and int(a["sequence"]) == 1]
    told = incidents(outs)
    assert len(fired) > 3
    assert [record["type"] for record in told if record["sequence"] == "0000000001"] == [told[0]["type"]]
    assert told[-1]["data"]["members"][0]["signal"] in ("features.amount", "distance")


def test_an_upstream_fault_marks_the_incidents_of_all_its_models_and_of_no_other() -> None:
    names = ("one", "two", "three", "well")
    told = incidents(run(CONFIG, stream(names, names[:3], 1000)).outbox)
    newest = {record["data"]["model"]: record["data"] for record in told}
    assert set(newest) == set(names[:3])
    [fleet] = {data["fleet"] for data in newest.values()}
    assert fleet is not None
    assert all(f"at the same time ({fleet})." in data["sentence"] for data in newest.values())


def test_a_monitor_that_is_gone_after_a_restart_leaves_no_incident_open() -> None:
    task = run(CONFIG, STREAM[:1000])
    assert task.open_incidents() == {"fraud": 1}
    text = TEXT.replace("threshold: 30", "threshold: 31").replace("max: 0.2", "max: 0.3")
    other = load_text(text.replace("  shape", "  form"), "x", {})
    after = Task.load(other, AT, task.dump())
    assert after.open_incidents() == {"fraud": 1}
    after.tick(Tick(after.position, 1_700_001_000_000, caught_up=True))
    [record] = incidents(after.outbox)
    assert (record["type"], record["time"]) == ("io.driftline.incident.resolved.v1", "2023-11-14T22:30:00.000Z")
    assert after.open_incidents() == {}


def test_a_snapshot_of_before_there_were_incidents_goes_on_without() -> None:
    task = run(CONFIG, STREAM[:1000])
    state = task.state()
    del state["incidents"]
    older = Task(CONFIG, AT, 1000)
    older._restore(state)
    older.step(decode(STREAM[1000:], fields_of(CONFIG), AT[0]))
    later = [a for a in alerts(older.outbox) if a["data"]["status"] == "resolved"]
    assert later
    assert incidents(older.outbox) == []


def test_no_value_of_an_event_is_told_but_what_alerts_tell() -> None:
    outs = run(CONFIG, STREAM).outbox
    sentences = " ".join(a["data"]["sentence"] for a in alerts(outs))
    assert all(m["moved"] in sentences for r in incidents(outs) for m in r["data"]["members"])


def test_the_onset_is_where_what_is_shown_begins_and_no_better_known_than_that_is_long() -> None:
    shown = {"from": "2026-01-02T03:04:05.678Z", "to": "2026-01-02T03:04:06.678Z"}
    begin_ms = ms_of(shown["from"])
    assert begin_ms == 1_767_323_045_678
    for evidence in ({"after": shown, "window": None}, {"after": None, "window": shown}):
        assert onset_ms(evidence, begin_ms + 1000) == (begin_ms - 1000, begin_ms)
        late = onset_ms(evidence, begin_ms - 9)
        assert late == (begin_ms - 1009, begin_ms - 9), "a late event's own time"
    assert onset_ms({"after": None, "window": {}}, begin_ms + 9) == (begin_ms + 9, begin_ms + 9)


def test_the_onset_is_the_one_that_the_alert_tells_though_its_level_begins_later() -> None:
    shown = {"from": "2026-01-02T03:04:07.000Z", "to": "2026-01-02T03:04:08.000Z"}
    onset = {"offset": 3, "time": "2026-01-02T03:04:05.000Z"}
    begin_ms, evidence = ms_of(onset["time"]), {"onset": onset, "after": shown, "window": None}
    assert onset_ms(evidence, begin_ms + 3000) == (begin_ms - 3000, begin_ms)
    backwards = {**shown, "to": "2026-01-02T03:04:04.000Z"}
    assert onset_ms({**evidence, "after": backwards}, begin_ms + 9) == (begin_ms, begin_ms), "times are not in order"
    assert onset_ms({**evidence, "onset": None}, begin_ms + 3000)[1] == begin_ms + 2000
