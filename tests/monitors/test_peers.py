"""One of several against its peers, through the whole engine: named, over, the same in any cut and either engine."""

from __future__ import annotations

import random
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.engine.engines import COMPILED, PYTHON
from streamer.engine.task import Task
from streamer.monitors.detectable import Detectable
from streamer.monitors.peers import PeersMonitor
from tests.engine.tasks import news
from tests.signals.events import HEAD, batch_of

TEXT = HEAD + (
    "standard: false\nlimits: {lateness: 0s}\nmonitors:\n"
    "  m: {signal: features.a, by: [version, segment.host], window: {time: 10s}, keep_firing_for: 5s, "
    "detect: {kind: peers}}\n"
    "  n: {signal: missing.a, by: [segment.host], window: {time: 10s}, detect: {kind: peers}}\n"
)


def events(count: int, off: float = 3.0) -> list[dict[str, Any]]:
    """A hundred a second of ten hosts, one of them off in the first half."""
    draw = random.Random(1)
    found = []
    for i in range(count):
        host = draw.randrange(10)
        value = draw.gauss(i / 500 + off * (host == 7 and i < count / 2), 1)
        found.append({"time": i / 100, "model_version": "1", "segment": {"host": f"h{host}"}, "features": {"a": value}})
    return found


def run(given: list[dict[str, Any]], size: int, engine: Any = PYTHON) -> tuple[Task, list[Any]]:
    task = Task(load_text(TEXT, "x", {}), ("inferences", 0), 0, engine=engine)
    for i in range(0, len(given), size):
        task.step(batch_of(given[i : i + size], TEXT, i))
    return task, [alert for alert in news(task.outbox) if "sentence" in alert]


def test_one_is_named_and_then_no_longer_whatever_the_cut_and_the_engine() -> None:
    given = events(6000)
    task, told = run(given, 6000)
    assert [alert["status"] for alert in told] == ["firing", "resolved"]
    assert told[0]["sentence"].startswith("m (1, h7): host h7 differs from its 9 peers: mean of features.a ")
    assert "; no longer differs, was found by peers at " in told[1]["sentence"]
    assert told[0]["evidence"]["window"]["peers"] == 9
    assert told[0]["trigger"]["offset"] <= 2000, "within two windows"
    for size, engine in ((700, PYTHON), (700, COMPILED or PYTHON), (6000, COMPILED or PYTHON)):
        other, again = run(given, size, engine)
        assert again == told
        assert other.dump() == task.dump()
    assert Task.load(task.config, task.partition, task.dump()).dump() == task.dump()


def test_healthy_peers_that_all_rise_are_silent() -> None:
    task, told = run(events(6000, off=0.0), 2000)
    assert told == []
    assert isinstance(task.monitors["m"], PeersMonitor)
    assert task.monitors["m"].ended()["m"]["evaluated"] > 0
    [*found] = Detectable(task.monitors["m"]).drifts(0, 1e6, task.monitors["m"].table.learned(0).scale)
    assert {(one.horizon, one.direction) for one in found} == {(h, d) for h in ("1h", "1d") for d in ("up", "down")}
    assert all(0.1 < one.units < 3.0 for one in found), "off by three deviations is named, by a tenth is not"


def test_a_set_has_its_part_of_what_all_that_live_have_together() -> None:
    text = TEXT.replace("features.a", "features.*")
    given = events(6000, off=0.0)
    for i, event in enumerate(given):
        event["features"] |= {"b": float(i % 7), **({"c": 1.0} if i % 2 else {})}
        event["time"] += 86_400 * (i >= 5000)
    task, whole = Task(load_text(text, "x", {}), ("inferences", 0), 0, engine=PYTHON), 1 / 7 / 2
    monitor = task.monitors["m"]
    assert isinstance(monitor, PeersMonitor)
    found = []
    for i in range(0, 6000, 500):
        task.step(batch_of(given[i : i + 500], text, i))
        found.append(monitor.chance(0, 10) / 10_000 * 86_400_000)
    assert found[0] == found[9] == pytest.approx(whole / 12), "before it is known how many live"
    assert found[10] == pytest.approx(whole * 10 / 30), "ten of thirty"
    assert monitor.chance(0, 5) / 10_000 * 86_400_000 == pytest.approx(whole * 5 / 30), "the others have theirs"
    assert monitor.chance(0, 40) / 10_000 * 86_400_000 == pytest.approx(whole), "and never more than all"
    assert all(met.chance == monitor.chance(0, 10) for met in monitor.last.values()), "by which they are judged"
    again = Task.load(task.config, task.partition, task.dump()).monitors["m"]
    assert isinstance(again, PeersMonitor)
    assert again.chance(0, 10) == monitor.chance(0, 10)
