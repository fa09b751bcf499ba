"""Packed events: the same batch comes back, damage is found, and many records are one batch."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import msgpack
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from schemas.events.batch import Batch, Record, part_of, split
from schemas.events.native_json import decode
from schemas.events.packed import EVENTS_MAX, HEAD, DamagedRecord, events_of, pack, unpack
from tests.schemas.events.samples import NATIVE, check, make, rows
from tests.schemas.events.strategies import LOOSE

MUTATIONS = int(os.environ.get("DRIFTLINE_FUZZ", "4000"))
SEED = int(os.environ.get("DRIFTLINE_FIRST_SEED", "1"))


def batch_of(events: list[object], first: int = 0) -> Batch:
    return decode([make(orjson.dumps(e), offset=first + 2 * i) for i, e in enumerate(events)], NATIVE, "t")


def same(one: Batch, other: Batch) -> bool:
    def odd(batch: Batch) -> list[tuple[int, str, str]]:
        return [(batch.offsets.item(o.event), o.field, o.reason) for o in batch.odd]

    return rows(one) == rows(other) and odd(one) == odd(other)


EVENT = {"model": "m", "model_version": "1", "event_id": "e", "features": {"a": 1.5, "b": "x", "c": None}}
EVENTS = [{**EVENT, "event_id": str(i), "features": {"a": i / 7, "b": "xyz"[i % 3], "c": None}} for i in range(40)]


@given(st.lists(LOOSE, min_size=1, max_size=6), st.integers(0, 2**40))
@settings(max_examples=200)
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
@settings(max_examples=150)
def test_parts_of_a_batch_are_all_of_it(events: list[object], parts: int, chance: random.Random) -> None:
    batch = batch_of(events)
    part = np.array([chance.randrange(parts) for _ in batch.offsets], np.int64)
    cut = split(batch, part)
    assert [number for number, _ in cut] == sorted(set(part.tolist()))
    for number, one in cut:
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


def sealed(body: bytes) -> bytes:
    """With a checksum that holds."""
    return HEAD.pack(b"DRFE", 1, xxh3_64_intdigest(body)) + body


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
    chance = random.Random(SEED)
    good = [pack(batch_of(EVENTS[:9]), "in", 0), pack(batch_of([EVENT, {"model": "m", "latency_ms": "x"}]), "in", 0)]
    refused = 0
    for number in range(MUTATIONS):
        body = bytearray(good[number % 2][HEAD.size :])
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(body))
            how = chance.randrange(3)
            if how == 0:
                body[place] = chance.randrange(256)
            elif how == 1:
                del body[place : place + chance.randrange(1, 9)]
            else:
                body[place:place] = chance.randbytes(chance.randrange(1, 9))
            body = body or bytearray(1)
        try:
            batch = unpack(sealed(bytes(body))).batch
        except DamagedRecord:
            refused += 1
            continue
        assert np.isfinite(batch.numbers.value).all()
        rows(batch)
    assert 0 < refused < MUTATIONS


def test_a_record_that_claims_too_much_is_refused_before_any_memory_is_taken() -> None:
    none = [["|u1", 0, 0], ["|u1", 0, 0]]
    huge = ["<u8", 0, EVENTS_MAX * 1000]
    header = msgpack.packb(
        ["t", 0, False, ["a"], ["m"], [huge] * 5, None, [[*none, none[0]], [*none, none[0]], none], []]
    )
    with pytest.raises(DamagedRecord, match="column and its length differ"):
        unpack(sealed(len(header).to_bytes(4, "big") + header))
