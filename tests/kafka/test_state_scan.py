"""The state topic is read once for all partitions whose snapshots are in it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from schemas.events.batch import Record
from streamer.kafka.state_scan import Scans, chunk_of
from streamer.port import LogDown, Partition, Pointer

PLACE = 3
MANY = [("in", 6 * number + PLACE) for number in range(200)]


def stored(offset: int, partition: Partition, position: int, number: int = 0, count: int = 1) -> Record:
    headers = {"position": position, "sha256": "ab", "config": "c", "chunks": count, "group": "g"}
    key = f"{partition[0]}/{partition[1]}/0/{number}".encode()
    return Record(offset, 0, key, b"blob", tuple((name, str(value).encode()) for name, value in headers.items()))


class Topic:
    """One partition of it, which is also its own readers and its own probe; `read` counts its records read."""

    def __init__(self, records: list[Record]) -> None:
        self.records, self.read_of, self.ends, self.down = records, list[int](), 0, False

    def begin_end(self, place: Partition) -> tuple[int, int]:
        assert place == ("state", PLACE)
        self.ends += 1
        return self.records[0].offset if self.records else 0, self.records[-1].offset + 1 if self.records else 0

    def read(self, place: Partition, start: int, end: int) -> Iterator[list[Record]]:
        assert start < end
        yield []
        for record in [record for record in self.records if start <= record.offset < end]:
            if self.down:
                raise LogDown("no broker")
            self.read_of.append(record.offset)
            yield [record]


def scans_of(topic: Any) -> Scans:
    return Scans("state", topic, topic, "g")


def whole(steps: Generator[None, None, list[Pointer]]) -> list[Pointer]:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: list[Pointer] = done.value
            return found


def at_once(scans: Scans, partitions: list[Partition]) -> dict[Partition, list[Pointer]]:
    """All of them brought on in turns, as the worker does it."""
    found: dict[Partition, list[Pointer]] = {}
    steps = {partition: scans.snapshots(PLACE, partition) for partition in partitions}
    while steps:
        for partition, one in list(steps.items()):
            try:
                next(one)
            except StopIteration as done:
                found[partition] = done.value
                del steps[partition]
    return found


def test_one_reading_is_for_all() -> None:
    records = [stored(10 + 2 * place, partition, 5 + place) for place, partition in enumerate(MANY)]
    topic = Topic(records)
    found = at_once(scans_of(topic), MANY)
    assert {partition: [(p.offset, p.position) for p in some] for partition, some in found.items()} == {
        partition: [(10 + 2 * place, 5 + place)] for place, partition in enumerate(MANY)
    }
    assert topic.read_of == [record.offset for record in records]
    assert topic.ends == 1


def test_an_empty_one_is_not_read() -> None:
    topic = Topic([])
    assert at_once(scans_of(topic), MANY) == {partition: [] for partition in MANY}
    assert topic.read_of == []
    assert topic.ends == 1


def test_what_came_since_is_read_behind_it() -> None:
    mine, other = MANY[:2]
    topic = Topic([stored(0, mine, 1), stored(1, other, 1, 0, 2)])
    scans = scans_of(topic)
    assert [p.position for p in whole(scans.snapshots(PLACE, mine))] == [1]
    topic.records += [stored(2, other, 1, 1, 2), stored(3, mine, 9)]
    assert [p.position for p in whole(scans.snapshots(PLACE, mine))] == [1]  # Nobody said that there is more of ours.
    scans.wrote([mine])
    assert whole(scans.snapshots(PLACE, other)) == []
    assert topic.read_of == [0, 1]
    assert [p.position for p in whole(scans.snapshots(PLACE, mine))] == [9, 1]
    scans.more()
    assert [(p.offset, p.chunks) for p in whole(scans.snapshots(PLACE, other))] == [(1, 2)]
    assert topic.read_of == [0, 1, 2, 3]


def to_no_end(topic: Topic, steps: Generator[None, None, list[Pointer]]) -> None:
    steps.close()


def to_an_error(topic: Topic, steps: Generator[None, None, list[Pointer]]) -> None:
    topic.down = True
    with pytest.raises(LogDown):
        whole(steps)
    topic.down = False


@pytest.mark.parametrize("comes", [to_no_end, to_an_error])
def test_a_reading_that_ends_half_way_is_gone_on_with(comes: Callable[..., None]) -> None:
    mine, other = MANY[:2]
    topic = Topic([stored(offset, mine, offset) for offset in range(6)])
    scans = scans_of(topic)
    steps = scans.snapshots(PLACE, other)
    for _ in range(4):
        next(steps)
    comes(topic, steps)
    assert [p.position for p in whole(scans.snapshots(PLACE, mine))] == [5, 4, 3, 2, 1, 0]
    assert sorted(set(topic.read_of)) == [0, 1, 2, 3, 4, 5]
    assert len(topic.read_of) <= 7


def test_of_a_topic_made_anew_nothing_old_is_known() -> None:
    mine = MANY[0]
    topic = Topic([stored(0, mine, 1), stored(1, mine, 2)])
    scans = scans_of(topic)
    whole(scans.snapshots(PLACE, mine))
    topic.records = [stored(0, mine, 7)]
    scans.more()
    assert [p.position for p in whole(scans.snapshots(PLACE, mine))] == [7]
    scans.forget()
    assert [p.position for p in whole(scans.snapshots(PLACE, mine))] == [7]


def test_a_chunk_of_another_group_is_none_of_ours() -> None:
    assert chunk_of(stored(0, MANY[0], 1), "h") is None
    assert chunk_of(Record(0, 0, b"\xff/0/0/0", b"x"), "g") is None
    found = chunk_of(stored(0, MANY[0], 1), "g")
    assert found is not None
    assert found.partition == MANY[0]
