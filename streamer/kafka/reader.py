"""Reads bounded ranges outside the group: replays of the input and snapshots in the state topic."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.events.batch import Record
from streamer.config.model import Config
from streamer.kafka.bad_offsets import UNREADABLE, BadOffsets
from streamer.kafka.client import (
    GAPS,
    REFUSED,
    Complaints,
    Limits,
    Probe,
    down,
    error_of,
    make_consumer,
    unreadable,
)
from streamer.kafka.intake import record_of
from streamer.port import LogDown, LogGap, Partition

READERS_MAX = 2
"""Each reader is a client with threads and connections of its own; restores are bound by the processor anyway."""
BATCH = 500
WAIT_S = 0.02


class Readers:
    """A small pool of consumers that are members of no group. Ranges beyond its size wait for their turn."""

    def __init__(self, config: Config, logger: Any, probe: Probe, limits: Limits) -> None:
        self._config, self._logger, self._probe, self._limits = config, logger, probe, limits
        self._complaints = Complaints(logger)
        self._idle: list[Consumer] = []
        self._busy = 0

    def read(self, partition: Partition, start: int, end: int) -> Generator[list[Record]]:
        """Committed records with start <= offset < end, in order; empty lists while waiting.

        The end is reached by *position*: transaction markers and aborted records occupy offsets, too, so the last
        record of the range need not be end - 1. LogGap when `start` is not retained, LogDown when nothing moves for
        `limits.stalled` seconds.
        """
        while self._busy >= READERS_MAX:
            yield []
        self._busy += 1
        consumer = None
        try:
            consumer = self._idle.pop() if self._idle else self._make()
            yield from self._drain(consumer, partition, start, end)
        except KafkaException as exception:
            where = f"{partition[0]}[{partition[1]}]"
            raise down(self._config, error_of(exception), where, partition[0]) from exception
        finally:
            # Also when the worker drops the generator half way, because the partition went to another member.
            self._busy -= 1
            if consumer is not None:
                consumer.unassign()
                self._idle.append(consumer)

    def close(self) -> None:
        for consumer in self._idle:
            consumer.close()
        self._idle.clear()

    def _make(self) -> Consumer:
        fixed = {"isolation.level": "read_committed", "enable.partition.eof": True, "fetch.wait.max.ms": 20}
        consumer = make_consumer(self._config, self._logger, fixed)
        # Metadata of all topics at once: a topic that is new to a client in use is looked up by a timer of 1 s.
        consumer.list_topics(timeout=self._limits.metadata)
        return consumer

    def _drain(self, consumer: Consumer, partition: Partition, start: int, end: int) -> Iterator[list[Record]]:
        cursor = Cursor(self._config, consumer, partition, start, end, self._complaints)
        consumer.assign([TopicPartition(*partition, start)])
        moved_s = time.monotonic()
        while cursor.position < end:
            before = cursor.position
            first = consumer.poll(WAIT_S)
            records = [] if first is None else cursor.take([first, *consumer.consume(BATCH - 1, 0)])
            if first is None:
                cursor.catch_up()
            if cursor.position > before:
                moved_s = time.monotonic()
            elif time.monotonic() - moved_s > self._limits.stalled:
                raise LogDown(self._why_stalled(consumer, partition, cursor.position, end))
            yield records

    def _why_stalled(self, consumer: Consumer, partition: Partition, position: int, end: int) -> str:
        where = f"{partition[0]}[{partition[1]}]: nothing after offset {position} for {self._limits.stalled:g} s"
        _, high = self._probe.begin_end(partition)
        if high < end:
            return f"{where}; the partition was truncated: it ends at {high}, {end} was expected"
        try:
            stable = consumer.get_watermark_offsets(TopicPartition(*partition), timeout=self._limits.slice)
        except KafkaException:
            stable = None
        if stable is not None and stable[1] < end:
            return f"{where}; an open transaction holds readers back at {stable[1]}, records reach to {high}"
        return f"{where}, though the partition reaches to {high}"


class Cursor:
    """The position of one bounded read."""

    def __init__(
        self, config: Config, consumer: Consumer, partition: Partition, start: int, end: int, complaints: Complaints
    ) -> None:
        self.position = start
        self._config = config
        self._consumer, self._partition, self._end = consumer, partition, end
        self._complaints = complaints
        self._bad = BadOffsets()

    def take(self, messages: list[Message]) -> list[Record]:
        records: list[Record] = []
        struck = False
        for message in messages:
            if self.position >= self._end:
                break
            error = message.error()
            if error is not None:
                # Of several failures taken at once the later ones may stem from before the seek of the first.
                if not (struck and error.code() in UNREADABLE):
                    records += self._error(error, message.offset())
                struck |= error.code() in UNREADABLE
                continue
            record = record_of(message)
            if record.offset >= self._end:
                self.position = self._end
            elif record.offset >= self.position:
                self.position = record.offset + 1
                records.append(record)
        return records

    def catch_up(self) -> None:
        """Markers at the end of a range deliver nothing, but move the consumer's position."""
        [at] = self._consumer.position([TopicPartition(*self._partition)])
        self.position = max(self.position, at.offset)

    def _error(self, error: KafkaError, offset: int | None) -> list[Record]:
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            self.position = max(self.position, offset or 0)
        elif code in GAPS:
            raise LogGap(f"{self._partition[0]}[{self._partition[1]}]: offset {self.position} is not retained")
        elif code in UNREADABLE:
            at = max(self.position, offset or 0)
            if self._bad.struck(self._partition, at):
                self.position = at + 1
                self._consumer.seek(TopicPartition(*self._partition, self.position))
                return [unreadable(at, error)]
        elif error.fatal() or code in REFUSED:
            raise down(self._config, error, f"{self._partition[0]}[{self._partition[1]}]", self._partition[0])
        else:
            self._complaints.say(error, *self._partition)
        return []
