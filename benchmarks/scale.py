"""How far one process reaches and what several share: `make bench-scale`; the sizing of deploy/README.md is of it.

Two parts. Without Kafka: up to a million series of many models, what they take in memory, for how long a snapshot stops
the loop (`copy_ms`) and works beside it, what the next one writes when a share of the models has had events, how long a
restore takes, what an event costs among them; the same of ten million inferences that wait for a label. Times are those
of the processor. What `kafka.order_by` does for a model with 80 % of the traffic (`hot.py`). On a broker: the least
config on a topic of 12 partitions by 1, 2 and 3 processes, read by partition and in the order of models: CPU per event
of all of them together, for if the processors of one machine are few the wall tells of the machine only; bytes written
to Kafka.

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench import environment, say
from benchmarks.measure import ROOT, memory_mb
from benchmarks.rounds import child
from benchmarks.sets import create, delete
from benchmarks.standard import LEAST, event
from schemas.events.batch import Record

SHAPES = ((10, 10), (100, 10), (1_000, 10), (10_000, 10), (10_000, 100))
SHARES = 0.01, 0.1, 1.0
"""Of the models, spread evenly: who has events between one snapshot and the next."""
OPEN, WAITING, CHURN = 10_000_000, 20_000, (0.01, 0.1, 0.1, 0.1, 1.0)
"""Inferences that wait, how many come at once, and which shares of them one after the other end, while others begin."""
DAY_MS, BEGIN_MS = 86_400_000, 1_700_000_000_000
"""Models and numbers a model; the warm-up is short, so that a minute makes all series."""
TWO = (
    LEAST + "reference: {warmup: 30}\nlimits: {series: 1000000}\nmonitors:\n"
    "  mean: {signal: features.*, detect: {kind: adwin}}\n  jump: {signal: features.*, detect: {kind: page_hinkley}}\n"
)
PER_MODEL, BATCH = 40, 2_000
PARTITIONS, EVENTS, MODELS = 12, 240_000, 60
WAIT_S = 900.0
ROLES = ("in", "alerts", "state", "heartbeats", "dead-letter", "ordered")


def records_of(
    models: int, features: int, first: int = 0, each: int = PER_MODEL, every: int = 1
) -> Iterator[list[Record]]:
    """Events of all models in turn, so many of each, or of every so many of them; from an offset on."""
    rng, names = random.Random(1), [f"f{i}" for i in range(features)]
    some = range(0, models, every)
    total = len(some) * each
    for begin in range(0, total, BATCH):
        records = []
        for number in range(begin, min(begin + BATCH, total)):
            numbers = {name: round(rng.gauss(0, 1), 4) for name in names}
            model, at = some[number % len(some)], first + number
            value = {"model": f"m{model}", "time": 1_700_000_000 + at / 100, "features": numbers}
            records.append(Record(at, -1, None, json.dumps(value).encode()))
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
    row = {
        "series": models * features,
        "models": models,
        "task_us_per_event": cpu_s / max(late, 1) * 1e6,
        "memory_mb": memory_mb("VmRSS") - before_mb,
    }
    topic, begin_s = Topic(), time.process_time()
    topic.write(task.state())
    row |= {"snapshot_mb": topic.size / 1e6, "first_written_mb": topic.written / 1e6, "copy_ms": topic.copied(begin_s)}
    for share in SHARES:
        for records in records_of(models, features, task.position, 2, round(1 / share)):
            task.step(decode(records, "events"))
            task.published()
        topic.write(task.state())
        row[f"next_mb_of_{share:.0%}"] = topic.written / 1e6
    row |= {"beside_s": topic.seconds, "restore_s": topic.restored(lambda blob: Task.load(config, ("events", 0), blob))}
    return row


class Topic:
    """A state topic in memory: what a snapshot after another writes, and how long that takes beside the loop. Unless
    it `keeps` what is written it only counts that.
    """

    def __init__(self, keeps: bool = True) -> None:
        self.keeps = keeps
        self.kept: tuple[Any, ...] = ()
        self.there: dict[int, bytes] = {}
        self.end, self.size, self.written, self.began_s, self.seconds = 0, 0, 0, 0.0, 0.0

    def write(self, state: dict[str, Any]) -> None:
        from streamer.kafka import manifest
        from streamer.kafka.parts import kept_of
        from streamer.service.snapshots import written

        self.began_s = time.process_time()
        made = written(self.kept, False, state)
        self.seconds = time.process_time() - self.began_s
        if isinstance(made, bytes):
            self.manifest, self.size, self.written = made, len(made), len(made)
            return
        offsets = tuple(range(self.end, self.end + len(made.fresh)))
        self.there |= zip(offsets, (data if self.keeps else b"" for _, data in made.fresh), strict=True)
        self.end += len(offsets)
        self.manifest = manifest.encode(made, offsets)
        self.size, self.written = made.size, sum(len(data) for _, data in made.fresh) + len(self.manifest)
        self.kept = (kept_of(made, offsets, ""),)
        self.there = {offset: self.there[offset] for offset in self.kept[0].parts.offsets.tolist()}

    def copied(self, begin_s: float) -> float:
        """For so many milliseconds the loop stands still, from then on until it could be written."""
        return (self.began_s - begin_s) * 1000

    def restored(self, load: Callable[[Any], object]) -> float:
        """Seconds from the records to a state that lives."""
        from streamer.kafka import manifest
        from streamer.kafka.parts import found_again
        from streamer.service.restore import uncollected

        begin_s, blob = time.process_time(), bytearray(self.manifest)
        if self.kept:
            found, blob = manifest.decode(self.manifest), bytearray()
            offsets = found.parts.offsets.tolist()
            for part, begin, size in found.extents.tolist():
                blob += memoryview(self.there[offsets[part]])[begin : begin + size]
            found_again(found, blob, "")
        with uncollected():
            load(blob)
        return time.process_time() - begin_s


def inferences(count: int) -> dict[str, Any]:
    """Inferences that wait for their labels, in the store that they wait in: as many as may wait, and between two
    snapshots a share of them ends and as many begin.
    """
    import numpy as np

    from schemas.events.batch import Batch, Nulls, Numbers, Texts
    from streamer.engine.engines import ENGINE
    from streamer.engine.snapshot import decode
    from streamer.series.labels import Labels
    from streamer.service.memory import give_back, settle_memory

    rng, none, empty = np.random.default_rng(1), np.full(WAITING, -1, np.int32), np.zeros(0, np.int32)
    event, zeros = np.arange(WAITING, dtype=np.int32), np.zeros(WAITING, np.int32)
    labels = Labels(30 * DAY_MS, count, (), 1, ENGINE.table.grouping)

    def waits(more: int, at_ms: int) -> None:
        for begin in range(0, more, WAITING):
            ids, times_ms = rng.integers(1, 1 << 62, WAITING).astype(np.uint64), np.full(WAITING, at_ms + begin)
            said = Numbers(event, zeros + 1, rng.random(WAITING)), Texts(event, zeros, event % 2 + 1)
            names, texts = ("prediction.label", "prediction.confidence"), ("m", "x", "y")
            own = event.astype(np.int64), times_ms, zeros, none, ids, names, texts
            labels.take(Batch(*own, *said, Nulls(empty, empty), (), WAITING), np.ones(WAITING, bool), times_ms)

    settle_memory()
    Topic().write({"labels": labels.dump()})  # What is imported is not of the store.
    before_mb = memory_mb("VmRSS")
    waits(count, BEGIN_MS)
    row: dict[str, Any] = {"open": count, "bytes_each": labels.waiting.held_bytes / count}
    topic = Topic(keeps=False)
    topic.write({"labels": labels.dump()})
    give_back(topic.size)
    row |= {
        "snapshot_mb": topic.size / 1e6,
        "first_written_mb": topic.written / 1e6,
        "first_peak_mb": memory_mb() - before_mb,
    }
    for share in CHURN:
        waits(round(count * share), BEGIN_MS + count)
        begin_s = time.process_time()
        topic.write({"labels": labels.dump()})
        give_back(topic.size)
        row[f"next_mb_of_{share:.0%}"] = topic.written / 1e6
    index = (*topic.kept[0].blocks, *topic.kept[0].parts)
    row |= {"of_index_each": sum(array.nbytes for array in index) / count, "copy_ms": topic.copied(begin_s)}
    row |= {"memory_mb": memory_mb("VmRSS") - before_mb, "beside_s": topic.seconds}
    row["memory_each"] = row["memory_mb"] * (1 << 20) / count
    last = Topic()
    last.write({"labels": labels.dump()})
    again = Labels(30 * DAY_MS, count, (), 1, ENGINE.table.grouping)
    return row | {"restore_s": last.restored(lambda blob: again.load(decode(blob)["labels"]))}


def of_series(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for models, features in SHAPES[: 2 if quick else None]:
        rows.append(child([sys.executable, "-m", "benchmarks.scale"], {"models": models, "features": features}))
        say(f"scale: {rows[-1]}")
    return rows


def of_inferences(quick: bool) -> dict[str, Any]:
    row = child([sys.executable, "-m", "benchmarks.scale"], {"count": OPEN // (100 if quick else 1)})
    say(f"scale: {row}")
    return row


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
        wait_read(brokers, *last, behind=processes * (order == "model"))
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


def wait_read(brokers: str, group: str, topic: str, behind: int = 0) -> None:
    """Until a group has committed the end of every partition, or of those that have any records. `behind`: what ends
    the transactions of as many processes may stand behind the last record of the ordered log, and nobody commits it.
    """
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "isolation.level": "read_committed"})
    partitions, end_s = [TopicPartition(topic, number) for number in range(PARTITIONS)], time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        at = {one.partition: one.offset for one in consumer.committed(partitions, timeout=30)}
        ends = {one.partition: consumer.get_watermark_offsets(one, timeout=30)[1] for one in partitions}
        if all(at[number] >= end - behind for number, end in ends.items() if end):
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
    from benchmarks import hot
    from tests.broker.broker import running_broker

    quick = options.events < EVENTS // 10
    rows, waiting = of_series(quick), of_inferences(quick)
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
        "inferences": waiting,
        "shared": shares,
        "hot": (shared_out := hot.rows()),
        "json_bytes_per_event": size / options.events,
    }
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench-scale.json").write_text(json.dumps(report, indent=2) + "\n")
    print(
        table(rows),
        table([waiting]),
        table(shares),
        table(shared_out),
        f"An event has {size / options.events:.0f} bytes of JSON.",
        sep="\n\n",
    )


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        job = json.loads(sys.argv[1])
        print(json.dumps(inferences(**job) if "count" in job else series(**job)))
    else:
        main()
