"""The detectors without Kafka: time per value, memory per series, and the pause of a snapshot, next to river's objects.

Every measurement is a fresh process: `python -m benchmarks.banks JOB`, JOB being the JSON of {"part", ...}.
"""

from __future__ import annotations

import gc
import json
import pickle
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.measure import Job, memory_mb, spread
from benchmarks.rounds import child
from benchmarks.sets import event

BATCH = 5_000
DETECTORS = ("adwin", "page_hinkley")
SPEED = {
    # name: series, values in all, repetitions
    "": (10, 2_000_000, 3),
    "_1k": (1_000, 2_000_000, 1),
    "_10k": (10_000, 2_000_000, 1),
    "_100k": (100_000, 3_000_000, 1),
}
MEMORY = {"updates": 1_000_000, "few": 1_000, "many": 6_000, "after": 100}
"""One series takes `updates` values; `few` and `many` copies of it, `after` values later, give the slope per series."""
CHECKPOINT = {"models": 1_000, "values": 300, "repeat": 5}
WARMUPS = {"": 200, "_warming": 500}
"""Values of a warm-up: past it, as a service is nearly all its life, and within it, when every value is kept."""
QUICK = 20  # times fewer values
WARMUP_LEAST = 30  # that a config may ask for
FIXED_HEAP = {"MALLOC_MMAP_THRESHOLD_": "131072"}
"""Else the allocator keeps large freed arrays by moods of its own, and the slope would count them."""


class Pair(NamedTuple):
    """One detector with river's defaults, both ways."""

    bank: Callable[[], Any]
    river: Callable[[], Any]


def pair_of(detector: str) -> Pair:
    from river import drift

    from detectors import Adwin, PageHinkley, make_compiled_bank

    if detector == "adwin":
        return Pair(lambda: make_compiled_bank(Adwin(delta=0.002)), drift.ADWIN)
    params = PageHinkley(min_instances=30, delta=0.005, threshold=50.0, alpha=0.9999)
    return Pair(lambda: make_compiled_bank(params), drift.PageHinkley)


def stream(count: int, series: int) -> tuple[Any, Any]:
    """Rows in turn, and normal values whose mean moves now and then, a few times at least."""
    place = np.arange(count)
    level = place // series // min(5_000, count // series // 4) % 2
    return (place % series).astype(np.int64), np.random.default_rng(1).normal(0.0, 1.0, count) + level


def time_bank(make: Callable[[], Any], series: int, rows: Any, values: Any) -> tuple[float, list[int]]:
    bank, alarms = make(), []
    bank.resize(series)
    begin_s = time.perf_counter()
    for begin in range(0, len(rows), BATCH):
        hits = bank.update(rows[begin : begin + BATCH], values[begin : begin + BATCH])
        alarms += (hits.place + begin).tolist()
    return time.perf_counter() - begin_s, alarms


def time_river(make: Callable[[], Any], series: int, rows: Any, values: Any) -> tuple[float, list[int]]:
    objects, alarms = [make() for _ in range(series)], []
    numbers = list(zip(rows.tolist(), values.tolist(), strict=True))
    begin_s = time.perf_counter()
    for place, (row, value) in enumerate(numbers):
        detector = objects[row]
        detector.update(value)
        if detector.drift_detected:
            alarms.append(place)
    return time.perf_counter() - begin_s, alarms


def speed(detector: str, series: int, count: int, repeat: int) -> list[dict[str, float]]:
    """Nanoseconds per value of both, in turn; the alarms must be equal."""
    pair, (rows, values) = pair_of(detector), stream(count, series)
    found = []
    for _ in range(repeat):
        bank_s, mine = time_bank(pair.bank, series, rows, values)
        river_s, theirs = time_river(pair.river, series, rows, values)
        assert mine == theirs, f"{detector}: {len(mine)} alarms of the bank, {len(theirs)} of river"
        found.append({"bank_ns": bank_s / count * 1e9, "river_ns": river_s / count * 1e9, "alarms": len(mine)})
    return found


def memory(side: str, copies: int, updates: int, after: int) -> dict[str, float]:
    """Resident memory with so many series of ADWIN and Page-Hinkley, each with the same long history.

    A million values for thousands of series would take hours, so one series takes them, is copied by its own public
    means (dump and load; pickle), and all take some more values, so that buffers grow as they do in use.
    """
    values = np.random.default_rng(1).normal(0.0, 1.0, updates)
    rows = np.arange(copies)
    kept: list[Any] = []
    for name in DETECTORS:
        pair = pair_of(name)
        if side == "river":
            one = pair.river()
            for value in values.tolist():
                one.update(value)
            blob = pickle.dumps(one)
            kept.append([pickle.loads(blob) for _ in range(copies)])
            for value in values[:after].tolist():
                for other in kept[-1]:
                    other.update(value)
        else:
            bank = pair.bank()
            bank.resize(1)
            bank.update(np.zeros(updates, np.int64), values)
            state = {key: np.tile(array, copies) for key, array in bank.dump().items()}
            bank = pair.bank()
            bank.load(state)
            del state
            for value in values[:after].tolist():
                bank.update(rows, np.full(copies, value))
            kept.append(bank)
    gc.collect()
    return {"rss_mb": memory_mb("VmRSS"), "held": len(kept)}


