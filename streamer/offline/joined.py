"""Several topics as the ordered log has them: what feedback and labels say in topics of their own is about inferences
of others. The order is that in which records are given; an event keeps the place it came from.

Where people are asked the log has as many partitions as `review` says, and models are shared out over them as the
service does it: each has its part of the budget. Else one is as good as several.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from schemas.events.batch import Batch, Origin, Record, columns_of, split
from schemas.records.dead_letter import dead_letter
from streamer.config import model as cfg
from streamer.engine.admission import RESULTS
from streamer.engine.erasing import asks, erasing
from streamer.engine.ordering import erased_by, parts_of
from streamer.engine.tasks import ByTopic
from streamer.port import Out, Partition
from streamer.signals.columns import group

CHUNK = 500
Source = Iterable[tuple[Partition, list[Record]]]


class Placed(NamedTuple):
    """Records of one partition of that log, at their places there, and their events."""

    partition: Partition
    records: list[Record]
    batch: Batch


class Joined:
    """`next`: by partition the next offset of the log that they make together."""

    def __init__(self, config: cfg.Config, generation: int = 0) -> None:
        self.config, self.generation, self.erased_by = config, generation, erased_by(config)
        self.decode = ByTopic(config)
        self.topic = str(config.topics.ordered)
        self.next = [0] * (config.review.partitions if config.review is not None else 1)
        self.dead_lettered, self.again = 0, 0  # again: what more than one partition takes

    def runs(self, partition: Partition, records: Sequence[Record]) -> Iterator[list[Record]]:
        """The records cut before and behind those that ask for an erasure: what `take` takes."""
        if partition[0] not in self.erased_by:
            yield list(records)
            return
        for _, some in groupby(records, key=lambda record: asks(record) is not None):
            yield list(some)

    def take(self, partition: Partition, records: Sequence[Record]) -> tuple[Batch, list[Placed]]:
        """What was decoded; and the records and their events, without rejects, at their places in that log. All of it
        is told what is to be erased.
        """
        topic, parts = partition[0], range(len(self.next))
        if topic in self.erased_by and asks(records[0]) is not None:
            ids = [(one.offset, id) for one in records if (id := asks(one)) is not None]
            found = erasing(ids, max(records[0].time_ms, 0))
            self.again += (len(parts) - 1) * len(ids)
            return found, [self._place(part, partition, records, found) for part in parts]
        found = self.decode(records, topic)
        self.dead_lettered += sum(one.records for one in found.rejects)
        if len(parts) == 1:
            return found, [self._place(0, partition, records, found)]
        placed = []
        for part, batch in split(found, parts_of(found, self.config, len(parts), group)) if len(found.offsets) else ():
            there = set(batch.offsets.tolist())
            placed.append(self._place(part, partition, [one for one in records if one.offset in there], batch))
        return found, placed

    def _place(self, part: int, partition: Partition, records: Sequence[Record], found: Batch) -> Placed:
        topic, number = partition
        count = len(found.offsets)
        code = found.strings.index(topic) if topic in found.strings else len(found.strings)
        where = np.full(count, code, np.int32), np.full(count, number, np.int32)
        rows = np.full(count, -1, np.int32) if found.rows is None else found.rows
        begin, self.next[part] = self.next[part], self.next[part] + len(records)
        batch = replace(
            found,
            offsets=begin + np.searchsorted(columns_of(records).offsets, found.offsets),
            strings=tuple(dict.fromkeys((*found.strings, topic))),
            origin=Origin(*where, found.offsets, rows),
            rejects=(),
            rows=np.zeros(count, np.int32),  # Each is a record there.
            next_offset=self.next[part],
        )
        return Placed(
            (self.topic, part), [record._replace(offset=begin + i) for i, record in enumerate(records)], batch
        )

    @property
    def counts(self) -> dict[str, int]:
        """What is to be added to the counts of the tasks, so that all records are accounted for."""
        return {**dict.fromkeys(RESULTS, 0), "dead_lettered": self.dead_lettered, "used": -self.again}

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
