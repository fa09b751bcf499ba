"""What Driftline itself is given in a benchmark, and what is found in its topics afterwards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from benchmarks.measure import Alarm, Job
from benchmarks.sets import ORDERED

STALLED_S = 20.0
CONFIG = """
version: 1
kafka: {{brokers: "{brokers}", group: "{run}", client: {client}{order}}}
topics:
  events: {topics}
  alerts: {run}-alerts
  state: {run}-state
  heartbeats: {run}-heartbeats
  dead_letter: {run}-dead-letter{ordered}
monitors:{monitors}
limits: {{series: 1000000{lateness}}}
server: {{listen: "127.0.0.1:0"}}
"""
ORDER = {"order": ", order: model", "ordered": "\n  ordered: {run}-ordered", "lateness": ", lateness: 30d"}
"""What is more where events are put in order: partitions of a topic that is full are read minutes apart."""
MONITORS = {
    # River's defaults on the values as they are.
    "river": """
  adwin: {signal: features.*, detect: {kind: adwin, delta: 0.002, raw: true}, keep_firing_for: 1ms, resolve: faded}
  page_hinkley:
    signal: features.*
    detect: {kind: page_hinkley, min_instances: 30, delta: 0.005, threshold: 50, alpha: 0.9999, raw: true}
    keep_firing_for: 1ms
    resolve: faded""",
    # What a user gets who sets nothing: see `shipped.py` for what that amounts to.
    "shipped": """
  adwin: {signal: features.*, detect: {kind: adwin}, keep_firing_for: 1ms, resolve: faded}
  page_hinkley: {signal: features.*, detect: {kind: page_hinkley}, keep_firing_for: 1ms, resolve: faded}""",
}
"""By `Case.detectors`; alerts so short that every alarm is one: over by time, not when the values are back."""


def config_text(job: Job) -> str:
    topics, client = json.dumps(list(job.topics)), json.dumps(job.client)
    order = ORDER if job.contestant == ORDERED else dict.fromkeys(ORDER, "")
    more = {name: text.format(run=job.run) for name, text in order.items()}
    given = {"brokers": job.brokers, "run": job.run, "topics": topics, "client": client}
    return CONFIG.format(**given, monitors=MONITORS[job.detectors], **more)


def published(job: Job, topic: str) -> Iterator[bytes]:
    """The values of a topic, as any read_committed consumer finds them."""
    settings = {"bootstrap.servers": job.brokers, "group.id": f"{job.run}-reader", "enable.partition.eof": True}
    consumer = Consumer({**settings, "isolation.level": "read_committed", "enable.auto.commit": False})
    partitions = range(len(consumer.list_topics(topic, 30).topics[topic].partitions))
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    ended: set[int] = set()
    while len(ended) < len(partitions):
        for message in consumer.consume(1000, 0.1):
            error = message.error()
            if error is None:
                yield message.value() or b""
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()


def alarms_of(values: Iterable[bytes]) -> list[Alarm]:
    """One for each alert that fires. The whole topic was there before the service: an alert that still fires where that
    ends is told once more, as it is, and is one alarm all the same. Incidents are none.
    """
    fired, told_again = Counter[Alarm](), Counter[Alarm]()
    for value in values:
        data = json.loads(value)["data"]
        if "alert" not in data:
            continue
        labels, at = data["alert"]["labels"], data["trigger"]
        name = labels["signal"].removeprefix("features.")
        alarm = labels["model"], name, labels["detector"], at["partition"], at["offset"]
        if data["status"] == "firing":
            fired[alarm] += 1
        elif data["resolution"]["how"] == "current":
            told_again[alarm] += 1
    return list((fired - told_again).elements())
