"""The fetching thread is woken without a wait, and without a request that times out."""

from __future__ import annotations

import logging
import time
from threading import Event, Timer
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from streamer.kafka.client import Limits
from streamer.kafka.waker import AT_ONCE, Waker
from tests.kafka.mock_cluster import MockCluster
from tests.waiting import PATIENCE_S, until

PARTITION = ("events", 0)


@pytest.fixture
def consumer() -> Any:
    """One whose answers come after 0.3 s."""
    with MockCluster("events") as cluster:
        made = Consumer(
            {"bootstrap.servers": cluster.brokers, "group.id": "group", "fetch.wait.max.ms": 100},
            logger=logging.getLogger("test.waker"),
        )
        made.assign([TopicPartition(*PARTITION, 0)])
        # Connected, and the leader is known.
        made.get_watermark_offsets(TopicPartition(*PARTITION), timeout=PATIENCE_S)
        cluster.delay(300)
        yield made
        made.close()


def test_no_request_times_out_where_answers_take_their_time(consumer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """librdkafka looks for requests past their deadline once a second, so a wake at each moment of it meets a look."""
    caplog.set_level(logging.INFO)
    waker = Waker(consumer, Limits().slice)
    end_s = time.monotonic() + 2.5
    while time.monotonic() < end_s:
        waker.wake(PARTITION)
        consumer.poll(0.03)  # Serves the log.
    waker.close()
    consumer.poll(0.1)
    assert [line for line in caplog.messages if "Timed out" in line or "timed out" in line] == []


def test_the_leader_is_asked(consumer: Any) -> None:
    asked: list[tuple[str, int]] = []

    class Asked:
        def get_watermark_offsets(self, place: TopicPartition, **how: Any) -> Any:
            asked.append((place.topic, place.partition))
            return consumer.get_watermark_offsets(place, **how)

    waker = Waker(Asked(), 5.0)  # type: ignore[arg-type]
    waker.wake(PARTITION)
    waker.wake(("no-such-topic", 3))
    until(lambda: len(asked) == 2)
    waker.close()
    assert sorted(asked) == [PARTITION, ("no-such-topic", 3)]


def test_nobody_waits_for_an_answer_and_after_its_end_nobody_asks_the_consumer() -> None:
    """A closed consumer of the binding is memory that was given back."""
    begun, ended, answer = list[int](), list[int](), Event()

    class Slow:
        def get_watermark_offsets(self, *_: object, **__: object) -> None:
            begun.append(1)
            assert answer.wait(PATIENCE_S), "who wakes waits for the answer"
            ended.append(1)

    waker = Waker(Slow(), 1.0)  # type: ignore[arg-type]
    for _ in range(3 * AT_ONCE):
        waker.wake(PARTITION)
    until(lambda: begun)
    assert ended == []
    Timer(0.2, answer.set).start()
    waker.close()
    assert len(begun) == len(ended) <= AT_ONCE


def test_of_many_that_are_started_the_last_are_asked_for() -> None:
    """While an answer is waited for no other call can use the consumer: the restores of the others would wait."""
    asked: list[int] = []
    consumer = SimpleNamespace(get_watermark_offsets=lambda place, **how: asked.append(place.partition))
    waker = Waker(consumer, 5.0)  # type: ignore[arg-type]
    for number in range(1000):
        waker.wake(("events", number), more=number < 999)
        assert number == 999 or not asked
    until(lambda: len(asked) == AT_ONCE)
    waker.wake(("events", 7))
    until(lambda: len(asked) == AT_ONCE + 1)
    waker.close()
    assert sorted(asked) == [7, 996, 997, 998, 999]
