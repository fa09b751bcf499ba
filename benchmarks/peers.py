"""`make bench-peers`: stream frameworks with river next to Driftline, on a real broker, with equal alarms.

Every peer has an environment of its own under build/peers, because their client libraries exclude each other. One
that cannot be installed here is named and left out. Prints a table, writes build/bench-peers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.bench import environment, say
from benchmarks.measure import ROOT
from benchmarks.rounds import TITLES, Place, command_of, ratio, ratio_lines, rows_of, run_round, table
from benchmarks.sets import Case, delete, fill

PEERS = {
    # name: its module here, what it is called in the table, what is installed
    "quixstreams": (
        "benchmarks.peer_quixstreams",
        "quixstreams + river",
        ("quixstreams==3.28.1", "river==0.26.1", "orjson==3.13.0"),
    ),
    "bytewax": (
        "benchmarks.peer_bytewax",
        "bytewax + orjson + river",
        ("bytewax==0.21.1", "river==0.26.1", "orjson==3.13.0", "confluent-kafka==2.16.1"),
    ),
}
HOME = ROOT / "build" / "peers"
OURS = ("tuned", "ours")
EVENTS = 60_000
ROUNDS = 3


def python_of(peer: str) -> Path:
    return HOME / peer / "bin" / "python"


def install(peer: str) -> str | None:
    """Make the peer's environment unless it is there already; why that is not possible, or None."""
    packages = PEERS[peer][2]
    stamp = HOME / peer / "installed.txt"
    if stamp.exists() and stamp.read_text() == "\n".join(packages):
        return None
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(HOME / peer)],
        [str(python_of(peer)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]
    stamp.write_text("\n".join(packages))
    return None


def command(contestant: str) -> list[str]:
    if contestant in PEERS:
        return [str(python_of(contestant)), "-m", PEERS[contestant][0]]
    return command_of(contestant)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", help="bootstrap address; without it Apache Kafka is started from its jars")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    from tests.broker.broker import running_broker

    HOME.mkdir(parents=True, exist_ok=True)
    missing: dict[str, str] = {}
    for peer in PEERS:
        say(f"{peer}: installing")
        why = install(peer)
        if why is not None:
            missing[peer] = why
            say(f"{peer} cannot be installed here and is left out: {why}")
    peers = [peer for peer in PEERS if peer not in missing]
    TITLES.update({peer: PEERS[peer][1] for peer in peers})
    case, run = Case("s10"), f"{os.getpid()}-peers"
    rounds: list[dict[str, Any]] = []
    with running_broker(options.kafka) as brokers:
        place = Place("s10", case, brokers, fill(brokers, run, case, options.events), options.events)
        for number in range(options.rounds):
            rounds.append(run_round(place, (*OURS, *peers), f"{run}-{number}", command))
            cpu = {who: round(result["cpu_us_per_event"], 2) for who, result in rounds[-1].items()}
            say(f"round {number + 1}: {cpu} µs CPU per event")
        delete(brokers, place.topics)
    rows = rows_of(place, rounds)
    ratios = {f"{name}_over_ours_s10": ratio(rounds, name, "ours") for name in ("tuned", *peers)}
    versions = {peer: list(PEERS[peer][2]) for peer in peers}
    report = {
        "environment": {**environment(), "peers": versions, "missing": missing},
        "results": rows,
        "ratios": ratios,
    }
    (ROOT / "build" / "bench-peers.json").write_text(json.dumps(report, indent=2) + "\n")
    print(table(rows) + "\n\n" + ratio_lines(ratios))
    for peer, why in missing.items():
        print(f"\nNOT MEASURED: {peer} cannot be installed here: {why}")
    print("\nAlarms are equal. Written to build/bench-peers.json")


if __name__ == "__main__":
    main()
