"""The sets of events, the table of cases, and the topics they are in."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.measure import ROOT

SEED = 1
TOPICS = 8
PARTITIONS = 4  # of each topic; the embedded cluster makes topics of four by itself
SLOTS = TOPICS * PARTITIONS
MODELS = 32
ORDERED = "ours_ordered"
CONTESTANTS = ("raw", "obvious", "tuned", "ours", "ours_pure", ORDERED)
MOCK_BYTES_MAX = 4_600_000  # per partition; the embedded cluster drops the oldest records beyond some 5 MB


class Set(NamedTuple):
    """Shape of an event."""

    features: int
    digits: int | None  # values are rounded to so many; None = all 17
    bytes: int  # roughly, for the embedded cluster's bound


SETS = {"s10": Set(10, 6, 420), "s50": Set(50, 6, 1150), "p10": Set(10, None, 540)}


class Drift(NamedTuple):
    """Features are normal with this deviation; who shifts by how much, and when."""

    deviation: float
    shift: float
    flips_every: int | None  # events of the model; None = once, half-way, the first feature of every other model


DRIFTS = {"normal": Drift(1.0, 1.0, None), "free": Drift(0.02, 0.0, None), "heavy": Drift(1.0, 2.0, 300)}


class Case(NamedTuple):
    """One comparison. `timed_share` is the last part of the topic that is timed; before it every series is made."""

    set: str
    models: int = MODELS
    drift: str = "normal"
    malformed: float = 0.0
    broker: str = "real"
    events: int = 60_000
    timed_share: float = 1.0
    rounds: int = 2
    detectors: str = "river"  # its defaults on the values as they are; "shipped": Driftline's, on standardised values
    keyed: bool = True  # a model's events are in one partition; else they are dealt out to all, as without a key
    contestants: tuple[str, ...] = CONTESTANTS


CASES = {
    # The second half is timed where the topic is long enough: a service that runs for months is past its warm-ups.
    "s10": Case("s10", events=800_000, timed_share=0.5, rounds=5),
    "s10_shipped": Case("s10", events=800_000, timed_share=0.5, rounds=5, detectors="shipped"),
    # The embedded cluster marks the end of a transaction by a record that no check of checksums lets pass.
    "s10_mock": Case("s10", events=320_000, timed_share=0.5, broker="mock", contestants=CONTESTANTS[:-1]),
    "s50": Case("s50", events=160_000, timed_share=0.5, rounds=5),
    # A model's events in all partitions, as `kafka.order: model` is for; next to reading those with a key directly.
    "s10_unkeyed": Case("s10", events=800_000, timed_share=0.5, rounds=5, keyed=False, contestants=(ORDERED,)),
    "s10_shipped_unkeyed": Case(
        "s10", events=800_000, timed_share=0.5, rounds=5, detectors="shipped", keyed=False, contestants=(ORDERED,)
    ),
    "s50_unkeyed": Case("s50", events=160_000, timed_share=0.5, rounds=5, keyed=False, contestants=(ORDERED,)),
    "p10": Case("p10"),
    "s10_10": Case("s10", models=1),
    "s10_10k": Case("s10", models=1_000, events=120_000, timed_share=0.5),
    "s10_100k": Case("s10", models=10_000, events=200_000, timed_share=0.5, rounds=3),
    "s10_free": Case("s10", drift="free"),
    "s10_heavy": Case("s10", drift="heavy"),
    "s10_malformed": Case("s10", malformed=0.01),
}

MALFORMED = (b"", b"\x80\x81", b"[]", b'{"features": {"f0": 1.0}}', b'{"model": "model-1", "features": {"f0": 1.0')
"""No value, not UTF-8, not an object, no model, cut off: everybody must skip them, and Driftline dead-letters them."""


def event(rng: random.Random, number: int, model: int, features: Sequence[float]) -> bytes:
    """One inference event in Driftline's own fields, with what a service usually logs beside them."""
    return json.dumps(
        {
            "model": f"model-{model}",
            "model_version": "3",
            "time": 1_700_000_000 + number / 100,
            "request_id": str(uuid.UUID(int=rng.getrandbits(128))),
            "features": {f"f{i}": value for i, value in enumerate(features)},
            "country": rng.choice(("NL", "DE", "FR")),
            "device": rng.choice(("mobile", "desktop")),
            "channel": "web",
            "prediction": {"label": "yes" if rng.random() < 0.1 else "no", "confidence": round(rng.random(), 4)},
        }
    ).encode()


def events_of(case: Case, count: int) -> Iterator[tuple[int, bytes]]:
    """(slot, bytes) of each event; with a key a model is always in the same slot, so its events stay in order."""
    shape, drift = SETS[case.set], DRIFTS[case.drift]
    rng, numbers = random.Random(SEED), np.random.default_rng(SEED)
    seen = [0] * case.models
    for begin in range(0, count, 1000):
        values = numbers.normal(0.0, drift.deviation, (1000, shape.features))
        models = numbers.integers(case.models, size=1000).tolist()
        for i, model in enumerate(models[: count - begin]):
            seen[model] += 1
            if drift.flips_every is not None:
                values[i] += drift.shift * (seen[model] // drift.flips_every % 2)
            elif begin + i > count // 2 and (model % 2 or case.models == 1):
                values[i, 0] += drift.shift
            row = values[i] if shape.digits is None else values[i].round(shape.digits)
            value = event(rng, begin + i, model, row.tolist())
            bad = case.malformed and rng.random() < case.malformed
            yield (model if case.keyed else begin + i) % SLOTS, rng.choice(MALFORMED) if bad else value


def count_of(case: Case, asked: int | None) -> int:
    """How many events the case gets; a topic that lost its oldest events would time less than it says."""
    count = case.events if asked is None else asked
    return min(count, MOCK_BYTES_MAX * SLOTS // SETS[case.set].bytes) if case.broker == "mock" else count


def create(brokers: str, names: Sequence[str], partitions: int = PARTITIONS) -> None:
    """On a real broker; the embedded cluster makes topics on first use."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": brokers})
    for future in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
        future.result(30)


def delete(brokers: str, names: Sequence[str]) -> None:
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": brokers})  # Held: without it the requests end, too.
    for future in admin.delete_topics(list(names)).values():
        future.result(30)


def fill(brokers: str, run: str, case: Case, count: int) -> list[str]:
    """Produce the set once; the names of its topics. A long linger gives the large batches of a busy producer."""
    from confluent_kafka import Producer

    topics = [f"bench-{run}-{i}" for i in range(TOPICS)]
    if case.broker == "real":
        create(brokers, topics)
    settings = {"bootstrap.servers": brokers, "linger.ms": 1000, "queue.buffering.max.messages": 2_000_000}
    failed: list[Any] = []
    producer = Producer({**settings, "on_delivery": lambda error, _: failed.append(error) if error else None})
    for number, (slot, value) in enumerate(events_of(case, count)):
        producer.produce(topics[slot // PARTITIONS], value=value, partition=slot % PARTITIONS)
        if number % 1000 == 0:
            producer.poll(0)
    if producer.flush(60) or failed:
        raise SystemExit(f"the events of {run} could not all be produced: {failed[:1]}")
    return topics


@contextlib.contextmanager
def running_mock() -> Iterator[str]:
    """librdkafka's embedded cluster in a process of its own, so that its work is not the consumer's."""
    held = "from streamer.kafka.demo_cluster import MockCluster as M; m = M(); print(m.brokers, flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", held], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
