"""What an update of the page costs the browser: 500 models and 20,000 series in a headless Chromium,
`python -m benchmarks.drawing [VIEW]`.

Every 2 s all models say that they live; the page asks, and draws what differs. Wall: from asking to drawn, with the
server's answer. CPU: how long the browser's main thread had a processor for it (`TaskDuration` in thread ticks), style
and layout included, which a busy machine does not stretch as it does the wall.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from schemas.records.alert import rfc3339
from streamer.service.gate import Gate
from streamer.service.health import Health
from streamer.service.http import start_server
from streamer.service.metrics import Metrics
from streamer.service.page import Page
from tests.service.topics import Topics

MODELS, SERIES, OPEN, UPDATES = 500, 40, 30, 15
BEGIN_MS = 1_700_000_000_000
SHOWN = {"config": "version: 1\n", "windows": True, "notes": [], "config_hash": "0", "service": "0", "learn": "off"}


class Life(Topics):
    """Models that live."""

    def __init__(self) -> None:
        super().__init__()
        self.missing, self.minute = {}, 0

    def beat(self) -> None:
        """A sign of life of each."""
        self.minute += 1
        now_ms = BEGIN_MS + 60_000 * self.minute
        self.put += [heartbeat(n, self.minute, now_ms) for n in range(MODELS)]


def heartbeat(number: int, minute: int, now_ms: int) -> bytes:
    data = {
        "model": f"model-{number:03}", "topic": "in", "partition": number % 8, "offset": minute * 1000,
        "tick": {"number": minute, "time_ms": now_ms, "caught_up": True},
        "account": dict.fromkeys(("used", "late", "duplicate", "filtered", "dead_lettered"), minute),
        "odd_fields": [], "events": minute * (100 + number) + minute * minute % 37, "newest_event": rfc3339(now_ms),
        "series": {"ready": SERIES, "warming": 0}, "tiers": {"calibrated": SERIES}, "school_until": None,
        "learning": [], "windows": {"evaluated": minute}, "unwatched": [],
    }  # fmt: skip
    return record("heartbeat", now_ms, data)


def window(number: int, signal: int, hour: int) -> bytes:
    labels = {"model": f"model-{number:03}", "monitor": "mean", "signal": f"features.f{signal}"}
    data = {
        "labels": labels, "ended": "evaluated", "limit": 3.0, "breach": False,
        "window": {"to": rfc3339(BEGIN_MS + 3_600_000 * hour), "value": (number * signal + hour) % 17, "expected": 8},
    }  # fmt: skip
    return record("window", BEGIN_MS, data)


def incident(number: int) -> bytes:
    data = {
        "incident": f"i{number}", "status": "open", "model": f"model-{number:03}", "since": rfc3339(BEGIN_MS),
        "sentence": f"12 alerts began together: mean of features.f{number} went from 100 to 140 (+7 deviations)",
        "alerts": {"count": 12, "open": 9}, "severity": "warning", "members": [], "fleet": None,
        "changed": {"time": rfc3339(BEGIN_MS)},
    }  # fmt: skip
    return record("incident", BEGIN_MS, data)


def record(kind: str, time_ms: int, data: dict[str, Any]) -> bytes:
    return json.dumps({"type": f"io.driftline.{kind}.x.v1", "time": rfc3339(time_ms), "data": data}).encode()


def main(view: str) -> None:
    from tests.service.browser import Browser
    from tests.waiting import until

    life = Life()
    page = Page(life, lambda: SHOWN, Gate("local", None))
    server = start_server("127.0.0.1:0", Metrics(), Health(), {}, page)
    life.put = [window(n, s, h) for n in range(MODELS) for s in range(SERIES) for h in range(6)]
    life.put += [incident(n) for n in range(OPEN)]
    for _ in range(60):
        life.beat()
    count = len(life.put)
    until(lambda: page.board.version >= count)
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(Path(folder))
        browser.ask("Performance.enable", timeDomain="threadTicks")
        browser.open(f"http://{server.address}/#/{view}")
        browser.wait_for("model-0")
        print(f"first paint {browser.value(FIRST_PAINT):.0f} ms")
        print(json.dumps({name: {"median": m, "best": b} for name, (m, b) in measured(browser, life).items()}))
        browser.close()
    server.close()
    page.close()


FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
DRAW = "(async () => { const t = performance.now(); await draw(); return performance.now() - t; })()"
PARTS = {"cpu": "TaskDuration", "script": "ScriptDuration", "layout": "LayoutDuration", "style": "RecalcStyleDuration"}


def measured(browser: Any, life: Life) -> dict[str, tuple[float, float]]:
    """Median and least ms of an update, by part."""
    browser.value("stream.close()")
    rows: dict[str, list[float]] = {"wall": [], **{name: [] for name in PARTS}}
    for _ in range(UPDATES):
        life.beat()
        threading.Event().wait(2.0)
        before = metrics(browser)
        rows["wall"].append(browser.value(DRAW))
        browser.value("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        after = metrics(browser)
        for name, own in PARTS.items():
            rows[name].append(1000 * (after[own] - before[own]))
    return {name: (round(statistics.median(found), 1), round(min(found), 1)) for name, found in rows.items()}


def metrics(browser: Any) -> dict[str, float]:
    return {one["name"]: one["value"] for one in browser.ask("Performance.getMetrics")["metrics"]}


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
