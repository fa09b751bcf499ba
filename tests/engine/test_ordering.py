"""A topic that is not keyed by model: over the ordered log a model is one, whatever partition its events came in."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from schemas.events.packed import events_of
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import COMPILED, PYTHON
from streamer.engine.ordering import Ordering, middle, part_of
from streamer.engine.task import Task
from streamer.port import Out, Partition, Parts
from streamer.service.catalogue import CATALOGUE

TEXT = """
version: 1
kafka: {brokers: "b:1", order: model}
topics: {events: [in]}
reference: {warmup: 100}
privacy: {opt_out: /secret}
monitors:
  mean: {signal: features.a, detect: {kind: adwin}, keep_firing_for: 1h}
"""
PARTS, PARTITIONS, EVENTS = 4, 3, 900
PLACES = [1, 7, 1, 0]
ALL = Parts(PARTS, PARTS)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 600, 601])
def test_the_middle_of_times_is_their_median(count: int) -> None:
    times_ms = np.random.default_rng(count).integers(-1, 7_000_000_000_000, count)
    assert middle(times_ms) == (int(np.median(times_ms)) if count else 0)
    assert middle(times_ms - times_ms - 1) == -min(count, 1)


def event(number: int, rng: random.Random) -> dict[str, Any]:
    model = "uvwxyz"[number % 6]
    shifted = number > EVENTS * 4 and model == "u"
    return {
        "model": model,
        "event_id": str(number),
        "time": 1_700_000_000 + number,
        "features": {"a": rng.gauss(4 if shifted else 0, 1), "c": rng.choice("abc")},
        **({"secret": True} if number % 50 == 7 else {}),
    }


def topic(seed: int) -> dict[Partition, list[Record]]:
    """Events anywhere, as a producer without a key puts them; some are no events."""
    rng = random.Random(seed)
    logs: dict[Partition, list[Record]] = {("in", number): [] for number in range(PARTITIONS)}
    for number in range(EVENTS * 6):
        log = logs["in", rng.randrange(PARTITIONS)]
        value = b"{" if number % 200 == 3 else json.dumps(event(number, rng)).encode()
        log.append(Record(2 * len(log), -1, None, value))
    return logs


def ordered(config: Config, logs: dict[Partition, list[Record]], rng: random.Random) -> list[list[Record]]:
    """What stands in the ordered log, by partition: the stages of the input take turns, in pieces of any size."""
    decode = Decoder(fields_of(config))
    stages = {partition: Ordering(config, partition, 0, ALL) for partition in logs}
    read = dict.fromkeys(logs, 0)
    found: list[list[Record]] = [[] for _ in range(PARTS)]
    while left := [partition for partition, log in logs.items() if read[partition] < len(log)]:
        partition = min(left, key=lambda p: read[p] + rng.random() * 40)
        piece = logs[partition][read[partition] : read[partition] + rng.choice((1, 5, 60))]
        read[partition] += len(piece)
        stages[partition].step(decode(piece, partition[0]))
        for out in stages[partition].outbox:
            if out.topic == "ordered":
                assert out.partition is not None
                found[out.partition].append(Record(3 * len(found[out.partition]), -1, None, out.value))
        stages[partition].published()
    return found


@pytest.fixture(scope="module")
def config() -> Config:
    return load_text(TEXT, "x.yaml", {})


def alerts(outs: list[Out]) -> list[dict[str, Any]]:
    return [json.loads(out.value or b"")["data"] for out in outs if out.topic == "alerts"]


def test_a_model_over_three_partitions_is_one_and_its_shift_one_alert_that_names_its_record(config: Config) -> None:
    logs = topic(1)
    log = ordered(config, logs, random.Random(2))
    tasks = [Task(config, ("drift-ordered", number), 0) for number in range(PARTS)]
    for task, records in zip(tasks, log, strict=True):
        task.step(events_of(records))
    taken = sum(sum(task.admission.counts.values()) for task in tasks)
    refused = sum(b"secret" in (record.value or b"") for records in logs.values() for record in records)
    broken = sum(record.value == b"{" for records in logs.values() for record in records)
    assert taken + refused + broken == EVENTS * 6
    assert sorted(model for task in tasks for model in task.admission.events) == list("uvwxyz")
    fired = [told for task in tasks for told in alerts(task.outbox) if told["status"] == "firing"]
    assert [told["alert"]["labels"]["model"] for told in fired] == ["u"]
    schema = json.loads((Path(__file__).resolve().parents[2] / "schemas" / "alert.v1.json").read_text())
    whole = [json.loads(out.value or b"") for task in tasks for out in task.outbox if out.topic == "alerts"]
    for one in whole:
        jsonschema.Draft202012Validator(schema).validate(one)
    trigger, sentence = fired[0]["trigger"], fired[0]["sentence"]
    record = logs[trigger["topic"], trigger["partition"]][trigger["offset"] // 2]
    assert json.loads(record.value or b"")["model"] == "u"
    assert f"adwin at in[{trigger['partition']}]@{trigger['offset']}." in sentence


@pytest.mark.parametrize("seed", range(3))
def test_any_cutting_of_the_ordered_log_gives_the_same_alerts_and_snapshot(config: Config, seed: int) -> None:
    rng = random.Random(seed)
    for number, records in enumerate(ordered(config, topic(1), rng)):
        at = "drift-ordered", number
        whole, task, outs, begin = Task(config, at, 0), Task(config, at, 0), list[Out](), 0
        whole.step(events_of(records))
        while begin < len(records):
            end = begin + rng.choice((1, 9, 50))
            task.step(events_of(records[begin:end]))
            begin = end
            if rng.random() < 0.1:
                outs += task.outbox
                task = Task.load(config, at, task.dump())
        assert [*outs, *task.outbox] == whole.outbox
        assert task.dump() == whole.dump()


@pytest.mark.skipif(COMPILED is None, reason="the compiled core was not built")
def test_both_engines_write_the_same_ordered_log_and_state(config: Config) -> None:
    assert COMPILED is not None
    told = []
    for engine in (PYTHON, COMPILED):
        stage, decode, outs = Ordering(config, ("in", 1), 0, ALL, 0, 300, engine), Decoder(fields_of(config)), []
        for begin in range(0, 1000, 70):
            stage.step(decode(topic(1)["in", 1][begin : begin + 70], "in"))
            outs += stage.outbox
            stage.published()
            stage = Ordering.load(config, ("in", 1), stage.dump(), ALL, engine=engine)
        told.append((outs, stage.dump()))
    assert told[0] == told[1]


PAIRED = TEXT.replace("monitors:", "mapping: {pair: {within: 10m}}\nmonitors:")


@pytest.mark.parametrize("answers", ["in", "answers"])
def test_a_request_and_its_answer_meet_whatever_partitions_and_topics_they_came_in(answers: str) -> None:
    """And who opted out in one of them has done so for both; nothing else of him is written."""
    config = load_text(PAIRED.replace("[in]", "[in, answers]"), "x.yaml", {})
    logs: dict[Partition, list[Record]] = {("in", 0): [], (answers, 1): [], (answers, 2): []}
    for number in range(200):
        head = {"model": "m", "event_id": str(number), "time": 1_700_000_000 + number}
        refused = {"secret": True} if number % 10 == 0 else {}
        asked = {**head, **refused, "features": {"a": number, "c": "hidden" if refused else "x"}}
        answer = {**head, "prediction": {"label": "y"}}
        for partition, event in ((("in", 0), asked), ((answers, 1 + number % 2), answer)):
            log = logs[partition]
            log.append(Record(len(log), -1, None, json.dumps(event).encode()))
    log = ordered(config, logs, random.Random(1))
    assert not any(b"hidden" in (record.value or b"") for records in log for record in records)
    whole, cut = [], []
    for number, records in enumerate(log):
        tasks = [Task(config, ("drift-ordered", number), 0) for _ in range(2)]
        tasks[0].step(events_of(records))
        for record in records:
            tasks[1].step(events_of([record]))
            tasks[1] = Task.load(config, ("drift-ordered", number), tasks[1].dump())
        whole.append(tasks[0])
        cut.append(tasks[1])
    assert [task.dump() for task in whole] == [task.dump() for task in cut]
    assert sum(task.pairs.paired for task in whole if task.pairs) == 200
    counts = [task.admission.counts for task in whole]
    assert (sum(one["used"] for one in counts), sum(one["filtered"] for one in counts)) == (380, 20)


def test_a_model_stays_where_it_is_and_alerts_about_records_are_counted() -> None:
    """A hash that changes would give a model a second series after an update."""
    assert [part_of((model,), 12) for model in ("fraud", "churn", "x", "größe")] == PLACES
    config = load_text(TEXT, "x.yaml", {})
    stage, decode = Ordering(config, ("in", 0), 0, ALL), Decoder(fields_of(config))
    stage.step(decode([Record(i, -1, None, b"{") for i in range(100)], "in"))
    for counter in stage.counters():
        values = CATALOGUE[counter.name].labels
        assert all(not closed or counter.labels[label] in closed for label, closed in values.items()), counter
    counted = {(c.name, *c.labels.values()): c.value for c in stage.counters()}
    assert counted["alerts_emitted_total", "firing", "warning"] == 1
    assert counted["records_consumed_total", "in"] == counted["events_total", "in", "dead_lettered"] == 100
    again = Ordering.load(config, ("in", 0), stage.dump(), ALL)
    assert again.dump() == stage.dump()


def test_a_hot_model_is_shared_out_by_what_the_config_says_and_each_part_is_whole() -> None:
    text = TEXT.replace("order: model}", "order: model, order_by: [caller, segment.country]}")
    config, rng = load_text(text, "x", {}), random.Random(5)
    stage = Ordering(config, ("in", 0), 0, Parts(8, 8))
    places: dict[tuple[str, str], set[int]] = {}
    records = []
    for number in range(600):
        who = rng.choice("abcdefgh"), rng.choice(["nl", "be", ""])
        event = {"model": "hot", "event_id": str(number), "caller": who[0], "segment": {"country": who[1]}}
        records.append(Record(number, 1_700_000_000_000, None, json.dumps(event | {"features": {"a": 1}}).encode()))
    for begin in range(0, 600, 97):
        stage.step(Decoder(fields_of(config))(records[begin : begin + 97], "in"))
    for out in stage.outbox:
        events = events_of([Record(0, -1, None, out.value)])
        assert out.partition is not None
        for offset in events.origin.offset.tolist():  # type: ignore[union-attr]
            event = json.loads(records[offset].value or b"")
            places.setdefault((event["caller"], event["segment"]["country"]), set()).add(out.partition)
    assert len(places) == 24
    assert {len(of) for of in places.values()} == {1}, "each is in one partition"
    assert {part for of in places.values() for part in of} > {0, 1, 2}, "and not all in one"


def test_records_know_their_turn_among_those_of_other_partitions_and_never_go_back() -> None:
    config = load_text(TEXT, "x", {})
    stage = Ordering(config, ("in", 0), 0, ALL)
    turns = []
    for begin, time_s in ((0, 1_700_000_100), (5, 1_700_000_200), (10, 1_700_000_050)):
        events = [{"model": "u", "time": time_s + i, "features": {"a": 1}} for i in range(5)]
        stage.step(
            Decoder(fields_of(config))(
                [Record(begin + i, -1, None, json.dumps(e).encode()) for i, e in enumerate(events)], "in"
            )
        )
        turns.append(stage.outbox[-1].turn - 1_700_000_000_000)
    assert turns == [102_000, 202_000, 202_000]
    stage.published()
    assert stage.turn == 0
    assert [out.turn for out in Ordering.load(config, ("in", 0), stage.dump(), ALL).outbox] == []
