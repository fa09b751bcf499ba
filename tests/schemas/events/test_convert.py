"""What a field's value becomes."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pytest
import xxhash

from schemas.core import native
from schemas.events.convert import FUTURE_MS, TIME_MAX_MS, event_time_ms, time_ms
from schemas.events.decoder import Decoder
from schemas.events.native_json import decode
from tests.schemas.events.samples import NATIVE, SCHEMA, make, one, rows, why
from tests.schemas.events.tables import T0, TEXTS, TIMES, feature

FULL = SCHEMA["examples"][0]


def test_the_documented_example() -> None:
    assert one(FULL, time_ms=-1) == {
        "model": "fraud",
        "version": "7",
        "time_ms": 1_767_323_045_678,
        "event_id": xxhash.xxh3_64_intdigest(FULL["event_id"].encode()),
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
    assert one({"model": "m", "event_id": 7.0}) == one({"model": "m", "event_id": "7"})
    assert one({"model": "m", "event_id": "x" * 5000})["event_id"] > 0
    assert one({"model": "m", "event_id": 2**64 - 1}) == one({"model": "m", "event_id": str(2**64 - 1)})


def test_duplicate_keys_last_wins_at_the_first_place() -> None:
    batch = decode([make(b'{"model":"a","features":{"x":1,"y":2,"x":3},"model":"b"}')], NATIVE, "t")
    assert rows(batch)[0][2] == "b"
    assert rows(batch)[0][5] == (("features.x", "3.0"), ("features.y", "2.0"))


@pytest.mark.parametrize(("time", "expected"), TIMES)
def test_times(time: Any, expected: int | None) -> None:
    value = orjson.dumps({"model": "m", "time": time})
    if expected is None:
        assert why(value, time_ms=-1)[0] == "bad_time"
    else:
        assert one(value, time_ms=-1)["time_ms"] == expected


@pytest.mark.parametrize("compiled", [False, True])
def test_a_clock_that_is_ahead_is_not_believed(compiled: bool) -> None:
    decoder = Decoder(NATIVE, compiled=compiled and native is not None)

    def at(time_ms: int, record_ms: int) -> Any:
        batch = decoder([make(b'{"model":"m","time":%d}' % time_ms, time_ms=record_ms)], "t")
        assert [odd[1:] for odd in batch.odd] in ([], [("time", "clock_ahead")])
        assert bool(batch.odd) == (record_ms >= 0 and time_ms > record_ms + FUTURE_MS)
        return batch.times_ms.tolist()[0]

    assert at(T0 + FUTURE_MS, T0) == at(T0 + 1, T0) == T0, "nothing happens after it was told"
    assert at(T0 + FUTURE_MS + 1, T0) == T0
    assert at(T0 - 10**9, T0) == T0 - 10**9
    assert at(T0, 0) == 0
    assert at(T0, -1) == T0


def test_of_the_hour_that_autumn_has_twice_the_record_tells_which_it_was() -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    first = time_ms("2026-10-25T00:30:00Z", "")
    for late_ms, is_second in ((0, False), (20 * 60_000, False), (60 * 60_000, True), (61 * 60_000, True)):
        found = event_time_ms("2026-10-25 02:30:00", first + late_ms, "", zone)
        assert found == first + is_second * 3_600_000
    assert event_time_ms("2026-10-25 02:30:00", -1, "", zone) == first, "where no record tells"
    never, after = "2026-03-29 02:30:00", time_ms("2026-03-29T01:30:00Z", "")
    assert event_time_ms(never, after + 10**7, "", zone) == after, "of the hour that spring leaves out"


@pytest.mark.parametrize("compiled", [False, True])
def test_a_record_time_beyond_the_years_is_no_event_time(compiled: bool) -> None:
    """Found by review: of a producer with micro- for milliseconds no alert could be written."""
    decoder = Decoder(NATIVE, compiled=compiled and native is not None)
    far = make(b'{"model":"m"}', time_ms=1_700_000_000_000_000)
    batch = decoder([far, make(b'{"model":"m"}', time_ms=TIME_MAX_MS - 1), make(b'{"model":"m","time":1}')], "t")
    assert [(reject.record, reject.reason) for reject in batch.rejects] == [(far, "bad_time")]
    assert batch.times_ms.tolist() == [TIME_MAX_MS - 1, 1000]
