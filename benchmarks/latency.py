"""From event to alert: a steady stream, the service as users run it, and a reader of committed alerts.

Three processes beside the broker: this one reads, one produces (`python -m benchmarks.latency JOB`), one is
`driftline run`. The same is measured without the service, to see what of it is the broker's.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import ROOT, percentile, spread
from benchmarks.rounds import ROLES
from benchmarks.sets import MODELS, PARTITIONS, create, delete

RATE = 5_000
SECONDS = 10
SPIKE_EVERY = 200  # events; each spike is one alert
SPIKE = 100.0
READY_WITHIN_S = 30.0
LAST_WITHIN_S = 5.0  # the last alert comes at most so long after the last event
SETTLED_AFTER = RATE // 2  # events whose spikes do not count: caches, connections and warm-ups
DEFAULT_COMMIT = "1s"
COMMITS = (DEFAULT_COMMIT, "100ms", "10ms")
"""`commit.interval` bounds from below what can be had: an alert is visible when its transaction is committed."""
CONFIG = """
version: 1
kafka: {{brokers: "{brokers}", group: "{run}"}}
topics:
  events: [{run}-events]
  alerts: {run}-alerts
  state: {run}-state
  heartbeats: {run}-heartbeats
  dead_letter: {run}-dead-letter
monitors:
  spike:
    signal: features.*
    detect: {{kind: page_hinkley, min_instances: 30, delta: 0.005, threshold: 20, alpha: 0.9999, raw: true}}
    keep_firing_for: 1ms
    resolve: faded
commit: {{interval: {commit}}}
server: {{listen: "127.0.0.1:0"}}
"""


def produce(brokers: str, topic: str, seconds: int) -> None:
    """RATE events a second, evenly; every SPIKE_EVERY-th has a feature far off, each time of the next model."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 5})
    rng, numbers = random.Random(1), np.random.default_rng(1).normal(0.0, 0.01, (1000, 10)).round(6)
    begin_s, sent = time.monotonic(), 0
    while sent < RATE * seconds:
        for number in range(sent, min(int((time.monotonic() - begin_s) * RATE), RATE * seconds)):
            spike = number % SPIKE_EVERY == SPIKE_EVERY - 1
            model = number // SPIKE_EVERY % MODELS if spike else rng.randrange(MODELS)
            features = numbers[number % 1000].tolist()
            if spike:
                features[0] = SPIKE
            record = {"model": f"model-{model}", "number": number, "time": time.time()}
            named = {f"f{i}": value for i, value in enumerate(features)}
            producer.produce(topic, json.dumps({**record, "features": named}).encode(), partition=model % PARTITIONS)
            sent = number + 1
        producer.poll(0)
        time.sleep(0.001)
    producer.flush(10)


SentOf = Callable[[dict[str, Any]], float | None]
"""When the event of a record was produced; None where the record does not count."""


def read_ms(brokers: str, topic: str, ready: Callable[[], None], sent_s: SentOf, job: dict[str, Any]) -> list[float]:
    """Produce, and meanwhile read: milliseconds from the time a record tells of to its receipt."""
    from confluent_kafka import OFFSET_END, Consumer, TopicPartition

    settings = {"bootstrap.servers": brokers, "group.id": f"{topic}-reader", "enable.auto.commit": False}
    consumer = Consumer({**settings, "isolation.level": "read_committed"})
    consumer.assign([TopicPartition(topic, p, OFFSET_END) for p in range(PARTITIONS)])
    consumer.poll(1.0)
    ready()
    producing = subprocess.Popen([sys.executable, "-m", "benchmarks.latency", json.dumps(job)], cwd=ROOT)
    found, last_s = [], time.monotonic()
    while producing.poll() is None or time.monotonic() - last_s < LAST_WITHIN_S:
        message = consumer.poll(0.1)
        now_s = time.time()
        if message is None or message.error() is not None:
            continue
        last_s = time.monotonic()
        when_s = sent_s(json.loads(message.value()))
        if when_s is not None:
            found.append((now_s - when_s) * 1000)
    consumer.close()
    if producing.returncode:
        raise SystemExit("the producer of the latency test failed")
    return found


def sent_of_event(event: dict[str, Any]) -> float | None:
    return event["time"] if event["number"] >= SETTLED_AFTER else None


def alert_reader(begin: list[float]) -> SentOf:
    """The time of the event that triggered an alert, where it comes after the settling of the stream."""

    def sent_s(record: dict[str, Any]) -> float | None:
        data = record["data"]
        if "trigger" not in data:
            return None  # An incident.
        when_s = datetime.fromisoformat(data["trigger"]["time"]).timestamp()
        if not begin:
            begin.append(when_s)
        return when_s if data["status"] == "firing" and when_s - begin[0] >= SETTLED_AFTER / RATE else None

    return sent_s


@contextlib.contextmanager
def service(brokers: str, run: str, commit: str) -> Iterator[Callable[[], None]]:
    """`driftline run`; the value waits until it owns every partition."""
    with tempfile.TemporaryDirectory() as folder:
        config, log = Path(folder, "driftline.yaml"), Path(folder, "service.log")
        config.write_text(CONFIG.format(brokers=brokers, run=run, commit=commit))
        with log.open("wb") as out:
            command = [sys.executable, "-m", "streamer", "run", "-c", str(config)]
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)

        def ready() -> None:
            deadline_s = time.monotonic() + READY_WITHIN_S
            while log.read_text().count("partition_ready") < PARTITIONS:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise SystemExit(f"the service did not become ready:\n{log.read_text()[-2000:]}")
                time.sleep(0.05)

        try:
            yield ready
        finally:
            process.terminate()
            process.wait(20)


def figures(name: str, found: list[float], wanted: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row, and what goes to the ratios. Losing measurements would flatter the percentiles."""
    if len(found) < 0.9 * wanted:
        raise SystemExit(f"latency, {name}: {len(found)} of {wanted} records came back")
    p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
    row = {"what": name, "records": len(found), "p50_ms": p50, "p99_ms": p99, "max_ms": max(found)}
    return row, {f"{name}_p50": spread([p50]), f"{name}_p99": spread([p99])}


def measure(brokers: str, quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Per commit interval, and the broker alone."""
    seconds = 3 if quick else SECONDS
    rows, ratios = [], {}
    for commit in (None, *COMMITS):
        run = f"{os.getpid()}-latency-{commit or 'broker'}"
        topics = [f"{run}-events", *(f"{run}-{role}" for role in ROLES)]
        create(brokers, topics)
        job = {"brokers": brokers, "topic": topics[0], "seconds": seconds}
        if commit is None:
            name, wanted = "broker_latency_ms", RATE * seconds - SETTLED_AFTER
            found = read_ms(brokers, topics[0], lambda: None, sent_of_event, job)
        else:
            name, wanted = f"alert_latency_ms_commit_{commit}", (RATE * seconds - SETTLED_AFTER) // SPIKE_EVERY
            with service(brokers, run, commit) as ready:
                found = read_ms(brokers, topics[1], ready, alert_reader([]), job)
        row, spreads = figures(name, found, wanted)
        rows.append(row)
        ratios |= spreads
        if commit == DEFAULT_COMMIT:
            ratios["alert_latency_ms"] = {**spread(found), "p99": row["p99_ms"], "commit_interval": commit}
        delete(brokers, topics)
    return rows, ratios


if __name__ == "__main__":
    produce(**json.loads(sys.argv[1]))
