"""Rows that wait: found by id, closed by age and number, let go block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.engine.snapshot import decode, encode
from streamer.series import pending
from streamer.series.pending import CAME, ID, Pending

LAYOUT = (("time_ms", "<i8"), ("kind", "|u1"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 8)


def filled(rows: int, ttl_ms: int = 1000, most: int = 1000) -> Pending:
    """Row i has the id 7 * i modulo 1009 and came at i ms."""
    store = Pending(LAYOUT, ttl_ms, most)
    for number in range(rows):
        ids = np.array([7 * number % 1009], np.uint64)
        first = store.add({ID: ids, CAME: number, "time_ms": -number, "kind": number % 2}, 1)
        assert first == number
        store.known(ids.tolist(), first)
        if store.room == 0:
            store.seal()
    return store


def at(store: Pending, event_id: int) -> int:
    return store.places.get(event_id, int(store.find(np.array([event_id], np.uint64))[0]))


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 40, 700])
def test_every_row_is_found(rows: int) -> None:
    store = filled(rows)
    assert [at(store, 7 * number % 1009) for number in range(rows)] == list(range(rows))
    assert at(store, 1008) == (-1 if rows < 145 else 144)
    assert (store.first, store.end) == (0, rows)


def test_there_are_few_runs() -> None:
    sizes = [run.blocks for run in filled(8 * 150).runs]
    assert sizes == [64, 64, 16, 4, 1, 1]


def test_of_equal_ids_the_newest_row_is_found() -> None:
    store = filled(3000)
    assert all(at(store, 7 * number % 1009) == number for number in range(3000 - 1009, 3000))


def test_rows_are_closed_by_age_and_by_number() -> None:
    store = filled(100, ttl_ms=30, most=50)
    assert [store.open(number, 99, 100) is not None for number in (-1, 68, 69, 99)] == [False, False, True, True]
    assert [store.open(number, 60, 100) is not None for number in (49, 50)] == [False, True]
    assert store.border(99, 0) == 69
    assert store.border(60, 0) == 50
    assert store.border(10_000, 0) == 100
    gone = store.closed(99)
    assert [block.first for block in gone] == [0, 8, 16, 24, 32, 40, 48, 56]
    assert store.first == 64
    assert [at(store, 7 * number % 1009) for number in (63, 64, 99)] == [-1, 64, 99]


def test_what_came_before_the_clock_began_came_then() -> None:
    store = Pending(LAYOUT, 30, 50)
    store.add({ID: np.zeros(2, np.uint64), CAME: [0, 0], "time_ms": 0, "kind": 0}, 2)
    store.begun_ms = 1_000_000
    assert store.open(0, 1_000_030, 2) is not None
    assert store.open(0, 1_000_031, 2) is None


def test_unanswered_rows_are_counted() -> None:
    store = filled(20)
    for number in (1, 7, 8, 19):
        block, place = store.at(number)
        block.marks[place] = 5
    assert [store.unanswered(*ends) for ends in ((0, 20), (1, 9), (8, 8), (9, 20))] == [16, 5, 0, 10]


def test_a_full_block_stays_the_same_bytes() -> None:
    store = filled(20)
    before = store.dump()
    block, place = store.at(3)
    block.marks[place] = 1
    after = store.dump()
    assert all(one is other for one, other in zip(before["blocks"], after["blocks"], strict=True))
    assert [one.tolist() == other.tolist() for one, other in zip(before["marks"], after["marks"], strict=True)] == [
        False, True
    ]  # fmt: skip
    with pytest.raises(ValueError, match="read-only"):
        block.columns["time_ms"][0] = 1


@pytest.mark.parametrize("rows", [0, 5, 16, 77])
def test_a_snapshot_is_the_whole_state(rows: int) -> None:
    store = filled(rows, 30, 50)
    store.closed(rows)
    state = decode(encode(store.dump()))
    again = Pending(LAYOUT, 30, 50)
    again.load(state)
    assert encode(again.dump()) == encode(store.dump())
    assert [at(again, 7 * number % 1009) for number in range(rows)] == [
        at(store, 7 * number % 1009) for number in range(rows)
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"first": 3}, {"first": -8}, {"blocks": [np.zeros(5, np.uint8)] * 2}, {"marks": []}, {"last": {}}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_no_state_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, LookupError)):
        Pending(LAYOUT, 30, 50).load({**filled(20).dump(), **wrong})


def test_blocks_of_a_snapshot_are_not_copied() -> None:
    state, again = filled(20).dump(), Pending(LAYOUT, 1000, 1000)
    again.load(state)
    assert [one.data is data for one, data in zip(again.blocks, state["blocks"], strict=False)] == [True, True]


@pytest.mark.parametrize("rows", [0, 7, 8, 20])
def test_rows_are_taken_out_and_put_in(rows: int) -> None:
    store = filled(rows)
    for block in store.blocks:
        block.marks[: block.rows : 3] = 5
    some, other = store.rows(3, 18), Pending(LAYOUT, 1000, 1000)
    other.refill(some)
    assert (other.first, other.end) == (0, max(min(rows, 18) - 3, 0))
    for number in range(other.end):
        assert at(other, 7 * (number + 3) % 1009) == number
        block, place = other.at(number)
        before, there = store.at(number + 3)
        assert block.marks[place] == before.marks[there]
        assert block.columns["time_ms"][place] == -number - 3


@pytest.mark.parametrize("rows", [1, 7, 8, 21])
def test_rows_may_have_words_which_a_snapshot_has_and_an_erasure_takes(rows: int) -> None:
    store = Pending(LAYOUT, 1000, 1000, worded=True)
    said = [b"<%d> said so" % (number * number) for number in range(rows)]
    for number, words in enumerate(said):
        store.add({ID: number + 1, CAME: number, "time_ms": 0, "kind": 0}, 1, words)
        store.places[number + 1] = number
        if store.room == 0:
            store.seal()

    def words_of(store: Pending) -> list[bytes]:
        return [block.words_at(place) for block, place in map(store.at, range(rows))]

    again = Pending(LAYOUT, 1000, 1000, worded=True)
    again.load(decode(encode(store.dump())))
    assert words_of(store) == words_of(again) == said
    assert encode(again.dump()) == encode(store.dump())
    assert again.held_bytes - filled(rows).held_bytes == sum(map(len, said)) + 8 * 8 * len(store.blocks)
    again.erase(np.array([1], np.uint64))
    assert said[0] not in encode(again.dump())
    assert words_of(again)[1:] == said[1:]
    state = store.dump()
    state["words" if rows >= 8 else "last_words"] = [np.zeros(3, np.uint8)] * 9 if rows >= 8 else np.zeros(3, np.uint8)
    with pytest.raises(ValueError, match="words that are not"):
        Pending(LAYOUT, 1000, 1000, worded=True).load(state)
