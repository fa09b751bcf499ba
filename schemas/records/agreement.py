"""How far the reviewers of a model agree, as it crosses Kafka; its JSON Schema is `agreement.v1.json`."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from schemas.records.alert import rfc3339
from schemas.records.envelope import envelope, located, named


class AgreementFacts(NamedTuple):
    """All verdicts on items of one model so far."""

    model: str
    source: str  # consumer group
    topic: str
    partition: int
    offset: int  # where the task stood: all verdicts before are in it
    time_ms: int
    version: int  # from 1: the highest one is what holds
    agreement: dict[str, Any]  # counts, shares and coefficients, see the schema
    generation: int = 0  # how often the topic was made anew


def render_agreement(facts: AgreementFacts) -> tuple[bytes, bytes]:
    """Key (model, so that versions stay in order) and value of the record."""
    place = f"{named(facts.topic, facts.generation)}-{facts.partition}-{facts.version}"
    record = envelope(
        "agreement",
        id=f"agreement-{place}-{facts.model}",
        source=facts.source,
        subject=f"model/{facts.model}",
        time=rfc3339(facts.time_ms),
        data={
            "labels": {"model": facts.model},
            "version": facts.version,
            "closed_by": located(facts.topic, facts.partition, facts.offset),
            **facts.agreement,
        },
    )
    return facts.model.encode(), orjson.dumps(record)
