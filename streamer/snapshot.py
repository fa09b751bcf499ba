"""Snapshot codec: bytes of a task's state, checked before a single value of them is believed.

Layout: magic, format number, sha256 of the body, body. The body is msgpack; arrays travel as an extension holding
dtype, shape and raw little-endian bytes. Never pickle: whoever may write to the state topic must not run code here.
"""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Any

import msgpack
import numpy as np

MAGIC = b"DRFT"
FORMAT = 1
ARRAY = 1
HEAD = struct.Struct(">4sH32s")
BYTES_MAX = 1 << 30
"""A snapshot beyond this is refused: 20,000 series need some 100 MB, so it would be a mistake or an attack."""

DTYPES = ("<f8", "<i8", "<u8", "<i4", "|i1", "|u1", "|b1")


class BadSnapshot(ValueError):
    """The bytes are not a snapshot of ours, or not whole."""


def encode(state: dict[str, Any]) -> bytes:
    """Nested dicts and lists of plain values and numpy arrays -> snapshot bytes; equal states give equal bytes."""
    body = msgpack.packb(state, default=_pack_array, use_bin_type=True)
    return HEAD.pack(MAGIC, FORMAT, hashlib.sha256(body).digest()) + bytes(body)


def decode(blob: bytes) -> dict[str, Any]:
    """The inverse of `encode`. Raises BadSnapshot."""
    if len(blob) < HEAD.size or len(blob) > BYTES_MAX:
        raise BadSnapshot(f"{len(blob)} bytes cannot be a snapshot")
    magic, version, digest = HEAD.unpack_from(blob)
    body = memoryview(blob)[HEAD.size :]
    if magic != MAGIC:
        raise BadSnapshot("not a Driftline snapshot")
    if version != FORMAT:
        raise BadSnapshot(f"snapshot format {version}; this version reads format {FORMAT}")
    if hashlib.sha256(body).digest() != digest:
        raise BadSnapshot("checksum does not match")
    try:
        state = msgpack.unpackb(body, ext_hook=_unpack_array, strict_map_key=True)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise BadSnapshot(str(error)) from error
    if not isinstance(state, dict):
        raise BadSnapshot("not a mapping")
    return state


def _pack_array(value: Any) -> msgpack.ExtType:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"cannot store {type(value).__name__} in a snapshot")
    array = np.ascontiguousarray(value)
    head = msgpack.packb([array.dtype.newbyteorder("<").str, list(array.shape)])
    return msgpack.ExtType(ARRAY, bytes(head) + array.astype(array.dtype.newbyteorder("<")).tobytes())


def _unpack_array(code: int, data: bytes) -> Any:
    if code != ARRAY:
        raise BadSnapshot(f"unknown extension {code}")
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(data[:256])
    dtype, shape = unpacker.unpack()
    if dtype not in DTYPES or not all(isinstance(n, int) and n >= 0 for n in shape) or len(shape) > 3:
        raise BadSnapshot("array of a kind never stored")
    raw = data[unpacker.tell() :]
    if math.prod(shape) * np.dtype(dtype).itemsize != len(raw):
        raise BadSnapshot("array and its shape differ")
    return np.frombuffer(raw, dtype).reshape(shape).copy()
