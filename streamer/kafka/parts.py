"""Snapshots in parts: what has not changed since the last one is not written again.

A snapshot is cut into blocks (`blocks.py`); those that a part of the snapshot before holds already stay there, the
others are put together into new parts, and a manifest (`manifest.py`) says where everything stands. A part of which
less than half is needed is written anew, so that the topic holds at most twice the state. A part is a record with a
name of its own, the lowest number that is free: no new part has the name of one that a snapshot needs which an offset
points at, or may yet point at, so no compaction removes such a one. The names that nobody needs any more get
tombstones with the first part of the snapshot after: by then an offset points at the one that did not need them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from streamer.engine.snapshot import Piece
from streamer.kafka.blocks import MOST, blocks_of, joined, split
from streamer.kafka.manifest import Manifest, parts_of
from streamer.port import I64, Blocks, Cut, Kept, StateParts

PART_BYTES = 900_000
"""As a chunk: a record stays below the broker's default limit."""
WORTH = 2
"""A part is carried while one byte of so many is needed: the topic holds at most so many times the state."""
NOTHING = np.zeros(0, np.int64)
NO_PARTS = StateParts(NOTHING, NOTHING, NOTHING)
NO_BLOCKS = Blocks(np.zeros((0, 2), np.uint64), NOTHING, NOTHING, NOTHING)


def cut_of(pieces: Sequence[Piece], kept: Sequence[Kept]) -> Cut:
    """What is to be written of a snapshot. `kept`: of those that an offset points at, or may point at; blocks are
    carried from the first.
    """
    pieces = joined(pieces)
    of, sizes, digests = blocks_of(pieces)
    base = kept[0] if kept else Kept("", NO_PARTS, NO_BLOCKS, frozenset())
    parts, begins = _found(base, digests, sizes)
    some = np.flatnonzero(np.bincount(parts[parts >= 0], minlength=len(base.parts.numbers)))
    renumbered = np.full(len(base.parts.numbers) + 1, -1)  # The last is that of -1: what is not there.
    renumbered[some] = np.arange(len(some))
    parts = renumbered[parts]
    carried = StateParts(*(column[some] for column in base.parts))
    new = np.flatnonzero(parts < 0)
    ends = np.cumsum(sizes[new])
    turn = (ends - sizes[new]) // max(PART_BYTES - MOST, 1)
    first = np.searchsorted(turn, turn)  # Of each new block the first one of its part.
    parts[new] = len(some) + np.unique(turn, return_inverse=True)[1]
    begins[new] = (ends - sizes[new]) - (ends - sizes[new])[first]
    datas = list(_bytes_of(pieces, of, sizes, parts, len(some)))
    needed = {number for one in kept for number in one.parts.numbers.tolist()}
    names = list(islice((n for n in count() if n not in needed), len(datas)))
    rest = frozenset[int]().union(*(one.stale for one in kept)) - needed - set(names)
    stale = frozenset(needed.difference(carried.numbers.tolist()))
    shape = np.array([(len(piece.data), piece.item) for piece in pieces], np.int64).reshape(-1, 2)
    blocks = Blocks(digests, parts, begins, sizes)
    fresh = tuple(zip(names, datas, strict=True))
    return Cut(int(sizes.sum()), shape, carried, fresh, blocks, tuple(sorted(rest)), stale)


def names_of(kept: Sequence[Kept]) -> set[int]:
    """Of all parts that are there, or may be."""
    return {number for one in kept for number in (*one.parts.numbers.tolist(), *one.stale)}


def _found(kept: Kept, digests: NDArray[np.uint64], sizes: I64) -> tuple[I64, I64]:
    """Part and begin of each block that is there, -1 for the others and for those of parts that are not worth it."""
    parts, begins = np.full(len(sizes), -1), np.zeros(len(sizes), np.int64)
    known = kept.blocks
    if not len(known.sizes) or not len(sizes):
        return parts, begins
    # Of blocks that are alike the first one is taken for the first, and so on: what stood together is one extent still.
    firsts, wanted = np.ascontiguousarray(known.digests[:, 0]), np.ascontiguousarray(digests[:, 0])
    order = np.argsort(wanted, kind="stable")
    turns = np.empty(len(wanted), np.int64)
    turns[order] = np.arange(len(wanted)) - np.searchsorted(wanted[order], wanted[order])
    begin, end = np.searchsorted(firsts, wanted), np.searchsorted(firsts, wanted, side="right")
    at = np.minimum(begin + np.clip(turns, 0, np.maximum(end - begin - 1, 0)), len(known.sizes) - 1)
    there = np.flatnonzero((known.digests[at] == digests).all(axis=1) & (known.sizes[at] == sizes))
    parts[there], begins[there] = known.parts[at[there]], known.begins[at[there]]
    live = np.bincount(parts[there], sizes[there], len(kept.parts.sizes))
    parts[there] = np.where(WORTH * live < kept.parts.sizes, -1, np.arange(len(live)))[parts[there]]
    return parts, begins


def _bytes_of(pieces: Sequence[Piece], of: I64, sizes: I64, parts: I64, first: int) -> Iterator[bytes]:
    """What goes into the parts from number `first` on, whose blocks ascend."""
    ends = np.cumsum(sizes)
    begins = ends - sizes
    starts = np.cumsum([0, *(len(piece.data) for piece in pieces)])
    new = np.flatnonzero(parts >= first)
    if not len(new):
        return
    # Blocks that follow each other in a piece and a part are copied as one.
    breaks = np.flatnonzero((np.diff(new) != 1) | (np.diff(of[new]) != 0) | (np.diff(parts[new]) != 0))
    runs = zip(new[np.append(0, breaks + 1)].tolist(), new[np.append(breaks, len(new) - 1)].tolist(), strict=True)
    part, data = first, list[memoryview]()
    for one, last in runs:
        if parts[one] != part:
            yield b"".join(data)
            part, data = int(parts[one]), []
        piece = int(of[one])
        data.append(pieces[piece].data[begins[one] - starts[piece] : ends[last] - starts[piece]])
    yield b"".join(data)


def kept_of(cut: Cut, offsets: tuple[int, ...], sha: str) -> Kept:
    """What is there once all of a cut is written."""
    return Kept(sha, parts_of(cut, offsets), _by_digest(cut.blocks), cut.stale)


def found_again(manifest: Manifest, blob: bytes | bytearray, sha: str) -> Kept:
    """The same of one that was read. Who tried to write the next one may have left parts behind, beyond all names that
    are known: as many as another whole snapshot has.
    """
    _, sizes, digests = blocks_of(split(blob, manifest.pieces.tolist()))
    begins = np.cumsum(sizes) - sizes
    part, begin, size = manifest.extents.T
    starts = np.cumsum(size) - size
    extent = np.searchsorted(starts, begins, side="right") - 1
    blocks = Blocks(digests, part[extent], begin[extent] + begins - starts[extent], sizes)
    high = manifest.high + manifest.size // max(PART_BYTES - MOST, 1) + 2
    stale = frozenset(range(high)).difference(manifest.parts.numbers.tolist())
    return Kept(sha, manifest.parts, _by_digest(blocks), stale)


def _by_digest(blocks: Blocks) -> Blocks:
    order = np.argsort(blocks.digests[:, 0], kind="stable")
    where = (column[order].astype(np.int32) for column in blocks[1:])  # Of a million series there are a million.
    return Blocks(blocks.digests[order], *where)
