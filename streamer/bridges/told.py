"""A record of the alerts topic, as readers look at it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import orjson

from schemas.records.alert import SEVERITIES as GRAVITIES
from schemas.records.alert import ms_of

SEVERITIES = tuple(GRAVITIES)
ODD = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What comes of looking at a record that is not as ours are: of such a one somebody else is the author."""


class Told(NamedTuple):
    """An alert or an incident, as one record tells it."""

    kind: Literal["alert", "incident"]
    key: str  # the alert's fingerprint, or the incident: equal in all that is told of it, ever
    episode: str  # the correlationid: equal from its beginning to its end
    id: str
    over: bool
    severity: str
    model: str  # empty where it is about none
    monitor: str  # of an incident empty
    sentence: str
    since: str
    time: str  # of the event that caused the record
    record: dict[str, Any]
    value: bytes


def told(value: bytes | None) -> Told | None:
    """What a record tells; None for a tombstone, and for what is none of ours or not as ours are.

    Within a version members are only added, and records of other types may be in the topic: readers leave them alone.
    """
    if value is None:
        return None
    try:
        record = orjson.loads(value)
        family, _, version = str(record["type"]).removeprefix("io.driftline.").rpartition(".")
        made = READERS.get(family.partition(".")[0])
        return made(record, value) if made is not None and version == "v1" else None
    except ODD:
        return None


def _alert(record: dict[str, Any], value: bytes) -> Told:
    data = record["data"]
    alert = data["alert"]
    labels = {str(name): str(text) for name, text in alert["labels"].items()}
    ms_of(alert["startsAt"]), ms_of(alert["endsAt"]), ms_of(record["time"])  # Or it is not as ours are.
    return Told(
        "alert",
        str(data["fingerprint"]),
        str(record["correlationid"]),
        str(record["id"]),
        data["status"] in ("resolved", "shadow_resolved"),
        severity_of(labels.get("severity")),
        labels.get("model", ""),
        labels.get("monitor", labels.get("alertname", "")),
        str(data["sentence"]),
        str(alert["startsAt"]),
        str(record["time"]),
        record,
        value,
    )


def _incident(record: dict[str, Any], value: bytes) -> Told:
    data = record["data"]
    incident = str(data["incident"])
    ms_of(data["since"]), ms_of(record["time"]), [member["episode"] for member in data["members"]]
    return Told(
        "incident",
        incident,
        incident,
        str(record["id"]),
        data["status"] == "resolved",
        severity_of(data["severity"]),
        str(data["model"]),
        "",
        str(data["sentence"]),
        str(data["since"]),
        str(record["time"]),
        record,
        value,
    )


READERS = {"alert": _alert, "incident": _incident}


def severity_of(text: Any) -> str:
    """A severity that is known; another one is taken for the highest, lest nobody is told."""
    return text if text in SEVERITIES else SEVERITIES[-1]


def told_again_within_ms(one: Told) -> int:
    """How long after a firing record the next one comes at the latest, in event time: it says so itself."""
    ends = ms_of(one.record["data"]["alert"]["endsAt"]) if one.kind == "alert" else 0
    return max(0, ends - ms_of(one.time))
