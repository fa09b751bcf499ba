"""Lines of a file that are whole records of a topic, with key, headers and time, as `kcat -C -t TOPIC -J` writes them:

    {"topic": "labels", "partition": 0, "offset": 7, "tstype": "create", "ts": 1767225600000, "broker": 0,
     "headers": ["name", "value"], "key": "e1", "payload": "{...}"}

or something near: members in another order or left out, `value` and `timestamp` as other tools call them, a payload
that kcat has read by its schema (`-s value=avro`), so that it is JSON and no text. A line is one if it says its
partition, its offset and its payload, and nothing that no record has; what says more is an event. A payload of null is
a record without a value. Kafka's own console consumer writes such lines with tabs:

    CreateTime:1767225600000    Partition:0    Offset:7    name:value    e1    {...}

Which file stands for which topic and partition the command line says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from schemas.events.batch import Record
from schemas.events.convert import Rejected, time_ms

NEEDED = frozenset({"partition", "offset"})
PAYLOADS = ("payload", "value")
TIMES = ("ts", "timestamp")
MORE = frozenset({"topic", "tstype", "broker", "headers", "key", "key_schema_id", "value_schema_id", *TIMES})
AROUND = 2_048
"""Bytes that a line has beside the payload and its escapes."""
CONSOLE = re.compile(
    rb"(?:(?:(?:CreateTime|LogAppendTime):(?P<ts>\d{1,18})|NO_TIMESTAMP)\t)?(?:Partition:\d+\t)?(?:Offset:\d+\t)?"
    rb"(?:(?P<headers>NO_HEADERS|[^\t{\[]+:[^\t]*)\t(?=[^\t]*\t))?(?:(?P<key>[^\t{\[]+)\t)?(?P<value>\{.*\}|null)",
    re.DOTALL,
)


def record_of(offset: int, line: bytes) -> Record | None:
    """The record that a line holds, at this place; None for a line that is the value itself.

    >>> line = b'{"topic":"t","partition":0,"offset":5,"tstype":"create","ts":9,"broker":1,"key":"e1","payload":null}'
    >>> record_of(0, line)[:4]
    (0, 9, b'e1', None)
    """
    if not line.startswith(b"{"):
        return _of_console(offset, line) if b"\t" in line else None
    if b'"partition"' not in line or b'"offset"' not in line:
        return None
    try:
        whole = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    payload = [name for name in PAYLOADS if name in whole]
    if len(payload) != 1 or whole.keys() - MORE - {*payload} != NEEDED:
        return None
    if not all(type(whole[name]) is int for name in NEEDED):
        return None
    headers = tuple(_headers(whole.get("headers")))
    return Record(offset, _time_ms(whole), _bytes(whole.get("key")), _bytes(whole[payload[0]]), headers)


def _time_ms(whole: dict[str, Any]) -> int:
    """-1 where it is not known."""
    given = next((whole[name] for name in TIMES if name in whole), None)
    if given is None or whole.get("tstype", "create") not in ("create", "logappend"):
        return -1
    if type(given) is int:  # Milliseconds, however few.
        return given if given > 0 else -1
    try:
        return time_ms(given, "")
    except Rejected:
        return -1


def _bytes(value: Any) -> bytes | None:
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else orjson.dumps(value)


def _headers(given: Any) -> Iterator[tuple[str, bytes | None]]:
    """Of names and values, one behind the other; of objects with both; or of one object."""
    if isinstance(given, dict):
        yield from ((name, _bytes(value)) for name, value in given.items())
    elif isinstance(given, list) and all(isinstance(one, dict) for one in given):
        yield from ((str(one.get("key", one.get("name", ""))), _bytes(one.get("value"))) for one in given)
    elif isinstance(given, list):
        texts = [one if one is None or isinstance(one, str) else str(one) for one in given]
        yield from ((name or "", _bytes(value)) for name, value in zip(texts[::2], texts[1::2], strict=False))


def _of_console(offset: int, line: bytes) -> Record | None:
    found = CONSOLE.fullmatch(line)
    if found is None:
        return None
    named = [] if found["headers"] in (None, b"NO_HEADERS") else found["headers"].split(b",")
    headers = tuple(
        (name.decode("utf-8", "replace"), value) for name, _, value in (one.partition(b":") for one in named)
    )
    key, value = (None if one in (None, b"null") else one for one in (found["key"], found["value"]))
    return Record(offset, int(found["ts"] or -1), key, value, headers)
