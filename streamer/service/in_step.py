"""A log whose partitions are handed over in step with each other, by the times of their records.

A consumer that has fallen behind gets one partition after the other, a megabyte at a time: of a quiet topic that is
hours. Put in one order like that, the events of all partitions but the first would be late. So whoever is ahead waits
for the others, but not for those that have nothing, nor for ever: clocks can be wrong.

Topics of labels and feedback are in step one way: what they say of an inference was sent after it, so it waits until
all of before that time was handed over, and nobody waits for it. It may be of any time: what is behind comes at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from math import inf
from typing import Any

import numpy as np

from schemas.events.batch import Record, RecordColumns, columns_of
from streamer.port import Assigned, LogDown, LogEvent, Partition, Records
from streamer.signals.columns import I64

IDLE_S, IDLE_POLLS = 2.0, 10
"""How long, and for how many polls, a partition that had records is waited for when it has none: one may take long."""
PATIENCE_S, FREE_S = 30.0, 3600.0
"""Who has waited for the others for so long has another clock than they: for so long it is in step with nobody."""
FASTER = 2
"""So many times as fast as the clock goes what is read of a backlog, at least."""
FAR_MS = 7 * 86_400_000
"""Nobody waits for who is that far behind: those are no times."""
FOR_EVER_MS = 1 << 62
AHEAD = 8
"""So many records are looked at to tell what time it is: a wrong clock among them means nothing."""
WAITING = 60_000
"""Records that wait, in all partitions together; then those that have more than their share are not fetched."""


def part(columns: RecordColumns, begin: int, end: int) -> RecordColumns:
    """Records of them, `begin` <= place < `end`."""
    if begin == 0 and end == len(columns):
        return columns
    values = tuple(columns.values[place] for place in range(begin, end))
    return RecordColumns(
        values, columns.offsets[begin:end], columns.times_ms[begin:end], lambda place: columns[begin + place]
    )


class Queue:
    """What was read of a partition and not handed over."""

    def __init__(self, now_s: float) -> None:
        self.waiting: deque[RecordColumns] = deque()
        self.begin = 0  # of the first that waits, what is left of it
        self.count, self.heard_s, self.polls = 0, now_s, 0
        self.last_ms = -1  # about when what was handed over last is of
        self.next: int | None = None  # where it is read on, while it is not
        self.since_s: float | None = None  # since when it waits for others
        self.front_then_ms = 0  # where those were then that it waits for
        self.free_s = 0.0  # until then it is in step with nobody

    def put(self, records: Sequence[Record], now_s: float) -> None:
        self.waiting.append(columns_of(records))
        self.count, self.heard_s, self.polls = self.count + len(records), now_s, 0

    def front_ms(self) -> int:
        """The time of what comes next, or of what came last; -1 of who had nothing yet."""
        if not self.waiting:
            return self.last_ms
        times_ms = self.waiting[0].times_ms[self.begin : self.begin + AHEAD]
        return max(int(times_ms.min()), self.last_ms)  # Its time does not go back: what is before is of a wrong clock.

    def take(self, until_ms: int, limit: int) -> RecordColumns | None:
        """What is no later, of the first that waits."""
        if not self.waiting or limit < 1:
            return None
        first, begin = self.waiting[0], self.begin
        count = ripe(first.times_ms[begin : begin + limit], until_ms)
        if count == 0:
            return None
        self.begin = end = begin + count
        if end == len(first):
            self.waiting.popleft()
            self.begin = 0
        self.count -= count
        self.last_ms = int(np.median(first.times_ms[max(end - AHEAD, begin) : end]))
        return part(first, begin, end)


def ripe(times_ms: I64, until_ms: int) -> int:
    """How many records are no later. One that is goes along where there is one that is not soon behind it."""
    places = np.flatnonzero(times_ms <= until_ms)
    gaps = np.flatnonzero(np.diff(places, prepend=-1) > AHEAD)
    due = places[: gaps[0]] if len(gaps) else places
    return int(due[-1]) + 1 if len(due) else 0


class InStep:
    """See `streamer.port.Log`; all that is not here is the other log's. `slack_ms`: how far one may be ahead. `beside`:
    topics that nobody waits for.
    """

    def __init__(
        self, log: Any, slack_ms: int, clock: Callable[[], float] = time.monotonic, beside: Collection[str] = ()
    ) -> None:
        self._log, self._slack_ms, self._clock, self._beside = log, slack_ms, clock, beside
        self._queues: dict[Partition, Queue] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def poll(self, limit: int, timeout_s: float, on_revoke: Callable[[list[Partition]], None]) -> list[LogEvent]:
        def revoked(partitions: list[Partition]) -> None:
            on_revoke(partitions)
            self._forget(partitions)

        self._read_on()
        waits = any(queue.waiting for queue in self._queues.values())
        events: list[LogEvent] = []
        for event in self._log.poll(limit, min(timeout_s, 0.02) if waits else timeout_s, revoked):
            if isinstance(event, Records):
                self._queues.setdefault(event.partition, Queue(self._clock())).put(event.records, self._clock())
            else:
                self._forget([event.partition])
                if isinstance(event, Assigned):  # It is waited for until it is started, and has had its time.
                    self._queues[event.partition] = Queue(inf)
                events.append(event)
        for queue in self._queues.values():
            queue.polls += 1
        return events + self._ripe(limit)

    def start(self, partition: Partition, offset: int) -> None:
        self._queues[partition] = Queue(self._clock())
        self._log.start(partition, offset)

    def hold(self, partition: Partition) -> None:
        self._forget([partition])
        self._log.hold(partition)

    def _ripe(self, limit: int) -> list[LogEvent]:
        """What nobody has to be waited for, the earliest first."""
        now_s = self._clock()
        fronts = {
            p: queue.front_ms()
            for p, queue in self._queues.items()
            if p[0] not in self._beside and (queue.waiting or self._waited_for(queue))
        }
        found = self._of_beside(min(fronts.values(), default=None), limit, now_s)
        left = limit - sum(len(one.records) for one in found if isinstance(one, Records))
        if not any(self._queues[partition].waiting for partition in fronts):
            return found
        far_ms, order = max(fronts.values()) - FAR_MS, sorted(fronts, key=lambda one: fronts[one])
        times = [p for p in order if (fronts[p] >= far_ms or fronts[p] < 0) and now_s >= self._queues[p].free_s]
        first, second, *_ = *times, None, None
        for partition in order:
            queue, before = self._queues[partition], left
            other = second if partition == first else first
            until_ms = FOR_EVER_MS if other is None or now_s < queue.free_s else fronts[other] + self._slack_ms
            while (taken := queue.take(until_ms, left)) is not None:
                found.append(Records(partition, taken))
                left -= len(taken)
            self._note(queue, now_s, waits=bool(queue.waiting) and before == left > 0)
        return found

    def _of_beside(self, front_ms: int | None, limit: int, now_s: float) -> list[LogEvent]:
        """What is about inferences that were handed over before: before `front_ms`, where the slowest of them is,
        or anything where none is waited for. While that gets on faster than the clock a backlog is read: it is waited
        for as long as that takes.
        """
        found = list[LogEvent]()
        for partition, queue in self._queues.items():
            if partition[0] not in self._beside:
                continue
            until_ms = FOR_EVER_MS if front_ms is None or now_s < queue.free_s else front_ms - 1
            before = limit
            while (taken := queue.take(until_ms, limit)) is not None:
                found.append(Records(partition, taken))
                limit -= len(taken)
            waits = bool(queue.waiting) and before == limit > 0
            if not waits or queue.since_s is None or front_ms is None:
                queue.front_then_ms = front_ms or 0
            elif front_ms - queue.front_then_ms > FASTER * 1000 * (now_s - queue.since_s) > 0:
                queue.front_then_ms, queue.since_s = front_ms, now_s
            self._note(queue, now_s, waits)
        return found

    def _waited_for(self, queue: Queue) -> bool:
        return self._clock() - queue.heard_s < IDLE_S or queue.polls < IDLE_POLLS

    def _note(self, queue: Queue, now_s: float, waits: bool) -> None:
        if not waits:
            queue.since_s = None
        elif queue.since_s is None:
            queue.since_s = now_s
        elif now_s - queue.since_s >= PATIENCE_S:
            queue.since_s, queue.free_s = None, now_s + FREE_S

    def _read_on(self) -> None:
        """Of whom too much waits nothing more is fetched for a while."""
        most = max(WAITING // max(len(self._queues), 1), AHEAD)
        for partition, queue in self._queues.items():
            if queue.next is None and queue.count >= most:
                queue.next = int(queue.waiting[-1].offsets[-1]) + 1
                self._log.hold(partition)
            elif queue.next is not None and queue.count < most // 4:
                with suppress(LogDown):  # The brokers are away as well: it is tried again.
                    self._log.start(partition, queue.next)
                    queue.next = None

    def _forget(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._queues.pop(partition, None)
