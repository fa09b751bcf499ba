"""What is left of an event of which a field cannot be used, and what is said of that field."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.events.batch import ODD_REASONS
from schemas.events.fields import Reading
from schemas.events.native_json import compile_fields, decode
from schemas.events.odd import usable
from tests.schemas.events.samples import NATIVE, check, make, one, rows
from tests.schemas.events.tables import REJECTED, T0

OF_A_FIELD = set(ODD_REASONS) - {"bad_utf8"}
ENDS = ("model a float", "model too long")


@pytest.mark.parametrize(
    ("name", "value", "reason"), [pytest.param(n, v, r, id=n) for n, v, r in REJECTED if r in OF_A_FIELD]
)
def test_one_odd_field_is_one_odd_field(name: str, value: bytes, reason: str) -> None:
    batch = decode([make(value)], NATIVE, "t")
    check(batch, 1)
    if name in ENDS:
        assert [reject.reason for reject in batch.rejects] == [reason]
        return
    assert not batch.rejects
    assert {odd.reason for odd in batch.odd} == {reason}
    assert batch.times_ms.tolist() == [T0]


def test_a_model_and_a_caller_may_be_integers() -> None:
    batch = decode([make(b'{"model":0,"caller":42}'), make(b'{"model":18446744073709551615}', offset=1)], NATIVE, "t")
    assert [(row[2], row[6]) for row in rows(batch)] == [("0", (("caller", "42"),)), ("18446744073709551615", ())]
    assert (batch.odd, batch.rejects) == ((), ())


def test_what_is_left_of_an_event_is_used() -> None:
    event = b"""{"model": "m", "model_version": [], "time": "noon", "features": {"a": NaN, "b": 2, "c": {"d": "x",
        "e": [1, null]}}, "prediction": {"label": {}, "value": 1e999, "confidence": "1", "scores": [1], "logits": [1,
        "x"]}, "status": 200.5, "segment": {"s": [], "t": 1}, "x": Infinity}"""
    batch = decode([make(b'{"model":"m"}', offset=6), make(event)], compile_fields({}, ["/x"]), "t")
    check(batch, 2)
    assert rows(batch)[1] == (
        7, T0, "m", None, 0,
        (("features.b", "2.0"), ("features.c.e.0", "1.0"), ("prediction.logits.0", "1.0")),
        (("features.c.d", "x"), ("segment.t", "1")),
        ("features.a", "features.c.e.1", "/x"),
    )  # fmt: skip
    assert {(odd.event, odd.field, odd.reason) for odd in batch.odd} == {
        (1, "version", "wrong_type"),
        (1, "time", "bad_time"),
        (1, "features.a", "not_finite"),
        (1, "segment.s", "wrong_type"),
        (1, "prediction.scores", "wrong_type"),
        (1, "prediction.logits.1", "wrong_type"),
        (1, "prediction.label", "wrong_type"),
        (1, "prediction.value", "not_finite"),
        (1, "prediction.confidence", "wrong_type"),
        (1, "status", "wrong_type"),
        (1, "/x", "not_finite"),
    }


def test_what_nobody_reads_may_be_anything() -> None:
    assert one(b'{"model":"m","x":[NaN,1e400,-Infinity]}') == one({"model": "m"})


def test_defaults_within_what_was_pointed_at_are_nowhere() -> None:
    batch = decode([make(b'{"model":"m","prediction":0.73}')], compile_fields({"value": "/prediction"}), "t")
    assert rows(batch)[0][5] == (("prediction.value", "0.73"),)
    assert batch.odd == ()
    plain = decode([make(b'{"model":"m","prediction":0.73}')], NATIVE, "t")
    assert [odd[1:] for odd in plain.odd] == [("prediction", "wrong_type")]


@pytest.mark.parametrize(
    ("features", "names", "found"),
    [
        ([1.2, "x"], ("a", "b"), {"features.a": 1.2, "features.b": "x"}),
        ([1.2, 3.4], ("a",), {"features.a": 1.2, "features.1": 3.4}),
        ([1.2], ("a", "b"), {"features.a": 1.2}),
        ({"a.b": 1, "a": {"b": 2, "c": 3}}, (), {"features.a.b": 1.0, "features.a.c": 3.0}),
        ({"emb": [0.5, None, True]}, (), {"features.emb.0": 0.5, "features.emb.1": None, "features.emb.2": "true"}),
    ],
)
def test_features_within_features(features: Any, names: tuple[str, ...], found: dict[str, Any]) -> None:
    fields = compile_fields({}, reading=Reading(names=names))
    assert one({"model": "m", "features": features}, fields) == {**one({"model": "m"}), **found}


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        (UTC, "2023-11-14T22:13:20", T0),
        (ZoneInfo("Europe/Amsterdam"), "2023-11-14 23:13:19.5", T0 - 500),
        (ZoneInfo("Europe/Amsterdam"), "2023-11-14 22:13:20Z", T0),
        (timezone(timedelta(hours=-2)), "20231114T201320", T0),
    ],
)
def test_times_without_a_zone_are_of_the_one_that_is_named(zone: tzinfo, text: str, expected: int) -> None:
    assert one({"model": "m", "time": text}, compile_fields({}, reading=Reading(zone=zone)))["time_ms"] == expected


def test_what_is_left_out_is_named_and_its_place() -> None:
    event = {"model": "m", "features": {"a/b": [], "c": 1}, "status": {}}
    left = usable(event, make(b""), T0, "t", NATIVE)
    assert left.raw[4] == {"a/b": None, "c": 1}
    assert left.odd == [
        ("features.a/b", "wrong_type", "/features/a~1b"),
        ("status", "wrong_type", "/status"),
    ]
