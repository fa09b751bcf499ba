"""Records as the service publishes them: a replay of a stream in which amounts rise, come back, then are missing."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import orjson

from schemas.events.batch import Record
from streamer.bridges.told import Told, told
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.replay import Replay

CONFIG = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
monitors:
  amount-mean:
    signal: features.amount
    by: [segment.country]
    detect: {kind: adwin}
    severity: critical
    keep_firing_for: 6s
    repeat_interval: 1m
    runbook_url: "https://example.org/run?a=1&b=<2>"
    description: The <amount> & co.
  amount-shape: {signal: features.amount, window: {events: 500}, detect: {kind: distribution, distance: psi, max: 0.3}}
  nulls: {signal: missing.amount, window: {events: 200}, detect: {kind: fraction, max: 0.2}, severity: info}
"""
BEGIN_MS = 1_767_225_600_000
COUNTRY = "NL <b>"


def event(number: int, draw: random.Random) -> bytes:
    amount = draw.gauss(150.0 if 1000 <= number < 1900 else 100.0, 10.0)
    return orjson.dumps(
        {
            "model": "fraud",
            "time": BEGIN_MS + 100 * number,
            "segment": {"country": COUNTRY},
            "features": {"amount": None if number >= 2200 else amount},
        }
    )


@cache
def records() -> tuple[Told, ...]:
    """In the order in which they are published."""
    draw = random.Random(1)
    batch = [Record(number, -1, None, event(number, draw)) for number in range(2600)]
    config = load_text(CONFIG, "driftline.yaml", {})
    outs = Replay(config, fields_of(config)).step(("inferences", 0), batch)
    found = [told(out.value) for out in outs]
    return tuple(one for one in found if one is not None)


def of(monitor: str) -> list[Told]:
    """The records of one alert."""
    return [one for one in records() if one.monitor == monitor]


def incidents() -> list[Told]:
    return [one for one in records() if one.kind == "incident"]


def changed(one: Told, **changes: Any) -> bytes:
    """Its value with other members, given by their path with __ between the parts."""
    record = orjson.loads(one.value)
    for path, value in changes.items():
        *parts, last = path.split("__")
        owner = record
        for part in parts:
            owner = owner[part]
        owner[last] = value
    return orjson.dumps(record)
