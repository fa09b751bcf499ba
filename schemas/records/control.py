"""What became of a command, as it crosses Kafka; its JSON Schema is `control.v1.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from schemas.records.alert import rfc3339
from schemas.records.envelope import envelope, located, named, numbered


class ControlFacts(NamedTuple):
    """One command, and what it changed."""

    status: str  # "applied" or "refused"
    sentence: str
    model: str
    source: str  # consumer group
    topic: str
    partition: int
    offset: int  # of the command in the ordered log: what comes behind is as it says
    row: int
    time_ms: int  # of its model's clock there
    command: dict[str, Any]  # as it was given
    told_at: tuple[str, int, int]  # topic, partition and offset of its own record
    reason: str | None  # why it was refused
    alerts: dict[str, Any]  # what it is about: count, members
    until_ms: int | None = None  # of a mute
    mutes: Sequence[Mapping[str, Any]] = ()  # that it made, or ended: id, labels, until_ms
    generation: int = 0  # how often the topic was made anew


def render_control(facts: ControlFacts) -> tuple[bytes, bytes]:
    """Key (the record's id: none replaces another) and value of the record."""
    id = f"control-{named(facts.topic, facts.generation)}-{facts.partition}-{numbered(facts.offset, facts.row)}"
    record = envelope(
        f"control.{facts.status}",
        id=id,
        source=facts.source,
        subject=f"model/{facts.model}",
        time=rfc3339(facts.time_ms),
        partitionkey=id,
        correlationid=facts.command["id"],
        data={
            "status": facts.status,
            "sentence": facts.sentence,
            "model": facts.model,
            "command": facts.command,
            "reason": facts.reason,
            "until": None if facts.until_ms is None else rfc3339(facts.until_ms),
            "mutes": [
                {"id": one["id"], "labels": one["labels"], "until": rfc3339(one["until_ms"])} for one in facts.mutes
            ],
            "alerts": facts.alerts,
            "told": located(*facts.told_at),
            "changed": located(facts.topic, facts.partition, facts.offset, time=rfc3339(facts.time_ms)),
        },
    )
    return id.encode(), orjson.dumps(record)
