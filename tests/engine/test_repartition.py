"""A model that moves to another partition of the ordered log goes on there as if it had never moved."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine import pairs, snapshot
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.ordering import part_of
from streamer.engine.repartition import known_by, moves_of, newest_last, repartitioned, without
from streamer.engine.task import Task
from streamer.engine.tasks import Orderings, Tasks
from streamer.port import Out, Parts, Tick
from streamer.series.feedback import AWAITED
from streamer.series.feedback import RESULTS as FEEDBACK
from tests.monitors.every import TEXT as EVERY
from tests.series.test_labels import labels_of
from tests.sim.campaign import CONFIG

ORDERED = "drift-ordered"
MODELS = [f"m{number}" for number in range(9)]
START_MS = 1_700_000_000_000
MORE = """
  peers:
    {signal: features.amount, by: [segment.host], window: {time: 5s}, detect: {kind: peers, min_count: 5, min_peers: 4}}
  together: {signal: correlation, window: {time: 20s}, detect: {kind: level, against: reference, change: 0.1}}
  emb: {signal: "embedding.text.*", detect: {kind: adwin}}
"""
EMBEDDINGS = "embeddings: {text: {at: /emb, dimensions: 4}}\n"
TEXTS = {
    "campaign": CONFIG.replace("order: topic", "order: model")
    .replace("labels: {ttl: 1m, pending: 60}", "labels: {ttl: 1m, pending: 9000, window: 1m}")
    .replace("duplicates: 50", "duplicates: 9000")
    .replace("pending: 60", "pending: 9000")
    .replace("monitors:", f"{EMBEDDINGS}mapping: {{pair: {{within: 5s, most: 40}}}}\nmonitors:", 1)
    + MORE,
    "every": EVERY.replace("kafka: {", "kafka: {order: model, ", 1),
    "standard": 'version: 1\nkafka: {brokers: "b:1", order: model}\ntopics: {events: [inferences]}\n'
    f"reference: {{warmup: 50}}\nlabels: {{ttl: 7d, window: 12h}}\n{EMBEDDINGS}",
}
STEPS_MS = {"campaign": 60, "every": 150, "standard": 400_000}


def config_of(name: str) -> Config:
    return load_text(TEXTS[name], "x.yaml", {})


def event(number: int, step_ms: int, rng: random.Random, count: int) -> dict[str, Any]:
    model, time_ms = rng.choice(MODELS), START_MS + number * step_ms
    shifted = number > count * (0.45 + 0.04 * MODELS.index(model))
    half, about, own = rng.random(), rng.randrange(number // 2 + 1), random.Random(number)
    if own.random() < 0.2:  # A chance of its own: all else stays as it is. Some are early, some in vain.
        of = max(number - own.choice((-9, -90, 9, 9, 90, 400, 1500)), 0) // 2 * 2
        said = {"event_id": f"{model}-{of}", "value": own.choice(["yes", "no"])}
        return {"model": model, "time": time_ms / 1000, "label": said}
    features = {
        "a": rng.gauss(5 * shifted, 1),
        "amount": rng.gauss(100 + 60 * shifted, 20),
        "age": None if shifted and rng.random() < 0.6 else rng.lognormvariate(0, 1),
        "country": rng.choice("abz" if shifted else "abc"),
        **({f"new{number % 3}": 1.0} if shifted and rng.random() < 0.05 else {}),
    }
    label = "yes" if rng.random() < (0.9 if shifted else 0.2) else "no"
    prediction = {"label": label, "confidence": rng.uniform(0.2 if shifted else 0.7, 1)}
    prediction["scores"] = {"yes": rng.random(), "no": rng.random(), "maybe": rng.random()}
    return {
        "model": model,
        "model_version": "2" if shifted and rng.random() < 0.5 else "1",
        "event_id": f"{model}-{number // 2 * 2}",  # Some are duplicates, of events of their own model.
        "time": (time_ms - (60_000_000 if rng.random() < 0.01 else 0)) / 1000,
        "features": features if half > 0.1 else None,
        "prediction": prediction if half < 0.9 else None,
        "segment": {"host": rng.choice(["h1", "h2", "h3", "h4", "h5"])},
        "emb": [rng.gauss(shifted, 1) for _ in range(4)],
        "latency_ms": rng.lognormvariate(3 + shifted, 0.3),
        "status": rng.choice(["ok", "500"] if shifted else ["ok", "ok", "ok", "429"]),
        **({"secret": True} if rng.random() < 0.02 else {}),
        **({"feedback": {"action": "accept", "event_id": f"{model}-{about * 2}"}} if rng.random() < 0.1 else {}),
    }


class World:
    """Stage 1 of one input, and the tasks behind it. `parts`: how many partitions of the ordered log it fills."""

    share = staticmethod(repartitioned)

    def __init__(self, config: Config, parts: int, tasks: int, engine: Engine, seed: int = 0) -> None:
        self.config, self.parts, self.engine = config, parts, engine
        self.rng, self.sent, self.now_ms = random.Random(seed), 0, START_MS
        self.tasks = [Tasks(config, engine).new((ORDERED, number), 0) for number in range(tasks)]
        self.unpack = Tasks(config, engine).decode
        self.ticked: list[int] = []
        for task in self.tasks:
            task.history.over, task.history.end, task.book.news_from = True, 0, 0

    def moved(self, parts: int) -> World:
        """Another world, from here on with so many parts."""
        other = type(self)(self.config, parts, len(self.tasks), self.engine)
        blobs = [task.dump() for task in self.tasks]
        made = self.share(self.config, blobs, self.parts, parts, ORDERED, self.engine)
        other.tasks = [Task.load(self.config, (ORDERED, n), blob, self.engine) for n, blob in enumerate(made)]
        other.sent, other.now_ms = self.sent, self.now_ms
        return other

    def feed(self, records: list[Record], step_ms: int) -> None:
        """Events of the input in pieces, and ticks between them."""
        made = Orderings(self.config, Parts(self.parts, len(self.tasks)), engine=self.engine)
        first = made.new(("inferences", 0), self.sent)
        for begin in range(0, len(records), 60):
            piece = records[begin : begin + 60]
            first.step(made.decode(piece, "inferences"))
            for out in first.outbox:
                if out.topic == "ordered":
                    task = self.tasks[out.partition or 0]
                    task.step(self.unpack([Record(task.position, piece[-1].time_ms, None, out.value)], ORDERED))
            first.published()
            self.now_ms = piece[-1].time_ms + 10 * step_ms
            for task in self.tasks:
                task.tick(Tick(task.position, self.now_ms, caught_up=True))
        self.sent += len(records)

    def told(self) -> list[Out]:
        """What all have to publish, and from here on no more."""
        outs = [out for task in self.tasks for out in task.outbox]
        for task in self.tasks:
            task.published()
        return outs


def records_of(name: str, count: int, seed: int = 0) -> list[Record]:
    rng, step_ms = random.Random(seed), STEPS_MS[name]
    values = [json.dumps(event(number, step_ms, rng, count)).encode() for number in range(count)]
    return [Record(number, START_MS + number * step_ms, None, value) for number, value in enumerate(values)]


COORDINATES = {
    *("partition", "offset", "offsets", "first_offset", "last_offset", "fingerprint", "episode", "replay", "ordered"),
    *("number", "odd_fields", "account"),
}


def bare(value: Any) -> Any:
    """Without coordinates of the ordered log, and what is named after them."""
    if isinstance(value, dict):
        return {name: bare(one) for name, one in value.items() if name not in COORDINATES}
    if isinstance(value, str):
        return re.sub(r"drift-ordered\[\d+\]@\d+", "here", value)
    return [*map(bare, value)] if isinstance(value, list) else value


def difference(one: Any, other: Any, path: str = "") -> str:
    """Where two plain values differ first."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next((found for key in one if (found := difference(one[key], other[key], f"{path}.{key}"))), "")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        places = enumerate(zip(one, other, strict=True))
        return next((found for i, both in places if (found := difference(*both, f"{path}[{i}]"))), "")
    return "" if one == other or one != one else f"{path}: {one!r:.600} is not {other!r:.600}"


