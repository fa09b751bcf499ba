"""Several topics as the ordered log has them: what feedback and labels say in topics of their own is about inferences
of others. The order is that in which records are given; an event keeps the place it came from.

Where people are asked the log has as many partitions as `review` says, and models are shared out over them as the
service does it: each has its part of the budget. Else one is as good as several.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heapreplace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from schemas.events.batch import I64, Batch, Record, reordered, split
from schemas.events.packed import Packed, united
from schemas.records.dead_letter import dead_letter
from streamer.config import model as cfg
from streamer.engine.admission import RESULTS
from streamer.engine.erasing import asks, erasing
from streamer.engine.ordering import erased_by, parts_of
from streamer.engine.tasks import ByTopic
from streamer.port import Out, Partition
from streamer.signals.columns import group

CHUNK = 500
Run = tuple[Partition, Sequence[Record]]
Source = Iterable[tuple[Partition, list[Record]]]


class Placed(NamedTuple):
    """Events of one partition of that log at their offsets there, and the first offset of their records."""

    partition: Partition
    begin: int
    batch: Batch


class Stretch(NamedTuple):
    """Records that follow each other, and what they are."""

    found: dict[Partition, Batch]  # of each partition, at its own places
    records: list[Record]  # all, at their places among all
    batch: Batch  # their events there
    everywhere: bool  # every partition of the log takes all of them


class Joined:
    """`end`: the place of the next record among all; `next`: by partition the next offset of the log that they make."""

    def __init__(self, config: cfg.Config, generation: int = 0) -> None:
        self.config, self.generation, self.erased_by = config, generation, erased_by(config)
        self.decode, self.roles = ByTopic(config), config.roles()
        self.topic, self.end = str(config.topics.ordered), 0
        self.next = [0] * (config.review.partitions if config.review is not None else 1)
        self.dead_lettered, self.again = 0, 0  # again: what more than one partition takes

    def stretches(self, runs: Iterable[Run]) -> Iterator[Stretch]:
        """The records cut before and behind those that ask for an erasure."""
        each = [(partition, record) for partition, records in runs for record in records]
        for (asking, _), some in groupby(each, key=self._asking):
            take = self._erasing if asking else self._take
            yield take([*some])

    def _asking(self, one: tuple[Partition, Record]) -> tuple[bool, Partition | None]:
        (topic, _), record = one
        asking = topic in self.erased_by and asks(record) is not None
        return asking, one[0] if asking else None

    def _take(self, some: list[tuple[Partition, Record]]) -> Stretch:
        """Each topic is decoded at once, and what comes of it stands in the order of all."""
        begin, self.end = self.end, self.end + len(some)
        records = [record._replace(offset=begin + place) for place, (_, record) in enumerate(some)]
        places: dict[Partition, list[int]] = {}
        for place, (partition, _) in enumerate(some):
            places.setdefault(partition, []).append(place)
        parts = [(at, self.decode([records[place] for place in mine], at[0])) for at, mine in places.items()]
        own = np.array([record.offset for _, record in some], np.int64)
        found = {at: _at_home(batch, own, begin, some) for at, batch in parts}
        self.dead_lettered += sum(one.records for batch in found.values() for one in batch.rejects)
        return Stretch(found, records, self._whole(parts, found), everywhere=False)

    def _erasing(self, some: list[tuple[Partition, Record]]) -> Stretch:
        begin, self.end = self.end, self.end + len(some)
        (at, first), *_ = some
        ids = [(record.offset, id) for _, record in some if (id := asks(record)) is not None]
        found = erasing(ids, max(first.time_ms, 0))
        placed = replace(found, offsets=begin + np.arange(len(ids)), next_offset=self.end)
        self.again += (len(self.next) - 1) * len(ids)
        records = [record._replace(offset=begin + place) for place, (_, record) in enumerate(some)]
        return Stretch({at: found}, records, self._whole([(at, placed)], {at: found}), everywhere=True)

    def _whole(self, parts: list[tuple[Partition, Batch]], found: dict[Partition, Batch]) -> Batch:
        """The events of all in their order; each keeps the place it came from."""
        whole = united([(0, Packed(*at, False, found[at])) for at, _ in parts], np.zeros(1, np.int64))
        at = np.concatenate([batch.offsets for _, batch in parts])
        whole = replace(
            whole,
            offsets=at,
            rows=np.zeros(len(at), np.int32),  # Each is a record there.
            next_offset=self.end,
            aliases=self.roles,
        )
        return whole if len(parts) == 1 else reordered(whole, np.argsort(at, kind="stable"))

    def shared(self, batch: Batch, everywhere: bool) -> Iterator[Placed]:
        """What each partition of the log has of the next events of a stretch."""
        parts = len(self.next)
        if parts == 1:
            begin, self.next[0] = self.next[0], batch.next_offset
            yield Placed((self.topic, 0), begin, batch)
            return
        shares = [(part, batch) for part in range(parts)] if everywhere else []
        if len(batch.offsets) and not everywhere:
            shares = split(batch, parts_of(batch, self.config, parts, group))
        for part, mine in shares:
            there, place = np.unique(mine.offsets, return_inverse=True)
            begin, self.next[part] = self.next[part], self.next[part] + len(there)
            own = replace(mine, offsets=begin + place, rejects=(), next_offset=self.next[part])
            yield Placed((self.topic, part), begin, own)

    @property
    def counts(self) -> dict[str, int]:
        """What is to be added to the counts of the tasks, so that all records are accounted for."""
        return {**dict.fromkeys(RESULTS, 0), "dead_lettered": self.dead_lettered, "used": -self.again}

    def letters(self, stretch: Stretch) -> list[Out]:
        """What is published of those that are no events."""
        return [
            Out("dead_letter", *dead_letter(*at, one, self.generation))
            for at, batch in stretch.found.items()
            for one in batch.rejects
        ]


def _at_home(batch: Batch, own: I64, begin: int, some: list[tuple[Partition, Record]]) -> Batch:
    """Decoded at places among all, at the offsets that the records have."""
    rejects = tuple(replace(one, record=some[one.record.offset - begin][1]) for one in batch.rejects)
    return replace(batch, offsets=own[batch.offsets - begin], rejects=rejects)


def stretches(source: Source, most: int = CHUNK) -> Iterator[list[Run]]:
    """Runs that follow each other, some hundred records at a time: one batch of them costs little more than one of a
    single record.
    """
    some, count = list[Run](), 0
    for partition, records in source:
        if some and count + len(records) > most:
            yield some
            some, count = [], 0
        if records:
            some.append((partition, records))
            count += len(records)
    if some:
        yield some


def by_time(config: cfg.Config, source: Source) -> Iterator[tuple[Partition, list[Record]]]:
    """All records in the order of their times, of one time what is about inferences last. One that cannot be read has
    the time of the one before it. They are held in memory.
    """
    decode, sides = ByTopic(config), set(config.topics.sides.values())
    found: list[tuple[int, bool, Partition, Record]] = []
    for partition, records in source:
        batch, last = decode(records, partition[0]), 0
        times = dict(zip(batch.offsets.tolist(), batch.times_ms.tolist(), strict=True))
        for record in records:
            last = record.time_ms if record.time_ms >= 0 else times.get(record.offset, last)
            found.append((last, partition[0] in sides, partition, record))
    found.sort(key=lambda one: one[:2])
    for partition, some in groupby(found, key=lambda one: one[2]):
        records = [record for *_, record in some]
        for begin in range(0, len(records), CHUNK):
            yield partition, records[begin : begin + CHUNK]


def in_turn(sources: Mapping[Partition, Iterator[list[Record]]]) -> Iterator[tuple[Partition, list[Record]]]:
    """Records of several partitions in the order of their times, of one time in that of `sources`. Each partition keeps
    its own order: a record that is ahead of later ones of its block counts as the earliest of these, so that a clock
    that is fast holds nobody up. No more than a block of each is held.
    """
    partitions, blocks = list(sources), list(sources.values())
    held: dict[int, tuple[list[Record], list[int]]] = {}

    def next_of(number: int, last_ms: int) -> int | None:
        """The turn of its next block; None at its end."""
        block = next(blocks[number], [])
        held[number] = block, turns(block, last_ms)
        return held[number][1][0] if block else None

    first = [(next_of(number, 0), number) for number in range(len(blocks))]
    heap = [(turn, number, 0) for turn, number in first if turn is not None]
    heapify(heap)
    while heap:
        _, number, begin = heap[0]
        (records, ends), end = held[number], begin + 1
        then = min(heap[1:3], default=None)  # Whose turn is next: one of the two below the first.
        while end < len(records) and (then is None or (ends[end], number) < then[:2]):
            end += 1
        yield partitions[number], records[begin:end]
        turn = ends[end] if end < len(records) else next_of(number, ends[-1])
        if turn is None:
            heappop(heap)
        else:
            heapreplace(heap, (turn, number, end if end < len(records) else 0))


def turns(block: Sequence[Record], last_ms: int) -> list[int]:
    """Of each record the earliest time from it on, in ms; of those behind the last one that has a time `last_ms`."""
    times = np.array([record.time_ms for record in block], np.int64)
    known = np.where(times >= 0, times, np.iinfo(np.int64).max)
    found = np.minimum.accumulate(known[::-1])[::-1]
    return [one if one < np.iinfo(np.int64).max else last_ms for one in found.tolist()]
