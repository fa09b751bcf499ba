"""What a monitor states of its series: of each kind with a formula something, in the signal's units, and it is true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.monitors.detectable import SHIFTS, Detectable, Drift, learned_drifts
from streamer.offline.replay import Replay
from tests.config.samples import LEAST

MONITORS = """monitors:
  days: {signal: features.a, detect: {kind: envelope}}
  falls: {signal: features.a, detect: {kind: envelope, direction: down}}
  steps: {signal: features.a, detect: {kind: adwin}}
  sums: {signal: features.a, detect: {kind: page_hinkley}}
  as-is: {signal: features.a, detect: {kind: adwin, raw: true}}
  many: {signal: error, window: {events: 100}, detect: {kind: fraction, max: 0.1}}
  more: {signal: error, window: {events: 100}, detect: {kind: share}}
  hours: {signal: error, window: {time: 6h}, detect: {kind: fraction, max: 0.1}}
  errors: {signal: error, detect: {kind: envelope, direction: up}}
"""
DAYS, A_DAY = 9, 288


@pytest.fixture(scope="module")
def task() -> Task:
    config = load_text(LEAST + "heartbeat: {interval: 1h}\n" + MONITORS, "x.yaml", {})
    rng, replay = np.random.default_rng(2), Replay(config, fields_of(config))
    wrong = rng.random(DAYS * A_DAY) < 0.05
    records = [
        Record(
            i,
            -1,
            None,
            b'{"model":"m","time":%d,"features":{"a":%f},"status":"%s"}'
            % (86_400 * 20_000 + i * 300, 50 + 4 * z, b"error" if wrong[i] else b"ok"),
        )
        for i, z in enumerate(rng.standard_normal(DAYS * A_DAY).tolist())
    ]
    replay.step(("in", 0), records)
    return replay.tasks["in", 0]


def drifts(task: Task, name: str) -> dict[tuple[str, str], Drift]:
    now = Detectable(task.monitors[name])
    return {(one.horizon, one.direction): one for one in now.drifts(0, A_DAY, now.scale(0))}


def test_every_kind_with_a_formula_states_what_a_day_shows(task: Task) -> None:
    """Of peers, of which one alone has none, see `test_peers.py`."""
    assert {task.monitors[name].config.detect.kind for name in task.monitors} == set(SHIFTS) - {"peers"}
    for name in set(task.monitors) - {"as-is"}:
        found = drifts(task, name)
        assert found, name
        assert all(one.units > 0 for one in found.values())
    assert drifts(task, "as-is") == {}


def test_only_directions_that_are_asked_for(task: Task) -> None:
    assert {direction for _, direction in drifts(task, "falls")} == {"down"}
    assert {direction for _, direction in drifts(task, "many")} == {"up"}
    assert {direction for _, direction in drifts(task, "days")} == {"up", "down"}


def test_more_time_finds_less_and_units_are_those_of_the_signal(task: Task) -> None:
    found = drifts(task, "days")
    assert found["1h", "up"].units > found["1d", "up"].units if ("1h", "up") in found else True
    assert found["1d", "up"].units == pytest.approx(4 * (found["1d", "up"].deviations or 0), rel=0.1)
    assert drifts(task, "errors")["1d", "up"].deviations is None


@pytest.mark.parametrize("name", ["many", "more"])
def test_what_is_stated_of_windows_is_how_many_ones_they_need(task: Task, name: str) -> None:
    """Two whole windows of 100 lie behind any shift of the 288 values of a day, mostly one more."""
    by = drifts(task, name)["1d", "up"].units
    usual, rng = task.monitors[name].table.learned(0).mean, np.random.default_rng(0)
    counts = rng.binomial(100, usual + by, (2_000, 1))
    limit = 10 if name == "many" else 10 + round(100 * usual)
    assert (counts > limit).mean() == pytest.approx(0.8, abs=0.25 if name == "more" else 0.15)


def test_all_that_learn_from_days_are_gone_through(task: Task) -> None:
    found = dict(learned_drifts(task.by_order, task.admission.newest_ms, 5))
    assert [series.monitor for series in found] == ["days", "falls", "errors"]
    assert list(learned_drifts(task.by_order, task.admission.newest_ms, 0)) == []
    asked: Any = {(one.horizon, one.direction) for one in next(iter(found.values()))}
    assert asked >= {("1d", "up"), ("1d", "down")}


def test_the_tier_has_its_reason_and_limits_lie_around_what_is_usual(task: Task) -> None:
    now = Detectable(task.monitors["days"])
    assert now.tier(0) == ("proved", "")
    assert all((one.low or 0) < 50 < (one.high or 0) for one in now.limits(0))
    assert Detectable(task.monitors["steps"]).tier(0) == ("", "")
    assert list(Detectable(task.monitors["steps"]).limits(0)) == []
    assert now.pace(0, task.admission.newest_ms["m"]) == pytest.approx(A_DAY, rel=0.01)
    assert now.pace(0, 0) is None
