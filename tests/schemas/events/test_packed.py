"""Packed events: the same batch comes back, damage is found, and many records are one batch."""

from __future__ import annotations

import os
import random
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.batch import Batch, Record, part_of, split
from schemas.events.packed import HEAD, RECORD_BYTES_MAX, DamagedRecord, Place, events_of, pack, packed_parts, unpack
from tests.schemas.events.damage import EVENT, EVENTS, batch_of, claims, mutants
from tests.schemas.events.samples import check, rows
from tests.schemas.events.strategies import LOOSE

MUTATIONS = int(os.environ.get("DRIFTLINE_FUZZ", "4000"))
SEED = int(os.environ.get("DRIFTLINE_FIRST_SEED", "1"))


def same(one: Batch, other: Batch) -> bool:
    def odd(batch: Batch) -> list[tuple[int, str, str]]:
        return [(batch.offsets.item(o.event), o.field, o.reason) for o in batch.odd]

    return rows(one) == rows(other) and odd(one) == odd(other)


@given(st.lists(LOOSE, min_size=1, max_size=6), st.integers(0, 2**40))
def test_what_was_packed_comes_back(events: list[object], first: int) -> None:
    batch = batch_of(events, first)
    if not len(batch.offsets):
        return
    topic, partition, retained, back = unpack(pack(batch, "in", 3, retained=first % 2 == 0))
    assert (topic, partition, retained) == ("in", 3, first % 2 == 0)
    check(back, len(batch.offsets))
    assert same(back, batch)
    assert back.rows is None
    numbered = replace(batch, rows=np.arange(len(batch.offsets), dtype=np.int32))
    assert unpack(pack(numbered, "in", 3)).batch.rows.tolist() == numbered.rows.tolist()  # type: ignore[union-attr]


@given(st.lists(LOOSE, min_size=1, max_size=8), st.integers(1, 4), st.randoms(use_true_random=False))
def test_parts_of_a_batch_are_all_of_it(events: list[object], parts: int, chance: random.Random) -> None:
    batch = batch_of(events)
    part = np.array([chance.randrange(parts) for _ in batch.offsets], np.int64)
    cut = split(batch, part)
    assert [number for number, _ in cut] == sorted(set(part.tolist()))
    for number, one in cut:
        names = {code for table in (one.numbers, one.texts, one.nulls) for code in table.name.tolist()}
        assert names == set(range(len(one.names))), "names of others are among them"
        strings = {*one.model.tolist(), *one.version.tolist(), *one.texts.text.tolist()} - {-1}
        assert strings == set(range(len(one.strings))), "texts of others are among them"
        assert one.offsets.tolist() == batch.offsets[part == number].tolist()
    together = [row for _, one in cut for row in rows(one)]
    assert sorted(together, key=lambda row: int(row[0])) == rows(batch)


def test_records_of_the_ordered_log_are_one_batch_that_knows_where_all_is_from() -> None:
    first, second = batch_of(EVENTS[:3], 100), batch_of([{"model": "n", "latency_ms": 3}, *EVENTS[3:5]], 7)
    second = replace(second, rows=np.array([0, 1, 0], np.int32))
    values = [pack(first, "in", 0), pack(second, "other", 5), b"DRFE"]
    batch = events_of([Record(50 + i, 0, None, value) for i, value in enumerate(values)])
    assert batch.offsets.tolist() == [50, 50, 50, 51, 51, 51]
    assert (batch.rows.tolist(), batch.next_offset) == ([0, 1, 2, 0, 1, 2], 53)  # type: ignore[union-attr]
    assert batch.origin is not None
    topics = [batch.strings[code] for code in batch.origin.topic]
    places = list(zip(topics, *(column.tolist() for column in batch.origin[1:]), strict=True))
    assert places[:3] == [("in", 0, 100, -1), ("in", 0, 102, -1), ("in", 0, 104, -1)]
    assert places[3:] == [("other", 5, 7, 0), ("other", 5, 9, 1), ("other", 5, 11, 0)]
    assert batch.news_at == 50
    old = events_of([Record(7, 0, None, pack(first, "in", 0, True)), Record(9, 0, None, pack(first, "in", 0))])
    assert (old.news_at, part_of(old, 0, 9).news_at, part_of(old, 9, 10).news_at) == (9, 9, 9)
    assert [row[1:] for row in rows(batch)] == [row[1:] for one in (first, second) for row in rows(one)]
    assert [(r.record.offset, r.reason, r.detail) for r in batch.rejects] == [
        (52, "undecodable", "4 bytes cannot be a packed record")
    ]


