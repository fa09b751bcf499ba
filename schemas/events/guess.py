"""What a value that is no event most likely is, by its first bytes: the words that tell somebody what to do.

>>> guess(bytes([0, 0, 0, 0, 7, 6, 72])).partition(":")[0]
'Avro or Protobuf of a schema registry (byte 0, then the id of a schema)'
>>> guess(b"fraud,99.5,NL").partition(":")[0]
'comma-separated text (CSV)'
>>> guess(b'{"model": "fraud"}')
''
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

HEAD = 4096
"""Bytes that are looked at: the kind of a value shows at its beginning, and a guess must cost little."""
FRAME = 5
"""A zero byte and the id of a schema, 4 bytes."""
GUID = 17
"""A byte 1 and the GUID of a schema, 16 bytes."""

COMPRESSED = "have the Kafka producer compress (compression.type), not the program: Driftline reads JSON"
PLAIN = "Driftline reads JSON, one object per record: send that, or convert the topic"
NAMED = "name that in the config, as in `schema_registry: {url: ...}`"
ANOTHER = "schema_registry.url names another registry than the producer's, or what begins with a zero byte is no such"
KNOWN = {"unknown_schema": ANOTHER, "unusable_schema": ""}
"""By the reason of the reject, of what needs no guess."""


class Look(NamedTuple):
    """How something is known, by the first bytes and the length of the whole, and what to say of it."""

    known: Callable[[bytes, int], object]
    words: str


def _begins(*magic: bytes) -> Callable[[bytes, int], object]:
    return lambda head, length: head.startswith(magic)


def _found(pattern: bytes) -> Callable[[bytes, int], object]:
    search = re.compile(pattern, re.DOTALL).search
    return lambda head, length: search(head)


def _text(head: bytes) -> str | None:
    """The head as text without control characters, None where it is none; a character cut in half is let go."""
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if len(head) < HEAD or error.start < len(head) - 3:
            return None
        text = head[: error.start].decode()
    return text if text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable() else None


def _is_csv(head: bytes, length: int) -> bool:
    """Lines of equally many fields, two or more; one line will do."""
    text = _text(head)
    if text is None or text[:1] in ("{", "[", '"') or "," not in text:
        return False
    lines = [line for line in text.splitlines() if line][:3]
    return len({line.count(",") for line in lines[: 3 if length <= len(head) else max(len(lines) - 1, 1)]}) == 1


def _is_zeros(head: bytes, length: int) -> bool:
    return length > FRAME and head[0] == 0 and not any(head[:FRAME])


LOOKS: tuple[Look, ...] = (
    Look(_begins(b"\x1f\x8b"), f"gzip (1f 8b): {COMPRESSED}"),
    Look(_begins(b"\x28\xb5\x2f\xfd"), f"zstd (28 b5 2f fd): {COMPRESSED}"),
    Look(_begins(b"\x04\x22\x4d\x18"), f"LZ4 (04 22 4d 18): {COMPRESSED}"),
    Look(_begins(b"\xff\x06\x00\x00sNaPpY", b"\x82SNAPPY\x00"), f"Snappy: {COMPRESSED}"),
    Look(_begins(b"PK\x03\x04"), f"a ZIP archive: {PLAIN}"),
    Look(_begins(b"Obj\x01"), f"an Avro file: {PLAIN}"),
    Look(_begins(b"PAR1"), f"a Parquet file: {PLAIN}"),
    Look(_is_zeros, f"zeros: {PLAIN}"),
    Look(
        lambda head, length: length > FRAME and head[0] == 0 and head[FRAME : FRAME + 1] in (b"{", b"["),
        f"JSON of a schema registry (byte 0, then the id of a schema, 4 bytes): {NAMED}",
    ),
    Look(
        lambda head, length: length > FRAME and head[0] == 0,
        f"Avro or Protobuf of a schema registry (byte 0, then the id of a schema): {NAMED}",
    ),
    Look(
        lambda head, length: length > GUID and head[0] == 1 and _text(head[1:GUID]) is None,
        "Avro or Protobuf of a schema registry (byte 1, then the GUID of a schema): have the producer send its"
        " id instead, or JSON",
    ),
    Look(_begins(b"\xff\xfe", b"\xfe\xff"), "text in UTF-16: send UTF-8"),
    Look(_begins(b"\xef\xbb\xbf"), "text with a byte order mark (ef bb bf): leave it away"),
    Look(_found(rb'^\s*"\s*[\[{]\s*\\?"'), "JSON within a text, encoded twice: encode it once"),
    Look(_found(rb"^\s*[\[{]\s*u?'"), "Python's repr: write it with json.dumps"),
    Look(_found(rb"^\s*<[?!A-Za-z]"), f"XML or HTML: {PLAIN}"),
    Look(
        _found(rb"[:\[,]\s*[-+]?(NaN|nan|[Ii]nf(inity)?)\s*[,\]}]"), "JSON with NaN or Infinity: write null for those"
    ),
    Look(_found(rb"^\s*\{.*\}\s*\n\s*\{"), "several objects of JSON in one record: send a record for each"),
    Look(_found(rb"^\s*[\[{]\s*$"), "JSON over several lines: write each object in a line of its own, as jq -c does"),
    Look(_found(rb"^\s*\{.*\}\s*,\s*$"), "an object with a comma behind it: leave the comma away"),
    Look(_found(rb"^\s*\[\s*\{"), "a list of objects: send a record for each"),
    Look(_is_csv, f"comma-separated text (CSV): {PLAIN}"),
)
"""The first that knows it has the word."""


def guess(value: bytes, reason: str = "") -> str:
    """What a value that was rejected most likely is, and what to do; empty when nothing is known of it.

    It tells the kind of the bytes, never what they say, so that it may stand in a log.
    """
    if reason in KNOWN:
        return KNOWN[reason]
    head = value[:HEAD]
    return next((look.words for look in LOOKS if head and look.known(head, len(value))), "")
