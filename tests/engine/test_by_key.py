"""A key of a model, the model and values of `kafka.order_by`, goes on in another partition as if it had never moved."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import orjson
import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.engine.by_key import SEPARATOR, apart, divisible, keys_of, shared_out, together, told, where
from streamer.engine.engines import ENGINE
from streamer.engine.ordering import part_of
from streamer.engine.repartition import NotDivisible
from streamer.engine.snapshot import decode, encode
from streamer.engine.task import Task
from streamer.port import Out
from tests.engine.test_repartition import START_MS, World, bare, canonical, difference, plain

MODELS, ZONES, SILENT = ("hot", "cold"), [f"z{number}" for number in range(7)], "z3"
STEP_MS, COUNT, CUT = 60, 1600, 1000
OF_MODEL = "admission", "homes", "muted", "rings"
"""Parts of a state that each key has as its model has them."""
TEXT = """
version: 1
kafka: {brokers: "b:1", order: model, order_by: [segment.zone]}
topics: {events: [inferences], windows: drift-windows}
reference: {warmup: 40, windows: 10}
limits: {duplicates: 9000, lateness: 5s}
heartbeat: {interval: 2s}
feedback: {pending: 9000}
defaults: {by: [segment.zone], keep_firing_for: 4s}
monitors:
  mean: {signal: features.*, detect: {kind: adwin, delta: 0.002}, accept_after: 20s}
  per-version: {signal: confidence, by: [version, segment.zone], detect: {kind: adwin, delta: 0.002}}
  labels: {signal: label.*, detect: {kind: adwin, delta: 0.002}}
  odd: {signal: anomaly, window: {events: 30}, detect: {kind: fraction, max: 0.2}}
  bins: {signal: features.*, window: {events: 40}, detect: {kind: distribution, surprise: 3}}
  kinds: {signal: category.*, window: {events: 30}, detect: {kind: distribution, surprise: 3, bins: 4}}
  new: {signal: "new_feature.*", detect: {kind: occurrence}}
  version: {signal: version_change, by: [segment.zone], detect: {kind: occurrence}}
  actions: {signal: action.*, detect: {kind: adwin, delta: 0.002}}
  far: {signal: distance, detect: {kind: page_hinkley, threshold: 10}}
  many:
    {signal: traffic, by: [segment.zone], window: {time: 2s}, detect: {kind: level, against: recent, recent: 8}}
  sums: {signal: mean(features.amount), window: {time: 1s, least: 9}, detect: {kind: level, against: recent}}
  quiet: {signal: events, by: [segment.zone], detect: {kind: silence, after: 3s, min_count: 20}}
