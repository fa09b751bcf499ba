"""The sign of life of a model, as it crosses Kafka; its JSON Schema is `heartbeat.v1.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from schemas.records.alert import rfc3339
from schemas.records.envelope import envelope, named


class HeartbeatFacts(NamedTuple):
    """What the service knows of a model in one partition at one tick; without a model of the partition alone."""

    model: str | None
    source: str  # consumer group
    topic: str
    partition: int
    offset: int  # where the task stands: everything before has been looked at
    number: int  # of the tick, from 1
    time_ms: int  # of the wall clock, as the tick has it
    caught_up: bool
    account: dict[str, int]  # records of the partition by what became of them
    details: dict[str, Any]  # of the model; empty without one
    odd: Sequence[dict[str, Any]] = ()  # fields of the partition's events that were left out: field, reason, count
    generation: int = 0  # how often the topic was made anew


def render_heartbeat(facts: HeartbeatFacts) -> tuple[bytes, bytes]:
    """Key (model, topic and partition: the newest is what matters) and value of the record."""
    where = f"{facts.topic}-{facts.partition}"
    subject = "partition" if facts.model is None else f"model/{facts.model}"
    name = "" if facts.model is None else f"-{facts.model}"
    record = envelope(
        "heartbeat",
        id=f"{named(facts.topic, facts.generation)}-{facts.partition}-{facts.number}{name}",
        source=facts.source,
        subject=subject,
        time=rfc3339(facts.time_ms),
        data={
            "model": facts.model,
            "topic": facts.topic,
            "partition": facts.partition,
            "offset": facts.offset,
            "tick": {"number": facts.number, "time_ms": facts.time_ms, "caught_up": facts.caught_up},
            "account": facts.account,
            "odd_fields": facts.odd,
            **facts.details,
        },
    )
    return f"{subject}/{where}".encode(), orjson.dumps(record)
