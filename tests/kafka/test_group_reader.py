"""A member of a group that reads each partition from its oldest record, on a real broker."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from streamer.config.load import load_text
from streamer.kafka.group_reader import GroupReader, Place
from streamer.port import Partition
from tests.kafka.member import read
from tests.kafka.service import committed
from tests.waiting import PATIENCE_S, until

LOGGER = logging.getLogger("x")


def config_of(broker: str) -> Any:
    kafka = f'{{brokers: "{broker}", client: {{heartbeat.interval.ms: 200}}}}'
    return load_text(f"version: 1\nkafka: {kafka}\ntopics: {{events: [in]}}\n", "x", {})


class Seen:
    """What readers have handed over."""

    def __init__(self) -> None:
        self.places: dict[Partition, Place] = {}
        self.values: list[bytes | None] = []
        self.gone: list[Partition] = []
        self.ended: list[Partition] = []

    def take(self, reader: GroupReader) -> None:
        turn = reader.poll(100, 0.1)
        assert {where for where, _ in turn.records} <= self.places.keys() | turn.came.keys()
        self.places |= turn.came
        self.values += [record.value for _, record in turn.records]
        self.gone += turn.gone
        self.ended += turn.ended


def turning(what: Callable[[], bool], *turns: Callable[[], None]) -> None:
    until(what, step=lambda: [turn() for turn in turns])


@pytest.mark.broker
def test_it_reads_all_and_keeps_what_is_done_with(broker: str, make_topics: Callable[..., list[str]]) -> None:
    [topic] = make_topics("told", partitions=2)
    producer = Producer({"bootstrap.servers": broker, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(PATIENCE_S)
    for values, lands in ([b"a", b"b"], True), ([b"never"], False), ([b"c"], True):
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, partition=0)
        producer.flush(PATIENCE_S)
        (producer.commit_transaction if lands else producer.abort_transaction)(PATIENCE_S)
    until(lambda: len(read(broker, topic, "read_committed")) == 3, "the marker of the last one is written, too")
    config, at, other = config_of(broker), (topic, 0), (topic, 1)

    first, seen = GroupReader(config, f"{topic}-bridge", [topic], LOGGER), Seen()
    assert first.assigned is None
    turning(lambda: len(seen.ended) >= 2, lambda: seen.take(first))
    assert seen.values == [b"a", b"b", b"c"]
    assert seen.places == {at: Place(None, 0, 7), other: Place(None, 0, 0)}  # Markers of transactions have offsets.
    first.hold(True)
    first.done(at, 2)
    first.done(other, 0)
    first.commit()
    first.done(at, 5)

    # Another member takes one of the two over: what was done with is committed before it goes.
    second, news = GroupReader(config, f"{topic}-bridge", [topic], LOGGER), Seen()
    turning(lambda: bool(seen.gone and news.places), lambda: seen.take(first), lambda: news.take(second))
    [moved] = seen.gone
    assert news.places[moved].committed == {at: 5, other: 0}[moved]
    first.close()
    turning(lambda: len(news.places) == 2, lambda: news.take(second))
    assert news.places[at].committed == 5
    turning(lambda: b"c" in news.values, lambda: news.take(second))
    assert news.values == [b"a", b"b", b"c"]  # From the oldest on, whatever is committed.
    second.close()
    assert committed(broker, f"{topic}-bridge", topic, 2) == {0: (5, ""), 1: (0, "")}


@pytest.mark.broker
def test_a_topic_that_is_missing_is_said(broker: str) -> None:
    reader = GroupReader(config_of(broker), "nobody-there", ["no-such-topic-here"], LOGGER)
    turning(lambda: reader.trouble is not None, lambda: Seen().take(reader))
    assert "no-such-topic-here" in str(reader.trouble)
    assert "UNKNOWN_TOPIC_OR_PART" in str(reader.trouble)
    reader.close()


def test_without_a_broker_it_waits_and_says_why() -> None:
    reader = GroupReader(config_of("127.0.0.1:1"), "g", ["t"], LOGGER)
    turning(lambda: reader.trouble is not None, lambda: Seen().take(reader))
    assert reader.assigned is None
    reader.done(("t", 0), 3)  # Not ours: nothing is kept of it.
    reader.commit()
    reader.close()
