"""A record of several events: alerts say which row, and no two have one id."""

from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema
import orjson

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task

CONFIG = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [t]}
fields: {model: =m, features: /rows}
mapping: {each: /rows}
reference: {warmup: 100}
monitors:
  mean: {signal: features.a, detect: {kind: adwin}, keep_firing_for: 0s}
"""
ROOT = Path(__file__).resolve().parents[2]
AT = ("t", 0)


def log() -> list[Record]:
    """Batches of 40 rows; the level changes within records."""
    rng, found, row = random.Random(1), [], 0
    for offset in range(60):
        rows = []
        for _ in range(40):
            row += 1
            rows.append({"a": rng.gauss(0 if row % 1200 < 620 else 6, 1)})
        value = json.dumps({"time": 1_700_000_000 + offset, "rows": rows}).encode()
        found.append(Record(offset, -1, None, value))
    return found


def told(cut: int) -> tuple[list[bytes], bytes]:
    config = load_text(CONFIG, "x.yaml", {})
    decode, task, outs = Decoder(fields_of(config)), Task(config, AT, 0), list[bytes]()
    records = log()
    for begin in range(0, len(records), cut):
        task.step(decode(records[begin : begin + cut], "t"))
        outs += [out.value or b"" for out in task.outbox if out.topic in ("alerts", "incidents")]
        task.published()
    return outs, task.dump()


def test_alerts_name_the_row_and_ids_are_apart_however_the_log_is_cut() -> None:
    outs, state = told(60)
    records = [orjson.loads(out) for out in outs]
    alerts = [one for one in records if "alert" in one["data"]]
    fired = [alert for alert in alerts if alert["data"]["status"] == "firing"]
    assert len(fired) >= 2
    assert any(alert["data"]["row"] > 0 for alert in fired)
    for alert in fired:
        offset, row = alert["data"]["trigger"]["offset"], alert["data"]["row"]
        place = f"{offset}.{row}" if row else str(offset)
        assert alert["id"].endswith(f"-t-0-{place}-1")
    assert len({alert["id"] for alert in alerts}) == len(alerts)
    incidents = [one["data"] for one in records if "incident" in one["data"]]
    episodes = {alert["correlationid"] for alert in fired}
    assert {member["episode"] for one in incidents for member in one["members"]} == episodes, "one word for one thing"
    schema = json.loads((ROOT / "schemas" / "alert.v1.json").read_text())
    for alert in alerts:
        jsonschema.Draft202012Validator(schema).validate(alert)
    for cut in (1, 7):
        assert told(cut) == (outs, state)


def test_what_a_row_is_compared_with_is_of_records_before_its_own() -> None:
    """The reference is ready within the record, behind the row that changes: that is no before of it."""
    text = (
        CONFIG.replace("warmup: 100", "warmup: 30")
        .split("monitors:")[0]
        .replace("model: =m", "model: =m, version: /v")
        .replace("each: /rows", "each: [/rows, /v]")
    )
    config = load_text(
        text + "monitors: {change: {signal: version_change, detect: {kind: occurrence}}}\n", "x.yaml", {}
    )
    task, decode = Task(config, AT, 0), Decoder(fields_of(config))
    versions = [*["1"] * 10, *["2"] * 50]
    whole = {"time": 1_700_000_000, "rows": [{"a": 1}] * len(versions), "v": versions}
    task.step(decode([Record(0, -1, None, json.dumps(whole).encode())], "t"))
    [alert] = [orjson.loads(out.value or b"") for out in task.outbox if out.topic == "alerts"]
    assert alert["data"]["row"] == 10
    assert alert["data"]["evidence"]["before"] is None
