"""Lines that are whole records: what each has, and what is no such line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.events.batch import Record
from streamer.offline.raw_records import record_of
from streamer.offline.replay import read_lines

WHOLE = {"topic": "t", "partition": 3, "offset": 9, "tstype": "create", "ts": 5, "broker": 1}


def raw(key: Any, payload: Any, **more: Any) -> bytes:
    return json.dumps({**WHOLE, **more, "key": key, "payload": payload}, separators=(",", ":")).encode()


def test_a_record_has_its_key_headers_time_and_value() -> None:
    line = raw("é", '{"a": 1}', headers=["x", "1", "x", None])
    assert record_of(7, line) == Record(7, 5, "é".encode(), b'{"a": 1}', (("x", b"1"), ("x", None)))
    assert record_of(0, raw(None, "")) == Record(0, 5, None, b"")
    assert record_of(0, raw("k", None, tstype="unknown", ts=0)) == Record(0, -1, b"k", None)
    assert record_of(0, raw("k", "v").replace(b',"broker":1', b"")) == Record(0, 5, b"k", b"v"), (
        "as kafkacat 1.5 has it"
    )


@pytest.mark.parametrize(
    "line",
    [
        b'{"topic":"t","model":"m"}',
        raw("k", None, model="m"),
        raw("k", "v", value="another"),
        raw("k", "v").replace(b"9,", b'"9",'),
        b'{"partition":1,"offset":2,"value":{}',
        b"a\tb",
        b'\t{"model":"m"}',
        raw("k", "v")[:-1],
        b'{"topic":"t"',
        b"null",
        b"",
    ],
)
def test_what_is_an_event_stays_one(line: bytes) -> None:
    assert record_of(0, line) is None


NEAR = [
    (b'{"key":"k","payload":"{}","partition":1,"offset":2,"ts":5}', (5, b"k", b"{}", ())),
    (b'{"value":"{}","timestamp":1700000000000,"partition":1,"offset":2}', (1_700_000_000_000, None, b"{}", ())),
    (b'{"value":"{}","timestamp":"2023-11-14T22:13:20Z","partition":1,"offset":2}', (1_700_000_000_000, None, b"{}",
     ())),
    (b'{"value":"{}","timestamp":"soon","partition":1,"offset":2}', (-1, None, b"{}", ())),
    (raw({"id": 1}, {"an": ["object"]}), (5, b'{"id":1}', b'{"an":["object"]}', ())),
    (raw(1, None, headers=[{"key": "h", "value": "v"}]), (5, b"1", None, (("h", b"v"),))),
    (raw("k", "", headers={"h": "v"}), (5, b"k", b"", (("h", b"v"),))),
    (b'CreateTime:7\t{"a":1}', (7, None, b'{"a":1}', ())),
    (b'CreateTime:7\tPartition:0\tOffset:3\th:v,i:w\tk:1\t{"a":"\\t"}',
     (7, b"k:1", b'{"a":"\\t"}', (("h", b"v"), ("i", b"w")))),
    (b"NO_TIMESTAMP\tNO_HEADERS\tnull\tnull", (-1, None, None, ())),
    (b'k\t{"a":1}', (-1, b"k", b'{"a":1}', ())),
]  # fmt: skip
"""As kcat writes them that reads a schema, and other tools than kcat."""


@pytest.mark.parametrize(("line", "found"), NEAR)
def test_what_is_near_to_it_is_a_record_as_well(line: bytes, found: Any) -> None:
    time_ms, key, value, headers = found
    assert record_of(4, line) == Record(4, time_ms, key, value, headers)


def test_a_file_may_hold_both_and_a_record_is_as_long_as_its_value(tmp_path: Path) -> None:
    quotes, path = '"' * 90, tmp_path / "mixed.jsonl"
    lines = [b'{"model": "m"}', raw("k", None), raw("k", quotes), b"x" * 300, raw("k", "y" * 400), b"last"]
    path.write_bytes(b"\n".join(lines))
    records = [record for some in read_lines(path, 100) for record in some]
    assert [record.offset for record in records] == list(range(6))
    values = [record.value for record in records]
    assert values[:3] == [lines[0], None, quotes.encode()]
    assert values[3:] == [b"x" * 102, b"y" * 400, b"last"], "an overlong value is refused by its length, however cut"
