"""Offsets of a group and of partitions, as a real broker tells them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from schemas.events.batch import Record
from streamer.kafka.offsets import committed, listed
from tests.kafka.service import produce

pytestmark = pytest.mark.broker


def test_what_a_group_has_committed_and_where_partitions_begin_and_end(
    broker: str, make_topics: Callable[..., list[str]]
) -> None:
    [topic] = make_topics("offsets", partitions=3)
    produce(broker, topic, {0: [Record(0, 1, None, b"x")] * 5, 1: [Record(0, 1, None, b"x")] * 2})
    consumer = Consumer({"bootstrap.servers": broker, "group.id": topic, "log_level": 0})
    consumer.commit(offsets=[TopicPartition(topic, 0, 4, "x")], asynchronous=False)
    consumer.close()
    client, all_of_them = AdminClient({"bootstrap.servers": broker}), [(topic, number) for number in range(3)]
    assert committed(client, topic, all_of_them, 10.0) == {(topic, 0): (4, "x")}
    assert committed(client, f"nobody-{topic}", all_of_them, 10.0) == {}
    ends = listed(client, all_of_them, OffsetSpec.latest(), 10.0)  # type: ignore[no-untyped-call]
    assert ends == {(topic, 0): 5, (topic, 1): 2, (topic, 2): 0}
    begins = listed(client, all_of_them, OffsetSpec.earliest(), 10.0)  # type: ignore[no-untyped-call]
    assert begins == dict.fromkeys(all_of_them, 0)
