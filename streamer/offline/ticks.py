"""The ticks of a service: they are not in the log, so the records' own times stand for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from schemas.events.batch import Batch, Record, columns_of, part_of
from schemas.events.convert import TIME_MAX_MS
from streamer.config.model import Limits
from streamer.engine.event_clock import EventClock
from streamer.port import Partition, Tick
from streamer.signals.columns import I64

GAP_TICKS_MAX = 10_000
"""Ticks of one gap between records: a week of minutes."""

FIRST = 64
"""Of so many records it is known what most of them say before the first is taken."""


class Ticks:
    """Cuts batches where a tick is due, for several partitions."""

    def __init__(self, interval_ms: int, limits: Limits) -> None:
        self.interval_ms, self.limits = interval_ms, limits
        self.due_ms: dict[Partition, int] = {}  # the next tick
        self.last_ms: dict[Partition, int] = {}  # event time of the last record that has no other
        self.begun_ms: dict[Partition, int] = {}  # when the first records are from, where not all of them say so
        self.clocks: dict[Partition, EventClock] = {}

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
            due_ms = self._next(due_ms, int(times_ms[end]))
            begin, done = end, turn
        if first_ms >= 0:
            self.due_ms[partition] = due_ms
        yield batch if begin == 0 else part_of(batch, done, batch.next_offset), None

    def _next(self, due_ms: int, time_ms: int) -> int:
        """When the tick after one is due, by now: after years without records nobody wants to count the minutes."""
        return max(due_ms + self.interval_ms, time_ms - GAP_TICKS_MAX * self.interval_ms)

    def _clock(self, partition: Partition, records: Sequence[Record], batch: Batch) -> I64:
        """About when each record arrived, -1 where nothing tells it: its own timestamp, or, in a file, the time of its
        event, once two in a row have come so far; of those what most agree on.
        """
        columns = columns_of(records)
        own_ms = np.where(columns.times_ms < TIME_MAX_MS, columns.times_ms, -1)
        times_ms, bare = np.full(len(records), -1, np.int64), own_ms < 0
        times_ms[np.searchsorted(columns.offsets, batch.offsets)] = np.where(batch.times_ms > 0, batch.times_ms, -1)
        times_ms[~bare] = own_ms[~bare]
        self._begin(partition, times_ms)
        if bare.any():
            of_events = times_ms[bare]
            before = np.concatenate(([self.last_ms.get(partition, -1)], of_events[:-1]))
            self.last_ms[partition] = of_events.item(-1)
            times_ms[bare] = np.minimum(of_events, before)
        clock, said = self.clocks.get(partition), list[int]()
        for time_ms in times_ms.tolist():
            if time_ms >= 0 and clock is None:
                clock = self.clocks[partition] = EventClock(time_ms)
            elif time_ms >= 0 and clock is not None:
                clock.hear(time_ms, self.limits.lateness_ms, self.limits.ahead_ms)
            said.append(-1 if clock is None else clock.now_ms)
        return np.array(said, np.int64)

    def _begin(self, partition: Partition, times_ms: I64) -> None:
        """Note when the first records are from, where one of them is far ahead of most: it may be the very first."""
        if partition in self.begun_ms:
            return
        some = times_ms[times_ms >= 0][:FIRST]
        if not len(some):
            return
        most_ms = int(np.median(some))
        apart = some > most_ms + self.limits.ahead_ms
        agreed = some[np.abs(some - most_ms) <= self.limits.ahead_ms]
        self.begun_ms[partition] = int(agreed.min()) if apart.any() and len(agreed) else 0
