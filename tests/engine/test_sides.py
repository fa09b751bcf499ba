"""Feedback in a topic of its own: by way of the ordered log it meets its inferences, however late it comes."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine import snapshot
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.ordering import Ordering
from streamer.engine.task import Task
from streamer.engine.tasks import Orderings, Tasks
from streamer.port import Partition, Parts, Tick
from streamer.series import pending
from streamer.series.feedback import Feedback
from tests.series.test_labels import labels_of

HOUR_S, BASE_S = 3600, 1_700_000_000
TEXT = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in], windows: w}
reference: {warmup: 100}
privacy: {opt_out: /secret}
feedback: {topic: clicks, event_id: /inference_id, action: /kind, time: /ts}
labels: {topic: truths, event_id: key}
monitors:
  mean: {signal: features.a, detect: {kind: adwin}, keep_firing_for: 1h}
  actions: {signal: action.*, by: [version], window: {events: 50}, detect: {kind: fraction, max: 0.5, min_count: 30}}
"""
PARTS, EVENTS = 2, 600
ALL = Parts(PARTS, PARTS)


@pytest.fixture
def config() -> Config:
    return load_text(TEXT, "x.yaml", {})


def inferences(count: int = EVENTS) -> list[Record]:
    rng, found = random.Random(1), []
    for number in range(count):
        event: dict[str, Any] = {"model": "uv"[number % 2], "event_id": f"e{number}", "time": BASE_S + number}
        event |= {"features": {"a": rng.gauss(0, 1)}, "model_version": "1", "kind": "override", "label": "no truth"}
        found.append(Record(number, 1000 * (BASE_S + number), None, json.dumps(event).encode()))
    return found


def clicks(count: int = EVENTS, late_s: int = 0, **more: Any) -> list[Record]:
    """One of each inference, so much later by its record and so much older by its own time."""
    found = []
    for number in range(count):
        about = {"model": "uv"[number % 2], "inference_id": f"e{number}", "ts": BASE_S + number - late_s, **more}
        value = json.dumps({**about, "kind": "override" if number % 4 == 0 else "accept"}).encode()
        found.append(Record(number, 1000 * (BASE_S + number + late_s), None, value))
    return found


def put(config: Config, logs: list[tuple[Partition, list[Record]]], engine: Engine = ENGINE) -> list[list[Record]]:
    """The ordered log of these, one after the other."""
    stages, found = Orderings(config, ALL, engine=engine), [list[Record]() for _ in range(PARTS)]
    for partition, records in logs:
        stage: Ordering = stages.new(partition, 0)
        stage.step(stages.decode(records, partition[0]))
        for out in stage.outbox:
            if out.topic == "ordered":
                log = found[out.partition or 0]
                log.append(Record(len(log), 0, None, out.value))
    return found


def told(config: Config, log: list[list[Record]]) -> list[Task]:
    stages, tasks = Tasks(config), []
    for number, records in enumerate(log):
        task = stages.new(("drift-ordered", number), 0)
        if records:
            task.step(stages.decode(records, "drift-ordered"))
        tasks.append(task)
    return tasks


def counts(tasks: list[Task]) -> dict[str, int]:
    return {name: sum(task.admission.counts[name] for task in tasks) for name in tasks[0].admission.counts}


def memory(task: Task) -> Feedback:
    [source] = [one for one in task.sources.values() if isinstance(one, Feedback)]
    return source


