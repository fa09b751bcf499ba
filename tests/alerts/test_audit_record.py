"""The alert of an audit, which no monitor raises: opened, told again, over; as the schema of all alerts has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from schemas.records.alert import fingerprint
from streamer.alerts.audit_record import Alarm, AuditAlerts
from streamer.config.load import load_text
from streamer.port import Out
from tests.config.samples import LEAST

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "alert.v1.json").read_text()))
CONFIG = load_text(LEAST + "defaults: {severity: critical, repeat_interval: 10m}\n", "x", {})
MINUTE_MS = 60_000
TTL_MS = 60 * MINUTE_MS


def told(out: Out) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(out.value or b"")
    SCHEMA.validate(made)
    assert (out.topic, (out.key or b"").decode()) == ("alerts", made["data"]["fingerprint"])
    return made


def fired() -> tuple[AuditAlerts, dict[tuple[str, str], int], dict[str, Any]]:
    emitted: dict[tuple[str, str], int] = {}
    alerts = AuditAlerts(CONFIG, ("log", 2), 0, TTL_MS, emitted)
    return alerts, emitted, told(alerts.fire("m", Alarm(1, 17, 5, 40, 9, 2.5, 31.0, MINUTE_MS, 0.05), 90))


def test_it_says_what_was_found_against_what_the_model_says() -> None:
    _, emitted, made = fired()
    data = made["data"]
    assert data["sentence"] == (
        "m: of 40 looked-at predictions 9 were wrong, its confidence says 2.5; found by review.audit at log[2]@17."
    )
    assert (data["statistic"], data["threshold"], data["evidence"]["window"]["fraction"]) == (31.0, 20.0, 9 / 40)
    labels = data["alert"]["labels"]
    assert data["fingerprint"] == fingerprint(labels)
    assert (labels["alertname"], labels["severity"], labels["model"]) == ("ModelDrift", "critical", "m")
    assert made["subject"] == "model/m/monitor/review.audit"
    assert emitted == {("firing", "critical"): 1}


def test_it_is_told_again_as_all_are_and_is_over_when_its_verdicts_are_out_of_date() -> None:
    alerts, emitted, first = fired()
    again = [told(out) for minute in range(1, 61) for out in alerts.tick(100 + minute, minute * MINUTE_MS)[0]]
    assert [int(one["sequence"]) for one in again] == [2, 3, 4, 5, 6]
    outs, over = alerts.tick(200, MINUTE_MS + TTL_MS)
    [last] = map(told, outs)
    assert (over, last["data"]["status"], last["data"]["resolution"]) == (["m"], "resolved", {"how": "faded"})
    assert {one["correlationid"] for one in (first, *again, last)} == {first["correlationid"]}
    assert len({one["id"] for one in (first, *again, last)}) == 7
    assert alerts.tick(300, 9 * TTL_MS) == ([], [])
    assert emitted == {("firing", "critical"): 1, ("renewed", "critical"): 5, ("resolved", "critical"): 1}
    second = told(alerts.fire("m", Alarm(2, 17, 5, 40, 9, 2.5, 31.0, MINUTE_MS, 0.05), 90))
    assert second["correlationid"] != first["correlationid"]


def test_a_state_goes_on_where_it_stood() -> None:
    alerts, _, _ = fired()
    again = AuditAlerts(CONFIG, ("log", 2), 0, TTL_MS, {})
    again.load(json.loads(json.dumps(alerts.dump())))
    assert again.tick(101, 12 * MINUTE_MS) == alerts.tick(101, 12 * MINUTE_MS)
    assert again.dump() == alerts.dump()
