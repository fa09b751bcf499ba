"""The record of an alert that no monitor raises, as the schema of all alerts has it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from schemas.records.alert import identity
from streamer.alerts.own_record import Kind, Told, finding_of, own_record
from streamer.config.load import load_text
from tests.config.samples import LEAST

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "alert.v1.json").read_text()))
KIND = Kind("warning", {"kind": "toy", "params": {}, "scale_free": True}, "What it means.")


@pytest.mark.parametrize("how", [None, "faded"])
def test_it_is_one_that_all_readers_know(how: str | None) -> None:
    window = {"n": 10, "count": 5, "fraction": 0.5, "interval": [0.2, 0.8], "reasons": []}
    span = {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-01T00:00:00.000Z", "offsets": [3, 7]}
    own = identity({"model": "m", "monitor": "toy", "signal": "s", "partition": "in[1]"}, KIND.severity)
    told = Told(own, (7, 1000), "7", 3, (9, 2000), 5000, 2, 1, 4, finding_of(0.5, 0.1, window | span), "It is so.", how)
    out = own_record(load_text(LEAST, "x", {}), ("in", 1), 0, KIND, told)
    made = json.loads(out.value or b"")
    SCHEMA.validate(made)
    data = made["data"]
    assert (out.topic, out.key) == ("alerts", own.fingerprint.encode())
    assert data["status"] == ("firing" if how is None else "resolved")
    assert data["resolution"] == (None if how is None else {"how": how})
    assert (data["trigger"]["offset"], data["changed"]["offset"], data["episode"]["detections"]) == (7, 9, 4)
    assert (data["statistic"], data["threshold"], data["sentence"]) == (0.5, 0.1, "It is so.")
    assert data["alert"]["annotations"]["description"] == "What it means."
