"""A range of a topic's history, as `driftline replay` reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from schemas.events.batch import Record
from streamer.config.model import Config
from streamer.kafka.client import Limits, Probe
from streamer.kafka.diagnosis import silent_logger
from streamer.kafka.reader import Readers
from streamer.offline.joined import in_turn
from streamer.offline.replay import BadInput
from streamer.offline.times import time_ms_of
from streamer.port import LogGap, Partition

BLOCKS, BLOCK = 100_000, 500
"""Records that are held of all partitions together when they are read in one order, and of each at least."""


class TopicRange:
    """Committed records of a topic, one partition after the other, each in offset order. It can be read again: where it
    begins and ends in each partition is found when it is first asked for, and stays. The readers are of no group and
    commit nothing.

    `begin` and `end` (exclusive) are an offset, a time as RFC 3339, or `@` and seconds since 1970; by default the
    oldest record and the end as it is now. `most`: of all partitions together no more offsets than that, the newest of
    each. BadInput for a text or partition that makes no sense, LogGap for an
    offset that is not retained, LogDown when the broker does not answer.
    """

    def __init__(
        self,
        config: Config,
        topic: str,
        partitions: Sequence[int] = (),
        begin: str | None = None,
        end: str | None = None,
        most: int | None = None,
    ) -> None:
        self.config, self.topic, self.partitions, self.begin, self.end = config, topic, partitions, begin, end
        self.most = most
        self.logger, self.limits = silent_logger(), Limits()  # Whoever reads is told by errors, in words.

    @cached_property
    def spans(self) -> dict[Partition, tuple[int, int]]:
        """By partition the first offset, and the one before which to stop."""
        probe = Probe(self.config, self.logger, self.limits)
        try:
            count = probe.partitions([self.topic])[self.topic]
            unknown = [number for number in self.partitions if not 0 <= number < count]
            if unknown:
                raise BadInput(f"{self.topic} has partitions 0 to {count - 1}, not {unknown[0]}")
            found = {(self.topic, n): self._span(probe, n) for n in sorted(set(self.partitions)) or range(count)}
        finally:
            probe.close()
        if self.most is None:
            return found
        each = self.most // len(found)
        return {partition: (max(start, stop - each), stop) for partition, (start, stop) in found.items()}

    def _span(self, probe: Probe, number: int) -> tuple[int, int]:
        low, high = probe.begin_end((self.topic, number))
        start = low if self.begin is None else resolve(probe, (self.topic, number), self.begin, high)
        stop = high if self.end is None else min(high, resolve(probe, (self.topic, number), self.end, high))
        if start < low:
            raise LogGap(f"{self.topic}[{number}] holds offsets from {low} on, not {start}")
        return start, stop

    def total(self) -> int:
        """Offsets in it: at least as many as there are records."""
        return sum(max(stop - start, 0) for start, stop in self.spans.values())

    def __iter__(self) -> Iterator[tuple[Partition, list[Record]]]:
        spans = self.spans
        with self._readers() as readers:
            for partition, (start, stop) in spans.items():
                for records in readers.read(partition, start, stop):
                    if records:
                        yield partition, records

    def in_order(self) -> Iterator[tuple[Partition, list[Record]]]:
        """All partitions at once, in the order of record times: see `in_turn`."""
        spans = self.spans
        most = max(BLOCKS // max(len(spans), 1), BLOCK)
        with self._readers() as readers:
            yield from in_turn({at: blocks(readers, at, *span, most) for at, span in spans.items()})

    @contextmanager
    def _readers(self) -> Iterator[Readers]:
        probe = Probe(self.config, self.logger, self.limits)
        readers = Readers(self.config, self.logger, probe, self.limits)
        try:
            yield readers
        finally:
            readers.close()
            probe.close()


def blocks(readers: Readers, partition: Partition, start: int, stop: int, most: int) -> Iterator[list[Record]]:
    """The records of a partition, so many at once, but for the last ones: whoever takes turns with others reads no
    further while it waits.
    """
    while start < stop:
        block, reading = list[Record](), readers.read(partition, start, stop)
        for records in reading:
            block += records
            if len(block) >= most:
                break
        reading.close()
        if not block:
            return
        start = block[:most][-1].offset + 1
        yield block[:most]


def resolve(probe: Probe, partition: Partition, text: str, high: int) -> int:
    """An offset or a time as an offset of the partition; `high` for a time after the last record."""
    if re.fullmatch(r"\d{1,18}", text):
        return int(text)
    found = probe.offset_at(partition, time_ms_of(text))
    return high if found is None else found