@pytest.mark.parametrize("late_s", [0, 2 * HOUR_S, 30 * 24 * HOUR_S])
def test_all_feedback_meets_its_inference_however_old_it_says_it_is(config: Config, late_s: int) -> None:
    tasks = told(config, put(config, [(("in", 0), inferences()), (("clicks", 0), clicks(late_s=late_s))]))
    assert counts(tasks) == {"used": 2 * EVENTS, "late": 0, "duplicate": 0, "filtered": 0, "dead_lettered": 0}
    assert [memory(task).results["unmatched"] for task in tasks] == [0, 0]
    newest = {model: time_ms for task in tasks for model, time_ms in task.admission.newest_ms.items()}
    assert newest == {"u": 1000 * (BASE_S + EVENTS - 2), "v": 1000 * (BASE_S + EVENTS - 1)}, "feedback moves no clock"
    ended = [json.loads(out.value or b"")["data"] for task in tasks for out in task.outbox if out.topic == "windows"]
    shares = {(one["labels"]["model"], one["labels"]["signal"], one["window"]["fraction"]) for one in ended}
    assert shares == {("u", "action.override", 0.5), ("u", "action.accept", 0.5), ("v", "action.accept", 1.0)}
    whole = [
        one["window"]["n"] for one in ended if (one["labels"]["model"] == "v") != ("override" in str(one["labels"]))
    ]
    assert sum(whole) == EVENTS, "from the first on"


def test_what_an_inference_has_at_the_places_of_a_topic_of_its_own_is_nothing_of_the_kind(config: Config) -> None:
    tasks = told(config, put(config, [(("in", 0), inferences())]))
    assert counts(tasks)["used"] == EVENTS
    assert not [table for task in tasks for i, table in task.tables.items() if i.signal.kind == "action" and table.keys]
    decoded = Orderings(config, ALL).decode(inferences(), "in")
    assert not {"/kind", "/label", "action", "labels.label"} & {*decoded.names}


def test_who_opted_out_leaves_no_trace_and_who_names_no_inference_is_a_dead_letter(config: Config) -> None:
    refused, lost = clicks(10, secret=True), [Record(10, 0, None, b'{"model": "u", "kind": "accept"}')]
    stages = Orderings(config, ALL)
    stage = stages.new(("clicks", 0), 0)
    stage.step(stages.decode(refused + lost, "clicks"))
    assert stage.counts == {"ordered": 0, "filtered": 10, "dead_lettered": 1}
    assert stage.reasons == {"about_nothing": 1}
    assert [out.topic for out in stage.outbox] == ["dead_letter"]


def test_both_engines_write_the_same_and_any_cutting_of_the_log_gives_the_same_state(config: Config) -> None:
    logs = [(("in", 0), inferences()), (("clicks", 0), clicks()), (("truths", 0), [])]
    log = put(config, logs)
    assert put(config, logs, PYTHON) == log
    rng, stages = random.Random(4), Tasks(config)
    whole = told(config, log)
    for number, records in enumerate(log):
        task, begin = stages.new(("drift-ordered", number), 0), 0
        while begin < len(records):
            end = begin + rng.choice((1, 2, 5))
            task.step(stages.decode(records[begin:end], "drift-ordered"))
            begin = end
        assert task.dump() == whole[number].dump()


def test_labels_go_the_same_way_by_their_own_names(config: Config) -> None:
    truths = [Record(n, 0, b"e%d" % n, json.dumps({"model": "u", "label": n % 2}).encode()) for n in range(50)]
    tasks = told(config, put(config, [(("in", 0), inferences()), (("truths", 0), truths)]))
    assert counts(tasks)["used"] == EVENTS + 50, "the id of an inference is not that of its label"
    names = {name for records in put(config, [(("truths", 0), truths)]) for name in names_in(records)}
    assert names == {"labels.event_id", "labels.label"}


