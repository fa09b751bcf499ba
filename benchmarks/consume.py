"""How the scripts consume: the plain client library, every partition from its beginning."""

from __future__ import annotations

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from benchmarks.measure import Job
from benchmarks.untimed import Untimed


def connect(job: Job) -> Consumer:
    consumer = Consumer(
        {
            "bootstrap.servers": job.brokers,
            "group.id": job.run,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            **job.client,
        }
    )
    for topic in job.topics:
        consumer.list_topics(topic, 30)
    return consumer


def assign(consumer: Consumer, job: Job) -> None:
    """From here on the library fetches, so the clock runs already."""
    places = [TopicPartition(t, p, OFFSET_BEGINNING) for t in job.topics for p in range(job.partitions)]
    consumer.assign(places)


def step(untimed: Untimed, consumer: Consumer, message: Message) -> bool:
    """Whether the clock starts behind this message."""
    return not message.error() and untimed.reached(
        consumer, (message.topic() or "", message.partition() or 0), (message.offset() or 0) + 1
    )
