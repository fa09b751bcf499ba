"""The sign of life: as its schema has it, the newest of a model and partition under one key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.records.heartbeat import HeartbeatFacts, render_heartbeat

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "heartbeat.v1.json").read_text()))
ACCOUNT = {"used": 8, "late": 1, "duplicate": 0, "filtered": 0, "dead_lettered": 1}
DETAILS: dict[str, Any] = {
    "events": 8,
    "newest_event": "2026-01-02T03:04:05.678Z",
    "series": {"ready": 1, "warming": 2},
    "windows": {"evaluated": 1, "insufficient": 0, "late": 0, "skipped": 0},
    "alerts": {"pending": 0, "firing": 1, "fading": 0},
}
ODD = [{"field": "features.amount", "reason": "not_finite", "count": 3}]
FACTS = HeartbeatFacts("fraud", "group", "in.put", 3, 10, 7, 1_767_323_045_678, True, ACCOUNT, DETAILS, ODD)


def record(**changes: Any) -> tuple[bytes, dict[str, Any]]:
    key, value = render_heartbeat(FACTS._replace(**changes))
    made: dict[str, Any] = json.loads(value)
    SCHEMA.validate(made)
    return key, made


def test_a_sign_of_life_is_told_whole() -> None:
    key, made = record()
    assert (key, made["subject"], made["id"]) == (b"model/fraud/in.put-3", "model/fraud", "in.put-3-7-fraud")
    assert made["time"] == "2026-01-02T03:04:05.678Z"
    assert made["data"] == {
        "model": "fraud",
        "topic": "in.put",
        "partition": 3,
        "offset": 10,
        "tick": {"number": 7, "time_ms": 1_767_323_045_678, "caught_up": True},
        "account": ACCOUNT,
        "odd_fields": ODD,
        **DETAILS,
    }


def test_a_partition_without_models_speaks_for_itself() -> None:
    key, made = record(model=None, details={})
    assert (key, made["subject"], made["id"]) == (b"partition/in.put-3", "partition", "in.put-3-7")
    assert made["data"]["model"] is None
    assert "series" not in made["data"]


@pytest.mark.parametrize(
    ("changes", "same"),
    [({"number": 8}, True), ({"generation": 1}, True), ({"partition": 4}, False), ({"model": "x"}, False)],
)
def test_only_the_newest_of_a_model_and_partition_matters(changes: dict[str, Any], same: bool) -> None:
    key, made = record(**changes)
    assert (key == record()[0]) is same
    assert made["id"] != record()[1]["id"]
