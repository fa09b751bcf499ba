"""What people do with predictions, by caller of the inference; and people who do not want to be watched."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.series.feedback import AWAITED, Feedback

AT = ("inferences", 0)
CONFIG = load_text(
    """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
reference: {warmup: 300}
feedback: {pending: 500}
privacy: {opt_out: /opt_out}
monitors:
  adoption: {signal: action.*, by: [caller, segment.country], detect: {kind: adwin}}
  missing: {signal: missing.*, detect: {kind: adwin}}
  callers: {signal: caller.*, detect: {kind: adwin}}
""",
    "x",
    {},
)


def record(offset: int, event: dict[str, Any]) -> Record:
    return Record(offset, 1_700_000_000_000 + offset * 1000, None, json.dumps({"model": "fraud", **event}).encode())


def stream(n: int, override: dict[str, float], seed: int = 1) -> Iterator[Record]:
    """n inferences of two callers, each with feedback 40 events later; `override` by caller from the middle on."""
    rng = random.Random(seed)
    waiting: list[tuple[int, str]] = []
    for i in range(2 * n):
        if i % 2 == 0:
            caller = rng.choice(["app", "desk"])
            waiting.append((i, caller))
            inference = {"event_id": f"e{i}", "caller": caller, "segment": {"country": "NL"}, "features": {"a": 1.0}}
            yield record(i, inference)
        elif len(waiting) > 20:
            about, caller = waiting.pop(0)
            share = override.get(caller, 0.05) if i > n else 0.05
            action = "override" if rng.random() < share else "accept"
            yield record(i, {"event_id": f"f{i}", "feedback": {"action": action, "event_id": f"e{about}"}})
        else:
            yield record(i, {"event_id": f"f{i}", "feedback": {"action": "accept", "event_id": "unknown"}})


def run(records: list[Record], size: int = 500, task: Task | None = None) -> Task:
    task = task or Task(CONFIG, AT, 0)
    for begin in range(0, len(records), size):
        task.step(decode(records[begin : begin + size], fields_of(CONFIG), AT[0]))
    return task


def firing(task: Task) -> set[tuple[str, str, str]]:
    found = [json.loads(out.value or b"")["data"] for out in task.outbox if out.topic == "alerts"]
    labels = [d["alert"]["labels"] for d in found if d["status"] == "firing"]
    return {(x["signal"], x.get("caller", ""), x.get("segment_country", "")) for x in labels}


def test_more_overrides_at_one_desk_are_found_and_named() -> None:
    task = run(list(stream(8000, {"desk": 0.12})))
    assert firing(task) == {("action.accept", "desk", "NL"), ("action.override", "desk", "NL")}
    assert firing(run(list(stream(8000, {})))) == set()  # Feedback is no inference: no feature is missing in it.


def test_what_nobody_remembers_is_counted() -> None:
    task = run(list(stream(100, {})))
    [rule] = [source for source in task.sources.values() if isinstance(source, Feedback)]
    assert rule.results["unmatched"] == 20
    assert len(rule.groups) == 100
    run(list(stream(2000, {})), task=Task(CONFIG, AT, 0))
    assert len(rule.groups) <= 500


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_cut_of_the_log_changes_nothing(size: int) -> None:
    records = list(stream(1500, {"app": 0.3}))
    whole, cut = run(records), run(records, size)
    assert cut.outbox == whole.outbox
    assert cut.dump() == whole.dump()
    first = run(records[:1001])
    second = run(records[1001:], task=Task.load(CONFIG, AT, first.dump()))
    assert first.outbox + second.outbox == whole.outbox
    assert second.dump() == whole.dump()


@pytest.mark.parametrize("word", [True, "true", "yes", 1])
def test_who_opted_out_leaves_no_trace(word: Any) -> None:
    events = [
        {"event_id": f"e{i}", "caller": "desk", "segment": {"country": "NL"}, "features": {"a": 1.0}} for i in range(50)
    ]
    shy = {"event_id": "shy-id", "caller": "shy-caller", "segment": {"country": "XX"}, "features": {"shy": 2.0}}
    about = {"event_id": "shy-2", "feedback": {"action": "shy-action", "event_id": "shy-id"}, "opt_out": word}
    without = run([record(i, e) for i, e in enumerate(events)])
    mixed = [record(i, e) for i, e in enumerate(events)]
    mixed += [record(50, {**shy, "opt_out": word}), record(51, about)]
    task = run(mixed)
    assert task.admission.counts["filtered"] == 2
    assert b"shy" not in task.dump()
    task.position, task.admission.counts["filtered"] = without.position, 0
    assert task.dump() == without.dump()


def test_who_did_not_opt_out_is_watched() -> None:
    for word in (False, "no", None, "false"):
        assert run([record(0, {"caller": "desk", "opt_out": word})]).admission.counts["used"] == 1


def test_feedback_within_the_inference_itself_counts_there() -> None:
    events = [
        {"caller": "app", "segment": {"country": "NL"}, "feedback": {"action": "accept"}, "features": {"a": 1.0}}
    ] * 5
    task = run([record(i, event) for i, event in enumerate(events)])
    [table] = [table for table in task.tables.values() if table.signal.kind == "action"]
    assert table.keys == [(("fraud", "app", "NL"), "accept")]
    assert table.reference.at(0).n == 5


def counted(task: Task) -> dict[str, int]:
    """How many values each action had, and what counts for none."""
    [table] = [table for table in task.tables.values() if table.signal.kind == "action"]
    [source] = [source for source in task.sources.values() if isinstance(source, Feedback)]
    events = [table.reference.at(row).n for row in range(len(table.keys))]
    return {"events": max(events, default=0), **{name: source.results[name] for name in ("repeated", "unmatched")}}


def said(about: Any, action: str, **more: Any) -> dict[str, Any]:
    return {"feedback": {"action": action, "event_id": about}, **more}


@pytest.mark.parametrize("size", [1, 2, 100])
def test_feedback_that_is_sent_again_counts_once_but_another_action_is_another(size: int) -> None:
    told = [{"event_id": "e1", "caller": "app"}, said("e1", "accept"), said("e1", "accept"), said("e1", "override")]
    told += [said("e1", "accept"), said("e2", "accept"), said("e2", "accept"), said("e1", "accept", opt_out=True)]
    records = [record(i, event) for i, event in enumerate(told)]
    task = run(records, size)
    assert counted(task) == {"events": 2, "repeated": 2, "unmatched": 2}
    first = run(records[:2], size)
    again = run(records[2:], size, Task.load(CONFIG, AT, first.dump()))
    assert again.dump() == task.dump(), "a snapshot remembers it"


def test_what_was_done_is_forgotten_with_its_inference() -> None:
    events = [{"event_id": f"e{i}"} for i in range(501)]
    task = run([record(i, one) for i, one in enumerate([events[0], said("e0", "accept"), *events[1:]])])
    [source] = [source for source in task.sources.values() if isinstance(source, Feedback)]
    assert (len(source.groups), source.marks) == (500, {})
    source.marks, kept = {one: 1 for one in source.groups}, len(source.groups)
    source.forget(["nobody"])
    assert len(source.marks) == kept
    source.forget(["fraud"])
    assert (source.groups, source.marks) == ({}, {})


def test_of_many_actions_on_one_inference_the_newest_are_known() -> None:
    actions = [said("e1", f"a{i}") for i in range(6)]
    task = run([record(i, one) for i, one in enumerate([{"event_id": "e1"}, *actions, actions[5], actions[2]])])
    assert counted(task)["repeated"] == 2
    assert (
        counted(run([record(i, one) for i, one in enumerate([{"event_id": "e1"}, *actions, actions[0]])]))["repeated"]
        == 0
    )


def test_ids_may_be_numbers() -> None:
    task = run(
        [
            record(0, {"event_id": 17, "features": {"a": 1.0}}),
            record(1, said(17, "accept")),
            record(2, said(18, "accept")),
        ]
    )
    assert counted(task) == {"events": 1, "repeated": 0, "unmatched": 1}
    assert task.admission.events == {"fraud": 1 + 2}


def test_older_snapshots_know_of_no_action() -> None:
    task = run([record(0, {"event_id": "e1"}), record(1, said("e1", "accept"))])
    [source] = [source for source in task.sources.values() if isinstance(source, Feedback)]
    state = source.dump()
    for name in ("marks", "repeated", "matched", *AWAITED):
        del state[name]
    other = Feedback(500)
    other.load(state)
    assert (other.groups, other.marks) == (source.groups, {})
    with pytest.raises(ValueError, match="actions"):
        other.load({**state, "marks": np.zeros(9, np.uint64)})


@pytest.mark.parametrize("size", [1, 3, 100])
def test_both_sides_are_counted_once_however_many_tables_ask(size: int) -> None:
    config = load_text(
        """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
