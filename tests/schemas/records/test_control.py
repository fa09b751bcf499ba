"""What became of a command is a CloudEvent of its schema; whole ones are in tests/engine/test_control.py."""

from __future__ import annotations

import json

from schemas.records.control import ControlFacts, render_control

FACTS = ControlFacts(
    status="applied",
    sentence="fraud: ada acknowledged 1 alert (mean): known.",
    model="fraud",
    source="driftline",
    topic="drift-ordered",
    partition=2,
    offset=41,
    row=3,
    time_ms=1_700_000_000_000,
    command={"id": "c1", "type": "ack"},
    told_at=("drift-control", 0, 7),
    reason=None,
    alerts={"count": 0, "members": []},
)


def test_key_and_id_are_the_place_of_the_command() -> None:
    key, value = render_control(FACTS)
    record = json.loads(value)
    assert key.decode() == record["id"] == record["partitionkey"] == "control-drift-ordered-2-41.3"
    assert render_control(FACTS._replace(row=0))[0] == b"control-drift-ordered-2-41"
    assert render_control(FACTS._replace(generation=1))[0] == b"control-drift-ordered~1-2-41.3"
    assert (record["type"], record["correlationid"]) == ("io.driftline.control.applied.v1", "c1")
    assert record["data"]["told"] == {"topic": "drift-control", "partition": 0, "offset": 7}
    assert record["data"]["until"] is None
