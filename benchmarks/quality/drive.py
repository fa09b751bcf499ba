"""The product over a stream: its own pure task under the least config, batches and ticks in, alerts out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import orjson

from benchmarks.quality.shapes import DAY_S
from benchmarks.quality.stream import Merged, hours
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.task import Task
from streamer.port import Tick

LEAST = 'version: 1\nkafka: {brokers: "none:1"}\ntopics: {events: [events]}\nheartbeat: {interval: 1h}\n'
AT = ("events", 0)
DAY_MS = DAY_S * 1000


class Alert(NamedTuple):
    """An alert that opened, or is over, or an incident that opened, as far as a score needs it."""

    status: str  # "firing", "resolved" or "incident"
    model: str
    monitor: str
    signal: str
    labels: str  # all that tells it from others of its monitor, such as a caller
    onset_ms: int  # where what it shows as "after" begins; the trigger where it shows nothing
    time_ms: int  # of the event or tick that made it
    offset: int
    sentence: str


def least() -> Config:
    return load_text(LEAST, "bench-quality.yaml", {})


def single(accept_after: str = "1d") -> Config:
    """For one series of independent values, which have no days: the detector that is proved for them."""
    detect = "{kind: shiryaev_roberts, arl: 1000000}"
    monitor = f"monitors:\n  x: {{signal: features.*, accept_after: {accept_after}, detect: {detect}}}\n"
    return load_text(LEAST + monitor, "bench-quality.yaml", {})


def alerts_of(task: Task) -> list[Alert]:
    """The alerts that opened or ended since the last call, and what the product made of them: each time that it tells
    of an incident as opened counts, also of one that it had told as over. What is told again is no news.
    """
    found = []
    for out in task.outbox:
        if out.topic == "alerts":
            record = orjson.loads(out.value or b"")
            status = record["data"].get("status")
            if status == "resolved" or (status == "firing" and int(record["sequence"]) == 1):
                found.append(alert_of(record["data"]))
        elif out.topic == "incidents":
            record = orjson.loads(out.value or b"")
            if record["type"] == "io.driftline.incident.opened.v1":
                found.append(incident_of(record["data"]))
    task.published()
    return found


def alert_of(data: dict[str, Any]) -> Alert:
    labels = data["alert"]["labels"]
    time_ms = ms_of(data["trigger"]["time"])
    after = (data.get("evidence") or {}).get("after") or {}
    return Alert(
        data["status"],
        labels["model"],
        labels["monitor"],
        labels["signal"],
        " ".join(f"{k}={v}" for k, v in sorted(labels.items()) if k not in ("alertname", "severity", "model")),
        min(ms_of(after["from"]), time_ms) if after.get("from") else time_ms,
        time_ms,
        data["trigger"]["offset"],
        data["sentence"],
    )


def incident_of(data: dict[str, Any]) -> Alert:
    times_ms = ms_of(data["since"]), ms_of(data["changed"]["time"])
    return Alert("incident", data["model"], "", "", "", *times_ms, data["changed"]["offset"], data["sentence"])


def ms_of(rfc3339: str) -> int:
    return int(np.datetime64(rfc3339.removesuffix("Z"), "ms").astype(np.int64))


def play(task: Task, merged: Merged, begin_ms: int, end_ms: int) -> list[Alert]:
    """Everything from one time to another, a day's columns in memory at once, a tick at the end of each hour."""
    found: list[Alert] = []
    for day_ms in range(begin_ms, end_ms, DAY_MS):
        until_ms = min(day_ms + DAY_MS, end_ms)
        day = merged.between(day_ms, until_ms)
        for begin, end, tick_ms in hours(day, day_ms, until_ms):
            if end > begin:
                task.step(merged.batch(day, begin, end, task.position))
            task.tick(Tick(task.position, tick_ms, caught_up=True))
            if task.waiting:
                found += alerts_of(task)
    return found


def play_rows(task: Task, merged: Merged, rows: int = 20_000) -> list[Alert]:
    """Everything, in batches of so many events and without ticks: for streams in which nobody falls silent."""
    found: list[Alert] = []
    every = merged.between(0, 1 << 62)
    for begin in range(0, len(every.times_ms), rows):
        end = min(begin + rows, len(every.times_ms))
        task.step(merged.batch(every, begin, end, task.position))
        found += alerts_of(task)
    return found
