"""Every reason for a reject, and the properties that hold for any bytes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.batch import ODD_REASONS, REASONS, Record
from schemas.events.fields import Reading
from schemas.events.native_json import FIELDS_MAX, compile_fields, decode
from tests.schemas.events.samples import NATIVE, STRICT, check, make, one, rows, why
from tests.schemas.events.strategies import GOOD, LOOSE
from tests.schemas.events.tables import REJECTED, T0

WIDE = 1 << 30


@pytest.mark.parametrize(("value", "reason"), [pytest.param(v, r, id=name) for name, v, r in REJECTED])
def test_rejected(value: bytes | None, reason: str) -> None:
    assert why(value)[0] == reason


def test_every_reason_is_tested() -> None:
    elsewhere = {"bad_number", "unreadable_batch", "killed_the_process", "undecodable", "no_rows", "wrong_dimension"}
    elsewhere |= {"unknown_schema", "unusable_schema", "about_nothing"}
    assert {reason for _, _, reason in REJECTED} | elsewhere == set(REASONS)
    assert set(ODD_REASONS) <= set(REASONS)
    assert all(meaning and "\n" not in meaning for meaning in REASONS.values())


def test_bombs() -> None:
    wide = compile_fields({}, message_bytes=WIDE, reading=Reading(strict=True))
    deep = b'{"model":"m","x":' + b"[" * 10**6 + b"]" * 10**6 + b"}"
    assert why(deep)[0] == "too_large"
    assert why(deep, wide)[0] == "bad_json"
    many = orjson.dumps({"model": "m", "features": {f"k{i}": i for i in range(300_000)}})
    assert why(many)[0] == "too_large"
    assert why(many, wide) == ("too_many_fields", "/features")
    ignored = orjson.dumps({"model": "m", **{f"k{i}": i for i in range(300_000)}})
    assert one(ignored, wide)["model"] == "m"


def test_limits_are_inclusive() -> None:
    event = {"model": "m" * 256, "features": {str(i): i for i in range(FIELDS_MAX - 3)}}
    event |= {"prediction": {"logits": [1.0], "scores": {"a": 1}}, "segment": {"é" * 256: "x" * 256}}
    value = orjson.dumps(event)
    assert len(one(value, compile_fields({}, message_bytes=len(value)))) == 4 + FIELDS_MAX + 1
    assert why(value, compile_fields({}, message_bytes=len(value) - 1))[0] == "too_large"
    deep = b'{"model":"m","x":' + b"[" * 1023 + b"]" * 1023 + b"}"
    assert one(deep)["model"] == "m"


DETAILS = [
    (b'{"model":true}', "/model"),
    (b'{"model":"m","features":{"a/b~c":[]}}', "/features/a~1b~0c"),
    (b'{"model":"m","features":{"a\\nb\\u0000\\u202ec":[]}}', "/features/a\\u000ab\\u0000\\u202ec"),
    (b'{"model":"m","prediction":{"logits":[1,"secret"]}}', "/prediction/logits/1"),
    (b'{"model":"m","prediction":{"scores":{"a":"secret"}}}', "/prediction/scores/a"),
    (b'{"model":"m","segment":{"c":["secret"]}}', "/segment/c"),
    (b'{"model":"m","prediction":"secret"}', "/prediction/label"),
    (b'{"model":"m","time":"secret"}', "/time"),
    (b'{"model":"secret"', "unexpected end of data (char 17)"),
    (b"\xffsecret", "byte 0"),
]


@pytest.mark.parametrize(("value", "detail"), DETAILS)
def test_detail_says_where_and_never_what(value: bytes, detail: str) -> None:
    assert why(value)[1] == detail


def test_detail_is_short_and_one_line() -> None:
    detail = why(orjson.dumps({"model": "m", "features": {"\n" * 100_000: []}}))[1]
    assert detail == ("/features/" + "\\u000a" * 20)[:80]


def test_a_rejected_event_leaves_no_trace() -> None:
    good = orjson.dumps({"model": "a", "features": {"x": 1, "s": "t"}})
    bad = orjson.dumps({
        "model": "b", "model_version": "9", "features": {"y": 1, "z": "u", "n": None},
        "prediction": {"scores": {"k": 1}, "logits": [1]}, "segment": {"c": "d", "e": []},
    })  # fmt: skip
    fields = compile_fields({}, ["/features/y"], reading=Reading(strict=True))
    late = orjson.dumps({"model": "a", "features": {"y": 2}, "prediction": {"scores": {"k": 3}, "logits": [4]}})
    mixed = decode([make(v, offset=i) for i, v in enumerate([bad, good, bad, late, bad])], fields, "t")
    check(mixed, 5)
    alone = [decode([make(v, offset=i)], fields, "t") for i, v in ((1, good), (3, late))]
    assert rows(mixed) == [row for batch in alone for row in rows(batch)]
    assert mixed.names[:3] == ("features.x", "features.s", "features.y")
    assert mixed.strings == ("a", "t")
    assert [r.record.offset for r in mixed.rejects] == [0, 2, 4]
    assert mixed.next_offset == 5


def test_features_in_the_order_of_a_rejected_event_are_named_anew() -> None:
    def event(label: Any, *names: str) -> bytes:
        features = {name: number for number, name in enumerate(names)}
        return orjson.dumps({"model": "a", "features": features, "prediction": {"label": label}})

    values = [event("l", "x", "y"), event([], "q", "z"), event("l", "q", "z"), event("l", "q", "z"), event("l", "z")]
    mixed = decode([make(v, offset=i) for i, v in enumerate(values)], STRICT, "t")
    check(mixed, 5)
    alone = [decode([make(v, offset=i)], STRICT, "t") for i, v in enumerate(values)]
    assert rows(mixed) == [row for batch in alone for row in rows(batch)]
    assert [name for name in mixed.names if name.startswith("features.")] == [f"features.{n}" for n in "xyqz"]


def test_no_records() -> None:
    batch = decode([], NATIVE, "t")
    check(batch, 0)
    assert batch.next_offset == 0
    assert batch.numbers.value.dtype == np.float64


def test_memory_error_is_not_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(value: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(orjson, "loads", exhausted)
    with pytest.raises(MemoryError):
        decode([make(b"{}")], NATIVE, "t")


VALUES = st.none() | st.binary(max_size=40) | (LOOSE | GOOD).map(json.dumps).map(str.encode)
BATCHES = st.lists(st.tuples(st.integers(-1, 2 * T0), VALUES), max_size=12).map(
    lambda items: [Record(3 * i, time_ms, None, value) for i, (time_ms, value) in enumerate(items)]
)


@given(BATCHES)
def test_any_bytes_are_used_or_rejected(records: list[Record]) -> None:
    batch = decode(records, NATIVE, "t")
    check(batch, len(records))
    assert sorted([*batch.offsets.tolist(), *(r.record.offset for r in batch.rejects)]) == [r.offset for r in records]


@given(BATCHES, st.integers(0, 12))
def test_split_invariance(records: list[Record], cut: int) -> None:
    fields = compile_fields({}, ["/features/a", "/other"])
    whole = decode(records, fields, "t")
    parts = [decode(part, fields, "t") for part in (records[:cut], records[cut:])]
    assert rows(whole) == [row for part in parts for row in rows(part)]
    assert [odd[1:] for odd in whole.odd] == [odd[1:] for part in parts for odd in part.odd]
    assert whole.rejects == tuple(reject for part in parts for reject in part.rejects)
    assert whole.next_offset == max(part.next_offset for part in parts)


@given(BATCHES)
def test_the_fast_path_reads_what_the_mapped_one_reads(records: list[Record]) -> None:
    plain, mapped = (decode(records, dataclasses.replace(NATIVE, plain=p), "t") for p in (True, False))
    assert rows(plain) == rows(mapped)
    assert (plain.rejects, plain.odd) == (mapped.rejects, mapped.odd)
    assert (plain.names, plain.strings) == (mapped.names, mapped.strings)
    assert NATIVE.plain
    assert not compile_fields({"model": "key"}).plain


@given(GOOD)
def test_round_trip(event: dict[str, Any]) -> None:
    found = one(json.dumps(event).encode())
    assert found["model"] == event["model"]
    for name, value in event.get("features", {}).items():
        expected = str(value).lower() if isinstance(value, bool) else value
        assert found[f"features.{name}"] == (float(value) if type(value) is int else expected)
    for name, value in event.get("segment", {}).items():
        assert found[f"segment.{name}"] == value