@pytest.mark.parametrize("late_s", [HOUR_S, 24 * HOUR_S, 30 * 24 * HOUR_S])
def test_labels_of_a_topic_of_their_own_all_match_however_late_and_memory_is_flat(
    late_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four periods of what the labels are late by, in the order of the records' times, three quarters with a label."""
    monkeypatch.setattr(pending, "BLOCK", 32)
    period, apart_s = 240, late_s / 240
    config = load_text(TEXT.replace("truths, ", f"truths, ttl: {late_s * 6 // 5}s, "), "x.yaml", {})
    stages, tasks = Orderings(config, ALL), told(config, [[], []])
    firsts = stages.new(("in", 0), 0), stages.new(("truths", 0), 0)
    labelled, sizes = 0, list[int]()
    for begin in range(0, 4 * period, 20):
        for first, late in zip(firsts, (0, period), strict=True):
            records = []
            for number in range(max(begin - late, 0), max(begin + 20 - late, 0)):
                is_label, at_s = bool(late), BASE_S + number * apart_s
                if is_label and number % 4 == 3:
                    continue
                event = {"model": "uv"[number % 2], "event_id": f"e{number}", "time": at_s, "label": number % 2}
                event |= {} if is_label else {"features": {"a": 1.0}, "prediction": {"label": str(number % 3 % 2)}}
                record_ms = int(1000 * (BASE_S + (number + late) * apart_s))
                key = f"e{number}".encode()
                records.append(Record(first.position + len(records), record_ms, key, json.dumps(event).encode()))
                labelled += is_label
            if records:
                first.step(stages.decode(records, first.partition[0]))
            for out in first.outbox:
                if out.topic == "ordered":
                    task = tasks[out.partition or 0]
                    task.step(Tasks(config).decode([Record(task.position, 0, None, out.value)], "drift-ordered"))
            first.published()
        for task in tasks:
            task.tick(Tick(task.position, int(1000 * (BASE_S + begin * apart_s)), caught_up=True))
        sizes.append(sum(len(snapshot.encode(labels_of(task).dump())) for task in tasks))
    waits = [labels_of(task) for task in tasks]
    assert sum(one.results["matched"] for one in waits) == labelled == 3 * period * 3 // 4
    assert sum(one.received for one in waits) == labelled
    assert sum(one.inferences["displaced"] + one.inferences["expired"] for one in waits) >= period // 2
    steady = sizes[len(sizes) * 5 // 12 :]
    assert max(steady) <= min(steady) * 1.2, "of 720 labels as many bytes as of 300, but for a block"


def names_in(records: list[Record]) -> tuple[str, ...]:
    return ENGINE.unpacker()(records, "drift-ordered").names if records else ()


def test_feedback_in_the_topic_of_the_inferences_is_never_late_either(config: Config) -> None:
    text = TEXT.replace("topic: clicks, ", "").replace(", time: /ts", "").replace("labels: {topic: truths", "#")
    one = load_text(text, "x.yaml", {})
    old = [json.loads(record.value or b"") for record in clicks()]
    said = [json.dumps({**click, "time": click["ts"] - 2 * HOUR_S, "event_id": f"f{n}"}) for n, click in enumerate(old)]
    records = inferences() + [Record(EVENTS + n, 0, None, text.encode()) for n, text in enumerate(said)]
    stages = Tasks(one)
    task = stages.new(("in", 0), 0)
    task.step(stages.decode(records, "in"))
    assert counts([task]) == {"used": 2 * EVENTS, "late": 0, "duplicate": 0, "filtered": 0, "dead_lettered": 0}
    assert memory(task).results["unmatched"] == 0
    assert max(task.admission.newest_ms.values()) == 1000 * (BASE_S + EVENTS - 1)


def test_of_a_model_without_inferences_nothing_is_known(config: Config) -> None:
    tasks = told(config, put(config, [(("clicks", 0), clicks(20)), (("in", 0), inferences())]))
    assert counts(tasks) == {"used": EVENTS, "late": 0, "duplicate": 0, "filtered": 20, "dead_lettered": 0}


def test_what_is_about_inferences_comes_behind_those_of_its_commit(config: Config) -> None:
    stages = Orderings(config, ALL)
    first, later = stages.new(("in", 0), 0), stages.new(("clicks", 0), 0)
    first.step(stages.decode(inferences(), "in"))
    later.step(stages.decode(clicks(late_s=HOUR_S), "clicks"))
    assert max(out.turn for out in first.outbox) < min(out.turn for out in later.outbox)
