"""The pointer codec, and the rule by which an unreadable offset is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.batch import Record
from streamer.kafka.offset_metadata import TICKS_MAX, from_text, to_text
from streamer.kafka.state_topic import CHUNK_BYTES, chunk_of, chunks_of, count_of
from streamer.port import Committed, Parts, Pointer, Snapshot, Tick

SHA = "ab" * 32
GOOD = f"v2;S=81812;p=3;o=7;n=2;sha={SHA};cfg=c0ffee;slot=1;t=2;T=4;q=81900:1700000000000:1,81901:1700000060000:0"
NUMBER, TIME = st.integers(0, 2**63 - 1), st.integers(0, 10**14 - 1)
TICKS = st.lists(st.builds(Tick, NUMBER, TIME, st.booleans()), max_size=TICKS_MAX)


@given(
    NUMBER,
    st.integers(0, 10**9 - 1),
    NUMBER,
    st.integers(1, 10**9 - 1),
    TICKS,
    st.integers(0, 10**9 - 1),
    st.integers(0, 999_999),
    TIME,
    st.none() | st.builds(Parts, st.integers(1, 999_999), st.integers(1, 999_999)),
)
def test_a_root_comes_back(
    position: int,
    partition: int,
    offset: int,
    chunks: int,
    ticks: list[Tick],
    generation: int,
    starts: int,
    ms: int,
    parts: Parts | None,
) -> None:
    pointer = Pointer(position, partition, offset, chunks, SHA, "c0ffee", position % 2, 7, generation)
    root = Committed(position, pointer, 7 + len(ticks), tuple(ticks), starts, ms, parts)
    assert from_text(position, to_text(root)) == root
    alone = Committed(position, None, starts=starts, parts=parts)
    assert from_text(position, to_text(alone)) == alone


def test_the_largest_root_fits_the_metadata() -> None:
    most = 2**63 - 1
    pointer = Pointer(most, 10**9 - 1, most, 10**9 - 1, SHA, "c" * 64, 1, 10**12 - 1, 10**9 - 1)
    root = Committed(
        most,
        pointer,
        10**12 - 1,
        (Tick(most, 10**14 - 1, True),) * TICKS_MAX,
        999_999,
        10**14 - 1,
        Parts(999_999, 999_999),
    )
    assert len(to_text(root)) <= 4096
    assert from_text(most, to_text(root)) == root


@pytest.mark.parametrize(
    "text",
    [None, "", "x", GOOD + ";", GOOD + "\n", GOOD.replace("v2", "v1"), GOOD.replace("S=8", "S=-8"), GOOD + ",",
     GOOD.replace("S=8", "S=٨"), GOOD.replace(SHA, SHA[1:]), GOOD.replace("c0ffee", ""), GOOD.replace("7", "7.0"),
     GOOD.replace(":1,", ":2,")],
)  # fmt: skip
def test_anything_else_is_none(text: str | None) -> None:
    assert from_text(5, GOOD).ticks[0] == Tick(81900, 1_700_000_000_000, True)
    assert from_text(5, text) == Committed(5, None)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert from_text(5, text) == Committed(5, None)


def test_only_a_topic_that_was_made_anew_is_told_of() -> None:
    root = from_text(5, GOOD)
    assert root.pointer is not None
    assert (to_text(root), root.pointer.generation) == (GOOD, 0)
    anew = root._replace(pointer=root.pointer._replace(generation=2))
    assert to_text(anew) == GOOD.replace(";t=", ";g=2;t=")


def test_no_pointer_is_the_empty_text() -> None:
    assert to_text(Committed(5, None, 3, (Tick(1, 2, True),))) == ""
    counted = Committed(5, None, starts=2)
    assert from_text(5, to_text(counted)) == counted
    many = Committed(5, None, starts=10**7)
    assert from_text(5, to_text(many)).starts == 999_999


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 1), (CHUNK_BYTES, 1), (CHUNK_BYTES + 1, 2), (2_500_000, 3)])
def test_chunks_join_to_the_blob_and_name_their_snapshot(size: int, count: int) -> None:
    blob = bytes(i % 251 for i in range(size))
    snapshot = Snapshot(9, 1, "c0ffee", blob)
    records = chunks_of(("state", 1), ("t.x", 5), snapshot, "0" * 64, range(count_of(snapshot)))
    assert len(records) == count
    read = [chunk_of(Record(i, -1, r.key, r.value, r.headers)) for i, r in enumerate(records)]
    assert b"".join(c.value for c in read if c) == blob
    assert [c.number for c in read if c] == list(range(count))
    assert {chunk.partition for chunk in read if chunk is not None} == {("t.x", 5)}
    assert chunk_of(Record(0, -1, records[0].key, None, records[0].headers)) is None
    assert chunk_of(Record(0, -1, records[0].key, b"", ())) is None
