"""What tests of the config share: the least one, and the folder of whole ones."""

from __future__ import annotations

from pathlib import Path

from streamer.config.detect import DETECTS
from streamer.config.model import Monitor
from streamer.config.standard import STANDARD

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "tests" / "configs"
LEAST = 'version: 1\nkafka: {brokers: "localhost:9092"}\ntopics: {events: [inferences]}\n'
STANDARD_MONITORS = {name: Monitor.model_validate(monitor) for name, monitor in STANDARD.items()}


def signal_for(kind: str) -> str:
    """A signal that a `detect.kind` is for, so that nothing is said of the pair."""
    detect = DETECTS[kind]
    if detect.labelled:
        return "realised_error"
    if detect.ticked or detect.aggregated:
        return "events" if detect.ticked else "traffic"
    return "error" if detect.counted or detect.ones else "features.a"


def by_for(kind: str) -> str:
    """What a monitor of this kind must be split by, as a part of its mapping."""
    return "by: [caller], " if DETECTS[kind].compares else ""
