"""An incident as it crosses Kafka; its JSON Schema is `incident.v1.json`.

Like an alert a function of the log and the config. The record's key is the incident, so that of each the newest record
survives compaction.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from schemas.records.alert import SEVERITIES, rfc3339
from schemas.records.envelope import envelope


class IncidentFacts(NamedTuple):
    """An incident as it is now, and what of it changed."""

    id: str  # of the incident
    change: str  # opened, updated or resolved
    sequence: int  # of its records, from 1
    source: str  # consumer group
    model: str
    severity: str
    sentence: str
    topic: str
    partition: int
    since_ms: int  # the onset of its first alert
    opened: tuple[int, int]  # offset and time of the first trigger
    changed: tuple[int, int]  # of what made this record
    fleet: str  # empty without one
    alerts: int  # that joined
    open: int  # those that are not over
    members: list[dict[str, Any]]  # with times in ms, see the schema


def render_incident(facts: IncidentFacts) -> tuple[bytes, bytes]:
    """Key and value of the record."""
    text, number = SEVERITIES[facts.severity]

    def place(offset: int, time_ms: int) -> dict[str, Any]:
        return {"topic": facts.topic, "partition": facts.partition, "offset": offset, "time": rfc3339(time_ms)}

    record = envelope(
        f"incident.{facts.change}",
        id=f"{facts.id}-{facts.sequence}",
        source=facts.source,
        subject=f"model/{facts.model}",
        time=rfc3339(facts.changed[1]),
        partitionkey=facts.id,
        sequence=f"{facts.sequence:010d}",
        severitytext=text,
        severitynumber=number,
        correlationid=facts.id,
        data={
            "status": "resolved" if facts.change == "resolved" else "open",
            "sentence": facts.sentence,
            "incident": facts.id,
            "model": facts.model,
            "severity": facts.severity,
            "fleet": facts.fleet or None,
            "since": rfc3339(facts.since_ms),
            "opened": place(*facts.opened),
            "changed": place(*facts.changed),
            "alerts": {"count": facts.alerts, "open": facts.open},
            "members": [
                {**member, "since": rfc3339(member["since"]), "trigger": place(*member["trigger"])}
                for member in facts.members
            ],
        },
    )
    return facts.id.encode(), orjson.dumps(record)
