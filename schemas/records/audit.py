"""What an audit of the least confident says of a window and of its model, as it crosses Kafka; its JSON Schema is
`audit.v1.json`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from schemas.records.alert import rfc3339
from schemas.records.envelope import envelope, located, named


class AuditFacts(NamedTuple):
    """One window of one model."""

    model: str
    source: str  # consumer group
    topic: str
    partition: int
    offset: int  # where the task stood: all verdicts before are in it
    begin_ms: int
    end_ms: int
    version: int  # from 1: the highest one is what holds
    audit: dict[str, Any]  # counts, shares and the test, see the schema
    generation: int = 0  # how often the topic was made anew


def render_audit(facts: AuditFacts) -> tuple[bytes, bytes]:
    """Key (model, so that the versions of a window stay in order) and value of the record."""
    begin, end = rfc3339(facts.begin_ms), rfc3339(facts.end_ms)
    record = envelope(
        "audit",
        id=f"audit-{named(facts.topic, facts.generation)}-{facts.partition}-{begin}-{facts.version}-{facts.model}",
        source=facts.source,
        subject=f"model/{facts.model}",
        time=end,
        data={
            "labels": {"model": facts.model},
            "window": {"from": begin, "to": end, "version": facts.version},
            "closed_by": located(facts.topic, facts.partition, facts.offset),
            **facts.audit,
        },
    )
    return facts.model.encode(), orjson.dumps(record)
