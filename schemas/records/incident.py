"""An incident as it crosses Kafka; its JSON Schema is `incident.v1.json`.

Like an alert a function of the log and the config. The record's key is the incident, so that of each the newest record
survives compaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from schemas.records.alert import SEVERITIES, Form, bare, cut, inner, render, rfc3339, with_holes, written
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
    members: Sequence[str]  # each as `render_member` writes it


PLACE = {"topic": "%(topic)s", "partition": bare("partition")}


def template() -> str:
    """The incident record with a hole for each fact: no text of a user is in it yet."""
    record = envelope(
        "incident",
        id="%(id)s-%(sequence)s",
        source="%(source)s",
        subject="model/%(model)s",
        time="%(changed)s",
        partitionkey="%(id)s",
        sequence="%(ordinal)s",
        severitytext="%(severitytext)s",
        severitynumber=bare("severitynumber"),
        correlationid="%(id)s",
        data={
            "status": "%(status)s",
            "sentence": "%(sentence)s",
            "incident": "%(id)s",
            "model": "%(model)s",
            "severity": "%(severity)s",
            "fleet": bare("fleet"),
            "since": "%(since)s",
            "opened": {**PLACE, "offset": bare("opened_offset"), "time": "%(opened)s"},
            "changed": {**PLACE, "offset": bare("changed_offset"), "time": "%(changed)s"},
            "alerts": {"count": bare("alerts"), "open": bare("open")},
            "members": [bare("members")],
        },
    )
    record["type"] = "io.driftline.incident.%(change)s.v1"
    return with_holes(record)


RECORD = template()


@lru_cache(256)
def form(change: str, severity: str, source: str, topic: str, partition: int) -> Form:
    """What the records of one partition with this change and severity have in common."""
    severitytext, severitynumber = SEVERITIES[severity]
    common = {
        "change": change,
        "status": "resolved" if change == "resolved" else "open",
        "severity": severity,
        "severitytext": severitytext,
        "severitynumber": severitynumber,
        "source": inner(source),
        "topic": inner(topic),
        "partition": partition,
    }
    return cut(RECORD, common)


named = lru_cache(4096)(inner)
"""Names as they stand in JSON: an incident repeats its own in every record."""


def render_member(member: Mapping[str, Any], topic: str, partition: int) -> str:
    """An alert of an incident as the record has it; `since` and `trigger` (offset and time) with times in ms."""
    offset, time_ms = member["trigger"]
    trigger = {"topic": topic, "partition": partition, "offset": offset, "time": rfc3339(time_ms)}
    return written({**member, "since": rfc3339(member["since"]), "trigger": trigger})


def render_incident(facts: IncidentFacts) -> tuple[bytes, bytes]:
    """Key and value of the record."""
    (opened_offset, opened_ms), (changed_offset, changed_ms) = facts.opened, facts.changed
    filled = {
        "id": named(facts.id),
        "sequence": str(facts.sequence),
        "ordinal": f"{facts.sequence:010d}",
        "model": named(facts.model),
        "sentence": inner(facts.sentence),
        "fleet": f'"{named(facts.fleet)}"' if facts.fleet else "null",
        "since": rfc3339(facts.since_ms),
        "opened_offset": str(opened_offset),
        "opened": rfc3339(opened_ms),
        "changed_offset": str(changed_offset),
        "changed": rfc3339(changed_ms),
        "alerts": str(facts.alerts),
        "open": str(facts.open),
        "members": ",".join(facts.members),
    }
    own = form(facts.change, facts.severity, facts.source, facts.topic, facts.partition)
    return facts.id.encode(), render(own, filled)
