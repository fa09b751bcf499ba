"""The incident's record: as its schema has it, the newest of each under its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.records.incident import IncidentFacts, render_incident

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "incident.v1.json").read_text()))
MEMBER = {
    "fingerprint": "26e7b515b121c3de",
    "episode": "26e7b515b121c3de-in.put-3-7",
    "monitor": "numbers",
    "signal": "features.amount",
    "severity": "warning",
    "moved": "mean of features.amount went from 1 to 2",
    "since": 1_767_323_040_000,
    "trigger": (7, 1_767_323_045_678),
}
ID = "incident-26e7b515b121c3de-in.put-3-7"
FACTS = IncidentFacts(
    id=ID,
    change="opened",
    sequence=1,
    source="group",
    model="fraud",
    severity="warning",
    sentence="fraud: began at 10",
    topic="in.put",
    partition=3,
    since_ms=1_767_323_040_000,
    opened=(7, 1_767_323_045_678),
    changed=(9, 1_767_323_047_678),
    fleet="",
    alerts=1,
    open=1,
    members=[MEMBER],
)


def record(**changes: Any) -> tuple[bytes, dict[str, Any]]:
    key, value = render_incident(FACTS._replace(**changes))
    made: dict[str, Any] = json.loads(value)
    SCHEMA.validate(made)
    return key, made


def test_an_incident_is_told_whole() -> None:
    key, made = record()
    assert (key, made["id"], made["type"]) == (ID.encode(), f"{ID}-1", "io.driftline.incident.opened.v1")
    assert (made["subject"], made["time"]) == ("model/fraud", "2026-01-02T03:04:07.678Z")
    assert (made["partitionkey"], made["correlationid"], made["sequence"]) == (ID, ID, "0000000001")
    assert (made["severitytext"], made["severitynumber"]) == ("WARN", 13)
    place = {"topic": "in.put", "partition": 3}
    trigger = {**place, "offset": 7, "time": "2026-01-02T03:04:05.678Z"}
    assert made["data"] == {
        "status": "open",
        "sentence": "fraud: began at 10",
        "incident": ID,
        "model": "fraud",
        "severity": "warning",
        "fleet": None,
        "since": "2026-01-02T03:04:00.000Z",
        "opened": trigger,
        "changed": {**place, "offset": 9, "time": "2026-01-02T03:04:07.678Z"},
        "alerts": {"count": 1, "open": 1},
        "members": [{**MEMBER, "since": "2026-01-02T03:04:00.000Z", "trigger": trigger}],
    }


@pytest.mark.parametrize(("change", "status"), [("opened", "open"), ("updated", "open"), ("resolved", "resolved")])
def test_every_change_has_the_key_of_its_incident_and_says_how_it_is_now(change: str, status: str) -> None:
    key, made = record(change=change, sequence=4, fleet="fleet-x", open=int(status == "open"))
    assert (key, made["id"], made["data"]["status"]) == (record()[0], f"{ID}-4", status)
    assert made["type"] == f"io.driftline.incident.{change}.v1"
    assert made["data"]["fleet"] == "fleet-x"


def test_what_an_alert_is_no_incident_is() -> None:
    """Both are in one topic by default: each schema refuses the other's records."""
    alert = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "alert.v1.json").read_text()))
    made = record()[1]
    assert not alert.is_valid(made)
    assert not SCHEMA.is_valid({**made, "type": "io.driftline.alert.firing.v1"})
