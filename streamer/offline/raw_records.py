"""Lines of a file that are whole records of a topic, with key, headers and time, as `kcat -C -t TOPIC -J` writes them:

    {"topic": "labels", "partition": 0, "offset": 7, "tstype": "create", "ts": 1767225600000, "broker": 0,
     "headers": ["name", "value"], "key": "e1", "payload": "{...}"}

Each line has all of these members but the headers, and of older kcats the broker, and no other; what has others is an
event. A payload of null is a
record without a value. Which file stands for which topic and partition the command line says.
"""

from __future__ import annotations

from typing import Any

import orjson

from schemas.events.batch import Record

BEGIN = b'{"topic":'
MEMBERS = frozenset({"topic", "partition", "offset", "tstype", "ts", "key", "payload"})
MORE = frozenset({"broker", "headers", "key_schema_id", "value_schema_id"})
AROUND = 2_048
"""Bytes that a line has beside the payload and its escapes."""


def record_of(offset: int, line: bytes) -> Record | None:
    """The record that a line holds, at this place; None for a line that is the value itself.

    >>> line = b'{"topic":"t","partition":0,"offset":5,"tstype":"create","ts":9,"broker":1,"key":"e1","payload":null}'
    >>> record_of(0, line)[:4]
    (0, 9, b'e1', None)
    """
    if not line.startswith(BEGIN):
        return None
    try:
        whole = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not (isinstance(whole, dict) and whole.keys() - MORE == MEMBERS):
        return None
    key, value, headers = (whole.get(name) for name in ("key", "payload", "headers"))
    if not all(one is None or isinstance(one, str) for one in (key, value)):
        return None
    time_ms: Any = whole["ts"]
    known = isinstance(time_ms, int) and time_ms > 0 and whole["tstype"] in ("create", "logappend")
    return Record(offset, int(time_ms) if known else -1, _bytes(key), _bytes(value), _headers(headers))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _headers(named: Any) -> tuple[tuple[str, bytes | None], ...]:
    """Names and values, one behind the other."""
    if not isinstance(named, list):
        return ()
    texts = [one if one is None or isinstance(one, str) else str(one) for one in named]
    return tuple((name or "", _bytes(value)) for name, value in zip(texts[::2], texts[1::2], strict=False))
