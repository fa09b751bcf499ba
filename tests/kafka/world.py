"""What the tests of `KafkaLog` share: the topics of one test, members that own a partition, a broker that pauses."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from streamer.config import model as cfg
from streamer.kafka.client import Limits
from streamer.kafka.log import KafkaLog
from streamer.port import Assigned, Out, Partition, Pointer, Records
from tests.bounded import close_log
from tests.broker.broker import Broker
from tests.waiting import PATIENCE_S, until

CONFIG_HASH = "c0ffee"
QUICK: dict[str, Any] = {"session.timeout.ms": 2000, "heartbeat.interval.ms": 300}
MakeTopics = Callable[..., list[str]]
_numbers = itertools.count()


class World:
    """Topics of one test and everything that touches them."""

    def __init__(self, broker: str, make_topics: MakeTopics, partitions: int = 1) -> None:
        self.broker = broker
        self.events, self.alerts, self.state, self.dead, self.beats = make_topics(
            "events", "alerts", "state", "dead", "beats", partitions=partitions
        )
        self.group = f"group-{os.getpid()}-{next(_numbers)}"
        self.logs: list[KafkaLog] = []

    def config(self, instance: str | None = None, **client: Any) -> Any:
        kafka = {"brokers": self.broker, "group": self.group, "instance": instance, "start": "earliest"}
        topics = {
            "events": [self.events],
            "alerts": self.alerts,
            "state": self.state,
            "dead_letter": self.dead,
            "heartbeats": self.beats,
        }
        parts = {"kafka": SimpleNamespace(**kafka, client=client), "limits": cfg.Limits()}
        return SimpleNamespace(**parts, topics=cfg.Topics.model_validate(topics), about={}, server=cfg.Server())

    def log(
        self, instance: str | None = None, limits: Limits | None = None, watch: Any = None, **client: Any
    ) -> KafkaLog:
        log = KafkaLog(self.config(instance, **client), logging.getLogger("test"), watch, limits or Limits())
        self.logs.append(log)
        return log

    def close(self) -> None:
        for log in self.logs:
            close_log(log)
        self.logs.clear()

    def produce(self, count: int, partition: int = 0, topic: str | None = None) -> None:
        producer = Producer({"bootstrap.servers": self.broker})
        for i in range(count):
            producer.produce(topic or self.events, b"v%d" % i, b"k", partition=partition, headers=[("h", b"1")])
        assert producer.flush(PATIENCE_S) == 0

    def transactional(self, name: str) -> Producer:
        producer = Producer({"bootstrap.servers": self.broker, "transactional.id": f"{name}-{self.group}"})
        producer.init_transactions(PATIENCE_S)
        return producer

    def values(self, topic: str, isolation: str = "read_committed") -> list[bytes | None]:
        """What a consumer of partition 0 sees now."""
        settings = {"bootstrap.servers": self.broker, "group.id": "reader", "isolation.level": isolation}
        consumer = Consumer(settings | {"enable.partition.eof": True, "enable.auto.commit": False})
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[bytes | None] = []
        while True:
            message = consumer.poll(PATIENCE_S)
            assert message is not None
            if message.error():
                consumer.close()
                return found
            found.append(message.value())


def nothing(partitions: list[Partition]) -> None:
    pass


def wait_for(log: KafkaLog, done: Callable[[list[Any]], bool], on_revoke: Any = nothing) -> list[Any]:
    """Poll until the events seen so far satisfy `done`."""
    seen: list[Any] = []
    until(lambda: done(seen), lambda: seen, lambda: seen.extend(log.poll(100, 0.1, on_revoke)))
    return seen


def assigned(count: int) -> Callable[[list[Any]], bool]:
    return lambda seen: sum(isinstance(e, Assigned) for e in seen) >= count


def offsets_in(seen: list[Any], partition: Partition) -> list[int]:
    return [r.offset for e in seen if isinstance(e, Records) and e.partition == partition for r in e.records]


def owner(world: World, start: int = 0, **options: Any) -> KafkaLog:
    """A member that owns partition 0 and has started it."""
    log = world.log(**options)
    wait_for(log, assigned(1))
    log.start((world.events, 0), start)
    return log


def blob_of(log: KafkaLog, partition: Partition, pointer: Pointer | None) -> list[bytes | bytearray]:
    return [stored.blob for stored in log.read_state(partition, pointer) if stored is not None]


def alert(text: str) -> Out:
    return Out("alerts", b"key", text.encode(), (("h", b"1"), ("none", None)))


@contextmanager
def stopped(broker: Broker, seconds: float) -> Iterator[None]:
    """The broker process gets no processor time for a while; the block runs meanwhile."""
    broker.send(signal.SIGSTOP)
    timer = threading.Timer(seconds, broker.send, (signal.SIGCONT,))
    timer.start()
    try:
        yield
    finally:
        timer.join()
