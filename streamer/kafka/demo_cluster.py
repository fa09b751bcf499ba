"""Kafka for the demo: librdkafka's mock cluster as an embedded broker, and a producer of generated events."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer


class MockCluster:
    """One in-process broker that other processes can join. It lives and dies with this object."""

    def __init__(self) -> None:
        self._owner = Producer({"test.mock.num.brokers": 1, "log_level": 3, "log.queue": False})
        brokers = self._owner.list_topics(timeout=60).brokers
        self.brokers = ",".join(f"{b.host}:{b.port}" for b in brokers.values())


class Sender:
    """Produces events to chosen partitions and remembers the offset of the ones that were marked."""

    def __init__(self, brokers: str, topic: str) -> None:
        self.topic = topic
        self.marked: dict[str, int] = {}
        self._producer = Producer(
            {"bootstrap.servers": brokers, "linger.ms": 5, "enable.idempotence": False, "log_level": 0}
        )

    def send(self, partition: int, key: str, value: bytes, mark: str | None = None) -> None:
        """Queue one event; with `mark` its offset is found under that name once it is delivered."""

        def delivered(error: KafkaError | None, message: Message) -> None:
            offset = message.offset()
            if error is None and mark is not None and offset is not None:
                self.marked[mark] = offset

        options: dict[str, Any] = {"on_delivery": delivered} if mark else {}
        self._producer.produce(self.topic, value=value, key=key.encode(), partition=partition, **options)

    def poll(self) -> None:
        self._producer.poll(0)

    def flush(self) -> None:
        self._producer.flush(30)


def read_back(brokers: str, topic: str) -> Generator[bytes | None, None, None]:
    """Values of a topic from its beginning; None while nothing comes.

    A plain consumer, as anybody downstream has one, and not one of the service's own: those check CRCs, and the mock
    cluster writes transaction markers without any.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"driftline-demo-reader-{topic}",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "topic.metadata.refresh.interval.ms": 1000,
            "log_level": 3,
        }
    )
    consumer.subscribe([topic])
    try:
        while True:
            message = consumer.poll(0.0)
            yield None if message is None or message.error() else message.value()
    finally:
        consumer.close()