def by_model(outs: Iterable[Out]) -> dict[str, list[Any]]:
    """Of each model and kind what is told, in its order. Of a window whose labels came it is what is told last: by
    which tick it is over is a matter of the clock of its partition, and so is what had come by then that has no
    estimate.
    """
    found = defaultdict(list)
    for out in outs:
        told = json.loads(out.value or b"")
        data = told["data"]
        labels = data.get("alert", data).get("labels", {})
        model = data.get("model") or labels.get("model")
        if told["type"].endswith("performance.v1"):
            window = data["window"]
            data.pop("unestimated", None)
            found[f"{labels} {window.pop('from')}"] = [bare({**data, "window": window | {"version": 0}})]
        elif model is not None and out.topic != "incidents":
            found[f"{model} {told['type']}"].append(bare(data))
    return found


def incidents(world: World) -> list[Any]:
    """All but what they are called, and with whose they make a fleet, which tells them once more. A member that comes
    again counts again when its model has moved since: to its readers it is another alert.
    """
    known = [incident for task in world.tasks for incident in task.incidents.book.incidents.values()]
    return sorted(
        [one.model, one.since_ms, one.severity, one.over, sorted({(m.monitor, m.signal) for m in one.members})]
        for one in known
    )


def ids(outs: Iterable[Out]) -> set[str]:
    """Of episodes of a model's alerts."""
    told = [json.loads(out.value or b"") for out in outs if out.topic == "alerts"]
    return {one["correlationid"] for one in told if "model" in one["data"]["alert"]["labels"]}


