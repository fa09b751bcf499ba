"""Where a new assignment begins to read."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from streamer.kafka.log import KafkaLog
from streamer.port import Assigned, Records
from tests.kafka.world import MakeTopics, World, assigned, offsets_in, wait_for
from tests.waiting import PATIENCE_S

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
