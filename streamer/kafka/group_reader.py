"""Reads topics of ours as a member of a group of its own, each partition from its oldest record on.

What was there before the committed offset is history, from which the caller knows how things stand. An offset is
committed once the caller says that all before it is done with: every second, when a partition goes to another member,
and at the end. So after a crash some is delivered twice, and nothing is lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from schemas.events.batch import Record
from streamer.config.model import Config
from streamer.kafka.client import Complaints, error_of, make_consumer
from streamer.kafka.intake import record_of
from streamer.port import Partition

COMMIT_S, ASK_S = 1.0, 2.0
MEND_S = 10.0
"""So long a trouble is told after it was seen last."""
SETTINGS = {
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "cooperative-sticky",
    "check.crcs": False,  # The mock cluster writes the marks of transactions without any.
    "queued.max.messages.kbytes": 16 << 10,
}


class Place(NamedTuple):
    """Of a partition that was assigned: the committed offset, None without one that still means something, and where
    it begins and ends now.
    """

    committed: int | None
    low: int
    high: int


class Turn(NamedTuple):
    """What a call has brought, in this order: partitions that went and came, records, partitions read to their end."""

    gone: list[Partition]
    came: dict[Partition, Place]
    records: list[tuple[Partition, Record]]
    ended: list[Partition]


class GroupReader:
    """It needs no broker to begin with: what is wrong says `trouble`."""

    def __init__(self, config: Config, group: str, topics: Sequence[str], logger: logging.Logger) -> None:
        self._complaints = Complaints(logger)
        self._assigned: set[Partition] = set()
        self._fresh: set[Partition] = set()  # assigned, and it is not known yet where their news begins
        self._came: dict[Partition, Place] = {}
        self._gone: list[Partition] = []
        self._records: list[tuple[Partition, Record]] = []
        self._ended: list[Partition] = []
        self._done: dict[Partition, int] = {}  # all before this offset, and not committed yet
        self._joined, self._paused, self._commit_s = False, False, time.monotonic()
        self._trouble: tuple[str, float] | None = None
        fixed = {**SETTINGS, "group.id": group, "error_cb": self._failed, "on_commit": self._landed}
        self._consumer: Consumer = make_consumer(config, logger, fixed)
        self._consumer.subscribe(list(topics), on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose)

    @property
    def assigned(self) -> int | None:
        """How many partitions; None while the group has not said. None of them is what a spare has."""
        return len(self._assigned) if self._joined else None

    @property
    def trouble(self) -> str | None:
        """What is wrong with the broker, the topics or our rights, in words; None where nothing is known of any."""
        lately = self._trouble is not None and time.monotonic() - self._trouble[1] < MEND_S
        return self._trouble[0] if lately and self._trouble is not None else None

    def poll(self, limit: int, wait_s: float) -> Turn:
        """What has come, at most so many records; waits a little where there is nothing. No record comes before it is
        known of its partition where the news begins.
        """
        if self._learned():
            self._take(limit, wait_s)
        if time.monotonic() - self._commit_s > COMMIT_S:
            self._commit_s = time.monotonic()
            done, self._done = self._done, {}
            self._commits(done, wait=False)
        gone, self._gone = self._gone, []
        if not self._learned():  # Assigned just now.
            return Turn(gone, {}, [], [])
        turn = Turn(gone, self._came, self._records, self._ended)
        self._came, self._records, self._ended = {}, [], []
        return turn

    def hold(self, paused: bool) -> None:
        """Whether no further records are wanted for now; the group is served all the same."""
        if paused != self._paused:
            self._paused = paused
            change = self._consumer.pause if paused else self._consumer.resume
            with suppress(KafkaException):
                change([TopicPartition(*one) for one in self._assigned])

    def done(self, partition: Partition, offset: int) -> None:
        """All before this offset is done with."""
        if partition in self._assigned:
            self._done[partition] = offset

    def commit(self) -> bool:
        """What is done with, and wait for the answer, of a broker that hangs for over a minute; whether it landed."""
        landed = self._commits(self._done, wait=True)
        self._done = {}
        return landed

    def close(self) -> None:
        """Commit, and leave the group."""
        self.commit()
        self._consumer.close()

    def _take(self, limit: int, wait_s: float) -> None:
        for message in self._consumer.consume(limit, wait_s):
            where = str(message.topic()), int(message.partition() or 0)
            error = message.error()
            if error is None:
                self._trouble = None
                self._records.append((where, record_of(message)))
            elif error.code() == KafkaError._PARTITION_EOF:
                self._trouble = None
                self._ended.append(where)
            else:
                self._failed(error, where)

    def _learned(self) -> bool:
        """Whether the places of all partitions are known; those that are not are asked for."""
        try:
            for found in self._asked() if self._fresh else ():
                where = str(found.topic), int(found.partition)
                marks = self._consumer.get_watermark_offsets(TopicPartition(*where), timeout=ASK_S, cached=False)
                if marks is not None:
                    self._came[where] = Place(None if found.offset == OFFSET_INVALID else found.offset, *marks)
                    self._fresh.discard(where)
        except KafkaException as exception:
            self._failed(error_of(exception))
        return not self._fresh

    def _asked(self) -> list[TopicPartition]:
        """Committed offsets of those that are fresh."""
        found = self._consumer.committed([TopicPartition(*one) for one in sorted(self._fresh)], timeout=ASK_S)
        for one in found:
            if one.error is not None:
                raise KafkaException(one.error)
        return list(found)

    def _commits(self, done: dict[Partition, int], wait: bool) -> bool:
        places = [TopicPartition(*where, offset) for where, offset in done.items()]
        try:
            if places and wait:
                self._consumer.commit(offsets=places, asynchronous=False)
            elif places:
                self._consumer.commit(offsets=places, asynchronous=True)
        except KafkaException as exception:
            self._landed(error_of(exception), places)
            return False
        return True

    # Called by librdkafka, within `consume`

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        places = [TopicPartition(one.topic, one.partition, OFFSET_BEGINNING) for one in partitions]
        consumer.incremental_assign(places)
        self._joined = True
        found = {(str(one.topic), int(one.partition)) for one in partitions}
        self._assigned |= found
        self._fresh |= found
        if self._paused:
            consumer.pause(places)

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        going = {(str(one.topic), int(one.partition)) for one in partitions}
        self._commits({where: offset for where, offset in self._done.items() if where in going}, wait=True)
        self._forget(consumer, going)

    def _lose(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Another member may have them by now, so nothing is committed: it tells once more what we have told."""
        self._forget(consumer, {(str(one.topic), int(one.partition)) for one in partitions})

    def _forget(self, consumer: Consumer, going: set[Partition]) -> None:
        going &= self._assigned
        self._assigned -= going
        self._fresh -= going
        self._came = {where: place for where, place in self._came.items() if where not in going}
        self._done = {where: offset for where, offset in self._done.items() if where not in going}
        self._records = [one for one in self._records if one[0] not in going]
        self._ended = [where for where in self._ended if where not in going]
        self._gone += sorted(going)
        consumer.incremental_unassign([TopicPartition(*where) for where in going])

    def _landed(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        """A commit was answered. One that failed is tried again with the next, unless more is done with by then."""
        if error is not None:
            self._failed(error)
            for one in places:
                where = str(one.topic), int(one.partition)
                if where in self._assigned:
                    self._done.setdefault(where, one.offset)

    def _failed(self, error: KafkaError, where: Partition | None = None) -> None:
        """Told in words, and logged now and then; librdkafka itself tries again."""
        self._complaints.say(error, "bridge", *(where or ()))
        about = f"{where[0]}: " if where else ""
        self._trouble = f"{about}{error.name()}: {error.str()}", time.monotonic()
