"""What labels say of predictions, as series of the inferences' groups."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from streamer.engine.task import Task
from streamer.series.joined import joined_of
from streamer.series.predictions import CLASS, NUMBER, packed
from streamer.series.realised import VALUES, late_labels
from streamer.signals.grammar import parse_signal
from streamer.signals.kinds import KINDS
from tests.engine.tasks import alerts, run
from tests.series.test_labels import BEGIN_MS, config, inference, label, labels_of, records, taken, values

RIGHT = (0, 0, CLASS, 5, 5, float("nan"), 0.75, 1000, 61_000)
WRONG = (1, 0, CLASS, 5, 6, float("nan"), 0.75, 1000, 0)
NUMBERS = (2, 0, NUMBER, 4_611_686_018_427_387_904, 9, 2.5, float("nan"), 1000, 500)  # the bits of 2.0


def test_values() -> None:
    joined = joined_of([RIGHT, WRONG, NUMBERS])
    found = {word: [v for v, mine in zip(*reversed(of(joined)), strict=True) if mine] for word, of in VALUES.items()}
    assert found == {
        "realised_error": [0.0, 1.0], "absolute_error": [0.5], "prediction_bias": [-0.5],
        "brier": [0.0625, 0.5625], "label_delay": [60.0, -0.5], "interval_miss": [],
    }  # fmt: skip


def test_a_stated_interval_is_missed_or_not() -> None:
    bits = packed(np.array([2.0, 2.6, 2.5, np.nan]), np.array([2.4, 3.0, 2.5, 3.0])).tolist()
    rows = [(i, 0, NUMBER, NUMBERS[3], 9, 2.5, one, 1000, 500) for i, one in enumerate(bits)]
    mine, missed = VALUES["interval_miss"](joined_of([*rows, RIGHT]))
    assert mine.tolist() == [True, True, True, False, False]
    assert missed[mine].tolist() == [1.0, 1.0, 0.0]


def test_every_word_has_its_values() -> None:
    assert set(VALUES) == {word for kind in ("realised", "loss") for word in KINDS[kind].words}
    assert all(parse_signal(word).path == word for word in VALUES)


def test_true_labels_are_shares_in_the_group_of_the_inference() -> None:
    events: list[dict[str, Any]] = [inference(i, i, "x") for i in range(4)]
    events += [label(i, 9, truth) for i, truth in enumerate(["x", "y", "x"])]
    events += [label(4, 9, "z"), inference(4, 9, "x")]
    [table] = [t for t in taken(events).tables.values() if t.signal.kind == "truth"]
    assert [member for _, member in table.keys] == ["x", "y", "z"]
    assert [table.reference.at(row).n for row in range(3)] == [4, 4, 4], (
        "each label says of all that it is none of them"
    )


def test_all_that_labels_make_share_what_waits() -> None:
    task = taken([inference(1, 0)])
    sources = [source for table_id, source in task.sources.items() if table_id.signal.kind in ("realised", "truth")]
    labels = labels_of(task)
    assert {id(source.labels) for source in sources} == {id(labels)}  # type: ignore[attr-defined]
    assert labels.by == ("version", "segment.country")
    assert late_labels(config().model_copy(update={"labels": None}), [], task.engine.table.grouping) is None


def with_truths(seed: int, wrong: tuple[float, float], late: int = 200, count: int = 6000) -> list[Record]:
    """Inferences of two versions with labels `late` events later; from the middle on `wrong` of version 2."""
    rng, events, said = random.Random(seed), list[dict[str, Any]](), list[str]()
    for i in range(count):
        version = str(i % 2 + 1)
        said.append(rng.choice("xy"))
        events.append(inference(i, i, said[i], model_version=version))
        if i >= late:
            about = i - late
            share = wrong[about > count / 2] if about % 2 else wrong[0]
            truth = said[about] if rng.random() >= share else "xy"[said[about] == "x"]
            events.append(label(about, i, truth))
    return records(events)


FIRES = """
reference: {warmup: 300}
monitors: {wrong: {signal: realised_error, by: [version], detect: {kind: adwin, direction: up, delta: 0.0002}}}
"""


@pytest.mark.parametrize("seed", range(10 if "DRIFTLINE_REPETITIONS" in os.environ else 3))
def test_error_that_rises_in_one_version_is_told_of_that_version(seed: int) -> None:
    task = run(config(more=FIRES), with_truths(seed, (0.05, 0.3)), list(range(1000, 11_000, 1000)))
    told = [a["data"] for a in alerts(task)]
    assert [(a["status"], a["alert"]["labels"]["model_version"], a["direction"]) for a in told] == [
        ("firing", "2", "up")
    ]
    assert "share of wrong predictions went from" in told[0]["sentence"]
    healthy: Task = run(config(more=FIRES), with_truths(seed, (0.05, 0.05)), list(range(1000, 11_000, 1000)))
    assert alerts(healthy) == []


def test_what_a_model_filter_leaves_out_has_no_values() -> None:
    text = "monitors: {wrong: {signal: realised_error, model: other, detect: {kind: adwin}}}\n"
    task = run(config(more=text), records([inference(1, 0), label(1, 1)]))
    assert values(task, "realised_error") == {}
    assert json.loads(records([label(1, 1)])[0].value or b"")["time"] == BEGIN_MS / 1000 + 1
