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
        raw("k", {"an": "object"}),
        raw(1, "text"),
        raw("k", "v")[:-1],
        b'{"topic":"t"',
        b"null",
        b"",
    ],
)
def test_what_is_an_event_stays_one(line: bytes) -> None:
    assert record_of(0, line) is None


def test_a_file_may_hold_both_and_a_record_is_as_long_as_its_value(tmp_path: Path) -> None:
    quotes, path = '"' * 90, tmp_path / "mixed.jsonl"
    lines = [b'{"model": "m"}', raw("k", None), raw("k", quotes), b"x" * 300, raw("k", "y" * 400), b"last"]
    path.write_bytes(b"\n".join(lines))
    records = [record for some in read_lines(path, 100) for record in some]
    assert [record.offset for record in records] == list(range(6))
    values = [record.value for record in records]
    assert values[:3] == [lines[0], None, quotes.encode()]
    assert values[3:] == [b"x" * 102, b"y" * 400, b"last"], "an overlong value is refused by its length, however cut"
