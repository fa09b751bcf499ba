"""Room for what is new: who leaves a full table, when, and what of it can be seen; the same however the log is cut."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.room import STRIDE, Fullness, warning
from streamer.engine.task import Task
from streamer.port import Tick
from tests.engine.tasks import AT, LEAST, alerts, by_topic

ENGINES = [engine for engine in (PYTHON, COMPILED) if engine is not None]
engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)


def config_of(monitors: str, series: int, more: str = "") -> Config:
    text = f"{LEAST}reference: {{warmup: 30, windows: 10}}\nlimits: {{series: {series}, lateness: 1s}}\n{more}"
    return load_text(f"{text}monitors:\n{monitors}", "x", {})


def log_of(make: Callable[[int], dict[str, Any]], n: int) -> list[Record]:
    """n events a tenth of a second apart."""
    return [
        Record(i, -1, None, json.dumps({"model": "m", "time": 1_700_000_000 + i / 10, **make(i)}).encode())
        for i in range(n)
    ]


def run(config: Config, records: list[Record], engine: Engine, cuts: list[int] | None = None) -> Task:
    task, decode = Task(config, AT, 0, engine=engine), Decoder(fields_of(config), compiled=engine is not PYTHON)
    edges = [0, *sorted(cuts or []), len(records)]
    for begin, end in zip(edges, edges[1:], strict=False):
        if begin < end:
            task.step(decode(records[begin:end], AT[0]))
    return task


def versions(each: int, drifting: int, seed: int = 1) -> Callable[[int], dict[str, Any]]:
    """One version after the other, of so many events; one of them moves by 3 deviations in its second half."""
    rng = random.Random(seed)

    def event(i: int) -> dict[str, Any]:
        version, place = divmod(i, each)
        moved = 3.0 if version == drifting and place > each // 2 else 0.0
        return {"model_version": f"v{version}", "features": {f"f{k}": rng.gauss(moved, 1) for k in range(5)}}

    return event


DRIFT = "  a: {signal: features.*, by: [version], detect: {kind: adwin}}\n"


def told(task: Task, status: str = "firing") -> set[tuple[str, str]]:
    """Version and signal of the alerts with a status."""
    found = [a["data"]["alert"]["labels"] for a in alerts(task) if a["data"]["status"] == status]
    return {(labels["model_version"], labels["signal"]) for labels in found}


@engines
def test_a_version_beyond_the_limit_is_watched_like_the_first(engine: Engine) -> None:
    """There is place for eight of twenty."""
    task = run(config_of(DRIFT, 40), log_of(versions(700, 19), 20 * 700), engine)
    assert told(task) == {("v19", f"features.f{k}") for k in range(5)}
    [table, models] = task.fullness()
    assert (table.what, table.limit, models.what) == ("features.* by version", 40, "models")
    assert table.used <= 40
    assert (table.evicted, table.refused) == (100 - table.used, 0)


@engines
def test_who_would_only_push_each_other_out_is_refused_and_the_others_learn(engine: Engine) -> None:
    """Forty versions take turns in eight places: the first eight are watched, and what is not is counted."""
    rng = random.Random(1)

    def event(i: int) -> dict[str, Any]:
        moved = 3.0 if i > 9_000 else 0.0
        return {"model_version": f"v{i % 40}", "features": {f"f{k}": rng.gauss(moved, 1) for k in range(5)}}

    task = run(config_of(DRIFT, 40), log_of(event, 12_000), engine)
    assert told(task) == {(f"v{v}", f"features.f{k}") for v in range(8) for k in range(5)}
    table = task.fullness()[0]
    assert (table.used, table.evicted, table.refused) == (40, 0, 12_000 // 40 * 32 * 5)


@engines
def test_a_model_beyond_the_limit_is_watched_like_the_first(engine: Engine) -> None:
    make = versions(700, 19)

    def event(i: int) -> dict[str, Any]:
        made = make(i)
        return {"model": made.pop("model_version"), **made}

    config = config_of("  a: {signal: features.f1, detect: {kind: adwin}}\n", 10)
    task = run(config, log_of(event, 20 * 700), engine)
    assert [a["data"]["alert"]["labels"]["model"] for a in alerts(task)][:1] == ["v19"]
    assert task.admission.counts["filtered"] == 0
    assert len(task.admission.models()) <= 10
    assert [m for m, _, _ in task.admission.models()] == list(task.admission.places.heard)
    task.tick(Tick(task.position, 1_700_000_000_000, True))


@engines
def test_events_of_models_that_have_no_place_are_counted_and_those_that_nobody_wants_are_not(engine: Engine) -> None:
    """Twenty models take turns in ten places. The first quarter of their events opted out, and nobody watches `x`."""

    def event(i: int) -> dict[str, Any]:
        model = "x" if i % 21 == 20 else f"m{i % 21}"
        return {"model": model, "out": i < 1050, "features": {"f1": float(i % 7)}}

    watched = "".join(f"  a{n}: {{model: m{n}, signal: features.f1, detect: {{kind: adwin}}}}\n" for n in range(20))
    config = config_of(watched, 200, "privacy: {opt_out: /out}\n")
    log = log_of(event, 4200)
    whole, cut = run(config, log, engine), run(config, log, engine, [7, 2000, 2001])
    models = whole.fullness()[-1]
    assert (models.what, models.used, models.limit) == ("models", 10, 10)
    assert models.refused == 3150 // 21 * 10
    assert whole.admission.counts["filtered"] == 1050 + 3150 // 21 * 11
    assert cut.fullness()[-1] == Task.load(config, AT, whole.dump(), engine).fullness()[-1] == models


EVERY = """
  a: {signal: features.*, by: [version], detect: {kind: adwin, delta: 0.02}, keep_firing_for: 30s}
  mean: {signal: features.*, by: [version], detect: {kind: page_hinkley, threshold: 5}}
  river: {signal: features.f1, by: [version], detect: {kind: river, name: KSWIN}}
  bins: {signal: features.*, by: [version], window: {events: 20}, detect: {kind: distribution, surprise: 1, max: 0.05}}
  rolling: {signal: features.f2, by: [version], window: {events: 20}, detect: {kind: distribution, against: recent}}
  labels: {signal: label.*, by: [version], detect: {kind: adwin}}
  kinds: {signal: category.*, by: [version], window: {events: 20}, detect: {kind: distribution, surprise: 1, max: 0.05}}
  odd: {signal: anomaly, by: [version], window: {events: 20}, detect: {kind: fraction, max: 0.01, min_count: 5}}
  odd-time: {signal: anomaly, by: [version], window: {time: 5s}, detect: {kind: fraction, max: 0.01, min_count: 5}}
  gaps: {signal: missing.*, by: [version], window: {events: 20}, detect: {kind: share, chance: 0.05}}
  far: {signal: distance, by: [version], detect: {kind: page_hinkley, threshold: 10}, keep_firing_for: 5s}
  ood: {signal: ood, by: [version], window: {events: 20}, detect: {kind: fraction, max: 0.01, min_count: 5}}
  change: {signal: version_change, by: [caller], detect: {kind: occurrence}, keep_firing_for: 5s}
  old: {signal: events, by: [version], detect: {kind: age, max: 20s}}
  silent: {signal: events, by: [version], detect: {kind: silence, after: 5s, min_count: 5}}
  rate: {signal: traffic, by: [version], window: {time: 2s}, detect: {kind: level, recent: 6, beyond: 1, change: 0.2}}
  wide: {signal: "p90(features.f1)", by: [version], window: {time: 1s}, detect: {kind: trend, points: 20}}
  unseen: {signal: unseen.*, by: [version], window: {events: 20}, detect: {kind: fraction, max: 0.1, min_count: 5}}
  more: {signal: new_feature.*, by: [version], detect: {kind: occurrence}, keep_firing_for: 5s}
  actions: {signal: action.*, by: [version], detect: {kind: adwin}, keep_firing_for: 5s}
