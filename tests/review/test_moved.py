"""People go on being asked, and heard, when a model moves to another partition of the ordered log."""

from __future__ import annotations

import json
import random
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest

from detectors.lowest import Offered
from schemas.events.batch import Record
from schemas.events.convert import id_hash
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE
from streamer.engine.ordering import part_of
from streamer.engine.repartition import repartitioned
from streamer.engine.reviewing import Reviewing
from streamer.engine.task import Task
from streamer.engine.tasks import Orderings, Tasks
from streamer.port import Out, Parts, Tick
from streamer.review.candidates import HOME_BITS, Known, Spot
from streamer.review.moved import Way, events_join, events_leave, number_of, reviewers_join, reviewers_leave
from streamer.review.queue import Events, Figures, ReviewQueue, Terms
from streamer.review.reviewers import Reviewers
from streamer.signals.verdicts import RIGHT, WRONG

ORDERED, TASKS = "drift-ordered", 4
MODELS = [f"model-{number}" for number in (0, 1, 5, 7, 8, 10)]
BEGIN_MS, DAY_MS = 1_700_006_400_000, 4 * 3_600_000
BUDGET = 420
TEXT = f"""
version: 1
kafka: {{brokers: "b:1", order: model}}
topics: {{events: [in], windows: w}}
reference: {{warmup: 200}}
verdicts: {{topic: said}}
review: {{topic: asked, budget: {BUDGET}, control: 0.6, per: 4h, slots: 4, partitions: 3, settle: 10m, ttl: 4h,
  fields: [label], audit: {{share: 0.1, control: 0.1, most: 90, window: 2h}}}}
monitors:
  mean: {{signal: features.a, detect: {{kind: adwin}}}}
"""


class World:
    """A log over some partitions; people answer every item of the hour before, in the partition where it is now."""

    def __init__(self, parts: int, error: float = 1.0) -> None:
        self.config, self.parts, self.error = load_text(TEXT, "x.yaml", {}), parts, error
        self.rng, self.now_ms, self.number, self.heard = random.Random(1), BEGIN_MS, 0, 0
        self.tasks = [Tasks(self.config).new((ORDERED, number), 0) for number in range(TASKS)]
        for task in self.tasks:
            task.history.over, task.history.end, task.book.news_from = True, 0, 0
        self.outs: list[Out] = []
        self.wrong: dict[str, bool] = {}
        self.at: dict[tuple[int, int, int], int] = {}  # the id of the event that stands there

    def move(self, parts: int) -> None:
        blobs = [task.dump() for task in self.tasks]
        made = repartitioned(self.config, blobs, self.parts, parts, ORDERED, ENGINE)
        self.tasks = [Task.load(self.config, (ORDERED, number), blob) for number, blob in enumerate(made)]
        self.parts = parts

    def put(self, topic: str, values: list[dict[str, Any]]) -> None:
        made, unpack = Orderings(self.config, Parts(self.parts, TASKS)), Tasks(self.config).decode
        first = made.new((topic, 0), 0)
        records = [Record(n, self.now_ms, None, json.dumps(value).encode()) for n, value in enumerate(values)]
        first.step(made.decode(records, topic))
        for out in first.outbox:
            if out.topic == "ordered":
                number = out.partition or 0
                task = self.tasks[number]
                batch = unpack([Record(task.position, self.now_ms, None, out.value)], ORDERED)
                rows = np.zeros(len(batch.offsets)) if batch.rows is None else batch.rows
                where = zip(batch.offsets.tolist(), rows.tolist(), batch.event_id.tolist(), strict=True)
                self.at |= {(number, offset, int(row)): id for offset, row, id in where}
                task.step(batch)

    def minutes(self, ten: int) -> None:
        """So many times ten."""
        for _ in range(ten):
            values = []
            for place in range(120):
                name, confidence = f"e{self.number}", 1.0 - 0.45 * self.rng.random() ** 3
                self.number += 1
                self.wrong[name] = self.rng.random() < (1.0 - confidence) * self.error
                told = {"label": "yes", "confidence": confidence}
                event = {"model": MODELS[place % 6], "event_id": name, "features": {"a": self.rng.gauss(0, 1)}}
                values.append({**event, "prediction": told, "time": (self.now_ms + place * 5000) / 1000})
            self.put("in", values)
            self.now_ms += 600_000
            for task in self.tasks:
                task.tick(Tick(task.position, self.now_ms, caught_up=True))
                self.outs += task.outbox
                task.published()

    def items(self) -> list[dict[str, Any]]:
        return [json.loads(out.value or b"") for out in self.outs if out.topic == "review"]

    def answer(self) -> None:
        items, said = [one["data"] for one in self.items()][self.heard :], []
        self.heard += len(items)
        for item in items:
            verdict = "wrong" if self.wrong[item["event"]["id"]] else "right"
            of = {"model": item["model"], "review_id": item["review_id"]}
            said.append({**of, "reviewer": "ann", "verdict": verdict})
        self.put("said", said)

    def told(self, kind: str) -> list[dict[str, Any]]:
        found = [json.loads(out.value or b"") for out in self.outs if out.topic in ("windows", "alerts")]
        return [one for one in found if one["type"].startswith(f"io.driftline.{kind}.")]

    def people(self) -> list[Reviewing]:
        return [task.beside["review"] for task in self.tasks]  # type: ignore[misc]


