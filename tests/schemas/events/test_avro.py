"""Avro: the values that JSON would have, and no schema that makes much of nothing or ends the process."""

from __future__ import annotations

import io
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from schemas.events.avro import FREE_MAX, PER_BYTE, reader_of
from schemas.events.codecs import FAULTS


def record(*fields: tuple[str, Any], name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields]}


def written(schema: Any, value: Any, references: tuple[Any, ...] = ()) -> bytes:
    named: dict[str, Any] = {}
    for one in references:
        fastavro.parse_schema(one, named)
    data = io.BytesIO()
    fastavro.schemaless_writer(data, fastavro.parse_schema(schema, named), value)
    return data.getvalue()


def read(schema: Any, value: Any) -> Any:
    return reader_of(json.dumps(schema), (), 5)(b"\0\0\0\0\7" + written(schema, value))


FIVE = "00000000-0000-0000-0000-000000000005"
LOGICAL: list[tuple[Any, Any, Any]] = [
    ({"type": "long", "logicalType": "timestamp-millis"}, 1_700_000_000_123, 1_700_000_000_123),
    ({"type": "long", "logicalType": "timestamp-micros"}, 1_700_000_000_123_456, 1_700_000_000_123_456),
    ({"type": "long", "logicalType": "local-timestamp-millis"}, datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
    ({"type": "long", "logicalType": "local-timestamp-micros"}, 1, "1970-01-01T00:00:00.000001"),
    ({"type": "long", "logicalType": "local-timestamp-millis"}, 1 << 62, "second 4611686018427387"),
    ({"type": "int", "logicalType": "date"}, date(2026, 1, 2), "2026-01-02"),
    ({"type": "int", "logicalType": "date"}, (1 << 31) - 1, "day 2147483647"),
    ({"type": "int", "logicalType": "time-millis"}, 1000, 1000),
    ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, Decimal("-12.34"), -12.34),
    ({"type": "bytes", "logicalType": "decimal", "precision": 400}, Decimal(10) ** 399, float("inf")),
    ({"type": "fixed", "name": "D", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 1}, Decimal(7), 7.0),
    ({"type": "string", "logicalType": "uuid"}, FIVE, FIVE),
    ({"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}, bytes(15) + b"\5", FIVE),
    ({"type": "fixed", "name": "F", "size": 2}, b"\0\xff", "AP8="),
    ("bytes", b"\0\xff", "AP8="),
    ({"type": "enum", "name": "E", "symbols": ["NL", "DE"]}, "DE", "DE"),
    (["null", {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 1}, "string"], Decimal("1.5"), 1.5),
    (["null", "double"], None, None),
    ({"type": "map", "values": ["null", "long"]}, {"a": 1, "b": None}, {"a": 1, "b": None}),
    ({"type": "array", "items": "float"}, [1.5, 2.0], [1.5, 2.0]),
    ({"type": "long", "logicalType": "nobody-knows"}, 5, 5),
    ({"type": "string", "avro.java.string": "String"}, "x", "x"),
    (record(("bytes", "bytes"), name="W"), {"bytes": b"a"}, {"bytes": "YQ=="}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "wanted"), LOGICAL, ids=lambda v: str(v)[:30])
def test_a_value_is_what_json_would_have(kind: Any, value: Any, wanted: Any) -> None:
    found = read(record(("v", kind)), {"v": value})["v"]
    assert found == wanted
    assert type(found) is type(wanted)


def test_names_are_found_in_their_namespace_and_in_what_it_builds_on() -> None:
    other = {**record(("x", "double"), name="Other"), "namespace": "org.a"}
    whole = {**record(("one", "Other"), ("two", ["null", "Other"]), name="Whole"), "namespace": "org.a"}
    value = {"one": {"x": 1.5}, "two": {"x": 2.5}}
    found = reader_of(json.dumps(whole), [("org.a.Other", json.dumps(other))], 0)(written(whole, value, (other,)))
    assert found == value


def nested(depth: int) -> Any:
    kind: Any = "int"
    for _ in range(depth):
        kind = {"type": "array", "items": kind}
    return kind


def chain(length: int) -> list[Any]:
    """A union of records, each of which holds the one before: a name is no deeper in the text than another."""
    first = record(("v", "int"), name="R0")
    return [first, *(record(("v", f"R{i - 1}"), ("w", f"R{i - 1}"), name=f"R{i}") for i in range(1, length))]


ONCE = [*(("n" + str(i), "null") for i in range(FREE_MAX + 1))]
REFUSED: list[tuple[Any, str]] = [
    ({"type": "array", "items": "null"}, "arrays has more values than bytes"),
    ({"type": "array", "items": record()}, "arrays has more values"),
    ({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, "arrays has more values"),
    ({"type": "array", "items": record(("v", "int"), *(ONCE[:99]))}, "arrays has more values"),
    ({"type": "map", "values": record(*ONCE[:99])}, "maps has more values"),
    (record(*ONCE), "values of it take no byte"),
    (record(("next", ["null", "R"])), "R refers to itself"),
    (record(("all", {"type": "array", "items": record(("r", ["null", "R"]), name="S")})), "R refers to itself"),
    (nested(65), "types deep"),
    (nested(500), "types deep"),
    (chain(70), "types deep"),
    ("nothing", "no Avro schema, UnknownType: nothing"),
    (record(("v", "Nope")), "no Avro schema"),
    ({"type": "record", "name": "R"}, "no Avro schema"),
    (5, "no Avro schema"),
    (None, "no Avro schema"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "why"), REFUSED, ids=lambda v: str(v)[:40])
def test_a_schema_that_cannot_be_used_says_why(schema: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        reader_of(json.dumps(schema), (), 0)


def test_schemas_of_real_events_are_taken() -> None:
    wide = record(*((f"f{i}", ["null", "double"]) for i in range(2000)))
    optional = {"type": "array", "items": ["null", record(*((f"f{i}", "double") for i in range(100)), name="S")]}
    for schema in (wide, record(("rows", optional)), nested(30), record(), {"type": "map", "values": "null"}):
        reader_of(json.dumps(schema), (), 0)


SCHEMA = record(("a", "string"), ("b", ["null", "double"]), ("c", {"type": "array", "items": "long"}))
GOOD = written(SCHEMA, {"a": "x", "b": 1.5, "c": [1, 2]})


@pytest.mark.parametrize(
    "data",
    [b"", GOOD[:-1], GOOD + b"\0", b"\x01", b"\xff" * 12, b"\xfe\xff\xff\xff\x0fx", b"\x02\xff\x00\x00", b"\x02x\x07"],
    ids=["empty", "short", "more", "negative", "endless number", "long text", "no utf-8", "no branch"],
)
def test_bytes_that_are_not_the_schemas_are_a_fault(data: bytes) -> None:
    with pytest.raises(FAULTS):
        reader_of(json.dumps(SCHEMA), (), 0)(data)


def test_what_comes_of_a_value_is_bounded_by_its_bytes() -> None:
    """The most that an array of a schema that is taken makes of a value."""
    items = record(("v", "int"), *ONCE[: PER_BYTE - 2])
    data = b"\x80\x80\x01" + bytes(8192) + b"\0"  # 8,192 of them
    found = reader_of(json.dumps({"type": "array", "items": items}), (), 0)(data)
    assert sum(len(one) + 1 for one in found) <= PER_BYTE * len(data)
    assert len(found) == 8192
