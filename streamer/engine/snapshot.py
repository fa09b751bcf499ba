"""Snapshot codec: bytes of a task's state, checked before a single value of them is believed.

Layout: magic, format number, length of the header, sha256 of header and arrays; the header; the arrays. The header is
msgpack, in which an array is an extension that holds its dtype and shape; the raw little-endian bytes of all arrays
follow in the order of the header, so that a snapshot is little more than one copy of memory. Never pickle: whoever may
write to the state topic must not run code here.
"""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Any, NamedTuple

import msgpack
import numpy as np

MAGIC = b"DRFT"
FORMAT = 12
ARRAY = 1
HEAD = struct.Struct(">4sHQ32s")
BYTES_MAX = 1 << 32
"""A snapshot beyond this is refused: a million series need some 600 MB, so it would be a mistake or an attack."""

DTYPES = ("<f8", "<i8", "<u8", "<i4", "|i1", "|u1", "|b1")


class InvalidSnapshot(ValueError):
    """The bytes are not a snapshot of ours, or not whole."""


class Piece(NamedTuple):
    """A stretch of a snapshot: its head, its header, or an array."""

    data: memoryview  # bytes
    item: int  # bytes of an element


def encode(state: dict[str, Any]) -> bytes:
    """Nested dicts and lists of plain values and numpy arrays -> snapshot bytes; equal states give equal bytes."""
    return b"".join(piece.data for piece in pieces_of(state))


def pieces_of(state: dict[str, Any]) -> list[Piece]:
    """The same, cut where one array ends and the next begins."""
    parts: list[Piece] = []

    def shape_of(value: Any) -> msgpack.ExtType:
        if not isinstance(value, np.ndarray):
            raise TypeError(f"cannot store {type(value).__name__} in a snapshot")
        array = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        parts.append(Piece(array.reshape(-1).view(np.uint8).data, array.itemsize))
        return msgpack.ExtType(ARRAY, msgpack.packb([array.dtype.str, list(value.shape)]))

    header = bytes(msgpack.packb(state, default=shape_of, use_bin_type=True))
    digest = hashlib.sha256(header)
    for part in parts:
        digest.update(part.data)
    head = HEAD.pack(MAGIC, FORMAT, len(header), digest.digest())
    return [Piece(memoryview(head), 1), Piece(memoryview(header), 1), *parts]


def decode(blob: bytes | bytearray) -> dict[str, Any]:
    """The inverse of `encode`; its arrays may be written to. Raises InvalidSnapshot."""
    if len(blob) < HEAD.size or len(blob) > BYTES_MAX:
        raise InvalidSnapshot(f"{len(blob)} bytes cannot be a snapshot")
    magic, version, length, digest = HEAD.unpack_from(blob)
    body = memoryview(blob)[HEAD.size :]
    if magic != MAGIC:
        raise InvalidSnapshot("not a Driftline snapshot")
    if version != FORMAT:
        raise InvalidSnapshot(f"snapshot format {version}; this version reads format {FORMAT}")
    if hashlib.sha256(body).digest() != digest:
        raise InvalidSnapshot("checksum does not match")
    rest = body[length:]

    def array_of(code: int, data: bytes) -> Any:
        nonlocal rest
        dtype, shape = msgpack.unpackb(data)
        if code != ARRAY or dtype not in DTYPES or len(shape) > 3 or not all(type(n) is int and n >= 0 for n in shape):
            raise InvalidSnapshot("array of a kind never stored")
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size > len(rest):
            raise InvalidSnapshot("array and its bytes differ")
        raw, rest = rest[:size], rest[size:]
        return np.frombuffer(raw, dtype).reshape(shape).copy()

    try:
        state = msgpack.unpackb(body[:length], ext_hook=array_of, strict_map_key=True)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise InvalidSnapshot(str(error)) from error
    if not isinstance(state, dict) or len(rest):
        raise InvalidSnapshot("not a mapping, or bytes that belong to nothing")
    return state
