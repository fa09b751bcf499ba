"""What tests of signals and of what is made of them share: events as a batch, and the alerts that come of events."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from schemas.events.batch import Batch, Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task

HEAD = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\nreference: {warmup: 100}\n'


@cache
def decoder_of(text: str) -> Decoder:
    """That of a config: some tests want a batch of it for every single event."""
    return Decoder(fields_of(load_text(text, "x", {})))


LATE_MS = 7_000_000_000_000
"""When a record comes whose event says itself when it was."""


def batch_of(events: list[dict[str, Any]], text: str = HEAD, begin: int = 0) -> Batch:
    """A batch of events that must all be good, the first at offset `begin`."""
    values = [json.dumps({"model": "m", **event}).encode() for event in events]
    records = [
        Record(i, i if event.get("time") is None else LATE_MS, None, value)
        for i, (event, value) in enumerate(zip(events, values, strict=True), begin)
    ]
    batch = decoder_of(text)(records, "inferences")
    assert not batch.rejects
    return batch


def firing(text: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    task = Task(load_text(HEAD + text, "x", {}), ("inferences", 0), 0)
    task.step(batch_of(events, HEAD + text))
    told = [json.loads(out.value or b"")["data"] for out in task.outbox]
    return [data for data in told if data["status"] == "firing"]
