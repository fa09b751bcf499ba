"""People beside the monitors: a world in which models are right or wrong, items are asked about, reviewers answer."""

from __future__ import annotations

import json
import random
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.reviewing import Reviewing
from streamer.engine.task import Task
from streamer.engine.tasks import Orderings, Tasks
from streamer.port import Out, Parts, Tick
from streamer.series import calibrations
from streamer.signals.verdicts import name_hash

ROOT = Path(__file__).resolve().parents[2]
KINDS = "alert", "review", "audit", "agreement"
SCHEMAS = {
    kind: jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / f"{kind}.v1.json").read_text()))
    for kind in KINDS
}
HOUR_MS, BEGIN_MS = 3_600_000, 1_700_006_400_000  # an hour and a day begin there
ORDERED = "drift-ordered"
TEXT = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in], windows: w}
reference: {warmup: 100}
privacy: {opt_out: /secret}
verdicts: {topic: said}
review: {topic: asked, budget: 100, per: 4h, slots: 4, partitions: 1, settle: 10m, ttl: 4h, fields: [label, features.a],
  audit: {share: 0.05, control: 0.05, most: 15, window: 1h}}
monitors:
  mean: {signal: features.a, detect: {kind: adwin}, keep_firing_for: 30m}
  odd: {signal: ood, detect: {kind: fraction, max: 0.5}, window: {events: 100}}
