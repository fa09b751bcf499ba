"""The decoder's rules, one table each, and the properties that hold for any bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.batch import REASONS, Batch, Record
from schemas.decode import FIELDS_MAX, FUTURE_MS, Fields, compile_fields, decode, parse_selector

NATIVE = compile_fields({})
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "event.v1.json").read_text())
WIDE = 1 << 30
T0 = 1_700_000_000_000
FULL = SCHEMA["examples"][0]


def make(value: bytes | None, **more: Any) -> Record:
    return Record(**{"offset": 7, "time_ms": T0, "key": None, "value": value, **more})


def rows(batch: Batch) -> list[tuple[Any, ...]]:
    """A batch without its codes: one plain tuple per event, values in their order."""
    values: list[list[list[Any]]] = [[[], [], []] for _ in batch.offsets]
    for event, name, number in zip(*batch.numbers, strict=True):
        values[event][0].append((batch.names[name], repr(float(number))))
    for event, name, text in zip(*batch.texts, strict=True):
        values[event][1].append((batch.names[name], batch.strings[text]))
    for event, name in zip(*batch.nulls, strict=True):
        values[event][2].append(batch.names[name])
    heads = zip(batch.offsets, batch.times_ms, batch.model, batch.version, batch.event_id, strict=True)
    return [
        (int(o), int(t), batch.strings[m], batch.strings[v] if v >= 0 else None, int(i), *map(tuple, values[e]))
        for e, (o, t, m, v, i) in enumerate(heads)
    ]


def check(batch: Batch, count: int) -> None:
    """What every batch promises, whatever the records were."""
    assert len(batch.offsets) + len(batch.rejects) == count
    assert all(len(c) == len(batch.offsets) for c in (batch.times_ms, batch.model, batch.version, batch.event_id))
    for table in (batch.numbers, batch.texts, batch.nulls):
        assert len({len(column) for column in table}) == 1
        assert np.all(np.diff(table.event) >= 0)
        assert not len(table.event) or 0 <= table.event[0] <= table.event[-1] < len(batch.offsets)
    assert np.isfinite(batch.numbers.value).all()
    assert len(set(batch.names)) == len(batch.names)
    used = set(batch.numbers.name.tolist()) | set(batch.texts.name.tolist()) | set(batch.nulls.name.tolist())
    assert used == set(range(len(batch.names))), "a rejected event has left a name behind"
    assert len(set(batch.strings)) == len(batch.strings)
    used = set(batch.model.tolist()) | set(batch.version.tolist()) - {-1} | set(batch.texts.text.tolist())
    assert used == set(range(len(batch.strings))), "a rejected event has left a string behind"
    for reject in batch.rejects:
        assert reject.reason in REASONS
        assert len(reject.detail) <= 80
        assert reject.detail.isprintable()


def one(event: Any, fields: Fields = NATIVE, topic: str = "t", **more: Any) -> dict[str, Any]:
    """The signals of a single event that must be used, by path; null is None."""
    batch = decode([make(event if isinstance(event, bytes) else orjson.dumps(event), **more)], fields, topic)
    check(batch, 1)
    assert not batch.rejects, batch.rejects
    (_, time_ms, model, version, event_id, numbers, texts, nulls) = rows(batch)[0]
    signals = {name: float(number) for name, number in numbers} | dict(texts) | dict.fromkeys(nulls)
    return {"model": model, "version": version, "time_ms": time_ms, "event_id": event_id, **signals}


def why(value: bytes | None, fields: Fields = NATIVE, **more: Any) -> tuple[str, str]:
    batch = decode([make(value, **more)], fields, "t")
    check(batch, 1)
    assert len(batch.rejects) == 1, "it was used"
    assert batch.rejects[0].record == make(value, **more)
    return batch.rejects[0].reason, batch.rejects[0].detail


def feature(literal: bytes) -> bytes:
    return b'{"model":"m","features":{"x":' + literal + b"}}"


# ---- reasons -------------------------------------------------------------------------------------------------------

REJECTED: list[tuple[str, bytes | None, str]] = [
    ("tombstone", None, "empty"),
    ("zero bytes", b"", "empty"),
    ("over the limit", b'{"model":"m","x":"' + b"y" * (1 << 20) + b'"}', "too_large"),
    ("large and not UTF-8", b"\xff" * ((1 << 20) + 1), "too_large"),
    ("stray byte in a string", b'{"model":"\xff"}', "bad_utf8"),
    ("stray byte outside", b'{"model":"m"} \xff', "bad_utf8"),
    ("overlong NUL", b'{"model":"\xc0\x80"}', "bad_utf8"),
    ("surrogate in UTF-8", b'{"model":"\xed\xa0\x80"}', "bad_utf8"),
    ("beyond U+10FFFF", b'{"model":"\xf4\x90\x80\x80"}', "bad_utf8"),
    ("UTF-16", '{"model":"m"}'.encode("utf-16"), "bad_utf8"),
    ("bad syntax and not UTF-8", b"{\xff", "bad_utf8"),
    ("registry framing", b"\x00\x00\x00\x00\x07\x02m", "bad_json"),
    ("white space", b" \n", "bad_json"),
    ("byte order mark", b'\xef\xbb\xbf{"model":"m"}', "bad_json"),
    ("cut off", b'{"model":"m"', "bad_json"),
    ("two documents", b'{"model":"m"}{"model":"m"}', "bad_json"),
    ("NUL after the text", b'{"model":"m"}\x00', "bad_json"),
    ("raw NUL in a string", b'{"model":"a\x00b"}', "bad_json"),
    ("trailing comma", b'{"model":"m",}', "bad_json"),
    ("comment", b'{"model":"m"}//', "bad_json"),
    ("NaN", feature(b"NaN"), "bad_json"),
    ("Infinity", feature(b"Infinity"), "bad_json"),
    ("-Infinity", feature(b"-Infinity"), "bad_json"),
    ("1e400", feature(b"1e400"), "bad_json"),
    ("-1e400", feature(b"-1e400"), "bad_json"),
    ("1e400 in an ignored field", b'{"model":"m","x":1e400}', "bad_json"),
    ("just over the greatest double", feature(b"1.7976931348623159e308"), "bad_json"),
    ("5,000 digits", feature(b"9" * 5000), "bad_json"),
    ("-5,000 digits", feature(b"-" + b"9" * 5000), "bad_json"),
    ("5,000 digits as time", b'{"model":"m","time":' + b"9" * 5000 + b"}", "bad_json"),
    ("leading zero", feature(b"01"), "bad_json"),
    ("lone high surrogate", b'{"model":"\\ud800"}', "bad_json"),
    ("lone low surrogate", b'{"model":"\\udc00"}', "bad_json"),
    ("lone surrogate in a key", b'{"model":"m","\\ud800":1}', "bad_json"),
    ("depth 1,025", b'{"model":"m","x":' + b"[" * 1024 + b"]" * 1024 + b"}", "bad_json"),
    ("depth 10^5, balanced", b'{"model":"m","x":' + b"[" * 10**5 + b"]" * 10**5 + b"}", "bad_json"),
    ("depth 10^6, unclosed", b"[" * 10**6, "bad_json"),
    ("array", b"[]", "not_an_object"),
    ("string", b'"m"', "not_an_object"),
    ("null", b"null", "not_an_object"),
    ("number", b"1", "not_an_object"),
    ("no model", b"{}", "missing_model"),
    ("model null", b'{"model":null}', "missing_model"),
    ("model empty", b'{"model":""}', "missing_model"),
    ("model by duplicate key", b'{"model":"m","model":null}', "missing_model"),
    ("model a number", b'{"model":3}', "wrong_type"),
    ("model too long", b'{"model":"' + b"m" * 257 + b'"}', "wrong_type"),
    ("version a boolean", b'{"model":"m","model_version":true}', "wrong_type"),
    ("version an object", b'{"model":"m","model_version":{}}', "wrong_type"),
    ("id a boolean", b'{"model":"m","event_id":true}', "wrong_type"),
    ("id a float", b'{"model":"m","event_id":1.5}', "wrong_type"),
    ("id beyond 64 bit", b'{"model":"m","event_id":18446744073709551616}', "wrong_type"),
    ("time a boolean", b'{"model":"m","time":true}', "wrong_type"),
    ("time an array", b'{"model":"m","time":[1]}', "wrong_type"),
    ("features an array", b'{"model":"m","features":[1]}', "wrong_type"),
    ("feature an array", feature(b"[1]"), "wrong_type"),
    ("feature an object", feature(b"{}"), "wrong_type"),
    ("feature name too long", b'{"model":"m","features":{"' + b"x" * 257 + b'":1}}', "wrong_type"),
    ("prediction a string", b'{"model":"m","prediction":"yes"}', "wrong_type"),
    ("prediction an array", b'{"model":"m","prediction":[]}', "wrong_type"),
    ("label a float", b'{"model":"m","prediction":{"label":1.5}}', "wrong_type"),
    ("label too long", b'{"model":"m","prediction":{"label":"' + b"x" * 257 + b'"}}', "wrong_type"),
    ("value a string", b'{"model":"m","prediction":{"value":"1"}}', "wrong_type"),
    ("value a boolean", b'{"model":"m","prediction":{"value":true}}', "wrong_type"),
    ("confidence a string", b'{"model":"m","prediction":{"confidence":"1"}}', "wrong_type"),
    ("score a string", b'{"model":"m","prediction":{"scores":{"a":"1"}}}', "wrong_type"),
    ("score a boolean", b'{"model":"m","prediction":{"scores":{"a":true}}}', "wrong_type"),
    ("scores an array", b'{"model":"m","prediction":{"scores":[1]}}', "wrong_type"),
    ("logits an object", b'{"model":"m","prediction":{"logits":{}}}', "wrong_type"),
    ("logit nested", b'{"model":"m","prediction":{"logits":[[1]]}}', "wrong_type"),
    ("latency a string", b'{"model":"m","latency_ms":"1"}', "wrong_type"),
    ("status a boolean", b'{"model":"m","status":true}', "wrong_type"),
    ("status a float", b'{"model":"m","status":200.0}', "wrong_type"),
    ("caller a number", b'{"model":"m","caller":1}', "wrong_type"),
    ("segment a string", b'{"model":"m","segment":"NL"}', "wrong_type"),
    ("segment value an array", b'{"model":"m","segment":{"c":[]}}', "wrong_type"),
    ("segment value too long", b'{"model":"m","segment":{"c":"' + b"x" * 257 + b'"}}', "wrong_type"),
    ("time no date", b'{"model":"m","time":"yesterday"}', "bad_time"),
    ("time without zone", b'{"model":"m","time":"2026-01-02T03:04:05"}', "bad_time"),
    ("time a date", b'{"model":"m","time":"2026-01-02"}', "bad_time"),
    ("time digits in a string", b'{"model":"m","time":"1700000000"}', "bad_time"),
    ("time no such day", b'{"model":"m","time":"2026-02-30T03:04:05Z"}', "bad_time"),
    ("time leap second", b'{"model":"m","time":"2016-12-31T23:59:60Z"}', "bad_time"),
    ("time other digits", '{"model":"m","time":"٢٠٢٦-01-02T03:04:05Z"}'.encode(), "bad_time"),
    ("time 1969", b'{"model":"m","time":"1969-12-31T23:59:59.999Z"}', "bad_time"),
    ("time 1969 by its zone", b'{"model":"m","time":"1970-01-01T00:00:00+00:01"}', "bad_time"),
    ("time 2201", b'{"model":"m","time":"2201-01-01T00:00:00Z"}', "bad_time"),
    ("time year 0", b'{"model":"m","time":"0000-01-01T00:00:00Z"}', "bad_time"),
    ("time year 1 before 1", b'{"model":"m","time":"0001-01-01T00:00:00+23:59"}', "bad_time"),
    ("time year 9999", b'{"model":"m","time":"9999-12-31T23:59:59-23:59"}', "bad_time"),
    ("time negative", b'{"model":"m","time":-1}', "bad_time"),
    ("time negative float", b'{"model":"m","time":-0.001}', "bad_time"),
    ("time between two units", b'{"model":"m","time":7289654400}', "bad_time"),
    ("time beyond ns", b'{"model":"m","time":18446744073709551615}', "bad_time"),
    ("time 1e300", b'{"model":"m","time":1e300}', "bad_time"),
    ("2,001 features", orjson.dumps({"model": "m", "features": {str(i): i for i in range(2001)}}), "too_many_fields"),
    ("2,001 logits", orjson.dumps({"model": "m", "prediction": {"logits": [1] * 2001}}), "too_many_fields"),
    ("too many before wrong entry", orjson.dumps({"model": "m", "features": {str(i): [] for i in range(2001)}}),
     "too_many_fields"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "reason"), [pytest.param(v, r, id=name) for name, v, r in REJECTED])
def test_rejected(value: bytes | None, reason: str) -> None:
    assert why(value)[0] == reason


def test_every_reason_is_tested() -> None:
    assert {reason for _, _, reason in REJECTED} | {"bad_number"} == set(REASONS)
    assert all(meaning and "\n" not in meaning for meaning in REASONS.values())


def test_bombs() -> None:
    wide = compile_fields({}, message_bytes=WIDE)
    deep = b'{"model":"m","x":' + b"[" * 10**6 + b"]" * 10**6 + b"}"
    assert why(deep)[0] == "too_large"
    assert why(deep, wide) == ("bad_json", "depth limit exceeded (char 1040)")
    many = orjson.dumps({"model": "m", "features": {f"k{i}": i for i in range(300_000)}})
    assert why(many)[0] == "too_large"
    assert why(many, wide) == ("too_many_fields", "300000 entries, the limit is 2000")
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
    (b'{"model":3}', "/model"),
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
    fields = compile_fields({}, ["/features/y"])
    mixed = decode([make(v, offset=i) for i, v in enumerate([bad, good, bad, good, bad])], fields, "t")
    check(mixed, 5)
    assert mixed.names == ("features.x", "features.s")
    assert mixed.strings == ("a", "t")
    assert [r.record.offset for r in mixed.rejects] == [0, 2, 4]
    assert mixed.next_offset == 5


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


# ---- values --------------------------------------------------------------------------------------------------------


def test_the_documented_example() -> None:
    digest = hashlib.blake2b(FULL["event_id"].encode(), digest_size=8).digest()
    assert one(FULL, time_ms=-1) == {
        "model": "fraud",
        "version": "7",
        "time_ms": 1_767_323_045_678,
        "event_id": int.from_bytes(digest, "little"),
        "features.amount": 129.9,
        "features.country": "NL",
        "features.is_new_customer": "true",
        "features.age": None,
        "prediction.label": "ok",
        "prediction.scores.ok": 0.93,
        "prediction.scores.fraud": 0.07,
        "prediction.confidence": 0.93,
        "latency_ms": 12.4,
        "status": "ok",
        "caller": "checkout",
        "segment.country": "NL",
        "segment.device": "ios",
    }


def test_order_of_names_and_strings() -> None:
    batch = decode([make(orjson.dumps(FULL))], NATIVE, "t")
    assert batch.strings == ("fraud", "7", "NL", "true", "ok", "checkout", "ios")
    assert batch.names[:5] == (
        "features.amount", "features.country", "features.is_new_customer", "features.age", "prediction.label",
    )  # fmt: skip
    assert [c.dtype for c in (batch.offsets, batch.model, batch.event_id)] == [np.int64, np.int32, np.uint64]
    assert [c.dtype for c in batch.numbers] == [np.int32, np.int32, np.float64]


def test_the_least_event() -> None:
    batch = decode([make(b'{"model":"m"}')], NATIVE, "t")
    assert rows(batch) == [(7, T0, "m", None, 0, (), (), ())]
    assert one({"model": "m"}, time_ms=-1)["time_ms"] == 0


def test_null_is_absent_except_for_features() -> None:
    nulls = dict.fromkeys(("model_version", "time", "event_id", "features", "prediction", "latency_ms", "status",
                           "caller", "segment"))  # fmt: skip
    assert one({"model": "m", **nulls}) == one({"model": "m"})
    inner = {"prediction": {"label": None, "value": None, "confidence": None, "scores": {"a": None}, "logits": [None]}}
    assert one({"model": "m", **inner, "segment": {"c": None}}) == one({"model": "m"})
    assert one({"model": "m", "features": {"x": None}})["features.x"] is None
    assert one({"model": "m", "prediction": {"logits": [None, 2]}})["prediction.logits.1"] == 2.0


NUMBERS = [
    (b"0", "0.0"),
    (b"-0", "0.0"),
    (b"-0.0", "-0.0"),
    (b"1e-400", "0.0"),
    (b"1.7976931348623157e308", "1.7976931348623157e+308"),
    (b"9007199254740993", "9007199254740992.0"),
    (b"9223372036854775808", "9.223372036854776e+18"),
    (b"18446744073709551615", "1.8446744073709552e+19"),
    (b"18446744073709551616", "1.8446744073709552e+19"),
    (b"-9223372036854775809", "-9.223372036854776e+18"),
    (b"1" + b"0" * 308, "1e+308"),
    (b"0." + b"9" * 5000, "1.0"),
    (b"9" * 5000 + b"e-4999", "10.0"),
]


@pytest.mark.parametrize(("literal", "expected"), NUMBERS)
def test_numbers_become_float64(literal: bytes, expected: str) -> None:
    assert rows(decode([make(feature(literal))], NATIVE, "t"))[0][5] == (("features.x", expected),)


TEXTS = [
    ("model_version", 7, "version", "7"),
    ("model_version", -0.5, "version", "-0.5"),
    ("model_version", 3.0, "version", "3.0"),
    ("model_version", 1e16, "version", "1e+16"),
    ("model_version", 0.00001, "version", "1e-05"),
    ("model_version", 2**64, "version", "1.8446744073709552e+19"),
    ("model_version", "", "version", ""),
    ("status", 503, "status", "503"),
    ("status", "a\u0000b", "status", "a\u0000b"),
    ("segment", {"n": 1}, "segment.n", "1"),
    ("segment", {"n": 1.5}, "segment.n", "1.5"),
    ("segment", {"n": False}, "segment.n", "false"),
    ("prediction", {"label": True}, "prediction.label", "true"),
    ("prediction", {"label": -3}, "prediction.label", "-3"),
    ("features", {"": "x"}, "features.", "x"),
    ("features", {"long": "é" * 5000}, "features.long", "é" * 256),
    ("features", {"b": False}, "features.b", "false"),
]


@pytest.mark.parametrize(("field", "value", "path", "text"), TEXTS)
def test_texts(field: str, value: Any, path: str, text: str) -> None:
    literal = json.dumps({"model": "m", field: value}).encode()
    assert one(literal)[path] == text


def test_confidence_is_given_or_the_greatest_score() -> None:
    def confidence(**prediction: Any) -> Any:
        return one({"model": "m", "prediction": prediction}).get("prediction.confidence")

    assert confidence(confidence=0.1, scores={"a": 0.9}) == 0.1
    assert confidence(scores={"a": 0.2, "b": None, "c": 1}) == 1.0
    assert confidence(confidence=None, scores={"a": -3}) == -3.0
    assert confidence(scores={"a": None}) is None
    assert confidence(scores={}) is None


def test_event_ids() -> None:
    assert one({"model": "m", "event_id": ""})["event_id"] == 0
    assert one({"model": "m", "event_id": 7}) == one({"model": "m", "event_id": "7"})
    assert one({"model": "m", "event_id": "x" * 5000})["event_id"] > 0
    assert one({"model": "m", "event_id": 2**64 - 1}) == one({"model": "m", "event_id": str(2**64 - 1)})


def test_duplicate_keys_last_wins_at_the_first_place() -> None:
    batch = decode([make(b'{"model":"a","features":{"x":1,"y":2,"x":3},"model":"b"}')], NATIVE, "t")
    assert rows(batch)[0][2] == "b"
    assert rows(batch)[0][5] == (("features.x", "3.0"), ("features.y", "2.0"))


TIMES = [
    (0, 0),
    (1700000000, T0),
    (1700000000.25, T0 + 250),
    (1700000000123, T0 + 123),
    (1700000000123.6, T0 + 124),
    (1700000000123999, T0 + 123),
    (1700000000123456789, T0 + 123),
    (7289654399, 7289654399000),
    (9999999999.0, None),
    (1e10, 10_000_000_000),
    ("2023-11-14T22:13:20Z", T0),
    ("2023-11-14t22:13:20.123999z", T0 + 123),
    ("2023-11-14 22:13:20.5+00:00", T0 + 500),
    ("2023-11-14T23:43:20.000000001+01:30", T0),
    ("2023-11-14T22:13:20." + "9" * 5000 + "Z", T0 + 999),
    ("1970-01-01T00:00:00-00:00", 0),
    ("2200-12-31T23:59:59.999Z", 7289654399999),
]


@pytest.mark.parametrize(("time", "expected"), TIMES)
def test_times(time: Any, expected: int | None) -> None:
    value = orjson.dumps({"model": "m", "time": time})
    if expected is None:
        assert why(value, time_ms=-1)[0] == "bad_time"
    else:
        assert one(value, time_ms=-1)["time_ms"] == expected


def test_event_time_is_clipped_to_the_record_time() -> None:
    def at(time_ms: int, record_ms: int) -> Any:
        return one({"model": "m", "time": time_ms}, time_ms=record_ms)["time_ms"]

    assert at(T0 + FUTURE_MS, T0) == T0 + FUTURE_MS
    assert at(T0 + FUTURE_MS + 1, T0) == T0 + FUTURE_MS
    assert at(T0 - 10**9, T0) == T0 - 10**9
    assert at(T0, 0) == FUTURE_MS
    assert at(T0, -1) == T0


# ---- mapping -------------------------------------------------------------------------------------------------------


def test_mapped_fields() -> None:
    fields = compile_fields({
        "model": "topic", "version": "header:ver", "time": "header:ts", "event_id": "key", "features": "/in/0",
        "label": "/out/a~1b/0", "value": "/out/m~0n", "latency_ms": "header:ms", "status": "header:st",
        "scores": "/out/scores", "segment": "", "caller": "/out/none/here",
    })  # fmt: skip
    event = {"in": [{"x": 1}], "out": {"a/b": ["yes"], "m~n": 2, "scores": {"p": 0.5}}}
    headers = (("ver", b"1"), ("ts", b"1700000000"), ("ms", b"12.5"), ("st", b"200"), ("ver", "2é".encode()))
    assert why(orjson.dumps(event), fields, headers=headers, key=b"k")[1] == "/in", "the flat segment takes no object"
    fields = dataclasses.replace(compile_fields({s: d.text for s, d in zip(_names(), fields.selectors, strict=True)
                                                 if s != "segment"}))  # fmt: skip
    found = one(event, fields, "the-topic", headers=headers, key=b"k")
    assert found == {
        "model": "the-topic", "version": "2é", "time_ms": T0, "event_id": one({"model": "m", "event_id": "k"})["event_id"],
        "features.x": 1.0, "prediction.label": "yes", "prediction.value": 2.0, "prediction.scores.p": 0.5,
        "prediction.confidence": 0.5, "latency_ms": 12.5, "status": "200",
    }  # fmt: skip


def _names() -> list[str]:
    from schemas.fields import FIELDS

    return list(FIELDS)


def test_flat_event() -> None:
    assert one({"model": "m", "x": 1}, compile_fields({"features": ""})) == {
        **one({"model": "m"}), "features.model": "m", "features.x": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ((("ms", b"fast"),), "bad_number"),
        ((("ms", b""),), "bad_number"),
        ((("ms", b"NaN"),), "bad_number"),
        ((("ms", b"1e400"),), "bad_number"),
        ((("ms", b"9" * 5000),), "bad_number"),
        ((("ms", b"true"),), "bad_number"),
        ((("ms", b"[" * 10**6),), "bad_number"),
        ((("ms", b"\xff"),), "bad_utf8"),
        ((("ms", b"1"), ("ms", b"\xff")), "bad_utf8"),
        ((("ms", b"1"), ("ms", b"x")), "bad_number"),
        ((("ms", b"x"), ("ms", b"1")), ""),
        ((("ms", b"x"), ("ms", None)), ""),
        ((("MS", b"x"),), ""),
        ((), ""),
    ],
)
def test_numbers_of_headers(header: tuple[tuple[str, bytes | None], ...], reason: str) -> None:
    fields = compile_fields({"latency_ms": "header:ms"})
    batch = decode([make(b'{"model":"m"}', headers=header)], fields, "t")
    assert [r.reason for r in batch.rejects] == ([reason] if reason else [])
    assert all(r.detail == "header:ms" for r in batch.rejects)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"1700000000.5", T0 + 500), (b"2023-11-14T22:13:20Z", T0), (b"soon", None), (b"", None), (b"true", None)],
)
def test_times_of_headers(text: bytes, expected: int | None) -> None:
    batch = decode([make(b'{"model":"m"}', headers=(("t", text),))], compile_fields({"time": "header:t"}), "t")
    assert [r.reason for r in batch.rejects] == ([] if expected else ["bad_time"])
    assert batch.times_ms.tolist() == ([expected] if expected else [])


def test_key_as_model() -> None:
    fields = compile_fields({"model": "key"})
    assert one({}, fields, key=b"m")["model"] == "m"
    assert why(b"{}", fields, key=None) == ("missing_model", "key")
    assert why(b"{}", fields, key=b"")[0] == "missing_model"
    assert why(b"{}", fields, key=b"\xff") == ("bad_utf8", "key")


POINTED = {"model": "m", "n": 1, "s": "é" * 300, "b": True, "z": None, "o": {"k": {}}, "l": [1, [2]]}


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("/n", 1.0),
        ("/s", "é" * 256),
        ("/b", "true"),
        ("/z", None),
        ("/l/0", 1.0),
        ("/l/1/0", 2.0),
        ("/o", "absent"),
        ("/o/k", "absent"),
        ("/o/j", "absent"),
        ("/l", "absent"),
        ("/l/2", "absent"),
        ("/l/00", "absent"),
        ("/l/-", "absent"),
        ("/l/x", "absent"),
        ("/l/" + "9" * 200, "absent"),
        ("/n/x", "absent"),
        ("/s/0", "absent"),
        ("/z/x", "absent"),
        ("/model", "m"),
    ],
)
def test_extra_pointers_never_reject(pointer: str, expected: Any) -> None:
    found = one(POINTED, compile_fields({}, [pointer, pointer]))
    assert found.get(pointer, "absent") == expected


@pytest.mark.parametrize("pointer", ["/n/x", "/s/0", "/l/x", "/l/00", "/l/-", "/b/x", "/o", "/l"])
def test_mapped_pointers_reject_what_cannot_be(pointer: str) -> None:
    assert why(orjson.dumps(POINTED), compile_fields({"caller": pointer})) == ("wrong_type", pointer)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model", "'model' is not a JSON Pointer such as '/model', nor 'key', 'topic' or 'header:NAME'"),
        ("$.model", "not a JSON Pointer"),
        ("Header:x", "not a JSON Pointer"),
        ("header:", "lacks the header's name"),
        ("/a~b", "lone '~'"),
        ("/a~2", "lone '~'"),
        ("/a~", "lone '~'"),
        ("/" + "x" * 256, "longer than 256 characters"),
        ("a\nb", r"'a\nb' is not"),
    ],
)
def test_bad_selectors(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="^[^\n]+$") as caught:
        parse_selector(text)
    assert message in str(caught.value)
    with pytest.raises(ValueError, match="^model: "):
        compile_fields({"model": text})


@pytest.mark.parametrize(
    ("mapping", "extra", "message"),
    [
        ({"modle": "/m"}, [], "modle: unknown field"),
        ({"features": "header:f"}, [], "features: 'header:f' is a text, but features is an object"),
        ({"logits": "key"}, [], "logits: 'key' is a text, but logits is an array"),
        ({"model": ""}, [], "model: the empty pointer is the whole event"),
        ({}, ["key"], "'key' is not a JSON Pointer"),
        ({}, [""], "'' is not a JSON Pointer"),
    ],
)
def test_bad_mappings(mapping: dict[str, str], extra: list[str], message: str) -> None:
    with pytest.raises(ValueError, match="^[^\n]+$") as caught:
        compile_fields(mapping, extra)
    assert str(caught.value).startswith(message)


# ---- properties ----------------------------------------------------------------------------------------------------

NAMES = st.text(max_size=4)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False,
                                                                                  allow_infinity=False) | NAMES
ANY = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
LOOSE = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["a", "b", "", None, 3]),
        "model_version": LEAVES,
        "time": st.sampled_from([1700000000, 1e12, "2023-11-14T22:13:20Z", "x", -1, None]),
        "event_id": LEAVES,
        "features": st.dictionaries(NAMES, LEAVES, max_size=4) | ANY,
        "prediction": st.fixed_dictionaries(
            {},
            optional={
                "label": LEAVES,
                "value": LEAVES,
                "confidence": LEAVES,
                "scores": st.dictionaries(NAMES, LEAVES, max_size=3),
                "logits": st.lists(LEAVES, max_size=3),
            },
        )
        | ANY,
        "latency_ms": LEAVES,
        "status": LEAVES,
        "caller": LEAVES,
        "segment": st.dictionaries(NAMES, LEAVES, max_size=3) | ANY,
        "other": ANY,
    },
)
GOOD = st.fixed_dictionaries(
    {"model": st.sampled_from("ab")},
    optional={
        "model_version": st.sampled_from(["1", 2, 3.5]),
        "features": st.dictionaries(NAMES, LEAVES, max_size=4),
        "prediction": st.fixed_dictionaries({}, optional={"scores": st.dictionaries(NAMES, st.floats(0, 1))}),
        "segment": st.dictionaries(NAMES, NAMES, max_size=2),
    },
)
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
    assert whole.rejects == tuple(reject for part in parts for reject in part.rejects)
    assert whole.next_offset == max(part.next_offset for part in parts)


@given(BATCHES)
def test_the_fast_path_reads_what_the_mapped_one_reads(records: list[Record]) -> None:
    plain, mapped = (decode(records, dataclasses.replace(NATIVE, plain=p), "t") for p in (True, False))
    assert rows(plain) == rows(mapped)
    assert plain.rejects == mapped.rejects
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


# ---- JSON Schema ---------------------------------------------------------------------------------------------------

VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SHAPES = [value for _, value, reason in REJECTED if reason in ("missing_model", "wrong_type", "bad_time")]
BEYOND_A_SCHEMA = [
    b'{"model":"m","model":null}',  # parsers differ on what they keep, both see null here, so it agrees after all
    b'{"model":"m","status":200.0}',
    b'{"model":"m","time":"2026-02-30T03:04:05Z"}',
    b'{"model":"m","time":"1970-01-01T00:00:00+00:01"}',
]


def test_the_schema_is_a_schema_and_its_examples_are_events() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for example in SCHEMA["examples"]:
        VALIDATOR.validate(example)
        one(example)


@pytest.mark.parametrize("value", [v for v in SHAPES if v not in BEYOND_A_SCHEMA])
def test_the_schema_rejects_what_decode_rejects(value: bytes) -> None:
    assert not VALIDATOR.is_valid(json.loads(value))


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, value, _, _ in TEXTS] + [
    ("time", time) for time, expected in TIMES if expected is not None])
def test_the_schema_accepts_what_decode_accepts(field: str, value: Any) -> None:
    VALIDATOR.validate({"model": "m", field: value})


@settings(max_examples=300)
@given(LOOSE)
def test_schema_and_decode_agree(event: dict[str, Any]) -> None:
    """Where they may differ (see the schema's $comment): a float that is integral counts as integer in a schema."""
    value = json.dumps(event)
    plain = decode([make(value.encode())], NATIVE, "t")
    if not any(isinstance(f, float) and f.is_integer() for f in _leaves(event)):
        assert VALIDATOR.is_valid(event) == (not plain.rejects), plain.rejects


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]
