"""Edges: what a bank finds becomes a finding with the evidence of its own event, whatever follows in the batch."""

from __future__ import annotations

import random
import re
from typing import Any

import numpy as np
import pytest

from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.task import Task
from streamer.monitors.edges import (
    DIRECTIONS,
    EdgeMonitor,
    OccurrenceMonitor,
    RankMonitor,
    learn,
    step_table,
    wanted_of,
)
from streamer.monitors.evidence import evidence, told
from streamer.monitors.finding import DRIFT, Finding
from tests.engine.tasks import AT, LEAST, news
from tests.engine.tasks import events as records_of
from tests.signals.events import HEAD, batch_of

KINDS = ("adwin", "page_hinkley")


def task_of(monitors: str, native: bool = True) -> Task:
    engine = ENGINE if native else PYTHON
    task = Task(load_text(f"{HEAD}monitors: {{{monitors}}}\n", "x", {}), ("inferences", 0), 0, engine)
    task.watching.sweeps = {}
    return task


def findings(task: Task, events: list[dict[str, Any]], size: int = 10_000) -> list[Finding]:
    """The edges that the monitors of the first table find, by offset."""
    table_id, table = next(iter(task.tables.items()))
    found = []
    for begin in range(0, len(events), size):
        batch = batch_of(events[begin : begin + size], begin=begin)
        column = table.column(batch, table.groups(batch, np.ones(len(batch.offsets), bool)))
        mine = task.watching.of_table[table_id]
        parts = step_table(batch, table, column, table.judge(batch, column), mine, batch.times_ms)
        found += [finding._replace(event=begin + finding.event) for finding in parts if finding.signal == DRIFT]
    return found


