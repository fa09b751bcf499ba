"""The contract of a monitor: one of every kind answers every question, so that nobody asks which class it is."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from detectors.reference import Judged
from streamer.config.detect import DETECTS
from streamer.engine.task import Task
from streamer.monitors.base import Gauge, Monitor, MonitorBase, MonitorSpec
from streamer.monitors.window_outcomes import ENDS
from streamer.signals.columns import Column
from tests.monitors.every import TEXT, events, every_monitor
from tests.signals.events import batch_of

QUESTIONS = {name for name in vars(Monitor) if not name.startswith("_")} | set(Monitor.__annotations__)
NOTHING = Column(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
JUDGED = Judged(np.zeros(0, bool), np.zeros(0), np.zeros(0))


@pytest.fixture(scope="module")
def task() -> Task:
    made = every_monitor()
    made.step(batch_of(events(600), TEXT))
    return made


def test_there_is_one_of_every_kind(task: Task) -> None:
    assert [monitor.config.detect.kind for monitor in task.by_order] == list(DETECTS)
    assert [monitor.order for monitor in task.by_order] == list(range(len(DETECTS)))
    assert {"hits", "findings", "overdue", "sentence", "bank", "following", "normal", "accept"} <= QUESTIONS


@pytest.mark.parametrize("kind", DETECTS)
def test_each_answers_every_question(task: Task, kind: str) -> None:
    monitor = task.by_order[list(DETECTS).index(kind)]
    assert not {name for name in QUESTIONS if not hasattr(monitor, name)}
    for name in QUESTIONS:
        wanted = getattr(Monitor, name, None)
        if inspect.isfunction(wanted):
            own = inspect.signature(getattr(monitor, name))
            assert list(own.parameters) == list(inspect.signature(wanted).parameters)[1:], name
    # What is not asked for yet is nothing, and changes nothing.
    before = repr(monitor.dump())
    batch = batch_of([])
    assert monitor.hits(batch, NOTHING, JUDGED) == monitor.findings(batch, NOTHING, JUDGED) == []
    monitor.learn([])
    assert repr(monitor.dump()) == before
    assert monitor.windowed == bool(monitor.ended()) == (DETECTS[kind].windowed or DETECTS[kind].aggregated)
    assert {name for counts in monitor.ended().values() for name in counts} <= set(ENDS)
    detect = DETECTS[kind]
    assert (monitor.following is not None) == (detect.edged and detect.recovers)
    assert (monitor.bank is not None) == detect.edged
    assert all(isinstance(gauge, Gauge) and gauge.model == "m" for gauge in monitor.gauges())


@pytest.mark.parametrize("kind", DETECTS)
def test_each_takes_up_its_own_state(task: Task, kind: str) -> None:
    name = f"m{list(DETECTS).index(kind)}"
    again = Task.load(task.config, task.partition, task.dump())
    assert again.monitors_reset == []
    assert repr(again.monitors[name].dump()) == repr(task.monitors[name].dump())


class Silent(MonitorBase):
    """Overrides nothing."""


def test_a_monitor_that_overrides_nothing_answers_by_nothing(task: Task) -> None:
    one = task.by_order[0]
    spec = MonitorSpec(7, "silent", one.config, one.table, None, 0, task.engine.monitors)
    silent = Silent(spec)
    assert (silent.order, silent.name, silent.config, silent.table) == (7, "silent", one.config, one.table)
    assert (silent.bank, silent.bins, silent.windowed, silent.following) == (None, None, False, None)
    assert silent.hits(batch_of([]), NOTHING, JUDGED) == silent.findings(batch_of([]), NOTHING, JUDGED) == []
    assert silent.overdue(1000, {"m": 1}) == []
    assert silent.ended() == {}
    found: Iterator[Any] = silent.gauges()
    assert list(found) == []
    silent.learn([(0, np.zeros(3))])
    silent.seed({})