def test_no_records_are_an_empty_batch() -> None:
    batch = events_of([])
    check(batch, 0)
    assert (batch.next_offset, batch.numbers.value.dtype, batch.version.dtype) == (0, np.float64, np.int32)


def test_every_flipped_bit_is_found() -> None:
    value = pack(batch_of(EVENTS[:2]), "in", 0)
    for place in range(8 * len(value)):
        flipped = bytearray(value)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(DamagedRecord):
            unpack(bytes(flipped))
    for end in range(len(value)):
        with pytest.raises(DamagedRecord):
            unpack(value[:end])


def test_what_nobody_packed_is_refused_or_keeps_every_promise() -> None:
    """Whoever may write to the topic can make a checksum that holds: nothing else is raised, nothing out of bounds."""
    refused = 0
    for value in mutants(SEED, MUTATIONS):
        try:
            batch = unpack(value).batch
        except DamagedRecord:
            refused += 1
            continue
        assert np.isfinite(batch.numbers.value).all()
        rows(batch)
    assert 0 < refused < MUTATIONS


def test_a_record_that_claims_too_much_is_refused_before_any_memory_is_taken() -> None:
    tracemalloc.start()
    for value in claims():
        with pytest.raises(DamagedRecord, match="the parts do not fit together"):
            unpack(value)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1_000_000


def test_a_record_of_another_format_says_so() -> None:
    value = pack(batch_of(EVENTS[:2]), "in", 0)
    for other, told in (
        (HEAD.pack(b"DRFE", 1, 0), "format 1; this version reads format 2"),
        (b"x" * 14, "not a packed"),
    ):
        with pytest.raises(DamagedRecord, match=told):
            unpack(other + value[HEAD.size :])


def test_what_is_too_much_for_one_record_stands_in_several() -> None:
    """Events of 80 KB: eleven of them are one record, and one that is larger than any may be stands alone."""
    large = [
        {**EVENT, "features": {f"f{i}": f"{number}-{i}".ljust(250, "x") for i in range(280)}} for number in range(40)
    ]
    batch = batch_of([*large, *EVENTS])
    part = np.zeros(len(batch.offsets), np.int64)
    records = packed_parts(batch, part, Place("in", 0))
    assert len(records) > 3
    assert all(100_000 < len(value) <= RECORD_BYTES_MAX for _, value in records)
    assert [row for _, value in records for row in rows(unpack(value).batch)] == rows(batch)
    huge = [
        {**EVENT, "features": {f"f{i}": f"{number}-{i}".ljust(256, "ß") for i in range(1900)}} for number in range(2)
    ]
    batch = batch_of(huge)
    assert len(batch.offsets) == len(packed_parts(batch, np.zeros(2, np.int64), Place("in", 0))) == 2


def test_what_was_there_before_is_apart_and_who_goes_nowhere_is_left_out() -> None:
    batch = batch_of(EVENTS[:10])
    part = np.array([0, 1, 0, -1, 1, 0, 1, 1, 0, -1], np.int64)
    records = [(number, unpack(value)) for number, value in packed_parts(batch, part, Place("in", 3, 9))]
    told = [(number, one.retained, one.batch.offsets.tolist()) for number, one in records]
    assert told == [(0, True, [0, 4]), (0, False, [10, 16]), (1, True, [2, 8]), (1, False, [12, 14])]
    assert {(one.topic, one.partition) for _, one in records} == {("in", 3)}
