"""The record of performance: as its schema has it, one id for each version of a window of a group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.records.performance import PerformanceFacts, render_performance

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "performance.v1.json").read_text()))
LABELS = {"model": "fraud", "caller": "app", "model_version": ""}
FACTS = PerformanceFacts(LABELS, "group", "in.put", 3, 250, 0, 3_600_000, 2, {"inferences": 5, "labelled": 0})


def record(**changes: Any) -> tuple[bytes, dict[str, Any]]:
    key, value = render_performance(FACTS._replace(**changes))
    made: dict[str, Any] = json.loads(value)
    SCHEMA.validate(made)
    return key, made


def test_a_window_is_told_whole() -> None:
    key, made = record()
    assert (key, made["subject"], made["time"]) == (b"fraud", "model/fraud", "1970-01-01T01:00:00.000Z")
    assert made["id"] == "in.put-3-1970-01-01T00:00:00.000Z-2-model=fraud/caller=app/model_version="
    assert made["data"] == {
        "labels": {"model": "fraud", "caller": "app"},
        "by": ["caller", "model_version"],
        "window": {"from": "1970-01-01T00:00:00.000Z", "to": "1970-01-01T01:00:00.000Z", "version": 2},
        "closed_by": {"topic": "in.put", "partition": 3, "offset": 250},
        "inferences": 5,
        "labelled": 0,
    }


@pytest.mark.parametrize(
    "changes",
    [{"version": 3}, {"begin_ms": 1}, {"generation": 1}, {"labels": {"model": "fraud"}}, {"partition": 4}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_differs_has_another_id(changes: dict[str, Any]) -> None:
    assert record()[1]["id"] != record(**changes)[1]["id"]
