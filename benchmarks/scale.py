"""How far one process reaches and what several share: `make bench-scale`; the sizing of deploy/README.md is of it.

Two parts. Without Kafka: up to a million series of many models, what they take in memory, how long a snapshot and a
restore take, what an event costs among them. On a broker: the least config on a topic of 12 partitions by 1, 2 and 3
processes, read by partition and in the order of models: CPU per event of all of them together, for if the processors
of one machine are few the wall tells of the machine only; bytes written to Kafka.

`python -m benchmarks.scale JOB` is one of the fresh processes of the first part.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench import environment, say
from benchmarks.measure import ROOT, memory_mb
from benchmarks.rounds import child
from benchmarks.sets import create, delete
from benchmarks.standard import LEAST, event
from schemas.events.batch import Record

SHAPES = ((10, 10), (100, 10), (1_000, 10), (10_000, 10), (10_000, 100))
"""Models and numbers a model; the warm-up is short, so that a minute makes all series."""
TWO = (
    LEAST + "reference: {warmup: 30}\nlimits: {series: 1000000}\nmonitors:\n"
    "  mean: {signal: features.*, detect: {kind: adwin}}\n  jump: {signal: features.*, detect: {kind: page_hinkley}}\n"
)
PER_MODEL, BATCH = 40, 2_000
PARTITIONS, EVENTS, MODELS = 12, 240_000, 60
WAIT_S = 900.0
ROLES = ("in", "alerts", "state", "heartbeats", "dead-letter", "ordered")


def records_of(models: int, features: int) -> Iterator[list[Record]]:
    """Events of all models in turn."""
    rng, names = random.Random(1), [f"f{i}" for i in range(features)]
    total = models * PER_MODEL
    for begin in range(0, total, BATCH):
        records = []
        for number in range(begin, min(begin + BATCH, total)):
            numbers = {name: round(rng.gauss(0, 1), 4) for name in names}
            value = {"model": f"m{number % models}", "time": 1_700_000_000 + number / 100, "features": numbers}
            records.append(Record(number, -1, None, json.dumps(value).encode()))
        yield records


def series(models: int, features: int) -> dict[str, Any]:
    """Two detectors on every number of every model."""
    from schemas.events.decoder import Decoder
    from streamer.config.decoder_fields import fields_of
    from streamer.config.load import load_text
    from streamer.engine.task import Task

    config = load_text(TWO, "scale.yaml", {})
    decode = Decoder(fields_of(config))
    gc.collect()
    before_mb = memory_mb("VmRSS")
    task, cpu_s, late, last = Task(config, ("events", 0), 0), 0.0, 0, models * PER_MODEL * 3 // 4
    for records in records_of(models, features):
        batch = decode(records, "events")
        begin_s = time.process_time()
        task.step(batch)
        task.published()
        if batch.offsets.item(-1) >= last:
            cpu_s, late = cpu_s + time.process_time() - begin_s, late + len(batch.offsets)
    grown_mb = memory_mb("VmRSS") - before_mb
    one_s = time.perf_counter()
    blob = task.dump()
    two_s = time.perf_counter()
    Task.load(config, ("events", 0), blob)
    return {
        "series": models * features,
        "models": models,
        "task_us_per_event": cpu_s / max(late, 1) * 1e6,
        "memory_mb": grown_mb,
        "snapshot_mb": len(blob) / 1e6,
        "snapshot_s": two_s - one_s,
        "restore_s": time.perf_counter() - two_s,
    }


def of_series(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for models, features in SHAPES[: 2 if quick else None]:
        rows.append(child([sys.executable, "-m", "benchmarks.scale"], {"models": models, "features": features}))
        say(f"scale: {rows[-1]}")
    return rows


def produce(brokers: str, topic: str, events: int) -> int:
    """Events as the standard set wants them, keyed by model; the bytes of all."""
    from confluent_kafka import Producer

    producer, rng, size = Producer({"bootstrap.servers": brokers, "linger.ms": 20}), random.Random(1), 0
    for number in range(events):
        model = number % MODELS
        value = event(rng, 10, number).replace(b'"fraud"', b'"model-%d"' % model)
        producer.produce(topic, value, partition=model % PARTITIONS, timestamp=1_700_000_000_000 + number * 10)
        size += len(value)
        if number % 500 == 0:
            producer.poll(0)
    producer.flush()
    return size


def shared(brokers: str, run: str, order: str, processes: int, events: int) -> dict[str, Any]:
    """So many services of one group over the topic, from its begin to its end."""
    names = {role: f"{run}-{order}-{processes}-{role}" for role in ROLES} | {"in": f"{run}-in"}
    create(brokers, [name for role, name in names.items() if role != "in"], PARTITIONS)
    group = f"{run}-{order}-{processes}"
    text = LEAST.replace('"none:1"', f'"{brokers}", group: {group}, order: {order}').replace(
        "[events]",
        f"[{names['in']}], alerts: {names['alerts']}, state: {names['state']}, heartbeats: {names['heartbeats']},"
        f" dead_letter: {names['dead-letter']}" + (f", ordered: {names['ordered']}" if order == "model" else ""),
    )
    last = (f"{group}-ordered", names["ordered"]) if order == "model" else (group, names["in"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "driftline.yaml")
        path.write_text(text + 'server: {listen: "127.0.0.1:0"}\n')
        command = [sys.executable, "-m", "streamer", "run", "-c", str(path)]
        begin_s = time.perf_counter()
        with Path(folder, "log").open("wb") as log:
            services = [subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) for _ in range(processes)]
        wait_read(brokers, group, names["in"])
        wait_read(brokers, *last)
        wall_s = time.perf_counter() - begin_s
        for service in services:
            service.terminate()
        used = [os.wait4(service.pid, 0)[2] for service in services]
    written = {role: size_of(brokers, names[role]) for role in ROLES if role != "in"}
    delete(brokers, [name for role, name in names.items() if role != "in"])
    return {
        "order": order,
        "processes": processes,
        "cpu_us_per_event": sum(one.ru_utime + one.ru_stime for one in used) / events * 1e6,
        "events_per_s": events / wall_s,
        "peak_mb_each": max(one.ru_maxrss for one in used) / 1024,
        **{f"{role}_bytes_per_event": size / events for role, size in written.items() if size},
    }


def wait_read(brokers: str, group: str, topic: str) -> None:
    """Until a group has committed the end of every partition, or of those that have any records."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "isolation.level": "read_committed"})
    partitions, end_s = [TopicPartition(topic, number) for number in range(PARTITIONS)], time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        at = {one.partition: one.offset for one in consumer.committed(partitions, timeout=30)}
        ends = {one.partition: consumer.get_watermark_offsets(one, timeout=30)[1] for one in partitions}
        if all(at[number] >= end for number, end in ends.items() if end):
            consumer.close()
            return
        time.sleep(0.2)
    raise SystemExit(f"{group} does not reach the end of {topic}")


