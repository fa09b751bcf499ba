"""Values that begin with the id of a schema: the framing of a schema registry, and what of its schemas is known here.

A byte 0, four bytes of an id, then the value as its schema has it: Avro, Protobuf or JSON. What comes of it is the
plain document that JSON would have been, so all that follows is as for any other event. Nothing here asks a registry:
whoever reads the records does, before they are decoded, and puts what it said into a `Schemas`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple, TypeGuard

from schemas.events import avro, protobuf
from schemas.events.codecs import FAULTS
from schemas.events.convert import NOT_FINITE, Rejected
from schemas.events.json_text import settled, value_of

MAGIC = 0
FRAME = 5
"""A zero byte and the id of a schema."""
SCHEMAS_MAX = 1000
"""Of so many schemas the readers are kept."""
UNKNOWN_MAX = 10_000
"""Of so many ids it is remembered that there is no schema: whoever sends any bytes names any ids."""

Read = Callable[[bytes], Any]
"""The document of a framed value. Raises one of FAULTS, or Rejected."""


class Schema(NamedTuple):
    """A schema as a registry tells it: of Protobuf a serialized FileDescriptorProto in base64."""

    kind: str  # "AVRO", "JSON" or "PROTOBUF"
    text: str
    references: tuple[tuple[str, str], ...] = ()  # name and text of what it builds on, each after what that builds on


class Refused(NamedTuple):
    """Why values of an id cannot be read."""

    reason: str  # "unknown_schema" or "unusable_schema"
    why: str


def _json(schema: Schema) -> Read:
    """The schema is not held against the value: what of it cannot be used is found field by field, as in any JSON."""
    return lambda value: value_of(value[FRAME:])


KINDS: dict[str, Callable[[Schema], Read]] = {
    "AVRO": lambda schema: avro.reader_of(schema.text, schema.references, FRAME),
    "JSON": _json,
    "PROTOBUF": lambda schema: protobuf.reader_of(schema.text, schema.references, FRAME),
}


def framed(value: bytes | None) -> TypeGuard[bytes]:
    """Whether a value begins with the id of a schema. No JSON text begins with a zero byte."""
    return value is not None and len(value) >= FRAME and value[0] == MAGIC


def id_of(value: bytes) -> int:
    """The id that a framed value begins with."""
    return int.from_bytes(value[1:FRAME], "big")


class Schemas:
    """What is known of a registry's ids. What an id stands for never changes, so this is no state: it is told anew."""

    def __init__(self) -> None:
        self._readers: dict[int, tuple[str, Read] | Refused] = {}
        self._unknown: dict[int, Refused] = {}

    def __len__(self) -> int:
        return len(self._readers)

    def missing(self, values: Iterable[bytes | None]) -> dict[int, int]:
        """The ids of which nothing is known, each with the place of the first value of it."""
        found: dict[int, int] = {}
        for place, value in enumerate(values):
            if framed(value):
                number = id_of(value)
                if number not in self._readers and number not in self._unknown:
                    found.setdefault(number, place)
        return found

    def learn(self, number: int, schema: Schema, keep: Collection[int] = ()) -> str:
        """What the registry says of an id; why it is of no use, or nothing. For a new one the oldest is forgotten, but
        for those to keep.
        """
        try:
            if schema.kind not in KINDS:
                raise ValueError(f"its kind is {schema.kind}, not one of {', '.join(KINDS)}")
            entry: tuple[str, Read] | Refused = schema.kind, KINDS[schema.kind](schema)
        except FAULTS as error:
            entry = Refused("unusable_schema", str(error) or type(error).__name__)
        _bound(self._readers, SCHEMAS_MAX, keep)
        self._readers[number] = entry
        return entry.why if isinstance(entry, Refused) else ""

    def refuse(self, number: int, why: str, keep: Collection[int] = ()) -> None:
        """The registry knows no such id."""
        _bound(self._unknown, UNKNOWN_MAX, keep)
        self._unknown[number] = Refused("unknown_schema", why)

    def forget(self, number: int) -> None:
        """An id that nobody knew may be known by now."""
        self._unknown.pop(number, None)

    def json_in(self, value: bytes) -> bytes | None:
        """Of a framed value the JSON that it is, if it is."""
        entry = self._readers.get(id_of(value))
        return value[FRAME:] if isinstance(entry, tuple) and entry[0] == "JSON" else None

    def document(self, value: bytes) -> Any:
        """What a framed value says. Raises Rejected."""
        number = id_of(value)
        entry = self._readers.get(number) or self._unknown.get(number) or NOT_ASKED
        if isinstance(entry, Refused):
            raise Rejected(entry.reason, f"schema {number}: {entry.why}")
        try:
            return entry[1](value)
        except FAULTS:
            raise Rejected("undecodable", f"the value is not as its schema {number} ({entry[0]}) has it") from None


NOT_ASKED = Refused("unknown_schema", "no registry was asked for it")


def _bound(known: dict[int, Any], most: int, keep: Collection[int]) -> None:
    if len(known) >= most:
        oldest = next((number for number in known if number not in keep), None)
        if oldest is not None:
            del known[oldest]


def marked(document: Any) -> Any:
    """The document itself, in which numbers that are not finite are NOT_FINITE: orjson would write null for them."""
    return settled(document, lambda number: number if math.isfinite(number) else NOT_FINITE, (float,))
