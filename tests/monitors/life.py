"""A task and the time, minute by minute."""

from __future__ import annotations

import json
from typing import Any

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.port import Tick

AT = ("inferences", 0)


BEGIN_MS = 1_700_000_000_000


MINUTE_MS = 60_000


CONFIG = load_text(
    """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
monitors:
  no-data: {signal: events, detect: {kind: silence, after: 5m, min_count: 10}, keep_firing_for: 1m}
  caller: {signal: events, by: [caller], detect: {kind: silence, after: 3m, min_count: 10}, keep_firing_for: 1m}
""",
    "x",
    {},
)


class Life:
    """A task and the time: a minute passes with each `minute`, in which the given callers send 20 events each."""

    def __init__(self) -> None:
        self.task = Task(CONFIG, AT, 0)
        self.now_ms, self.offset = BEGIN_MS, 0

    def minute(self, *callers: str, caught_up: bool = True, passed_ms: int = MINUTE_MS) -> None:
        records = []
        for _ in range(20):
            for caller in callers:
                event = {"model": "fraud", "time": self.now_ms / 1000, "caller": caller, "features": {"a": 1.0}}
                records.append(Record(self.offset, -1, None, json.dumps(event).encode()))
                self.offset += 1
        if records:
            self.task.step(decode(records, fields_of(CONFIG), AT[0]))
        self.now_ms += passed_ms
        self.task.tick(Tick(self.offset, self.now_ms, caught_up))

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(out.value or b"") for out in self.task.outbox if out.topic == "alerts"]

    def alerts(self) -> list[tuple[str, str, str]]:
        """Those that fired or resolved, not what was told again."""
        found = [r["data"] for r in self.records() if r["data"]["status"] == "resolved" or r["id"].endswith("-1")]
        return [(d["status"], d["alert"]["labels"]["monitor"], d["alert"]["labels"].get("caller", "")) for d in found]

    def beats(self) -> list[dict[str, Any]]:
        return [json.loads(out.value or b"") for out in self.task.outbox if out.topic == "heartbeats"]
