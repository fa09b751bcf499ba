"""Offsets of a group and of partitions, as a real broker tells them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

import streamer
from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.kafka.offsets import Commits, committed, listed
from tests.kafka.mock_cluster import MockCluster
from tests.kafka.service import produce
from tests.waiting import PATIENCE_S, until

OFFSET_FETCH, NOT_COORDINATOR, LOADING = 9, 16, 14


def config(brokers: str) -> Config:
    return load_text(f'version: 1\nkafka: {{brokers: "{brokers}"}}\ntopics: {{events: [in]}}\n', "x", {})


def test_a_coordinator_that_is_another_one_by_now_is_asked_for_and_ends_no_process() -> None:
    """An admin client dies of it, with all of us: librdkafka#5040."""
    with MockCluster("in") as cluster:
        consumer = Consumer({"bootstrap.servers": cluster.brokers, "group.id": "g", "log_level": 0})
        consumer.commit(offsets=[TopicPartition("in", 0, 4, "x")], asynchronous=False)
        consumer.close()
        commits = Commits(config(cluster.brokers), "g")
        for errors in ([], [NOT_COORDINATOR], [LOADING, NOT_COORDINATOR, NOT_COORDINATOR]):
            cluster.push(OFFSET_FETCH, *errors)
            found = until(lambda: [one for one in asked(commits) if one is not None])[0]
            assert found == {("in", 0): (4, "x")}
        commits.close()
    for path in Path(streamer.__file__).parent.rglob("*.py"):
        assert "list_consumer_group_offsets" not in path.read_text(), path


def asked(commits: Commits) -> list[Any]:
    """What it finds; nothing where nobody answers in good time."""
    try:
        return [commits.of([("in", 0)], PATIENCE_S / 4)]
    except KafkaException:
        return []


@pytest.mark.broker
def test_what_a_group_has_committed_and_where_partitions_begin_and_end(
    broker: str, make_topics: Callable[..., list[str]]
) -> None:
    [topic] = make_topics("offsets", partitions=3)
    produce(broker, topic, {0: [Record(0, 1, None, b"x")] * 5, 1: [Record(0, 1, None, b"x")] * 2})
    consumer = Consumer({"bootstrap.servers": broker, "group.id": topic, "log_level": 0})
    consumer.commit(offsets=[TopicPartition(topic, 0, 4, "x")], asynchronous=False)
    consumer.close()
    client, all_of_them = AdminClient({"bootstrap.servers": broker}), [(topic, number) for number in range(3)]
    assert committed(config(broker), topic, all_of_them, PATIENCE_S) == {(topic, 0): (4, "x")}
    assert committed(config(broker), f"nobody-{topic}", all_of_them, PATIENCE_S) == {}
    ends = listed(client, all_of_them, OffsetSpec.latest(), 10.0)  # type: ignore[no-untyped-call]
    assert ends == {(topic, 0): 5, (topic, 1): 2, (topic, 2): 0}
    begins = listed(client, all_of_them, OffsetSpec.earliest(), 10.0)  # type: ignore[no-untyped-call]
    assert begins == dict.fromkeys(all_of_them, 0)
