"""What every contestant measures with; only the standard library, because the peers run in environments of their own.

A contestant is `python -m benchmarks.MODULE JOB`, JOB being the JSON of a `Job`. It writes its alarms to the file named
there and prints one JSON line.
"""

from __future__ import annotations

import hashlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent

Alarm = tuple[str, str, str, int, int]
"""(model, feature, detector, partition, offset)"""


BUFFERED: Mapping[str, int] = {"queued.max.messages.kbytes": 65536}
"""Fetch ahead as far as the processor allows: then the figures are the processor's and not the network's."""

BUFFERED_LITTLE: Mapping[str, int] = {"queued.max.messages.kbytes": 4096, "fetch.max.bytes": 4 << 20}
"""Where the clock starts half-way: what was fetched ahead by then would be missing from the timed half."""


class Job(NamedTuple):
    contestant: str
    brokers: str
    topics: Sequence[str]
    partitions: int  # of each topic
    events: int  # how many there are in all
    timed_share: float  # the last part of every partition, for which the clock runs
    run: str  # a name nobody else uses
    alarms: str  # a file
    client: Mapping[str, Any]  # librdkafka settings of everybody
    detectors: str = "river"  # as in `Case`


def job_from_arguments() -> Job:
    return Job(**json.loads(sys.argv[1]))


def memory_mb(name: str = "VmHWM") -> float:
    """Peak resident memory (or another line of /proc/self/status).

    getrusage would also count what the parent had resident when it forked.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass  # Not Linux: the peak of getrusage is the next best.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Clock:
    """CPU time of the whole process, all its threads, and wall time, from now on."""

    def __init__(self, seen: int = 0) -> None:
        self.seen = seen
        self.cpu_s, self.wall_s = time.process_time(), time.perf_counter()

    def figures(self, seen: int) -> dict[str, float]:
        cpu_s, wall_s = time.process_time() - self.cpu_s, time.perf_counter() - self.wall_s
        timed = seen - self.seen
        return {
            "cpu_us_per_event": cpu_s / timed * 1e6,
            "wall_events_per_s": timed / wall_s,
            "peak_rss_mb": memory_mb(),
            "events": timed,
        }


def alarms_hash(alarms: Sequence[Sequence[Any]]) -> str:
    """Order-free identity of a list of alarms."""
    return hashlib.sha256(json.dumps(sorted(alarms)).encode()).hexdigest()[:16]


def hand_in(job: Job, figures: dict[str, float], series: int, skipped: int, alarms: list[Alarm]) -> None:
    """The last line of output is the result."""
    Path(job.alarms).write_text(json.dumps(sorted(alarms)))
    facts = {"series": series, "skipped": skipped, "alarms": len(alarms), "alarms_hash": alarms_hash(alarms)}
    print(json.dumps({**figures, **facts}))


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
