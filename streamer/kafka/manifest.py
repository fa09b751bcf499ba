"""The manifest of a snapshot in parts: which stretches of which records it is put together of.

Layout: magic, format number, bytes of the snapshot, then how many pieces, parts and extents there are, and from which
number on no part was ever named; then the arrays, little-endian: pieces (size and bytes of an element), parts (offset,
name, size), extents (part, begin, size). What they lead to is checked by the snapshot's own checksum.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.engine.snapshot import BYTES_MAX
from streamer.port import I64, Blocks, Cut, StateParts

MAGIC, FORMAT = b"DRFP", 1
HEAD = struct.Struct("<4sHQIIII")
PART_BYTES_MAX = 1 << 24
"""More than any record of ours holds."""


class Manifest(NamedTuple):
    """See above."""

    size: int
    pieces: I64
    parts: StateParts
    extents: I64  # of each the part, where it begins there, and how much of it
    high: int


def extents_of(blocks: Blocks) -> I64:
    """Blocks that follow each other in the same part are one extent."""
    table = np.stack([blocks.parts, blocks.begins, blocks.sizes], axis=1)
    if not len(table):
        return table
    part, begin, size = table.T
    new = np.append(True, (part[1:] != part[:-1]) | (begin[1:] != begin[:-1] + size[:-1]))
    firsts = np.flatnonzero(new)
    found: I64 = table[firsts]
    found[:, 2] = np.add.reduceat(size, firsts)
    return found


def size_of(cut: Cut) -> int:
    """Bytes of the manifest of a cut, which is not known before its parts are written."""
    parts = len(cut.carried.offsets) + len(cut.fresh)
    return HEAD.size + 16 * len(cut.pieces) + 16 * parts + 12 * len(extents_of(cut.blocks))


def parts_of(cut: Cut, offsets: tuple[int, ...]) -> StateParts:
    """Those carried, then those that were written at these offsets."""
    fresh = [[*offsets], [number for number, _ in cut.fresh], [len(data) for _, data in cut.fresh]]
    both = zip(cut.carried, fresh, strict=True)
    return StateParts(*(np.concatenate([old, np.array(new, np.int64)]) for old, new in both))


def encode(cut: Cut, offsets: tuple[int, ...]) -> bytes:
    """The manifest of a cut whose fresh parts stand at these offsets."""
    parts, extents = parts_of(cut, offsets), extents_of(cut.blocks)
    high = max([*parts.numbers.tolist(), *cut.stale], default=-1) + 1
    counts = len(cut.pieces), len(parts.offsets), len(extents), high
    arrays = cut.pieces.astype("<i8"), parts.offsets.astype("<i8"), parts.numbers.astype("<u4")
    return b"".join(
        [
            HEAD.pack(MAGIC, FORMAT, cut.size, *counts),
            *(array.tobytes() for array in (*arrays, parts.sizes.astype("<u4"), extents.astype("<u4"))),
        ]
    )


def decode(blob: bytes) -> Manifest:
    """The inverse; ValueError for what cannot be. Nothing is allocated that the bytes themselves do not hold."""
    if len(blob) < HEAD.size:
        raise ValueError("a manifest without its head")
    magic, version, size, n, m, k, high = HEAD.unpack_from(blob)
    if magic != MAGIC or version != FORMAT:
        raise ValueError(f"manifest format {version}; this version reads format {FORMAT}")
    if size > BYTES_MAX or len(blob) != HEAD.size + 16 * n + 16 * m + 12 * k:
        raise ValueError("a manifest and its arrays differ in length")
    at = HEAD.size

    def take(dtype: str, *shape: int) -> NDArray[Any]:
        nonlocal at
        array = np.frombuffer(blob, dtype, int(np.prod(shape)), at).reshape(shape)
        at += array.nbytes
        return array.astype(np.int64)

    pieces, parts = take("<i8", n, 2), StateParts(take("<i8", m), take("<u4", m), take("<u4", m))
    extents = take("<u4", k, 3)
    if (pieces[:, 0] <= 0).any() or not np.isin(pieces[:, 1], [1, 4]).all() or int(pieces[:, 0].sum()) != size:
        raise ValueError("pieces that are not of this snapshot")
    if len(np.unique(parts.offsets)) != m or len(np.unique(parts.numbers)) != m or (parts.offsets < 0).any():
        raise ValueError("parts that are named twice")
    if (parts.sizes > PART_BYTES_MAX).any() or (extents[:, 0] >= m).any() or int(extents[:, 2].sum()) != size:
        raise ValueError("extents that do not make up the snapshot")
    if (extents[:, 1] + extents[:, 2] > parts.sizes[extents[:, 0]]).any() or (parts.numbers >= high).any():
        raise ValueError("extents beyond their part")
    return Manifest(size, pieces, parts, extents, high)
