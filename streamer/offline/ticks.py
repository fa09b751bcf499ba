"""The ticks of a service: they are not in the log, so the records' own times stand for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from schemas.events.batch import Batch, Record, columns_of, part_of
from schemas.events.convert import TIME_MAX_MS
from streamer.port import Partition, Tick
from streamer.signals.columns import I64

GAP_TICKS_MAX = 10_000
"""Ticks of one gap between records: a week of minutes."""


class Ticks:
    """Cuts batches where a tick is due, for several partitions."""

    def __init__(self, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.due_ms: dict[Partition, int] = {}  # the next tick
        self.last_ms: dict[Partition, int] = {}  # event time of the last record that has no other

    def cut(
        self, partition: Partition, records: Sequence[Record], batch: Batch
    ) -> Iterator[tuple[Batch | None, Tick | None]]:
        """The batch of the records up to each tick, None where there are none, and the tick."""
        times_ms, begin, interval_ms = self._clock(partition, records, batch), 0, self.interval_ms
        first_ms = int(times_ms[np.argmax(times_ms >= 0)])
        due_ms = self.due_ms.get(partition, (first_ms // interval_ms + 1) * interval_ms)
        done = records[0].offset
        while (late := times_ms[begin:] >= due_ms).any():
            end = begin + int(np.argmax(late))
            turn = records[end].offset
            yield part_of(batch, done, turn) if end > begin else None, Tick(turn, due_ms, caught_up=True)
            # After years without records nobody wants to count the minutes.
            due_ms = max(due_ms + interval_ms, int(times_ms[end]) - GAP_TICKS_MAX * interval_ms)
            begin, done = end, turn
        if first_ms >= 0:
            self.due_ms[partition] = due_ms
        yield batch if begin == 0 else part_of(batch, done, batch.next_offset), None

    def until(self, partition: Partition, offset: int, time_ms: int) -> list[Tick]:
        """Those that are due by then where no record comes, of a partition that has begun."""
        found, due_ms = list[Tick](), self.due_ms.get(partition, time_ms + 1)
        while due_ms <= time_ms:
            found.append(Tick(offset, due_ms, caught_up=True))
            due_ms = self.due_ms[partition] = max(due_ms + self.interval_ms, time_ms - GAP_TICKS_MAX * self.interval_ms)
        return found

    def _clock(self, partition: Partition, records: Sequence[Record], batch: Batch) -> I64:
        """About when each record arrived, -1 where nothing tells it: its own timestamp, or, in a file, the time of its
        event, once two in a row have come so far: one clock that is ahead must not end the day for all others.
        """
        columns = columns_of(records)
        given = np.where(columns.times_ms < TIME_MAX_MS, columns.times_ms, -1)
        if (given >= 0).any():
            return given
        times_ms = np.full(len(records), -1, np.int64)
        times_ms[np.searchsorted(columns.offsets, batch.offsets)] = np.where(batch.times_ms > 0, batch.times_ms, -1)
        before = np.concatenate(([self.last_ms.get(partition, -1)], times_ms[:-1]))
        self.last_ms[partition] = times_ms.item(-1)
        return np.minimum(times_ms, before)
