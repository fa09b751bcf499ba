"""Avro as fastavro reads it, with the values that JSON would have, and schemas refused that make more than they read.

Numbers of times stay numbers (`timestamp-millis` is what an event's time may be); dates, and times without a zone, are
texts; decimals are numbers; bytes are base64.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from schemas.events.codecs import FAULTS

DEPTH_MAX = 64
"""Types within types. fastavro follows them in C, where too deep ends the process."""
PER_BYTE = 32
"""Values that a byte may stand for. An array of nulls has none for any number of them."""
FREE_MAX = 10_000
"""Values that come of no byte at all."""
PRIMITIVE = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
"""By name, the fewest bytes of a value."""
SCALE_MAX = 1000


class Unusable(ValueError):
    """Why a schema cannot be used, in a line."""


def _bytes(data: bytes, schema: Any, *_: Any) -> str:
    return base64.b64encode(data).decode()


def _decimal(data: bytes, schema: Any, *_: Any) -> float:
    """The closest float64."""
    try:
        return int.from_bytes(data, "big", signed=True) / 10 ** schema.get("scale", 0)  # type: ignore[no-any-return]
    except OverflowError:
        return float("inf")


def _uuid(data: bytes, schema: Any, *_: Any) -> str:
    digits = data.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _date(days: int, *_: Any) -> str:
    try:
        return (date(1970, 1, 1) + timedelta(days)).isoformat()
    except OverflowError:
        return f"day {days}"  # Still a text, and no date: whoever wants a time there is told so.


def _local(per_second: int) -> Callable[..., str]:
    def text(count: int, *_: Any) -> str:
        seconds, rest = divmod(count, per_second)
        try:
            return (
                datetime(1970, 1, 1) + timedelta(seconds=seconds, microseconds=rest * 10**6 // per_second)
            ).isoformat()
        except OverflowError:
            return f"second {seconds}"

    return text


READERS: dict[str, Callable[..., Any]] = {
    "bytes-driftline-bytes": _bytes,
    "fixed-driftline-bytes": _bytes,
    "bytes-driftline-decimal": _decimal,
    "fixed-driftline-decimal": _decimal,
    "fixed-driftline-uuid": _uuid,
    "int-driftline-date": _date,
    "long-driftline-local-timestamp-millis": _local(10**3),
    "long-driftline-local-timestamp-micros": _local(10**6),
    "long-driftline-local-timestamp-nanos": _local(10**9),
}
"""fastavro has one table of logical types for everybody, and its own make objects that raise for a day out of range;
so ours have names of their own, which only schemas from here use.
"""


@cache
def _fastavro() -> Any:
    """Loaded when the first schema comes: most configs name no registry."""
    try:
        import fastavro
        import fastavro.read
    except ImportError:
        raise Unusable("fastavro is not installed: pip install 'driftline[registry]'") from None
    fastavro.read.LOGICAL_READERS.update(READERS)
    return fastavro


def _parsed(text: str, named: dict[str, Any]) -> Any:
    fastavro = _fastavro()
    try:
        return fastavro.parse_schema(_ours(orjson.loads(text), 0), named)
    except Unusable:
        raise
    except (fastavro.schema.SchemaParseException, *FAULTS) as error:
        raise Unusable(f"it is no Avro schema, {type(error).__name__}: {error}") from None


def reader_of(text: str, references: Iterable[tuple[str, str]], skip: int) -> Callable[[bytes], Any]:
    """What reads values of a schema that begin after `skip` bytes. `references`: name and text of each schema that it
    builds on. Raises ValueError, with one line that says why, of a schema that cannot be used.
    """
    fastavro, named = _fastavro(), dict[str, Any]()
    for _, part in references:
        _parsed(part, named)
    parsed = _parsed(text, named)
    if _Weighed(named).of(parsed)[0] > FREE_MAX:
        raise Unusable(f"more than {FREE_MAX} values of it take no byte")
    read = fastavro.schemaless_reader

    def document(value: bytes) -> Any:
        source = io.BytesIO(value)
        source.seek(skip)
        found = read(source, parsed, None)
        if source.tell() != len(value):
            raise ValueError("bytes are left")
        return found

    return document


def _ours(schema: Any, depth: int) -> Any:
    """The schema with our logical types, and without what reading does not need."""
    if depth > DEPTH_MAX:
        raise Unusable(f"it is over {DEPTH_MAX} types deep")
    if isinstance(schema, list):
        return [_ours(one, depth + 1) for one in schema]
    if not isinstance(schema, dict):
        return {"type": "bytes", "logicalType": "driftline-bytes"} if schema == "bytes" else schema
    kind, logical = schema.get("type"), schema.get("logicalType")
    if isinstance(kind, (dict, list)):
        return _ours(kind, depth + 1)
    kept = {key: schema[key] for key in ("type", "name", "namespace", "symbols", "size") if key in schema}
    if kind in ("record", "error"):
        fields = [{"name": one["name"], "type": _ours(one["type"], depth + 1)} for one in schema["fields"]]
        return {**kept, "type": "record", "fields": fields}
    for inner in ("items", "values"):
        if inner in schema:
            kept[inner] = _ours(schema[inner], depth + 1)
    if kind in ("bytes", "fixed"):
        scale = schema.get("scale", 0)
        if logical == "decimal" and type(scale) is int and 0 <= scale <= SCALE_MAX:
            return {**kept, "logicalType": "driftline-decimal", "scale": scale, "precision": schema.get("precision", 1)}
        own = "uuid" if logical == "uuid" and schema.get("size") == 16 else "bytes"
        return {**kept, "logicalType": f"driftline-{own}"}
    if f"{kind}-driftline-{logical}" in READERS:
        return {**kept, "logicalType": f"driftline-{logical}"}
    return kept


class _Weighed:
    """Of each type how many values come of it beyond PER_BYTE for each of its bytes, at most, and how deep it is.

    What comes of a value is then bounded: PER_BYTE values for each byte and those of the schema itself, if what stands
    in an array is worth its bytes, however many there are.
    """

    def __init__(self, named: dict[str, Any]) -> None:
        self.named = named
        self.known: dict[str, tuple[int, int] | None] = {}  # None: it is being looked at

    def of(self, node: Any) -> tuple[int, int]:
        if isinstance(node, list):
            found = [self.of(one) for one in node]
            return self._deeper(max(excess for excess, _ in found) - PER_BYTE, found)
        kind = node["type"] if isinstance(node, dict) else node
        if kind in PRIMITIVE:
            return 1 - PER_BYTE * PRIMITIVE[kind], 0
        if kind in ("array", "map"):
            inner = self.of(node["items" if kind == "array" else "values"])
            if inner[0] - (PER_BYTE if kind == "map" else 0) > 0:
                raise Unusable(f"what stands in its {kind}s has more values than bytes")
            return self._deeper(1 - PER_BYTE, [inner])
        name = node["name"] if isinstance(node, dict) else node
        if name not in self.known:
            self.known[name] = None
            self.known[name] = self._named(self.named[name])
        weighed = self.known[name]
        if weighed is None:
            raise Unusable(f"{name} refers to itself")
        return weighed

    def _named(self, node: dict[str, Any]) -> tuple[int, int]:
        if node["type"] == "enum":
            return 1 - PER_BYTE, 0
        if node["type"] == "fixed":
            return 1 - PER_BYTE * int(node["size"]), 0
        found = [self.of(field["type"]) for field in node["fields"]]
        return self._deeper(1 + sum(excess for excess, _ in found), found)

    def _deeper(self, excess: int, inner: list[tuple[int, int]]) -> tuple[int, int]:
        depth = 1 + max((depth for _, depth in inner), default=0)
        if depth > DEPTH_MAX:
            raise Unusable(f"it is over {DEPTH_MAX} types deep")
        return excess, depth
