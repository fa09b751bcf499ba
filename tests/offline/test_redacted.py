"""What `tap` shows of events: names and types always, values only of what is named."""

from __future__ import annotations

import json

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.redacted import NAMES_MAX, Event, events, outline
from tests.config.samples import LEAST

SECRET = "4111-1111"
GOOD = {
    "model": "fraud",
    "model_version": "v7",
    "time": "2026-01-02T03:04:05Z",
    "features": {"amount": 99.5, "card": SECRET, "gone": None, "many": [1, 2]},
    "prediction": {"label": "ok", "confidence": "high"},
}


def seen(*values: object, allowed: tuple[str, ...] = ()) -> list[Event]:
    decode = Decoder(fields_of(load_text(LEAST, "x", {})))
    records = [Record(n, 1_767_323_045_000, None, json.dumps(value).encode()) for n, value in enumerate(values)]
    return list(events(decode(records, "in"), ("in", 3), allowed))


def test_of_each_field_name_and_type_and_no_value() -> None:
    [one] = seen(GOOD)
    assert one[:4] == ("in[3]@0", "2026-01-02T03:04:05.000Z", "fraud", "v7")
    assert one.fields["features.amount"] == "number"
    assert one.fields["features.card"] == f"text of {len(SECRET)}"
    assert one.fields["features.gone"] == "null"
    assert one.fields["prediction.confidence"] == "odd (wrong_type)"
    told = one.line() + json.dumps(one.plain())
    assert not [value for value in (SECRET, "99.5", "high", '"ok"', "'ok'") if value in told]


def test_values_of_what_is_named() -> None:
    [one] = seen(GOOD, allowed=("features.am*", "prediction.label"))
    assert one.values == {"features.amount": 99.5, "prediction.label": "ok"}
    assert "features.amount=99.5, features.card: text of 9" in one.line()
    assert SECRET not in one.line() + json.dumps(one.plain())


def test_a_dead_letter_says_why() -> None:
    found = seen({"card": SECRET}, GOOD)
    assert [one.place for one in found] == ["in[3]@1", "in[3]@0"]
    assert found[1].line().startswith("in[3]@0  DEAD LETTER  missing_model: the event does not name its model")
    assert found[1].plain().keys() == {"place", "reason"}
    assert "nothing to watch" in seen({"model": "m"})[0].line()


def test_a_whole_record_is_told_by_its_names_and_types() -> None:
    told = outline(json.dumps({**GOOD, "yes": True, "deep": {"a": {"b": SECRET}}}).encode())
    assert told == (
        "{model: text of 5, model_version: text of 2, time: text of 20, features: {amount: number, card: text of 9,"
        " gone: null, many: list of 2}, prediction: {label: text of 2, confidence: text of 4}, yes: boolean,"
        " deep: {a: object of 1}}"
    )
    assert outline(json.dumps({str(n): n for n in range(NAMES_MAX + 5)}).encode()).endswith("19: number, 5 more}")
    assert outline(b"") == outline(None) == "nothing"
    assert outline(b"\x00\x00\x01" + SECRET.encode()) == "12 bytes that are no JSON"