def stepped(up: float, seed: int = 1, n: int = 1200) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [{"features": {"a": rng.gauss(up * (i >= n // 2), 1.0)}} for i in range(n)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("up", [3.0, -3.0])
def test_only_the_direction_that_is_wanted_is_found(kind: str, up: float) -> None:
    ways = {
        way: f"{way}: {{signal: features.a, detect: {{kind: {kind}, direction: {way}}}}}"
        for way in ("up", "down", "both")
    }
    task = task_of(", ".join(ways.values()))
    assert [wanted_of(monitor) for monitor in task.by_order] == [1, -1, None]
    found = findings(task, stepped(up))
    names = {task.by_order[finding.monitor].name for finding in found}
    assert names == {"both", "up" if up > 0 else "down"}
    assert all((finding.signal, finding.ended) == (DRIFT, "") for finding in found)
    assert 600 <= min(finding.event for finding in found) < 660
    assert DIRECTIONS.keys() | {"both"} == set(ways)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_in_the_warm_up_unless_values_are_taken_as_they_are(kind: str) -> None:
    early = [{"features": {"a": 0.0 if i < 40 else 200.0}} for i in range(100)]
    assert findings(task_of(f"m: {{signal: features.a, detect: {{kind: {kind}}}}}"), early) == []
    found = findings(task_of(f"m: {{signal: features.a, detect: {{kind: {kind}, raw: true}}}}"), early)
    assert found
    assert 40 <= found[0].event < 100
    shown = told(found[0].evidence)
    assert (shown["finding"]["direction"], shown["evidence"]["before"]) == ("up", None)


@pytest.mark.parametrize("size", [3, 7, 100])
def test_evidence_is_that_of_the_event_however_the_log_is_cut(size: int) -> None:
    text = "a: {signal: features.a, detect: {kind: adwin}}, b: {signal: features.a, detect: {kind: page_hinkley}}"
    events = stepped(3.0, n=500)

    def plain(found: list[Finding]) -> list[Any]:
        return [(f.event, f.monitor, f.row, repr(told(f.evidence)["finding"])) for f in found]

    whole, cut = findings(task_of(text), events), findings(task_of(text), events, size)
    assert {finding.monitor for finding in whole} == {0, 1}
    assert plain(cut) == plain(whole)
    first = told(whole[0].evidence)["evidence"]
    assert first["before"]["n"] == 100
    assert first["after"]["mean"] > first["before"]["mean"] + 1.5


def test_hits_of_several_monitors_come_in_the_order_of_their_events() -> None:
    task = task_of(
        "a: {signal: features.*, detect: {kind: adwin}}, b: {signal: features.*, detect: {kind: page_hinkley}}"
    )
    rng = random.Random(3)
    events = [
        {"features": {n: rng.gauss(4.0 * (i >= at), 1) for n, at in (("x", 400), ("y", 300))}} for i in range(700)
    ]
    found = findings(task, events)
    assert [(f.event, f.monitor) for f in found] == sorted((f.event, f.monitor) for f in found)
    assert {(f.row, f.monitor) for f in found} == {(row, monitor) for row in (0, 1) for monitor in (0, 1)}


def test_a_finished_warm_up_is_handed_to_every_monitor_once() -> None:
    task = task_of("m: {signal: features.a, window: {events: 50}, detect: {kind: distribution}}")
    [table] = task.tables.values()
    taken: list[Any] = []
    [monitor] = task.by_order
    monitor.learn = taken.append  # type: ignore[method-assign]
    batch = batch_of([{"features": {"a": float(i)}} for i in range(150)])
    column = table.column(batch, table.groups(batch, np.ones(150, bool)))
    learn(table, [monitor])
    assert taken == [], "nothing is over yet"
    table.judge(batch, column)
    learn(table, [monitor])
    learn(table, [monitor])
    [[(row, values)]] = taken
    assert (row, values.tolist()) == (0, [float(i) for i in range(100)])


BEFORE, AFTER = {"mean": 10.0, "std": 2.0}, {"mean": 13.0}


SHARES = {"mean": 0.1, "std": 0.3}, {"mean": 0.4}
WENT = "mean of features.a went from 10 to 13"


@pytest.mark.parametrize(
    ("signal", "before", "after", "words"),
    [
        ("features.a", BEFORE, AFTER, f"{WENT} (+1.5 deviations)"),
        ("features.a", {**BEFORE, "std": 0.0}, AFTER, WENT),
        ("missing.a", *SHARES, "share of events without a went from 10.0% to 40.0% (+1.0 deviations)"),
        ("features.a", None, AFTER, "mean of features.a moved to 13"),
        ("features.a", BEFORE, None, "mean of features.a changed"),
        ("features.a", None, None, "mean of features.a changed"),
    ],
)
def test_the_sentence_says_what_is_known(signal: str, before: Any, after: Any, words: str) -> None:
    [monitor] = task_of("m: {signal: features.a, detect: {kind: adwin}}").by_order
    assert isinstance(monitor, EdgeMonitor)
    assert monitor.sentence({"signal": signal}, evidence(1, 1.0, 1.0, before, after, None)) == words


def test_an_occurrence_says_what_happened_and_has_no_before_to_go_back_to() -> None:
    [monitor] = task_of("m: {signal: error, detect: {kind: occurrence}, keep_firing_for: 3m}").by_order
    assert isinstance(monitor, OccurrenceMonitor)
    assert monitor.following is None
    assert monitor.config.resolves == "faded"
    told = {"finding": {"statistic": 1.0}}
    assert monitor.sentence({"signal": "error"}, told) == "events failed"
    assert monitor.sentence({"signal": "type_change.a"}, told) == "features.a is now a text, was a number"
    assert monitor.sentence({"signal": "unseen.country"}, told) == "events have a country the reference never saw"


def test_where_the_spread_moved_more_than_the_mean_that_is_said() -> None:
    task = task_of("m: {signal: features.a, detect: {kind: shiryaev_roberts}}")
    monitor = task.by_order[0]
    assert type(monitor) is RankMonitor

    def said(mean: float, std: float, before: Any) -> str:
        after = {"n": 20, "mean": mean, "std": std}
        return monitor.sentence({"signal": "features.a"}, evidence(0, 1.0, 1.0, before, after, None))

    before = {"n": 500, "mean": 10.0, "std": 2.0}
    assert said(10.4, 6.0, before) == "standard deviation of features.a went from 2 to 6"
    assert said(10.4, 1.0, before) == "standard deviation of features.a went from 2 to 1"
    assert said(18.0, 3.0, before) == "mean of features.a went from 10 to 18 (+4.0 deviations)"
    assert said(18.0, 3.0, None) == "mean of features.a moved to 18"
    assert said(18.0, 3.0, {**before, "std": 0.0}) == "mean of features.a went from 10 to 18"
    share = evidence(1, 1.0, 1.0, {"n": 500, "mean": 0.01, "std": 0.1}, {"n": 20, "mean": 0.05, "std": 0.22}, None)
    assert monitor.sentence({"signal": "missing.a"}, share).startswith("share of events without a went from 1.0% to")


LEVELS = {
    "a step": [(100.0, 200), (130.0, 300)],
    "there and back": [(100.0, 200), (130.0, 300), (100.0, 300)],
    "down and half up": [(100.0, 300), (60.0, 300), (80.0, 300)],
    "stairs": [(100.0, 200), (120.0, 200), (145.0, 200), (170.0, 200)],
    "small": [(100.0, 400), (103.0, 900), (100.0, 1200)],
    "late": [(100.0, 700), (60.0, 300)],
}
SHARES = [(0.02, 400), (0.4, 500), (0.02, 600)]
RIVER = ("ADWIN", "PageHinkley", "KSWIN")
EDGES = [
    *(f"kind: {kind}" for kind in ("adwin", "page_hinkley", "shiryaev_roberts", "envelope")),
    *(f"kind: river, name: {name}" for name in RIVER),
]


def made(levels: list[tuple[float, int]], draw: Any) -> list[Any]:
    return [draw(level) for level, count in levels for _ in range(count)]


def checked(found: list[Finding], monitor: Any, signal: str) -> None:
    """Direction, effect and sentence of every edge say the same."""
    for finding in found:
        shown = told(finding.evidence)
        parts, effect = shown["evidence"], shown["finding"]["effect"]["absolute"]
        sentence = monitor.sentence({"signal": signal}, shown)
        if not parts["before"] or not parts["after"]:
            continue
        assert shown["finding"]["direction"] == ("up" if effect > 0 else "down" if effect < 0 else "unknown")
        assert effect == parts["after"]["mean"] - parts["before"]["mean"]
        deviations = shown["finding"]["effect"]["deviations"]
        assert deviations is None or (deviations > 0) == (effect > 0)
        one, other = re.findall(r"from (\S+?)%? to (\S+?)%?(?:$| )", sentence)[0]
        if sentence.startswith(("mean", "share")):
            assert (float(one) < float(other)) == (effect > 0)
        assert one != other
        assert parts["before"]["offsets"][1] <= parts["onset"]["offset"] <= parts["after"]["offsets"][0]


@pytest.mark.parametrize("detect", EDGES)
@pytest.mark.parametrize("native", [True, False])
def test_the_evidence_of_every_detector_tells_the_truth(detect: str, native: bool) -> None:
    """Up if and only if the effect is above nothing, and the sentence goes the same way."""
    count = 0
    for seed, levels in enumerate(LEVELS.values()):
        rng = random.Random(seed)
        values = made(levels, lambda level: rng.gauss(level, 5.0))  # noqa: B023
        events = [{"features": {"a": value}} for value in values]
        task = task_of(f"m: {{signal: features.a, detect: {{{detect}}}}}", native)
        found = findings(task, events)
        checked(found, task.by_order[0], "features.a")
        count += len(found)
    rng = random.Random(9)
    events = [{"status": status} for status in made(SHARES, lambda share: "error" if rng.random() < share else "ok")]
    task = task_of(f"m: {{signal: error, detect: {{{detect}}}}}", native)
    found = findings(task, events)
    checked(found, task.by_order[0], "error")
    assert count + len(found) > 1


@pytest.mark.parametrize("detect", ["kind: adwin", "kind: page_hinkley", "kind: shiryaev_roberts, arl: 10000"])
@pytest.mark.parametrize("seed", range(3))
def test_a_return_is_told_from_where_it_returned(detect: str, seed: int) -> None:
    rng = random.Random(seed)
    values = made([(100.0, 700), (130.0, 900), (100.0, 400)], lambda level: rng.gauss(level, 5.0))
    task = task_of(f"m: {{signal: features.a, detect: {{{detect}}}}}")
    back = [told(f.evidence) for f in findings(task, [{"features": {"a": v}} for v in values]) if f.event >= 1600]
    assert back
    parts = back[0]["evidence"]
    assert back[0]["finding"]["direction"] == "down"
    assert (parts["before"]["mean"], parts["after"]["mean"]) == (pytest.approx(130, abs=2), pytest.approx(100, abs=6))
    assert parts["after"]["offsets"][0] >= 1598
    assert abs(parts["onset"]["offset"] - 1600) <= 16
    assert parts["reference"]["mean"] == pytest.approx(100, abs=3)


KINDS_OF_EDGES = ("adwin", "page_hinkley", "shiryaev_roberts", "envelope")


def told_of(
    kind: str, direction: str, levels: list[tuple[float, int]], seed: int, engine: Engine = ENGINE
) -> list[Any]:
    detect = f"{{kind: {kind}, direction: {direction}}}"
    config = load_text(f"{LEAST}monitors: {{c: {{signal: confidence, detect: {detect}}}}}\n", "x", {})
    rng = random.Random(seed)
    values = [rng.gauss(mean, 0.03) for mean, n in levels for _ in range(n)]
    log = records_of(lambda i: {"prediction": {"confidence": values[i]}}, len(values))
    task = Task(config, AT, 0, engine=engine)
    task.step(decode(log, fields_of(config), AT[0]))
    return [data for data in news(task.outbox) if data["status"] == "firing"]


@pytest.mark.parametrize("kind", KINDS_OF_EDGES)
@pytest.mark.parametrize("seed", range(3))
def test_a_rise_does_not_page_and_its_end_is_no_drop(kind: str, seed: int) -> None:
    rise = [(0.8, 1500), (0.9, 1500), (0.8, 1500)]
    assert told_of(kind, "down", rise, seed) == []
    mirrored = [(1.6 - mean, n) for mean, n in rise]
    assert told_of(kind, "up", mirrored, seed) == []
    if kind != "envelope":  # A few minutes of school tell only what is unmistakable.
        assert [data["direction"] for data in told_of(kind, "both", rise, seed)][:1] == ["up"], "there is something"


@pytest.mark.parametrize("engine", [PYTHON, ENGINE], ids=["python", "chosen"])
@pytest.mark.parametrize("kind", KINDS_OF_EDGES[:3])
def test_a_drop_behind_or_out_of_the_rise_is_told(kind: str, engine: Engine) -> None:
    for levels in ([(0.8, 1500), (0.9, 1000), (0.8, 1000), (0.7, 500)], [(0.8, 1500), (0.9, 1000), (0.7, 1000)]):
        [drop] = told_of(kind, "down", levels, 1, engine)
        begin = sum(n for _, n in levels[:-1])
        assert begin <= drop["trigger"]["offset"] < begin + 200
        assert drop["evidence"]["after"]["mean"] == pytest.approx(0.7, abs=0.02)