feedback: {pending: 3}
monitors:
  every: {signal: action.*, by: [caller], detect: {kind: adwin}}
  one: {signal: action.accept, detect: {kind: adwin}}
""",
        "x",
        {},
    )
    told = [{"event_id": f"e{n}"} for n in range(4)]  # The first is forgotten.
    told += [said("e0", "accept"), said("e1", "accept"), said("e1", "accept"), said("e1", "override")]
    told += [{"event_id": f"e{n}"} for n in (4, 5)]  # So are one that was answered, and one that was not.
    task = Task(config, AT, 0)
    records = [record(i, one) for i, one in enumerate(told)]
    for begin in range(0, len(records), size):
        task.step(decode(records[begin : begin + size], fields_of(config), AT[0]))
    again = Task.load(config, AT, task.dump())
    for one in task, again:
        found = {(c.name, c.labels["result"]): c.value for c in one.counters() if c.name.startswith("feedback_")}
        assert found == {
            ("feedback_total", "matched"): 2,
            ("feedback_total", "repeated"): 1,
            ("feedback_total", "unmatched"): 1,
            ("feedback_awaited_total", "answered"): 1,
            ("feedback_awaited_total", "displaced"): 2,
            ("feedback_awaited_total", "erased"): 0,
        }


def test_an_inference_that_is_erased_is_no_longer_waited_for() -> None:
    events = [{"event_id": "e0"}, {"event_id": "e1"}, said("e1", "accept")]
    [source] = [
        one
        for one in run([record(i, one) for i, one in enumerate(events)]).sources.values()
        if isinstance(one, Feedback)
    ]
    known = list(source.groups)
    assert [source.erase(one, ["fraud"]) for one in (*known, known[0])] == [True, True, False]
    assert source.inferences == {"answered": 1, "displaced": 0, "erased": 1}
