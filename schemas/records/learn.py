"""What was learned from verdicts on alerts, as it crosses Kafka; its JSON Schema is `learn.v1.json`."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from schemas.records.alert import fnv1a, rfc3339
from schemas.records.envelope import envelope, located, named, numbered


class LearnFacts(NamedTuple):
    """One proposal or change of one monitor of one model."""

    status: str  # "proposed" or "changed"
    sentence: str
    model: str
    monitor: str
    version: int  # of the monitor's share: a change makes a new one
    before: float  # of what the config gives it
    after: float
    because: dict[str, Any] | None  # what people said; None of an undone change
    source: str  # consumer group
    topic: str
    partition: int
    offset: int  # in the ordered log: what comes behind is as it says
    row: int
    time_ms: int  # of its model's clock there, or of the tick
    generation: int = 0  # how often the topic was made anew


def render_learn(facts: LearnFacts) -> tuple[bytes, bytes]:
    """Key (the record's id: none replaces another) and value of the record."""
    whose = f"{fnv1a(f'{facts.model}/{facts.monitor}'.encode()):016x}"
    where = f"{named(facts.topic, facts.generation)}-{facts.partition}-{numbered(facts.offset, facts.row)}"
    id = f"learn-{whose}-{where}-{facts.version}-{facts.status}"
    record = envelope(
        f"learn.{facts.status}",
        id=id,
        source=facts.source,
        subject=f"model/{facts.model}/monitor/{facts.monitor}",
        time=rfc3339(facts.time_ms),
        partitionkey=id,
        data={
            "status": facts.status,
            "sentence": facts.sentence,
            "model": facts.model,
            "monitor": facts.monitor,
            "version": facts.version,
            "share": {"before": facts.before, "after": facts.after},
            "strength": {"before": 1.0 / facts.before, "after": 1.0 / facts.after},
            "because": facts.because,
            "changed": located(facts.topic, facts.partition, facts.offset, time=rfc3339(facts.time_ms)),
        },
    )
    return id.encode(), orjson.dumps(record)
