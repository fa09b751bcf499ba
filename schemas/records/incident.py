"""An incident as it crosses Kafka; its JSON Schema is `incident.v1.json`.

Like an alert a function of the log and the config. The record's key is the incident, so that of each the newest record
survives compaction.
"""

from __future__ import annotations

from schemas.records.alert import SEVERITIES, Form, bare, cut, inner, rfc3339, with_holes, written
from schemas.records.envelope import envelope, located


def place(partition: str, what: str) -> dict[str, str]:
    """A place in the log with a hole for everything; `what` happened there."""
    at = {"topic": "%(topic)s", "partition": bare(partition)}
    return {**at, "offset": bare(f"{what}_offset"), "time": f"%({what})s"}


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
            "sentence": "%(model)s: %(over)s%(sentence)s",
            "incident": "%(id)s",
            "model": "%(model)s",
            "severity": "%(severity)s",
            "retained": bare("retained"),
            "fleet": bare("fleet"),
            "since": "%(since)s",
            "opened": place("opened_partition", "opened"),
            "changed": place("partition", "changed"),
            "alerts": {"count": bare("alerts"), "open": bare("open")},
            "members": [bare("members")],
        },
    )
    record["type"] = "io.driftline.incident.%(change)s.v1"
    return with_holes(record)


RECORD = template()


Change = tuple[str, str]
"""What is told of an incident (opened, updated or resolved), and how grave it is."""


def form(told: Change, source: str, topic: str, partition: int) -> Form:
    """The records of one partition that tell this, with everything filled in that is the same in all of them;
    `source`: the consumer group.
    """
    change, severity = told
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


def render_member(member: dict[str, str], since_ms: int, trigger: tuple[int, int], where: tuple[str, int]) -> str:
    """An alert of an incident as the record has it; `trigger`: offset and time; `where`: the partition."""
    offset, time_ms = trigger
    trigger_at = located(*where, offset, time=rfc3339(time_ms))
    return written({**member, "since": rfc3339(since_ms), "trigger": trigger_at})