"""
STAGES = Parts(1, 1)


class World:
    """A log that grows as a service and its reviewers act; `script` is what came, and can be told again otherwise."""

    def __init__(self, text: str = TEXT, seed: int = 1, error: float = 1.0) -> None:
        self.config: Config = load_text(text, "x.yaml", {})
        self.rng, self.error = random.Random(seed), error  # how often it is wrong, by what its confidence says
        self.stages, self.task = Tasks(self.config), Tasks(self.config).new((ORDERED, 0), 0)
        self.script: list[list[Record] | Tick] = []
        self.outs: list[Out] = []
        self.offset = self.number = 0
        self.wrong: dict[str, bool] = {}
        self.now_ms = BEGIN_MS

    def put(self, topic: str, values: list[dict[str, Any]]) -> None:
        orderings = Orderings(self.config, STAGES)
        stage, log = orderings.new((topic, 0), 0), []
        records = [Record(n, self.now_ms, None, json.dumps(value).encode()) for n, value in enumerate(values)]
        stage.step(orderings.decode(records, topic))
        for out in stage.outbox:
            if out.topic == "ordered":
                log.append(Record(self.offset, self.now_ms, None, out.value))
                self.offset += 1
        if not log:
            return
        self.script.append(log)
        self.task.step(self.stages.decode(log, ORDERED))
        self.drain()

    def tick(self) -> None:
        self.script.append(Tick(self.offset, self.now_ms, caught_up=True))
        self.task.tick(self.script[-1])
        self.drain()

    def drain(self) -> None:
        self.outs += self.task.outbox
        self.task.published()

    def hour(self, events: int = 400, shift: float = 0.0, **more: Any) -> None:
        """Some minutes at a time, each with a tick."""
        for _ in range(6):
            values = []
            for _ in range(events // 6):
                name, confidence = f"e{self.number}", 1.0 - 0.45 * self.rng.random() ** 3
                self.wrong[name] = self.rng.random() < (1.0 - confidence) * self.error
                self.number += 1
                features = {"a": self.rng.gauss(shift, 1), "b": self.rng.gauss(0, 1), "c": self.rng.gauss(0, 1)}
                told = {"label": "yes", "confidence": confidence}
                event = {"model": "uv"[self.number % 2], "event_id": name, "features": features, "prediction": told}
                values.append({**event, "time": self.now_ms + 600_000 * len(values) // (events // 6), **more})
            self.put("in", values)
            self.now_ms += 600_000
            self.tick()

    def items(self) -> list[dict[str, Any]]:
        return [json.loads(out.value or b"")["data"] for out in self.outs if out.topic == "review"]

    def records(self, kind: str) -> list[dict[str, Any]]:
        found = [json.loads(out.value or b"") for out in self.outs if out.topic in ("windows", "alerts")]
        return [one["data"] for one in found if one["type"].startswith(f"io.driftline.{kind}.")]

    def answer(self, items: list[dict[str, Any]], reviewer: str = "ann", mistakes: float = 0.0) -> None:
        """One verdict on each, by the truth but for some mistakes."""
        said = []
        for item in items:
            wrong = self.wrong[item["event"]["id"]] != (self.rng.random() < mistakes)
            verdict = "wrong" if wrong else "right"
            said.append(
                {"model": item["model"], "review_id": item["review_id"], "reviewer": reviewer, "verdict": verdict}
            )
        self.put("said", said)


def reviewing(task: Task) -> Reviewing:
    found = task.beside["review"]
    assert isinstance(found, Reviewing)
    return found


def told_again(world: World, engine: Engine, seed: int, snapshots: bool = True) -> tuple[Task, list[Out]]:
    """The script of a world, cut anywhere, now and then from a snapshot on."""
    stages, rng, outs = Tasks(world.config, engine), random.Random(seed), list[Out]()
    task = stages.new((ORDERED, 0), 0)
    for part in world.script:
        if isinstance(part, Tick):
            task.tick(part)
        begin, end = 0, 0
        while not isinstance(part, Tick) and begin < len(part):
            end = begin + rng.choice((1, 3, 50))
            task.step(stages.decode(part[begin:end], ORDERED))
            begin = end
        if rng.random() < 0.4:
            outs += task.outbox
            task = stages.load((ORDERED, 0), task.dump()) if snapshots else task
            task.published()
    return task, outs + list(task.outbox)


@cache
def lived(error: float = 1.0, seed: int = 1, reviewers: str = "ab", mistakes: float = 0.1, hours: int = 6) -> World:
    world, seen = World(TEXT, seed, error), 0
    for number in range(hours):
        world.hour(shift=2.0 if number == 3 else 0.0)
        items, seen = world.items()[seen:], len(world.items())
        for place, reviewer in enumerate(reviewers):
            world.answer(items[place::2] if place else items, reviewer, mistakes)
    world.hour(6)
    return world


@pytest.fixture(scope="module")
def world() -> World:
    return lived()


def by_topic(outs: list[Out]) -> dict[str, list[tuple[bytes | None, bytes | None]]]:
    found: dict[str, list[tuple[bytes | None, bytes | None]]] = {}
    for out in outs:
        found.setdefault(out.topic, []).append((out.key, out.value))
    return found


@pytest.mark.parametrize("engine", [ENGINE, PYTHON], ids=lambda engine: engine.name)
def test_any_cutting_and_any_restart_give_the_same_items_records_and_bytes(world: World, engine: Engine) -> None:
    wanted = by_topic(world.outs)
    for seed in range(2 if engine is ENGINE else 1):
        task, outs = told_again(world, engine, seed)
        assert by_topic(outs) == wanted
        assert task.dump() == world.task.dump()


def test_items_are_as_their_schema_says_and_show_nothing_but_what_was_asked_for(world: World) -> None:
    for out in world.outs:
        kind = json.loads(out.value or b"")["type"].split(".")[2]
        if kind in SCHEMAS:
            SCHEMAS[kind].validate(json.loads(out.value or b""))
    items = world.items()
    assert {item["kind"] for item in items} == {"ranked", "control", "lowest", "random"}
    assert {name for item in items for name in item["values"]} == {"label", "features.a"}
    assert {reason for item in items for reason in item["reasons"]} >= {"evidence", "confidence", "segments"}
    assert all(item["event"]["id"] in world.wrong and item["event"]["topic"] == "in" for item in items)
    assert len({item["review_id"] for item in items}) == len(items) == len({item["event"]["id"] for item in items})


def test_the_budget_holds_in_every_day_and_the_audit_is_in_it(world: World) -> None:
    times = [json.loads(out.value or b"")["time"] for out in world.outs if out.topic == "review"]
    days = Counter(int(time[11:13]) // 4 for time in times)
    assert 0 < max(days.values()) <= 100
    kinds = Counter(item["kind"] for item in world.items())
    assert kinds["ranked"] + kinds["control"] <= 2 * 40
    assert kinds["lowest"] + kinds["random"] <= 15 * 7


def test_every_verdict_and_every_item_is_counted_once(world: World) -> None:
    review = reviewing(world.task)
    counted = {(one.name, *one.labels.values()): one.value for one in world.task.counters()}
    items, verdicts = review.asked, sum(n for (name, *_), n in counted.items() if name == "verdicts_total")
    assert verdicts == sum(items.results.values()) == world.task.admission.counts["used"] - world.number
    asked = sum(n for (name, *_), n in counted.items() if name == "review_items_total")
    open_ones = sum(not item.outcome for item in items.items.values())
    assert asked == len(world.items()) == sum(items.outcomes.values()) + open_ones
    assert items.results["conflicting"] > 0 < items.results["matched"]
    assert items.outcomes["conflicting"] > 0 < items.outcomes["wrong"]


def test_the_error_of_all_and_the_agreement_are_told(world: World) -> None:
    audits = world.records("audit")
    newest = {(one["labels"]["model"], one["window"]["from"]): one for one in audits}
    assert len(newest) == 2 * 7
    assert all(one["rest"]["asked"] and one["lowest"]["asked"] for one in newest.values())
    assert any("error" in one for one in newest.values())
    [one] = [one for one in world.records("agreement") if one["labels"]["model"] == "u"][-1:]
    [pair] = one["pairs"]
    assert pair["reviewers"] == ["a", "b"]
    assert one["overlapping"] == pair["n"] > 0.3 * one["items"] > 0
    assert 0.2 < one["alpha"]["value"] < 1.0
    assert [share["reviewer"] for share in one["reviewers"]] == ["a", "b"]


@pytest.mark.parametrize(("error", "fires"), [(4.0, True), (1.0, False)], ids=["worse than it says", "as it says"])
def test_a_model_that_is_worse_than_it_says_is_an_alert_and_its_healthy_twin_is_none(error: float, fires: bool) -> None:
    told = [
        one for one in lived(error, 3, "a", 0.0).records("alert") if one["alert"]["labels"]["monitor"] == "review.audit"
    ]
    assert bool(told) == fires
    firing = [one for one in told if one["status"] == "firing"]
    assert len({one["alert"]["labels"]["model"] for one in firing}) == 2 * fires
    for one in firing:
        window = one["evidence"]["window"]
        assert one["statistic"] >= one["threshold"] == 20.0
        assert f"of {window['n']:,} looked-at predictions {window['count']:,} were wrong" in one["sentence"]
    over = [one for one in told if one["status"] == "resolved"]
    assert all(one["resolution"] == {"how": "faded"} for one in over)


AUDIT = "audit: {share: 0.1, control: 0.05, most: 24, window: 1h, against: calibration}"
LEARNED = TEXT.replace("audit: {share: 0.05, control: 0.05, most: 15, window: 1h}", AUDIT) + "labels: {ttl: 1d}\n"


@cache
def labelled(before: float, after: float) -> World:
    """Labels of the first three hours come, and then none any more; and so often it is wrong in these, and behind."""
    world, seen, named = World(LEARNED, 5, before), 0, 0
    for number in range(8):
        world.error = before if number < 3 else after
        world.hour()
        late = range(named, world.number) if number < 3 else ()
        said = [(name, {"event_id": f"e{name}", "value": "no" if world.wrong[f"e{name}"] else "yes"}) for name in late]
        labels = [{"model": "uv"[(name + 1) % 2], "time": world.now_ms, "label": one} for name, one in said]
        world.put("in", labels)
        named, items, seen = world.number, world.items()[seen:], len(world.items())
        world.answer(items)
    world.hour(6)
    return world


def audited(world: World) -> set[str]:
    told = [one for one in world.records("alert") if one["alert"]["labels"]["monitor"] == "review.audit"]
    assert all("its labels said at most" in one["sentence"] for one in told)
    return {one["alert"]["labels"]["model"] for one in told}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrations, "BLOCK", 100)


@pytest.mark.usefixtures("small")
def test_against_labels_who_was_always_so_wrong_is_well_and_who_has_become_worse_is_not() -> None:
    """Twice as wrong as it says: held against its own word it is told of, and not where labels said so before."""
    assert audited(labelled(2.0, 2.0)) == set()
    assert audited(labelled(0.4, 3.0)) == {"u", "v"}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("engine", [ENGINE, PYTHON], ids=lambda engine: engine.name)
def test_what_items_are_held_against_does_not_hang_on_the_cut(engine: Engine) -> None:
    world = labelled(0.4, 3.0)
    task, outs = told_again(world, engine, 7)
    assert by_topic(outs) == by_topic(world.outs)
    assert task.dump() == world.task.dump()


def test_who_opted_out_is_never_asked_about_and_leaves_no_trace() -> None:
    world = World()
    world.hour(secret=True)
    world.hour(secret=True)
    assert not world.items()
    review = reviewing(world.task)
    assert (review.candidates.known, review.asked.items, review.queue.events if review.queue else None) == ({}, {}, 0)


def test_ids_are_hashed_where_that_is_asked_for_and_a_partition_without_a_share_asks_nothing() -> None:
    hashed = World(TEXT.replace("budget: 100", "budget: 100, hash_ids: true"))
    hashed.hour()
    hashed.hour(6)
    assert {len(item["event"]["id_hash"]) for item in hashed.items()} == {16}
    assert not any("id" in item["event"] for item in hashed.items())
    stages = Tasks(hashed.config)
    task = stages.new((ORDERED, 1), 0)
    for part in hashed.script:
        if isinstance(part, Tick):
            task.tick(part)
        else:
            task.step(stages.decode(part, ORDERED))
    assert not [out for out in task.outbox if out.topic == "review"]
    assert reviewing(task).no_share == hashed.number


def test_a_snapshot_of_another_budget_begins_a_new_slot_and_keeps_what_was_asked(world: World) -> None:
    other = load_text(TEXT.replace("budget: 100", "budget: 80"), "x", {})
    task = Tasks(other).load((ORDERED, 0), world.task.dump())
    assert reviewing(task).asked.dump()["items"] == reviewing(world.task).asked.dump()["items"]
    assert reviewing(task).counts == reviewing(world.task).counts


def test_an_alert_that_is_open_ends_also_where_nobody_audits_any_more() -> None:
    world = lived(4.0, 3, "a", 0.0, hours=3)
    assert reviewing(world.task).alarms.open
    config = load_text(TEXT.replace("audit: {share: 0.05, control: 0.05, most: 15, window: 1h}", ""), "x", {})
    task = Tasks(config).load((ORDERED, 0), world.task.dump())
    for hours in (1, 9):
        task.tick(Tick(world.offset, world.now_ms + hours * HOUR_MS, caught_up=True))
    told = [json.loads(out.value or b"") for out in task.outbox if out.topic == "alerts"]
    mine = [one["data"]["status"] for one in told if one["data"]["alert"]["labels"]["monitor"] == "review.audit"]
    assert mine.count("resolved") == len(reviewing(world.task).alarms.open)
    assert not reviewing(task).alarms.open


ALONE = TEXT.replace("budget: 100, per: 4h, slots: 4,", "budget: 400, per: 4h, slots: 4, agreement_alpha: 0.05,")


def years(seed: int, text: str = ALONE, careless: float = 0.5, falls: int = 4, hours: int = 7) -> World:
    """Three reviewers of every item; one of them is careless from an hour on."""
    world, seen = World(text, seed), 0
    for number in range(hours):
        world.hour()
        items, seen = world.items()[seen:], len(world.items())
        for reviewer in ("ann", "bob", "zoe"):
            world.answer(items, reviewer, careless if (reviewer, number >= falls) == ("zoe", True) else 0.05)
    world.hour(6)
    return world


def of_agreement(world: World) -> list[dict[str, Any]]:
    return [one for one in world.records("alert") if one["alert"]["labels"]["monitor"] == "review.agreement"]


@pytest.mark.parametrize("careless", [0.5, 0.05], ids=["falls", "as before"])
def test_a_reviewer_whose_agreement_falls_is_an_alert_and_the_healthy_twin_is_none(careless: float) -> None:
    world = years(1, careless=careless)
    told = [one for one in of_agreement(world) if one["status"] == "firing"]
    assert [one["alert"]["labels"]["reviewer"] for one in told] == ["zoe"] * len(told)
    assert bool(told) == (careless == 0.5)
    for out in world.outs:
        if out.topic == "alerts":
            SCHEMAS["alert"].validate(json.loads(out.value or b""))
    for one in told:
        assert one["statistic"] >= one["threshold"] == 40.0
        assert "zoe agreed with others on " in one["sentence"]
    for engine in (ENGINE, PYTHON):
        task, outs = told_again(world, engine, 1)
        assert by_topic(outs) == by_topic(world.outs)
        assert task.dump() == world.task.dump()


def test_of_reviewers_only_the_hash_is_kept_where_that_is_asked_for_and_also_of_what_was_there() -> None:
    named = years(1)
    text = ALONE.replace("verdicts: {topic: said}", "verdicts: {topic: said, hash_reviewers: true}")
    hashed = years(1, text)
    told = [one["sentence"] for one in of_agreement(hashed)]
    assert told
    assert [one.replace(name_hash("zoe"), "zoe") for one in told] == [one["sentence"] for one in of_agreement(named)]
    assert b"zoe" not in b"".join([hashed.task.dump(), *[out.value or b"" for out in hashed.outs]])
    later = Tasks(load_text(text, "x", {})).load((ORDERED, 0), named.task.dump())
    state = reviewing(later).dump()
    assert "ann" not in json.dumps([state["asked"]["items"], state["fallen"]], default=str)
    assert {who for _, who, _ in state["reviewers"]["tests"]} == {name_hash("ann"), name_hash("bob")}
