"""Alerts that learn, as a whole: people answer what a partition tells them, 15 % of them wrongly, and what it tells
afterwards is compared with what the same events are told without.

Ten seeds by DRIFTLINE_REPETITIONS, else one. Four monitors of one model; a noisy one whose alerts are mostly of no use
and weak, three whose alerts are right. The healthy twin has the same events, and people find the noisy ones useful.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.events.batch import Record
from schemas.records.alert import rfc3339
from streamer.config.model import Config
from streamer.engine.task import Task
from streamer.engine.tasks import Orderings, Tasks
from streamer.port import Out, Parts, Tick
from tests.engine.commands import BASE_MS, LEARNS, ORDERED, command, config_of, of_role, piecewise

SEEDS = range(10 if os.environ.get("DRIFTLINE_REPETITIONS") else 1)
ROUNDS, SIZE, WRONG = 360, 10, 0.15
NOISY = "a"
TEXT = LEARNS + "false_alarms: {learn: MODE}\nmonitors:\n" + "".join(
    f"  {name}: {{signal: missing.{name}, window: {{events: {SIZE}}}, keep_firing_for: 0s,"
    " detect: {kind: fraction, max: 0.16, min_count: 10}}\n"
    for name in "abcd"
)  # fmt: skip
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).resolve().parents[2] / "schemas" / "learn.v1.json").read_text())
)


def config(mode: str) -> Config:
    return config_of(TEXT.replace("MODE", mode))


def missing(rng: random.Random, name: str) -> int:
    """Of the ten events of a window how many lack the feature: 8 or 9 of a fault, 2 of what is of no use."""
    chance = rng.random()
    if name == NOISY:
        return rng.choice((8, 9)) if chance < 0.03 else rng.choice((2, 2, 3)) if chance < 0.95 else 0
    return rng.choice((8, 9)) if chance < 0.2 else 2 if chance < 0.22 else 0


def events_of(seed: int) -> list[list[bytes]]:
    """By round: a window that may be out of order, and one that is in order."""
    rng, number, rounds = random.Random(seed), 0, []
    for _ in range(ROUNDS):
        lacking, made = {name: missing(rng, name) for name in "abcd"}, []
        for place in range(2 * SIZE):
            values = {name: None if place < lacking[name] else rng.gauss(0, 1) for name in "abcd"}
            event = {"model": "fraud", "time": (BASE_MS + 60_000 * number) / 1000, "features": values}
            made.append(json.dumps(event).encode())
            number += 1
        rounds.append(made)
    return rounds


class World:
    """A partition, and the people who answer what it tells them. `useful`: who finds the noisy ones of use."""

    def __init__(self, mode: str, seed: int, useful: bool = False) -> None:
        self.config, self.rng, self.useful = config(mode), random.Random(1000 + seed), useful
        self.made = Orderings(self.config, Parts(1, 1))
        self.stages = {topic: self.made.new((topic, 0), 0) for topic in ("in", "said", "drift-control")}
        tasks = Tasks(self.config)
        self.task, self.decode, self.log = tasks.new(ORDERED, 0), tasks.decode, list[Record]()
        self.outs: list[Out] = []

    def put(self, topic: str, texts: list[bytes]) -> None:
        stage = self.stages[topic]
        records = [Record(stage.position + i, -1, None, text) for i, text in enumerate(texts)]
        stage.step(self.made.decode(records, topic))
        for out in stage.outbox:
            assert out.topic == "ordered", out
            record = Record(len(self.log), 0, None, out.value)
            self.log.append(record)
            self.task.step(self.decode([record], ORDERED[0]))
        stage.published()

    def answered(self) -> list[bytes]:
        """Verdicts on what was told since."""
        outs = self.task.outbox
        self.task.published()
        self.outs += outs
        fired = [one for one in of_role(outs, "alerts") if one["data"]["status"] == "firing"]
        return [self.verdict(one) for one in fired]

    def verdict(self, alert: Mapping[str, Any]) -> bytes:
        right = is_right(alert) or (self.useful and monitor_of(alert) == NOISY)
        said = right if self.rng.random() >= WRONG else not right
        text = {"model": "fraud", "alert_id": alert["correlationid"], "reviewer": "ann"}
        return json.dumps({**text, "verdict": "useful" if said else "not_useful"}).encode()

    def live(self, rounds: list[list[bytes]]) -> World:
        for events in rounds:
            self.put("in", events)
            verdicts = self.answered()
            if verdicts:
                self.put("said", verdicts)
        self.answered()
        return self


def is_right(alert: Mapping[str, Any]) -> bool:
    return bool(alert["data"]["evidence"]["window"]["fraction"] > 0.5)


def monitor_of(alert: Mapping[str, Any]) -> str:
    return str(alert["data"]["alert"]["labels"]["monitor"])


def pages(world: World) -> list[Mapping[str, Any]]:
    """What fired in the last third, when enough was said."""
    begin = BASE_MS + 60_000 * 2 * SIZE * (2 * ROUNDS // 3)
    fired = [one for one in of_role(world.outs, "alerts") if one["data"]["status"] == "firing"]
    return [one for one in fired if one["data"]["trigger"]["time"] > rfc3339(begin)]


def lessons(world: World) -> list[dict[str, Any]]:
    found = [one for one in of_role(world.outs, "control") if one["type"].startswith("io.driftline.learn.")]
    for one in found:
        SCHEMA.validate(one)
    return [one["data"] for one in found]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_noisy_monitor_pages_less_and_what_is_right_is_not_lost(seed: int) -> None:
    rounds = events_of(seed)
    learned, without = World("apply", seed).live(rounds), World("off", seed).live(rounds)
    before, after = pages(without), pages(learned)
    assert len(after) <= 0.5 * len(before)
    right = [sum(map(is_right, some)) for some in (before, after)]
    assert right[1] >= 0.95 * right[0]
    changes = lessons(learned)
    assert {(one["status"], one["monitor"]) for one in changes} == {("changed", NOISY)}
    assert [one["version"] for one in changes] == [*range(1, len(changes) + 1)]
    assert not lessons(without)
    outs, cut = piecewise(learned.config, learned.log, random.Random(seed))
    assert outs == learned.outs
    assert cut.dump() == learned.task.dump()


@pytest.mark.parametrize("seed", SEEDS)
def test_where_alerts_are_of_use_nothing_changes(seed: int) -> None:
    rounds = events_of(seed)[: ROUNDS // 3]
    learned, without = World("apply", seed, useful=True).live(rounds), World("off", seed, useful=True).live(rounds)
    assert not lessons(learned)
    assert [one["id"] for one in of_role(learned.outs, "alerts")] == [
        one["id"] for one in of_role(without.outs, "alerts")
    ]


def test_a_change_is_undone_bit_for_bit_and_its_undoer_is_not_overruled() -> None:
    rounds = events_of(0)
    learned, without = World("apply", 0), World("off", 0)
    learned.live(rounds[:120])
    without.live(rounds[:120])
    [change, *_] = lessons(learned)
    assert change["share"]["after"] < change["share"]["before"] == 1.0
    while learned.task.control is not None and learned.task.control.holds.factors.get(("fraud", NOISY), 1.0) > 1.0:
        id = f"u{len(lessons(learned))}"
        learned.put("drift-control", [command("learn", id, monitor=NOISY, change="undo")])
        learned.answered()
    assert lessons(learned)[-1]["share"]["after"] == 1.0
    begun = [len(learned.outs), len(without.outs)]
    learned.live(rounds[120:230])
    without.live(rounds[120:230])
    assert [one["status"] for one in lessons(learned)][-1] in ("changed", "proposed"), "proposed again, not changed"
    assert lessons(learned)[-1]["share"]["before"] == 1.0
    told_by = [
        [
            (monitor_of(one), one["data"]["status"], one["data"]["trigger"]["time"])
            for one in of_role(world.outs[at:], "alerts")
        ]
        for world, at in zip((learned, without), begun, strict=True)
    ]
    assert told_by[0] == told_by[1]


def test_what_is_proposed_a_person_may_apply() -> None:
    world = World("propose", 0).live(events_of(0)[:120])
    assert {one["status"] for one in lessons(world)} == {"proposed"}
    world.put("drift-control", [command("learn", "x", monitor="b", change="apply")])
    world.put("drift-control", [command("learn", "y", monitor=NOISY, change="apply")])
    world.answered()
    answers = [one["data"] for one in of_role(world.outs, "control") if "control" in one["type"].split(".")]
    assert [one["reason"] for one in answers] == ["nothing_proposed", None]
    assert lessons(world)[-1]["status"] == "changed"


def test_a_verdict_that_comes_before_its_alert_is_over_waits_for_the_tick() -> None:
    world = World("apply", 0)
    world.put("in", events_of(0)[0])
    task: Task = world.task
    assert task.control is not None
    assert task.control.learning is not None
    learning = task.control.learning
    task.control.learning.fired("e", ("fraud", "a"))
    learning.said(["e"], "fraud", "ann", True)
    assert learning.waiting == 1
    learning.resolved("e", 3.0)
    task.tick(Tick(task.position, BASE_MS, caught_up=True))
    assert (learning.waiting, learning.results["counted"]) == (0, 1)


def test_what_is_told_of_a_lesson_is_a_sentence() -> None:
    world = World("apply", 0).live(events_of(0)[:120])
    world.put("drift-control", [command("learn", "u", monitor=NOISY, change="undo", why="it mattered")])
    world.answered()
    [change, undone] = lessons(world)
    assert change["sentence"].startswith("fraud: a is told from 2 times its threshold on (until now 1): of ")
    assert (
        undone["sentence"] == "fraud: ada undid a change of a: it is told from 1 times its threshold on (until now 2)."
    )
    [answer] = [
        one["data"]["sentence"] for one in of_role(world.outs, "control") if "control" in one["type"].split(".")
    ]
    assert answer == undone["sentence"][:-1] + "; it mattered."
