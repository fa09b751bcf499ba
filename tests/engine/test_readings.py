"""Series go on when their values come as another type: a real shift is found then, and nothing else is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.reference_file import References as File
from streamer.config.reference_file import Series, Table
from streamer.engine.engines import ENGINE, PYTHON
from streamer.engine.readings import homes_of
from streamer.engine.task import Task
from tests.engine.tasks import AT
from tests.signals.events import HEAD, firing

TYPE = "t: {signal: type_change.*, detect: {kind: occurrence}}"
MEAN = f"monitors: {{m: {{signal: features.x, detect: {{kind: adwin}}}}, {TYPE}}}\n"
WINDOW = "window: {events: 100}, detect: "
SHARES = (
    f"monitors: {{c: {{signal: category.x, {WINDOW}{{kind: distribution}}}}, "
    f"u: {{signal: unseen.x, {WINDOW}{{kind: fraction, max: 0.05}}}}, {TYPE}}}\n"
)
LABELS = (
    "monitors: {l: {signal: label.*, detect: {kind: adwin}}, "
    f"d: {{signal: label, {WINDOW}{{kind: distribution}}}}, "
    f"u: {{signal: new_label, {WINDOW}{{kind: fraction, max: 0.05}}}}, {TYPE}}}\n"
)
Value = Callable[[float], Any]


def amount(draw: float) -> float:
    return round(40 + 10 * draw, 3)


def one_in_three(draw: float) -> bool:
    return draw < 0.33


def mostly(draw: float) -> bool:
    return draw < 0.9


def told(text: str, first: Value, then: Value, last: Value | None = None, label: bool = False) -> set[str]:
    """Signals of the alerts of 900 events: a third of the first kind, a third of the second, a third of the last."""
    rng, events = Random(1), list[dict[str, Any]]()
    for i in range(900):
        value = (first, then, last or then)[i // 300](rng.random())
        events.append({"prediction": {"label": value}} if label else {"features": {"x": value, "b": 1.0}})
    return {one["alert"]["labels"]["signal"] for one in firing(text, events)}


@pytest.mark.parametrize(
    ("text", "first", "then", "last", "shift"),
    [
        (MEAN, amount, lambda d: str(amount(d)), lambda d: str(3 * amount(d)), "features.x"),
        (MEAN, lambda d: int(one_in_three(d)), one_in_three, mostly, "features.x"),
        (SHARES, lambda d: str(int(3 * d)), lambda d: int(3 * d), lambda d: 2, "category.x"),
        (SHARES, lambda d: str(int(3 * d)), lambda d: int(3 * d), lambda d: 9, "unseen.x"),
        (SHARES, one_in_three, lambda d: int(one_in_three(d)), lambda d: int(mostly(d)), "category.x"),
    ],
    ids=["number-text", "bits-booleans", "texts-numbers", "texts-new-number", "booleans-bits"],
)
def test_a_feature_goes_on_and_a_shift_behind_the_change_is_found(
    text: str, first: Value, then: Value, last: Value, shift: str
) -> None:
    assert told(text, first, first) == set()
    assert told(text, first, then) == {"type_change.x"}
    assert {"type_change.x", shift} <= told(text, first, then, last)


LABEL_TYPES: dict[str, Callable[[bool], Any]] = {
    "integer": int,
    "float": float,
    "boolean": bool,
    "text": lambda b: str(int(b)),
    "text of a float": lambda b: str(float(b)),
    "text of a boolean": str,
}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("integer", "boolean"),
        ("boolean", "integer"),
        ("float", "integer"),
        ("text", "integer"),
        ("text of a float", "integer"),
        ("integer", "text of a boolean"),
    ],
)
def test_a_label_goes_on_without_a_false_alert_and_a_shift_is_found(before: str, after: str) -> None:
    one, other = LABEL_TYPES[before], LABEL_TYPES[after]

    def found(last: Value) -> set[str]:
        firsts = (lambda d: one(one_in_three(d))), (lambda d: other(one_in_three(d))), (lambda d: other(last(d)))
        return told(LABELS, *firsts, label=True)

    assert found(one_in_three) == set()
    title = {"boolean": "true", "text of a float": "1.0"}.get(before, "1")
    assert f"label.{title}" in found(mostly)


def test_numbers_made_of_others_go_on_whether_or_not_types_are_watched() -> None:
    made = 'monitors: {r: {signal: "ratio(features.x, features.b)", detect: {kind: adwin}}}\n'
    assert told(made, amount, lambda d: str(amount(d))) == set()
    assert told(made, amount, lambda d: str(amount(d)), lambda d: str(3 * amount(d))) == {
        "ratio(features.x, features.b)"
    }


def test_engines_cuts_and_restarts_give_the_same_bytes_and_a_replay_from_where_an_alert_says_repeats_it() -> None:
    config = load_text(HEAD + "standard: true\n", "x", {})
    rng = Random(1)
    values = [amount(rng.random()) if i < 150 else str((1 + (i > 220)) * amount(rng.random())) for i in range(300)]
    raw = [
        {"features": {"x": v, "y": bool(i % 2) if i < 200 else i % 2}, "prediction": {"label": i % 3 == 0}}
        for i, v in enumerate(values)
    ]
    records = [Record(i, i * 1000, None, json.dumps({"model": "m", **event}).encode()) for i, event in enumerate(raw)]
    dumps, outs = [], []
    for engine, size in ((PYTHON, 300), (PYTHON, 7), (ENGINE, 300), (ENGINE, 7)):
        task = Task(config, AT, 0, engine=engine)
        decode, found = Decoder(fields_of(config), compiled=engine is not PYTHON), list[Any]()
        for begin in range(0, 300, size):
            task.step(decode(records[begin : begin + size], AT[0]))
            found += task.outbox
            task.published()
            task = Task.load(config, AT, task.dump(), engine)
        dumps.append(task.dump())
        outs.append(found)
    assert all(dump == dumps[0] for dump in dumps)
    assert all(out == outs[0] for out in outs)
    assert len(outs[0]) > 1


def test_a_row_that_began_behind_the_change_is_replayed_from_where_its_home_was_learned() -> None:
    text = "monitors: {m: {signal: features.x, by: [caller], detect: {kind: adwin}}}\n"
    rng = Random(1)
    events = [
        {"caller": "a", "features": {"x": amount(rng.random())}} if i < 200 else
        {"caller": "b", "features": {"x": str((1 + 2 * (i > 500)) * amount(rng.random()))}}
        for i in range(700)
    ]  # fmt: skip
    [alert] = firing(text, events)
    assert alert["alert"]["labels"]["caller"] == "b"
    assert "--from 0 " in alert["replay"]["command"]


def test_a_file_of_references_says_where_names_are_at_home() -> None:
    def series(member: str, mean: float = 5.0, **more: Any) -> Series:
        numbers = {"centre": mean, "scale": 1.0, "mean": mean, "std": 1.0, "below": 1.0, "above": 1.0}
        span = {"begin": "", "end": "", "begin_ms": 0, "end_ms": 1, "offsets": [0, 1]}
        return Series.model_validate({"key": ["m"], "member": member, "n": 100, **numbers, **span, **more})

    tables = [
        Table(signal="number features.*", series=[series("features.a", quantiles=[1.0]), series("features.b", 1.0)]),
        Table(signal="category features.*", series=[series("features.c", categories=["1", "2"], category=True)]),
        Table(signal="unseen features.*", series=[series("features.id", categories=[], category=False)]),
        Table(signal="label ", series=[series("0"), series("1")]),
    ]
    assert [*homes_of(File(source="s", config="c", tables=tables))] == [
        ("m", "features.a", False, []),
        ("m", "features.b", True, []),
        ("m", "features.c", None, ["1", "2"]),
        ("m", "prediction.label", None, ["0", "1"]),
    ]
