"""Numbers that are codes: moved to the texts of their batch, the same however the log is cut, and watched as such."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.task import Task
from streamer.signals.codes import coded
from tests.signals.events import HEAD, batch_of, firing

CODES = 'categorical: [features.store, "features.*_code"]\n'
UNSEEN = "monitors: {new: {signal: unseen.store, detect: {kind: scan}}}\n"


def stores(n: int, late: Any = None) -> list[dict[str, Any]]:
    usual = [12, 12.0, "12", 47, 103]
    return [
        {"features": {"amount": float(i % 7), "store": usual[i % 5] if late is None or i < n // 2 else late}}
        for i in range(n)
    ]


def test_a_number_is_the_category_of_its_text() -> None:
    batch = batch_of(
        [
            {"features": {"store": 12, "a_code": -0.0, "amount": 3}},
            {"features": {"store": "12", "a_code": True, "amount": 12}},
            {"features": {"store": 12.5, "a_code": None}},
            {"features": {"store": 1e300}},
        ]
    )
    found = coded(batch, ["features.store", "features.*_code"])
    shown = [
        (int(e), found.names[n], found.strings[t]) for e, n, t in zip(*(c.tolist() for c in found.texts), strict=True)
    ]
    assert shown == [
        (0, "features.store", "12"),
        (0, "features.a_code", "0"),
        (1, "features.store", "12"),
        (1, "features.a_code", "true"),
        (2, "features.store", "12.5"),
        (3, "features.store", "1e+300"),
    ]
    assert [found.names[n] for n in found.numbers.name] == ["features.amount"] * 2
    assert found.numbers.value.tolist() == [3.0, 12.0]
    assert len(set(found.strings)) == len(found.strings)
    assert found.strings[: len(batch.strings)] == batch.strings
    assert found.texts.text.dtype == np.int32
    assert coded(found, ["features.store"]) is found
    assert coded(batch, []) is batch


def test_a_new_code_is_unseen_and_a_known_one_in_another_spelling_is_not() -> None:
    assert firing(CODES + UNSEEN, stores(1000)) == []
    assert firing(CODES + UNSEEN, stores(1000, "47")) == []
    [alert] = firing(CODES + UNSEEN, stores(1000, 901))
    assert alert["alert"]["labels"]["signal"] == "unseen.store"
    assert firing(UNSEEN, stores(1000, 901)) == []


def test_a_check_takes_the_numbers_of_codes() -> None:
    check = "checks: {features.store: {allowed: [12, 47, 103]}}\n"
    watch = "monitors: {bad: {signal: invalid.store, detect: {kind: scan}}}\n"
    assert firing(CODES + check + watch, stores(1000)) == []
    assert len(firing(CODES + check + watch, stores(1000, 901))) == 1


@pytest.mark.parametrize("engine", [PYTHON, ENGINE])
def test_no_cutting_shows_and_nobody_takes_codes_for_numbers(engine: Engine) -> None:
    config = load_text(HEAD + CODES + "standard: true\n", "x", {})
    values = [json.dumps({"model": "m", **event}).encode() for event in stores(600, 901)]
    records = [Record(i, i * 1000, None, value) for i, value in enumerate(values)]
    dumps = []
    for size in (600, 7):
        task = Task(config, ("inferences", 0), 0, engine=engine)
        decode = Decoder(fields_of(config), compiled=engine is not PYTHON)
        for begin in range(0, 600, size):
            task.step(decode(records[begin : begin + size], "inferences"))
        dumps.append(task.dump())
        of = {(t.signal.kind, member) for t in task.tables.values() for _, member in t.keys}
        assert ("number", "features.store") not in of
        assert {("number", "features.amount"), ("category", "features.store"), ("missing", "features.store")} <= of
        assert ("unseen", "features.store") in of
    assert dumps[0] == dumps[1]


def test_numbers_of_a_snapshot_that_are_codes_by_now_leave() -> None:
    before, after = (load_text(HEAD + text + "standard: true\n", "x", {}) for text in ("", CODES))
    task = Task(before, ("inferences", 0), 0)
    task.step(batch_of(stores(300)))
    again = Task.load(after, ("inferences", 0), task.dump())
    members = {m for t in again.tables.values() if t.signal.kind == "number" for _, m in t.keys}
    assert members == {"features.amount"}
