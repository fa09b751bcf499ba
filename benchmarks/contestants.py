"""The contestants of the benchmark, one per process: NAME BROKERS TOPIC EVENTS RUN; prints one JSON line."""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.bench import PARTITIONS, alarms_hash

CONFIG = """
version: 1
kafka: {{brokers: "{brokers}", group: "bench-{run}"}}
topics: {{events: [{topic}], alerts: alerts-{run}, state: state-{run}, dead_letter: dead-letter-{run}}}
monitors:
  adwin: {{signal: features.*, detect: {{kind: adwin, delta: 0.002, raw: true}}, keep_firing_for: 1ms}}
  page_hinkley:
    signal: features.*
    detect: {{kind: page_hinkley, min_instances: 30, delta: 0.005, threshold: 50, alpha: 0.9999, raw: true}}
    keep_firing_for: 1ms
server: {{listen: "127.0.0.1:0"}}
"""


class Clock:
    """CPU of the whole process and wall time, from the first event to the last."""

    def __init__(self) -> None:
        self.cpu_s, self.wall_s = time.process_time(), time.perf_counter()

    def result(self, events: int, series: int, alarms: list[list[Any]]) -> str:
        cpu_s, wall_s = time.process_time() - self.cpu_s, time.perf_counter() - self.wall_s
        return json.dumps(
            {
                "cpu_us_per_event": cpu_s / events * 1e6,
                "wall_events_per_s": events / wall_s,
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "series": series,
                "alarms": len(alarms),
                "alarms_hash": alarms_hash(alarms),
            }
        )


def consumer(brokers: str, topic: str) -> Any:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    settings = {
        "bootstrap.servers": brokers,
        "group.id": "bench-plain",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "queued.max.messages.kbytes": 65536,
    }
    made = Consumer(settings)
    made.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    return made


def raw(brokers: str, topic: str, events: int, run: str) -> str:
    source, seen, clock = consumer(brokers, topic), 0, Clock()
    while seen < events:
        seen += sum(m.error() is None and m.value() is not None for m in source.consume(500, 0.1))
    return clock.result(events, 0, [])


def plain(brokers: str, topic: str, events: int, run: str) -> str:
    """The script a good engineer writes in an afternoon: consume in batches, orjson, one river object per series."""
    import orjson
    from river import drift

    source, seen = consumer(brokers, topic), 0
    detectors: dict[tuple[str, str], tuple[Any, Any]] = {}
    alarms: list[list[Any]] = []
    clock = Clock()
    while seen < events:
        for message in source.consume(500, 0.1):
            record = orjson.loads(message.value())
            seen += 1
            for name, value in record["features"].items():
                key = (record["model"], name)
                if key not in detectors:
                    detectors[key] = (drift.ADWIN(), drift.PageHinkley())
                adwin, page_hinkley = detectors[key]
                adwin.update(value)
                page_hinkley.update(value)
                for kind, detector in (("adwin", adwin), ("page_hinkley", page_hinkley)):
                    if detector.drift_detected:
                        alarms.append([*key, kind, message.partition(), message.offset()])
    return clock.result(events, len(detectors), alarms)


def driftline(brokers: str, topic: str, events: int, run: str) -> str:
    """The product's own loop: group member, exactly-once commits, snapshots, alerts, accounting."""
    from confluent_kafka.admin import AdminClient, NewTopic

    from streamer.config_load import load_text
    from streamer.kafka import KafkaLog
    from streamer.logs import CoordinatorWatch
    from streamer.service import fields_of
    from streamer.worker import Worker

    admin = AdminClient({"bootstrap.servers": brokers})
    topics = [NewTopic(f"{role}-{run}", PARTITIONS, 1) for role in ("alerts", "state", "dead-letter")]
    for future in admin.create_topics(topics).values():
        future.result(30)
    config = load_text(CONFIG.format(brokers=brokers, topic=topic, run=run), "bench.yaml", {})
    log = KafkaLog(config, logging.getLogger("bench"), CoordinatorWatch())
    worker = Worker(config, fields_of(config), log, time.monotonic, lambda *a, **k: None)
    while len(worker.owned) < PARTITIONS:
        worker.step(0.1)
    before = sum(sum(o.task.admission.counts.values()) for o in worker.owned.values())
    clock = Clock()
    while sum(sum(o.task.admission.counts.values()) for o in worker.owned.values()) < events:
        worker.step(0.1)
    worker.drain()
    series = sum(len(t.keys) for o in worker.owned.values() for t in o.task.tables.values())
    result = json.loads(clock.result(events - before, series, []))
    log.close()
    alarms = [alarm for alarm in published(brokers, f"alerts-{run}") if alarm]
    return json.dumps({**result, "alarms": len(alarms), "alarms_hash": alarms_hash(alarms)})


def published(brokers: str, topic: str) -> list[list[Any]]:
    """The alarms as a read_committed consumer finds them in the alerts topic."""
    source, alarms, idle = consumer(brokers, topic), [], 0
    while idle < 20:
        message = source.poll(0.1)
        idle = idle + 1 if message is None else 0
        if message is not None and message.error() is None:
            data = json.loads(message.value())["data"]
            if data["status"] == "firing":
                labels, at = data["alert"]["labels"], data["trigger"]
                name = labels["signal"].removeprefix("features.")
                alarms.append([labels["model"], name, labels["detector"], at["partition"], at["offset"]])
    return alarms


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    brokers, topic, events, run = rest
    print({"raw": raw, "plain": plain, "driftline": driftline}[name](brokers, topic, int(events), run))