def size_of(brokers: str, topic: str) -> int:
    """Bytes of keys and values of all committed records, before compression."""
    from tests.kafka.service import read_all

    return sum(len(one.key() or b"") + len(one.value() or b"") for one in read_all(brokers, topic, PARTITIONS))


def table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "| " + " | ".join(["---"] * len(names)) + " |"]
    for row in rows:
        cells = (row.get(name, "") for name in names)
        shown = (
            f"{cell:,.3g}"
            if isinstance(cell, float) and cell < 1000
            else f"{cell:,.0f}"
            if cell != "" and not isinstance(cell, str)
            else str(cell)
            for cell in cells
        )
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", help="bootstrap address; without it Apache Kafka is started from its jars")
    parser.add_argument("--events", type=int, default=EVENTS, help="of the topic of 12 partitions; few = quick")
    options = parser.parse_args()
    from tests.broker.broker import running_broker

    quick = options.events < EVENTS // 10
    rows = of_series(quick)
    with contextlib.ExitStack() as stack:
        brokers, run, shares = stack.enter_context(running_broker(options.kafka)), f"{os.getpid()}-scale", []
        create(brokers, [f"{run}-in"], PARTITIONS)
        size = produce(brokers, f"{run}-in", options.events)
        for order in ("topic", "model"):
            for processes in (1, 2, 3):
                shares.append(shared(brokers, run, order, processes, options.events))
                say(f"scale: {shares[-1]}")
    report = {
        "environment": environment(),
        "series": rows,
        "shared": shares,
        "json_bytes_per_event": size / options.events,
    }
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench-scale.json").write_text(json.dumps(report, indent=2) + "\n")
    print(table(rows), table(shares), f"An event has {size / options.events:.0f} bytes of JSON.", sep="\n\n")


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(series(**json.loads(sys.argv[1]))))
    else:
        main()
