"""What became of one record: each field with its place and the reason, never a value."""

from __future__ import annotations

import json
from typing import Any

from schemas.events.batch import Record
from schemas.events.fields import Fields, compile_fields
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.record_view import View, lines, view
from tests.offline.samples import HEAD

SECRET = "4111-1111"
EVENT = {
    "model": "m",
    "features": {"card": SECRET, "amount": 5, "odd": float("nan"), "none": None},
    "prediction": {"labl": "yes"},
    "latency_ms": "fast",
    "extra": {"deep": 1},
}


def seen(value: Any, fields: Fields | None = None) -> View:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return view(Record(0, 1_700_000_000_000, None, data), fields or compile_fields({}), "t")


def of(found: View, name: str) -> tuple[str, str]:
    [one] = [field for field in found.fields if name in (field.name, field.place)]
    return one.became, one.why


def test_each_field_is_used_odd_or_absent_with_the_reason() -> None:
    found = seen(EVENT)
    assert (found.told, found.rows) == ("an event", 1)
    assert of(found, "model") == ("used", "a text of 1 characters")
    assert of(found, "label") == ("absent", "/prediction has no 'label'. Did you mean 'labl'?")
    assert of(found, "latency_ms")[0] == "odd"
    assert of(found, "status") == (
        "absent",
        "the value has no 'status'. Known: extra, features, latency_ms, model, prediction.",
    )
    assert of(found, "features.card") == ("used", "a text")
    assert of(found, "features.none") == ("used", "null, so missing")
    assert of(found, "/extra") == ("unread", "an object of 1 members; nothing reads it")
    assert SECRET not in "\n".join(lines(found))


def test_a_feature_that_is_called_like_a_field_is_not_that_field() -> None:
    found = seen({"model": "m", "features": {"label": [{}]}, "prediction": {"label": "yes"}})
    assert (of(found, "label")[0], of(found, "features")[0]) == ("used", "odd")


def test_what_is_in_the_way_is_said() -> None:
    assert of(seen({"model": "m", "prediction": [1]}), "label")[0] in ("absent", "odd")
    mapped = seen({"model": "m", "a": {"b": 1}}, compile_fields({"label": "/a/x/y"}))
    assert of(mapped, "label") == ("absent", "/a has no 'x'. Known: b.")


def test_a_dead_letter_says_why() -> None:
    assert seen(b"{").told.startswith("a dead letter: bad_json, the value is not one RFC 8259 JSON text")
    assert seen({"features": {}}).told.startswith("a dead letter: missing_model, the event does not name its model")
    config = load_text(HEAD + "fields: {features: /rows}\nmapping: {each: /rows, decode: {/rows: [csv]}}\n", "x", {})
    assert seen({"model": "m", "rows": 5}, fields_of(config)).told == (
        "a dead letter: undecodable, a step of `mapping` cannot be taken: the value is not packed so, or its rows"
        " do not match; or it is not as its schema has it (/rows is no csv)"
    )


def test_of_many_rows_the_first_is_shown() -> None:
    config = load_text(HEAD + "fields: {features: /rows}\nmapping: {each: /rows}\n", "x", {})
    found = seen({"model": "m", "rows": [{"a": 1}, {"b": 2}]}, fields_of(config))
    assert (found.told, found.rows) == ("2 events; of the first:", 2)
    assert of(found, "features.a") == ("used", "a number")
    assert not [field for field in found.fields if field.name == "features.b"]


def test_what_is_read_comes_first() -> None:
    shown = [line.split()[0] for line in lines(seen(EVENT))][1:]
    assert shown == sorted(shown, key=("used", "odd", "absent", "unread").index)


def test_what_is_set_apart_is_said() -> None:
    config = load_text(f"{HEAD}privacy: {{opt_out: /no}}\nprobes: {{golden: /probe}}\n", "x", {})

    def told(**more: Any) -> str:
        record = Record(0, 1_700_000_000_000, None, json.dumps({"model": "m", **more}).encode())
        return view(record, fields_of(config), "t", config.roles()).told

    filtered = "an event, opted out by /no: it is filtered, and nothing of it is remembered"
    assert told(no=True) == told(no="yes", probe=True) == filtered
    assert told(no=False, probe=1) == "an event, a golden probe by /probe: only checks look at it"
    assert told() == told(no=0, probe="no") == "an event"
