"""The search for batches that nobody survives, over a log of batches in memory; and the whole on a real broker."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.batch import Record
from streamer.kafka.killer_batch import Seen, Stretch, Stretches, Way, search
from streamer.port import Committed

AT = ("in", 0)


class Batches:
    """A log of batches: how many records each has, and whether it kills."""

    def __init__(self, batches: list[tuple[int, bool]], spared: int = 0) -> None:
        self.kills = [kills for count, kills in batches for _ in range(count)]
        self.batch = [number for number, (count, _) in enumerate(batches) for _ in range(count)]
        self.spared = spared  # readers that die of something else
        self.looks = 0

    def look(self, start: int, way: Way) -> Generator[None, None, Seen]:
        yield
        self.looks += 1
        if self.spared:
            self.spared -= 1
            return Seen([], died=True)
        records: list[Record] = []
        for offset in range(start, len(self.kills)):
            if self.kills[offset]:
                return Seen(records if way is Way.BY_BATCH else [], died=True)
            records.append(Record(offset, 0, None, b"v"))
            if way is Way.ONE_RECORD:
                break
        return Seen(records if way is not Way.AS_WE_DO else [], died=False)

    def search(self, start: int = 0) -> Stretch | None:
        return done(search(self.look, start, len(self.kills)))


def done(steps: Generator[None, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_a_batch_is_skipped_as_a_whole_and_what_was_before_it_is_kept() -> None:
    found = Batches([(3, False), (5, True), (4, False)]).search()
    assert found is not None
    assert (found.start, found.end, found.skipped) == (0, 8, [(3, 7)])
    assert [record.offset for record in found.records] == [0, 1, 2, 7]
    assert found.records[3] == Record(
        7, -1, None, None, unreadable="offsets 3 to 7: there is no memory to unpack them", skipped_from=3
    )


@given(st.integers(0, 5), st.integers(1, 300), st.integers(0, 9))
def test_the_end_is_found_exactly_and_soon(before: int, size: int, after: int) -> None:
    batches = Batches([(before, False), (size, True), (after, False)])
    found = batches.search()
    assert found is not None
    assert found.skipped == [(before, before + size - 1)]
    assert batches.looks < 50


def test_every_such_batch_is_found_until_one_reads_on_and_lives() -> None:
    found = Batches([(1, True), (2, False), (1, True), (1, True), (3, False), (4, True), (9, False)]).search()
    assert found is not None
    assert found.skipped == [(0, 0), (3, 4), (8, 11)]
    assert [r.offset for r in found.records if r.skipped_from is None] == [1, 2, 5, 6, 7]


def test_nothing_is_skipped_where_somebody_lives() -> None:
    assert Batches([(3, False), (5, False)]).search() is None
    assert Batches([(3, False), (5, False)], spared=2).search() is None
    assert Batches([(5, True), (5, False)]).search(5) is None


def found_one(limit: int = 100) -> Stretches:
    config: Any = None
    stretches = Stretches(config)
    found = Batches([(3, False), (5, True), (4, False)]).search()
    assert found is not None
    stretches._found[AT] = found
    return stretches


def test_what_was_found_is_delivered_first_and_committed_before_anybody_reads_on() -> None:
    stretches = found_one()
    assert not stretches.start(AT, 8)  # It is behind us.
    assert stretches.start(AT, 1)
    assert [r.offset for r in stretches.take(2)[AT]] == [1, 2]
    stretches.landed({AT: Committed(3, None)})
    assert stretches.passed() == []
    assert [r.offset for r in stretches.take(2)[AT]] == [7]
    assert (stretches.take(2), stretches.passed()) == ({}, [])
    stretches.landed({AT: Committed(8, None)})
    assert stretches.passed() == [(AT, 8)]
    assert stretches.passed() == []
    assert not stretches.start(AT, 1)


def test_a_replay_has_it_as_it_was() -> None:
    stretches = found_one()
    [part], rest = stretches.between(AT, 0, 20)
    assert ([r.offset for r in part], rest) == ([0, 1, 2, 7], 8)
    assert stretches.between(AT, 8, 20) == ([], 8)
    [part], rest = stretches.between(AT, 1, 3)
    assert ([r.offset for r in part], rest) == ([1, 2], 8)


def test_who_is_not_suspected_is_not_looked_at() -> None:
    stretches = found_one()
    assert done(stretches.examine(AT, 0, 9, 2)) == []
    assert not stretches.start(AT, 0)


@pytest.mark.parametrize("starts", [3, 30])
def test_at_the_end_there_is_nothing_to_look_at(starts: int) -> None:
    assert done(found_one().examine(AT, 9, 9, starts)) == []
