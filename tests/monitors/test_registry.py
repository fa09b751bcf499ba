"""Which class of monitor serves which kind, and what each is made from."""

from __future__ import annotations

from typing import Any

import pytest

from detectors import DETECTORS
from streamer.config.detect import DETECTS
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE
from streamer.engine.task import Task
from streamer.monitors.edges import EdgeMonitor, OccurrenceMonitor
from streamer.monitors.levels import LevelMonitor
from streamer.monitors.registry import MONITORS, level_monitor, make_monitors
from tests.monitors.every import every_monitor
from tests.signals.events import HEAD


def test_every_kind_has_a_monitor_of_its_own_or_a_bank() -> None:
    assert set(MONITORS) <= set(DETECTS)
    assert set(DETECTS) - set(MONITORS) == set(DETECTORS) - {"envelope", "occurrence", "scan", "shiryaev_roberts"}


@pytest.mark.parametrize("kind", DETECTS)
def test_the_kind_says_which_class_it_is(kind: str) -> None:
    monitor = every_monitor().by_order[list(DETECTS).index(kind)]
    made = MONITORS.get(kind, EdgeMonitor)
    assert type(monitor) is (LevelMonitor if made is level_monitor else made)
    assert isinstance(monitor, EdgeMonitor) == (kind in DETECTORS)
    assert type(monitor) is OccurrenceMonitor or kind != "occurrence"


def test_monitors_are_made_in_the_order_of_the_config_each_from_its_own_table() -> None:
    text = """limits: {lateness: 7s}
monitors:
  z: {signal: error, window: {time: 1m}, detect: {kind: fraction, max: 0.1}}
  a: {signal: events, detect: {kind: silence}}
  m: {signal: features.*, detect: {kind: adwin}}
"""
    config = load_text(HEAD + text, "x", {})
    tables = Task(config, ("inferences", 0), 0)
    asked: list[str] = []

    def made_of(monitor: Any) -> Any:
        asked.append(monitor.signal)
        own = next(m for m in tables.by_order if m.config is monitor)
        return own.table, tables.sources.get(own.table.id)

    made = make_monitors(config, ENGINE.monitors, made_of)
    assert list(made) == ["z", "a", "m"]
    assert [monitor.order for monitor in made.values()] == [0, 1, 2]
    assert asked == ["error", "events", "features.*"]
    assert [monitor.table.signal.kind for monitor in made.values()] == ["error", "events", "number"]
    assert all(monitor.config is config.monitors[name] for name, monitor in made.items())
    assert make_monitors(load_text(HEAD, "x", {}).model_copy(update={"monitors": {}}), ENGINE.monitors, made_of) == {}
