"""Features that change their type: told once and by name, and never of what is mixed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE, PYTHON
from streamer.engine.task import Task
from streamer.series.type_change import RUN, TypeChange
from streamer.signals.kinds import NOW_NUMBER, NOW_TEXT
from tests.series.tables import Value, grouped, plain, table_of
from tests.signals.events import HEAD, batch_of, firing

WATCH = "monitors: {types: {signal: type_change.*, detect: {kind: occurrence}}}\n"


def ages(before: Any, after: Any, n: int = 200) -> list[dict[str, Any]]:
    return [{"features": {"age": before if i < n else after, "b": 1.0, "c": "x"}} for i in range(2 * n)]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (41, "41", "features.age is now a text, was a number"),
        (1, True, "features.age is now a text, was a number"),
        ("1", 1, "features.age is now a number, was a text"),
    ],
)
def test_a_change_is_told_by_name_and_words(before: Any, after: Any, words: str) -> None:
    assert firing(WATCH, ages(before, before)) == []
    [alert] = firing(WATCH, ages(before, after))
    assert alert["alert"]["labels"]["signal"] == "type_change.age"
    assert words in alert["sentence"]


def test_it_is_in_the_standard_set_and_heeds_what_is_excluded_or_a_code() -> None:
    def types(text: str) -> list[str]:
        found = firing(text + "standard: true\n", ages(12, "12"))
        return [a["alert"]["labels"]["signal"] for a in found if a["alert"]["labels"]["monitor"] == "feature-type"]

    assert types("") == ["type_change.age"]
    assert types("exclude: [features.age]\n") == []
    assert types("categorical: [features.age]\n") == []


def told(events: list[dict[str, Any]], size: int, warmup: int = 20, rows: int = 100) -> tuple[list[Value], TypeChange]:
    source, table = TypeChange(warmup), table_of("type_change.*", ("caller",), rows=rows)
    found: list[Value] = []
    for begin in range(0, len(events), size):
        batch = batch_of(events[begin : begin + size])
        found += plain(table, source.column(batch, grouped(table, batch), table, {}), begin)
        again = TypeChange(warmup)
        again.load(source.dump())
        assert repr(again.dump()) == repr(source.dump())
        source = again
    return found, source


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_it_turns_and_turns_back_at_the_same_events_however_it_is_cut(size: int) -> None:
    values = [5] * 30 + [None] * 10 + ["5"] * RUN + [None] + [5] * RUN
    events = [{"caller": c, "features": {"x": v}} for v in values for c in ("a", "b")]
    found, source = told(events, size)
    first, second = 30 + 10 + RUN - 1, len(values) - 1
    assert found == [
        (("m", caller), "features.x", 2 * place + i, value)
        for place, value in ((first, NOW_TEXT), (second, NOW_NUMBER))
        for i, caller in enumerate("ab")
    ]
    assert source.state["n"].tolist() == [20, 20]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_what_is_mixed_does_not_flap(share: float, seed: int) -> None:
    """Mixed from the beginning it is never told; mixed later on neither."""
    text = np.random.default_rng(seed).random(3000) < share
    mixed = [{"features": {"x": "5" if one else 5}} for one in text.tolist()]
    pure: list[dict[str, Any]] = [{"features": {"x": 5}}] * 20
    assert told(mixed, 1000)[0] == []
    assert told(pure + mixed, 1000)[0] == []


def test_most_events_are_enough() -> None:
    rng = np.random.default_rng(1)
    mixed = [{"features": {"x": "5" if one else 5}} for one in (rng.random(3000) < 0.95).tolist()]
    found, _ = told([{"features": {"x": 5}}] * 20 + mixed, 1000)
    assert [value for *_, value in found] == [NOW_TEXT]


def test_a_full_table_is_counted_and_what_leaves_is_forgotten() -> None:
    source, table = TypeChange(20), table_of("type_change.*", rows=2)
    batch = batch_of([{"features": {"a": 1, "b": "x", "c": "y"}}])
    source.column(batch, grouped(table, batch), table, {})
    assert (table.dropped, table.taken, len(source.state["n"])) == (1, 2, 2)
    assert [values.tolist() for values in source.heard(table)] == [batch.times_ms.tolist() * 2, [0, 0]]
    source.retain(np.array([1]), table)
    assert source.state["texts"].tolist() == [1]


@pytest.mark.parametrize("broken", [{"n": [21]}, {"kind": [4]}, {"n": [1, 2]}])
def test_an_invalid_state_is_refused(broken: dict[str, list[int]]) -> None:
    source, table = TypeChange(20), table_of("type_change.*")
    batch = batch_of([{"features": {"a": 1}}])
    source.column(batch, grouped(table, batch), table, {})
    with pytest.raises(ValueError, match="invalid types"):
        TypeChange(20).load({**source.dump(), **{name: np.array(v) for name, v in broken.items()}})


def test_engines_cuts_and_restarts_give_the_same_bytes() -> None:
    config = load_text(HEAD + "standard: true\n", "x", {})
    values = [json.dumps({"model": "m", **event}).encode() for event in ages(41, "41", 150)]
    records = [Record(i, i * 1000, None, value) for i, value in enumerate(values)]
    dumps, outs = [], []
    for engine, size in ((PYTHON, 300), (PYTHON, 7), (ENGINE, 300), (ENGINE, 7)):
        task = Task(config, ("inferences", 0), 0, engine=engine)
        decode, told = Decoder(fields_of(config), compiled=engine is not PYTHON), list[Any]()
        for begin in range(0, 300, size):
            task.step(decode(records[begin : begin + size], "inferences"))
            told += task.outbox
            task.published()
            task = Task.load(config, ("inferences", 0), task.dump(), engine)
        dumps.append(task.dump())
        outs.append(told)
    assert all(dump == dumps[0] for dump in dumps)
    assert all(out == outs[0] for out in outs)
    assert any(b"features.age is now a text, was a number" in (out.value or b"") for out in outs[0])
