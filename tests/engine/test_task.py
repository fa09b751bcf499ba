"""The task as a whole: ids, replays, conservation, scale freedom, and what an alert says."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from schemas.events.native_json import decode
from schemas.records.alert import fingerprint
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.task import Task
from streamer.port import Out, Tick
from tests.engine.tasks import AT, LEAST, alerts, by_topic, events, kinds, news, piecewise, run
from tests.sim.campaign import CONFIG, make_log

ROOT = Path(__file__).resolve().parents[2]


def ids(outs: list[Out]) -> list[Any]:
    """What names each record; of dead letters that is where their record stands."""
    return [
        tuple(h for h in out.headers if h[0].removeprefix("driftline.error.") in ("offset", "generation"))
        if out.topic == "dead_letter"
        else json.loads(out.value or b"")["id"]
        for out in outs
    ]


@pytest.mark.parametrize("engine", [ENGINE, PYTHON], ids=["ENGINE", "PYTHON"])
def test_no_id_of_a_topic_that_was_made_anew_is_one_of_before(engine: Engine) -> None:
    config = load_text(CONFIG, "x", {})
    records = make_log(random.Random(5), 0, 400)
    tick = Tick(400, records[-1].time_ms + 60_000, caught_up=True)

    def lived(generation: int, restart: int) -> list[Out]:
        first = Task(config, AT, 0, engine=engine, generation=generation)
        first.step(decode(records[:restart], fields_of(config), AT[0]))
        second = Task.load(config, AT, first.dump(), engine)
        second.step(decode(records[restart:], fields_of(config), AT[0]))
        second.tick(tick)
        return first.outbox + second.outbox

    lives = [lived(generation, 150) for generation in range(3)]
    assert {out.topic for out in lives[0]} == {"alerts", "shadow", "incidents", "windows", "dead_letter", "heartbeats"}
    found = [ids(outs) for outs in lives]
    assert len(set().union(*found)) == sum(map(len, found))
    keys = [[(out.key or b"").replace(b"inferences~2", b"inferences") for out in lives[i]] for i in (2, 0)]
    assert keys[0] == keys[1], "series are what they were; an incident is another"
    values = [(out.value or b"").replace(b"inferences~2", b"inferences") for out in lives[2]]
    assert [v.replace(b" --generation 2", b"") for v in values] == [out.value or b"" for out in lives[0]]
    assert set(ids(lived(2, 300))) == set(found[2]), "it does not depend on when it was restarted"


def test_a_changed_monitor_starts_anew_and_the_others_keep_their_state() -> None:
    config = load_text(CONFIG, "x", {})
    before = run(config, make_log(random.Random(4), 0, 300))
    changed = load_text(CONFIG.replace("threshold: 30", "threshold: 7"), "x", {})
    after = Task.load(changed, AT, before.dump())
    assert after.monitors["mean"].dump().keys() == before.monitors["mean"].dump().keys()
    assert (
        after.monitors["mean"].dump()["bank"]["tick"].tolist()
        == before.monitors["mean"].dump()["bank"]["tick"].tolist()
    )
    assert after.monitors["jump"].bank.rows == 0  # type: ignore[union-attr]
    assert (before.monitors_reset, after.monitors_reset) == ([], ["jump"])
    assert Task.load(config, AT, before.dump()).monitors_reset == []


def test_every_record_is_accounted_for_whatever_it_holds() -> None:
    """100,000 records, most of them mutated, through the whole task: no crash, and the account adds up."""
    config = load_text(
        CONFIG.replace("monitors:", "monitors:\n  only: {model: m0, signal: confidence, detect: {kind: adwin}}"),
        "x",
        {},
    )
    rng = random.Random(11)
    seeds = [r.value or b"" for r in make_log(rng, 0, 400)]
    task, decode = Task(config, AT, 0), Decoder(fields_of(config))
    for begin in range(0, 100_000, 1000):
        records = []
        for offset in range(begin, begin + 1000):
            value = bytearray(rng.choice(seeds))
            for _ in range(rng.choice([0, 1, 1, 2, 5])):
                if value:
                    place = rng.randrange(len(value))
                    value[place : place + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
            records.append(Record(offset, 1_700_000_000_000 + offset * 10, None, bytes(value)))
        task.step(decode(records, AT[0]))
        task.published()
    counts = task.admission.counts
    assert sum(counts.values()) == 100_000
    assert sum(task.admission.reasons.values()) == counts["dead_lettered"]
    assert min(counts[name] for name in ("used", "late", "duplicate", "dead_lettered")) > 0


def test_unwatched_models_are_filtered_and_series_are_bounded() -> None:
    text = LEAST + "limits: {series: 3}\nmonitors: {a: {model: fraud, signal: features.*, detect: {kind: adwin}}}\n"
    config = load_text(text, "x", {})
    records = events(lambda i: {"features": {f"f{j}": i for j in range(5)}}, 10)
    records += [
        r._replace(offset=10 + i, value=(r.value or b"").replace(b"fraud", b"other")) for i, r in enumerate(records)
    ]
    task = run(config, records)
    assert task.admission.counts == {"used": 10, "late": 0, "duplicate": 0, "filtered": 10, "dead_lettered": 0}
    [table] = task.tables.values()
    assert (len(table.keys), table.dropped) == (3, 20)


def shifted(scale: float, add: float) -> list[Record]:
    rng = np.random.default_rng(5)
    values = rng.normal(0, 1, 3000)
    values[2000:] += 1.5
    return events(lambda i: {"features": {"amount": float(values[i] * scale + add)}}, 3000)


def test_scale_and_offset_of_a_feature_change_no_alert() -> None:
    text = LEAST + "monitors:\n"
    for kind in ("adwin", "page_hinkley", "shiryaev_roberts"):
        text += f"  {kind.replace('_', '-')}: {{signal: features.amount, detect: {{kind: {kind}}}}}\n"
    config = load_text(text, "x", {})
    expected = [a["id"] for a in alerts(run(config, shifted(1.0, 0.0)))]
    assert len(expected) >= 3
    assert [a["id"] for a in alerts(run(config, shifted(1000.0, 0.0)))] == expected
    assert [a["id"] for a in alerts(run(config, shifted(1.0, 1e6)))] == expected


def test_what_the_ranks_find_is_the_same_for_any_cut_any_engine_and_after_a_restart() -> None:
    detect = "{signal: features.amount, detect: {kind: shiryaev_roberts, arl: 500}, keep_firing_for: 1s}"
    config, log = load_text(f"{LEAST}monitors: {{a: {detect}}}", "x", {}), shifted(1.0, 0.0)
    seen = set()
    for engine, size in ((PYTHON, len(log)), (ENGINE, len(log)), (ENGINE, 101), (PYTHON, 331)):
        task, told = Task(config, AT, 0, engine=engine), list[bytes]()
        for begin in range(0, len(log), size):
            task.step(decode(log[begin : begin + size], fields_of(config), AT[0]))
            told += [out.value or b"" for out in task.outbox]
            task = Task.load(config, AT, task.dump(), engine=engine)
        seen.add((task.dump(), tuple(told)))
    [(_, told_of)] = seen
    assert told_of


def test_one_shift_opens_one_alert_that_says_what_happened() -> None:
    config = load_text(
        LEAST + "monitors: {a: {signal: features.amount, by: [segment.country], detect: {kind: adwin}}}", "x", {}
    )
    records = [
        r._replace(value=(r.value or b"").replace(b'"model"', b'"segment": {"country": "NL"}, "model"'))
        for r in shifted(20.0, 100.0)
    ]
    [firing] = alerts(run(config, records))
    data, labels = firing["data"], firing["data"]["alert"]["labels"]
    assert labels == {
        "alertname": "ModelDrift",
        "severity": "warning",
        "model": "fraud",
        "monitor": "a",
        "detector": "adwin",
        "signal": "features.amount",
        "segment_country": "NL",
        "partition": "inferences[0]",
    }
    assert 2000 <= data["trigger"]["offset"] <= 2100
    assert (data["direction"], data["evidence"]["before"]["n"]) == ("up", 500)
    assert 1.0 < data["effect"]["deviations"] < 2.5
    assert firing["partitionkey"] == data["fingerprint"] == fingerprint(labels)
    assert data["sentence"].startswith("fraud (NL): mean of features.amount went from")
    assert data["replay"]["ranges"] == [
        {"topic": "inferences", "partition": 0, "from": 0, "to": data["trigger"]["offset"] + 1}
    ]


MOVES = """
monitors:
  m:
    signal: features.a
    detect: {kind: KIND}
    keep_firing_for: 5m
    repeat_interval: 10m
    accept_after: 1h
    resolve: RESOLVE
