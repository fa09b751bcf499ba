"""A sample of traffic, and monitors of which some can never fire on it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.offline.cost import Estimate, estimate
from streamer.offline.event_files import EventFiles

HEAD = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\nreference: {warmup: 50}\n'
OWN = HEAD + (
    "monitors:\n"
    "  mean: {signal: features.*, detect: {kind: adwin}}\n"
    "  jump: {signal: features.*, detect: {kind: page_hinkley}}\n"
    "  bins: {signal: features.*, window: {events: 100}, detect: {kind: distribution}}\n"
    "  minute: {signal: error, window: {time: 1m}, detect: {kind: fraction, max: 0.1, min_count: %d}}\n"
    "  callers: {signal: error, by: [caller], window: {time: 1h}, detect: {kind: fraction, max: 0.1, min_count: 100}}\n"
    "  typo: {signal: features.amuont, detect: {kind: adwin}}\n"
    "  ages: {signal: features.a, window: {events: 100000}, detect: {kind: distribution}}\n"
)


def write_sample(folder: Path) -> Path:
    """1,000 events in 10,000 seconds, every tenth of another caller: 8,640 a day (some 8,649 by the times)."""
    path = folder / "sample.jsonl"
    lines = [
        {
            "model": "m",
            "time": 1_700_000_000 + i * 10,
            "features": {"a": float(i * 7919 % 101), "b": 1.0},
            "status": "ok",
            "caller": "app" if i % 10 else "batch",
        }
        for i in range(1000)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def written(folder: Path, records: Iterable[Any]) -> Path:
    """A file of events, a line each; bytes as they are."""
    path = folder / "events.jsonl"
    path.write_bytes(b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in records))
    return path


def configured(more: str = "") -> Config:
    return load_text(HEAD + more, "x.yaml", {})


def estimated(more: str, folder: Path, records: Iterable[Any]) -> Estimate:
    """What lint would say of a config, which begins with HEAD, on such records."""
    config = configured(more)
    return estimate(config, EventFiles((written(folder, records),), config))


def said(found: Estimate, kind: str = "") -> dict[str, str]:
    """The sentences of the doubts, of one kind or of all, by their place in the config."""
    return {".".join(map(str, d.path)): d.sentence for d in found.doubts if kind in ("", d.kind)}
