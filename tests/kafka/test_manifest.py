"""The manifest: what was written comes back, and nothing else is believed."""

from __future__ import annotations

import random

import numpy as np
import pytest

from streamer.kafka.manifest import HEAD, decode, encode, extents_of, size_of
from streamer.port import Blocks, Cut, StateParts


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def cut() -> Cut:
    """Five blocks: three in a row of the first part, one of the second, one of the third, which is fresh."""
    carried = StateParts(numbers(40, 70), numbers(3, 0), numbers(90, 50))
    of = numbers(0, 0, 0, 1, 2), numbers(0, 30, 60, 20, 0), numbers(30, 30, 30, 10, 8)
    blocks = Blocks(np.zeros((5, 2), np.uint64), *of)
    return Cut(108, np.array([[100, 4], [8, 1]]), carried, ((1, b"12345678"),), blocks, (), frozenset({7}))


def test_what_was_written_comes_back() -> None:
    blob = encode(cut(), (99,))
    assert len(blob) == size_of(cut())
    found = decode(blob)
    assert (found.size, found.high, found.pieces.tolist()) == (108, 8, [[100, 4], [8, 1]])
    assert [column.tolist() for column in found.parts] == [[40, 70, 99], [3, 0, 1], [90, 50, 8]]
    assert found.extents.tolist() == extents_of(cut().blocks).tolist() == [[0, 0, 90], [1, 20, 10], [2, 0, 8]]


def changed(at: int, value: int, width: int) -> bytes:
    blob = encode(cut(), (99,))
    return blob[:at] + value.to_bytes(width, "little", signed=True) + blob[at + width :]


PIECES, OFFSETS = HEAD.size, HEAD.size + 32
NAMES, SIZES, EXTENTS = OFFSETS + 24, OFFSETS + 36, OFFSETS + 48


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        encode(cut(), (99,))[:-1],
        encode(cut(), (99,)) + b"x",
        b"DRFT" + encode(cut(), (99,))[4:],
        changed(4, 2, 2),
        changed(6, 1 << 40, 8),
        changed(6, 107, 8),
        changed(14, 1 << 30, 4),
        changed(26, 3, 4),
        changed(PIECES, 101, 8),
        changed(PIECES, -5, 8),
        changed(PIECES + 8, 3, 8),
        changed(OFFSETS, 70, 8),
        changed(OFFSETS, -1, 8),
        changed(NAMES, 0, 4),
        changed(SIZES, 1 << 25, 4),
        changed(SIZES, 89, 4),
        changed(EXTENTS, 3, 4),
        changed(EXTENTS + 4, 1, 4),
        changed(EXTENTS + 8, 91, 4),
    ],
)
def test_nothing_else_is_believed(blob: bytes) -> None:
    with pytest.raises(ValueError, match="manifest|part|piece|extent"):
        decode(blob)


def test_damage_is_refused_or_harmless() -> None:
    """Whatever its bytes are: every extent lies in its part, and all of them make up the snapshot."""
    rng, blob = random.Random(1), encode(cut(), (99,))
    for _ in range(3000):
        broken = bytearray(blob)
        for _ in range(rng.randint(1, 4)):
            broken[rng.randrange(len(broken))] = rng.choice((0, 1, 255, rng.randrange(256)))
        try:
            found = decode(bytes(broken))
        except ValueError:
            continue
        assert found.extents[:, 2].sum() == found.size < 1 << 32
        assert (found.extents[:, 1] + found.extents[:, 2] <= found.parts.sizes[found.extents[:, 0]]).all()