def bytes_per_series(side: str, scale: int) -> float:
    job = {"part": "memory", "side": side, "updates": MEMORY["updates"] // scale, "after": MEMORY["after"]}
    few, many = (run(FIXED_HEAP, **job, copies=MEMORY[size])["rss_mb"] for size in ("few", "many"))
    return (many - few) * (1 << 20) / (MEMORY["many"] - MEMORY["few"])


def checkpoint(models: int, values: int, warmup: int, repeat: int) -> list[dict[str, float]]:
    """How long a snapshot of ten series per model keeps the consumer from consuming, next to pickling river.

    The loop waits for the copy of the state; it is encoded beside the loop, whose time is given too.
    """
    import random

    from benchmarks.product import config_text
    from schemas.events.batch import Record
    from schemas.events.native_json import decode
    from streamer.config.decoder_fields import fields_of
    from streamer.config.load import load_text
    from streamer.engine import snapshot
    from streamer.engine.task import Task

    job = Job("ours", "none:1", ["events"], 1, 0, 0, "bench", "", {})
    config = load_text(f"{config_text(job)}reference: {{warmup: {warmup}}}\n", "bench.yaml", {})
    task, fields = Task(config, ("events", 0), 0), fields_of(config)
    rng, numbers = random.Random(1), np.random.default_rng(1).normal(0.0, 1.0, (values * models, 10)).round(6)
    for begin in range(0, values * models, 500):
        events = [event(rng, i, i % models, numbers[i].tolist()) for i in range(begin, begin + 500)]
        task.step(decode([Record(begin + i, -1, None, e) for i, e in enumerate(events)], fields, "events"))
    task.published()
    pairs = [pair_of(name).river for name in DETECTORS]
    objects = [[make() for make in pairs] for _ in range(models * 10)]
    for i, row in enumerate(numbers.tolist()):
        for j, value in enumerate(row):
            for detector in objects[i % models * 10 + j]:
                detector.update(value)
    found = []
    for _ in range(repeat):
        one_s = time.perf_counter()
        state = task.state()
        two_s = time.perf_counter()
        blob = snapshot.encode(state)
        encoded_s = time.perf_counter()
        pickled = pickle.dumps(objects)
        pickled_s = time.perf_counter()
        sizes = {"dump_mb": len(blob) / 1e6, "pickle_mb": len(pickled) / 1e6}
        times = {"pause_ms": two_s - one_s, "encode_ms": encoded_s - two_s, "pickle_ms": pickled_s - encoded_s}
        found.append({**{name: seconds * 1000 for name, seconds in times.items()}, **sizes})
    return found


PARTS = {"speed": speed, "memory": memory, "checkpoint": checkpoint}


def run(environment: dict[str, str] | None = None, **job: Any) -> Any:
    return child([sys.executable, "-m", "benchmarks.banks"], job, environment)


def measure(brokers: str, quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All of it; see the module."""
    scale = QUICK if quick else 1
    rows: list[dict[str, Any]] = []
    ratios: dict[str, Any] = {}
    for detector in DETECTORS:
        for suffix, (series, count, repeat) in SPEED.items():
            found = run(part="speed", detector=detector, series=series, count=count // scale, repeat=repeat)
            rows += [{"what": f"{detector}, ns per value", "series": series, **one} for one in found]
            ratios[f"bank_{detector}_over_river{suffix}"] = spread([one["river_ns"] / one["bank_ns"] for one in found])
    each = {side: bytes_per_series(side, scale) for side in ("bank", "river")}
    rows.append({"what": "bytes per series", "updates": MEMORY["updates"] // scale, **each})
    ratios["bytes_per_series_over_river"] = spread([each["bank"] / each["river"]])
    values = max(CHECKPOINT["values"] // scale, WARMUP_LEAST)
    for suffix, warmup in WARMUPS.items():
        found = run(part="checkpoint", **{**CHECKPOINT, "values": values, "warmup": max(warmup // scale, WARMUP_LEAST)})
        what = f"pause of a snapshot, warm-ups of {warmup}"
        rows += [{"what": what, "series": CHECKPOINT["models"] * 10, **one} for one in found]
        pauses = [one["pause_ms"] / one["pickle_ms"] for one in found]
        ratios[f"checkpoint_pause_over_pickle_10k{suffix}"] = spread(pauses)
    return rows, ratios


if __name__ == "__main__":
    the_job = json.loads(sys.argv[1])
    print(json.dumps(PARTS[the_job.pop("part")](**the_job)))
