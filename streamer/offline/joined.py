"""Several topics through one task, as the ordered log has them: what feedback and labels say in topics of their own is
about inferences of others. The order is that in which records are given; an event keeps the place it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from schemas.events.batch import Batch, Origin, Record, columns_of
from schemas.records.dead_letter import dead_letter
from streamer.config import model as cfg
from streamer.engine.erasing import asks, erasing
from streamer.engine.ordering import erased_by
from streamer.engine.tasks import ByTopic
from streamer.port import Out, Partition

CHUNK = 500
Source = Iterable[tuple[Partition, list[Record]]]


class Joined:
    """`next`: the offset in the log that they make together."""

    def __init__(self, config: cfg.Config, generation: int = 0) -> None:
        self.decode, self.generation, self.erased_by = ByTopic(config), generation, erased_by(config)
        self.partition: Partition = str(config.topics.ordered), 0
        self.next = 0
        self.dead_lettered = 0

    def runs(self, partition: Partition, records: Sequence[Record]) -> Iterator[list[Record]]:
        """The records cut before and behind those that ask for an erasure: what `take` takes."""
        if partition[0] not in self.erased_by:
            yield list(records)
            return
        for _, some in groupby(records, key=lambda record: asks(record) is not None):
            yield list(some)

    def take(self, partition: Partition, records: Sequence[Record]) -> tuple[Batch, list[Record], Batch]:
        """What was decoded; and the records and their events, without rejects, at their places in that log."""
        topic, number = partition
        if topic in self.erased_by and asks(records[0]) is not None:
            ids = [(one.offset, id) for one in records if (id := asks(one)) is not None]
            found = erasing(ids, max(records[0].time_ms, 0))
        else:
            found = self.decode(records, topic)
        self.dead_lettered += sum(one.records for one in found.rejects)
        count = len(found.offsets)
        code = found.strings.index(topic) if topic in found.strings else len(found.strings)
        where = np.full(count, code, np.int32), np.full(count, number, np.int32)
        rows = np.full(count, -1, np.int32) if found.rows is None else found.rows
        begin, self.next = self.next, self.next + len(records)
        batch = replace(
            found,
            offsets=begin + np.searchsorted(columns_of(records).offsets, found.offsets),
            strings=tuple(dict.fromkeys((*found.strings, topic))),
            origin=Origin(*where, found.offsets, rows),
            rejects=(),
            rows=np.zeros(count, np.int32),  # Each is a record there.
            next_offset=self.next,
        )
        return found, [record._replace(offset=begin + i) for i, record in enumerate(records)], batch

    def letters(self, partition: Partition, batch: Batch) -> list[Out]:
        """What is published of those that are no events."""
        return [Out("dead_letter", *dead_letter(*partition, one, self.generation)) for one in batch.rejects]


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