@cache
def lived(ways: tuple[int, ...], error: float = 1.0) -> World:
    """Nine hours; at half of every third it has another number of partitions."""
    world = World(ways[0], error)
    for hour in range(9):
        world.minutes(3)
        if hour % 3 == 1 and hour // 3 + 1 < len(ways):
            world.move(ways[hour // 3 + 1])
        world.minutes(3)
        world.answer()
    world.minutes(2)
    return world


@pytest.mark.parametrize("ways", [(1, 3), (3, 2, 3), (2, 3, 1)])
def test_items_are_answered_where_their_model_is_now_and_no_day_has_more_than_its_budget(ways: tuple[int, ...]) -> None:
    world = lived(ways)
    items, people = world.items(), world.people()
    ids = [one["data"]["review_id"] for one in items]
    assert len(ids) == len(set(ids)) > 40
    results = sum((Counter(one.asked.results) for one in people), Counter())
    assert dict(results) == {"matched": world.heard}, "each verdict meets its item, once"
    asked = sum(sum(one.counts.values()) for one in people)
    ended = sum(sum(one.asked.outcomes.values()) for one in people)
    assert asked == len(items) == ended + sum(not i.outcome for one in people for i in one.asked.items.values())
    days = Counter((int(np.datetime64(one["time"].rstrip("Z"), "ms").astype(int)) - 1) // DAY_MS for one in items)
    assert max(days.values()) <= BUDGET
    for one in items:
        place = one["data"]["review_id"].removeprefix(f"{ORDERED}-").split("-")
        offset, _, row = place[1].partition(".")
        event = world.at[int(place[0]), int(offset), int(row or 0)]
        assert event == id_hash(one["data"]["event"]["id"], ""), "an item says where it is"
    where = {model: number for number, one in enumerate(people) for model in one.models()}
    assert where == {model: part_of([model], world.parts) for model in MODELS}


def test_audits_and_their_alerts_go_on() -> None:
    world = lived((1, 1, 3), 4.0)
    told: dict[str, list[tuple[str, str, str]]] = {}
    for one in world.told("alert"):
        what = json.dumps(one["data"]["trigger"]), one["data"]["alert"]["labels"]["partition"], one["data"]["status"]
        told.setdefault(one["correlationid"], []).append(what)
    before = [found for found in told.values() if found[0][1] == f"{ORDERED}[0]"]
    assert before, "some were open when their model moved"
    for found in told.values():
        assert len({one[:2] for one in found}) == 1, "it keeps its id and where it opened"
        assert [one[2] for one in found] == ["firing"] * (len(found) - 1) + ["resolved"] or found[-1][2] == "firing"
    assert any(found[-1][2] == "resolved" and len(found) > 2 for found in before)


def offered(queue: ReviewQueue) -> Any:
    return queue.control.items()


def test_the_control_share_stays_a_sample_of_all() -> None:
    """What is drawn of two that became one are the lowest of the numbers up to which both know everybody."""
    rng, queues = np.random.default_rng(1), [ReviewQueue(Terms(budget=5, slots=1)) for _ in range(2)]
    names, known = ("a", "b"), [dict[Spot, Known](), dict[Spot, Known]()]
    for number, queue in enumerate(queues):
        for offset in range(400):
            model = names[(offset + number) % 2]
            one = np.array([offset])
            events = Events(one, one, one * 0, rng.integers(0, 1 << 62, 1).astype(np.uint64), one * 0,
                            np.array([number_of(model)], np.uint64))  # fmt: skip
            none = np.full(1, np.nan)
            queue.offer(events, Figures(none, none, none, none))
            known[number][offset, 0] = Known(model, "", 0, None, None, ())
    whole = [offered(queue) for queue in queues]
    events_leave(queues[1], known[1], {"b"})
    assert (queues[1].events, queues[1].of_model) == (200, {number_of("a"): 200})
    events_join(queues[0], queues[1], Way(1, 0))
    assert queues[0].events == 600 == sum(queues[0].of_model.values())
    limit = min(one.number[-1] for one in whole)
    mine = whole[0].number[whole[0].number <= limit]
    theirs = [n for n, at in zip(whole[1].number, whole[1].offset, strict=True) if at % 2 == 1 and n <= limit]
    drawn: Offered = offered(queues[0])
    assert drawn.number.tolist() == sorted([*mine, *theirs])[: len(drawn.number)]
    assert {row >> HOME_BITS for row in drawn.row.tolist()} == {0, 2}
    other = ReviewQueue(Terms(budget=5, slots=1))
    other.load(queues[0].dump())
    assert other.limit == queues[0].limit == limit
    assert str(other.dump()) == str(queues[0].dump())


@pytest.mark.parametrize("parts", [3, 4])
def test_there_and_back_is_what_was(parts: int) -> None:
    world = World(2)
    world.minutes(9)
    world.answer()
    world.minutes(8)
    before = [one.dump() for one in world.people()]
    for number in (parts, 2):
        world.move(number)
    for one, was in zip(world.people(), before, strict=True):
        now = one.dump()
        for name in ("alarms", "alerts", "clock_ms", "counts"):
            assert now[name] == was[name], name
        assert sorted(now["asked"]["items"]) == sorted(was["asked"]["items"])
        if parts < 4 and was["queue"] is not None:  # The last one has no share of the budget.
            assert sorted(now["queue"]["of_model"]) == sorted(was["queue"]["of_model"])
            opened = [
                sorted([model, total, str(audit)] for model, total, audit, _ in of["audits"]["open"])
                for of in (now, was)
            ]
            assert opened[0] == opened[1]
            assert {str(place) for place in now["candidates"]} <= {str(place) for place in was["candidates"]}
            assert len(now["candidates"]) >= len(was["candidates"]) // 2


def test_reviewers_are_held_against_what_they_agreed_on_elsewhere_and_an_alert_keeps_its_place() -> None:
    old, new = Reviewers(0.05, 4), Reviewers(0.05, 4)
    for number in range(80):
        said = {"a": RIGHT, "b": RIGHT if number < 65 or number % 2 else WRONG, "c": RIGHT}
        for model in ("moves", "stays"):
            old.decided(model, said, (number, number))
    assert [model for model, _ in old.fallen] == ["moves", "stays"]
    [at, _] = old.fallen.values()
    was = old.dump()["tests"]
    new.decided("here", {"a": RIGHT, "b": WRONG, "c": RIGHT}, (1, 1))
    there = Reviewers(0.05, 4)
    there.load(old.dump())
    reviewers_leave(there, {"stays"})
    reviewers_leave(old, {"moves"})
    reviewers_join(new, there, Way(0, 2))
    assert [list(old.tests), list(new.tests)] == [["stays"], ["here", "moves"]]
    moved, stood = ([str(one) for one in tests if one[0] == "moves"] for tests in (new.dump()["tests"], was))
    assert moved == stood
    assert [model for model, _ in old.fallen] == ["stays"]
    assert new.fallen == {("moves", "b"): at._replace(home=0)}
    reviewers_join(old, new, Way(2, 0))
    assert old.fallen["moves", "b"].home is None  # Where it is from.
