"""Erasure of an id by a record without a value: nothing that is kept knows it any more, whatever the cutting."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.convert import id_hash
from streamer.config.load import load_text
from streamer.engine import snapshot
from streamer.engine.engines import ENGINE
from streamer.engine.erasing import Erasures, asked_for, ids_of, in_order, pieces
from streamer.engine.pairs import Pairs
from streamer.engine.tasks import Orderings, Tasks
from streamer.port import Out, Parts, Tick
from streamer.series.predictions import model_hash
from tests.engine.test_reviewing import BEGIN_MS, ORDERED, TEXT, World, by_topic, told_again
from tests.signals.events import batch_of

PEOPLE = TEXT.replace(
    "monitors:",
    "labels: {topic: truth, ttl: 30d}\nfeedback: {topic: done}\nmonitors:\n"
    "  done: {signal: action.*, detect: {kind: adwin}}",
)


def tombstones(world: World, topic: str, ids: list[str]) -> list[Out]:
    """Erase ids; what the stage before the log publishes of that."""
    stages = Orderings(world.config, Parts(1, 1))
    stage = stages.new((topic, 0), 0)
    stage.step(stages.decode([Record(n, world.now_ms, id.encode(), None) for n, id in enumerate(ids)], topic))
    log = []
    for out in stage.outbox:
        if out.topic == "ordered":
            log.append(Record(world.offset, world.now_ms, None, out.value))
            world.offset += 1
    world.script.append(log)
    world.task.step(world.stages.decode(log, ORDERED))
    world.drain()
    return [out for out in stage.outbox if out.topic != "ordered"]


def numbers_in(state: Any) -> set[int]:
    """All whole numbers in a state, however deep."""
    if isinstance(state, dict):
        return set().union(*(numbers_in(one) for pair in state.items() for one in pair), set())
    if isinstance(state, (list, tuple)):
        return set().union(*(numbers_in(one) for one in state), set())
    if isinstance(state, np.ndarray):
        whole = state.view(np.uint64) if state.dtype.itemsize == 8 else state
        at_1 = np.frombuffer(state.tobytes()[: state.nbytes // 8 * 8], np.uint64)
        return {*whole.reshape(-1).tolist(), *at_1.tolist()} if state.dtype.kind in "iuf" else set()
    return {state} if isinstance(state, int) else set()


def hashes(name: str) -> set[int]:
    bare = id_hash(name, "")
    return {bare, *(bare ^ model_hash(model) for model in "uv"), *(bare ^ id_hash(model, "model") for model in "uv")}


def lived(erase: bool = True) -> tuple[World, list[str], list[Out]]:
    """Labels, feedback and items, then the erasure of some of each, then an hour more."""
    world = World(PEOPLE)
    world.hour()
    world.hour()
    items = world.items()
    asked = [item["event"]["id"] for item in items[:6]]
    early, names = ["never-came"], [f"e{number}" for number in range(world.number - 60, world.number, 5)]
    world.put("truth", [{"model": "u", "event_id": name, "label": "yes"} for name in (*early, *names[:4])])
    world.put("done", [{"model": "u", "feedback": {"event_id": name, "action": "accept"}} for name in names[:6]])
    world.answer(items[:3])
    gone, others = [*asked, *early, *names], list[Out]()
    if erase:
        for topic, ids in (("truth", gone[::2]), ("done", gone[1::2]), ("said", ["nobody"])):
            others += tombstones(world, topic, ids)
    return world, gone, others


@pytest.fixture(scope="module")
def erased() -> tuple[World, list[str], list[Out]]:
    return lived()


def test_nothing_in_the_state_knows_an_erased_id_and_before_it_did(erased: tuple[World, list[str], list[Out]]) -> None:
    world, gone, others = erased
    state = world.task.state()
    known = numbers_in({name: part for name, part in state.items() if name != "admission"})
    text = repr(state["review"])
    for name in gone:
        assert not known & hashes(name), name
        assert f"'{name}'" not in text
    before, _, _ = lived(erase=False)
    known = numbers_in({name: part for name, part in before.task.state().items() if name != "admission"})
    assert all(known & hashes(name) for name in gone)
    assert others == [], "what asks for an erasure is no dead letter, which would have the id"


def test_items_that_waited_leave_a_record_without_a_value_and_all_is_counted(
    erased: tuple[World, list[str], list[Out]],
) -> None:
    world, gone, _ = erased
    told = [out for out in world.outs if out.topic == "review"]
    taken = {(out.key or b"").decode() for out in told if out.value is None}
    made = [json.loads(out.value)["data"] for out in told if out.value is not None]
    assert taken == {one["review_id"] for one in made if one["event"]["id"] in gone}
    assert len(taken) >= 6
    counted = {
        (one.name, one.labels.get("result", one.labels.get("outcome"))): one.value for one in world.task.counters()
    }
    assert counted["erasures_total", "erased"] == len(gone)
    assert counted["erasures_total", "unknown"] == 1
    assert counted["review_outcomes_total", "erased"] > 0 < counted["labels_total", "erased"]
    assert counted["labels_awaited_total", "erased"] > 0
    labels = world.task.beside["labels"].labels  # type: ignore[attr-defined]
    assert labels.wait == 0


def test_any_cutting_and_any_restart_give_the_same_state(erased: tuple[World, list[str], list[Out]]) -> None:
    world, gone, _ = erased
    if world.number < 1200:
        world.hour()
        world.put("truth", [{"model": "u", "event_id": gone[-1], "label": "yes"}])
    task, outs = told_again(world, ENGINE, 5)
    assert by_topic(outs) == by_topic(world.outs)
    assert snapshot.decode(task.dump()) is not None
    assert task.dump() == world.task.dump()


def test_every_partition_of_the_log_hears_of_it_and_the_hash_alone() -> None:
    config = load_text(PEOPLE, "x", {})
    stages, tasks = Orderings(config, Parts(3, 3)), Tasks(config)
    stage = stages.new(("truth", 0), 0)
    good = json.dumps({"model": "u", "event_id": "secret", "label": "yes"}).encode()
    records = [
        Record(0, BEGIN_MS, b"secret", good),
        Record(1, BEGIN_MS, b"secret", None),
        Record(2, BEGIN_MS, None, None),
    ]
    stage.step(stages.decode(records, "truth"))
    found = [out for out in stage.outbox if out.topic == "ordered"]
    assert sorted(out.partition or 0 for out in found if b"secret" not in (out.value or b"")) == [0, 1, 2]
    assert [out.topic for out in stage.outbox if out.topic != "ordered"] == ["dead_letter"], "the one without a key"
    assert sum(stage.counts.values()) == 3
    for out in found:
        batch = tasks.decode([Record(0, 0, None, out.value)], ORDERED)
        assert ids_of(batch) in ([], [id_hash("secret", "")])


def test_a_topic_of_inferences_or_commands_erases_nothing() -> None:
    config = load_text(PEOPLE, "x", {})
    stages = Orderings(config, Parts(1, 1))
    stage = stages.new(("in", 0), 0)
    stage.step(stages.decode([Record(0, BEGIN_MS, b"e1", None)], "in"))
    assert [out.topic for out in stage.outbox] == ["dead_letter"]


def test_a_batch_is_cut_before_and_behind() -> None:
    world, _, _ = lived(erase=False)
    stages = Orderings(world.config, Parts(1, 1))
    stage = stages.new(("truth", 0), 0)
    some = [{"model": "u", "event_id": f"x{i}", "label": "yes"} for i in range(2)]
    values = [json.dumps(some[0]).encode(), None, json.dumps(some[1]).encode()]
    stage.step(stages.decode([Record(i, BEGIN_MS, b"k", value) for i, value in enumerate(values)], "truth"))
    log = [Record(10 + i, 0, None, out.value) for i, out in enumerate(stage.outbox)]
    cut = [*pieces(world.stages.decode(log, ORDERED))]
    assert [(bool(ids_of(one)), len(one.offsets)) for one in cut] == [(False, 1), (True, 1), (False, 1)]
    assert [one.next_offset for one in cut] == [11, 12, 13]
    assert asked_for(()) == ([], ())
    values[2:2] = [None, None]
    batch = stages.decode([Record(i, BEGIN_MS, b"k", value) for i, value in enumerate(values)], "truth")
    found = [(len(part.offsets), [offset for offset, _ in ids], part.next_offset) for part, ids in in_order(batch)]
    assert found == [(1, [1, 2, 3], 4), (1, [], 5)]


def test_counts_go_on_and_those_of_older_snapshots_begin() -> None:
    one, other = Erasures(), Erasures()
    known, nothing = SimpleNamespace(erase=lambda *_: True), SimpleNamespace(erase=lambda *_: False)
    for sources in ([nothing, known], [nothing]):
        assert one.erase(7, ["m"], sources, None, []) == (0, [])
    other.load(one.dump())
    assert other.counts == {"erased": 1, "unknown": 1}
    other.load(None)
    assert other.counts["erased"] == 1


def test_what_is_waited_for_in_a_full_block_is_gone_with_the_next_snapshot() -> None:
    text = (
        PEOPLE.split("review:")[0]
        + "labels: {topic: truth, ttl: 30d}\nmonitors: {e: {signal: realised_error, detect: {kind: adwin}}}\n"
    )
    world = World(text.replace("verdicts: {topic: said}\n", ""))
    rng = random.Random(1)
    for begin in range(0, 17_000, 1000):
        values = [
            {"model": "u", "event_id": f"e{i}", "time": BEGIN_MS + i, "prediction": {"label": rng.choice("yn")}}
            for i in range(begin, begin + 1000)
        ]
        world.put("in", values)
    early = world.task.state()
    before = early["labels"]["waiting"]["blocks"]
    names = [f"e{number}" for number in (3, 16_999)]
    tombstones(world, "truth", names)
    [block] = world.task.state()["labels"]["waiting"]["blocks"]
    assert block.tobytes() != before[0].tobytes(), "what was handed to a snapshot is as it was"
    assert not numbers_in(world.task.state()["labels"]) & {one for name in names for one in hashes(name)}
    again = world.stages.load((ORDERED, 0), world.task.dump())
    for task in (world.task, again):
        task.tick(Tick(world.offset, world.now_ms, caught_up=True))
        assert task.beside["labels"].labels.inferences["erased"] == 2  # type: ignore[attr-defined]
    assert again.dump() == world.task.dump()


def test_half_of_a_pair_that_waits_is_no_event_any_more_and_is_counted() -> None:
    pairs = Pairs(60_000, 10)
    half = {"model": "m", "event_id": "e1", "time": 5, "features": {"a": 1.0}}
    batch = batch_of([half, {**half, "event_id": "e2"}])
    assert not len(pairs.take(batch).offsets)
    assert pairs.erase(id_hash("e1", "")) == 1
    assert pairs.erase(id_hash("e1", "")) == 0
    assert [key[1] for key in pairs.open] == [id_hash("e2", "")]


def test_a_turn_of_the_log_is_not_passed_over_by_an_erasure(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(PEOPLE)
    world.hour(60)
    turns = list[int]()
    monkeypatch.setattr(world.task.room, "turn", turns.append)
    world.offset = 1023
    tombstones(world, "truth", ["e1"])
    assert (turns, world.task.position) == ([1024], 1024)
