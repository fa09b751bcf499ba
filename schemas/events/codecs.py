"""What a text or bytes within a record unpack to: the steps of `mapping.decode`."""

from __future__ import annotations

import base64
import csv
import re
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from schemas.events.convert import Rejected
from schemas.events.json_text import value_of

ROWS_MAX = 10_000
"""Rows of one record. Each is an event, and a batch holds those of all its records at once."""
NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?").fullmatch
"""Not 01234, which is a code, nor 1_000."""
DIGITS = 19
"""A text that is shorter is no whole number beyond 64 bits."""


class Codec(NamedTuple):
    """`says`: what comes of what."""

    decode: Callable[[Any, int], Any]
    says: str


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise ValueError("no text")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _bytes(value).decode()


def _base64(value: Any, bytes_max: int) -> bytes:
    """Also of the alphabet for addresses, and without padding."""
    data = _bytes(value).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=\r\n")
    return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)


def _gzip(value: Any, bytes_max: int) -> bytes:
    """Of gzip and zlib, never more than `bytes_max`."""
    unpacker = zlib.decompressobj(wbits=47)
    data = unpacker.decompress(_bytes(value), bytes_max + 1)
    if len(data) > bytes_max:
        raise Rejected("too_large", f"unpacked it is over {bytes_max} bytes")
    if not unpacker.eof:
        raise ValueError("it ends too early")
    return data


def _json(value: Any, bytes_max: int) -> Any:
    return value_of(_bytes(value))


def _jsonl(value: Any, bytes_max: int) -> list[Any]:
    return [value_of(line) for line in _bytes(value).splitlines() if line.strip()]


def _csv(value: Any, bytes_max: int) -> list[list[Any]]:
    rows = [row for row in csv.reader(_text(value).splitlines(), skipinitialspace=True, strict=True) if row]
    return [[_cell(text) for text in row] for row in rows]


def _cell(text: str) -> Any:
    if not text:
        return None
    return number_of(text) if NUMBER(text) else text


def number_of(text: str) -> float | int:
    """What a text that NUMBER takes stands for; a whole number that JSON's writers may not take is a float."""
    return int(text) if text.lstrip("+-").isdigit() and len(text) < DIGITS else float(text)


def _records(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[dict[str, Any]]:
    names = list(columns)
    if not all(isinstance(name, str) for name in names):
        raise ValueError("a name that is no text")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _split(value: Any, bytes_max: int) -> list[dict[str, Any]]:
    return _records(value["columns"], value["data"])


def _columns(value: Any, bytes_max: int) -> list[dict[str, Any]]:
    return _records(value, zip(*value.values(), strict=True))


def _tensors(value: Any, bytes_max: int) -> list[dict[str, Any]]:
    """Of the Open Inference Protocol: {name, shape, data} each, the first dimension of which are the rows."""
    names = [tensor["name"] for tensor in value]
    return _records(names, zip(*(_rows_of(tensor) for tensor in value), strict=True))


def _rows_of(tensor: dict[str, Any]) -> list[Any]:
    """What each row has of a tensor: a number or text, or the flat list of its own."""
    flat, (rows, *inner) = _flat(tensor["data"]), tensor["shape"]
    size = 1
    for length in inner:
        size *= length
    if len(flat) != rows * size:
        raise ValueError(f"{len(flat)} values of {rows * size}")
    return flat if size == 1 else [flat[i : i + size] for i in range(0, len(flat), size)]


def _flat(data: list[Any]) -> list[Any]:
    while data and isinstance(data[0], list):
        data = [value for inner in data for value in inner]
    return data


CODECS: dict[str, Codec] = {
    "base64": Codec(_base64, "of a text the bytes that it stands for"),
    "gzip": Codec(_gzip, "of gzip or zlib what was packed"),
    "json": Codec(_json, "of a text or bytes the JSON value"),
    "jsonl": Codec(_jsonl, "of lines of JSON an array, a value each"),
    "csv": Codec(_csv, "of lines of cells an array of rows; a cell that is a number is one, but 01234 is a text"),
    "split": Codec(_split, "of {columns, data} an array of objects, one per row (pandas' split)"),
    "columns": Codec(_columns, "of an object of arrays an array of objects, one per row"),
    "tensors": Codec(_tensors, "of tensors {name, shape, data} an array of objects, one per row (Open Inference v2)"),
}
FAULTS = (
    *(ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError, EOFError),
    *(zlib.error, csv.Error),
)
"""What a codec raises of what it cannot read; `binascii.Error` and `JSONDecodeError` are ValueErrors."""


def decoded(value: Any, names: Iterable[str], bytes_max: int, at: str) -> Any:
    """A value through codecs, one after the other. Raises Rejected with the place and the codec that failed."""
    for name in names:
        try:
            value = CODECS[name].decode(value, bytes_max)
        except FAULTS:
            raise Rejected("undecodable", f"{at or 'the value'} is no {name}") from None
    return value
