"""Blocks of a snapshot: they make it up, however large it is, and a change moves no border but those beside it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from streamer.engine.snapshot import Piece, encode, pieces_of
from streamer.kafka import blocks
from streamer.kafka.blocks import LEAST, MOST, blocks_of, ends_of, joined, split


def piece(data: bytes, item: int = 4) -> Piece:
    return Piece(memoryview(data), item)


def digests(*pieces: Piece) -> set[tuple[int, int]]:
    return {(int(one), int(other)) for one, other in blocks_of(pieces)[2]}


@pytest.mark.parametrize("item", [1, 4])
@pytest.mark.parametrize("size", [1, 3, 4, 5, 255, 4096, 4097, 300_001, 2_100_003])
@pytest.mark.parametrize("kind", ["random", "zeros", "two by two"])
def test_they_make_up_the_piece_and_are_not_too_large(item: int, size: int, kind: str) -> None:
    data = random.Random(1).randbytes(size) if kind == "random" else bytes(size)
    data = (b"abcdefgh" * (size // 8 + 1))[:size] if kind == "two by two" else data
    sizes = np.diff(ends_of(piece(data, item)), prepend=0)
    assert sizes.sum() == size
    assert (sizes > 0).all()
    assert (sizes <= MOST).all()
    assert ((sizes >= LEAST) | (np.roll(sizes, 1) == MOST) | (np.arange(len(sizes)) == len(sizes) - 1)).all()
    if kind == "random" and size > 100_000:
        assert 250 < sizes.mean() < 450


@pytest.mark.parametrize(("item", "more"), [(1, b"x"), (4, b"four"), (4, bytes(16)), (1, b"")])
def test_what_comes_in_between_changes_the_blocks_beside_it(item: int, more: bytes) -> None:
    before = random.Random(2).randbytes(1 << 20)
    for at in (0, 500_000, 1 << 20):
        at -= at % 4
        after = before[:at] + more + before[at:]
        left, now = digests(piece(before, item)), digests(piece(after, item))
        assert len(now - left) <= 3
        assert len(left - now) <= 3


def test_borders_are_the_same_whatever_is_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random.Random(3).randbytes(100_000)
    for item in (1, 4):
        monkeypatch.setattr(blocks, "SLAB", 1 << 18)
        whole = ends_of(piece(data, item)).tolist()
        for slab in (1000, 777, 5):
            monkeypatch.setattr(blocks, "SLAB", slab)
            assert ends_of(piece(data, item)).tolist() == whole


def test_pieces_are_found_again_in_the_whole() -> None:
    """Small ones that follow each other are one, and so are small arrays by the thousand."""
    arrays = {
        "big": np.arange(5000.0),
        "wide": np.ones(9000, bool),
        "small": [np.arange(3)] * 2000,
        "last": np.arange(8),
    }
    found = joined(pieces_of(arrays))
    assert [one.item for one in found] == [1, 1, 4, 1, 1]
    blob = encode(arrays)
    again = split(blob, [(len(one.data), one.item) for one in found])
    assert [bytes(one.data) for one in again] == [bytes(one.data) for one in found]
    assert b"".join(one.data for one in found) == blob
    assert blocks_of([])[1].tolist() == []
