"""Labels are joined with the inference they name, whichever comes first, and each ends in one count."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.beside import LateLabels
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.task import Task
from streamer.series import pending
from streamer.series.labels import MARKS, Labels, mark_of
from tests.engine.tasks import AT, LEAST, piecewise, run

BEGIN_MS = 1_767_225_600_000
DAY_MS = 86_400_000
MONITORS = """
reference: {warmup: 30}
limits: {lateness: 10m, ahead: 90d}
monitors:
  error: {signal: realised_error, detect: {kind: adwin}}
  by-version: {signal: realised_error, by: [version], detect: {kind: adwin}}
  loss: {signal: absolute_error, by: [segment.country], detect: {kind: adwin}}
  bias: {signal: prediction_bias, detect: {kind: adwin}}
  brier: {signal: brier, detect: {kind: adwin}}
  delay: {signal: label_delay, detect: {kind: adwin}}
  truth: {signal: "truth.*", detect: {kind: adwin}}
  traffic: {signal: features.a, detect: {kind: adwin}}
"""
engines = pytest.mark.parametrize("engine", [e for e in (PYTHON, COMPILED) if e is not None], ids=lambda e: e.name)


def config(labels: str = "{}", more: str = MONITORS) -> Config:
    return load_text(f"{LEAST}labels: {labels}\n{more}", "x", {})


def inference(number: int, at_s: float, label: str | None = "ok", **more: Any) -> dict[str, Any]:
    prediction = {} if label is None else {"label": label, "confidence": 0.75}
    event = {"event_id": f"e{number}", "time": BEGIN_MS / 1000 + at_s, "features": {"a": 1.0}, "prediction": prediction}
    return {"model": "fraud", **event, **more}


def label(number: int, at_s: float, truth: Any = "ok", **more: Any) -> dict[str, Any]:
    return {
        "model": "fraud", "time": BEGIN_MS / 1000 + at_s, "label": {"event_id": f"e{number}", "value": truth}, **more
    }  # fmt: skip


def records(events: Sequence[dict[str, Any]]) -> list[Record]:
    return [Record(i, int(one["time"] * 1000), None, json.dumps(one).encode()) for i, one in enumerate(events)]


def labels_of(task: Task) -> Labels:
    found = task.beside["labels"]
    assert isinstance(found, LateLabels)
    return found.labels


def counts(task: Task) -> dict[str, int]:
    found = labels_of(task)
    results = {name: count for name, count in found.results.items() if count}
    assert found.received == sum(found.results.values()) + found.wait, "each ends in one count"
    return results | ({"waiting": found.wait} if found.wait else {})


def taken(events: Sequence[dict[str, Any]], labels: str = "{}", cuts: list[int] | None = None) -> Task:
    return run(config(labels), records(events), cuts)


def values(task: Task, signal: str) -> dict[tuple[str, ...], int]:
    """How many values each series of a signal had, by its group."""
    found = [t for t in task.tables.values() if t.signal.path == signal]
    return {key[0]: int(table.history.heard()[0][row]) + table.reference.at(row).n
            for table in found for row, key in enumerate(table.keys)}  # fmt: skip


HOUR_S, DAY_S = 3600.0, 86_400.0


@pytest.mark.parametrize("late_s", [HOUR_S, DAY_S, 29.9 * DAY_S])
def test_a_label_meets_its_inference_however_late(late_s: float) -> None:
    events = [inference(1, 0), inference(2, late_s), label(1, late_s)]
    task = taken(events)
    assert counts(task) == {"matched": 1}
    assert task.admission.counts["used"] == 3, "and is late for nobody"
    assert task.admission.newest_ms == {"fraud": BEGIN_MS + int(late_s * 1000)}
    assert task.admission.events == {"fraud": 2}, "it is no inference"


def test_one_that_comes_first_waits() -> None:
    assert counts(taken([label(1, 5)])) == {"waiting": 1}
    assert counts(taken([label(1, 5), inference(2, 0), inference(1, 3)])) == {"matched": 1}
    assert counts(taken([inference(2, 0), label(1, 5), inference(2, 31 * DAY_S), inference(1, 31 * DAY_S)])) == {
        "unmatched": 1
    }, "but not for ever"


def test_beyond_ttl_nobody_waits() -> None:
    late = [inference(1, 0), inference(2, 10 * DAY_S), label(1, 10 * DAY_S)]
    assert counts(taken(late, "{ttl: 10d}")) == {"matched": 1}
    assert counts(taken(late, "{ttl: 9d}")) == {"waiting": 1}


def test_beyond_pending_the_oldest_is_forgotten() -> None:
    events = [*(inference(i, i) for i in range(5)), label(2, 9), label(1, 9)]
    assert counts(taken(events, "{pending: 3}")) == {"matched": 1, "waiting": 1}
    early = [*(label(i, i) for i in range(5)), *(inference(i, i) for i in range(5))]
    assert counts(taken(early, "{pending: 3}")) == {"matched": 3, "unmatched": 2}


def test_what_comes_again_is_no_news() -> None:
    events = [inference(1, 0), label(1, 1), label(1, 2), label(1, 3, "bad"), label(1, 4)]
    task = taken(events)
    assert counts(task) == {"matched": 1, "duplicate": 2, "conflicting": 1}
    assert values(task, "realised_error")["fraud",] == 1
    early = [label(1, 1), label(1, 2), label(1, 3, "bad"), inference(1, 0), label(1, 4), label(1, 4, "bad")]
    assert counts(taken(early)) == {"matched": 1, "duplicate": 2, "conflicting": 2}


@pytest.mark.parametrize(
    "events",
    [
        [inference(1, 0, None), label(1, 1)],
        [inference(1, 0), {**label(1, 1), "label": {"event_id": "e1"}}],
        [inference(1, 0), {**label(1, 1), "label": {"event_id": "", "value": "ok"}}],
        [inference(1, 0, None, prediction={"value": 2.5}), label(1, 1, "large")],
        [label(1, 1, "large"), inference(1, 0, None, prediction={"value": 2.5})],
    ],
    ids=["no prediction", "no truth", "no id", "a text for a number", "the same, first"],
)
def test_what_cannot_be_compared_is_counted(events: list[dict[str, Any]]) -> None:
    assert counts(taken(events)) == {"unusable": 1}


@pytest.mark.parametrize(
    ("predicted", "truth", "wrong"),
    [
        ({"label": "ok"}, "ok", 0), ({"label": "ok"}, "bad", 1), ({"label": "1"}, True, 0), ({"label": "1"}, 1, 0),
        ({"label": "1"}, 0, 1), ({"label": "false"}, 0, 0), ({"label": "0.5"}, 0.5, 0),
        ({"scores": {"a": 0.2, "b": 0.7}}, "b", 0), ({"scores": {"a": 0.2, "b": 0.7}}, "a", 1),
    ],
)  # fmt: skip
def test_right_and_wrong(predicted: dict[str, Any], truth: Any, wrong: int) -> None:
    task = taken([inference(1, 0, None, prediction=predicted), label(1, 1, truth)])
    joined = labels_of(task).joined
    assert joined.wrong.tolist() == [bool(wrong)]


def test_numbers_are_compared_as_numbers() -> None:
    task = taken([inference(1, 0, None, prediction={"value": 2.5}), label(1, 61, 3.0)])
    joined = labels_of(task).joined
    assert joined.residual.tolist() == [-0.5]
    assert (joined.label_ms - joined.time_ms).tolist() == [61_000]
    assert values(task, "absolute_error") == {("fraud", ""): 1}
    assert values(task, "realised_error") == {}


def test_a_label_is_of_the_group_of_its_inference() -> None:
    events = [
        inference(1, 0, model_version="7", segment={"country": "NL"}, prediction={"label": "1", "value": 2.0}),
        inference(2, 0, model_version="8"), label(1, 1, 0), label(2, 1, "bad"),
    ]  # fmt: skip
    found = values(taken(events), "realised_error")
    assert found == {("fraud",): 2, ("fraud", "7"): 1, ("fraud", "8"): 1}


def test_ids_are_of_a_model() -> None:
    assert counts(taken([inference(1, 0), label(1, 1, model="other")])) == {"waiting": 1}


def test_an_opted_out_inference_is_not_there() -> None:
    text = MONITORS + "privacy: {opt_out: /opt_out}\n"
    events = [inference(1, 0, opt_out=True), label(1, 1), inference(2, 2), label(2, 3, opt_out=True)]
    task = run(config(more=text), records(events))
    assert counts(task) == {"waiting": 1}
    assert task.admission.counts["filtered"] == 2


def test_a_label_is_no_half_of_a_pair_and_no_inference() -> None:
    text = MONITORS + "mapping: {pair: {within: 1m}}\n"
    task = run(config(more=text), records([inference(1, 0), label(1, 1, event_id="l1"), label(2, 1, event_id="l1")]))
    assert counts(task) == {"matched": 1, "waiting": 1}
    [numbers] = [t for t in task.tables.values() if t.signal.path == "features.a"]
    assert numbers.taken == 1


@engines
def test_labels_of_who_is_not_watched_are_filtered(engine: Engine) -> None:
    for models in ("fraud", '"fr*"'):
        setup = config(more=f"monitors: {{m: {{signal: realised_error, model: {models}, detect: {{kind: adwin}}}}}}\n")
        log = records([inference(1, 0), label(1, 1), label(1, 1, model="other"), inference(1, 1, model="other")])
        task = Task(setup, AT, 0, engine=engine)
        task.step(decode(log, fields_of(setup), AT[0]))
        found = {name: count for name, count in task.admission.counts.items() if count}
        assert found == {"used": 2, "filtered": 2}
        assert counts(task) == {"matched": 1}
        assert values(task, "realised_error") == {("fraud",): 1}


@engines
def test_a_label_is_looked_at_as_of_its_models_newest_time(engine: Engine) -> None:
    setup = config()
    task = Task(setup, AT, 0, engine=engine)
    log = records([label(7, 50), inference(1, 100), label(1, 900), inference(2, 90), label(2, 5, model="new")])
    batch = replace(decode(log, fields_of(setup), AT[0]), aliases=setup.roles())
    admitted, used, now, _ = task.admission.admit(batch, None, BEGIN_MS)
    assert used.all()
    assert ((now - BEGIN_MS) // 1000).tolist() == [0, 100, 100, 100, 100]
    assert ((admitted.times_ms - BEGIN_MS) // 1000).tolist() == [0, 100, 100, 90, 100]
    assert task.admission.places.heard.keys() == {"fraud"}
    assert task.admission.places.clock == 2


def some_log(seed: int, count: int = 3000) -> list[Record]:
    """Inferences of two models in disorder, with labels of any delay, early, twice, contradicting and of nothing."""
    rng, events = random.Random(seed), list[tuple[float, dict[str, Any]]]()
    for i in range(count):
        at = i * 40.0
        model, version, country = rng.choice("ab"), rng.choice("12"), rng.choice(["NL", "DE", ""])
        common = {"model": model, "model_version": version, "segment": {"country": country}}
        value = rng.gauss(0, 1)
        prediction = {"label": rng.choice(["x", "y"]), "confidence": rng.random()} if model == "a" else {"value": value}
        event = {**inference(i, at + rng.gauss(0, 20)), **common, "prediction": prediction}
        events.append((at, event))
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            delay = rng.choice((-500.0, -1.0, 0.001, 30.0, 3000.0, 40_000.0, 90_000.0))
            truth: Any = rng.choice(["x", "y"]) if model == "a" else value + rng.gauss(0, 0.1)
            events.append((at + delay, label(i, at + delay, truth, model=model)))
        if rng.random() < 0.1:
            events.append((at, label(count + i, at, "x", model=model)))
    return records([event for _, event in sorted(events, key=lambda one: one[0])])


TIGHT = "{ttl: 6h, pending: 300}"


@engines
def test_any_cutting_and_any_snapshot_give_the_same(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 64)
    for seed in range(4):
        log, setup = some_log(seed), config(TIGHT)
        whole = Task(setup, AT, 0, engine=engine)
        whole.step(decode(log, fields_of(setup), AT[0]))
        outs, pieces = piecewise(setup, log, engine, random.Random(seed))
        assert pieces.dump() == whole.dump()
        assert outs == whole.outbox
        found = counts(whole)
        assert min(found[name] for name in ("matched", "duplicate", "conflicting", "unmatched")) > 20
        assert labels_of(whole).inferences["expired"] + labels_of(whole).inferences["displaced"] > 100


def expected(log: list[Record], ttl_ms: int, most: int) -> dict[str, int]:
    """What becomes of labels by the rule alone, without blocks: dicts of all there ever was."""
    found = dict.fromkeys(("matched", "duplicate", "conflicting", "unmatched", "unusable", "erased"), 0)
    clock, begun, newest = 0, 0, dict[str, int]()
    rows, early = list[dict[str, Any]](), list[dict[str, Any]]()
    by_id, early_by_id = dict[Any, int](), dict[Any, int]()

    def is_open(some: list[dict[str, Any]], n: int | None) -> bool:
        return n is not None and n >= len(some) - most and (some[n]["came"] or begun) >= clock - ttl_ms

    for record in log:
        event = json.loads(record.value or b"")
        named = event.get("label")
        if named is None:
            time_ms = int(event["time"] * 1000)
            newest[event["model"]] = max(newest.get(event["model"], 0), round(event["time"] * 1000))
            clock = max(clock, newest[event["model"]])
            begun = begun or clock
            assert clock - time_ms < 600_000, "none of the log is late"
            key = event["model"], event["event_id"]
            rows.append({"came": clock, "truth": None, "number": "value" in event["prediction"]})
            by_id[key] = len(rows) - 1
            n = early_by_id.get(key)
            if is_open(early, n) and n is not None and not early[n]["met"]:
                early[n]["met"] = True
                truth = early[n]["truth"]
                if rows[-1]["number"] and isinstance(truth, str):
                    found["unusable"] += 1
                else:
                    rows[-1]["truth"] = truth
                    found["matched"] += 1
            continue
        key, truth = (event["model"], named["event_id"]), named["value"]
        n = by_id.get(key)
        if is_open(rows, n) and n is not None:
            if rows[n]["truth"] is not None:
                found["duplicate" if rows[n]["truth"] == truth else "conflicting"] += 1
            elif rows[n]["number"] and isinstance(truth, str):
                found["unusable"] += 1
            else:
                rows[n]["truth"] = truth
                found["matched"] += 1
            continue
        n = early_by_id.get(key)
        if is_open(early, n) and n is not None:
            found["duplicate" if early[n]["truth"] == truth else "conflicting"] += 1
            continue
        early.append({"came": clock, "truth": truth, "met": False})
        early_by_id[key] = len(early) - 1
    found["unmatched"] = sum(not one["met"] and not is_open(early, n) for n, one in enumerate(early))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_blocks_change_nothing_of_the_rule(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 32)
    log = some_log(seed)
    task = run(config(TIGHT), log, list(range(500, len(log), 500)))
    assert task.admission.counts["used"] == len(log)
    assert labels_of(task).results == expected(log, 6 * 3_600_000, 300)


def test_memory_is_flat_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 256)
    setup, sizes = config("{pending: 2000}"), []
    task = Task(setup, AT, 0)
    for begin in range(0, 12_000, 500):
        events = [inference(i, i) for i in range(begin, begin + 500)]
        log = [record._replace(offset=record.offset + begin) for record in records(events)]
        task.step(decode(log, fields_of(setup), AT[0]))
        sizes.append(labels_of(task).waiting.held_bytes)
    assert max(sizes[8:]) <= (2000 + 5 * 256) * 64, "the blocks that are not yet full or not yet gone beside it"
    assert labels_of(task).inferences["displaced"] >= 12_000 - 2000 - 2 * 256


def test_groups_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 32)
    text = MONITORS.replace("ahead: 90d", "ahead: 90d, series: 20")
    setup = config("{pending: 40}", text)
    task = run(setup, records([inference(i, i, model_version=str(i // 4)) for i in range(200)]))
    found = labels_of(task)
    assert found.inferences["refused"] > 0
    assert len(found.keys) == len(found.numbers) <= 20, "those that nothing is of any more make room"
    assert found.keys[max(found.keys)][1] > "40"


def test_a_model_that_is_forgotten_has_no_inferences() -> None:
    task = taken([inference(1, 0), inference(2, 0, model="b")])
    labels_of(task).forget(["fraud"])
    assert [key[0] for key in labels_of(task).numbers] == ["b"]
    setup = config()
    task.step(decode([r._replace(offset=r.offset + 2) for r in records([label(1, 1)])], fields_of(setup), AT[0]))
    assert counts(task) == {"waiting": 1}


def test_fields_of_groups_may_change_over_a_restart() -> None:
    before = taken([inference(1, 0, model_version="7", caller="x")])
    text = MONITORS.replace("[segment.country]", "[caller]").replace("realised_error, by", "absolute_error, by")
    setup = config(more=text)
    after = Task.load(setup, AT, before.dump())
    after.step(decode([r._replace(offset=r.offset + 1) for r in records([label(1, 1)])], fields_of(setup), AT[0]))
    assert counts(after) == {"matched": 1}


def test_groups_that_became_one_leave_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 8)
    before = taken([inference(n, n, model_version=str(n % 2)) for n in range(16)], "{pending: 20}")
    setup = config("{pending: 20}", MONITORS.replace(", by: [version]", ""))
    after = Task.load(setup, AT, before.dump())
    assert len(labels_of(after).keys) == 2 > len(labels_of(after).numbers)
    log = records([inference(n, n) for n in range(16, 80)])
    after.step(decode([one._replace(offset=one.offset + 16) for one in log], fields_of(setup), AT[0]))
    assert list(labels_of(after).keys.values()) == list(labels_of(after).numbers) == [("fraud", "")]
    again = Task.load(setup, AT, before.dump())
    labels_of(again).forget(["fraud"])
    assert labels_of(again).keys == labels_of(again).numbers == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state["waiting"].update(first=5),
        lambda state: state["waiting"]["last"].update(id=np.zeros(3, np.uint64)),
        lambda state: state.update(groups=0),
        lambda state: state.pop("early"),
    ],
)
def test_a_spoilt_snapshot_is_refused(spoil: Any) -> None:
    state = labels_of(taken([inference(1, 0)])).dump()
    spoil(state)
    with pytest.raises((ValueError, LookupError)):
        labels_of(taken([])).load(state)


def test_marks_fit_sixteen_bits() -> None:
    assert {mark_of(0), mark_of(MARKS - 1), mark_of(MARKS)} == {1, MARKS}
    assert MARKS < 1 << 16
