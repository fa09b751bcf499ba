"""What fields say of the event itself: who opted out, which is a probe, and from which events a signal learns."""

from __future__ import annotations

import json
from typing import Any

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from tests.signals.events import HEAD


def states(text: str, events: list[dict[str, Any]]) -> list[Any]:
    """What a task knows but for offsets: keys and numbers of its tables."""
    config = load_text(HEAD + text, "x", {})
    task = Task(config, ("inferences", 0), 0)
    records = [Record(i, -1, None, json.dumps({"model": "m", **event}).encode()) for i, event in enumerate(events)]
    task.step(decode(records, fields_of(config), "inferences"))
    known = []
    for table in task.tables.values():
        learned = [table.reference.at(row)[:7] for row in range(len(table.keys))]
        known.append((table.identity, table.keys, learned))
    return known


def test_nothing_is_learned_from_a_golden_probe() -> None:
    text = """probes: {golden: /probe}
monitors:
  mean: {signal: features.*, detect: {kind: adwin}}
  odd: {signal: anomaly, detect: {kind: fraction, max: 0.05}}
  rate: {signal: traffic, detect: {kind: level}}
  silent: {signal: events, detect: {kind: silence}}
"""
    plain = [{"features": {"a": float(i % 7)}, "time": 1_700_000_000 + 4 * i} for i in range(600)]
    mixed = []
    for event in plain:
        mixed += [event, {**event, "features": {"a": 1e6, "new": 1.0}, "probe": True}]
    assert states(text, plain) == states(text, mixed)
