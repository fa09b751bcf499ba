"""Protobuf: the values that JSON would have, with zeros and whole numbers as they are, and bounded."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events.codecs import FAULTS
from schemas.events.convert import Rejected
from schemas.events.protobuf import reader_of
from tests.schemas.events.protos import events, field, file, mapping, message_of, text_of

HEAD = b"\0\0\0\0\7"


def test_an_event_is_what_json_would_have_with_its_zeros() -> None:
    event = message_of("shop.Event", events())(model="fraud")
    event.time.FromMilliseconds(1_700_000_000_123)
    event.features.country = 2
    event.features.emb.extend([0.5, 1.0])
    read = reader_of(text_of(events()), (), 5)
    features: dict[str, Any] = {"amount": 0.0, "age": None, "country": "DE", "emb": [0.5, 1.0]}
    wanted = {"model": "fraud", "time": 1_700_000_000_123, "features": features}
    assert read(HEAD + b"\x02\x02" + event.SerializeToString()) == wanted  # One index, 1: the second message.
    event.features.age, event.features.country = 1 << 53, 99
    found = read(HEAD + b"\x02\x02" + event.SerializeToString())["features"]
    assert (found["age"], found["country"]) == (1 << 53, "99")
    assert read(HEAD + b"\x02\x02") == {"model": "", "time": None, "features": None}
    assert read(HEAD + b"\0") == {}  # No index at all is the first message.
    within = reader_of(text_of(events()), (), 5)(HEAD + b"\x04\x02\0" + event.features.SerializeToString())
    assert within == found


@pytest.mark.parametrize(
    "path", [b"", b"\x02", b"\x02\x06", b"\x02\x01", b"\x01", b"\x80", b"\xff" * 9, b"\x04\0\0", b"\x80\x01"],
    ids=["none", "half", "beyond", "negative", "negative count", "endless", "long", "no such within", "too deep"],
)  # fmt: skip
def test_a_path_of_no_message_is_a_fault(path: bytes) -> None:
    with pytest.raises(FAULTS):
        reader_of(text_of(events()), (), 5)(HEAD + path)


def test_bytes_that_are_no_message_are_a_fault() -> None:
    read = reader_of(text_of(events()), (), 5)
    for body in (b"\x0a", b"\x0a\x05a", b"\x0a\x01\xff", b"\xff" * 30):
        with pytest.raises(FAULTS):
            read(HEAD + b"\x02\x02" + body)


def others() -> tuple[Any, Any]:
    """A file with all else there is, and one that it builds on."""
    base = file("base.proto", "base")
    field(base.message_type.add(name="Leaf"), 1, "v", "int32")
    wanted = "wrappers struct duration".split()
    made = file("all.proto", "", "base.proto", *(f"google/protobuf/{name}.proto" for name in wanted))
    made.dependency.append("confluent/meta.proto")  # Which no registry has, and nothing needs.
    message = made.message_type.add(name="All")
    mapping(message, 1, "shares", "double", "All")
    mapping(message, 2, "leaves", ".base.Leaf", "All", "int64")
    mapping(message, 3, "flags", "bool", "All", "bool")
    field(message, 4, "leaf", ".base.Leaf", repeated=True)
    field(message, 5, "raw", "bytes")
    field(message, 6, "big", "uint64")
    field(message, 7, "wrapped", ".google.protobuf.DoubleValue")
    field(message, 8, "any", ".google.protobuf.Struct")
    field(message, 9, "took", ".google.protobuf.Duration")
    field(message, 10, "again", ".All")
    return base, made


def without_meta() -> tuple[Any, Any]:
    base, made = others()
    made.dependency.remove("confluent/meta.proto")
    return base, made


def test_maps_and_well_known_messages_are_plain_and_in_an_order_of_their_own() -> None:
    base, made = others()
    one = message_of("All", *without_meta())(raw=b"\0\xff", big=(1 << 64) - 1)
    one.shares.update({"b": 2.0, "a": float("inf")})
    one.leaves[-5].v = 1
    one.flags[True] = False
    one.leaf.add(v=3)
    one.wrapped.value = 1.5
    one.any.update({"z": [1, None, "x"], "a": {"b": True}})
    one.took.FromMilliseconds(1500)
    one.again.big = 1
    found = reader_of(text_of(made), [("base.proto", text_of(base))], 5)(HEAD + b"\0" + one.SerializeToString())
    again = found.pop("again")
    assert found == {
        "shares": {"a": float("inf"), "b": 2.0},
        "leaves": {"-5": {"v": 1}},
        "flags": {"true": False},
        "leaf": [{"v": 3}],
        "raw": "AP8=",
        "big": (1 << 64) - 1,
        "wrapped": 1.5,
        "any": {"a": {"b": True}, "z": [1.0, None, "x"]},
        "took": 1.5,
    }
    assert list(found["shares"]) == ["a", "b"]
    assert list(found["any"]) == ["a", "z"]
    assert (again["big"], again["again"], again["shares"], again["wrapped"]) == (1, None, {}, None)


def test_what_lies_in_itself_ends_at_the_librarys_depth() -> None:
    one = message_of("All", *without_meta())()
    inner = one
    for _ in range(90):
        inner = inner.again
    inner.big = 1
    base, made = others()
    read = reader_of(text_of(made), [("base.proto", text_of(base))], 5)
    assert read(HEAD + b"\0" + one.SerializeToString())["again"]["again"]["big"] == 0
    data = b""
    for _ in range(300):
        size, length = len(data), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        data = b"\x52" + length + bytes([size]) + data
    with pytest.raises(FAULTS):
        read(HEAD + b"\0" + data)


def test_what_comes_of_a_value_is_bounded_by_its_bytes() -> None:
    wide = file("wide.proto", "")
    message = wide.message_type.add(name="Wide")
    field(message, 1, "rows", ".Row", repeated=True)
    row = wide.message_type.add(name="Row")
    for number in range(1, 101):
        field(row, number, f"f{number}", "double")
    read = reader_of(text_of(wide), (), 5)
    assert len(read(HEAD + b"\0" + b"\x0a\0" * 90)["rows"]) == 90
    with pytest.raises(Rejected) as rejected:
        read(HEAD + b"\0" + b"\x0a\0" * 100_000)
    assert rejected.value.reason == "too_large"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('syntax = "proto3"; message A { double x = 1; }', "came as text"),
        ("AAAA", "no serialized FileDescriptorProto"),
        (text_of(without_meta()[1]), "(?i)base.Leaf"),
    ],
    ids=["text", "bytes", "lacks what it builds on"],
)
def test_a_schema_that_cannot_be_used_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        reader_of(text, (), 5)
