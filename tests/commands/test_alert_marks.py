"""What was deployed about the time of an alert: which signs of life are read, and what is made of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from schemas.events.batch import Record
from streamer.commands.alert_marks import AFTER_MS, BEFORE_MS, MOST, marks_of
from streamer.config.load import load_text
from streamer.kafka import topic_range

CONFIG = load_text('version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [in], heartbeats: hb}\n', "x", {})
THEN_MS = 1_700_000_000_000


def beat(version: str, time: str, partition: int = 0) -> bytes:
    deploys = [{"version": version, "before": "1", "time": time}]
    place = {"topic": "in", "partition": partition, "tick": {"number": 1, "time_ms": THEN_MS}}
    return orjson.dumps({"type": "io.driftline.heartbeat.v1", "data": {"model": "m", "deploys": deploys, **place}})


def test_signs_of_life_are_read_about_then_and_lately_so_many_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []
    about = [
        beat("2", "2023-11-14T22:00:00Z"),
        beat("2", "2023-11-14T22:00:01Z", 1),
        b'{"type": "x", "data": {}}',
        b"{",
    ]
    lately = [beat("2", "2023-11-14T22:00:00Z"), beat("3", "2023-11-15T22:00:00Z")]

    def read(_: Any, topic: str, __: Any, begin: str, end: str, most: int) -> Iterator[Any]:
        assert (topic, most) == ("hb", MOST)
        asked.append((float(begin[1:]), float(end[1:])))
        yield ("hb", 0), [Record(0, 0, None, value) for value in (about, lately)[len(asked) - 1]]

    monkeypatch.setattr(topic_range, "TopicRange", read)
    marks, why = marks_of(CONFIG, "m", THEN_MS, [b"?", b'{"data": {"command": 1}}'])
    assert why is None
    assert [one["word"] for one in marks] == ["version 2", "version 3"], "each once, the oldest first"
    then, now = asked
    assert then == ((THEN_MS - BEFORE_MS) / 1000, (THEN_MS + AFTER_MS) / 1000)
    assert (round(now[1] - now[0]), abs(now[1] - time.time()) < 100) == (AFTER_MS // 1000, True)
