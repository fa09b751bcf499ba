"""The incident's record: as its schema has it, and as it would be written at once, whatever names are in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from schemas.records.alert import SEVERITIES, inner, render
from schemas.records.incident import form, render_member

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "incident.v1.json").read_text()))
NASTY = '%(said)s "q" \\ \u0001 é\u202e'
MEMBER = {
    "fingerprint": "26e7b515b121c3de",
    "episode": "26e7b515b121c3de-in.put-3-7",
    "monitor": "numbers",
    "signal": f"features.{NASTY}",
    "severity": "warning",
    "moved": "mean of features.amount went from 1 to 2",
}
ID = "incident-26e7b515b121c3de-in.put-3-7"
SINCE_MS, OPENED, CHANGED = 1_767_323_040_000, (7, 1_767_323_045_678), (9, 1_767_323_047_678)
SINCE, OPENED_AT, CHANGED_AT = (f"2026-01-02T03:04:{second}Z" for second in ("00.000", "05.678", "07.678"))
PLACE = {"topic": "in.put", "partition": 3}


def record(change: str = "opened", severity: str = "warning", **facts: str) -> dict[str, Any]:
    known = {
        "id": ID,
        "sequence": "1",
        "ordinal": "0000000001",
        "model": inner(NASTY),
        "over": "",
        "retained": "false",
        "sentence": "began",
        "fleet": "null",
        "since": SINCE,
        "opened_partition": "4",
        "opened_offset": "7",
        "opened": OPENED_AT,
        "changed_offset": "9",
        "changed": CHANGED_AT,
        "alerts": "2",
        "open": "1",
        "members": ",".join([render_member(MEMBER, SINCE_MS, OPENED, ("in.put", 3))] * 2),
    }
    value = render(form((change, severity), 'group "1"', "in.put", 3), {**known, **facts})
    made: dict[str, Any] = orjson.loads(value)
    assert orjson.dumps(made) == value, "one JSON text, written as orjson writes it"
    SCHEMA.validate(made)
    return made


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("change", "status"), [("opened", "open"), ("updated", "open"), ("resolved", "resolved")])
def test_an_incident_is_told_whole_and_as_it_would_be_written_at_once(change: str, status: str, severity: str) -> None:
    made = record(change, severity, over="over; ", fleet='"fleet-x"', sequence="4")
    text, number = SEVERITIES[severity]
    trigger = {**PLACE, "offset": 7, "time": OPENED_AT}
    member = {**MEMBER, "since": SINCE, "trigger": trigger}
    assert list(made.items()) == [
        ("specversion", "1.0"),
        ("id", f"{ID}-4"),
        ("type", f"io.driftline.incident.{change}.v1"),
        ("source", '/driftline/group "1"'),
        ("subject", f"model/{NASTY}"),
        ("time", CHANGED_AT),
        ("datacontenttype", "application/json"),
        ("dataschema", "urn:driftline:schema:incident:1"),
        ("partitionkey", ID),
        ("sequence", "0000000001"),
        ("severitytext", text),
        ("severitynumber", number),
        ("correlationid", ID),
        ("data", made["data"]),
    ]
    assert list(made["data"].items()) == [
        ("status", status),
        ("sentence", f"{NASTY}: over; began"),
        ("incident", ID),
        ("model", NASTY),
        ("severity", severity),
        ("retained", False),
        ("fleet", "fleet-x"),
        ("since", SINCE),
        ("opened", {**trigger, "partition": 4}),
        ("changed", {**PLACE, "offset": 9, "time": CHANGED_AT}),
        ("alerts", {"count": 2, "open": 1}),
        ("members", [member, member]),
    ]


def test_without_a_fleet_there_is_none() -> None:
    assert record()["data"]["fleet"] is None


def test_what_an_alert_is_no_incident_is() -> None:
    """Both are in one topic by default: each schema refuses the other's records."""
    alert = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "alert.v1.json").read_text()))
    made = record()
    assert not alert.is_valid(made)
    assert not SCHEMA.is_valid({**made, "type": "io.driftline.alert.firing.v1"})