"""
FEEDBACK = "feedback: {pending: 50}\ntopics: {events: [inferences], windows: drift-windows}\n"


def every_config(series: int) -> Config:
    text = f"version: 1\nkafka: {{brokers: 'b:1'}}\nreference: {{warmup: 30, windows: 10}}\n{FEEDBACK}"
    return load_text(f"{text}limits: {{series: {series}, lateness: 1s}}\nmonitors:{EVERY}", "x", {})


def churning(seed: int, each: int = 60) -> Callable[[int], dict[str, Any]]:
    """Versions, callers, names and texts come and go, models too; one version in four moves."""
    rng = random.Random(seed)

    def event(i: int) -> dict[str, Any]:
        version, place = divmod(i, each)
        version -= version % 7 if rng.random() < 0.05 else 0
        moved = 3.0 if version % 4 == 3 and place > each // 2 else 0.0
        features: dict[str, Any] = {f"f{k}": rng.gauss(moved, 1) for k in range(5)}
        features |= {"c": rng.choice("abc") + ("x" if moved else ""), f"n{i // 40}": None, "g": None if moved else 1.0}
        return {
            "model": f"m{version // 30}",
            "model_version": f"v{version}",
            "caller": f"c{i // 90}",
            "event_id": f"e{i}",
            "features": features,
            "prediction": {"label": rng.choice(["y", "n", f"l{version}"])},
            **({"feedback": {"action": rng.choice("ao")}} if rng.random() < 0.2 else {}),
        }

    return event


@pytest.mark.parametrize("seed", range(10 if "DRIFTLINE_REPETITIONS" in os.environ else 1))
def test_any_cutting_and_either_engine_give_the_same_alerts_and_snapshot_while_series_leave(seed: int) -> None:
    config, records = every_config(320), log_of(churning(seed), 7_000)
    whole = run(config, records, ENGINES[-1])
    assert sum(full.evicted > 0 for full in whole.fullness()) >= 10
    cuts = [*random.Random(seed).sample(range(7_000), 12), STRIDE, 3 * STRIDE - 1, 4 * STRIDE + 1]
    for engine in ENGINES:
        cut = run(config, records, engine, cuts)
        assert cut.fullness() == whole.fullness()
        assert by_topic(cut) == by_topic(whole)
        assert cut.dump() == whole.dump()


@engines
def test_what_is_open_for_a_series_that_leaves_is_resolved_and_says_why_and_leaves_last(engine: Engine) -> None:
    """Every second version fires a level, which nothing would ever clear."""
    config = config_of(
        "  gap:\n    {signal: missing.g, by: [version], window: {events: 20}, "
        "detect: {kind: fraction, max: 0.5, min_count: 5}}\n",
        8,
    )

    def event(i: int) -> dict[str, Any]:
        version = i // 700
        return {"model_version": f"v{version}", "features": {"g": 1.0 if version % 2 else None, "f": 1.0}}

    task = run(config, log_of(event, 8 * 700), engine)
    [table] = task.tables.values()
    assert [group[1] for group, _ in table.keys] == ["v0", "v2", "v4", "v5", "v6", "v7"], "those without an alert first"
    assert told(task, "resolved") == set()
    task = run(config, log_of(event, 25 * 700), engine)
    gone = {version for version, _ in told(task, "resolved")}
    assert gone >= {"v0", "v2", "v4", "v6"}
    [first, *_] = [a["data"] for a in alerts(task) if a["data"]["status"] == "resolved"]
    assert first["alert"]["labels"]["model_version"] == "v0"
    assert "resolved since the series fell silent and its place was given to another, was found by" in first["sentence"]
    assert first["changed"]["offset"] % STRIDE == 0
    assert first["alert"]["endsAt"] == first["changed"]["time"]
    assert {row for _, row in task.book.alerts} <= set(range(len(table.keys)))


@engines
def test_a_monitor_more_while_a_table_is_full_costs_no_state(engine: Engine) -> None:
    """Its table takes a share of the limit, so that the others have more rows than they may."""
    full = config_of(DRIFT, 40)
    records = log_of(versions(100, 99), 8 * 100)
    before = run(full, records, engine)
    more = config_of(DRIFT + "  b: {signal: missing.*, by: [version], detect: {kind: adwin}}\n", 40)
    after = Task.load(more, AT, before.dump(), engine)
    assert after.monitors_reset == ["b"]
    old, new = (task.fullness()[0] for task in (before, after))
    assert (old.used, old.limit, new.used, new.limit) == (40, 40, 40, 20)
    table = next(iter(after.tables.values()))
    assert table.keys == next(iter(before.tables.values())).keys
    assert table.row(("m", "new"), "features.f0") == -1
    # Those that have been silent for long leave, and what is new has a place again.
    rest = log_of(versions(800, 99), 9 * 800)[800:]
    after.step(Decoder(fields_of(more))(rest, AT[0]))
    assert after.fullness()[0].used <= 20
    assert ("m", "v8") in table.members


@pytest.mark.parametrize(
    ("full", "expected"),
    [
        (Fullness("models", 89, 100, 0, 3), None),
        (Fullness("features.*", 1800, 2000, 0, 0), "features.*: nearly full, 1,800 of 2,000; raise limits.series, or "),
        (Fullness("models", 100, 100, 0, 3), "models: full, 100 of 100; raise limits.series, or split `by` less"),
        (Fullness("x", 40, 20, 1234, 0), "x: full, 40 of 20, others refused 1,234 times; raise limits.series"),
    ],
)
def test_what_is_full_or_nearly_is_said_and_what_to_do(full: Fullness, expected: str | None) -> None:
    found = warning(full)
    assert found == expected or (found or "").startswith(expected or "?")


@engines
def test_feedback_on_what_a_forgotten_model_said_is_about_nobody(engine: Engine) -> None:
    """The inference is still remembered by its id when its model is not."""
    more = "feedback: {pending: 100}\n"
    config = config_of("  a: {signal: action.*, detect: {kind: adwin}}\n", 10, more)

    def event(i: int) -> dict[str, Any]:
        return {"model": f"v{i // 700}", "event_id": f"e{i // 700}"}

    records = log_of(event, 14 * 700)
    task = run(config, records, engine)
    assert "v0" not in {model for model, _, _ in task.admission.models()}
    about = {"model": "v13", "feedback": {"action": "accept", "event_id": "e0"}}
    task.step(Decoder(fields_of(config))(log_of(lambda i: about, 14 * 700 + 1)[14 * 700 :], AT[0]))
    [table] = task.tables.values()
    assert table.keys == []
    task.tick(Tick(task.position, 1_700_000_000_000, True))


@engines
def test_series_of_a_file_of_references_stay(engine: Engine) -> None:
    config = config_of("  a: {signal: traffic, by: [version], window: {time: 2s}, detect: {kind: level}}\n", 8)
    task = Task(config, AT, 0, engine=engine)
    [table] = task.tables.values()
    table.row(("m", "given"), "traffic")
    table.resize()
    table.pinned = {0: {}}
    task.step(Decoder(fields_of(config))(log_of(versions(400, 99), 30 * 400), AT[0]))
    assert table.keys[0] == (("m", "given"), "traffic")
    assert table.evicted > 15
    assert ("m", "v29") in table.members


def size(value: Any) -> int:
    """How many plain values something consists of, however it is nested."""
    if isinstance(value, dict):
        return sum(size(key) + size(item) for key, item in value.items())
    if isinstance(value, (list, tuple, set)):
        return sum(map(size, value))
    return int(value.size) if isinstance(value, np.ndarray) else 1


def test_whatever_comes_and_goes_no_memory_grows_past_the_limit() -> None:
    """Versions, callers, models, names and texts that come once and never again, through every kind of source."""

    def event(i: int) -> dict[str, Any]:
        return {
            "model": f"m{i // 3}",
            "model_version": f"v{i // 2}",
            "caller": f"c{i}",
            "event_id": f"e{i}",
            "features": {"f1": 1.0, "f2": i % 5, f"n{i}": 1.0, f"t{i}": f"text{i}", "c": f"text{i}", f"g{i}": None},
            "prediction": {"label": f"l{i}"},
            "feedback": {"action": f"a{i}"},
        }

    config = every_config(240)
    task, sizes, decode = Task(config, AT, 0), [], Decoder(fields_of(config))
    for begin in range(0, 12_000, 1000):
        task.step(decode(log_of(event, begin + 1000)[begin:], AT[0]))
        task.published()
        sizes.append(size(task.state()) + len(task.records.series) + len(task.records.begun))
    assert max(sizes[6:]) <= 1.5 * max(sizes[:3]), sizes
    for full in task.fullness():
        assert full.used <= full.limit, full


def test_new_features_of_ever_new_groups_do_not_leak() -> None:
    """It kept every group and its names: 1.2 to 16.9 MB of snapshot in 176,000 events."""
    config = config_of("  a: {signal: new_feature.*, by: [caller], detect: {kind: occurrence}}\n", 100)
    make: Callable[[int], dict[str, Any]] = lambda i: {"caller": f"c{i}", "features": {f"n{i}": 1.0, "a": 1.0}}  # noqa: E731
    records = log_of(make, 20_000)
    sizes = [len(run(config, records[:n], ENGINES[-1]).dump()) for n in (2_000, 20_000)]
    assert sizes[1] <= 1.3 * sizes[0]


@engines
def test_a_snapshot_goes_on_as_if_nothing_had_happened(engine: Engine) -> None:
    config, records = every_config(320), log_of(churning(5), 7_000)
    whole = run(config, records, engine)
    for at in (1, 2 * STRIDE, 5_500):
        first = run(config, records[:at], engine)
        second = Task.load(config, AT, first.dump(), engine)
        second.step(Decoder(fields_of(config))(records[at:], AT[0]))
        assert by_topic(first, second) == by_topic(whole), at
        assert second.dump() == whole.dump(), at
