"""`make bench`: Driftline end to end on a real broker, next to raw consume and a plain river loop, in one run.

Every contestant is a fresh process; rounds are interleaved; what counts are the ratios within a round. The metric of
record is CPU time of the consumer process, all its threads, per event. The lists of alarms must be equal, else the
run fails. Prints a table and writes build/bench.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PARTITIONS = 4
MODELS = 32
CONTESTANTS = ("raw", "plain", "driftline")
TITLES = {
    "raw": "raw consume, no decoding",
    "plain": "plain loop: consume, orjson, river",
    "driftline": "driftline, exactly-once on",
}


def event(rng: random.Random, number: int, features: int, events: int) -> tuple[int, bytes]:
    """Partition and bytes of one event: standard normal features; half of the models shift half-way."""
    model = rng.randrange(MODELS)
    shift = 1.0 if number > events // 2 and model % 2 else 0.0
    return model % PARTITIONS, json.dumps(
        {
            "model": f"model-{model}",
            "model_version": "3",
            "time": 1_700_000_000 + number / 100,
            "request_id": f"{rng.getrandbits(128):032x}",
            "features": {f"f{i}": round(rng.gauss(shift if i == 0 else 0.0, 1.0), 6) for i in range(features)},
            "country": rng.choice(["NL", "DE", "FR"]),
            "prediction": {"label": "yes" if rng.random() < 0.1 else "no", "confidence": round(rng.random(), 4)},
        }
    ).encode()


def fill(brokers: str, topic: str, features: int, events: int) -> None:
    """Create the topics and produce the set once, with a fixed seed."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": brokers})
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
        future.result(30)
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    rng = random.Random(1)
    for number in range(events):
        partition, value = event(rng, number, features, events)
        producer.produce(topic, value=value, partition=partition)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush(60)


def run_contestant(name: str, brokers: str, topic: str, events: int, run: str) -> dict[str, Any]:
    """One fresh process; its last line of output is its result."""
    command = [sys.executable, str(ROOT / "benchmarks" / "contestants.py"), name, brokers, topic, str(events), run]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=900)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarise(set_name: str, rounds: list[dict[str, dict[str, Any]]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Per contestant the spread of each figure; the ratios are taken within each round."""
    results = []
    for name in CONTESTANTS:
        runs = [r[name] for r in rounds]
        row: dict[str, Any] = {"contestant": name, "set": set_name, "series": runs[0]["series"], "broker": "real"}
        for figure in ("cpu_us_per_event", "wall_events_per_s", "peak_rss_mb"):
            row[figure] = spread([run[figure] for run in runs])
        row["alarms_hash"] = runs[0]["alarms_hash"]
        results.append(row)

    def ratio(a: str, b: str) -> dict[str, float]:
        return spread([r[a]["cpu_us_per_event"] / r[b]["cpu_us_per_event"] for r in rounds])

    ratios = {
        f"tuned_over_ours_{set_name}": ratio("plain", "driftline"),
        f"ours_share_of_raw_{set_name}": ratio("raw", "driftline"),
    }
    return results, ratios


def table(results: list[dict[str, Any]], ratios: dict[str, Any]) -> str:
    lines = ["| contestant | set | µs CPU per event | events/s | peak MB |", "| --- | --- | --- | --- | --- |"]
    for row in results:
        cpu, wall, rss = row["cpu_us_per_event"], row["wall_events_per_s"], row["peak_rss_mb"]
        lines.append(
            f"| {TITLES[row['contestant']]} | {row['set']} | {cpu['median']:.1f} [{cpu['min']:.1f}-{cpu['max']:.1f}] "
            f"| {wall['median']:,.0f} | {rss['median']:.0f} |"
        )
    for name, value in ratios.items():
        lines.append(f"\n{name}: {value['median']:.2f} [{value['min']:.2f}-{value['max']:.2f}]")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", help="bootstrap address; without it Apache Kafka is started from its jars")
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    from tests.broker.broker import running_broker

    with running_broker(options.kafka) as brokers:
        run = f"{os.getpid()}"
        topic = f"bench-{run}"
        set_name = f"s{options.features}"
        fill(brokers, topic, options.features, options.events)
        rounds = []
        for number in range(options.rounds):
            rounds.append(
                {n: run_contestant(n, brokers, topic, options.events, f"{run}-{number}") for n in CONTESTANTS}
            )
            if rounds[-1]["plain"]["alarms_hash"] != rounds[-1]["driftline"]["alarms_hash"]:
                raise SystemExit(f"alarms differ: {rounds[-1]}")
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    results, ratios = summarise(set_name, rounds)
    environment = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "events": options.events,
        "alarms": rounds[0]["plain"]["alarms"],
    }
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    report = {"environment": environment, "results": results, "ratios": ratios}
    (build / "bench.json").write_text(json.dumps(report, indent=2) + "\n")
    print(table(results, ratios))
    print(f"\n{rounds[0]['plain']['alarms']} alarms, equal in both; written to build/bench.json")


def alarms_hash(alarms: list[list[Any]]) -> str:
    """Order-free identity of a list of (model, signal, detector, partition, offset)."""
    return hashlib.sha256(json.dumps(sorted(alarms)).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
