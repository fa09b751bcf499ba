"""A part of the budget is divided among the series that live: who comes takes a share, who leaves gives it back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.envelope import TESTS
from detectors.extremes import odds
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine import sharing, snapshot
from streamer.engine.engines import PYTHON, Engine
from streamer.engine.sharing import APART, living
from streamer.engine.task import Task
from streamer.monitors.distribution import DistributionMonitor
from streamer.monitors.envelope import EnvelopeMonitor
from tests.monitors.test_envelope import ENGINES, batch
from tests.signals.events import HEAD

MONITORS = """
monitors:
  mean: {signal: features.*, detect: {kind: envelope}}
  seldom: {signal: missing.*, detect: {kind: scan}}
  shape: {signal: features.*, window: {events: 100}, detect: {kind: distribution, days: true}}
  own: {signal: value, detect: {kind: envelope}}
"""
DAY_S, EVERY_S = 86_400, 1_200


def events(names: Any, days: int, models: tuple[str, ...] = ("m",)) -> list[dict[str, Any]]:
    """`names`: of a day the features of its events."""
    rng = np.random.default_rng(3)
    found = []
    for number, s in enumerate(range(0, days * DAY_S, EVERY_S)):
        values = {name: float(rng.normal(10, 1)) for name in names(s / DAY_S)}
        time = f"{np.datetime64('2026-03-01T00:00:00') + np.timedelta64(s, 's')}Z"
        found.append({"model": models[number % len(models)], "time": time, "features": values})
    return found


def run(given: list[dict[str, Any]], engine: Engine, size: int = 500, text: str = MONITORS) -> Task:
    task = Task(config(text), ("inferences", 0), 0, engine=engine)
    return read(task, given, size)


def config(text: str) -> Config:
    return load_text(HEAD + text, "x", {})


def read(task: Task, given: list[dict[str, Any]], size: int = 500) -> Task:
    for begin in range(task.position, len(given), size):
        task.step(batch(given[begin : begin + size], begin))
    return task


def few(count: int) -> Any:
    return lambda day: [f"f{i}" for i in range(count)]


def coming(day: float) -> list[str]:
    """Two from the first day on, five more from the fourth to the tenth."""
    return ["a", "b", *("cdefg" if 4 <= day < 10 else "")]


def counted(task: Task, monitor: str = "mean") -> int:
    return living(task.monitors[monitor].table)["m"]


def test_each_series_has_its_part_of_what_those_have_together_that_live() -> None:
    task = run(events(few(3), 6), PYTHON)
    mean, shape, own = (task.monitors[name] for name in ("mean", "shape", "own"))
    assert isinstance(mean, EnvelopeMonitor)
    assert isinstance(shape, DistributionMonitor)
    whole = 1 / 7 / 4
    assert mean.part.rate() == pytest.approx(whole / 12), "before anything is known"
    assert own.part.rate() == pytest.approx(whole), "it has one"
    assert mean.bank.odds.tolist() == pytest.approx([odds(whole / 3, TESTS)] * 3)
    assert mean.rate(0) == shape.days.rate(0) == pytest.approx(whole / 3)


def test_who_comes_takes_a_share_and_who_is_silent_gives_it_back() -> None:
    given = events(coming, 28)
    per_day = DAY_S // EVERY_S
    task, found = run([], PYTHON), []
    for day in (3, 8, 20, 27):
        found.append(counted(read(task, given[: day * per_day])))
    assert found == [2, 7, 7, 2]


def test_a_number_in_the_config_stays_as_it_is() -> None:
    task = run(events(few(3), 6), PYTHON, text=MONITORS + "false_alarms: {series: 40}\n")
    mean = task.monitors["mean"]
    assert mean.table.living.counts is None
    assert mean.part.rate(3) == mean.part.rate() == pytest.approx(1 / 7 / 4 / 40)
    assert mean.part.a_week(3) == pytest.approx(3 / 40 / 4)


def test_a_name_that_was_there_once_takes_nothing() -> None:
    def names(day: float) -> list[str]:
        return ["a", "b", f"once-{day:.4f}"]

    assert counted(run(events(names, 6), PYTHON)) == 2


def test_models_are_counted_on_their_own_and_segments_too() -> None:
    text = MONITORS.replace("detect: {kind: envelope}}", "by: [version], detect: {kind: envelope}}", 1)
    given = events(few(2), 8, ("m", "n"))
    for number, event in enumerate(given):
        event["model_version"] = str(number // 2 % 2 if event["model"] == "m" else 0)
    found = living(run(given, PYTHON, text=text).monitors["mean"].table)
    assert found == {"m": 4, "n": 2}


def test_both_engines_any_cut_and_any_restart_give_the_same_bytes() -> None:
    given = events(coming, 10)
    whole = run(given, PYTHON).dump()
    for engine, size, stop in zip(ENGINES[::-1], (61, 4_000), (350, 560), strict=False):
        assert run(given, engine, size).dump() == whole
        task = Task.load(config(MONITORS), ("inferences", 0), run(given[:stop], engine).dump(), engine)
        assert read(task, given).dump() == whole


def test_an_older_snapshot_is_read_and_counts_with_the_next_event() -> None:
    given = events(few(3), 6)
    state = snapshot.decode(run(given[:-1], PYTHON).dump())
    del state["sharing"]
    for table in state["tables"].values():
        del table["living"]
    task = Task.load(config(MONITORS), ("inferences", 0), snapshot.encode(state), PYTHON)
    assert task.monitors["mean"].table.living.counts is None
    assert counted(read(task, given)) == 3
    assert task.monitors["mean"].bank.odds[0] == pytest.approx(odds(1 / 7 / 4 / 3, TESTS))  # type: ignore[union-attr]


def test_days_that_hardly_have_events_are_not_counted_each() -> None:
    task = run(events(few(1), 3), PYTHON)
    assert task.sharing.offset == APART < task.position < 2 * APART
    days = np.datetime64("2026-03-04", "D") + np.arange(60)
    seldom = [{**one, "time": f"{day}T00:00:00Z"} for day, one in zip(days, events(few(1), 1)[:60], strict=True)]
    at = 2 * APART - task.position
    task.step(batch(seldom, task.position))
    assert (task.sharing.offset, task.sharing.day) == (2 * APART, days[at].astype(int)), "the only one of them"


def test_a_clock_that_is_far_ahead_of_all_others_keeps_nobody_from_being_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sharing, "MOST", 2 * APART)
    ahead = [{"model": "n", "time": "2026-03-09T00:00:00Z", "features": {"x": 1.0}}]
    task = run([*ahead, *events(few(3), 6)], PYTHON)
    assert task.admission.newest_ms["n"] > task.admission.newest_ms["m"]
    assert (task.sharing.offset, counted(task)) == (3 * APART, 3), "it is behind by then, and goes on"


def test_metrics_have_what_is_expected_of_each_model() -> None:
    task = run(events(few(3), 6), PYTHON)
    found = {name: one.value for name, one in task.gauges() if one.name == "expected_false_alarms"}
    assert found["mean"] == found["shape"] == pytest.approx(1 / 4)
