"""What all our records are wrapped in."""

from __future__ import annotations

import json

import orjson

from schemas.records.envelope import HEADERS, envelope


def test_an_envelope_is_a_cloud_event() -> None:
    made = envelope("alert.firing", "id-1", "group", "model/m", "2026-01-02T03:04:05.678Z", {"a": 1}, sequence="1")
    assert made == {
        "specversion": "1.0",
        "id": "id-1",
        "type": "io.driftline.alert.firing.v1",
        "source": "/driftline/group",
        "subject": "model/m",
        "time": "2026-01-02T03:04:05.678Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:driftline:schema:alert:1",
        "sequence": "1",
        "data": {"a": 1},
    }
    assert list(made)[-1] == "data", "what a reader looks for comes behind what a router does"


def test_an_extension_cannot_be_lost_below_the_data() -> None:
    made = envelope("heartbeat", "i", "g", "s", "t", {"partitionkey": "inner"}, partitionkey="outer")
    assert (made["partitionkey"], made["data"]["partitionkey"]) == ("outer", "inner")
    assert json.loads(orjson.dumps(made)) == made


def test_the_headers_say_that_it_is_structured() -> None:
    [(name, value)] = HEADERS
    assert name == "content-type"
    assert value.startswith(b"application/cloudevents+json")
