"""What a real broker and librdkafka do, stated as tests: the commit protocol rests on these and on nothing else.

The statements come from a broker's and a client's source; here they are observed. `streamer/kafka*.py` is not used.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tests.broker.broker import Broker

pytestmark = pytest.mark.broker

MakeTopics = Callable[..., list[str]]
WAIT_S = 20.0
SESSION_MS = 2_000
_numbers = itertools.count()


def unique(role: str) -> str:
    return f"{role}-{os.getpid()}-{next(_numbers)}"


def transactional(broker: str, name: str, **settings: Any) -> Producer:
    producer = Producer({"bootstrap.servers": broker, "transactional.id": name, "log_level": 0, **settings})
    producer.init_transactions(WAIT_S)
    return producer


def error_of(call: Callable[[], object]) -> KafkaError:
    with pytest.raises(KafkaException) as caught:
        call()
    error = caught.value.args[0]
    assert isinstance(error, KafkaError)
    return error


def fill(broker: str, topic: str, count: int, partition: int = 0) -> None:
    producer = Producer({"bootstrap.servers": broker})
    for i in range(count):
        producer.produce(topic, b"%d" % i, partition=partition)
    assert producer.flush(WAIT_S) == 0


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


def until(done: Callable[[], bool], members: Sequence[Member]) -> list[Message]:
    """Poll the members in turn until `done`; the records they were given."""
    found = []
    end_s = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end_s
        for member in members:
            message = member.consumer.poll(0.02)
            if message is not None:
                assert message.error() is None
                found.append(message)
    return found


@pytest.fixture
def join(broker: str) -> Iterator[Callable[..., Member]]:
    members: list[Member] = []

    def make(*args: Any, **options: Any) -> Member:
        members.append(Member(broker, *args, **options))
        return members[-1]

    yield make
    for member in members:
        member.consumer.close()


def read(broker: str, topic: str, isolation: str) -> list[tuple[int, bytes | None]]:
    """(offset, value) of partition 0 up to the end that this isolation level sees."""
    settings = {"bootstrap.servers": broker, "group.id": "reader", "isolation.level": isolation}
    consumer = Consumer(settings | {"enable.partition.eof": True, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = []
    while True:
        message = consumer.poll(WAIT_S)
        assert message is not None
        if message.error():
            assert message.error().code() == KafkaError._PARTITION_EOF
            consumer.close()
            return found
        found.append((message.offset(), message.value()))


def test_offset_metadata_survives_a_transactional_commit(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    [topic] = make_topics("in")
    member = join(unique("g"), topic)
    until(lambda: member.owned == [0], [member])
    producer = transactional(broker, unique("t"))

    def commit(metadata: str | None) -> None:
        producer.begin_transaction()
        position = TopicPartition(topic, 0, 7) if metadata is None else TopicPartition(topic, 0, 7, metadata=metadata)
        producer.send_offsets_to_transaction([position], member.consumer.consumer_group_metadata(), WAIT_S)
        producer.commit_transaction(WAIT_S)

    for metadata in ("v1;snap=1;sha=ä", "m" * 4096, None):
        commit(metadata)
        [found] = member.consumer.committed([TopicPartition(topic, 0)], WAIT_S)
        assert (found.offset, found.metadata or None) == (7, metadata)  # without metadata the old one is gone
    error = error_of(lambda: commit("m" * 4097))
    assert (error.code(), error.txn_requires_abort()) == (KafkaError.OFFSET_METADATA_TOO_LARGE, True)


def test_a_commit_inside_on_revoke_succeeds_under_cooperative_sticky(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    [topic] = make_topics("in", partitions=2)
    group = unique("g")
    first = join(group, topic)
    until(lambda: sorted(first.owned) == [0, 1], [first])
    producer = transactional(broker, unique("t"))

    def commit(partitions: list[TopicPartition]) -> None:
        producer.begin_transaction()
        offsets = [TopicPartition(p.topic, p.partition, 5, metadata="revoked") for p in partitions]
        producer.send_offsets_to_transaction(offsets, first.consumer.consumer_group_metadata(), WAIT_S)
        producer.commit_transaction(WAIT_S)

    first.on_revoke = commit
    second = join(group, topic)
    until(lambda: len(second.owned) == 1, [first, second])
    [found] = second.consumer.committed([TopicPartition(topic, second.owned[0])], WAIT_S)
    assert (found.offset, found.metadata) == (5, "revoked")
    first.on_revoke = lambda partitions: None


def test_cached_group_metadata_is_fenced_and_the_producer_lives_on(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    [topic] = make_topics("in", partitions=2)
    group = unique("g")
    first = join(group, topic)
    until(lambda: len(first.owned) == 2, [first])
    stale = first.consumer.consumer_group_metadata()
    second = join(group, topic)
    until(lambda: len(first.owned) == len(second.owned) == 1, [first, second])
    producer = transactional(broker, unique("t"))
    offsets = [TopicPartition(topic, first.owned[0], 3)]
    producer.begin_transaction()
    error = error_of(lambda: producer.send_offsets_to_transaction(offsets, stale, WAIT_S))
    assert error.code() == KafkaError.ILLEGAL_GENERATION
    assert (error.txn_requires_abort(), error.fatal(), error.retriable()) == (True, False, False)
    producer.abort_transaction(WAIT_S)
    producer.begin_transaction()
    producer.send_offsets_to_transaction(offsets, first.consumer.consumer_group_metadata(), WAIT_S)
    producer.commit_transaction(WAIT_S)


def test_the_fence_knows_generations_and_not_partitions(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    """Any member in the current generation may commit any partition: what was revoked must be dropped by us."""
    [topic] = make_topics("in", partitions=2)
    group = unique("g")
    first, second = join(group, topic), join(group, topic)
    until(lambda: len(first.owned) == len(second.owned) == 1, [first, second])
    producer = transactional(broker, unique("t"))
    producer.begin_transaction()
    foreign = [TopicPartition(topic, second.owned[0], 9)]
    producer.send_offsets_to_transaction(foreign, first.consumer.consumer_group_metadata(), WAIT_S)
    producer.commit_transaction(WAIT_S)
    [found] = second.consumer.committed([TopicPartition(topic, second.owned[0])], WAIT_S)
    assert found.offset == 9


def zombie(broker: str, group: str, topic: str) -> None:
    """A member that is stopped past its session; then tries, in this order, metadata from before and of now."""
    member = Member(broker, group, topic)
    until(lambda: member.owned == [0], [member])
    before = member.consumer.consumer_group_metadata()
    producer = transactional(broker, f"zombie-{group}")
    print("ready", flush=True)
    sys.stdin.readline()
    producer.begin_transaction()
    error = error_of(lambda: producer.send_offsets_to_transaction([TopicPartition(topic, 0, 100)], before, WAIT_S))
    print(error.name(), error.txn_requires_abort(), error.fatal(), flush=True)
    producer.abort_transaction(WAIT_S)
    end_s = time.monotonic() + WAIT_S
    while member.consumer.memberid() and time.monotonic() < end_s:
        time.sleep(0.02)
    producer.begin_transaction()
    now = member.consumer.consumer_group_metadata()
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 200)], now, WAIT_S)
    producer.commit_transaction(WAIT_S)
    print("accepted", repr(member.consumer.memberid()), member.owned, flush=True)
    until(lambda: member.lost == [0], [member])
    print("lost", flush=True)
    os._exit(0)


def test_a_zombie_is_fenced_only_while_it_still_names_its_old_membership(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    """Once librdkafka knows that the membership is gone it sends none, and the broker checks nothing: the caller must
    see that the member id is there before it sends offsets.
    """
    [topic] = make_topics("in")
    group = unique("g")
    command = [sys.executable, __file__, broker, group, topic]
    root = Path(__file__).parents[2]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, **pipes) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            child.send_signal(signal.SIGSTOP)
            successor = join(group, topic)
            until(lambda: successor.owned == [0], [successor])
            child.send_signal(signal.SIGCONT)
            child.stdin.write("\n")
            child.stdin.flush()
            assert child.stdout.readline() == "UNKNOWN_MEMBER_ID True False\n"
            assert child.stdout.readline() == "accepted '' [0]\n"
            assert child.stdout.readline() == "lost\n"
        finally:
            child.kill()
    [found] = successor.consumer.committed([TopicPartition(topic, 0)], WAIT_S)
    assert found.offset == 200  # the hole


def test_a_pending_offset_makes_committed_wait(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    [topic] = make_topics("in", partitions=2)
    member = join(unique("g"), topic)
    until(lambda: len(member.owned) == 2, [member])
    producer = transactional(broker, unique("t"))

    def send(offset: int) -> None:
        producer.begin_transaction()
        metadata = member.consumer.consumer_group_metadata()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, offset)], metadata, WAIT_S)

    send(5)
    began_s = time.monotonic()
    error = error_of(lambda: member.consumer.committed([TopicPartition(topic, 0)], 0.5))
    assert error.code() == KafkaError._TIMED_OUT
    assert 0.4 < time.monotonic() - began_s < 2
    [other] = member.consumer.committed([TopicPartition(topic, 1)], WAIT_S)
    assert other.offset < 0  # the other partition is not held up
    producer.commit_transaction(WAIT_S)
    [found] = member.consumer.committed([TopicPartition(topic, 0)], WAIT_S)
    assert found.offset == 5
    send(6)
    producer.abort_transaction(WAIT_S)
    [found] = member.consumer.committed([TopicPartition(topic, 0)], WAIT_S)
    assert found.offset == 5


def test_a_partition_assigned_paused_can_be_started_elsewhere(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    [topic] = make_topics("in")
    fill(broker, topic, 30)
    member = join(unique("g"), topic, at=3, paused=True)
    until(lambda: member.owned == [0], [member])
    end_s = time.monotonic() + 1
    assert until(lambda: time.monotonic() > end_s, [member]) == []  # paused inside on_assign: nothing slips through
    for start in (10, 4):  # forwards and back, outside the callback
        member.consumer.seek(TopicPartition(topic, 0, start))
        member.consumer.resume([TopicPartition(topic, 0)])
        offsets: list[int | None] = []
        while len(offsets) < 30 - start:
            offsets += [m.offset() for m in member.consumer.consume(100, 0.1)]
        assert offsets == list(range(start, 30))
        member.consumer.pause([TopicPartition(topic, 0)])


def test_an_open_transaction_splits_high_watermark_and_stable_offset(broker: str, make_topics: MakeTopics) -> None:
    [topic] = make_topics("out")
    fill(broker, topic, 2)
    producer = transactional(broker, unique("t"))
    producer.begin_transaction()
    for _ in range(3):
        producer.produce(topic, b"open", partition=0)
    assert producer.flush(WAIT_S) == 0

    def ends() -> dict[str, int]:
        admin = AdminClient({"bootstrap.servers": broker})
        found = {}
        for level in (IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED):
            request = {TopicPartition(topic, 0): OffsetSpec.latest()}
            [future] = admin.list_offsets(request, isolation_level=level, request_timeout=WAIT_S).values()
            found[f"list_offsets {level.name}"] = future.result(WAIT_S).offset
        for name in ("read_uncommitted", "read_committed"):
            consumer = Consumer({"bootstrap.servers": broker, "group.id": "g", "isolation.level": name})
            marks = consumer.get_watermark_offsets(TopicPartition(topic, 0), WAIT_S)
            assert marks is not None
            found[f"watermark {name}"] = marks[1]
            consumer.close()
        return found

    committed, uncommitted = ("list_offsets READ_COMMITTED", "watermark read_committed"), (
        "list_offsets READ_UNCOMMITTED", "watermark read_uncommitted",
    )
    assert ends() == dict.fromkeys(committed, 2) | dict.fromkeys(uncommitted, 5)
    producer.commit_transaction(WAIT_S)
    assert ends() == dict.fromkeys((*committed, *uncommitted), 6)  # the marker takes an offset


def test_aborted_records_are_hidden_and_delivery_reports_are_final(broker: str, make_topics: MakeTopics) -> None:
    [topic] = make_topics("out")
    producer = transactional(broker, unique("t"))
    reported: dict[bytes, int | None] = {}

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None
        value = message.value()
        assert value is not None
        reported[value] = message.offset()

    for number, end in enumerate((producer.commit_transaction, producer.abort_transaction, producer.commit_transaction)):
        producer.begin_transaction()
        for i in range(2):
            producer.produce(topic, b"%d-%d" % (number, i), partition=0, on_delivery=note)
        assert producer.flush(WAIT_S) == 0
        end(WAIT_S)
    everything = [(0, b"0-0"), (1, b"0-1"), (3, b"1-0"), (4, b"1-1"), (6, b"2-0"), (7, b"2-1")]
    assert reported == {value: offset for offset, value in everything}
    assert read(broker, topic, "read_uncommitted") == everything
    assert read(broker, topic, "read_committed") == everything[:2] + everything[4:]
