"""Plain Kafka clients for tests of the broker; run as a script it is the zombie of test_broker_facts.py."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from tests.waiting import PATIENCE_S, until

SESSION_MS = 2_000
_numbers = itertools.count()


def unique(role: str) -> str:
    return f"{role}-{os.getpid()}-{next(_numbers)}"


def transactional(broker: str, name: str, **settings: Any) -> Producer:
    producer = Producer({"bootstrap.servers": broker, "transactional.id": name, "log_level": 0, **settings})
    producer.init_transactions(PATIENCE_S)
    return producer


def error_of(call: Callable[[], object]) -> KafkaError:
    try:
        call()
    except KafkaException as exception:
        error = exception.args[0]
        assert isinstance(error, KafkaError)
        return error
    raise AssertionError("no error came")


def fill(broker: str, topic: str, count: int, partition: int = 0) -> None:
    producer = Producer({"bootstrap.servers": broker})
    for i in range(count):
        producer.produce(topic, b"%d" % i, partition=partition)
    assert producer.flush(PATIENCE_S) == 0


class Member:
    """A group member that notes what it is told. `at` is the offset given to incremental_assign."""

    def __init__(self, broker: str, group: str, topic: str, at: int = 0, paused: bool = False, **settings: Any) -> None:
        self.at, self.paused = at, paused
        self.owned: list[int] = []
        self.lost: list[int] = []
        self.on_revoke: Callable[[list[TopicPartition]], None] = lambda partitions: None
        self.consumer = Consumer(
            {
                "bootstrap.servers": broker,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": 200,
                "log_level": 0,
                **settings,
            }
        )
        self.consumer.subscribe([topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose)

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign([TopicPartition(p.topic, p.partition, self.at) for p in partitions])
        if self.paused:
            consumer.pause(partitions)
        self.owned += [p.partition for p in partitions]

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.on_revoke(partitions)
        self._drop(consumer, partitions)

    def _lose(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.lost += [p.partition for p in partitions]
        self._drop(consumer, partitions)

    def _drop(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)
        self.owned = [number for number in self.owned if number not in {p.partition for p in partitions}]


def polled(done: Callable[[], bool], members: Sequence[Member]) -> list[Message]:
    """Poll the members in turn until `done`; the records they were given."""
    found = []

    def turn() -> None:
        for member in members:
            message = member.consumer.poll(0.02)
            if message is not None:
                assert message.error() is None
                found.append(message)

    until(done, step=turn)
    return found


def read(broker: str, topic: str, isolation: str) -> list[tuple[int | None, bytes | None]]:
    """(offset, value) of partition 0 up to the end that this isolation level sees."""
    settings = {"bootstrap.servers": broker, "group.id": "reader", "isolation.level": isolation}
    consumer = Consumer(settings | {"enable.partition.eof": True, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[tuple[int | None, bytes | None]] = []
    while True:
        message = consumer.poll(PATIENCE_S)
        assert message is not None
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF
            consumer.close()
            return found
        found.append((message.offset(), message.value()))


def zombie(broker: str, group: str, topic: str) -> None:
    """A member stopped past its session. Prints what each attempt to commit partition 0 met, one line a phase."""
    member = Member(broker, group, topic)
    polled(lambda: member.owned == [0], [member])
    before = member.consumer.consumer_group_metadata()
    producer = transactional(broker, f"zombie-{group}")
    print("ready", flush=True)
    sys.stdin.readline()

    def attempt(offset: int, metadata: Any) -> str:
        producer.begin_transaction()
        try:
            producer.send_offsets_to_transaction([TopicPartition(topic, 0, offset)], metadata, PATIENCE_S)
            producer.commit_transaction(PATIENCE_S)
        except KafkaException as exception:
            producer.abort_transaction(PATIENCE_S)
            return str(exception.args[0].name())
        return "accepted"

    print(attempt(100, before), flush=True)
    until(lambda: not member.consumer.memberid())
    print(member.consumer.memberid(), attempt(200, member.consumer.consumer_group_metadata()), flush=True)
    polled(lambda: member.lost == [0], [member])
    met: list[str] = []

    def once_more() -> None:
        member.consumer.poll(0.02)
        met.append(attempt(300, member.consumer.consumer_group_metadata()))

    until(lambda: "accepted" in met, step=once_more)
    print(sorted(set(met) - {"UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS"}), member.owned)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    zombie(*sys.argv[1:])
