"""The newest dead letters, as anybody sees them: why each was refused, and what it is made of, without its values."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.events.batch import REASONS, Record
from schemas.records.alert import rfc3339
from schemas.records.dead_letter import PREFIX
from streamer.config.model import Config
from streamer.kafka.client import error_of, make_consumer
from streamer.kafka.diagnosis import silent_logger
from streamer.kafka.intake import record_of
from streamer.kafka.rights import REFUSALS, Right, not_allowed
from streamer.kafka.tail import SETTINGS
from streamer.offline.redacted import outline

LETTERS = 10
BACK = 40
"""Offsets of each partition that are looked at: some of them are ends of transactions."""
ANSWER_S, READ_S = 3.0, 2.0
BATCH = 100


class DeadLetters:
    """Asks one question again and again, as a member of no group."""

    def __init__(self, config: Config) -> None:
        self._config, self._topic = config, config.topics.dead_letter
        self._consumer: Consumer | None = None
        self._ends: dict[int, int] = {}
        self._found: list[dict[str, Any]] = []

    def newest(self) -> dict[str, Any]:
        """`letters`, the newest first, and `unknown`: why there are none to be had; None where nothing is wrong."""
        try:
            ends = self._marks()
            if ends != self._ends:
                left = set(ends)
                self._found = self._read(ends, left)
                self._ends = {} if left else ends  # What was not read in time is asked for once more.
        except (KafkaException, TimeoutError) as exception:
            code = error_of(exception).code() if isinstance(exception, KafkaException) else KafkaError._TIMED_OUT
            right = Right("topic", self._topic, "Read", "the page shows the newest")
            why = not_allowed(self._config, [right]).why if code in REFUSALS else KafkaError(code).str()
            return {"letters": [], "unknown": f"{self._topic}: {why}"}
        return {"letters": self._found, "unknown": None}

    def _marks(self) -> dict[int, int]:
        """Where each partition of the topic ends."""
        if self._consumer is None:
            fixed = {**SETTINGS, "enable.partition.eof": True, "auto.offset.reset": "earliest"}
            self._consumer = make_consumer(self._config, silent_logger(), fixed)
        topic = self._consumer.list_topics(self._topic, ANSWER_S).topics[self._topic]
        if topic.error is not None:
            raise KafkaException(topic.error)
        places = [TopicPartition(self._topic, number) for number in topic.partitions]
        marks = {one.partition: self._consumer.get_watermark_offsets(one, ANSWER_S) for one in places}
        return {number: mark[1] for number, mark in marks.items() if mark is not None and mark[1] > mark[0]}

    def _read(self, ends: Mapping[int, int], left: set[int]) -> list[dict[str, Any]]:
        """The last ones before these ends. left: the partitions, without those that were read."""
        assert self._consumer is not None
        self._consumer.assign([TopicPartition(self._topic, n, max(0, end - BACK)) for n, end in ends.items()])
        try:
            found = [record_of(one) for one in self._messages(left)]
        finally:
            self._consumer.unassign()
        found.sort(key=lambda record: record.time_ms)
        return [shown(record) for record in reversed(found[-LETTERS:])]

    def _messages(self, left: set[int]) -> Iterator[Message]:
        """All up to the ends, or for so long."""
        assert self._consumer is not None
        until_s = time.monotonic() + READ_S
        while left and time.monotonic() < until_s:
            for message in self._consumer.consume(BATCH, 0.2):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition() or 0)
                else:
                    raise KafkaException(error)

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def shown(record: Record) -> dict[str, Any]:
    """Of a dead letter when, where it came from, why, and what it is made of."""
    why = {
        name.removeprefix(PREFIX): (text or b"").decode("utf-8", "replace")
        for name, text in record.headers
        if name.startswith(PREFIX)
    }
    row = f".{why['row']}" if "row" in why else ""
    return {
        "time": rfc3339(record.time_ms),
        "topic": why.get("topic", ""),
        "partition": why.get("partition", ""),
        "offset": why.get("offset", "") + row,
        "reason": why.get("reason", ""),
        "says": REASONS.get(why.get("reason", ""), ""),
        "detail": why.get("detail", ""),
        "made_of": outline(record.value),
    }