"""


class Keyed(World):
    share = staticmethod(shared_out)


def event(number: int, rng: random.Random, count: int) -> dict[str, Any]:
    model, zone = rng.choice(MODELS), rng.choice(ZONES)
    shifted = number > count * (0.5 + 0.03 * ZONES.index(zone))
    if zone == SILENT and number > count * 0.75:
        zone = "z4"  # One falls silent.
    features = {"a": rng.gauss(5 * shifted, 1), "amount": rng.gauss(100 + 60 * shifted, 20)}
    if shifted and rng.random() < 0.05:
        features[f"new{number % 3}"] = 1.0
    label = "yes" if rng.random() < (0.9 if shifted else 0.2) else "no"
    about = {"action": rng.choice(["accept", "override"]), "event_id": f"{number - 14}"}
    return {
        "model": model,
        "model_version": "2" if shifted and rng.random() < 0.5 else "1",
        "event_id": str(number),
        "time": (START_MS + number * STEP_MS) / 1000,
        "features": {**features, "country": rng.choice("abz" if shifted else "abc")},
        "prediction": {"label": label, "confidence": rng.uniform(0.2 if shifted else 0.7, 1)},
        "segment": {"zone": zone},
        **({"feedback": about} if number % 9 == 0 else {}),
    }


def records(count: int) -> list[Record]:
    rng = random.Random(1)
    values = (orjson.dumps(event(number, rng, count)) for number in range(count))
    return [Record(number, START_MS + number * STEP_MS, None, value) for number, value in enumerate(values)]


WINDOWS = "many", "sums"
"""They end by the clock of their model in their partition, which its other keys there move as well."""


def by_zone(outs: Iterable[Out]) -> dict[str, list[Any]]:
    """Of each series and kind what is told in its order, but for what the clock of the model says: when an alert is
    over, and windows of time.
    """
    found = defaultdict(list)
    for out in outs:
        one = orjson.loads(out.value or b"")
        data = one["data"]
        labels = data.get("alert", data).get("labels", {})
        compared = out.topic in ("alerts", "windows") and "model" in labels and labels["monitor"] not in WINDOWS
        if compared and not one["type"].endswith("resolved.v1"):
            series = f"{labels['model']} {labels['segment_zone']} {labels['monitor']}"
            found[f"{series} {one['type']}"].append(bare(data))
    return found


def windows_of_time(outs: Iterable[Out]) -> dict[Any, Any]:
    """The value of each window of time."""
    found = {}
    for out in outs:
        data = orjson.loads(out.value or b"")["data"]
        labels = data.get("labels", {})
        if out.topic == "windows" and labels.get("monitor") in WINDOWS:
            window = data["window"]
            found[labels["model"], labels["segment_zone"], labels["monitor"], window["from"]] = window["value"]
    return found


@pytest.fixture(scope="module")
def early() -> tuple[Keyed, list[Record], list[Out]]:
    """A world over two partitions after six tenths of its events, the others, and what it told."""
    world, log = Keyed(load_text(TEXT, "x.yaml", {}), 2, 3, ENGINE), records(COUNT)
    world.feed(log[:CUT], STEP_MS)
    return world, log[CUT:], world.told()


def test_what_moves_goes_on_as_if_it_had_not(early: tuple[Keyed, list[Record], list[Out]]) -> None:
    parts, (world, log, before) = 3, early
    stays, moves = world.moved(2), world.moved(parts)
    open_ = [
        {(a.monitor, a.state, a.told, a.fired_ms) for t in w.tasks for a in t.book.alerts.values()}
        for w in (world, moves)
    ]
    assert open_[0] == open_[1] != set()
    for one in (stays, moves):
        one.feed(log, STEP_MS)
    outs = [one.told() for one in (moves, stays)]
    found, wanted = (by_zone([*before, *some]) for some in outs)
    for key in wanted.keys() | found.keys():
        assert SILENT in key or not difference(found[key], wanted[key], key)
    assert sum(map(len, wanted.values())) > sum(map(len, by_zone(before).values())) > 20
    values, expected = map(windows_of_time, outs)
    both = values.keys() & expected.keys()
    assert len(both) > 0.6 * len(expected)
    assert {key: values[key] for key in both} == {key: expected[key] for key in both}
    homes = {part_of([model, zone], parts) for model in MODELS for zone in ZONES}
    assert {number for number, task in enumerate(moves.tasks) if task.models()} == homes


def test_there_and_back_is_what_was(early: tuple[Keyed, list[Record], list[Out]]) -> None:
    world = early[0]
    there = world.moved(3)
    back = there.moved(2)
    for task, other in zip(world.tasks, back.tasks, strict=True):
        assert not difference(by_keys(task), by_keys(other))
    assert not any(f"{model}{SEPARATOR}z".encode() in task.dump() for task in there.tasks for model in MODELS)
    again = back.moved(2)
    assert [task.dump() for task in again.tasks] == [task.dump() for task in back.tasks], "nothing moves"
    for moved in (there, back):
        counts = [sum((sum(t.admission.events.values()) for t in one.tasks), 0) for one in (world, moved)]
        assert counts[0] == counts[1] > 0
        incidents = [
            sorted(i for t in one.tasks for i in t.incidents.book.incidents if not t.incidents.book.incidents[i].over)
            for one in (world, moved)
        ]
        assert incidents[0] == incidents[1] != []
        muted = [sum(t.rings.counts.sum() for t in one.tasks) for one in (world, moved)]
        assert muted[0] == muted[1] > 0


def by_keys(task: Task) -> dict[str, Any]:
    """The state key by key, without the clock of the model, which is the newest of where it was."""
    found = canonical(Task.load(task.config, task.partition, encode(apart(task).state), ENGINE))
    for state in (found[name] for name in found if SEPARATOR in name):
        for name in OF_MODEL:
            del state[name]
        del state["alerts"]["silent"]
        for rule in state["rules"].values():
            if isinstance(rule, dict) and "clocks" in rule:
                rule["clocks"] = [[[*filter(itemgetter(1), one[4])], *one[5:]] for one in rule["clocks"]]
            if isinstance(rule, dict) and "silent_ms" in rule:
                rule["at"] = [count - at for (_, count), at in zip(rule.pop("events"), rule["at"], strict=False)]
        for monitor in state["monitors"].values():
            if isinstance(monitor["state"], dict):
                monitor["state"].pop("verdicts", None)
    return found


def test_what_has_no_part_is_refused_by_name() -> None:
    def refused(text: str) -> str:
        with pytest.raises(NotDivisible) as why:
            divisible(load_text(text, "x.yaml", {}, lambda _: None))
        return str(why.value)

    divisible(load_text(TEXT, "x.yaml", {}))
    divisible(load_text(TEXT.replace(", order_by: [segment.zone]", ""), "x.yaml", {}))
    assert "quiet watch all" in refused(TEXT.replace("signal: events, by: [segment.zone]", "signal: events"))
    assert "`labels`" in refused(TEXT + "labels: {}\n")
    peers = "  p: {signal: features.a, by: [segment.zone], window: {time: 5s}, detect: {kind: peers}}\n"
    assert "p compares" in refused(TEXT + peers)


def test_a_model_without_a_series_stays_where_it_is() -> None:
    config = load_text(TEXT, "x.yaml", {})
    state = {"partition": ["o", 3], "admission": {"newest_ms": [["m", 5, 7]]}, "tables": {}}
    [name] = keys_of(config, state)
    assert {where(name, parts) for parts in (1, 2, 9)} == {3}
    assert where(SEPARATOR.join(["hot", "z1"]), 5) == part_of(["hot", "z1"], 5)
    assert told(SEPARATOR.join(["hot", "z1"])) == "hot z1"


def test_together_is_the_inverse_of_apart(early: tuple[Keyed, list[Record], list[Out]]) -> None:
    for task in early[0].tasks:
        cut = apart(task)
        assert len(cut.names) >= 2 * len(task.models())
        state, whole = together(decode(encode(cut.state))), decode(task.dump())
        for one in (state, whole):
            for rule in one["rules"].values():
                for clock in rule["clocks"] if isinstance(rule, dict) and "clocks" in rule else ():
                    clock[4:] = [[[window, sorted(parts)] for window, parts in clock[4]], *map(sorted, clock[5:])]
        for name in whole.keys() - {"incidents"}:
            assert not difference(plain(state[name]), plain(whole[name]), name)
