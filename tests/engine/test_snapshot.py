"""The snapshot codec: what is encoded comes back, equal states give equal bytes, and nothing broken is believed."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.load import load_text
from streamer.engine.snapshot import ARRAY, DTYPES, FORMAT, HEAD, MAGIC, InvalidSnapshot, decode, encode
from streamer.engine.task import Task
from streamer.port import Out
from tests.engine.tasks import AT, run
from tests.sim.campaign import CONFIG, make_log


def test_a_broken_snapshot_is_refused_whatever_is_broken() -> None:
    config = load_text(CONFIG, "x", {})
    blob = run(config, make_log(random.Random(4), 0, 200)).dump()
    rng = random.Random(1)
    for _ in range(200):
        broken = bytearray(blob)
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        with pytest.raises(InvalidSnapshot):
            Task.load(config, AT, bytes(broken[: rng.choice([len(broken), rng.randrange(len(broken))])]))
    with pytest.raises(InvalidSnapshot, match=r"inferences\[0\], not of inferences\[1\]"):
        Task.load(config, ("inferences", 1), blob)


def array_of(dtype: str, shape: list[int], seed: int) -> Any:
    """Any bytes at all, as an array."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.frombuffer(random.Random(seed).randbytes(count), np.uint8)
    return (raw % 2 if dtype == "|b1" else raw).view(dtype).reshape(shape)


ARRAYS = st.builds(
    array_of, st.sampled_from(DTYPES), st.lists(st.integers(0, 3), min_size=1, max_size=3), st.integers(0, 9)
)
PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)
LEAVES = PLAIN | ARRAYS
STATES = st.dictionaries(
    st.text(max_size=3),
    LEAVES
    | st.lists(LEAVES, max_size=3)
    | st.dictionaries(st.text(max_size=3), st.lists(LEAVES, max_size=2), max_size=3),
    max_size=4,
)


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit, of the same types."""
    if isinstance(one, np.ndarray):
        if not isinstance(other, np.ndarray) or (one.dtype, one.shape) != (other.dtype, other.shape):
            return False
        return one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


@given(STATES)
def test_what_is_encoded_comes_back_and_equal_states_give_equal_bytes(state: dict[str, Any]) -> None:
    blob = encode(state)
    assert same(decode(blob), state)
    assert encode(decode(blob)) == blob


def test_arrays_come_back_as_ones_own_and_in_plain_order() -> None:
    wide = np.arange(12.0).reshape(3, 4)
    state = decode(encode({"view": wide[:, ::2], "big": np.array([1, 2], ">i8")}))
    assert state["view"].tolist() == [[0, 2], [4, 6], [8, 10]]
    assert (state["big"].tolist(), state["big"].dtype.str) == ([1, 2], "<i8")
    state["view"][0, 0] = 7.0
    assert wide[0, 0] == 0.0


@pytest.mark.parametrize("value", [{1, 2}, object(), 1j, np.float64, Out])
def test_what_is_no_plain_value_is_not_stored(value: Any) -> None:
    with pytest.raises(TypeError):
        encode({"a": value})


def packed(header: bytes, arrays: bytes = b"", magic: bytes = MAGIC, version: int = FORMAT) -> bytes:
    """A blob whose checksum is right, whatever is in it."""
    return HEAD.pack(magic, version, len(header), sha256(header + arrays).digest()) + header + arrays


def array(dtype: str, shape: list[Any], code: int = ARRAY) -> bytes:
    return bytes(msgpack.packb({"a": msgpack.ExtType(code, msgpack.packb([dtype, shape]))}))


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (b"", "0 bytes cannot be"),
        (packed(b"\x80")[:-1], "cannot be|checksum"),
        (packed(b"\x80", magic=b"DRIF"), "not a Driftline snapshot"),
        (packed(b"\x80", version=FORMAT - 1), f"snapshot format {FORMAT - 1}; this version reads format {FORMAT}"),
        (packed(b"\x80") + b"x", "checksum"),
        (packed(b"\x90"), "not a mapping"),
        (packed(b"\x80", b"more"), "belong to nothing"),
        (packed(b"\xc1"), ".*"),
        (packed(b"\x81\x01\x02"), "is not allowed for map key"),
        (packed(array("<f8", [1]), b"x" * 7), "differ"),
        (packed(array("<f8", [1]), b"x" * 9), "belong to nothing"),
        (packed(array("<f8", [-1])), "never stored"),
        (packed(array("<f8", [1, 1, 1, 1])), "never stored"),
        (packed(array("<f8", [1 << 62, 1 << 62])), "differ"),
        (packed(array("|O", [1]), b"x" * 8), "never stored"),
        (packed(array("<f8", ["1"])), "never stored"),
        (packed(array("<f8", [0], code=2)), "never stored"),
    ],
    ids=lambda value: value if isinstance(value, str) else "bytes",
)
def test_bytes_that_are_no_snapshot_of_ours_are_refused_though_their_checksum_is_right(blob: bytes, why: str) -> None:
    with pytest.raises(InvalidSnapshot, match=why):
        decode(blob)
