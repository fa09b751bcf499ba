"""Mapped fields: selectors, and the pointers that monitors name."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schemas.events.fields import Reading, compile_fields, parse_selector
from schemas.events.native_json import decode
from tests.schemas.events.samples import make, one, why
from tests.schemas.events.tables import T0


def test_mapped_fields() -> None:
    mapping = {
        "model": "topic", "version": "header:ver", "time": "header:ts", "event_id": "key", "features": "/in/0",
        "label": "/out/a~1b/0", "value": "/out/m~0n", "latency_ms": "header:ms", "status": "header:st",
        "scores": "/out/scores", "caller": "/out/none/here",
    }  # fmt: skip
    event = {"in": [{"x": 1}], "out": {"a/b": ["yes"], "m~n": 2, "scores": {"p": 0.5}}}
    headers = (("ver", b"1"), ("ts", b"1700000000"), ("ms", b"12.5"), ("st", b"200"), ("ver", "2é".encode()))
    assert one(event, compile_fields(mapping), "the-topic", headers=headers, key=b"k") == {
        "model": "the-topic",
        "version": "2é",
        "time_ms": T0,
        "event_id": one({"model": "m", "event_id": "k"})["event_id"],
        "features.x": 1.0,
        "prediction.label": "yes",
        "prediction.value": 2.0,
        "prediction.scores.p": 0.5,
        "prediction.confidence": 0.5,
        "latency_ms": 12.5,
        "status": "200",
    }


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
    fields = compile_fields({"latency_ms": "header:ms"}, reading=Reading(strict=True))
    batch = decode([make(b'{"model":"m"}', headers=header)], fields, "t")
    assert [r.reason for r in batch.rejects] == ([reason] if reason else [])
    assert all(r.detail == "header:ms" for r in batch.rejects)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"1699999999.5", T0 - 500), (b"2023-11-14T22:13:20Z", T0), (b"soon", None), (b"", None), (b"true", None)],
)
def test_times_of_headers(text: bytes, expected: int | None) -> None:
    batch = decode(
        [make(b'{"model":"m"}', headers=(("t", text),))],
        compile_fields({"time": "header:t"}, reading=Reading(strict=True)),
        "t",
    )
    assert [r.reason for r in batch.rejects] == ([] if expected else ["bad_time"])
    assert batch.times_ms.tolist() == ([expected] if expected else [])


def test_key_as_model() -> None:
    fields = compile_fields({"model": "key"})
    assert one({}, fields, key=b"m")["model"] == "m"
    assert why(b"{}", fields, key=None) == ("missing_model", "key")
    assert why(b"{}", fields, key=b"")[0] == "missing_model"
    assert why(b"{}", fields, key=b"\xff") == ("bad_utf8", "key")


POINTED = {"model": "m", "n": 1, "s": "é" * 300, "b": True, "z": None, "o": {"k": {}}, "l": [1, [2]]}
POINTED |= {"~1": 3, "/": 4, "~/0": 5, "": 6}


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
        ("/~01", 3.0),
        ("/~1", 4.0),
        ("/~0~10", 5.0),
        ("/", 6.0),
    ],
)
def test_extra_pointers_never_reject(pointer: str, expected: Any) -> None:
    found = one(POINTED, compile_fields({}, [pointer, pointer]))
    assert found.get(pointer, "absent") == expected


@pytest.mark.parametrize("pointer", ["/n/x", "/s/0", "/l/x", "/l/00", "/l/-", "/b/x", "/o", "/l"])
def test_mapped_pointers_reject_what_cannot_be(pointer: str) -> None:
    assert why(orjson.dumps(POINTED), compile_fields({"caller": pointer}, reading=Reading(strict=True))) == (
        "wrong_type",
        pointer,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model", "'model' is not a JSON Pointer such as '/model', nor 'key', 'topic', 'header:NAME' or '=TEXT'"),
        ("=", "'=' lacks the text that it stands for, as in '=fraud'"),
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
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        parse_selector(text)
    assert message in str(caught.value)
    with pytest.raises(ValueError, match=r"^model: "):
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
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        compile_fields(mapping, extra)
    assert str(caught.value).startswith(message)
