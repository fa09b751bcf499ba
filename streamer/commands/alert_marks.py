"""What was deployed or changed in a model about the time of an alert, read back from what the service publishes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import orjson

from schemas.events.batch import Record
from streamer.bridges.told import ODD
from streamer.config.model import Config
from streamer.port import LogDown, LogGap
from streamer.service.past import Past

BEFORE_MS, AFTER_MS, MOST = 7_200_000, 600_000, 20_000
"""Signs of life are read of so long before an alert was published, and after it: each tells the newest deploys. So many
at most, as on the page.
"""
ANSWER = b"io.driftline.control."
"""What became of a command, in the topic of alerts."""


def marks_of(
    config: Config, model: str, published_ms: int, answers: Iterable[bytes]
) -> tuple[list[dict[str, str]], str | None]:
    """The oldest first; and why signs of life could not be read. published_ms: when the alert was, by its record;
    answers: values of records with ANSWER in them.
    """
    found, why = dict[tuple[str, str], dict[str, str]](), None
    said = Past()
    for value in answers:
        try:
            said.command(orjson.loads(value)["data"])
        except ODD:
            continue  # Of such a one somebody else is the author.
    now_ms = time.time_ns() // 1_000_000
    pasts = [said]
    try:
        # The newest as well: the others may be compacted away, and each tells the last deploys.
        for begin_ms, end_ms in ((published_ms - BEFORE_MS, published_ms + AFTER_MS), (now_ms - AFTER_MS, now_ms)):
            pasts.append(past_between(config, model, begin_ms, end_ms))
    except (LogDown, LogGap) as error:
        why = str(error)
    for past in pasts:
        found |= {(one["time"], one["word"]): one for one in past.marks_of(model)}
    return [one for _, one in sorted(found.items())], why


def past_between(config: Config, model: str, begin_ms: int, end_ms: int) -> Past:
    """Of the signs of life of a model that were published then."""
    from streamer.kafka.topic_range import TopicRange

    past, before = Past(), dict[tuple[str, int], dict[str, Any]]()
    span = f"@{max(0, begin_ms) / 1000}", f"@{max(0, end_ms) / 1000}"
    for _, records in TopicRange(config, config.topics.heartbeats, (), *span, most=MOST):
        for data in map(told_of, records):
            if data is None or data.get("model") != model:
                continue
            try:
                place = str(data["topic"]), int(data["partition"])
                past.heartbeat((model, *place), before.get(place), data)
            except ODD:
                continue
            before[place] = data
    return past


def told_of(record: Record) -> dict[str, Any] | None:
    try:
        found = orjson.loads(record.value or b"")
        return dict(found["data"]) if str(found["type"]).startswith("io.driftline.heartbeat.") else None
    except ODD:
        return None
