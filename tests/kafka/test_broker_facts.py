"""What a real broker and librdkafka do, stated as tests: the commit protocol rests on these and on nothing else.

The statements come from a broker's and a client's source; here they are observed. `streamer/kafka*.py` is not used.
"""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from tests.bounded import close_consumer
from tests.broker.broker import Broker
from tests.kafka.member import Member, error_of, fill, polled, read, transactional, unique
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker

MakeTopics = Callable[..., list[str]]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def join(broker: str) -> Iterator[Callable[..., Member]]:
    """`join(group, topic)` -> a member that is closed when the test ends."""
    members: list[Member] = []

    def make(*args: Any, **options: Any) -> Member:
        members.append(Member(broker, *args, **options))
        return members[-1]

    yield make
    for member in members:
        close_consumer(member.consumer)


def test_offset_metadata_survives_a_transactional_commit(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    """4095 characters, not 4096: confluent-kafka stores a NUL behind them and the broker counts it."""
    [topic] = make_topics("in")
    member = join(unique("g"), topic)
    polled(lambda: member.owned == [0], [member])
    producer = transactional(broker, unique("t"))

    def commit(metadata: str | None) -> None:
        producer.begin_transaction()
        position = TopicPartition(topic, 0, 7) if metadata is None else TopicPartition(topic, 0, 7, metadata=metadata)
        producer.send_offsets_to_transaction([position], member.consumer.consumer_group_metadata(), PATIENCE_S)
        producer.commit_transaction(PATIENCE_S)

    for metadata in ("v1;snap=1;sha=ä", "m" * 4095, None):
        commit(metadata)
        [found] = member.consumer.committed([TopicPartition(topic, 0)], PATIENCE_S)
        assert (found.offset, found.metadata or None) == (7, metadata)  # without metadata the old one is gone
    error = error_of(lambda: commit("m" * 4096))
    assert (error.code(), error.txn_requires_abort()) == (KafkaError.OFFSET_METADATA_TOO_LARGE, True)


def test_a_commit_inside_on_revoke_succeeds_under_cooperative_sticky(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    [topic] = make_topics("in", partitions=2)
    group = unique("g")
    first = join(group, topic)
    polled(lambda: sorted(first.owned) == [0, 1], [first])
    producer = transactional(broker, unique("t"))

    def commit(partitions: list[TopicPartition]) -> None:
        producer.begin_transaction()
        offsets = [TopicPartition(p.topic, p.partition, 5, metadata="revoked") for p in partitions]
        producer.send_offsets_to_transaction(offsets, first.consumer.consumer_group_metadata(), PATIENCE_S)
        producer.commit_transaction(PATIENCE_S)

    first.on_revoke = commit
    second = join(group, topic)
    polled(lambda: len(second.owned) == 1, [first, second])
    [found] = second.consumer.committed([TopicPartition(topic, second.owned[0])], PATIENCE_S)
    assert (found.offset, found.metadata) == (5, "revoked")
    first.on_revoke = lambda partitions: None


def test_cached_group_metadata_is_fenced_and_the_producer_lives_on(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    [topic] = make_topics("in", partitions=2)
    group = unique("g")
    first = join(group, topic)
    polled(lambda: len(first.owned) == 2, [first])
    stale = first.consumer.consumer_group_metadata()
    second = join(group, topic)
    polled(lambda: len(first.owned) == len(second.owned) == 1, [first, second])
    producer = transactional(broker, unique("t"))
    offsets = [TopicPartition(topic, first.owned[0], 3)]
    producer.begin_transaction()
    error = error_of(lambda: producer.send_offsets_to_transaction(offsets, stale, PATIENCE_S))
    assert error.code() == KafkaError.ILLEGAL_GENERATION
    assert (error.txn_requires_abort(), error.fatal(), error.retriable()) == (True, False, False)
    producer.abort_transaction(PATIENCE_S)
    producer.begin_transaction()
    producer.send_offsets_to_transaction(offsets, first.consumer.consumer_group_metadata(), PATIENCE_S)
    producer.commit_transaction(PATIENCE_S)


def test_the_fence_knows_generations_and_not_partitions(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    """Any member in the current generation may commit any partition: what was revoked must be dropped by us."""
    [topic] = make_topics("in", partitions=2)
    group = unique("g")
    first, second = join(group, topic), join(group, topic)
    polled(lambda: len(first.owned) == len(second.owned) == 1, [first, second])
    producer = transactional(broker, unique("t"))
    producer.begin_transaction()
    foreign = [TopicPartition(topic, second.owned[0], 9)]
    producer.send_offsets_to_transaction(foreign, first.consumer.consumer_group_metadata(), PATIENCE_S)
    producer.commit_transaction(PATIENCE_S)
    [found] = second.consumer.committed([TopicPartition(topic, second.owned[0])], PATIENCE_S)
    assert found.offset == 9


def test_a_zombie_is_fenced_until_it_has_joined_again(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    """The broker refuses it while its membership is gone. Once a member again it may commit what is another's now."""
    [topic] = make_topics("in")
    group = unique("g")
    command = [sys.executable, "-m", "tests.kafka.member", broker, group, topic]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            child.send_signal(signal.SIGSTOP)
            successor = join(group, topic)
            polled(lambda: successor.owned == [0], [successor])
            child.stdin.write("\n")
            child.stdin.flush()
            child.send_signal(signal.SIGCONT)
            polled(lambda: child.poll() is not None, [successor])
            before, without, again = child.stdout.read().splitlines()
        finally:
            child.kill()
    assert before == "UNKNOWN_MEMBER_ID"
    assert without == "None UNKNOWN_MEMBER_ID"
    assert again == "['accepted'] []"
    assert (successor.owned, successor.lost) == ([0], [])
    [found] = successor.consumer.committed([TopicPartition(topic, 0)], PATIENCE_S)
    assert found.offset == 300


def test_a_consumer_that_never_joined_is_not_checked(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    """Hence offsets may be sent only while a member id is there."""
    [topic] = make_topics("in")
    group = unique("g")
    owner = join(group, topic)
    polled(lambda: owner.owned == [0], [owner])
    outsider = Consumer({"bootstrap.servers": broker, "group.id": group, "enable.auto.commit": False})
    assert outsider.memberid() is None
    producer = transactional(broker, unique("t"))
    producer.begin_transaction()
    offsets = [TopicPartition(topic, 0, 55)]
    producer.send_offsets_to_transaction(offsets, outsider.consumer_group_metadata(), PATIENCE_S)
    producer.commit_transaction(PATIENCE_S)
    outsider.close()
    [found] = owner.consumer.committed([TopicPartition(topic, 0)], PATIENCE_S)
    assert found.offset == 55


def test_a_pending_offset_makes_committed_wait(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    [topic] = make_topics("in", partitions=2)
    member = join(unique("g"), topic)
    polled(lambda: len(member.owned) == 2, [member])
    producer = transactional(broker, unique("t"))

    def send(offset: int) -> None:
        producer.begin_transaction()
        metadata = member.consumer.consumer_group_metadata()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, offset)], metadata, PATIENCE_S)

    send(5)
    began_s = time.monotonic()
    error = error_of(lambda: member.consumer.committed([TopicPartition(topic, 0)], 0.5))
    assert error.code() == KafkaError._TIMED_OUT
    assert 0.4 < time.monotonic() - began_s < PATIENCE_S / 4  # and not until the transaction ends
    [other] = member.consumer.committed([TopicPartition(topic, 1)], PATIENCE_S)
    assert other.offset < 0  # the other partition is not held up
    producer.commit_transaction(PATIENCE_S)
    [found] = member.consumer.committed([TopicPartition(topic, 0)], PATIENCE_S)
    assert found.offset == 5
    send(6)
    producer.abort_transaction(PATIENCE_S)
    [found] = member.consumer.committed([TopicPartition(topic, 0)], PATIENCE_S)
    assert found.offset == 5


def test_a_partition_assigned_paused_can_be_started_elsewhere(
    broker: str, make_topics: MakeTopics, join: Callable[..., Member]
) -> None:
    [topic] = make_topics("in")
    fill(broker, topic, 30)
    member = join(unique("g"), topic, at=3, paused=True)
    polled(lambda: member.owned == [0], [member])
    end_s = time.monotonic() + 1
    assert polled(lambda: time.monotonic() > end_s, [member]) == []  # paused inside on_assign: nothing slips through
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
    assert producer.flush(PATIENCE_S) == 0

    def ends() -> dict[str, int]:
        admin = AdminClient({"bootstrap.servers": broker})
        found = {}
        for level in (IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED):
            request = {TopicPartition(topic, 0): OffsetSpec.latest()}
            [future] = admin.list_offsets(request, isolation_level=level, request_timeout=PATIENCE_S).values()
            found[f"list_offsets {level.name}"] = future.result(PATIENCE_S).offset
        for name in ("read_uncommitted", "read_committed"):
            consumer = Consumer({"bootstrap.servers": broker, "group.id": "g", "isolation.level": name})
            marks = consumer.get_watermark_offsets(TopicPartition(topic, 0), PATIENCE_S)
            assert marks is not None
            found[f"watermark {name}"] = marks[1]
            consumer.close()
        return found

    committed = ("list_offsets READ_COMMITTED", "watermark read_committed")
    uncommitted = ("list_offsets READ_UNCOMMITTED", "watermark read_uncommitted")
    assert ends() == dict.fromkeys(committed, 2) | dict.fromkeys(uncommitted, 5)
    producer.commit_transaction(PATIENCE_S)
    after = dict.fromkeys((*committed, *uncommitted), 6)  # The marker takes an offset,
    until(lambda: ends() == after, ends)  # and may be written after the commit was answered.


def test_aborted_records_are_hidden_and_delivery_reports_are_final(broker: str, make_topics: MakeTopics) -> None:
    [topic] = make_topics("out")
    producer = transactional(broker, unique("t"))
    reported: dict[bytes, int | None] = {}

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None
        value = message.value()
        assert value is not None
        reported[value] = message.offset()

    ends = (producer.commit_transaction, producer.abort_transaction, producer.commit_transaction)
    for number, end in enumerate(ends):
        producer.begin_transaction()
        for i in range(2):
            producer.produce(topic, b"%d-%d" % (number, i), partition=0, on_delivery=note)
        assert producer.flush(PATIENCE_S) == 0
        end(PATIENCE_S)
    everything = [(0, b"0-0"), (1, b"0-1"), (3, b"1-0"), (4, b"1-1"), (6, b"2-0"), (7, b"2-1")]
    assert reported == {value: offset for offset, value in everything}
    assert read(broker, topic, "read_uncommitted") == everything
    until(lambda: read(broker, topic, "read_committed") == everything[:2] + everything[4:])


def test_reading_below_the_low_watermark_is_an_error(broker: str, make_topics: MakeTopics) -> None:
    """Neither silence nor a jump. Seek fails from then on; only a new assignment starts the partition again."""
    [topic] = make_topics("in")
    fill(broker, topic, 10)
    admin = AdminClient({"bootstrap.servers": broker})
    [future] = admin.delete_records([TopicPartition(topic, 0, 6)]).values()
    assert future.result(PATIENCE_S).low_watermark == 6
    settings = {"bootstrap.servers": broker, "group.id": "g", "auto.offset.reset": "error", "enable.auto.commit": False}
    for offset in (2, 11):  # one is not retained, the other not written yet
        consumer = Consumer(settings | {"log_level": 0})
        consumer.assign([TopicPartition(topic, 0, offset)])
        message = consumer.poll(PATIENCE_S)
        assert message is not None
        error = message.error()
        assert error is not None
        assert (error.code(), error.fatal(), error.retriable()) == (KafkaError._AUTO_OFFSET_RESET, False, False)
        assert consumer.poll(0.5) is None
        for _ in range(20):
            assert error_of(lambda: consumer.seek(TopicPartition(topic, 0, 6))).code() == KafkaError._STATE  # noqa: B023
            consumer.poll(0.02)
        consumer.unassign()
        consumer.assign([TopicPartition(topic, 0, 6)])
        message = consumer.poll(PATIENCE_S)
        assert message is not None
        assert (message.error(), message.offset()) == (None, 6)
        consumer.close()


def test_a_new_producer_fences_the_old_and_aborts_what_it_left_open(broker: str, make_topics: MakeTopics) -> None:
    [topic] = make_topics("out")
    name = unique("t")
    for step in ("commit", "produce", "abort"):
        old = transactional(broker, name)
        old.begin_transaction()
        old.produce(topic, b"old", partition=0)
        assert old.flush(PATIENCE_S) == 0
        began_s = time.monotonic()
        new = transactional(broker, name)
        assert time.monotonic() - began_s < 30  # the open transaction is aborted, not waited out
        if step == "produce":
            old.produce(topic, b"late", partition=0)
        ending = old.abort_transaction if step == "abort" else old.commit_transaction
        error = error_of(functools.partial(ending, PATIENCE_S))
        assert error.code() == KafkaError._FENCED
        assert (error.fatal(), error.txn_requires_abort(), error.retriable()) == (True, False, False)
        new.begin_transaction()
        new.produce(topic, step.encode(), partition=0)
        new.commit_transaction(PATIENCE_S)
    until(lambda: [v for _, v in read(broker, topic, "read_committed")] == [b"commit", b"produce", b"abort"])


def test_a_transaction_past_its_timeout_is_fenced(broker: str, make_topics: MakeTopics) -> None:
    [topic] = make_topics("out")
    name = unique("t")
    timeouts = {"transaction.timeout.ms": 1_000, "socket.timeout.ms": 1_000}
    late = transactional(broker, name, **timeouts)
    late.begin_transaction()
    late.produce(topic, b"late", partition=0)
    assert late.flush(PATIENCE_S) == 0
    fill(broker, topic, 1)  # stands behind the open transaction; readable as soon as the broker gave it up
    until(lambda: read(broker, topic, "read_committed"))
    error = error_of(lambda: late.commit_transaction(PATIENCE_S))
    assert (error.code(), error.fatal()) == (KafkaError._FENCED, True)
    assert [value for _, value in read(broker, topic, "read_committed")] == [b"0"]
    again = transactional(broker, name, **timeouts)
    again.begin_transaction()
    again.produce(topic, b"again", partition=0)
    again.commit_transaction(PATIENCE_S)


def test_a_killed_broker_comes_back_with_what_was_committed() -> None:
    """Also the harness itself: kill -9, start on the same port and data, pause."""
    own = Broker()
    with own.properties.open("a") as properties:
        # A killed broker may register again only when its old session has ended: 12 s with the default of 9 s.
        properties.write("\nbroker.session.timeout.ms=1500\nbroker.heartbeat.interval.ms=300\n")
    try:
        own.start()
        assert own.process is not None
        admin = AdminClient({"bootstrap.servers": own.bootstrap, "log_level": 0})
        [future] = admin.create_topics([NewTopic("out", 1, 1)]).values()
        future.result(PATIENCE_S)
        producer = transactional(own.bootstrap, "t")
        producer.begin_transaction()
        producer.produce("out", b"kept", partition=0)
        producer.commit_transaction(PATIENCE_S)
        producer.begin_transaction()
        producer.produce("out", b"open", partition=0)
        assert producer.flush(PATIENCE_S) == 0
        own.send(signal.SIGKILL)
        own.process.wait(PATIENCE_S)
        own.start()
        transactional(own.bootstrap, "t")
        assert [value for _, value in read(own.bootstrap, "out", "read_committed")] == [b"kept"]
        own.send(signal.SIGSTOP)
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=0.5)
        own.send(signal.SIGCONT)
        assert "out" in admin.list_topics(timeout=PATIENCE_S).topics
    finally:
        own.stop()
