"""What clients of the endpoints take from the worker: `python -m benchmarks.endpoints`, some 20 seconds.

The worker is a busy loop of Python that writes metrics, so that everything the endpoints do is taken from it; clients
are processes of their own. Of each case: the share of its time that the loop had the interpreter, where waiting for a
core is not counted (that is the machine's doing, and the clients'; Linux tells it); the CPU of all other threads of the
process, which are the endpoints'; and how a probe every 50 ms fares meanwhile.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # The clients, which are made from this module, need none of it.
    from streamer.service.health import Health
    from streamer.service.metrics import Metrics

ROUNDS, SECONDS = 8, 0.7
PARTITIONS, MONITORS, MODELS = 12, 12, 20
GAUGES = ("consumer_lag_records", "event_lag_seconds", "snapshot_age_seconds", "state_bytes", "series")
WINDOWS = ("anomaly_fraction", "distribution_distance", "window_rows")


def filled() -> Metrics:
    from streamer.service.metrics import Metrics

    metrics = Metrics()
    for number in map(str, range(PARTITIONS)):
        for gauge in GAUGES:
            metrics.set(gauge, 1, topic="in", partition=number)  # type: ignore[arg-type]
    for monitor in range(MONITORS):
        for model in range(MODELS):
            for gauge in WINDOWS:
                metrics.set(gauge, 1, monitor=f"m{monitor}", model=f"model-{model}")  # type: ignore[arg-type]
    return metrics


def connect(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=3)


def ask(address: str, path: str) -> bytes:
    with connect(address) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
        return answer


def looping(address: str, begin: Any, over: Any, found: Any, path: str) -> None:
    answers = 0
    begin.wait()
    while not over.is_set():
        with contextlib.suppress(OSError):
            answers += bool(ask(address, path))
    found.put(answers)


def dripping(address: str, begin: Any, over: Any, found: Any, connections: int) -> None:
    """Connections that send a byte of a header every 100 ms, and come back when they are dropped."""
    held: list[socket.socket | None] = [None] * connections
    made = 0
    begin.wait()
    while not over.is_set():
        for at, one in enumerate(held):
            try:
                if one is None:
                    held[at] = one = connect(address)
                    one.sendall(b"GET /livez HTTP/1.1\r\nX: ")
                    made += 1
                one.sendall(b"x")
            except OSError:
                held[at] = None
        time.sleep(0.1)
    found.put(made)


def probing(address: str, begin: Any, over: Any, found: Any) -> None:
    taken: list[float | None] = []
    begin.wait()
    while not over.is_set():
        begin_s, good = time.monotonic(), False
        with contextlib.suppress(OSError):
            good = b" 200 " in ask(address, "/livez")[:20]
        taken.append(time.monotonic() - begin_s if good else None)
        time.sleep(0.05)
    found.put(taken)


CASES: dict[str, list[tuple[Any, Any]]] = {
    "alone": [],
    "four scrapers in a loop": [(looping, "/metrics")] * 4,
    "four probes in a loop": [(looping, "/livez")] * 4,
    "200 slow connections": [(dripping, 200)],
    "400 slow connections": [(dripping, 400)],
}


def waited_s() -> float:
    """How long this thread waited for a core, so far."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def busy(metrics: Metrics, health: Health) -> tuple[float, float]:
    """Share of its time that the loop had the interpreter, and the share of a core that the other threads took."""
    begin_s, own_s, others_s, waiting_s = time.perf_counter(), time.thread_time(), time.process_time(), waited_s()
    value = 0.0
    while (seconds := time.perf_counter() - begin_s) < SECONDS:
        for at in range(2000):
            value = value * 0.999 + at
        metrics.observe("processing_seconds", 0.01)
        health.beat()
    own_s, others_s = time.thread_time() - own_s, time.process_time() - others_s
    return own_s / (seconds - (waited_s() - waiting_s)), (others_s - own_s) / seconds


def measure(address: str, metrics: Metrics, health: Health, clients: list[tuple[Any, Any]]) -> tuple[Any, ...]:
    process = multiprocessing.get_context("spawn")
    begin, over, found, probed = process.Barrier(len(clients) + 2), process.Event(), process.Queue(), process.Queue()
    running = [process.Process(target=what, args=(address, begin, over, found, how)) for what, how in clients]
    running.append(process.Process(target=probing, args=(address, begin, over, probed)))
    for one in running:
        one.start()
    begin.wait()
    time.sleep(0.3)  # A rendering, or a connection, is made by now.
    had, share = busy(metrics, health)
    over.set()
    answers, probes = [found.get() for _ in clients], probed.get()
    for one in running:
        one.join()
    return had, share, sum(answers), probes


def main() -> None:
    from streamer.service.health import Health
    from streamer.service.http import start_server

    metrics, health = filled(), Health()
    server = start_server("127.0.0.1:0", metrics, health, {})
    rows: dict[str, list[tuple[Any, ...]]] = {case: [] for case in CASES}
    for _ in range(ROUNDS):
        for case, clients in CASES.items():
            rows[case].append(measure(server.address, metrics, health, clients))
    server.close()
    for case, of in rows.items():
        had, share = (statistics.median(row[at] for row in of) for at in (0, 1))
        probes = [seconds for row in of for seconds in row[3]]
        good = sorted(seconds * 1000 for seconds in probes if seconds is not None)
        times = f"p50 {statistics.median(good):.0f} ms, most {good[-1]:.0f}" if good else "none"
        print(f"{case:24} loop {had:.1%}, endpoints {share:.1%} of a core;", end=" ")
        print(f"{len(good)} of {len(probes)} probes, {times}")


if __name__ == "__main__":
    main()
