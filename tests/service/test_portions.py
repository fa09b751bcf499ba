"""How much goes into one transaction."""

from __future__ import annotations

import random

import pytest

from streamer.config.load import load_text
from streamer.engine.tasks import Tasks
from streamer.port import Out
from streamer.service.portions import (
    EACH,
    LETTERS_BYTES_MAX,
    OUTBOX_BYTES_MAX,
    OUTBOX_MAX,
    each,
    full,
    in_turn,
    portion,
)
from streamer.service.unusable import bytes_of
from tests.sim.campaign import CONFIG, make_log

DECODE = Tasks(load_text(CONFIG, "x", {})).decode


def test_what_can_be_read_is_one_portion_however_large_it_is() -> None:
    records = make_log(random.Random(1), 0, 400)
    batch, rest = portion(DECODE, records, "inferences")
    assert (batch.next_offset, rest) == (400, [])


@pytest.mark.parametrize("size", [1, 90_000, 500_000, 3_000_000])
def test_records_that_cannot_be_read_come_in_portions_of_few_bytes(size: int) -> None:
    left = [record._replace(value=b"x" * size) for record in make_log(random.Random(1), 0, 30)]
    seen = 0
    while left:
        batch, rest = portion(DECODE, left, "inferences")
        assert len(batch.rejects) == len(left) - len(rest)
        assert bytes_of(batch.rejects) <= LETTERS_BYTES_MAX or len(batch.rejects) == 1
        assert batch.rejects[0].record.offset == seen
        seen, left = seen + len(batch.rejects), list(rest)
    assert seen == 30


def test_an_outbox_is_full_by_records_or_by_bytes() -> None:
    assert full(OUTBOX_MAX, 1.0)
    assert not full(OUTBOX_MAX - 1, 1.0)
    assert full(OUTBOX_BYTES_MAX // 5000, 5000.0)
    assert not full(OUTBOX_BYTES_MAX // 5000 - 1, 5000.0)


def test_what_a_record_weighs_is_known_from_the_last_ones() -> None:
    assert each([], EACH) == EACH
    assert each([Out("alerts", None, b"12345"), Out("alerts", None, None)], EACH) == 2.5


def test_what_one_commit_has_of_several_partitions_is_in_the_order_of_turns_and_each_in_its_own() -> None:
    one = [Out("ordered", None, b"a", turn=3), Out("ordered", None, b"b", turn=7), Out("ordered", None, b"c", turn=7)]
    other = [Out("ordered", None, b"d", turn=1), Out("ordered", None, b"e", turn=7)]
    assert [out.value for out in in_turn([*one, *other])] == [b"d", b"a", b"b", b"c", b"e"]
    plain = [Out("alerts", None, b"x"), Out("heartbeats", None, b"y")]
    assert in_turn(plain) == plain
