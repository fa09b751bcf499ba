"""How long the service takes from the start of its process to the first event, and what it holds with 320 series."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import BUFFERED, Job, memory_mb, spread
from benchmarks.rounds import ROLES, child
from benchmarks.sets import PARTITIONS, Case, create, delete, fill

EVENTS = 60_000
STALLED_S = 20.0  # without a new event: the process ends, and says where it stood
ROUNDS = 5
DISCARDED = 1  # rounds that warm the file cache


def measure(brokers: str, quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The real service each time, with a group of its own, on a topic that is already full."""
    from benchmarks.contestants import config_text

    count = 2_000 if quick else EVENTS
    name = f"{os.getpid()}-startup"
    topics = fill(brokers, name, Case("s10"), count)
    rows = []
    for number in range(1 + DISCARDED if quick else ROUNDS + DISCARDED):
        run = f"{name}-{number}"
        own = [f"{run}-{role}" for role in ROLES]
        create(brokers, own)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "driftline.yaml")
            path.write_text(config_text(Job("ours", brokers, topics, PARTITIONS, count, 0, run, "", BUFFERED)))
            begin_s = time.time()
            found = child([sys.executable, "-m", "benchmarks.startup"], {"config": str(path), "events": count})
        rows.append({"start_to_first_event_s": found["first_event_s"] - begin_s, "rss_mb": found["rss_mb"]})
        delete(brokers, own)
    delete(brokers, topics)
    rows = rows[DISCARDED:]
    return rows, {
        "start_to_first_event_s": spread([row["start_to_first_event_s"] for row in rows]),
        "rss_mb_320_series": spread([row["rss_mb"] for row in rows]),
    }


def observed_service(config: str, events: int) -> None:
    """`driftline run`, looked at after every step of its loop; told to stop once it has taken all events."""
    from streamer.cli import main
    from streamer.worker import Worker

    step, found, last = Worker.step, {}, {"seen": 0, "s": time.monotonic()}

    def looked_at(self: Worker, timeout_s: float) -> None:
        step(self, timeout_s)
        seen = sum(owned.task.position for owned in self.owned.values())
        if seen and not found:
            found["first_event_s"] = time.time()
        if seen != last["seen"]:
            last.update(seen=seen, s=time.monotonic())
        elif seen < events and time.monotonic() - last["s"] > STALLED_S:
            places = {partition: owned.task.position for partition, owned in self.owned.items()}
            print(f"stalled at {seen} of {events} events; positions: {places}", file=sys.stderr, flush=True)
            os._exit(1)
        if seen >= events and "rss_mb" not in found:
            found["rss_mb"] = memory_mb("VmRSS")
            os.kill(os.getpid(), signal.SIGTERM)

    Worker.step = looked_at  # type: ignore[method-assign]
    sys.argv = ["driftline", "run", "-c", config]
    try:
        main()
    finally:
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    observed_service(**json.loads(sys.argv[1]))