"""


def moving(seed: int = 1) -> list[Record]:
    """A shift that ends, one that lasts and, when it has been accepted, the way back to where it all began."""
    rng = random.Random(seed)
    return events(
        lambda i: {"features": {"a": rng.gauss(100, 20) + 50 * (2000 <= i < 3500 or 6000 <= i < 11_000)}}, 12_000
    )


@pytest.mark.parametrize("engine", [PYTHON, ENGINE], ids=["python", "chosen"])
@pytest.mark.parametrize("kind", ["adwin", "page_hinkley"])
def test_what_recovers_what_lasts_and_what_comes_back(kind: str, engine: Engine) -> None:
    config = load_text(LEAST + MOVES.replace("KIND", kind).replace("RESOLVE", "recovered"), "x", {})
    log, rng = moving(), random.Random(7)
    whole = Task(config, AT, 0, engine=engine)
    whole.step(decode(log, fields_of(config), AT[0]))
    ends = [
        (data["status"], (data["resolution"] or {}).get("how"), round(data["level"]["now"]["mean"], -1), at // 100)
        for data, at in ((data, data["changed"]["offset"]) for data in news(whole.outbox))
    ]
    assert [end[:2] for end in ends] == [
        ("firing", None), ("resolved", "recovered"), ("firing", None), ("resolved", "accepted"), ("firing", None)
    ]  # fmt: skip
    assert [end[2] for end in ends[1:4]] == [100, ends[2][2], 150]
    assert 3800 <= ends[1][3] * 100 <= 4100, "five minutes behind the end of the shift, not of the last finding"
    assert 9600 <= ends[3][3] * 100 <= 9800, "an hour behind the shift"
    [_, _, _, accepted, last] = news(whole.outbox)
    reference = last["evidence"].get("reference") or last["evidence"]["before"]
    assert reference["offsets"][0] >= accepted["changed"]["offset"], "learned anew"
    assert abs(reference["mean"] - 150) < 5
    assert last["effect"]["deviations"] < -2
    assert abs(last["evidence"]["after"]["mean"] - 100) < 15, "cut where it left the level that was accepted"
    assert last["direction"] == "down"
    renewed = [a["data"] for a in alerts(whole) if a["data"]["status"] == "firing" and not a["id"].endswith("-1")]
    assert sum("still away from before (now 1" in data["sentence"] for data in renewed) >= 5
    assert [data["alert"]["endsAt"] for data in renewed[:2]] == sorted(data["alert"]["endsAt"] for data in renewed[:2])
    outs, cut = piecewise(config, log, engine, rng)
    assert outs == whole.outbox
    assert cut.dump() == whole.dump()


def test_what_fades_says_that_its_data_are_still_away() -> None:
    config = load_text(LEAST + MOVES.replace("KIND", "adwin").replace("RESOLVE", "faded"), "x", {})
    told = [data for data in news(run(config, moving()).outbox) if data["status"] == "resolved"]
    [first] = [data for data in told if 2000 < data["changed"]["offset"] < 3500]
    assert (first["resolution"], first["level"]["away"]) == ({"how": "faded"}, True)
    assert "faded, still away from before (now 1" in first["sentence"]


def test_what_only_an_operator_or_time_ends_stays_open_when_it_is_back() -> None:
    config = load_text(LEAST + MOVES.replace("KIND", "adwin").replace("RESOLVE", "accepted"), "x", {})
    told = news(run(config, moving()).outbox)
    assert [(d["resolution"] or {}).get("how") for d in told][:2] == [None, "accepted"]
    assert 5600 <= told[1]["changed"]["offset"] <= 5800
    assert not told[1]["level"]["away"]


def test_a_batch_is_cut_no_more_often_than_levels_are_accepted() -> None:
    config = load_text(LEAST + MOVES.replace("KIND", "adwin").replace("RESOLVE", "recovered"), "x", {})
    task, parts = Task(config, AT, 0), []
    step = task._step
    task._step = lambda *given: (parts.append(1), step(*given))  # type: ignore[method-assign,func-returns-value,return-value]
    log = moving()
    for begin in range(0, len(log), 1000):
        task.step(decode(log[begin : begin + 1000], fields_of(config), AT[0]))
    assert 12 < len(parts) <= 14


def test_what_comes_again_is_told_in_words() -> None:
    """Of a task that is given what it had: the text ends up in the log."""
    config = load_text(LEAST, "x", {})
    task, log = Task(config, AT, 0), events(lambda i: {}, 9)
    task.step(decode(log, fields_of(config), AT[0]))
    with pytest.raises(AssertionError, match=r"^inferences\[0\]: offset 3 came again, all before 9 is done$"):
        task.step(decode(log[3:], fields_of(config), AT[0]))


def test_the_replay_range_of_an_alert_reproduces_it() -> None:
    """Ranges that begin at one place are read one after the other, each up to where it ends. The longest of each log
    is read on its own, too.
    """
    config = load_text(CONFIG, "x", {})
    checked = 0
    for seed in range(5):
        records = make_log(random.Random(seed), 0, 400)
        ranges: dict[int, list[tuple[int, Out]]] = defaultdict(list)
        for out in by_topic(run(config, records))["alerts"]:
            [place] = json.loads(out.value or b"")["data"]["replay"]["ranges"]
            ranges[place["from"]].append((place["to"], out))
        for begin, found in ranges.items():
            again = Task(config, AT, begin)
            for end, out in sorted(found, key=lambda one: one[0]):
                if again.position < end:
                    again.step(decode(records[again.position : end], fields_of(config), AT[0]))
                assert again.position == end
                assert out in again.outbox
                checked += 1
            alone = Task(config, AT, begin)
            alone.step(decode(records[begin:end], fields_of(config), AT[0]))
            assert out in alone.outbox
    assert checked >= 20


def test_the_standard_set_finds_what_goes_wrong_and_names_it() -> None:
    config = load_text(LEAST, "x", {})
    rng = random.Random(8)

    def event(i: int) -> dict[str, Any]:
        late = i >= 3000
        return {
            "features": {
                "amount": rng.gauss(100, 20) * (1.5 if late else 1),
                "age": None if late and rng.random() < 0.3 else rng.lognormvariate(0, 1),
                "country": "XX" if late and rng.random() < 0.2 else rng.choice(["NL", "DE"]),
            },
            "prediction": {
                "label": "yes" if rng.random() < (0.5 if late else 0.1) else "no",
                "confidence": rng.uniform(0.5, 0.7) if late else rng.uniform(0.8, 1.0),
            },
        }

    task = run(config, events(event, 6000))
    firing = {(monitor, signal) for status, monitor, signal in kinds(task) if status == "firing"}
    assert firing == {
        ("feature-mean", "features.amount"),
        ("missing", "missing.age"),
        ("label-share", "label.yes"),
        ("label-share", "label.no"),
        ("confidence", "confidence"),
        ("anomaly-fraction", "anomaly"),
        ("anomaly-drift", "anomaly"),
        ("unseen-category", "unseen.country"),
        ("feature-distribution", "features.amount"),
        ("category-distribution", "category.country"),
        ("confidence-distribution", "confidence"),
    }
    assert min(a["data"]["trigger"]["offset"] for a in alerts(task)) >= 3000
    told = {(a["data"]["alert"]["labels"]["monitor"], a["data"]["status"]): a["data"] for a in alerts(task)}
    window = told["anomaly-fraction", "firing"]["evidence"]["window"]
    assert window["reasons"][0]["reason"] == "features.country unseen category"
    moved = told["category-distribution", "firing"]["evidence"]["window"]["moved"]
    assert (moved[0]["bin"], moved[0]["before"]) == ("other", 0.0)
    assert 0.05 < moved[0]["after"] < 0.25


@pytest.mark.parametrize("seed", range(5))
def test_fifty_healthy_windows_of_twenty_features_raise_nothing(seed: int) -> None:
    rng, count = np.random.default_rng(seed), 50_000
    draws: list[Callable[[], Any]] = [
        lambda: rng.normal(100, 20, count),
        lambda: rng.lognormal(0, 1, count),
        lambda: rng.choice([*"xyz"], count),
        lambda: np.where(rng.random(count) < 0.01, 1.0, 0.0),
        lambda: rng.exponential(1 / 3, count),
        lambda: rng.integers(5, size=count),
        lambda: rng.choice([*"abcdefgh"], count, p=np.arange(1, 9) / 36),
        lambda: np.where(rng.random(count) < 0.02, None, rng.uniform(-1, 1, count)),  # type: ignore[call-overload]
    ]
    features = [draws[k % len(draws)]().tolist() for k in range(20)]
    labels, sure = rng.choice([*"yn"], count).tolist(), rng.beta(9, 1, count).tolist()
    names = [f"f{k}" for k in range(20)]
    made = [
        {"features": dict(zip(names, row, strict=True)), "prediction": {"label": label, "confidence": confidence}}
        for label, confidence, *row in zip(labels, sure, *features, strict=True)
    ]
    task = run(load_text(LEAST, "x", {}), events(made.__getitem__, count))
    assert kinds(task) == []


def test_outbox_records_are_complete() -> None:
    config = load_text(CONFIG, "x", {})
    for out in run(config, make_log(random.Random(2), 0, 300)).outbox:
        assert isinstance(out, Out)
        assert out.topic in ("alerts", "shadow", "incidents", "windows", "dead_letter")
        if out.topic in ("alerts", "shadow", "incidents"):
            assert json.loads(out.value or b"")["partitionkey"].encode() == out.key
