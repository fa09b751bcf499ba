"""Where a new assignment begins to read."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

import streamer.kafka.log as module
from streamer.kafka.client import committed_of
from streamer.kafka.log import KafkaLog
from streamer.kafka.reader import Readers
from streamer.kafka.waker import AT_ONCE, Waker
from streamer.port import Assigned, Committed, Outcome, Records, Snapshot
from tests.kafka.world import CONFIG_HASH, MakeTopics, World, assigned, offsets_in, wait_for
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker


PARTITIONS = 32
EACH = 3


def test_every_partition_of_many_is_read_from_where_it_was_started(broker: str, make_topics: MakeTopics) -> None:
    """Assigned at the logical end, three starts of four lost all records of some partition: librdkafka asks for the
    end again when the answer came after a pause, and takes that answer although the partition was started meanwhile.
    """
    world = World(broker, make_topics, partitions=PARTITIONS)
    producer = Producer({"bootstrap.servers": broker})
    for number in range(PARTITIONS):
        for i in range(EACH):
            producer.produce(world.events, b"%d" % i, partition=number)
    assert producer.flush(PATIENCE_S) == 0
    for attempt in range(4):
        world.group = f"{world.group}-{attempt}"
        log = world.log()
        started: dict[Any, None] = {}

        def all_read(seen: list[Any], log: KafkaLog = log, started: dict[Any, None] = started) -> bool:
            waiting = [e.partition for e in seen if isinstance(e, Assigned) and e.partition not in started]
            for partition in waiting[:1]:  # As the worker does it: one after the other, after a look at the offsets.
                log.committed(partition)
                log.begin_end(partition)
                log.start(partition, 0)
                started[partition] = None
            return sum(len(e.records) for e in seen if isinstance(e, Records)) == PARTITIONS * EACH

        wait_for(log, all_read)
        world.close()


def test_the_broker_is_asked_once_for_many_partitions(
    broker: str, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed, and which snapshots there are; nor does a wake of each come between the starts."""
    asked: list[int] = []
    read: list[tuple[int, int]] = []
    woken: list[int] = []

    def committed(consumer: Any, config: Any, partitions: Any, timeout_s: float) -> Any:
        asked.append(len(partitions))
        return committed_of(consumer, config, partitions, timeout_s)

    def reads(self: Readers, partition: Any, start: int, end: int) -> Any:
        read.append((start, end))
        return read_of(self, partition, start, end)

    read_of = Readers.read
    monkeypatch.setattr(module, "committed_of", committed)
    monkeypatch.setattr(Readers, "read", reads)
    monkeypatch.setattr(Waker, "_ask", lambda self, partition: woken.append(partition[1]))
    world = World(broker, make_topics, partitions=PARTITIONS)
    many = [(world.events, number) for number in range(PARTITIONS)]
    before = world.log()
    wait_for(before, assigned(PARTITIONS))
    snapshots = {partition: Snapshot(5, 0, CONFIG_HASH, b"%d" % partition[1]) for partition in many}
    offsets = dict.fromkeys(many, Committed(5, None))
    before._state.place = lambda partition: 0  # type: ignore[method-assign]  # all in one partition of the topic
    assert before.commit([], offsets, snapshots).outcome is Outcome.DONE
    world.close()
    asked.clear()
    log = world.log()
    log._state.place = lambda partition: 0  # type: ignore[method-assign]
    wait_for(log, assigned(PARTITIONS))
    for partition in many:
        while (found := log.committed(partition)) is None:
            pass
        assert found.offset == 5
        assert found.pointer is not None
        woken.clear()
        assert len(log._state.scans._scans) == (partition != many[0])
        [pointer] = [p for p in _whole(log._state.scans.snapshots(0, partition)) if p is not None]
        assert pointer.offset == found.pointer.offset
    assert asked[0] == PARTITIONS
    assert len(asked) < PARTITIONS / 2  # Markers of the commit before may hide them for a while.
    assert read == [(0, read[0][1])]
    for partition in many:
        log.start(partition, 5)
    until(lambda: len(woken) == AT_ONCE)
    assert log._state.scans._scans == {}
    world.close()


def _whole(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def test_a_partition_without_its_first_records_is_started_behind_them(world: World) -> None:
    """A fetch from offset 0 would fail there, and with it the seek of the start."""
    world.produce(10)
    partition = (world.events, 0)
    admin = AdminClient({"bootstrap.servers": world.broker})
    for future in admin.delete_records([TopicPartition(*partition, 6)]).values():
        future.result(PATIENCE_S)
    for attempt in range(3):  # Whether the fetch overtakes the pause is chance.
        world.group = f"{world.group}-{attempt}"
        log = world.log()
        wait_for(log, assigned(1))
        for _ in range(5):
            assert log.poll(10, 0.1, lambda _: None) == []
        log.start(partition, 6)
        seen = wait_for(log, lambda seen: len(offsets_in(seen, partition)) == 4)
        assert offsets_in(seen, partition) == [6, 7, 8, 9]
        world.close()


def test_the_first_record_comes_at_once_though_nothing_was_fetched_before(world: World) -> None:
    """Without a wake it comes when the fetching thread has slept its second."""
    world.produce(10)
    partition = (world.events, 0)
    took_s: list[float] = []
    # The machine may be busy with others.
    while len(took_s) < 3 or (len(took_s) < 12 and sorted(took_s[-3:])[1] >= 0.5):
        world.group = f"{world.group}-{len(took_s)}"
        log = world.log()
        wait_for(log, assigned(1))
        begin_s = time.monotonic()
        log.start(partition, 0)
        wait_for(log, lambda seen: len(offsets_in(seen, partition)) == 10)
        took_s.append(time.monotonic() - begin_s)
        world.close()
    assert sorted(took_s[-3:])[1] < 0.5, took_s
