"""Five days of two models for those who judge a history: `fraud` is asked other amounts for one, see SHIFT."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.offline.episodes import Episode
from streamer.offline.event_files import EventFiles
from streamer.port import Partition

BEGIN = 1_767_571_200
"""2026-01-05, a Monday."""
DAY = 86_400
SHIFT = 3.5
"""The day on which it begins."""
HEAD = (
    'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\nheartbeat: {interval: 1h}\n'
    "reference: {warmup: 100}\n"
    "monitors:\n  amounts: {signal: features.*, detect: {kind: adwin%s}, keep_firing_for: 1h}\n"
    "  labels: {signal: label.*, detect: {kind: adwin}}\n  nulls: {signal: missing.*, detect: {kind: adwin}}\n"
    "  silent: {signal: events, detect: {kind: silence, after: 2h}}\n"
)
EAGER, SLOW = HEAD % "", HEAD % ", delta: 1.0e-30"


def write_past(folder: Path, days: int = 5, a_day: int = 192, shifted: bool = True) -> Path:
    """A file of it: `fraud` at an even pace, `churn` half as often."""
    rng, path = np.random.default_rng(5), folder / "past.jsonl"
    lines = []
    for i in range(days * a_day):
        day = i / a_day
        for model in ("fraud", "churn")[: 2 - i % 2]:
            amount = 100 + 10 * rng.standard_normal()
            if shifted and model == "fraud" and SHIFT <= day < SHIFT + 1:
                amount *= 1.5
            label = "ok" if rng.random() < 0.6 else "bad"
            features = {"amount": amount, "country": ("NL", "DE", "BE")[int(rng.integers(3))]}
            answer = {"label": label, "confidence": 0.9 + 0.03 * rng.standard_normal()}
            event = {"model": model, "time": BEGIN + day * DAY, "features": features, "prediction": answer}
            lines.append(json.dumps({**event, "latency_ms": rng.gamma(4, 5)}))
    path.write_text("\n".join(lines) + "\n")
    return path


def configured(text: str = EAGER) -> Config:
    return load_text(text, "x.yaml", {})


def reader(path: Path) -> Callable[[str], Iterable[tuple[Partition, list[Record]]]]:
    """Reads the file from its beginning whenever it is called."""
    files = EventFiles((path,), configured())
    return lambda what: files


def episode(
    model: str = "m",
    onset_ms: int = 0,
    found_ms: int | None = None,
    ended_ms: int | None = None,
    monitor: str = "x",
    severity: str = "warning",
) -> Episode:
    """An alert; found at its onset unless it is said."""
    found = onset_ms if found_ms is None else found_ms
    return Episode(model, monitor, "s", severity, onset_ms, found, ended_ms, f"{model} moved", "t[0]@1")
