"""Messages taken by the compiled core, past the binding, are those that the binding hands out."""

from __future__ import annotations

import gc
import logging
import time
import weakref
from collections.abc import Callable
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.core import native, why_not
from schemas.events.batch import Record, Reject
from schemas.events.decoder import Decoder
from schemas.events.native_json import compile_fields
from schemas.records.dead_letter import RECORD_BYTES_MAX, dead_letter
from streamer.kafka import intake as kafka_messages
from streamer.kafka.client import error_of
from streamer.kafka.intake import ByBinding, ByCore, Intake, Stretch, connect
from streamer.port import LogDown
from tests.waiting import PATIENCE_S, until

compiled = pytest.mark.skipif(native is None, reason=f"no compiled core: {why_not}")
pytestmark = [pytest.mark.broker, compiled]

Partition = tuple[str, int]
LOGGER = logging.getLogger("test")


def joined(
    broker: str, core: bool, message_bytes: int = kafka_messages.NO_LIMIT, **settings: Any
) -> tuple[Consumer, Intake]:
    common = {
        "bootstrap.servers": broker,
        "group.id": "intake",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 20,
    } | settings
    consumer, intake = connect(lambda more: Consumer(common | more), LOGGER, message_bytes=message_bytes)
    assert isinstance(intake, ByCore)
    if core:
        return consumer, intake
    intake.close()
    consumer.close()
    consumer = Consumer(common)
    return consumer, ByBinding(consumer)


def begin(consumer: Consumer, intake: Intake, places: list[TopicPartition]) -> None:
    """As `KafkaLog` does it: librdkafka has served the assignment once it accepts a seek."""
    consumer.incremental_assign([TopicPartition(p.topic, p.partition, 0) for p in places])
    for place in places:
        while not sought(consumer, place):
            time.sleep(0.001)
        intake.follow((place.topic, place.partition))


def sought(consumer: Consumer, place: TopicPartition) -> bool:
    try:
        consumer.seek(place)
    except KafkaException as exception:
        if error_of(exception).code() == KafkaError._STATE:
            return False
        raise
    return True


def taken(intake: Intake, done: Callable[[list[Stretch]], bool], limit: int = 7) -> list[Stretch]:
    found: list[Stretch] = []
    until(lambda: done(found), lambda: found, lambda: found.extend(intake.take(limit, 0.1)))
    return found


def records_of(stretches: list[Stretch]) -> dict[Partition, list[Record]]:
    found: dict[Partition, list[Record]] = {}
    for partition, columns, error in stretches:
        if error is None:
            records = list(columns)
            assert [r.offset for r in records] == columns.offsets.tolist()
            assert [r.time_ms for r in records] == columns.times_ms.tolist()
            assert [r.value for r in records] == list(columns.values)
            assert [r.key for r in records] == list(columns.each_key())
            found.setdefault(partition, []).extend(records)
    return found


