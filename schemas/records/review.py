"""An event that people are asked to look at, as it crosses Kafka; its JSON Schema is `review.v1.json`."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from schemas.records.alert import rfc3339
from schemas.records.envelope import envelope, located, named, numbered


class Place(NamedTuple):
    """Where an event is: topic, partition, offset, and its row in a record of several, else -1."""

    topic: str
    partition: int
    offset: int
    row: int = -1

    def told(self) -> dict[str, Any]:
        return located(self.topic, self.partition, self.offset, **({"row": self.row} if self.row >= 0 else {}))


class ItemFacts(NamedTuple):
    """One item."""

    id: str  # see `review_id`
    model: str
    source: str  # consumer group
    asked_ms: int  # when it was chosen, by the events' clock
    until_ms: int  # until when a verdict is waited for
    kind: str
    reasons: tuple[str, ...]
    question: str
    chosen: int  # of `of` events so many were drawn as this one was
    of: int
    event: dict[str, str]  # its id, or the hash of it
    event_ms: int
    place: Place
    ordered: Place | None  # where the log has it that is read, where that is another one
    values: dict[str, Any]


def review_id(topic: str, generation: int, partition: int, offset: int, row: int) -> str:
    """By where the log that is read has the event alone, so that a replay repeats it.

    >>> review_id("in", 0, 3, 17, 0), review_id("in", 1, 3, 17, 2)
    ('in-3-17', 'in~1-3-17.2')
    """
    return f"{named(topic, generation)}-{partition}-{numbered(offset, max(row, 0))}"


def render_item(facts: ItemFacts) -> tuple[bytes, bytes]:
    """Key (its id) and value of the record."""
    record = envelope(
        "review",
        id=facts.id,
        source=facts.source,
        subject=f"model/{facts.model}",
        time=rfc3339(facts.asked_ms),
        data={
            "review_id": facts.id,
            "model": facts.model,
            "kind": facts.kind,
            "reasons": list(facts.reasons),
            "question": facts.question,
            "weight": facts.of / facts.chosen,
            "chosen": facts.chosen,
            "of": facts.of,
            "until": rfc3339(facts.until_ms),
            "event": {**facts.event, "time": rfc3339(facts.event_ms), **facts.place.told()},
            **({"ordered": facts.ordered.told()} if facts.ordered is not None else {}),
            **({"values": facts.values} if facts.values else {}),
        },
    )
    return facts.id.encode(), orjson.dumps(record)
