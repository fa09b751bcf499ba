"""The alert record: CloudEvents 1.0 structured JSON whose `data.alert` Alertmanager's v2 API takes as it is.

Nothing in the bytes comes from a clock, a host or a process: an alert is a function of the log and the config, so
a replay repeats it byte for byte. When it was recorded is the Kafka record's own timestamp.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

SEVERITIES = {"info": ("INFO", 9), "warning": ("WARN", 13), "critical": ("ERROR", 17)}
"""Severity -> OpenTelemetry's severity text and number."""

EPOCH = date(1970, 1, 1)

LEVEL_ENDS_MS = 24 * 3600 * 1000
"""Alertmanager drops an alert without `endsAt` after minutes; an open level is held a day or until it resolves."""


class AlertFacts(NamedTuple):
    """What the service decided; times in milliseconds of event time, offsets of the input topic."""

    status: str  # "firing" or "resolved"
    source: str  # consumer group
    severity: str
    labels: dict[str, str]  # identity beyond alertname and severity
    annotations: dict[str, str]
    sequence: int  # 1 = firing, 2 = resolved
    episode: int
    detections: int
    suppressed: int
    topic: str
    partition: int
    trigger_offset: int
    trigger_time_ms: int
    changed_offset: int  # the event that caused this very record
    changed_time_ms: int
    ends_ms: int
    detector: dict[str, Any]
    finding: dict[str, Any]  # statistic, threshold, direction, effect
    evidence: dict[str, Any]
    sentence: str
    replay: dict[str, Any]


@lru_cache(16_384)
def rfc3339(time_ms: int) -> str:
    """UTC with milliseconds, `2026-01-02T03:04:05.678Z`."""
    days, rest = divmod(time_ms, 86_400_000)
    seconds, ms = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    return f"{_date(days)}T{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}.{ms:03d}Z"


@lru_cache(1024)
def _date(days: int) -> str:
    return (EPOCH + timedelta(days)).isoformat()


def fingerprint(labels: dict[str, str]) -> str:
    """Alertmanager's own: FNV-1a 64 over the sorted labels, name 0xFF value 0xFF; 16 hex digits."""
    return _fnv1a("".join(f"{name}\xff{labels[name]}\xff" for name in sorted(labels)))


@lru_cache(16_384)
def _fnv1a(text: str) -> str:
    """Remembered, since the labels of a series never change and the sum costs more than all the rest of a record."""
    value = 0xCBF29CE484222325
    for part in text.split("\xff")[:-1]:
        for byte in part.encode() + b"\xff":
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def render(facts: AlertFacts) -> tuple[bytes, bytes]:
    """Key (the fingerprint) and value of the alert record."""
    labels = {"alertname": "ModelDrift", "severity": facts.severity}
    labels |= facts.labels if all(facts.labels.values()) else {k: v for k, v in facts.labels.items() if v}
    mark = fingerprint(labels)
    episode = f"{mark}-{facts.topic}-{facts.partition}-{facts.trigger_offset}"
    text, number = SEVERITIES[facts.severity]
    record = {
        "specversion": "1.0",
        "id": f"{episode}-{facts.sequence}",
        "type": f"io.driftline.alert.{facts.status}.v1",
        "source": f"/driftline/{facts.source}",
        "subject": f"model/{facts.labels['model']}/monitor/{facts.labels['monitor']}",
        "time": rfc3339(facts.changed_time_ms),
        "datacontenttype": "application/json",
        "dataschema": "urn:driftline:schema:alert:1",
        "partitionkey": mark,
        "sequence": f"{facts.sequence:010d}",
        "severitytext": text,
        "severitynumber": number,
        "correlationid": episode,
        "data": {
            "status": facts.status,
            "sentence": facts.sentence,
            "alert": {
                "labels": labels,
                "annotations": {"summary": facts.sentence, **facts.annotations},
                "startsAt": rfc3339(facts.trigger_time_ms),
                "endsAt": rfc3339(facts.ends_ms),
            },
            "fingerprint": mark,
            "trigger": _place(facts.topic, facts.partition, facts.trigger_offset, facts.trigger_time_ms),
            "changed": _place(facts.topic, facts.partition, facts.changed_offset, facts.changed_time_ms),
            "episode": {
                "number": facts.episode,
                "detections": facts.detections,
                "suppressed": facts.suppressed,
            },
            "detector": facts.detector,
            **facts.finding,
            "evidence": facts.evidence,
            "replay": facts.replay,
        },
    }
    return mark.encode(), orjson.dumps(record)


def _place(topic: str, partition: int, offset: int, time_ms: int) -> dict[str, Any]:
    return {"topic": topic, "partition": partition, "offset": offset, "time": rfc3339(time_ms)}
