"""`streamer.port.Log` on Kafka: one group member, one transactional producer, and readers outside the group.

The worker decides; here calls, callbacks and errors are mapped. Three rules of Kafka shape the code:

- A transactional offset commit is checked against member and generation, not against the partition. Hence a revoked
  partition's work is committed inside the revoke callback, or dropped.
- A broker accepts a transactional commit that names no member, and one of any current member for any partition; so a
  member that was evicted and has rejoined could commit what is no longer its own. Hence the member id noted at
  assignment must be there, unchanged, when offsets are sent.
- Transaction markers and aborted records occupy offsets. Hence ends are reached by position, never by counting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.events.batch import Record, columns_of
from streamer.config.model import Config
from streamer.kafka.at_once import AskedAtOnce
from streamer.kafka.bad_offsets import UNREADABLE, BadOffsets
from streamer.kafka.client import (
    GAPS,
    Complaints,
    Limits,
    Probe,
    committed_of,
    down,
    error_of,
    make_consumer,
    unreadable,
)
from streamer.kafka.cluster_watch import ClusterWatch
from streamer.kafka.fencing import Fencing
from streamer.kafka.intake import Intake, Stretch, connect, resume
from streamer.kafka.killer_batch import Stretches
from streamer.kafka.offsets import parts_of
from streamer.kafka.overlooked import Subscription
from streamer.kafka.publishing import Publisher, at
from streamer.kafka.reader import WAIT_S, Readers
from streamer.kafka.state_topic import StateTopic
from streamer.kafka.transactions import NoWatch, Transactions, Watch
from streamer.kafka.waker import Waker
from streamer.port import (
    Assigned,
    CommitResult,
    Committed,
    Gap,
    LogDown,
    LogEvent,
    LogGap,
    Lost,
    Out,
    Outcome,
    Partition,
    Pointer,
    Records,
    Roots,
    Snapshot,
    Staged,
    Stored,
    Surroundings,
)

DEFAULT_LIMITS = Limits()
JOINING_S = 0.02
FENCED = KafkaError(KafkaError.FENCED_INSTANCE_ID).str()
JOINING = "the group has not assigned partitions yet"


class KafkaLog:
    """See `streamer.port.Log`. The constructor connects, checks the topics, takes the transactional.id (which settles
    what a predecessor left open) and only then joins the group. LogDown says what is missing.
    """

    def __init__(
        self,
        config: Config,
        logger: logging.Logger,
        watch: Watch | None = None,
        limits: Limits = DEFAULT_LIMITS,
        cluster: ClusterWatch | None = None,
    ) -> None:
        self._config, self._logger, self._limits, self._cluster = config, logger, limits, cluster
        names = config.topics
        topics = names.published()
        self._transactions = Transactions(config, logger, watch or NoWatch(), limits)
        counts = self._transactions.partitions([*names.named(), *topics.values(), names.state])
        self.counts = counts  # partitions of our topics when we came
        self.parts = lambda: parts_of(config)
        self._transactions.recover()
        self._probe = Probe(config, logger, limits)
        self._readers = Readers(config, logger, self._probe, limits)
        self._stretches = Stretches(config, logger)
        self._state = StateTopic(
            names.state, counts[names.state], self._readers, self._probe, logger, config.kafka.group
        )
        self._publisher = Publisher(self._transactions, self._state, topics, self._membership)
        self._complaints = Complaints(logger)
        self._bad = BadOffsets()
        self._fencing = cluster.fencing if cluster is not None else Fencing()
        self._assigned: dict[Partition, None] = {}  # a dict for its order
        self._known: set[Partition] = set()  # assigned, and the worker was told
        self._unstarted: set[Partition] = set()  # assigned, and being restored
        self._next: dict[Partition, int] = {}  # started: the next offset to hand over
        self._member = ""
        self._waiting: str | None = JOINING
        self._look = 0  # the first look at the cluster that is newer than the last change we heard of
        self._events: list[LogEvent] = []
        self._failure: BaseException | None = None
        self._on_revoke: Callable[[list[Partition]], None] | None = None
        self._consumer, self._intake = self._join()
        self._committed = AskedAtOnce(partial(committed_of, self._consumer, config, timeout_s=limits.committed))
        self._waker = Waker(self._consumer, limits.slice)
        self._probe.partitions(names.named())  # While the group forms: the restores will not wait for a connection.

    def _join(self) -> tuple[Consumer, Intake]:
        fixed: dict[str, Any] = {
            "isolation.level": "read_committed",
            "enable.partition.eof": False,
            "partition.assignment.strategy": "cooperative-sticky",
        }
        if self._config.topics.patterns():
            fixed["topic.blacklist"] = self._config.topics.never_read()
        if self._config.kafka.instance:
            fixed["group.instance.id"] = self._config.kafka.instance
        consumer, intake = connect(
            lambda more: make_consumer(self._config, self._logger, fixed | more),
            self._logger,
            str(self._config.kafka.client.get("plugin.library.paths", "")),
            self._config.limits.message_bytes,
        )
        callbacks = {"on_assign": self._assign, "on_revoke": self._revoke, "on_lost": self._lose}
        self._subscription = Subscription(
            consumer, self._config.topics.inputs(), callbacks, self._logger, self._config.kafka.group
        )
        return consumer, intake

    # Calls of the worker

    def poll(self, limit: int, timeout_s: float, on_revoke: Callable[[list[Partition]], None]) -> list[LogEvent]:
        """See `Log.poll`. A record whose stored batch cannot be unpacked comes as one without a value that says so, for
        each offset given up, so that it is dead-lettered and accounted for.
        """
        self._on_revoke = on_revoke
        self._subscription.look(self.surroundings())
        try:
            # Whoever waits for an assignment wants to hear of it at once, not at the end of a long wait.
            taken = self._intake.take(limit, timeout_s if self._assigned else min(timeout_s, JOINING_S))
        except KafkaException as exception:
            raise down(self._config, error_of(exception), "consumer") from exception
        finally:
            self._on_revoke = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        events, self._events = self._events, []
        self._known |= {event.partition for event in events if isinstance(event, Assigned)}
        events += self._records(taken)
        for partition, offset in self._stretches.passed():
            self.start(partition, offset)
        kept = self._stretches.take(limit - sum(len(e.records) for e in events if isinstance(e, Records)))
        return events + [Records(partition, records) for partition, records in kept.items()]

    def committed(self, partition: Partition) -> Committed | None:
        """See `Log.committed`."""
        return self._committed.committed(partition)

    def begin_end(self, partition: Partition) -> tuple[int, int]:
        return self._probe.begin_end(partition)

    def watermarks(self, partition: Partition) -> tuple[int, int] | None:
        try:
            marks = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        except KafkaException:
            return None
        return None if marks is None or marks[1] < 0 else marks

    def surroundings(self) -> Surroundings:
        return self._cluster.seen if self._cluster is not None else Surroundings()

    def topic_id(self, topic: str) -> str | None:
        if self._cluster is None:
            return ""
        if not self._cluster.looked(self._look, WAIT_S):
            return None  # Whoever restores asks again at once, after a turn of the loop.
        topics = self._cluster.seen.topics
        return None if topics is None else topics[topic].id if topic in topics else ""

    def waiting(self) -> str | None:
        return self._waiting

    def read_state(self, partition: Partition, pointer: Pointer | None) -> Iterator[Stored | None]:
        return self._state.read(partition, pointer)

    def examine(
        self, partition: Partition, start: int, end: int, starts: int
    ) -> Generator[None, None, list[tuple[int, int]]]:
        return self._stretches.examine(partition, start, end, starts)

    def replay(self, partition: Partition, start: int, end: int) -> Iterator[list[Record]]:
        low, high = self._probe.begin_end(partition)
        if start < low or end > high:
            raise LogGap(f"{partition[0]}[{partition[1]}] holds offsets {low} to {high}, {start} to {end} are needed")
        kept, start = self._stretches.between(partition, start, end)
        yield from kept
        if start < end:
            yield from self._readers.read(partition, start, end)

    def start(self, partition: Partition, offset: int) -> None:
        if partition not in self._known or self._stretches.start(partition, offset):
            return  # Lost meanwhile, the event is on its way; or what comes first is here already, see `poll`.
        resume(self._consumer, self._intake, partition, offset, self._limits)
        self._next[partition] = offset
        self._unstarted.discard(partition)
        self._waker.wake(partition, more=bool(self._unstarted))
        if not self._unstarted:
            self._state.scans.forget()

    def hold(self, partition: Partition) -> None:
        if self._next.pop(partition, None) is not None:
            self._consumer.pause([TopicPartition(*partition)])

    def commit(
        self, outs: Sequence[Out], offsets: Mapping[Partition, Committed], snapshots: Mapping[Partition, Snapshot]
    ) -> CommitResult:
        if not self._known.issuperset(offsets):
            return CommitResult(Outcome.ABORTED, {})
        self._state.scans.wrote(snapshots)
        result = self._publisher.commit(outs, offsets, snapshots)
        if result.outcome is Outcome.DONE:
            self._stretches.landed(offsets)
        return result

    def commit_with(self, own: Roots, other: KafkaLog, theirs: Roots) -> Outcome:
        """One transaction over both groups; nothing where one does not count us in any more."""
        others = [(at(theirs.items()), other._membership)]
        return self._transactions.commit([], lambda _: at(own.items()), self._membership, others)

    def stage(
        self, partition: Partition, snapshot: Snapshot, staged: Staged, chunks: int, root: Committed
    ) -> tuple[Outcome, Staged]:
        if partition not in self._known:
            return Outcome.ABORTED, staged
        self._state.scans.wrote([partition])
        return self._publisher.stage(partition, snapshot, staged, chunks, root)

    def awaited(self) -> bool:
        return False  # Nobody says so here: see `streamer.service.in_step`.

    def lags(self) -> bool:
        return False

    def throttled(self) -> float:
        return self._transactions.throttled()

    def recover(self) -> None:
        self._transactions.recover()

    def close(self) -> None:
        self._waker.close()
        self._intake.close()
        self._consumer.close()
        self._transactions.drop()
        self._readers.close()
        self._probe.close()

    # Callbacks; they run inside poll and close, and librdkafka would swallow what they raise

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """What is raised inside is raised again by poll; the first one wins."""
        try:
            yield
        except BaseException as failure:
            self._failure = self._failure or failure

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        with self._kept():
            # A plain offset: without one librdkafka would start at the committed offset by itself. A logical one such
            # as the end makes it ask the broker, and the pause below makes it ask again after the answer; that late
            # second answer then moves a partition that was started meanwhile past all its records. It must be an offset
            # that can be fetched, since a fetch is on its way before the pause: after a failed one a seek is refused.
            # And nothing may come of it: at the first offset there can be a batch that kills whoever unpacks it.
            ends = [self._probe.begin_end(partition)[1] for partition in keys(partitions)]
            consumer.incremental_assign(
                [TopicPartition(p.topic, p.partition, end) for p, end in zip(partitions, ends, strict=True)]
            )
            consumer.pause(partitions)
            self._member = consumer.memberid() or ""
            self._look_again()
            self._unstarted.update(keys(partitions))
            self._committed.want(keys(partitions))
            self._state.scans.more()
            self._waiting = None  # Also with no partition at all: then there are more members than partitions.
            for partition in keys(partitions):
                self._assigned[partition] = None
                self._next.pop(partition, None)
                self._events.append(Assigned(partition))

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        with self._kept():
            known = [partition for partition in keys(partitions) if partition in self._known]
            if known and self._on_revoke is not None:
                self._on_revoke(known)
        self._forget(consumer, partitions)

    def _lose(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._member, self._waiting = "", JOINING
        lost = [Lost(partition) for partition in keys(partitions) if partition in self._known]
        self._forget(consumer, partitions)
        self._events += lost

    def _forget(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = [partition for partition in keys(partitions) if partition in self._assigned]
        for partition in gone:
            del self._assigned[partition]
            self._next.pop(partition, None)
            for some in (self._known, self._unstarted):
                some.discard(partition)
            self._committed.forget(partition)
            self._stretches.forget(partition)
        # An assignment the worker never heard of needs no end; a Lost before it does.
        self._events = [e for e in self._events if not (isinstance(e, Assigned) and e.partition in gone)]
        with self._kept():
            # Partitions that were never assigned can be among them (confluent-kafka-python#1551).
            consumer.incremental_unassign([TopicPartition(*partition) for partition in gone])

    # Helpers

    def _fatal(self, error: KafkaError) -> LogDown:
        if FENCED in error.str():  # Of a fatal error no more than its words is told.
            return self._fencing.told(self._config.kafka.group, self._config.kafka.instance)
        return LogDown(f"consumer: fatal: {error.str()}")

    def _look_again(self) -> None:
        if self._cluster is not None:
            self._look = self._cluster.ask()

    def _membership(self) -> Any:
        """Group metadata of the membership our partitions were assigned under, or None."""
        before = self._consumer.memberid()
        metadata = self._consumer.consumer_group_metadata()
        after = self._consumer.memberid()
        return metadata if before and before == after == self._member else None

    def _records(self, taken: list[Stretch]) -> list[LogEvent]:
        found: list[LogEvent] = []
        struck: set[Partition] = set()
        for partition, columns, error in taken:
            if error is not None:
                event = self._error(error, partition, int(columns.offsets[0]), struck)
                if event is not None:
                    found.append(event)
                continue
            # Not started also means: revoked while this batch was taken; its next owner reads it again.
            expected = self._next.get(partition)
            if expected is not None:
                behind = int(np.searchsorted(columns.offsets, expected))
                if behind:
                    columns = columns_of([columns[place] for place in range(behind, len(columns))])
                if len(columns):
                    self._next[partition] = int(columns.offsets[-1]) + 1
                    found.append(Records(partition, columns))
        return found

    def _error(self, error: KafkaError, partition: Partition, offset: int, struck: set[Partition]) -> LogEvent | None:
        code, expected = error.code(), self._next.get(partition)
        if partition not in self._assigned and self._waiting is not None:
            self._waiting = f"the group {self._config.kafka.group} does not let us in: {error.str()}"
        if error.fatal() or code == KafkaError._FATAL:
            raise self._fatal(error)
        if code in GAPS and expected is not None:
            del self._next[partition]
            self._look_again()
            self._consumer.pause([TopicPartition(*partition)])
            return Gap(partition, f"offset {expected} is not there any more")
        if code in UNREADABLE and expected is not None:
            self._complaints.say(error, *partition)
            at = max(expected, offset)
            # Of several failures taken at once the later ones may stem from before the seek of the first.
            if partition not in struck and self._bad.struck(partition, at):
                self._next[partition] = at + 1
                self._consumer.seek(TopicPartition(*partition, at + 1))
                struck.add(partition)
                return Records(partition, [unreadable(at, error)])
            struck.add(partition)
        elif code != KafkaError._PARTITION_EOF and code not in GAPS:
            self._complaints.say(error, *partition)
        return None


def keys(partitions: list[TopicPartition]) -> list[Partition]:
    return [(p.topic, p.partition) for p in partitions]
