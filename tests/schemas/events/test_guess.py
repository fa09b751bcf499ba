"""Guesses: what rejected values most likely are, never what they say, and nothing of good events."""

from __future__ import annotations

import gzip
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.guess import HEAD, LOOKS, guess

EVENT: dict[str, Any] = {"model": "fraud", "features": {"amount": 99.5, "country": "NL"}}
TEXT = json.dumps(EVENT).encode()

SEEN = [
    (gzip.compress(TEXT), "gzip (1f 8b)"),
    (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
    (b"\x04\x22\x4d\x18abc", "LZ4"),
    (b"\xff\x06\x00\x00sNaPpYabc", "Snappy"),
    (b"PK\x03\x04abc", "a ZIP archive"),
    (b"Obj\x01abc", "an Avro file"),
    (b"PAR1abc", "a Parquet file"),
    (bytes(40), "zeros"),
    (struct.pack(">bI", 0, 17) + TEXT, "JSON of a schema registry"),
    (struct.pack(">bI", 0, 17) + b"\x0afraud\x00", "Avro or Protobuf of a schema registry (byte 0"),
    (b"\x01" + bytes(range(200, 216)) + b"\x0afraud", "Avro or Protobuf of a schema registry (byte 1"),
    (TEXT.decode().encode("utf-16"), "text in UTF-16"),
    (b"\xef\xbb\xbf" + TEXT, "text with a byte order mark"),
    (json.dumps(TEXT.decode()).encode(), "JSON within a text"),
    (str(EVENT).encode(), "Python's repr"),
    (b"<event><model>fraud</model></event>", "XML"),
    (json.dumps({"model": "m", "features": {"a": float("nan")}}).encode(), "JSON with NaN"),
    (json.dumps({"model": "m", "features": {"a": [float("-inf")]}}).encode(), "JSON with NaN"),
    (TEXT + b"\n" + TEXT, "several objects"),
    (b" {", "JSON over several lines"),
    (TEXT + b",", "an object with a comma"),
    (json.dumps([EVENT, EVENT]).encode(), "a list of objects"),
    (b"fraud,99.5,NL", "comma-separated"),
    (b"model,amount\nfraud,1\nfraud,2\n", "comma-separated"),
    ("fraud,99.5,Zürich".encode(), "comma-separated"),
    (("fraud,9,ü\n" * HEAD).encode(), "comma-separated"),
]


@pytest.mark.parametrize(("value", "words"), SEEN, ids=[words for _, words in SEEN])
def test_what_people_send_instead_of_events_is_known(value: bytes, words: str) -> None:
    assert guess(value).startswith(words)


def test_every_look_has_its_example() -> None:
    assert {guess(value) for value, _ in SEEN} == {look.words for look in LOOKS}


@pytest.mark.parametrize(
    "value",
    [b"", b"\x00", b"\x1f", b"{x", TEXT, b"plain words, and,\nmore", b"\x93\xff\xfe\xfd", b"17", b"null"],
)
def test_of_what_is_an_event_or_anything_nothing_is_said(value: bytes) -> None:
    assert guess(value) == ""


@given(st.binary(max_size=64))
def test_it_never_fails_and_never_repeats_what_it_was_given(value: bytes) -> None:
    assert guess(value) in {"", *(look.words for look in LOOKS)}
