"""A record sent by hand is there when it is said to be; what keeps it from that is said in words."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import KafkaError

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.kafka.one_record import send
from streamer.kafka.topic_range import read_topic
from streamer.port import LogDown
from tests.kafka.mock_cluster import PRODUCE, MockCluster

TEXT = 'version: 1\nkafka: {{brokers: "{}"}}\ntopics: {{events: [in]}}\ncontrol: {{topic: drift-control}}\n'


def config(brokers: str) -> Config:
    return load_text(TEXT.format(brokers), "x", {})


def test_it_is_there_where_it_is_said_to_be() -> None:
    with MockCluster("drift-control") as cluster:
        one = config(cluster.brokers)
        places = [send(one, "drift-control", b"fraud", value) for value in (b"a", b"b")]
        assert places == [(0, 0), (0, 1)]
        read = [record for _, records in read_topic(one, "drift-control") for record in records]
        assert [(record.key, record.value) for record in map(Record._make, read)] == [
            (b"fraud", b"a"),
            (b"fraud", b"b"),
        ]


def test_who_may_not_write_is_told_the_command_that_allows_it() -> None:
    with MockCluster("drift-control") as cluster:
        cluster.push(PRODUCE, *[KafkaError.TOPIC_AUTHORIZATION_FAILED] * 5)
        with pytest.raises(LogDown, match="our user lacks") as refused:
            send(config(cluster.brokers), "drift-control", b"m", b"v", wait_s=5.0)
    assert "--operation Write --topic drift-control" in str(refused.value.fix)


def test_without_a_broker_it_gives_up() -> None:
    begun_s = time.monotonic()
    with pytest.raises(LogDown) as down:
        send(config("127.0.0.1:1"), "drift-control", b"m", b"v", wait_s=0.5)
    assert down.value.event == "connection_refused"
    assert time.monotonic() - begun_s < 20
