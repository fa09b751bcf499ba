"""The contract of `streamer.port.Log` on a real broker: what the simulator assumes must hold here."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.events.batch import Record
from streamer.kafka.client import Limits
from streamer.kafka.topic_range import TopicRange
from streamer.port import Assigned, Committed, Gap, LogDown, LogGap, Out, Outcome, Records, Snapshot
from tests.kafka.world import (
    CONFIG_HASH,
    MakeTopics,
    World,
    alert,
    assigned,
    blob_of,
    nothing,
    offsets_in,
    owner,
    wait_for,
)
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker


def test_records_come_in_order_from_the_offset_started_at(world: World) -> None:
    world.produce(20)
    log = world.log()
    partition = (world.events, 0)
    seen = wait_for(log, assigned(1))
    for _ in range(5):
        seen += log.poll(100, 0.05, nothing)
    assert seen == [Assigned(partition)]  # nothing is delivered before the start
    assert log.committed(partition) == Committed(None, None)
    assert log.begin_end(partition) == (0, 20)
    log.start(partition, 7)
    seen = wait_for(log, lambda s: len(offsets_in(s, partition)) >= 13)
    assert offsets_in(seen, partition) == list(range(7, 20))
    [record] = [r for e in seen for r in e.records if r.offset == 7]
    assert (record.key, record.value, record.headers) == (b"k", b"v7", (("h", b"1"),))
    assert abs(record.time_ms / 1000 - time.time()) < 60


def test_poll_respects_the_limit(world: World) -> None:
    world.produce(30)
    log = owner(world)
    batches: list[int] = []
    while sum(batches) < 30:
        batches.append(len(offsets_in(log.poll(4, 1.0, nothing), (world.events, 0))))
    assert max(batches) == 4


def test_a_commit_publishes_everything_at_once(world: World) -> None:
    world.produce(3)
    log = owner(world)
    partition = (world.events, 0)
    outs = [alert("a"), Out("dead_letter", None, b"d"), alert("b")]
    snapshot = Snapshot(2, 1, CONFIG_HASH, b"blob")
    outcome, pointers, _ = log.commit(outs, {partition: Committed(3, None)}, {partition: snapshot})
    assert outcome is Outcome.DONE
    assert world.values(world.alerts) == [b"a", b"b"]
    assert world.values(world.dead) == [b"d"]
    committed = log.committed(partition)
    assert committed == Committed(3, pointers[partition])
    assert pointers[partition][:4] == (2, 0, 0, 1)
    assert blob_of(log, partition, pointers[partition]) == [b"blob"]
    # A later commit repeats the given pointer; one without loses it.
    assert log.commit([], {partition: Committed(3, pointers[partition])}, {}).outcome is Outcome.DONE
    assert log.committed(partition) == Committed(3, pointers[partition])
    assert log.commit([], {partition: Committed(3, None)}, {}).outcome is Outcome.DONE
    assert log.committed(partition) == Committed(3, None)


def test_a_large_snapshot_comes_back_and_the_next_owner_finds_it(world: World) -> None:
    partition = (world.events, 0)
    log = owner(world)
    blob = os.urandom(2_500_000)
    snapshots, told = {partition: Snapshot(0, 0, CONFIG_HASH, blob)}, list[str]()
    while (result := log.commit([], {partition: Committed(0, None)}, snapshots)).outcome is Outcome.ABORTED:
        told.append(result.why)  # Nothing was published: as the worker does, once more.
        assert len(told) < 3, told
    assert result.outcome is Outcome.DONE
    assert result.pointers[partition].chunks == 3
    assert blob_of(log, partition, result.pointers[partition]) == [blob]
    world.close()
    successor = world.log()
    wait_for(successor, assigned(1))
    committed = successor.committed(partition)
    assert committed is not None
    assert committed.pointer == result.pointers[partition]
    assert blob_of(successor, partition, committed.pointer) == [blob]
    wrong = result.pointers[partition]._replace(sha="0" * 64)
    for pointer in (wrong, wrong._replace(offset=10**6), wrong._replace(partition=9), wrong._replace(offset=1)):
        assert blob_of(successor, partition, pointer) == []


def test_the_scan_finds_every_complete_snapshot_newest_first(world: World) -> None:
    partition = (world.events, 0)
    log = owner(world)
    big, second = os.urandom(1_000_000), b"second"
    assert blob_of(log, partition, None) == []
    # The topic was made anew behind the first: what was written last is the newest, wherever it stands.
    for position, slot, blob in ((7, 0, big), (2, 1, second), (3, 0, b"third")):
        snapshots = {partition: Snapshot(position, slot, CONFIG_HASH, blob)}
        assert log.commit([], {partition: Committed(5, None)}, snapshots).outcome is Outcome.DONE
    foreign = Producer({"bootstrap.servers": world.broker})
    stored: list[tuple[str, str | bytes | None]] = [("position", b"9"), ("config", b"c")]
    stored += [("sha256", b"0" * 64), ("chunks", b"2")]
    foreign.produce(world.state, b"half", f"{world.events}/0/1/0".encode(), partition=0, headers=stored)
    foreign.produce(world.state, b"junk", b"\xff/0/0/0", partition=0)
    foreign.produce(world.state, b"other", f"{world.events}/1/0/0".encode(), partition=0, headers=stored)
    assert foreign.flush(PATIENCE_S) == 0
    assert blob_of(log, partition, None) == [b"third", second, big]


def test_a_scan_waits_for_an_open_foreign_transaction(world: World) -> None:
    partition = (world.events, 0)
    log = owner(world)
    foreign = world.transactional("foreign")
    foreign.begin_transaction()
    foreign.produce(world.state, b"open", b"k", partition=0)
    assert foreign.flush(PATIENCE_S) == 0
    result = log.commit([], {partition: Committed(0, None)}, {partition: Snapshot(0, 0, CONFIG_HASH, b"ours")})
    assert result.outcome is Outcome.DONE  # committed, yet behind the last stable offset
    for pointer in (None, result.pointers[partition]):
        steps = log.read_state(partition, pointer)
        waited = [next(steps) for _ in range(15)]
        assert waited == [None] * 15
        if pointer is None:
            steps.close()  # type: ignore[attr-defined]
    foreign.abort_transaction(PATIENCE_S)
    assert [stored.blob for stored in steps if stored is not None] == [b"ours"]
    assert blob_of(log, partition, None) == [b"ours"]


def test_a_transaction_that_stays_open_is_named(world: World) -> None:
    world.produce(3)
    log = owner(world, limits=Limits(stalled=1.0))
    foreign = world.transactional("foreign")
    foreign.begin_transaction()
    foreign.produce(world.events, b"open", b"k", partition=0)
    assert foreign.flush(PATIENCE_S) == 0
    with pytest.raises(LogDown, match=r"open transaction holds readers back at 3, records reach to 4"):
        list(log.replay((world.events, 0), 0, 4))
    foreign.abort_transaction(PATIENCE_S)


def test_replay_passes_markers_and_aborted_records(world: World) -> None:
    partition = (world.events, 0)
    upstream = world.transactional("upstream")
    for i in range(6):
        upstream.begin_transaction()
        for j in range(3):
            upstream.produce(world.events, b"%d-%d" % (i, j), partition=0)
        assert upstream.flush(PATIENCE_S) == 0  # an abort would purge what was not sent
        (upstream.abort_transaction if i % 2 else upstream.commit_transaction)(10)
    log = world.log()
    end = 24  # 18 records and 6 markers; the range ends with an aborted transaction and its marker
    until(lambda: log.begin_end(partition)[1] == end)
    records = [r for batch in log.replay(partition, 0, end) for r in batch]
    assert [r.value for r in records] == [b"%d-%d" % (i, j) for i in (0, 2, 4) for j in range(3)]
    assert [r.offset for r in records] == [0, 1, 2, 8, 9, 10, 16, 17, 18]
    assert [r.offset for batch in log.replay(partition, 2, 10) for r in batch] == [2, 8, 9]
    assert [batch for batch in log.replay(partition, 5, 5)] == []
    with pytest.raises(LogGap, match="holds offsets 0 to 24"):
        list(log.replay(partition, 0, 25))


def test_what_is_not_retained_is_a_gap(world: World) -> None:
    world.produce(10)
    partition = (world.events, 0)
    log = world.log()
    wait_for(log, assigned(1))
    admin = AdminClient({"bootstrap.servers": world.broker})
    for future in admin.delete_records([TopicPartition(*partition, 6)]).values():
        future.result(PATIENCE_S)
    assert log.begin_end(partition) == (6, 10)
    with pytest.raises(LogGap, match=r"events-.*\[0\] holds offsets 6 to 10, 5 to 10"):
        list(log.replay(partition, 5, 10))
    log.start(partition, 3)
    [gap] = [
        event for event in wait_for(log, lambda seen: any(isinstance(e, Gap) for e in seen)) if isinstance(event, Gap)
    ]
    assert gap == Gap(partition, "offset 3 is not there any more")
    log.start(partition, 6)
    wait_for(log, lambda seen: offsets_in(seen, partition) == [6, 7, 8, 9])


def test_a_batch_that_cannot_be_unpacked_is_stepped_over(world: World) -> None:
    """zstd beyond receive.message.max.bytes: librdkafka refuses it for ever. The replay must see the same."""
    partition = (world.events, 0)
    world.produce(3)
    bomber = Producer({"bootstrap.servers": world.broker, "compression.type": "zstd", "message.max.bytes": 20_000_000})
    bomber.produce(world.events, bytes(8_000_000), partition=0)
    assert bomber.flush(PATIENCE_S) == 0
    world.produce(2)
    log = owner(world, **{"receive.message.max.bytes": 2_000_512, "fetch.max.bytes": 1_000_000})
    seen = wait_for(log, lambda seen: len(offsets_in(seen, partition)) == 6)
    records = [r for e in seen if isinstance(e, Records) for r in e.records]
    assert [r.offset for r in records] == list(range(6))
    why = records[3].unreadable
    assert records[3] == Record(3, -1, None, None, unreadable=why)
    assert why.startswith("Decompression (codec 0x4) of message at 3 of ")
    again = [r for batch in log.replay(partition, 0, 6) for r in batch]
    assert again == records


def test_missing_topics_are_named(world: World) -> None:
    world.events, world.alerts, world.state = "no-such-events", "no-such-alerts", "no-such-state"
    with pytest.raises(LogDown) as missing:
        world.log()
    assert missing.value.event == "topic_missing"
    assert "topic no-such-events does not exist." in str(missing.value)
    assert str(missing.value).endswith("topics no-such-alerts, no-such-state do not exist.")
    assert "topics apply --create-events" in missing.value.fix
    assert missing.value.fix.endswith("driftline topics apply -c FILE makes them")


def test_no_broker_is_said_so(make_topics: MakeTopics, broker: str) -> None:
    world = World(broker, make_topics)
    world.broker = "127.0.0.1:1"
    with pytest.raises(LogDown, match=r"127\.0\.0\.1:1: the connection is refused") as refused:
        world.log(limits=Limits(metadata=1.0))
    assert refused.value.event == "connection_refused"


def test_a_range_of_history_by_offset_and_time(
    broker: str, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(broker, make_topics, partitions=2)
    producer = Producer({"bootstrap.servers": broker})
    for i in range(10):
        producer.produce(world.events, b"%d" % i, partition=i % 2, timestamp=1_700_000_000_000 + 1000 * (i // 2))
    assert producer.flush(PATIENCE_S) == 0

    def read(*arguments: Any) -> dict[int, list[bytes | None]]:
        found: dict[int, list[bytes | None]] = {}
        for (_, number), records in TopicRange(world.config(), world.events, *arguments):
            found.setdefault(number, []).extend(r.value for r in records)
        return found

    assert read() == {0: [b"0", b"2", b"4", b"6", b"8"], 1: [b"1", b"3", b"5", b"7", b"9"]}
    assert read([1], "1", "3") == {1: [b"3", b"5"]}
    assert read([0], "2023-11-14T22:13:22Z") == {0: [b"4", b"6", b"8"]}
    assert read([0], "@1700000001", "@1700000003") == {0: [b"2", b"4"]}
    assert read([0], "2030-01-01T00:00:00Z") == {}
    assert read([], "0", "4", 5) == {0: [b"4", b"6"], 1: [b"5", b"7"]}, "the newest of each"
    monkeypatch.setattr("streamer.kafka.topic_range.BLOCK", 2)
    for held in 100_000, 1:
        monkeypatch.setattr("streamer.kafka.topic_range.BLOCKS", held)
        merged = TopicRange(world.config(), world.events, (), "1").in_order()
        assert [r.value for _, records in merged for r in records] == [b"%d" % i for i in range(2, 10)]


def test_a_range_that_is_read_again_is_the_same_and_no_group_knows_of_it(world: World) -> None:
    world.produce(5)
    admin = AdminClient({"bootstrap.servers": world.broker})
    before = {one.group_id for one in admin.list_consumer_groups().result().valid}
    history = TopicRange(world.config(), world.events)
    first = [(p, [r.offset for r in records]) for p, records in history]
    total = history.total()
    world.produce(3)
    again = [(p, [r.offset for r in records]) for p, records in history]
    assert sum(len(offsets) for _, offsets in first) == 5 == total
    assert [offset for _, offsets in again for offset in offsets] == [o for _, offsets in first for o in offsets]
    assert {one.group_id for one in admin.list_consumer_groups().result().valid} == before


def test_the_broker_is_asked_in_read_uncommitted_for_the_end(world: World) -> None:
    log = world.log()
    foreign = world.transactional("foreign")
    foreign.begin_transaction()
    foreign.produce(world.events, b"open", partition=0)
    assert foreign.flush(PATIENCE_S) == 0
    assert log.begin_end((world.events, 0)) == (0, 1)
    foreign.abort_transaction(PATIENCE_S)
    with pytest.raises(KafkaException):
        foreign.commit_transaction(1)
