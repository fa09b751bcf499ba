"""Windows of performance: sums of what labels said, told again while more come."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.beside import LateLabels
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.snapshot import decode, encode
from streamer.engine.task import Task
from streamer.port import Tick
from streamer.series import pending
from streamer.series.calibrations import Calibrations
from streamer.series.cells import CLASSES, OTHER, SHOWN
from streamer.series.estimates import WHY_NOT
from streamer.series.performance import Performance, Predicted
from streamer.series.predictions import CLASS
from tests.engine.labelled import SEEDS, config_of, stream
from tests.engine.labelled import lived as labelled
from tests.engine.tasks import AT, LEAST
from tests.later import Later
from tests.series.test_labels import BEGIN_MS, MONITORS, inference, label, records, some_log

stats = Later("scipy.stats")

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).resolve().parents[2] / "schemas" / "performance.v1.json").read_text())
)
HEAD = LEAST.replace("[inferences]}", "[inferences], windows: drift-windows}")
CONFIG_OF_STREAM = config_of("""
heartbeat: {interval: 1h}
monitors: {wrong: {signal: realised_error, by: [segment.country], detect: {kind: adwin}}}
""")
ENVELOPE = {
    "specversion": "1.0", "id": "x", "type": "io.driftline.performance.v1", "source": "/driftline/x", "subject": "m",
    "time": "2026-01-01T00:00:00.000Z", "datacontenttype": "application/json",
    "dataschema": "urn:driftline:schema:performance:1",
}  # fmt: skip
CONFIG = load_text(f"{HEAD}labels: {{ttl: 1d, window: 10m}}\n{MONITORS}", "x", {})


NONE = Calibrations((), [()])


def said_by(count: int) -> Predicted:
    return Predicted(np.full(count, CLASS), np.full(count, 5, np.uint64), np.full(count, 0.75))


def lived(events: list[dict[str, Any]], ticks: list[int], cut: int = 1000, engine: Engine = ENGINE) -> tuple[Task, Any]:
    """A task that took the events, with a tick before each of the places and one at the end; and what it told."""
    log, task, told = records(events), Task(CONFIG, AT, 0, engine=engine), list[Any]()
    decoder = Decoder(fields_of(CONFIG), compiled=engine is not PYTHON)
    begin = 0
    for number, end in enumerate([*ticks, len(log)]):
        while begin < end:
            upto = min(begin + cut, end)
            task.step(decoder(log[begin:upto], AT[0]))
            begin = upto
        task.tick(Tick(end, BEGIN_MS + number * 60_000, True))
        told += [json.loads(out.value or b"") for out in task.outbox if out.topic == "windows"]
        task.published()
        task = Task.load(CONFIG, AT, task.dump(), engine) if number % 2 else task
    for record in told:
        SCHEMA.validate(record)
    return task, [record["data"] | {"id": record["id"]} for record in told]


def of(told: list[Any], **labels: str) -> list[Any]:
    return [one for one in told if one["labels"] == {"model": "fraud", **labels} and one["by"] == list(labels)]


def test_a_window_is_told_when_it_is_over_and_again_when_labels_come() -> None:
    events = [inference(i, i * 60, "x") for i in range(10)]
    events += [label(0, 300, "x"), label(1, 300, "y"), inference(10, 600, "x"), label(2, 700, "x"), label(10, 700, "x")]
    _, told = lived(events, [12, 13, 13, 14])
    mine = of(told)
    assert [(one["window"]["version"], one["inferences"], one["labelled"]) for one in mine] == [(1, 10, 2), (2, 10, 3)]
    assert mine[1]["error"]["count"] == 1
    assert mine[0]["window"]["from"] == "2026-01-01T00:00:00.000Z"
    assert mine[0]["closed_by"] == {"topic": "inferences", "partition": 0, "offset": 13}
    assert len({one["id"] for one in told}) == len(told)


def test_figures_are_those_that_are_counted_by_hand() -> None:
    rng = random.Random(5)
    said = [(rng.choice("abc"), rng.choice("aabc"), rng.random()) for _ in range(400)]
    events: list[dict[str, Any]] = []
    for i, (predicted, _, confidence) in enumerate(said):
        prediction = {"label": predicted, "confidence": confidence}
        events.append(inference(i, i, prediction=prediction, model_version=str(i % 2)))
    events += [label(i, 400, true) for i, (_, true, _) in enumerate(said)]
    _, told = lived([*events, inference(999, 700)], [])
    [one] = of(told)
    predicted, true = [p for p, _, _ in said], [t for _, t, _ in said]
    wrong = sum(p != t for p, t, _ in said)
    low, high = stats.beta.ppf(0.025, wrong, 400 - wrong + 1), stats.beta.ppf(0.975, wrong + 1, 400 - wrong)
    assert one["error"] == {"count": wrong, "share": wrong / 400, "interval": pytest.approx([low, high], abs=1e-9)}
    found = {c["class"]: (c["precision"], c["recall"], c["f1"], c["true"]) for c in one["classes"]}
    for name, told_of in found.items():
        hits = sum(p == t == name for p, t, _ in said)
        precision, recall = hits / predicted.count(name), hits / true.count(name)
        f1 = 2 * precision * recall / (precision + recall)
        assert told_of == pytest.approx((precision, recall, f1, true.count(name)))
    assert set(found) == set("abc")
    assert sum(cell["count"] for cell in one["confusion"]) == 400
    right = [p == t for p, t, _ in said]
    confidence = np.array([c for _, _, c in said])
    calibration = one["calibration"]
    assert calibration["gap"] == pytest.approx(confidence.mean() - np.mean(right))
    assert calibration["brier"] == pytest.approx(np.mean((confidence - right) ** 2))
    parts = [of(told, model_version=version)[0] for version in "01"]
    assert sum(part["error"]["count"] for part in parts) == wrong
    assert [part["inferences"] for part in parts] == [200, 200]


def test_numbers_have_errors_of_their_own() -> None:
    off = [0.5, -1.0, 2.0]
    events = [inference(i, i, None, prediction={"value": 3.0 + d}) for i, d in enumerate(off)]
    events += [label(i, 9, 3.0) for i in range(3)]
    _, told = lived([*events, inference(9, 700)], [])
    [one] = of(told)
    told_of = {name: one["regression"][name] for name in ("n", "mae", "bias", "rmse")}
    assert told_of == pytest.approx({"n": 3, "mae": 3.5 / 3, "bias": 0.5, "rmse": math.sqrt((0.25 + 1.0 + 4.0) / 3)})
    half = 1.959964 * float(np.std(off, ddof=1)) / math.sqrt(3)
    assert one["regression"]["bias_interval"] == pytest.approx([0.5 - half, 0.5 + half])
    assert "error" not in one
    [left] = one["unestimated"]
    assert (left["reason"], left["n"]) == ("regression", 4 - 1)
    assert left["text"] == WHY_NOT["regression"]


def test_every_inference_has_an_estimate_or_a_reason_why_not() -> None:
    said = [{"label": "a", "confidence": 0.9}, {"label": "b"}, {"value": 2.0}, {}]
    events = [inference(i, i, None, prediction=said[i % 4]) for i in range(400)]
    events += [label(i, 400, 2.0 if i % 4 == 2 else "a") for i in range(400)]
    task, told = lived([*events, inference(999, 700)], [200, 600])
    for one in told:
        parts = {part["reason"]: part["n"] for part in one["unestimated"]}
        assert sum(parts.values()) + one.get("estimated", {"n": 0})["n"] == one["inferences"]
    assert {part["reason"]: part["n"] for part in of(told)[0]["unestimated"]} == {
        "regression": 100, "few_labels": 100, "no_confidence": 100, "no_prediction": 100,
    }  # fmt: skip
    assert isinstance(task.beside["labels"], LateLabels)
    state = task.beside["labels"].labels.performance
    assert state is not None
    assert state.coverage.totals == {}


@pytest.mark.parametrize("engine", [ENGINE, PYTHON], ids=lambda one: one.name)
def test_coverage_is_of_the_intervals_that_were_stated(engine: Engine) -> None:
    stated: list[Any] = [[2, 4], [3.5, 4.5], [3.0, 3.0], None, [2], ["x", 4], [4, 2], [2.9, 3.1]]
    events = [inference(i, i, None, prediction={"value": 3.0, "interval": one}) for i, one in enumerate(stated)]
    events += [label(i, 9, 3.0) for i in range(8)]
    _, told = lived([*events, inference(9, 700)], [], engine=engine)
    [one] = of(told)
    coverage = one["regression"]["coverage"]
    assert (coverage["n"], coverage["count"], coverage["share"]) == (4, 3, 0.75)
    assert coverage["interval"] == pytest.approx([stats.beta.ppf(0.025, 3, 2), stats.beta.ppf(0.975, 4, 1)], abs=1e-9)


def test_a_snapshot_of_before_there_were_intervals_is_read() -> None:
    one, again = Performance(1000, 5000, 9, (), [()]), Performance(1000, 5000, 9, (), [()])
    one.expect({0: ("m",)}, np.zeros(1, np.int64), np.zeros(1, np.int64), said_by(1))
    state = decode(encode(one.dump()))
    [[_, [[_, sums, confusion, _]]]] = state["windows"]
    older = [[0, [[["m"], sums[:-2], confusion]]]]
    again.load({name: part for name, part in {**state, "windows": older}.items() if name != "estimates"})
    assert again.windows[0]["m",].sums == one.windows[0]["m",].sums
    assert again.windows[0]["m",].spoken == {}
    with pytest.raises(ValueError, match="another window"):
        again.load({**state, "windows": [[0, [[["m"], [*sums, 1], confusion]]]]})


def test_beyond_the_first_classes_all_are_one() -> None:
    events = [inference(i, i, f"c{i}") for i in range(CLASSES + 5)]
    events += [label(i, 100, f"c{i}") for i in range(CLASSES + 5)]
    _, told = lived([*events, inference(99, 700)], [])
    [one] = of(told)
    assert len(one["classes"]) == CLASSES
    assert one["error"]["count"] == 0
    other = {name: part for name, part in one["confusion"][0].items() if name != "interval"}
    assert other == {"predicted": OTHER, "true": OTHER, "count": 5, "share": 5 / (CLASSES + 5)}
    assert ["interval" in part for part in one["confusion"]] == [True] * SHOWN + [False] * (CLASSES + 1 - SHOWN)


def test_any_cutting_and_both_engines_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 64)
    events = [json.loads(record.value or b"") for record in some_log(3, 800)]
    ticks = list(range(100, len(events), 130))
    whole, told = lived(events, ticks, len(events))
    for cut, engine in ((7, ENGINE), (64, PYTHON)):
        task, again = lived(events, ticks, cut, engine)
        assert again == told
        assert task.dump() == whole.dump()
    assert len(told) > 200
    assert max(one["window"]["version"] for one in told) >= 4


def test_windows_are_bounded_and_leave_when_nobody_waits() -> None:
    one = Performance(1000, 5000, 3, (), [()])
    groups, keys = np.zeros(4, np.int64), {0: ("m",)}
    assert one.expect(keys, groups, np.array([0, 1000, 2000, 3000]), said_by(4)) == 1
    assert one.expect(keys, groups[:1], np.array([500]), said_by(1)) == 0
    assert list(one.tell(6000, NONE, {})) == [], "no label is there, and no calibration"
    assert sorted(one.windows) == [0, 1000, 2000]
    list(one.tell(7001, NONE, {}))
    assert sorted(one.windows) == [2000]
    assert one.expect(keys, groups[:1], np.array([7000]), said_by(1)) == 0
    assert one.cells == 2


def test_a_snapshot_of_other_windows_is_not_believed() -> None:
    one = Performance(1000, 5000, 9, ("version",), [(), ("version",)])
    one.expect({0: ("m", "1"), 1: ("n", "2")}, np.array([0, 1]), np.array([0, 2000]), said_by(2))
    state = decode(encode(one.dump()))
    same, other, longer = (Performance(w, 5000, 9, by, [(), by]) for w, by in
                           ((1000, ("version",)), (1000, ("caller",)), (3000, ("version",))))  # fmt: skip
    for some in (same, other, longer):
        some.load(state)
    assert encode(same.dump()) == encode(one.dump())
    assert same.cells == 2
    assert other.windows == {}
    assert list(longer.windows) == [0]
    same.forget(["n"])
    assert list(same.windows) == list(same.changed) == [0]


def test_a_window_without_any_label_is_told_with_its_estimate_as_soon_as_there_is_a_calibration() -> None:
    log = stream(1, 1500)
    last_s = max(one["time"] for one in log)
    told = labelled(CONFIG_OF_STREAM, [one for one in log if "label" not in one or one["time"] < last_s - 6 * 3600])
    holding = told.holding()
    for one in told.windows:
        SCHEMA.validate({**ENVELOPE, "data": one})
    silent = [one for one in holding if not one["labelled"]]
    assert len(silent) >= 4
    assert all(one["estimated"]["n"] == one["inferences"] for one in silent)
    assert all("error" not in one for one in silent)
    assert "estimated" not in holding[0], "there was no calibration yet"
    assert holding[0]["labelled"]


def test_an_estimate_stands_whatever_labels_say_later() -> None:
    told = labelled(CONFIG_OF_STREAM, stream(2, 1400, "relation"))
    versions: dict[tuple[str, str], list[Any]] = {}
    for one in told.windows:
        made = {name: part for name, part in one.get("estimated", {}).items() if name not in ("covered", "text")}
        versions.setdefault((str(one["labels"]), one["window"]["from"]), []).append(made)
    assert max(map(len, versions.values())) >= 2
    for estimates in versions.values():
        assert all(one == estimates[0] for one in estimates)
    made = [one["calibration"]["version"] for (one, *_) in versions.values() if one]
    assert len(set(made)) >= 2, "later windows are by later calibrations"


def test_groups_are_told_side_by_side() -> None:
    told = labelled(CONFIG_OF_STREAM, stream(2, 900)).holding("segment_country")
    both = {
        one["labels"]["segment_country"]: one for one in told if one["window"]["from"] == told[-1]["window"]["from"]
    }
    yes = {country: next(part for part in one["fairness"]["selection"] if part["class"] == "yes")
           for country, one in both.items()}  # fmt: skip
    assert yes["NL"]["ratio"]["value"] == pytest.approx(1 / yes["DE"]["ratio"]["value"])
    assert both["NL"]["fairness"]["n"] == both["DE"]["fairness"]["others"]
    shares = [next(p["share"] for p in one["fairness"]["selection"] if p["class"] == "yes") for one in told]
    assert np.mean(shares) == pytest.approx(0.35, abs=0.06)
    assert all("fairness" not in one for one in labelled(CONFIG_OF_STREAM, stream(2, 300)).holding())


@pytest.mark.parametrize("change", ["", "inputs"])
def test_estimates_cover_what_labels_show_later(change: str) -> None:
    """Of all windows, by model and by country: at least nine in ten, while the relation is as it was."""
    covered, by_half = list[bool](), list[bool]()
    for seed in SEEDS:
        told = labelled(CONFIG_OF_STREAM, stream(seed, 2200, change))
        for one in [*told.holding(), *told.holding("segment_country")]:
            if "estimated" in one and one["labelled"] == one["inferences"]:
                estimate, share = one["estimated"], one["error"]["share"]
                low, high = estimate["interval"]
                covered.append(low - 1e-12 <= share <= high + 1e-12)
                by_half.append((low + estimate["share"]) / 2 <= share <= (high + estimate["share"]) / 2)
    assert len(covered) > 20 * len(SEEDS)
    assert np.mean(covered) >= 0.9 > np.mean(by_half), "and half as wide would not do"


def test_estimates_do_not_cover_another_relation() -> None:
    missed = list[bool]()
    for one in labelled(CONFIG_OF_STREAM, stream(1, 1600, "relation")).holding("segment_country"):
        if one["labels"]["segment_country"] == "NL" and "estimated" in one and one["labelled"] == one["inferences"]:
            missed.append(one["error"]["share"] > one["estimated"]["interval"][1])
    assert np.mean(missed[-4:]) >= 0.5
