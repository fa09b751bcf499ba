"""How long the service takes from the start of its process to the first event, and what it holds with 320 series."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import BUFFERED, Job, spread
from benchmarks.rounds import ROLES, child
from benchmarks.sets import PARTITIONS, Case, create, delete, fill

EVENTS = 60_000
ROUNDS = 5
DISCARDED = 1  # rounds that warm the file cache


def measure(brokers: str, quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The real service each time, with a group of its own, on a topic that is already full."""
    from benchmarks.product import config_text

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
            path.write_text(config_text(Job("ours", brokers, topics, PARTITIONS, count, 1.0, run, "", BUFFERED)))
            begin_s = time.time()
            found = child([sys.executable, "-m", "benchmarks.observed"], {"config": str(path), "events": count})
        rows.append({"start_to_first_event_s": found["first_event_s"] - begin_s, "rss_mb": found["rss_mb"]})
        delete(brokers, own)
    delete(brokers, topics)
    rows = rows[DISCARDED:]
    return rows, {
        "start_to_first_event_s": spread([row["start_to_first_event_s"] for row in rows]),
        "rss_mb_320_series": spread([row["rss_mb"] for row in rows]),
    }