def mixed(broker: str, topics: list[str]) -> int:
    """Every kind of record, on two partitions each; of a transaction that aborts, too. How many count."""
    producer = Producer({"bootstrap.servers": broker, "transactional.id": f"mixed-{topics[0]}"})
    producer.init_transactions(PATIENCE_S)
    odd: list[dict[str, Any]] = [
        {"value": None},
        {"value": b""},
        {"value": b"v", "key": b""},
        {"value": "ä".encode(), "key": b"\xff\x00k", "timestamp": 1},
        {"value": b"v", "headers": [("h", b"1"), ("h", None), ("ü", b"")], "timestamp": 1_700_000_000_000},
        {"value": bytes(100_000)},
    ]
    count = 0
    for aborts in (False, True, False):
        producer.begin_transaction()
        for i in range(60):
            record = odd[i % len(odd)]
            producer.produce(topics[i % len(topics)], partition=i // 7 % 2, **record)
            count += not aborts
        producer.flush(PATIENCE_S)
        (producer.abort_transaction if aborts else producer.commit_transaction)(10)
    return count


def test_both_ways_give_the_same_records(broker: str, make_topics: Callable[..., list[str]]) -> None:
    topics = make_topics("one", "two", partitions=2)
    count = mixed(broker, topics)
    places = [(topic, number) for topic in topics for number in range(2)]
    found = []
    for core in (True, False):
        consumer, intake = joined(broker, core)
        begin(consumer, intake, [TopicPartition(*place, 0) for place in places])
        stretches = taken(intake, lambda seen: sum(len(s.columns) for s in seen) == count)
        found.append(records_of(stretches))
        sizes = [len(s.columns) for s in stretches]
        assert max(sizes) <= 7
        intake.close()
        consumer.close()
    assert found[0] == found[1]
    assert sum(map(len, found[0].values())) == count
    assert {len(r.headers) for r in found[0][places[0]]} == {0, 3}


def test_both_ways_give_the_same_errors(broker: str, make_topics: Callable[..., list[str]]) -> None:
    [topic] = make_topics("in", partitions=2)
    mixed(broker, [topic])
    admin = AdminClient({"bootstrap.servers": broker})
    for future in admin.delete_records([TopicPartition(topic, 0, 5)]).values():
        future.result(PATIENCE_S)
    for core in (True, False):
        consumer, intake = joined(broker, core, **{"auto.offset.reset": "error", "enable.partition.eof": True})
        begin(consumer, intake, [TopicPartition(topic, 0, 2), TopicPartition(topic, 1, 0)])
        errors = [s for s in taken(intake, lambda seen: len([s for s in seen if s.error]) == 2, 100) if s.error]
        assert {(s.partition, s.error.code(), s.error.fatal()) for s in errors if s.error} == {
            ((topic, 0), KafkaError._AUTO_OFFSET_RESET, False),
            ((topic, 1), KafkaError._PARTITION_EOF, False),
        }
        assert all(len(s.columns) == 1 and s.error and s.error.str() for s in errors)
        intake.close()
        consumer.close()


def test_messages_are_there_until_the_intake_is_closed(world: Any) -> None:
    world.produce(30)
    consumer, intake = joined(world.broker, True)
    begin(consumer, intake, [TopicPartition(world.events, 0, 0)])
    stretches = taken(intake, lambda seen: sum(len(s.columns) for s in seen) == 30)
    # A seek makes librdkafka drop what was read before it; what we hold is ours.
    consumer.seek(TopicPartition(world.events, 0, 20))
    again = taken(intake, lambda seen: sum(len(s.columns) for s in seen) == 10)
    assert [r.value for s in again for r in s.columns] == [b"v%d" % i for i in range(20, 30)]
    assert [r.value for s in stretches for r in s.columns] == [b"v%d" % i for i in range(30)]
    intake.close()
    assert len(stretches[0].columns) == len(stretches[0].columns.offsets)
    for ask in (lambda: stretches[0].columns[0], lambda: list(stretches[0].columns.values)):
        with pytest.raises(RuntimeError, match="was closed"):
            ask()
    with pytest.raises(IndexError):
        stretches[0].columns.values[99]
    with pytest.raises(RuntimeError, match="closed"):
        intake.take(1, 0)
    with pytest.raises(RuntimeError, match="closed"):
        intake.follow((world.events, 0))
    intake.close()
    consumer.close()


def test_a_partition_comes_back_whenever_it_was_taken_away(world: Any) -> None:
    """librdkafka stops a partition when it comes to it, and cuts its queue off then, also one that is in use again."""
    world.produce(10)
    partition = (world.events, 0)
    consumer, intake = joined(world.broker, True)
    for offset in [0, 4, 8] * 20:
        begin(consumer, intake, [TopicPartition(*partition, offset)])
        stretches = taken(intake, lambda seen, due=10 - offset: sum(len(s.columns) for s in seen) == due)  # type: ignore[misc]
        assert [o for s in stretches for o in s.columns.offsets.tolist()] == list(range(offset, 10))
        consumer.incremental_unassign([TopicPartition(*partition)])
    assert intake.take(10, 0.2) == []
    intake.close()
    consumer.close()


def test_dropping_everything_unclosed_leaves_nothing(world: Any) -> None:
    """Also where the client's callbacks keep whoever keeps the client."""
    world.produce(10)

    class Owner:
        def __init__(self) -> None:
            self.consumer, self.intake = joined(world.broker, True, error_cb=self.failed)

        def failed(self, error: KafkaError) -> None: ...

    owner = Owner()
    begin(owner.consumer, owner.intake, [TopicPartition(world.events, 0, 0)])
    stretches = taken(owner.intake, lambda seen: sum(len(s.columns) for s in seen) == 10)
    alive = weakref.ref(owner)
    del owner
    gc.collect()
    assert alive() is None
    with pytest.raises(RuntimeError, match="was closed"):
        stretches[0].columns[0]


def test_without_librdkafka_in_reach_the_binding_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(binding: str) -> None:
        raise OSError("no such symbol")

    monkeypatch.setattr(kafka_messages, "native", SimpleNamespace(use_librdkafka_of=missing))
    settings = {"bootstrap.servers": "127.0.0.1:1", "group.id": "g"}
    with caplog.at_level(logging.INFO):
        consumer, intake = connect(lambda more: Consumer(settings | more), LOGGER)
    assert isinstance(intake, ByBinding)
    assert "messages take more time: no such symbol" in caplog.text
    consumer.close()


def test_a_wrong_setting_is_told_and_not_taken_for_the_plugin() -> None:
    def make(more: dict[str, Any]) -> Consumer:
        try:
            return Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "fetch.min.bytes": -7} | more)
        except KafkaException as exception:
            raise LogDown(error_of(exception).str()) from exception

    with pytest.raises(LogDown, match=r"fetch\.min\.bytes"):
        connect(make, LOGGER)


