"""The standard set of monitors without Kafka: CPU per event, and memory and snapshot bytes per series.

Every measurement is a fresh process: `python -m benchmarks.standard JOB`, JOB being the JSON of {"features", "events"}.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
from typing import Any

from benchmarks.measure import memory_mb, spread
from benchmarks.rounds import child

WIDTHS = {10: 200_000, 50: 60_000, 200: 20_000}
"""Features -> events; every fifth feature is a text."""
BATCH = 500
REPEAT = 3
QUICK = 5
LEAST = 'version: 1\nkafka: {brokers: "none:1"}\ntopics: {events: [events]}\n'


def event(rng: random.Random, features: int, number: int) -> bytes:
    """A native event with all that the standard set looks at."""
    values: dict[str, Any] = {}
    for i in range(features):
        values[f"f{i}"] = rng.choice("abcdef") if i % 5 == 4 else round(rng.gauss(100.0, 20.0), 4)
    return json.dumps(
        {
            "model": "fraud",
            "model_version": "7",
            "event_id": f"e{number}",
            "time": 1_700_000_000 + number / 100,
            "features": values,
            "prediction": {"label": rng.choice(["yes", "no", "no"]), "confidence": round(rng.uniform(0.5, 1.0), 4)},
            "latency_ms": round(rng.gammavariate(4, 3), 2),
            "status": "ok",
            "caller": rng.choice(["app", "desk"]),
        }
    ).encode()


def run(features: int, events: int) -> dict[str, float]:
    """Half of the events bring every series past its warm-up, the other half is timed."""
    from schemas.events.batch import Record
    from schemas.events.decoder import Decoder
    from streamer.config.decoder_fields import fields_of
    from streamer.config.load import load_text
    from streamer.engine.task import Task

    config = load_text(LEAST, "bench.yaml", {})
    decode, rng = Decoder(fields_of(config)), random.Random(1)
    records = [Record(i, -1, None, event(rng, features, i)) for i in range(events)]
    gc.collect()
    gc.freeze()
    before_mb, cpu = memory_mb("VmRSS"), {"decode": 0.0, "task": 0.0}
    task = Task(config, ("events", 0), 0)
    for begin in range(0, events, BATCH):
        one_s = time.process_time()
        batch = decode(records[begin : begin + BATCH], "events")
        two_s = time.process_time()
        task.step(batch)
        if begin >= events // 2:
            cpu["decode"] += two_s - one_s
            cpu["task"] += time.process_time() - two_s
    series = sum(len(table.keys) for table in task.tables.values())
    grown_mb = memory_mb("VmRSS") - before_mb
    return {
        "features": features,
        "decode_us_per_event": cpu["decode"] / (events - events // 2) * 1e6,
        "task_us_per_event": cpu["task"] / (events - events // 2) * 1e6,
        "series": series,
        "grown_mb": grown_mb,
        "snapshot_bytes": len(task.dump()),
    }


def measure(brokers: str, quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of all widths, and the cost of detection over that of decoding."""
    rows: list[dict[str, Any]] = []
    ratios: dict[str, Any] = {}
    for features, events in WIDTHS.items():
        job = {"features": features, "events": events // (QUICK if quick else 1)}
        found = [child([sys.executable, "-m", "benchmarks.standard"], job) for _ in range(REPEAT)]
        rows += [{"what": "standard set", **one} for one in found]
        shown = spread([one["task_us_per_event"] for one in found])
        print(f"standard set, {features} features: {shown} µs per event beside decoding", file=sys.stderr, flush=True)
        over = [one["task_us_per_event"] / one["decode_us_per_event"] for one in found]
        ratios[f"standard_set_over_decode_{features}_features"] = spread(over)
    few, many = rows[0], rows[-1]  # What does not grow with the series is no cost of theirs.
    more = many["series"] - few["series"]
    each = {
        "memory_bytes_per_series": (many["grown_mb"] - few["grown_mb"]) * (1 << 20) / more,
        "snapshot_bytes_per_series": (many["snapshot_bytes"] - few["snapshot_bytes"]) / more,
    }
    print(f"standard set: {each}", file=sys.stderr, flush=True)
    rows.append({"what": "standard set", **each})
    return rows, ratios


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.argv[1]))))
