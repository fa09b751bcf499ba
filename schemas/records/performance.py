"""How good a window's predictions were, as it crosses Kafka; its JSON Schema is `performance.v1.json`."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from schemas.records.alert import rfc3339
from schemas.records.envelope import envelope, located, named
from schemas.records.window import escaped


class PerformanceFacts(NamedTuple):
    """One window of one model, or of one of its groups."""

    labels: dict[str, str]  # model and the fields of `by`, those without a value empty
    source: str  # consumer group
    topic: str
    partition: int
    offset: int  # where the task stood: all labels before are in it
    begin_ms: int
    end_ms: int
    version: int  # from 1: the highest one is what holds
    performance: dict[str, Any]  # counts and shares, see the schema
    generation: int = 0  # how often the topic was made anew


def render_performance(facts: PerformanceFacts) -> tuple[bytes, bytes]:
    """Key (model, so that the versions of a window stay in order) and value of the record."""
    labels = {name: text for name, text in facts.labels.items() if text}
    begin = rfc3339(facts.begin_ms)
    who = "/".join(f"{name}={escaped(text)}" for name, text in facts.labels.items())
    record = envelope(
        "performance",
        id=f"{named(facts.topic, facts.generation)}-{facts.partition}-{begin}-{facts.version}-{who}",
        source=facts.source,
        subject=f"model/{labels['model']}",
        time=rfc3339(facts.end_ms),
        data={
            "labels": labels,
            "by": [name for name in facts.labels if name != "model"],
            "window": {"from": begin, "to": rfc3339(facts.end_ms), "version": facts.version},
            "closed_by": located(facts.topic, facts.partition, facts.offset),
            **facts.performance,
        },
    )
    return labels["model"].encode(), orjson.dumps(record)
