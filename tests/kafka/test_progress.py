"""How far a group is, as a real broker tells it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.kafka.offset_metadata import to_text
from streamer.kafka.progress import Progress, Reached, reached
from streamer.port import Committed, LogDown, Pointer
from tests.kafka.service import produce

ROOT = Committed(4, Pointer(3, 0, 7, 1, "ab" * 32, "c0ffee"), reached_ms=1_700_000_000_000)


def test_what_nobody_committed_and_what_says_nothing() -> None:
    assert reached(None, 9) == Reached(-1, 9, 0)
    assert reached((4, "x"), 9) == Reached(4, 5, 0)
    assert reached((9, to_text(ROOT)), 4) == Reached(9, 0, 1_700_000_000_000), "its topic was made anew"


@pytest.mark.broker
def test_of_each_partition_where_its_reader_is_and_what_is_left(
    broker: str, make_topics: Callable[..., list[str]]
) -> None:
    [topic] = make_topics("progress", partitions=3)
    produce(broker, topic, {0: [Record(0, 1, None, b"x")] * 5, 1: [Record(0, 1, None, b"x")] * 2})
    kafka = f'version: 1\nkafka: {{brokers: "{broker}", group: {topic}}}\n'
    progress = Progress(load_text(f"{kafka}topics: {{events: ['^{topic}$']}}\n", "x", {}))
    assert progress.ask() == {(topic, number): Reached(-1, left, 0) for number, left in enumerate((5, 2, 0))}
    consumer = Consumer({"bootstrap.servers": broker, "group.id": topic, "log_level": 0})
    consumer.commit(offsets=[TopicPartition(topic, 0, 4, to_text(ROOT))], asynchronous=False)
    consumer.close()
    assert progress.ask()[topic, 0] == Reached(4, 1, 1_700_000_000_000)


def test_where_nobody_answers_it_is_not_known() -> None:
    config = load_text('version: 1\nkafka: {brokers: "127.0.0.1:1"}\ntopics: {events: [in]}\n', "x", {})
    progress = Progress(config)
    progress._partitions = [("in", 0)]
    with pytest.raises(LogDown, match="how far the group is cannot be had"):
        progress.ask()
