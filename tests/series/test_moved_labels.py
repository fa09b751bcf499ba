"""A model that moves takes along what waits for labels: they meet as if it had stayed, and every count is exact."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.task import Task
from streamer.series import pending
from streamer.series.labels import Labels
from streamer.series.moved_labels import join, leave, models_of
from tests.engine.tasks import AT, LEAST
from tests.series.test_labels import DAY_S, MONITORS, inference, label, labels_of, records, some_log

MODELS = "ab"
LONG, TIGHT = "{ttl: 365d, pending: 100000}", "{ttl: 3h, pending: 150}"


def config(labels: str = "{}", more: str = MONITORS) -> Config:
    return load_text(f"{LEAST}labels: {labels}\n{more}".replace("[inferences]", "[inferences], windows: w"), "x", {})


class Two:
    """Two partitions, and where each model is."""

    def __init__(self, setup: Config, **of: int) -> None:
        self.setup, self.tasks = setup, [Task(setup, AT, 0), Task(setup, AT, 0)]
        self.of = dict.fromkeys(MODELS, 0) | of

    @property
    def labels(self) -> list[Labels]:
        return [labels_of(task) for task in self.tasks]

    def feed(self, events: Sequence[dict[str, Any]]) -> None:
        for number, task in enumerate(self.tasks):
            mine = [one for one in events if self.of[one["model"]] == number]
            log = [record._replace(offset=record.offset + task.position) for record in records(mine)]
            if log:
                task.step(decode(log, fields_of(self.setup), AT[0]))

    def move(self, model: str) -> None:
        source, to = self.labels[self.of[model]], self.labels[1 - self.of[model]]
        join(to, reloaded(self.setup, source), [model])
        leave(source, [model])
        self.of[model] = 1 - self.of[model]
        for labels in self.labels:
            assert plain(reloaded(self.setup, labels).dump()) == plain(labels.dump()), "a snapshot has all of it"

    def total(self, name: str) -> dict[str, int]:
        """Of results, or of inferences, those that there were any of."""
        found = Counter[str]()
        for labels in self.labels:
            found.update(getattr(labels, name))
        return {result: count for result, count in found.items() if count}


def reloaded(setup: Config, labels: Labels) -> Labels:
    found = labels_of(Task(setup, AT, 0))
    found.load(labels.dump())
    return found


def plain(state: Any) -> Any:
    if isinstance(state, dict):
        return {name: plain(one) for name, one in state.items()}
    if isinstance(state, np.ndarray):
        return state.tobytes()  # In which NaN is NaN.
    return [*map(plain, state)] if isinstance(state, (list, tuple)) else state


def events_of(log: Sequence[Record]) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in log]


def cells(two: Two) -> dict[Any, Any]:
    """Every window of every group, with what classes are called there."""
    found = dict[Any, Any]()
    for told in (labels.performance for labels in two.labels):
        assert told is not None
        for begin, key, cell in ((b, k, c) for b, groups in told.windows.items() for k, c in groups.items()):
            names = told.names.get(key[0], [])
            assert (begin, key) not in found
            found[begin, key] = cell.sums, {(names[p], names[t]): n for (p, t), n in cell.confusion.items()}
    return found


@pytest.mark.parametrize("seed", range(3))
def test_wherever_models_are_labels_meet_as_if_they_had_stayed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 64)
    log, rng = events_of(some_log(seed, 1200)), random.Random(seed)
    stays, moves = Two(config(LONG), b=1), Two(config(LONG), b=1)
    for begin in range(0, len(log), 150):
        for two in (stays, moves):
            two.feed(log[begin : begin + 150])
        moves.move(rng.choice(MODELS))
        assert moves.total("results") == stays.total("results")
        assert moves.total("inferences") == stays.total("inferences")
        assert sum(labels.wait for labels in moves.labels) == sum(labels.wait for labels in stays.labels)
        assert sum(labels.moved for labels in moves.labels) == 0
    assert stays.total("results")["matched"] > 300
    assert any(labels.moved for labels in moves.labels)
    assert [models_of(labels) for labels in moves.labels] == [{m for m in MODELS if moves.of[m] == n} for n in (0, 1)]
    assert cells(moves) == cells(stays)


@pytest.mark.parametrize("seed", range(3))
def test_every_label_and_every_inference_is_counted_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 64)
    log, rng = events_of(some_log(seed, 1200)), random.Random(seed)
    two, sent = Two(config(TIGHT)), Counter[str]()
    for begin in range(0, len(log), 150):
        two.feed(log[begin : begin + 150])
        sent.update("labels" if "label" in one else "inferences" for one in log[begin : begin + 150])
        two.move(rng.choice(MODELS))
        assert sum(labels.received for labels in two.labels) == sent["labels"]
        assert sum(labels.wait for labels in two.labels) + sum(two.total("results").values()) == sent["labels"]
        assert all(0 <= labels.wait <= 150 for labels in two.labels)
        blocks = [block for labels in two.labels for block in labels.waiting.blocks]
        left = sum(int(np.count_nonzero(block.marks[: block.rows] == 0)) for block in blocks)
        assert left + sum(two.total("inferences").values()) == sent["inferences"]
        assert all(labels.waiting.end - labels.waiting.first <= 150 for labels in two.labels), "room for no more"
    assert two.total("inferences").keys() == {"labelled", "expired", "displaced"}
    assert two.total("results")["unmatched"]


def test_there_and_back_is_what_was() -> None:
    two = Two(config(LONG), b=1)
    two.feed([inference(9000 + n, 0, model=model) for n, model in enumerate(MODELS)] + events_of(some_log(5, 400)))
    before = [plain(labels.dump()) for labels in two.labels]
    two.move("a")
    two.move("a")
    after = [plain(labels.dump()) for labels in two.labels]
    assert after[1] == before[1] | {"classes": after[1]["classes"], "groups": after[1]["groups"]}
    for name in ("clock_ms", "received", "moved", "results", "inferences", "performance"):
        assert after[0][name] == before[0][name], name
    assert after[0]["early"]["last"] == before[0]["early"]["last"], "which are fewer than a block"


def test_by_the_clock_of_another_partition_nothing_ends_sooner_or_later() -> None:
    two = Two(config("{ttl: 10d}"), b=1)
    two.feed([inference(1, 0, model="a"), label(5, 1, model="a"), inference(2, 400 * DAY_S, model="b")])
    two.move("a")
    two.feed([label(1, 9, model="a"), inference(5, 9, model="a"), label(6, 10, model="a")])
    assert two.total("results") == {"matched": 2}
    two.feed([inference(7, 409 * DAY_S, model="b")])
    two.move("a")
    two.feed([inference(6, 9, model="a")])
    assert two.total("results") == {"matched": 3}
    two.move("a")
    two.feed([label(7, 9, model="a"), inference(8, 420 * DAY_S, model="b")])
    two.move("a")
    assert two.total("results") == {"matched": 3, "unmatched": 1}


@pytest.mark.parametrize("of_b", [0, 1])
def test_a_label_before_any_inference_goes_where_its_model_does(of_b: int) -> None:
    two = Two(config("{ttl: 10d}"), b=of_b)
    two.feed([label(1, 0, model="a")])
    assert models_of(two.labels[0]) == {"a"}
    two.feed([inference(2, 20 * DAY_S, model="b")])
    two.move("a")
    assert "a" in models_of(two.labels[1])
    two.feed([inference(1, 21 * DAY_S, model="a")])
    assert two.total("results") == {"matched": 1}


def test_inferences_without_a_place_are_known_where_their_model_is() -> None:
    two = Two(config("{}", MONITORS.replace("ahead: 90d", "ahead: 90d, series: 9")))
    two.feed([inference(n, n, model="a", model_version=str(n)) for n in range(30)])
    assert two.labels[0].inferences["refused"]
    two.move("a")
    two.feed([label(29, 40, model="a"), label(0, 40, model="a")])
    assert two.total("results") == {"unusable": 1, "matched": 1}


def test_what_nobody_goes_on_with_is_counted() -> None:
    two = Two(config())
    two.feed([label(1, 0, model="a"), inference(2, 1, model="a"), inference(3, 1, model="b"), label(4, 1, model="b")])
    labels = two.labels[0]
    leave(labels, ["a", "b"], lost=["a"])
    assert labels.results["unmatched"] == 1 == labels.inferences["displaced"]
    assert (labels.received, labels.moved, labels.wait) == (2, -1, 0)
    assert models_of(labels) == set()


def test_what_there_is_no_room_for_is_counted() -> None:
    two = Two(config("{pending: 3}"), b=1)
    both = [(model, n) for model in MODELS for n in range(3)]
    two.feed([one for model, n in both for one in (inference(n, n, model=model), label(9 + n, n, model=model))])
    two.move("a")
    assert two.total("results")["unmatched"] == 3 == two.total("inferences")["displaced"]
    two.feed([label(n, 9, model=model) for model, n in both])
    assert two.total("results")["matched"] == 3, "the newest of both are there"


def test_older_snapshots_do_not_say_of_which_model_a_label_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 8)
    two = Two(config())
    two.feed([inference(99, 0, model="a"), *(label(n, n, model="a") for n in range(20))])
    state = two.labels[0].dump()
    early = state["early"]
    early["blocks"] = [data[:-64] for data in early["blocks"]]
    del early["last"]["model"], state["moved"], state["models"]
    two.tasks[0] = task = Task(two.setup, AT, two.tasks[0].position)
    labels_of(task).load(state)
    assert models_of(labels_of(task)) == {"a"}, "of inferences it is known"
    two.feed([inference(n, n, model="a") for n in range(20)])
    assert two.total("results") == {"matched": 20}


def test_a_window_goes_on_with_its_version_and_the_names_of_its_classes() -> None:
    two, told = Two(config("{window: 1h}")), list[Any]()
    two.feed([inference(1, 0, "rare", model="a"), inference(2, 1, model="a"), inference(3, 7200, model="a")])
    two.feed([inference(4, 2, model="b")])
    for number, more in enumerate([label(2, 7201, model="a"), label(1, 7202, model="a"), None]):
        two.feed([more] if more else [])
        mine = two.labels[two.of["a"]]
        assert mine.performance is not None
        assert mine.calibrations is not None
        told += mine.performance.tell(mine.clock_ms, mine.calibrations, mine.classes)
        if number == 0:
            two.move("a")
            left = two.labels[0].performance
            assert left is not None
            assert {key[0] for groups in left.windows.values() for key in groups} == {"b"}
            assert (left.versions, left.classes, left.names) == ({}, {}, {})
    assert [one.version for one in told if not one.by] == [1, 2]
    wrong = [one for one in told if not one.by][-1].facts["confusion"]
    assert {(one["predicted"], one["true"]) for one in wrong} == {("ok", "ok"), ("rare", "ok")}
