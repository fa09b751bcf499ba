"""The service under a stopwatch: `python -m benchmarks.observed JOB`, JOB being the JSON of {"config", "events"} and,
where the CPU behind the first events is asked for, too, the "untimed" part of them.

It imports nothing of the benchmark before the first event, since what is timed is the start of the product.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

STALLED_S = 20.0  # without a new event: the process ends, and says where it stood


def page_s() -> float:
    """CPU of the threads that answer requests and that read what the page shows, so far; Linux tells it."""
    threads = [one.native_id for one in threading.enumerate() if one.name in ("driftline-http", "driftline-page")]
    return sum(int(Path(f"/proc/self/task/{one}/schedstat").read_text().split()[0]) for one in threads) / 1e9


def observed_service(config: str, events: int, untimed: float | None = None) -> None:
    """`driftline run`, looked at after every step of its loop; told to stop once it has taken all events."""
    from streamer.commands.cli import main
    from streamer.service import run as service

    connect, found, last = service.connect, dict[str, float](), {"seen": 0, "s": time.monotonic()}
    began: list[Any] = []

    def connected(*given: Any) -> Any:
        """The worker is imported by the service itself, while it connects: as late as nobody looked."""
        log = connect(*given)
        from streamer.service.worker import Worker

        step = Worker.step
        Worker.step = lambda worker, timeout_s: looked_at(worker, step(worker, timeout_s))  # type: ignore
        return log

    def looked_at(self: Any, _: None) -> None:
        seen = sum(owned.task.position for owned in self.owned.values())
        if seen and not found:
            found["first_event_s"] = time.time()
        if untimed is not None and not began and seen >= untimed * events:
            from benchmarks.measure import Clock

            began.extend((Clock(seen), page_s()))
        if seen != last["seen"]:
            last.update(seen=seen, s=time.monotonic())
        elif seen < events and time.monotonic() - last["s"] > STALLED_S:
            places = {partition: owned.task.position for partition, owned in self.owned.items()}
            print(f"stalled at {seen} of {events} events; positions: {places}", file=sys.stderr, flush=True)
            os._exit(1)
        if seen >= events and "rss_mb" not in found:
            from benchmarks.measure import memory_mb

            found["rss_mb"] = memory_mb("VmRSS")
            if began:
                found.update(began[0].figures(seen))
                found["page_share"] = (page_s() - began[1]) / (found["cpu_us_per_event"] * found["events"] / 1e6)
            os.kill(os.getpid(), signal.SIGTERM)

    service.connect = connected
    sys.argv = ["driftline", "run", "-c", config]
    try:
        main()
    finally:
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    observed_service(**json.loads(sys.argv[1]))
