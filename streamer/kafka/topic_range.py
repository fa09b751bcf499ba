"""A range of a topic's history, as `driftline replay` reads it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence

from schemas.events.batch import Record
from streamer.config.model import Config
from streamer.kafka.client import Limits, Probe
from streamer.kafka.diagnosis import silent_logger
from streamer.kafka.reader import Readers
from streamer.offline.replay import BadInput
from streamer.offline.times import time_ms_of
from streamer.port import LogGap, Partition


def read_topic(
    config: Config,
    topic: str,
    partitions: Sequence[int] = (),
    begin: str | None = None,
    end: str | None = None,
    logger: logging.Logger | None = None,
) -> Iterator[tuple[Partition, list[Record]]]:
    """Committed records of a topic, one partition after the other, each in offset order.

    `begin` and `end` (exclusive) are an offset, a time as RFC 3339, or `@` and seconds since 1970; by default the
    oldest record and the end as it is now. BadInput for a text or partition that makes no sense, LogGap for an
    offset that is not retained, LogDown when the broker does not answer.
    """
    logger = logger or silent_logger()  # Whoever reads a topic is told by errors, in words.
    limits = Limits()
    probe = Probe(config, logger, limits)
    readers = Readers(config, logger, probe, limits)
    try:
        count = probe.partitions([topic])[topic]
        unknown = [number for number in partitions if not 0 <= number < count]
        if unknown:
            raise BadInput(f"{topic} has partitions 0 to {count - 1}, not {unknown[0]}")
        for number in sorted(set(partitions)) or range(count):
            low, high = probe.begin_end((topic, number))
            start = low if begin is None else resolve(probe, (topic, number), begin, high)
            stop = high if end is None else min(high, resolve(probe, (topic, number), end, high))
            if start < low:
                raise LogGap(f"{topic}[{number}] holds offsets from {low} on, not {start}")
            for records in readers.read((topic, number), start, stop):
                if records:
                    yield (topic, number), records
    finally:
        readers.close()
        probe.close()


def resolve(probe: Probe, partition: Partition, text: str, high: int) -> int:
    """An offset or a time as an offset of the partition; `high` for a time after the last record."""
    if re.fullmatch(r"\d{1,18}", text):
        return int(text)
    found = probe.offset_at(partition, time_ms_of(text))
    return high if found is None else found
