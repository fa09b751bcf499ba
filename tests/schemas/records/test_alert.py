"""The alert record against the same written out by hand: JSON with its keys in this order, whatever names are in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records.alert import RECORD, Source, fingerprint, forms, identity, inner, render, rfc3339

NASTY = '%(mark)s "q" =%(finding)s \\ \u0001 é\u202e'


def expected(
    status: str, labels: dict[str, str], annotations: dict[str, str], mark: str, generation: int
) -> dict[str, Any]:
    sequence = {"firing": 1, "resolved": 2}[status]
    topic, again = {0: ("in.put", ""), 2: ("in.put~2", " --generation 2")}[generation]
    episode, sentence = f"{mark}-{topic}-3-17", f"moved: {NASTY}"
    began, changed = "2026-01-02T03:04:05.678Z", "2026-01-02T04:04:05.678Z"
    return {
        "specversion": "1.0",
        "id": f"{episode}-{sequence}",
        "type": f"io.driftline.alert.{status}.v1",
        "source": "/driftline/group-1",
        "subject": f"model/{labels['model']}/monitor/{labels['monitor']}",
        "time": changed,
        "datacontenttype": "application/json",
        "dataschema": "urn:driftline:schema:alert:1",
        "partitionkey": mark,
        "sequence": f"{sequence:010d}",
        "severitytext": "ERROR",
        "severitynumber": 17,
        "correlationid": episode,
        "data": {
            "status": status,
            "sentence": sentence,
            "alert": {
                "labels": {"alertname": "ModelDrift", "severity": "critical", "model": NASTY, "monitor": "m"},
                "annotations": {"summary": sentence, **annotations},
                "startsAt": began,
                "endsAt": "2026-01-02T05:04:05.678Z",
            },
            "fingerprint": mark,
            "trigger": {"topic": "in.put", "partition": 3, "offset": 17, "time": began},
            "changed": {"topic": "in.put", "partition": 3, "offset": 99, "time": changed},
            "episode": {"number": 4, "detections": 5, "suppressed": 6},
            "detector": {"kind": "adwin", "params": {"delta": 0.002}},
            "statistic": 1e-7,
            "threshold": None,
            "direction": "up",
            "effect": {"absolute": NASTY, "deviations": -0.0},
            "evidence": {"before": None, "after": {"n": 1}},
            "replay": {
                "ranges": [{"topic": "in.put", "partition": 3, "from": 7, "to": 100}],
                "config": "c0ffee",
                "command": "driftline replay -c 'my \"own\".yaml' --topic in.put --partition 3 --from 7 --to 100"
                + again,
            },
        },
    }


@pytest.mark.parametrize("generation", [0, 2])
@pytest.mark.parametrize("status", ["firing", "resolved"])
@pytest.mark.parametrize("annotations", [{}, {"description": NASTY, "runbook_url": "http://x/%20%(mark)s"}])
def test_a_record_is_what_it_would_be_written_at_once(
    status: str, annotations: dict[str, str], generation: int
) -> None:
    labels = {"model": NASTY, "monitor": "m", "caller": ""}
    own = identity(labels, "critical")
    detector = {"kind": "adwin", "params": {"delta": 0.002}}
    source = Source("group-1", "c0ffee", "in.put", 3, generation, 'my "own".yaml')
    made = forms(RECORD, "critical", annotations, detector, source)
    whole = expected(status, labels, annotations, own.fingerprint, generation)
    data = whole["data"]
    facts = dict(
        fingerprint=own.fingerprint,
        subject=own.subject,
        labels=own.shown,
        trigger_topic="in.put",
        trigger_partition="3",
        trigger_offset="17",
        trigger_place="17",
        began=data["trigger"]["time"],
        changed_offset="99",
        changed=data["changed"]["time"],
        ends=data["alert"]["endsAt"],
        number="4",
        detections="5",
        suppressed="6",
        sequence={"firing": "1", "resolved": "2"}[status],
        ordinal={"firing": "0000000001", "resolved": "0000000002"}[status],
        finding=inner({name: data[name] for name in ("statistic", "threshold", "direction", "effect", "evidence")}),
        sentence=inner(data["sentence"]),
        first_offset="7",
        end_offset="100",
        history="",
    )
    assert render(made[status], facts) == orjson.dumps(whole)


@given(st.integers(0, 8_000_000_000_000))
def test_times_are_written_as_datetime_has_them(time_ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    expected = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert rfc3339(time_ms) == expected


def test_fingerprint_is_alertmanagers() -> None:
    # FNV-1a 64 of no bytes is its offset basis; the order of the labels does not matter, their borders do.
    assert fingerprint({}) == "cbf29ce484222325"
    labels = {"model": "m", "signal": "features.größe", "zone": "\u4e2d"}
    assert fingerprint(labels) == "f251b8d4bc7d1cfc"
    assert fingerprint({"b": "2", "a": "1"}) == fingerprint({"a": "1", "b": "2"}) != fingerprint({"a": "1b", "": "2"})
