"""A lowered share reaches the threshold of detectors that begin anew with each alarm, and its undoing takes it back."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.precision import Verdicts
from streamer.engine.engines import PYTHON, Engine
from streamer.engine.task import Task
from streamer.engine.tasks import Tasks
from streamer.port import Out
from tests.engine.commands import LEARNS, ORDERED, config_of, log_of, of_role, values
from tests.monitors.test_envelope import ENGINES

TEXT = (
    LEARNS
    + """\
false_alarms: {learn: apply}
monitors:
  ranks: {signal: features.*, detect: {kind: shiryaev_roberts, arl: 1000}}
  page: {signal: features.*, detect: {kind: page_hinkley, threshold: 20}}
  mean: {signal: features.*, detect: {kind: adwin}}
"""
)
CONFIG = config_of(TEXT)
LOWERED = ("fraud", "ranks"), ("fraud", "page"), ("fraud", "mean")
EVENTS = values((100.0, 260), (107.0, 240))
LOG = log_of(CONFIG, EVENTS, {})
BEFORE = 10  # records, 20 events each


def begun(engine: Engine, lowered: bool = True) -> Task:
    """A task that learned that three monitors are mostly wrong."""
    task = Task(CONFIG, ORDERED, 0, engine=engine)
    read(task, 0, BEFORE)
    assert task.control is not None
    assert task.control.learning is not None
    for key in LOWERED if lowered else ():
        task.control.learning.verdicts[key] = Verdicts()
        task.control.learning.verdicts[key].add(np.full(120, 3.0), np.zeros(120, bool))  # Below four times it.
        task.control.learning.apply(key)
    return task


def read(task: Task, begin: int, end: int, size: int = 1) -> Task:
    decode = Tasks(CONFIG).decode
    for at in range(begin, end, size):
        task.step(decode(LOG[at : min(at + size, end)], ORDERED[0]))
    return task


def thresholds(task: Task) -> dict[str, float]:
    """Of the first alert of each monitor."""
    found: dict[str, float] = {}
    for one in of_role(task.outbox, "alerts"):
        if one["data"].get("status") == "firing":
            found.setdefault(one["data"]["alert"]["labels"]["monitor"], one["data"]["threshold"])
    return found


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_what_begins_anew_with_each_alarm_goes_on_to_a_strong_one(engine: Engine) -> None:
    usual = thresholds(read(begun(engine, lowered=False), BEFORE, len(LOG)))
    assert usual.items() >= {"ranks": 1000.0, "page": 20.0}.items()
    task = read(begun(engine), BEFORE, len(LOG))
    assert thresholds(task) == {"ranks": 4000.0, "page": 80.0}, "a cut at four times its epsilon takes adwin longer"
    assert task.control is not None
    assert task.control.holds.factors == {}


def test_both_engines_any_cut_and_any_restart_give_the_same() -> None:
    def outs(task: Task) -> list[Out]:
        return list(task.outbox)

    whole = read(begun(PYTHON), BEFORE, len(LOG))
    for engine in ENGINES:
        pieces = read(begun(engine), BEFORE, len(LOG), 7)
        assert (pieces.dump(), outs(pieces)) == (whole.dump(), outs(whole))
        again = Task.load(CONFIG, ORDERED, begun(engine).dump(), engine)
        assert (read(again, BEFORE, len(LOG)).dump(), outs(again)) == (whole.dump(), outs(whole))


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_another_model_is_as_it_was_and_a_new_series_is_not(engine: Engine) -> None:
    other, more = values((100.0, 40), model="shop"), [one.replace(b'"a"', b'"b"') for one in EVENTS[20 * BEFORE :][:40]]
    task = begun(engine)
    records = [one._replace(offset=len(LOG) + i) for i, one in enumerate(log_of(CONFIG, [*other, *more], {}))]
    task.step(Tasks(CONFIG).decode(records, ORDERED[0]))
    ranks = task.monitors["ranks"]
    limits = {(group[0], name): ranks.bank.limit(row) for row, (group, name) in enumerate(ranks.table.keys)}  # type: ignore[union-attr]
    assert limits == {
        ("fraud", "features.a"): 4000.0,
        ("shop", "features.a"): 1000.0,
        ("fraud", "features.b"): 4000.0,
    }


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_an_undone_change_takes_the_threshold_back(engine: Engine) -> None:
    task = begun(engine)
    assert task.control is not None
    assert task.control.learning is not None
    for key in LOWERED:
        task.control.learning.undo(key)
    assert thresholds(read(task, BEFORE, len(LOG))).items() >= {"ranks": 1000.0, "page": 20.0}.items()
