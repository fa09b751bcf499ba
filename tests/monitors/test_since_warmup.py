"""A fault that is there since the warm-up is found after a day, in any cut and either engine; what breathes is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.config.load import load_text
from streamer.engine import snapshot
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.task import Task
from streamer.monitors.envelope import EnvelopeMonitor
from streamer.monitors.following import Stretch
from streamer.monitors.since_warmup import AFTER, ALIKE, LASTS, NEAR, NUMBERS, SIMILAR, Doubt
from tests.engine.tasks import news
from tests.monitors.test_envelope import batch
from tests.signals.events import HEAD

TEXT = (
    HEAD
    + """
standard: false
monitors:
  mean: {signal: features.*, detect: {kind: envelope}}
  missing: {signal: missing.*, detect: {kind: envelope}}
  fewer: {signal: confidence, detect: {kind: envelope, direction: down}}
"""
)
EVERY_S = 60
CONFIG = load_text(TEXT, "x", {})


def events(days: float, wrong_from: int = 1 << 30, seed: int = 3) -> list[dict[str, Any]]:
    """`a` is a number that is 2 deviations more from one event on, `b` breathes with the day by as much and `c` rises
    for ever, `d` is null in one of ten from there on, confidence falls by .1.
    """
    rng = np.random.default_rng(seed)
    found = []
    for i in range(int(days * 86_400 / EVERY_S)):
        wrong, day = i >= wrong_from, i * EVERY_S / 86_400
        features = {
            "a": float(rng.normal(10 + 2 * wrong, 1)),
            "b": float(rng.normal(2 * np.sin(2 * np.pi * day), 1)),
            "c": float(rng.normal(day * 20, 1)),
            "d": None if rng.random() < 0.1 * wrong else 1.0,
        }
        time = f"{np.datetime64('2026-03-02T05:00:00') + np.timedelta64(i * EVERY_S, 's')}Z"
        confidence = float(rng.beta(8, 2)) - 0.1 * wrong
        said = {"confidence": max(confidence, 0.0)}
        found.append({"model": "m", "time": time, "features": features, "prediction": said})
    return found


def run(given: list[dict[str, Any]], size: int = 500, engine: Engine = COMPILED or PYTHON) -> tuple[Task, list[Any]]:
    task = Task(CONFIG, ("inferences", 0), 0, engine=engine)
    return task, read(task, given, size)


def read(task: Task, given: list[dict[str, Any]], size: int = 500) -> list[Any]:
    for begin in range(task.position, len(given), size):
        task.step(batch(given[begin : begin + size], begin))
    return [one for one in news(task.outbox) if "sentence" in one]


@pytest.mark.parametrize("wrong_from", [100, 160, 400])
def test_what_is_wrong_since_the_warm_up_is_told_after_a_day(wrong_from: int) -> None:
    _, told = run(events(1.6, wrong_from))
    fired = {one["alert"]["labels"]["signal"]: one for one in told if one["status"] == "firing"}
    assert {"features.a", "missing.d", "confidence"} <= fired.keys() <= {"features.a", "missing.d", "confidence"}
    mean = fired["features.a"]
    assert mean["provisional"]
    assert (mean["direction"], mean["threshold"]) == ("up", 0.5)
    assert mean["statistic"] == pytest.approx(2, abs=0.3)
    assert mean["trigger"]["offset"] - wrong_from < 1.6 * 1440
    assert "mean of features.a went from " in mean["sentence"]
    assert 0.01 < fired["missing.d"]["threshold"] < 0.06 < fired["missing.d"]["statistic"], "shares are told as such"
    assert fired["confidence"]["direction"] == "down"


def doubted(far: list[float], pace: float = 1.0, hours: float = 2.0) -> tuple[Doubt, bool]:
    """After stretches that are so far, each of so many hours; and whether it lasts."""
    doubt, lasts = Doubt(), False
    for i, away in enumerate(far):
        begin, end = (int(hours * 3_600_000 * at) for at in (i, i + 1))
        stretch = Stretch(100, 0.0, 0, 99, begin, end)
        if not doubt.take(stretch, away, NUMBERS, pace):
            return doubt, False
        lasts = doubt.lasts(stretch, NUMBERS)
    return doubt, lasts


def test_what_is_near_or_wanders_or_has_another_load_does_not_last() -> None:
    day = [1.0, 1.1] * 6
    assert doubted(day)[1]
    assert not doubted(day[:-1])[1], "not yet"
    assert doubted([0.0] * NEAR + day)[1], "it began a while later"
    assert not doubted([0.0] * (NEAR + 1) + day)[1]
    assert not doubted([*day[:-1], 0.1])[1], "it is back"
    assert not doubted([*day[:-1], -1.0])[1], "on the other side"
    assert not doubted([0.4] * 12)[1], "too little, though never near"
    assert not doubted([0.4, 2.0] * 6)[1], "not steadily"
    assert not doubted(day, ALIKE + 0.1)[1], "what is usual under this load nobody knows"
    assert not doubted(day[: LASTS - 1], hours=24)[1], "of few stretches"


def test_a_leap_is_one_step_that_stays() -> None:
    assert doubted([9.0, 10.0])[0].leapt()
    assert doubted([0.0, 4.0, 9.0, 10.0])[0].leapt(), "it began within a stretch"
    assert not doubted([9.0])[0].leapt()
    assert not doubted([9.0, 30.0])[0].leapt(), "it goes on"
    assert not doubted([4.0] * (AFTER - 1) + [9.0, 10.0])[0].leapt(), "it came step by step"
    assert not doubted([7.0, 7.0])[0].leapt()
    assert not doubted([9.0, 10.0], SIMILAR + 0.1)[0].leapt()


def test_what_leaps_is_told_at_once() -> None:
    given = events(1.0, 160)
    for i, event in enumerate(given):
        if i >= 160:
            event["features"]["a"] *= 100
            event["features"]["d"] = None if i % 6 == 0 else 1.0
    _, told = run(given)
    fired = {one["alert"]["labels"]["signal"]: one for one in told if one["status"] == "firing"}
    assert fired.keys() == {"features.a", "missing.d"}, "what is no leap takes a day"
    assert all(one["provisional"] and one["trigger"]["offset"] <= 160 + 300 for one in fired.values())
    assert (fired["features.a"]["threshold"], fired["features.a"]["direction"]) == (8.0, "up")


def test_what_breathes_wanders_or_rises_is_no_fault_and_costs_nothing_later() -> None:
    task, told = run(events(3.3))
    assert told == []
    for monitor in task.monitors.values():
        assert isinstance(monitor, EnvelopeMonitor)
        assert not monitor.doubts()


def test_any_cut_either_engine_and_a_restart_give_the_same_bytes() -> None:
    given = events(1.3, 100)
    task, told = run(given, 1_000)
    whole = task.dump()
    assert told
    for size, engine in ((37, COMPILED or PYTHON), (len(given), COMPILED or PYTHON), (333, PYTHON)):
        other, again = run(given, size, engine)
        assert (other.dump(), again) == (whole, told)
    first, begun = run(given[:1_500])
    second = Task.load(CONFIG, ("inferences", 0), first.dump())
    assert begun + read(second, given) == told
    assert second.dump() == whole


def test_series_of_an_older_snapshot_are_no_matter_and_nonsense_is_refused() -> None:
    given = events(0.3, 100)
    state = snapshot.decode(run(given)[0].dump())
    early = next(one["state"]["early"] for one in state["monitors"].values() if one["state"]["early"]["doubts"])
    early["doubts"][0][0] = 99
    with pytest.raises(ValueError, match="doubt"):
        Task.load(CONFIG, ("inferences", 0), snapshot.encode(state))
    for one in state["monitors"].values():
        del one["state"]["early"]
    task = Task.load(CONFIG, ("inferences", 0), snapshot.encode(state))
    assert not any(monitor.doubts() for monitor in task.monitors.values())
