"""The record of an audit: as its schema has it, one id for each version of a window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from detectors.audit import AuditTest
from schemas.records.audit import AuditFacts, render_audit
from streamer.review.audits import Window
from streamer.review.figures import audit_facts

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "audit.v1.json").read_text()))
WINDOW = Window((10, 90), (10, 5), [10, 5], [4, 0], 0.1)
FACTS = AuditFacts("fraud", "group", "in", 3, 250, 0, 3_600_000, 2, audit_facts(WINDOW, AuditTest()))


def record(**changes: Any) -> dict[str, Any]:
    key, value = render_audit(FACTS._replace(**changes))
    made: dict[str, Any] = json.loads(value)
    SCHEMA.validate(made)
    assert key == b"fraud"
    return made


def test_a_window_is_told_whole() -> None:
    made = record()
    assert made["id"] == "audit-in-3-1970-01-01T00:00:00.000Z-2-fraud"
    assert made["data"]["error"]["share"] == 0.04
    assert "error" not in record(audit=audit_facts(Window((1, 9), (1, 2)), AuditTest()))["data"]


@pytest.mark.parametrize("changes", [{"version": 3}, {"begin_ms": 1}, {"generation": 1}, {"partition": 4}])
def test_what_differs_has_another_id(changes: dict[str, Any]) -> None:
    assert record()["id"] != record(**changes)["id"]
