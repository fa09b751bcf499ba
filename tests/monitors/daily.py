"""What tests of monitors share that learn from days: a monitor of one row, without a stream, and its days."""

from __future__ import annotations

from typing import Any

from detectors.extremes import DAY_MS
from streamer.monitors.levels import Span
from tests.series.windows import config, run

HOUR_MS = 3_600_000


def monitor_of(text: str, signal: str, window: str) -> Any:
    task = run(config(f"  m: {{signal: {signal}, window: {window}, detect: {text}}}\n"), [])
    [monitor] = task.by_order
    monitor.table.row(("m",), signal)
    monitor.table.resize()
    return monitor


def span(begin_ms: int, length_ms: int, n: int) -> Span:
    return Span(begin_ms, begin_ms + length_ms, n)


def day_of(begin_ms: int) -> int:
    return begin_ms // DAY_MS


def taken_up(monitor: Any, text: str, signal: str, window: str) -> Any:
    """Another one with the state of this one."""
    other = monitor_of(text, signal, window)
    other.load(monitor.dump())
    return other
