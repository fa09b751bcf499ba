"""Snapshots cut into blocks of some hundred bytes, where the bytes themselves say so.

What is appended, grows or leaves in one place shifts everything behind it; borders that hang on nothing but the few
bytes before them shift along, so that all other blocks are found to be as they were (content-defined chunking:
Muthitacharoen, Chen and Mazieres 2001, LBFS). Unlike there a border does not hang on where the last one was, so that
all are found at once. Arrays of numbers are looked at four bytes at a time, all else byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from streamer.engine.snapshot import Piece
from streamer.port import I64

LEAST, MOST = 128, 512
"""Bytes of a block; less at the end of a piece, and behind blocks of the most."""
BITS = {1: 8, 4: 6}
"""By the bytes of a look: one of two to the power of so many is a border."""
SLAB = 1 << 18
"""Looks at a time: they stay in the processor's cache."""
MIX = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77), np.uint32(0xC2B2AE3D), np.uint32(0x27D4EB2F)


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces that are worth a look of their own; small ones that follow each other are one."""
    found = list[Piece]()
    for small, some in groupby(pieces, lambda piece: len(piece.data) < MOST):
        group = [*some]
        found += [Piece(memoryview(b"".join(piece.data for piece in group)), 1)] if small else group
    return [Piece(piece.data, 4 if piece.item % 4 == 0 else 1) for piece in found if len(piece.data)]


def split(blob: bytes | bytearray, sizes: Iterable[Sequence[int]]) -> list[Piece]:
    """The same of a whole snapshot, by what `joined` found."""
    view, begin, found = memoryview(blob), 0, list[Piece]()
    for size, item in sizes:
        found.append(Piece(view[begin : begin + size], item))
        begin += size
    return found


def ends_of(piece: Piece) -> I64:
    """Where its blocks end, ascending; the last is its own end."""
    size = len(piece.data)
    looks = np.frombuffer(piece.data, "<u4", size // 4) if piece.item == 4 else np.frombuffer(piece.data, np.uint8)
    found = [np.zeros(1, np.int64)]
    for begin in range(0, len(looks), SLAB):
        before = max(begin - 4, 0)  # What a look hangs on lies before it.
        marks = _marks(looks[before : begin + SLAB], piece.item) + before
        found.append(marks[marks >= begin] + 1)
    borders = np.concatenate(found) * piece.item
    borders = borders[borders < size]
    far = np.diff(borders, prepend=-LEAST) >= LEAST
    return _filled(borders[far], size)


def _marks(looks: NDArray[Any], item: int) -> I64:
    """Places of borders among so many looks."""
    if item == 1:
        if len(looks) < 4:
            return np.zeros(0, np.int64)
        wide = looks.astype(np.uint32)
        looks = wide[3:] | wide[2:-1] << 8 | wide[1:-2] << 16 | wide[:-3] << 24
    mixed = looks[1:] * MIX[0]
    mixed ^= looks[:-1] * MIX[1]
    mixed += MIX[3]  # So that zeros, of which there are many, are none.
    mixed ^= mixed >> 15
    mixed *= MIX[2]
    return np.flatnonzero(mixed < 1 << 32 - BITS[item]) + (1 if item == 4 else 4)


def _filled(borders: I64, size: int) -> I64:
    """With further ones where blocks would be too large. `borders` begin with 0."""
    counts = (np.diff(borders, append=size) - 1) // MOST + 1
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    begins = np.repeat(borders, counts) + within * MOST
    return np.append(begins[1:], size)


def blocks_of(pieces: Sequence[Piece]) -> tuple[I64, I64, NDArray[np.uint64]]:
    """Of each block the number of its piece, its size in bytes, and its digest as two numbers."""
    of, sizes, digests = list[I64](), list[I64](), list[bytes]()
    for number, (data, item) in enumerate(pieces):
        ends = ends_of(Piece(data, item))
        bounds = pairwise([0, *ends.tolist()])
        digests.append(b"".join([xxh3_128_digest(data[begin:end]) for begin, end in bounds]))  # Of millions of blocks.
        of.append(np.full(len(ends), number))
        sizes.append(np.diff(ends, prepend=0))
    if not pieces:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2), np.uint64)
    found = np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)
    return np.concatenate(of), np.concatenate(sizes), found
