"""A distribution against its reference, and the levels of a category, each by how often it comes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.task import Task
from streamer.monitors.distribution import DistributionMonitor
from tests.alerts.windows import AT
from tests.engine.tasks import news
from tests.signals.events import HEAD, batch_of, firing


def two_humps(rng: random.Random) -> float:
    return rng.choice((-1, 1)) + rng.gauss(0, 0.1)


SHAPES: dict[str, tuple[str, Any, Any]] = {
    # Capability: signal, healthy value, changed value. The mean stays where it was.
    "C04 doubled deviation": ("features.x", lambda r: r.gauss(0, 1), lambda r: r.gauss(0, 2)),
    "C04 two humps": ("features.x", lambda r: r.gauss(0, 1), two_humps),
    "C17 both ends": ("confidence", lambda r: r.gauss(0.8, 0.02), lambda r: r.choice((0.6, 1.0))),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_shape_changes_although_the_mean_does_not(case: str) -> None:
    signal, healthy, changed = SHAPES[case]
    text = f"""monitors:
  shape: {{signal: {signal}, detect: {{kind: distribution}}}}
  mean: {{signal: {signal}, detect: {{kind: adwin}}}}
"""

    def event(value: float) -> dict[str, Any]:
        return {"prediction": {"confidence": value}} if signal == "confidence" else {"features": {"x": value}}

    rng = random.Random(4)
    before = [event(healthy(rng)) for _ in range(5100)]
    assert firing(text, before) == []
    found = firing(text, before + [event(changed(rng)) for _ in range(2000)])
    [shape] = [a for a in found if a["alert"]["labels"]["monitor"] == "shape"]
    assert shape["alert"]["labels"]["signal"] == signal
    assert shape["evidence"]["window"]["surprise"] > 5
    if "C04" in case:  # A detector of means is shown to miss it.
        assert found == [shape]


def test_a_distribution_is_never_measured_by_the_drift_it_found() -> None:
    detect = "{kind: distribution, against: recent, recent: 3}"
    text = f"{HEAD}monitors: {{m: {{signal: value, window: {{events: 50}}, detect: {detect}}}}}"
    task = Task(load_text(text, "x", {}), AT, 0)
    rng = random.Random(1)
    events = [{"prediction": {"value": rng.gauss(0, 1) + 5 * (i >= 500)}} for i in range(1000)]
    task.step(batch_of(events))
    [monitor] = task.by_order
    assert isinstance(monitor, DistributionMonitor)
    kept = monitor.recent[0]
    assert len(kept) == 3
    assert all(counts[-1] < 25 for counts in kept), "the shifted windows all lie in the last bin"
    assert monitor.last[0] > 1
    assert monitor.ended() == {"m": {"evaluated": 18, "insufficient": 0, "late": 0, "skipped": 0}}
    [gauge] = monitor.gauges()
    assert (gauge.name, gauge.model, gauge.value) == ("distribution_distance", "m", monitor.last[0])


EVERY_S, BEGIN_S = 300, 1_790_000_000
KINDS = """false_alarms: {budget: 0.1}
monitors:
  kinds: {signal: category.*, window: {events: 200}, keep_firing_for: 1h, detect: {kind: distribution, days: true}}
"""


def kinds(days: int, fault: int, back: int) -> list[dict[str, Any]]:
    """Every five minutes an event of four kinds; one of fifty is one of eight from a day on, until another."""
    draw, found = random.Random(5), list[dict[str, Any]]()
    for i in range(days * 86_400 // EVERY_S):
        day = i * EVERY_S / 86_400
        rare = 0.12 if fault <= day < back else 0.02
        kind = "d" if draw.random() < rare else draw.choice("aabc")
        found.append({"time": BEGIN_S + i * EVERY_S, "features": {"kind": kind, "other": draw.choice("xy")}})
    return found


def through(given: list[dict[str, Any]], size: int, engine: Engine, again_at: int = 0) -> tuple[Task, list[Any]]:
    """The alerts of a stream that is read in parts; before one of which the state is stored and read back."""
    task, found = Task(load_text(HEAD + KINDS, "x", {}), AT, 0, engine=engine), list[Any]()
    for begin in range(0, len(given), size):
        if begin and begin == again_at:
            found += news(task.outbox)
            task = Task.load(task.config, AT, task.dump(), engine=engine)
        task.step(batch_of(given[begin : begin + size], HEAD + KINDS, begin))
    return task, found + news(task.outbox)


def test_a_rare_level_is_told_at_once_as_long_as_it_lasts_and_the_same_in_any_cut() -> None:
    given = kinds(19, 13, 16)
    begin, end = 13 * 288, 16 * 288
    task, told = through(given, 700, COMPILED or PYTHON, again_at=3_500)
    assert [one["status"] for one in told] == ["firing", "resolved"]
    assert begin <= told[0]["trigger"]["offset"] < begin + 250
    assert told[0]["alert"]["labels"]["signal"] == "category.kind"
    assert "the share of d in category.kind went from 2" in told[0]["sentence"]
    window = told[0]["evidence"]["window"]
    assert window["moved"][0]["after"] > 2 * window["moved"][0]["before"]
    assert window["level"] == "d"
    assert end <= told[1]["changed"]["offset"] <= end + 4 * 200
    for size, engine in ((173, COMPILED or PYTHON), (len(given), PYTHON)):
        other, again = through(given, size, engine)
        assert again == told
        assert other.dump() == task.dump()


def test_an_older_snapshot_has_no_levels_and_they_begin_then() -> None:
    task, _ = through(kinds(3, 9, 9), 400, PYTHON)
    state, again = task.state(), Task(task.config, AT, 0, engine=PYTHON)
    del state["monitors"]["kinds"]["state"]["levels"]
    again.watching.load(state)
    monitor = again.monitors["kinds"]
    assert isinstance(monitor, DistributionMonitor)
    assert monitor.levels is not None
    assert [monitor.levels.bank.levels(row) for row in range(2)] == [5, 3]
    assert monitor.levels.dump()["bank"]["seen"].sum() == 0