def test_a_plugin_of_the_user_stays() -> None:
    made: list[dict[str, Any]] = []

    def make(more: dict[str, Any]) -> Consumer:
        made.append(more)
        settings = {"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "plugin.library.paths": "no-such-plugin"}
        try:
            return Consumer(settings | more)
        except KafkaException as exception:
            raise LogDown(error_of(exception).str()) from exception

    with pytest.raises(LogDown, match="no-such-plugin"):
        connect(make, LOGGER, "no-such-plugin")
    assert made[0]["plugin.library.paths"].split(";")[0] == "no-such-plugin"
    assert made[1:] == [{}]


@pytest.mark.parametrize("codec", ["gzip", "lz4"])
def test_what_is_far_too_large_is_known_by_its_size_and_hash_and_not_copied(
    codec: str, broker: str, make_topics: Callable[..., list[str]]
) -> None:
    """librdkafka unpacks these without a limit; that there is no second copy is what is ours to do."""
    [topic] = make_topics("bomb")
    value = bytes(30_000_000)
    producer = Producer({"bootstrap.servers": broker, "compression.type": codec, "message.max.bytes": 100_000_000})
    producer.produce(topic, b"before", partition=0)
    assert producer.flush(PATIENCE_S) == 0
    producer.produce(topic, value, key=b"k", partition=0)
    assert producer.flush(PATIENCE_S) == 0
    consumer, intake = joined(broker, True, message_bytes=1 << 20)
    begin(consumer, intake, [TopicPartition(topic, 0, 0)])
    found = taken(intake, lambda found: sum(len(s.columns) for s in found) == 2)
    [small, large] = [record for stretch in found for record in stretch.columns]
    assert (small.value, small.whole) == (b"before", None)
    assert large.value is not None
    assert (len(large.value), large.key) == (max(1 << 20, RECORD_BYTES_MAX) + 1, b"k")
    assert large.whole == (30_000_000, sha256(value).hexdigest())
    rejects = [r for s in found for r in Decoder(compile_fields({}))(s.columns, topic).rejects if r.record.offset == 1]
    assert [(r.reason, r.detail) for r in rejects] == [("too_large", "30000000 bytes, the limit is 1048576")]
    key, kept, headers = dead_letter(topic, 0, rejects[0])
    assert (key, kept) == dead_letter(topic, 0, Reject(large._replace(value=value, whole=None), "too_large", ""))[:2]
    assert dict(headers)["driftline.error.size"] == b"30000000"
    assert dict(headers)["driftline.error.sha256"] == sha256(value).hexdigest().encode()
    intake.close()
    consumer.close()
