"""What the topic held before the first start is told low, but for what still holds where it ends."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.alerts.alert import Moment, Notice
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.history import HOLDING_MAX
from streamer.engine.task import Task
from streamer.monitors.finding import BREACH
from streamer.offline.replay import Replay
from streamer.port import Out, Tick
from tests.engine.tasks import AT, LEAST, by_topic, events

CONFIG = LEAST + (
    "reference: {warmup: 50}\n"
    "monitors:\n"
    "  rise: {signal: features.x, detect: {kind: adwin, delta: 0.002}, severity: critical}\n"
    "  low: {signal: features.y, detect: {kind: adwin, delta: 0.002}, severity: info}\n"
    "defaults: {keep_firing_for: 20s, recover_band: 3}\n"
)
PAST, HOLDS, NEWS = (150, 250), (500, 720), (900, 1000)
"""Where `x` is away: over before the end of the history, across it, and after."""
END, FADING = 600, 860
ENGINES = [engine for engine in (COMPILED, PYTHON) if engine is not None]


def config() -> Config:
    return load_text(CONFIG, "test.yaml", {})


def log(seed: int = 0) -> list[Record]:
    rng = random.Random(seed)

    def make(i: int) -> dict[str, Any]:
        away = any(begin <= i < end for begin, end in (PAST, HOLDS, NEWS))
        return {"features": {"x": rng.gauss(5.0 if away else 0.0, 0.3), "y": rng.gauss(5.0 if away else 0.0, 0.3)}}

    return events(make, 1100)


def begun(engine: Engine | None = None, end: int = END) -> Task:
    return Task(config(), AT, 0, first_end=end, **({"engine": engine} if engine else {}))


def fed(task: Task, records: list[Record]) -> Task:
    task.step(decode(records, fields_of(task.config), AT[0]))
    return task


def told(outs: list[Out], monitor: str = "rise") -> list[tuple[str, str, bool, int]]:
    """Of each record of the monitor: what it says, how grave it is, whether it is of the history, and its trigger."""
    found = [json.loads(out.value or b"") for out in outs if out.topic == "alerts"]
    mine = [one for one in found if one["data"]["alert"]["labels"]["monitor"] == monitor]
    for one in mine:
        data = one["data"]
        retained = data.get("retained", False)
        assert (data["alert"]["labels"].get("retained") == "true") == retained
        assert {"info": "INFO", "critical": "ERROR"}[data["alert"]["labels"]["severity"]] == one["severitytext"]
    return [
        (
            one["data"]["resolution"]["how"] if one["data"]["resolution"] else one["data"]["status"],
            one["data"]["alert"]["labels"]["severity"],
            one["data"].get("retained", False),
            one["data"]["changed"]["offset"],
        )
        for one in mine
    ]


def test_what_happened_before_the_first_start_is_told_low_and_what_holds_as_it_is() -> None:
    found = told(fed(begun(), log()).outbox)
    (opened, *_, at), (over, *_, gone) = found[:2]
    assert (opened, over) == ("firing", "recovered")
    assert PAST[0] <= at < PAST[1] <= gone < HOLDS[0]
    assert [one[1:3] for one in found[:4]] == [("info", True)] * 4
    assert [(one[0], one[3]) for one in found[3:5]] == [("current", END - 1), ("firing", END - 1)]
    assert [one[1:3] for one in found[4:]] == [("critical", False)] * 3
    assert [one[0] for one in found[5:]] == ["recovered", "firing"]
    assert NEWS[0] <= found[6][3] < NEWS[1]


def test_without_a_history_nothing_is_low() -> None:
    plain = fed(Task(config(), AT, 0), log())
    assert {one[1:3] for one in told(plain.outbox)} == {("critical", False)}
    assert b"first-end" not in b"".join(out.value or b"" for out in plain.outbox)
    began_at_its_end = fed(Task(config(), AT, 0, first_end=0), log())
    assert began_at_its_end.outbox == plain.outbox


def test_a_monitor_of_that_severity_has_another_alert_in_the_history() -> None:
    """So that who reads the newest record of each key takes none for the other."""
    outs = [json.loads(o.value or b"") for o in fed(begun(), log()).outbox if o.topic == "alerts"]
    mine = [one for one in outs if one["data"]["alert"]["labels"]["monitor"] == "low"]
    assert len({one["data"]["fingerprint"] for one in mine}) == 2
    assert len({one["id"] for one in outs}) == len(outs)
    assert {one["data"]["fingerprint"] for one in mine if one["data"].get("retained")} == {
        mine[0]["data"]["fingerprint"]
    }


def test_incidents_of_the_history_are_their_own_and_low() -> None:
    outs = [json.loads(o.value or b"")["data"] for o in fed(begun(), log()).outbox if o.topic == "incidents"]
    assert {(one["retained"], one["severity"]) for one in outs} == {(True, "info"), (False, "critical")}
    assert not {one["incident"] for one in outs if one["retained"]} & {
        one["incident"] for one in outs if not one["retained"]
    }
    newest = {one["incident"]: (one["retained"], one["status"]) for one in outs}
    assert {status for retained, status in newest.values() if retained} == {"resolved"}
    assert all(("in retained history, " in one["sentence"]) == one["retained"] for one in outs)


def test_what_is_fading_where_the_history_ends_is_over_without_a_word() -> None:
    end = FADING
    task = fed(begun(end=end), log()[:end])
    assert [a.state for a in task.book.alerts.values() if a.retained and a.state != "quiet"] == ["fading", "fading"]
    found = told(fed(task, log()[end : NEWS[0]]).outbox)
    assert found[-1][:3] == ("recovered", "info", True)
    assert found[-1][3] >= end


def test_what_was_fading_where_the_history_ended_and_is_back_is_news() -> None:
    end = FADING
    task = fed(begun(end=end), log()[:end])
    alert = task.book.alerts["rise", 0]
    assert (alert.state, alert.retained) == ("fading", True)
    notices: list[Notice] = []
    task.book.signal(alert, BREACH, Moment(end + 3, alert.fired_ms + 9, alert.fired_ms + 9), notices)
    assert [(one.status, one.how, one.retained, one.at.offset) for one in notices] == [
        ("resolved", "current", True, end + 3),
        ("firing", "", False, end + 3),
    ]
    assert not alert.retained


def in_pieces(engine: Engine, rng: random.Random, records: list[Record], ticks: list[Tick]) -> tuple[list[Out], Task]:
    task, outs, position = begun(engine), list[Out](), 0
    for tick in [*ticks, None]:
        stop = tick.offset if tick else len(records) + 10
        due = [r for r in records if position <= r.offset < stop]
        while due:
            size = rng.choice((1, 7, 90))
            fed(task, due[:size])
            due = due[size:]
            if rng.random() < 0.1:
                outs += task.outbox
                task = Task.load(config(), AT, task.dump(), engine)
        position = stop
        if tick:
            task.tick(tick)
    return outs + list(task.outbox), task


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_any_cutting_and_any_restart_tell_the_same(engine: Engine) -> None:
    """With a gap around the end, as the marks of transactions leave one, and with a tick that hears no more."""
    whole = [r for r in log() if not END - 9 <= r.offset < END + 5]
    for ticks in [], [Tick(END - 9, 1_700_000_400_000, True)], [Tick(END - 9, 1_700_000_400_000, False)]:
        expected, task = in_pieces(engine, random.Random(99), whole, ticks)
        assert task.history.end == END - 9
        for seed in range(4):
            outs, other = in_pieces(engine, random.Random(seed), whole, ticks)
            assert other.dump() == task.dump()
            for role in ("alerts", "incidents", "heartbeats"):
                assert [o for o in outs if o.topic == role] == [o for o in expected if o.topic == role]
        assert [one[0] for one in told(expected)].count("current") == 1


def test_of_many_that_hold_some_are_named() -> None:
    task = fed(begun(), log()[:END])
    task.history.held = [("rise", 0)] * (HOLDING_MAX + 3)
    assert task.history.holding(task.monitors) == ["fraud: rise of features.x"] * HOLDING_MAX + ["and 3 more"]


def test_both_engines_tell_the_same() -> None:
    tasks = [fed(begun(engine), log()) for engine in ENGINES]
    assert all(by_topic(task) == by_topic(tasks[0]) for task in tasks)
    assert len({task.dump() for task in tasks}) == 1


def test_a_tick_that_hears_no_more_ends_it() -> None:
    task = fed(begun(), log()[: HOLDS[0] + 30])
    task.published()
    task.tick(Tick(task.position, 1_700_000_300_000, False))
    assert not task.history.over
    assert told(task.outbox) == []
    task.tick(Tick(task.position, 1_700_000_301_000, True))
    assert task.history.over
    assert [one[:3] for one in told(task.outbox)] == [("current", "info", True), ("firing", "critical", False)]
    assert task.history.holding(task.monitors) == ["fraud: rise of features.x", "fraud: low of features.y"]
    nothing = begun()
    nothing.tick(Tick(0, 1_700_000_300_000, True))
    assert not nothing.history.over, "nothing was read yet"


def test_the_command_of_each_alert_prints_it_again() -> None:
    """Also where the history ended before its last offset."""
    records = [r for r in log() if not END - 9 <= r.offset < END + 5]
    for out in fed(begun(), records).outbox:
        if out.topic != "alerts":
            continue
        *_, begin, _, end, _, first_end = json.loads(out.value or b"")["data"]["replay"]["command"].split()
        again = Replay(config(), fields_of(config()), first_end=int(first_end))
        printed = again.step(AT, [r for r in records if int(begin) <= r.offset < int(end)])
        assert out in printed


def test_a_snapshot_of_before_has_no_history() -> None:
    task = Task(config(), AT, 0)
    state = task.state()
    del state["history"]
    task._restore(state)
    assert task.history.over
