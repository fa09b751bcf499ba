"""What the page takes from the service: `bench.py --cases pages --pages 5`, and without it the pages themselves,
`python -m benchmarks.pages HOST:PORT N`.

The service as users run it takes a full topic with the page off, on, and on with N pages open. A page does what its
script does: it listens to /api/changes, and asks for the overview when something has changed, every two seconds at
most. Two figures of the last three quarters of the events: CPU of the whole process per event, and, since a busy
machine moves that by more than a page costs, what the threads of the endpoints and of the page took of it.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import BUFFERED, ROOT, Job, spread
from benchmarks.product import config_text
from benchmarks.rounds import ROLES, child
from benchmarks.sets import PARTITIONS, Case, create, delete, fill

EVENTS, QUICK = 400_000, 4_000
ROUNDS = 2
UNTIMED = 0.25
LISTEN = 'listen: "127.0.0.1:0"'
LEAST_S = 2.0
"""Between two drawings of a page, as in page.js."""
ALARMS = {"shipped": "with hardly an alarm", "river": "0.6 alarms in 100 events, of which the page reads four records"}


def measure(brokers: str, quick: bool, pages: int = 5) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """CPU of the service by how it is looked at, and the page's share of it, for few and for many alarms."""
    count, name = QUICK if quick else EVENTS, f"{os.getpid()}-pages"
    topics = fill(brokers, name, Case("s10"), count)
    cases = {"off": ("off", 0), "on": ("local", 0), f"{pages}_open": ("local", pages)}
    rows, ratios = [], {}
    for detectors in ALARMS:
        rounds = []
        for number in range(1 if quick else ROUNDS):
            runs = {}
            for case, (page, opened) in cases.items():
                job = Job("ours", brokers, topics, PARTITIONS, count, 1.0, "", "", BUFFERED, detectors)
                run = f"{name}-{detectors}-{number}-{case.replace('_', '-')}"
                runs[case] = looked_at(job._replace(run=run), page, opened)
                rows.append({"detectors": detectors, "case": case, **runs[case]})
            rounds.append(runs)
        for case in list(cases)[1:]:
            for figure, title in (("cpu_us_per_event", "over_off"), ("page_share", "share")):
                below = [one["off"][figure] if title == "over_off" else 1.0 for one in rounds]
                found = [one[case][figure] / least for one, least in zip(rounds, below, strict=True)]
                ratios[f"page_{case}_{title}_{detectors}"] = spread(found)
    delete(brokers, topics)
    return rows, ratios


def looked_at(job: Job, page: str, pages: int) -> dict[str, Any]:
    """One run of the service, with so many pages open."""
    from tests.broker.broker import free_ports

    own = [f"{job.run}-{role}" for role in ROLES]
    create(job.brokers, own)
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with tempfile.TemporaryDirectory() as folder, opened(address, pages):
        path = Path(folder, "driftline.yaml")
        path.write_text(config_text(job).replace(LISTEN, f'listen: "{address}", page: "{page}"'))
        given = {"config": str(path), "events": job.events, "untimed": UNTIMED}
        found = child([sys.executable, "-m", "benchmarks.observed"], given)
    delete(job.brokers, own)
    return found


@contextlib.contextmanager
def opened(address: str, pages: int) -> Any:
    """Pages that are open, in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.pages", address, str(pages)]
    process = subprocess.Popen(command, cwd=ROOT) if pages else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def listen(address: str) -> None:
    """One page: it comes back when the service is not there yet, or no longer."""
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            stream = http.client.HTTPConnection(address, timeout=30)
            stream.request("GET", "/api/changes")
            answer, drawn_s = stream.getresponse(), 0.0
            while line := answer.readline():
                if line.startswith(b"data:"):
                    time.sleep(max(drawn_s + LEAST_S - time.monotonic(), 0.0))
                    drawn_s = time.monotonic()
                    drawing = http.client.HTTPConnection(address, timeout=30)
                    drawing.request("GET", "/api/overview")
                    drawing.getresponse().read()
                    drawing.close()
        time.sleep(0.2)


if __name__ == "__main__":
    for _ in range(int(sys.argv[2])):
        threading.Thread(target=listen, args=(sys.argv[1],)).start()
