"""The alert record: CloudEvents 1.0 structured JSON whose `data.alert` Alertmanager's v2 API takes as it is.

Nothing in the bytes comes from a clock, a host or a process: an alert is a function of the log and the config, so
a replay repeats it byte for byte. When it was recorded is the Kafka record's own timestamp.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from schemas.compiled import native
from schemas.envelope import envelope

SEVERITIES = {"info": ("INFO", 9), "warning": ("WARN", 13), "critical": ("ERROR", 17)}
"""Severity -> OpenTelemetry's severity text and number."""

EPOCH = date(1970, 1, 1)

LEVEL_ENDS_MS = 24 * 3600 * 1000
"""Alertmanager drops an alert without `endsAt` after minutes; an open level is held a day or until it resolves."""


class Identity(NamedTuple):
    """What all records of one series of one monitor have in common, made and written as JSON once."""

    labels: dict[str, str]  # beyond alertname and severity; may have empty texts
    severity: str
    mark: str  # the fingerprint
    subject: str
    annotations: dict[str, str]
    shown: orjson.Fragment  # the labels of the alert
    detector: orjson.Fragment


class AlertFacts(NamedTuple):
    """What the service decided; times in milliseconds of event time, offsets of the input topic."""

    identity: Identity
    status: str  # "firing" or "resolved"
    source: str  # consumer group
    sequence: int  # 1 = firing, 2 = resolved
    episode: dict[str, int]  # number, detections, suppressed
    topic: str
    partition: int
    trigger_offset: int
    trigger_time_ms: int
    changed_offset: int  # the event that caused this very record
    changed_time_ms: int
    ends_ms: int
    finding: dict[str, Any]  # statistic, threshold, direction, effect
    evidence: dict[str, Any]
    sentence: str
    replay: dict[str, Any]


def identity(labels: dict[str, str], severity: str, annotations: dict[str, str], detector: orjson.Fragment) -> Identity:
    """The labels that hold something are the alert's identity for Alertmanager, too."""
    shown = {"alertname": "ModelDrift", "severity": severity} | {k: v for k, v in labels.items() if v}
    subject = f"model/{labels['model']}/monitor/{labels['monitor']}"
    written = orjson.Fragment(orjson.dumps(shown))
    return Identity(labels, severity, fingerprint(shown), subject, annotations, written, detector)


@lru_cache(16_384)
def _rfc3339(time_ms: int) -> str:
    days, rest = divmod(time_ms, 86_400_000)
    seconds, ms = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    return f"{_date(days)}T{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}.{ms:03d}Z"


@lru_cache(1024)
def _date(days: int) -> str:
    return (EPOCH + timedelta(days)).isoformat()


rfc3339: Callable[[int], str] = _rfc3339 if native is None else native.rfc3339
"""UTC with milliseconds of a time from 1970 on, `2026-01-02T03:04:05.678Z`."""


def fnv1a(text: bytes) -> int:
    """FNV-1a, 64 bits (Fowler, Noll, Vo)."""
    value = 0xCBF29CE484222325
    for byte in text:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def fingerprint(labels: dict[str, str], compiled: bool = native is not None) -> str:
    """Alertmanager's own: FNV-1a over the sorted labels, name 0xFF value 0xFF; 16 hex digits."""
    text = b"".join([b"%b\xff%b\xff" % (name.encode(), labels[name].encode()) for name in sorted(labels)])
    value = native.fnv1a(text) if native is not None and compiled else fnv1a(text)
    return f"{value:016x}"


def render(facts: AlertFacts) -> tuple[bytes, bytes]:
    """Key (the fingerprint) and value of the alert record."""
    own, topic, partition = facts.identity, facts.topic, facts.partition
    mark, severity = own.mark, SEVERITIES[own.severity]
    episode = f"{mark}-{topic}-{partition}-{facts.trigger_offset}"
    began, changed = rfc3339(facts.trigger_time_ms), rfc3339(facts.changed_time_ms)
    record = envelope(
        f"alert.{facts.status}",
        id=f"{episode}-{facts.sequence}",
        source=facts.source,
        subject=own.subject,
        time=changed,
        partitionkey=mark,
        sequence=f"{facts.sequence:010d}",
        severitytext=severity[0],
        severitynumber=severity[1],
        correlationid=episode,
        data={
            "status": facts.status,
            "sentence": facts.sentence,
            "alert": {
                "labels": own.shown,
                "annotations": {"summary": facts.sentence, **own.annotations},
                "startsAt": began,
                "endsAt": rfc3339(facts.ends_ms),
            },
            "fingerprint": mark,
            "trigger": {"topic": topic, "partition": partition, "offset": facts.trigger_offset, "time": began},
            "changed": {"topic": topic, "partition": partition, "offset": facts.changed_offset, "time": changed},
            "episode": facts.episode,
            "detector": own.detector,
            **facts.finding,
            "evidence": facts.evidence,
            "replay": facts.replay,
        },
    )
    return mark.encode(), orjson.dumps(record)
