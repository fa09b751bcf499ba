"""The contestants, one per process: raw consume, two scripts with river, and Driftline itself.

All of them read the same topics with the same fetch buffers, and their clocks start before the first fetch: imports
and connections are nobody's merit.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from benchmarks import shipped
from benchmarks.consume import assign, connect, step
from benchmarks.measure import Alarm, Clock, Job, hand_in, job_from_arguments
from benchmarks.ordered import ordered
from benchmarks.sets import ORDERED
from benchmarks.untimed import Untimed

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


def raw(job: Job) -> None:
    """What the client library costs by itself."""
    consumer, seen = connect(job), 0
    untimed = Untimed(job, consumer)
    clock = Clock()
    assign(consumer, job)
    while seen < job.events:
        messages = consumer.consume(500, 0.1)
        seen += sum(m.error() is None and m.value() is not None for m in messages)
        if untimed.open and any(step(untimed, consumer, message) for message in messages):
            clock = untimed.start(consumer, seen)
    hand_in(job, clock.figures(seen), 0, 0, [])


def obvious(job: Job) -> None:
    """The first script: one message at a time, the standard library's JSON, river objects in a dict."""
    from river import drift

    consumer, seen, skipped = connect(job), 0, 0
    detectors: dict[tuple[str, str], tuple[Any, Any]] = {}
    alarms: list[Alarm] = []
    untimed = Untimed(job, consumer)
    clock = Clock()
    assign(consumer, job)
    while seen < job.events:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        if untimed.open and step(untimed, consumer, message):
            clock = untimed.start(consumer, seen)
        seen += 1
        try:
            record = json.loads(message.value())
            model, features = record["model"], record["features"]
        except (ValueError, TypeError, KeyError):
            skipped += 1
            continue
        for name, value in features.items():
            if (model, name) not in detectors:
                detectors[model, name] = (drift.ADWIN(), drift.PageHinkley())
            adwin, page_hinkley = detectors[model, name]
            adwin.update(value)
            if adwin.drift_detected:
                alarms.append((model, name, "adwin", message.partition(), message.offset()))
            page_hinkley.update(value)
            if page_hinkley.drift_detected:
                alarms.append((model, name, "page_hinkley", message.partition(), message.offset()))
    hand_in(job, clock.figures(seen), len(detectors), skipped, alarms)


def tuned(job: Job) -> None:
    """What a good engineer makes of it in an afternoon: batches, orjson, no lookup twice."""
    import orjson
    from river import drift

    consumer, seen, skipped = connect(job), 0, 0
    detectors: dict[tuple[str, str], tuple[Any, Any]] = {}
    alarms: list[Alarm] = []
    loads, get, adwin_of, page_hinkley_of = orjson.loads, detectors.get, drift.ADWIN, drift.PageHinkley
    untimed = Untimed(job, consumer)
    clock = Clock()
    assign(consumer, job)
    while seen < job.events:
        for message in consumer.consume(500, 0.1):
            if message.error() is not None:
                continue
            if untimed.open and step(untimed, consumer, message):
                clock = untimed.start(consumer, seen)
            seen += 1
            try:
                record = loads(message.value())
                model, features = record["model"], record["features"]
            except (ValueError, TypeError, KeyError):
                skipped += 1
                continue
            for name, value in features.items():
                key = (model, name)
                pair = get(key)
                if pair is None:
                    pair = detectors[key] = (adwin_of(), page_hinkley_of())
                adwin, page_hinkley = pair
                adwin.update(value)
                page_hinkley.update(value)
                if adwin.drift_detected:
                    alarms.append((*key, "adwin", message.partition(), message.offset()))
                if page_hinkley.drift_detected:
                    alarms.append((*key, "page_hinkley", message.partition(), message.offset()))
    hand_in(job, clock.figures(seen), len(detectors), skipped, alarms)


def ours(job: Job) -> None:
    """The product's own loop: group member, exactly-once commits, snapshots when due, alerts, dead letters.

    The clock starts when the first partition is about to be fetched, and stops when all that was found is committed.
    What a stop of the service costs on top (a snapshot of everything) is a figure of its own.
    """
    from streamer.config.load import load_text
    from streamer.engine.tasks import Tasks
    from streamer.kafka.log import KafkaLog
    from streamer.service.json_logs import CoordinatorWatch
    from streamer.service.memory import settle_memory
    from streamer.service.run import wall_ms
    from streamer.service.worker import Worker

    config = load_text(config_text(job), "bench.yaml", {})
    started: list[Clock] = []

    def notify(event: str, *where: object, **fields: object) -> None:
        if event == "partition_ready" and not started:
            started.append(Clock())

    untimed = Untimed(job, connect(job))
    log = KafkaLog(config, logging.getLogger("bench"), CoordinatorWatch())
    worker = Worker(config, Tasks(config), log, time.monotonic, wall_ms, notify, ThreadPoolExecutor(1))
    settle_memory()
    seen, moved_s = 0, time.monotonic()
    while seen < job.events:
        worker.step(0.1)
        before, seen = seen, sum(owned.task.position for owned in worker.owned.values())
        places = [(place, owned.task.position) for place, owned in worker.owned.items()]
        if untimed.open and any([untimed.reached(log._consumer, *place) for place in places]):
            assert worker.commit(), "a commit did not land"  # What was found before the clock starts is not timed.
            started.append(untimed.start(log._consumer, seen))
        moved_s = time.monotonic() if seen != before else moved_s
        if time.monotonic() - moved_s > STALLED_S:
            raise SystemExit(f"stalled at {seen} of {job.events} events; positions: {places}")
    assert worker.commit(), "the last commit did not land"
    figures = started[-1].figures(seen)
    drain_s = time.process_time()
    assert worker.drain()
    figures["drain_cpu_ms"] = (time.process_time() - drain_s) * 1000
    log.close()
    alarms = alarms_of(published(job, f"{job.run}-alerts"))
    skipped = sum(1 for _ in published(job, f"{job.run}-dead-letter"))
    hand_in(job, figures, 0, skipped, alarms)


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


CONTESTANTS = {
    # By `Case.detectors`: the scripts are others where values are standardised, so that neither pays for the other.
    "river": {"raw": raw, "obvious": obvious, "tuned": tuned, "ours": ours, "ours_pure": ours, ORDERED: ordered},
    "shipped": {
        "raw": raw,
        "obvious": shipped.obvious,
        "tuned": shipped.tuned,
        "ours": ours,
        "ours_pure": ours,
        ORDERED: ordered,
    },
}

if __name__ == "__main__":
    the_job = job_from_arguments()
    CONTESTANTS[the_job.detectors][the_job.contestant](the_job)