@pytest.mark.parametrize(
    ("name", "way", "in_python"),
    [*((name, way, False) for name in TEXTS for way in [(1, 3), (3, 2), (2, 6)]), ("campaign", (3, 2), True)],
)
def test_what_moves_goes_on_as_if_it_had_not(name: str, way: tuple[int, int], in_python: bool) -> None:
    engine = PYTHON if in_python else ENGINE
    before, after = way
    count, step_ms = 2400 if engine is not PYTHON else 1400, STEPS_MS[name]
    log = records_of(name, count)
    cut = count * 6 // 10
    stays = World(config_of(name), before, max(way), engine)
    stays.feed(log[:cut], step_ms)
    early = stays.told()
    moves = stays.moved(after)
    open_before = {(a.monitor, a.model, a.state, a.told) for task in stays.tasks for a in task.book.alerts.values()}
    open_after = {(a.monitor, a.model, a.state, a.told) for task in moves.tasks for a in task.book.alerts.values()}
    assert open_before == open_after
    for world in (stays, moves):
        world.feed(log[cut:], step_ms)
    told, expected = moves.told(), stays.told()
    found, wanted = by_model([*early, *told]), by_model([*early, *expected])
    for key, mine in wanted.items():
        assert not difference(found[key], mine, key)
    assert found.keys() == wanted.keys()
    assert not difference(incidents(moves), incidents(stays))
    known = ids(early)
    assert ids(told) & known == ids(expected) & known, "an alert that was open keeps its id"
    where = {model: number for number, task in enumerate(moves.tasks) for model in task.models()}
    assert where == {model: part_of([model], after) for model in MODELS}
    assert name != "campaign" or (ids(expected) & known and ids(expected) - known)


@pytest.mark.parametrize("name", TEXTS)
def test_there_and_back_is_what_was(name: str) -> None:
    world = World(config_of(name), 2, 6, ENGINE)
    world.feed(records_of(name, 1500), STEPS_MS[name])
    there = world.moved(6)
    back = there.moved(2)
    for task, other in zip(world.tasks, back.tasks, strict=True):
        assert not difference(canonical(task), canonical(other))
    again = back.moved(2)
    assert [task.dump() for task in again.tasks] == [task.dump() for task in back.tasks], (
        "nothing moves, nothing changes"
    )


def canonical(task: Task) -> dict[str, Any]:
    """The state model by model, and what has no model."""
    whole, found = snapshot.decode(task.dump()), dict[str, Any]()
    for model in sorted(task.models()):
        one = Task.load(task.config, task.partition, task.dump(), ENGINE)
        found[model] = plain(without(one, known_by(one) - {model}, {}) | {"labels": waiting_of(one)})
    return {**found, **{name: plain(whole[name]) for name in ("unusable", "ticks", "position", "history")}}


def waiting_of(task: Task) -> Any:
    """What waits for labels, and the windows, without what numbers are given to groups."""
    if "labels" not in task.beside:
        return None
    labels = labels_of(task)
    stores = [store.rows(store.first, store.end) for store in (labels.waiting, labels.early)]
    columns = [plain({**rows.columns, "marks": rows.marks}) for rows in stores]
    columns[0]["group"] = [labels.keys.get(of) for of in columns[0]["group"]]
    windows = labels.performance.dump() if labels.performance is not None else None
    return [*columns, plain(windows), labels.clock_ms, labels.models]


OF_TASKS = {
    *("unusable", "ids", "values", "marks", "counts", "reasons", "odd", "no_place", "fleet"),
    *FEEDBACK,
    *AWAITED,
}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items() if name not in OF_TASKS}
    if isinstance(value, (list, tuple)):
        return [*map(plain, value)]
    return value.tolist() if isinstance(value, np.ndarray) else value


def test_every_record_stays_counted_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "YOUNG", 2)
    world = World(config_of("campaign"), 3, 4, ENGINE)
    world.feed(records_of("campaign", 900), STEPS_MS["campaign"])
    for parts in (1, 4, 2):
        moved = world.moved(parts)
        assert [task.admission.counts for task in moved.tasks] == [task.admission.counts for task in world.tasks]
        events = [sum(task.admission.events.values()) for task in moved.tasks]
        assert sum(events) == sum(sum(task.admission.events.values()) for task in world.tasks)
        of_labels = [[labels_of(task) for task in one.tasks] for one in (world, moved)]
        assert [one.results for one in of_labels[1]] == [one.results for one in of_labels[0]]
        waits = [sum(one.wait for one in some) for some in of_labels]
        assert waits[0] == waits[1] > 0
        halves = [sum(task.pairs.waiting for task in one.tasks if task.pairs is not None) for one in (world, moved)]
        assert halves[0] == halves[1] > 10
        world = moved


def test_of_a_model_that_was_learned_twice_the_newer_part_counts() -> None:
    model = next(m for m in MODELS if part_of([m], 2) == 1)
    assert moves_of([[model], [model]], 2, 3) == {model: (1, part_of([model], 3))}
    assert moves_of([[model], []], 2, 3) == {model: (0, part_of([model], 3))}


def test_the_newest_of_both_are_last() -> None:
    assert [*newest_last("abc", "yz")] == ["a", "b", "y", "c", "z"]
