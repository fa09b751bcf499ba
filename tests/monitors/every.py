"""One monitor of every kind there is, in one config, and events that each of them has something of."""

from __future__ import annotations

import random
from typing import Any

from streamer.config.detect import DETECTS
from streamer.config.load import load_text
from streamer.engine.task import Task
from tests.config.samples import by_for, signal_for
from tests.signals.events import HEAD

NEEDED = {"fraction": "max: 0.3", "age": "max: 1s", "river": "name: KSWIN, params: {seed: 3}"}
"""Keys without a default."""


def window_for(kind: str) -> str:
    detect = DETECTS[kind]
    if detect.timed:
        return "window: {time: 1s}, "
    return "window: {events: 50}, " if detect.windowed else "window: {time: 5s}, " if detect.aggregated else ""


def monitor_of(kind: str) -> str:
    detect = f"detect: {{kind: {kind}, {NEEDED.get(kind, '')}}}"
    return f"{{signal: {signal_for(kind)}, {by_for(kind)}{window_for(kind)}{detect}}}"


TEXT = (
    HEAD
    + "limits: {lateness: 1m}\nlabels: {}\nmonitors:\n"
    + "".join(f"  m{i}: {monitor_of(kind)}\n" for i, kind in enumerate(DETECTS))
)
"""In the order of the table of kinds."""


def every_monitor() -> Task:
    return Task(load_text(TEXT, "every.yaml", {}), ("inferences", 0), 0)


def events(count: int) -> list[dict[str, Any]]:
    """A second apart; half-way everything changes."""
    rng = random.Random(1)
    return [
        {
            "time": i,
            "features": {"a": rng.gauss(5 * (i > count // 2), 1)},
            "status": "500" if rng.random() < (0.6 if i > count // 2 else 0.02) else "200",
        }
        for i in range(count)
    ]
