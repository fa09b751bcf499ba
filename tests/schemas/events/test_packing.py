"""Packing as it runs: the compiled core writes the bytes that Python does, and reads and refuses what Python does."""

from __future__ import annotations

import dataclasses
import os
import random
import resource
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.core import native
from schemas.events.batch import Batch, Record
from schemas.events.packed import Place, packed_parts
from schemas.events.packing import Unpacker, compiled_parts, packer
from tests.schemas.events.damage import EVENT, EVENTS, batch_of, claims, mutants
from tests.schemas.events.strategies import LOOSE

MUTATIONS = int(os.environ.get("DRIFTLINE_FUZZ", "4000"))
SEED = int(os.environ.get("DRIFTLINE_FIRST_SEED", "1"))
built = pytest.mark.skipif(native is None, reason="the compiled core was not built")


def plain(value: Any) -> Any:
    """Everything of a batch, types of columns included."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.tobytes()
    if dataclasses.is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def read(values: list[bytes | None], compiled: bool) -> tuple[Batch, int]:
    unpack = Unpacker(compiled)
    return unpack([Record(5 + 3 * i, 0, None, value) for i, value in enumerate(values)], "t"), unpack.size


def agree(values: list[bytes | None]) -> Batch:
    one, other = read(values, True), read(values, False)
    assert (plain(one[0]), one[1]) == (plain(other[0]), other[1])
    return other[0]


def test_what_is_chosen() -> None:
    assert packer(compiled=False) is packed_parts
    assert packer() is (packed_parts if native is None else compiled_parts)
    unpack = Unpacker()
    assert (len(unpack([], "t").offsets), unpack.size) == (0, 0)


@built
@given(st.lists(LOOSE, max_size=12), st.integers(0, 2**40), st.booleans(), st.randoms(use_true_random=False))
def test_both_write_the_same_bytes_and_read_them_alike(
    events: list[object], first: int, numbered: bool, chance: random.Random
) -> None:
    batch = batch_of(events, first)
    count = len(batch.offsets)
    if numbered:
        batch = dataclasses.replace(batch, rows=np.array([chance.randrange(3) for _ in range(count)], np.int32))
    part = np.array([chance.randrange(-1, 3) for _ in range(count)], np.int64)
    place = Place("größe", chance.randrange(9), first + chance.randrange(20))
    records = packed_parts(batch, part, place)
    assert compiled_parts(batch, part, place) == records
    united = agree([value for _, value in records])
    assert len(united.offsets) == int((part >= 0).sum())
    assert not united.rejects


@built
def test_both_cut_at_the_same_events_what_is_too_much_for_one_record() -> None:
    chance = random.Random(2)
    events = [
        {
            **EVENT,
            "model": chance.choice("ab"),
            "features": {f"f{i}": "ß" * chance.randrange(256) for i in range(count)},
        }
        for count in (chance.randrange(1900) for _ in range(30))
    ]
    batch = batch_of([*events, *EVENTS, {**EVENT, "latency_ms": "x"}])
    part = batch.model.astype(np.int64)
    records = packed_parts(batch, part, Place("in", 0, 30))
    assert len(records) > 9
    assert compiled_parts(batch, part, Place("in", 0, 30)) == records
    agree([value for _, value in records])


@built
def test_both_refuse_the_same_damage_with_the_same_words_and_read_the_rest_alike() -> None:
    values: list[bytes | None] = [None, b"", b"DRFE", *mutants(SEED, MUTATIONS)]
    good = packed_parts(batch_of(EVENTS), np.zeros(40, np.int64), Place("in", 0))[0][1]
    values += [good[:end] for end in range(0, len(good), 7)]
    united = agree(values)
    details = {reject.detail for reject in united.rejects}
    assert {"the checksum holds, but the parts do not fit together", "checksum does not match"} < details
    assert len(united.rejects) < len(values)
    for value in values[:400]:  # Alone, too: what one makes of it may hang on who comes before.
        agree([value])


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=built)])
def test_what_the_log_could_not_hand_over_is_a_reject_for_that_reason(compiled: bool) -> None:
    broken, skipped = Record(5, 0, None, None, unreadable="broken"), Record(9, 0, None, None, (), None, "killed", 6)
    rejects = Unpacker(compiled)([broken, skipped], "t").rejects
    told = [(one.record, one.reason, one.detail) for one in rejects]
    assert told == [(broken, "unreadable_batch", "broken"), (skipped, "killed_the_process", "killed")]


@built
def test_a_record_that_claims_too_much_takes_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batch = agree([*claims()])
    assert [reject.detail for reject in batch.rejects] == ["the checksum holds, but the parts do not fit together"] * 7
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    large = batch_of([{**EVENT, "features": {f"f{i}": None for i in range(1000)}}] * 50)
    record = packed_parts(large, np.zeros(50, np.int64), Place("in", 0))[0][1]
    columns = read([record], True)[0]
    held = sum(array.nbytes for array in (*columns.numbers, *columns.texts, *columns.nulls))
    assert held < 10 * len(record), "a null is a byte there and eight here"


@built
def test_columns_that_are_not_those_of_a_batch_are_refused() -> None:
    assert native is not None
    batch, part, place = batch_of(EVENTS[:4]), np.zeros(4, np.int64), Place("in", 0)
    wrong: list[dict[str, Any]] = [
        {"model": batch.model + np.int32(9)},
        {"model": batch.model - np.int32(9)},
        {"version": batch.version + np.int32(9)},
        {"times_ms": batch.times_ms[1:]},
        {"rows": np.zeros(3, np.int32)},
        {"numbers": batch.numbers._replace(event=batch.numbers.event[::-1].copy())},
        {"numbers": batch.numbers._replace(name=batch.numbers.name + np.int32(9))},
        {"numbers": batch.numbers._replace(value=batch.numbers.value[1:])},
        {"texts": batch.texts._replace(text=batch.texts.text + np.int32(9))},
        {"nulls": batch.nulls._replace(event=batch.nulls.event + np.int32(9))},
    ]
    for changed in wrong:
        with pytest.raises((ValueError, AssertionError)):
            compiled_parts(dataclasses.replace(batch, **changed), part, place)
    with pytest.raises(AssertionError):
        compiled_parts(batch, part[1:], place)
    with pytest.raises(ValueError, match="different length"):
        native.unpack((b"", b""), np.zeros(1, np.int64), (1, 1))
