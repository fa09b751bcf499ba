"""A log whose partitions are handed over in step with each other, by the times of their records.

A consumer that has fallen behind gets one partition after the other, a megabyte at a time: of a quiet topic that is
hours. Put in one order like that, the events of all partitions but the first would be late. So whoever is ahead waits
for the others, but not for those that have nothing, nor for ever: clocks can be wrong.

The times of records cost nothing to know, but a topic that was filled in one go has other ones than its events. So now
and then a few events are looked at, and where the two do not go together, all are. Who is behind and shares the topics
with other processes is in step with those, too, as far as they let be known with their commits.

Topics of labels and feedback are in step one way: what they say of an inference was sent after it, so it waits until
all of before that time was handed over, and nobody waits for it. It may be of any time: what is behind comes at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any, NamedTuple, Protocol

import numpy as np

from schemas.events.batch import Record, RecordColumns, columns_of
from streamer.port import (
    Assigned,
    CommitResult,
    Committed,
    LogDown,
    LogEvent,
    Out,
    Outcome,
    Partition,
    Records,
    Snapshot,
    Staged,
)
from streamer.signals.columns import I64

IDLE_S, IDLE_POLLS = 2.0, 10
"""How long, and for how many polls, a partition that had records is waited for when it has none: one may take long."""
STALL_S = 1.0
"""When nobody gets on for so long, of several processes, the last one does."""
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
LOOK_EVERY, LOOKED_AT, WRONG = 5_000, 24, 4
"""Of every so many records of a partition, of so many of them it is looked at when their events were. So many of these
at either end mean nothing: clocks can be wrong.
"""

EventTimes = Callable[[Sequence[Record], str], I64]
"""When the event in each record of a topic was, in Unix ms: that of the record where it says nothing."""


class Others(Protocol):
    """See `streamer.service.others.Others`."""

    def waited_for(self, ours: Collection[Partition]) -> dict[Partition, int] | None: ...


class Portion(NamedTuple):
    """Records that were read, and the times by which they are in step."""

    records: RecordColumns
    times_ms: I64


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
        self.waiting: deque[Portion] = deque()
        self.begin = 0  # of the first that waits, what is left of it
        self.count, self.heard_s, self.polls = 0, now_s, 0
        self.last_ms = -1  # about when what was handed over last is of
        self.next: int | None = None  # where it is read on, while it is not
        self.since_s: float | None = None  # since when it waits for others
        self.front_then_ms = 0  # where those were then that it waits for
        self.free_s = 0.0  # until then it is in step with nobody
        self.unseen = 0  # how many records until some are looked at
        self.looked: Looked | None = None

    def put(self, portion: Portion, now_s: float) -> None:
        self.waiting.append(portion)
        self.count, self.heard_s, self.polls = self.count + len(portion.times_ms), now_s, 0

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
        (records, times_ms), begin = self.waiting[0], self.begin
        count = ripe(times_ms[begin : begin + limit], until_ms)
        if count == 0:
            return None
        self.begin = end = begin + count
        if end == len(records):
            self.waiting.popleft()
            self.begin = 0
        self.count -= count
        self.last_ms = middle(times_ms[max(end - AHEAD, begin) : end].tolist())
        return part(records, begin, end)


def middle(times_ms: Sequence[int]) -> int:
    """The median. Of a few numbers an array takes longer to be made than they do to be sorted."""
    some, half = sorted(times_ms), len(times_ms) // 2
    return some[half] if len(some) % 2 else int((some[half - 1] + some[half]) / 2)


def ripe(times_ms: I64, until_ms: int) -> int:
    """How many records are no later. One that is goes along where there is one that is not soon behind it."""
    if len(times_ms) and times_ms.max() <= until_ms:
        return len(times_ms)
    places = np.flatnonzero(times_ms <= until_ms)
    gaps = np.flatnonzero(np.diff(places, prepend=-1) > AHEAD)
    due = places[: gaps[0]] if len(gaps) else places
    return int(due[-1]) + 1 if len(due) else 0


def places_of(count: int, some: int) -> list[int]:
    """So many places among as many as there are, in equal steps."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, some))})


class Looked(NamedTuple):
    """What was found of the records that were looked at, in ms."""

    behind_ms: int  # by how much they are later than their events, as a rule
    spread_ms: int  # and how far apart that is
    back: int  # how often an event was before the one before it

    @classmethod
    def at(cls, times_ms: I64, event_ms: I64, slack_ms: int) -> Looked:
        """Of records with these times. What is within the slack is none."""
        found = np.sort(times_ms - event_ms)
        wrong = min(WRONG, (len(found) - 1) // 2)
        spread_ms = int(found[len(found) - 1 - wrong] - found[wrong])
        return cls(int(np.median(found)), spread_ms, int((np.diff(event_ms) < -slack_ms).sum()))


def events_count(looked: Sequence[Looked], slack_ms: int) -> bool:
    """Whether partitions are in step by the times of events: where those of records do not tell them, since not all
    are later by about the same, and those of events are in order. Where they are not, as of models of which one is sent
    by the hour and one at once, they tell nothing.
    """
    apart_ms = max(looked)[0] - min(looked)[0]
    return max(apart_ms, *(one.spread_ms for one in looked)) > slack_ms and max(one.back for one in looked) < WRONG


class InStep:
    """See `streamer.port.Log`; all that is not here is the other log's. `slack_ms`: how far one may be ahead. `beside`:
    topics that nobody waits for.
    """

    def __init__(
        self,
        log: Any,
        slack_ms: int,
        event_times: EventTimes,
        others: Others,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        beside: Collection[str] = (),
    ) -> None:
        self._log, self._slack_ms, self._others, self._clock, self._wall_ms = log, slack_ms, others, clock, wall_ms
        self._event_times, self._by_event, self._beside = event_times, False, beside
        self._queues: dict[Partition, Queue] = {}
        self._told_ms: dict[Partition, int] = {}  # how far each is, as others know it
        self._begun_ms: int | None = None  # where we began, as our times have it
        self._awaited = False  # something was handed over that others wait to hear of
        self._handed_s = clock()  # when that was
        self._bound_s = -inf  # when others were last heeded

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
                self._put(event.partition, columns_of(event.records))
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

    def committed(self, partition: Partition) -> Committed | None:
        found: Committed | None = self._log.committed(partition)
        if found is not None:
            self._told_ms[partition] = found.reached_ms
        return found

    def commit(
        self, outs: Sequence[Out], offsets: Mapping[Partition, Committed], snapshots: Mapping[Partition, Snapshot]
    ) -> CommitResult:
        """With the time that each partition has reached, for others who read in step with us."""
        behind_ms = self._behind_ms()
        for partition in offsets:
            queue = self._queues.get(partition)
            if queue is not None and queue.last_ms >= 0 and partition[0] not in self._beside:
                self._told_ms[partition] = max(queue.front_ms() - behind_ms, 0)
        self._awaited = False
        told = {at: one._replace(reached_ms=self._told_ms.get(at, 0)) for at, one in offsets.items()}
        result: CommitResult = self._log.commit(outs, told, snapshots)
        return result

    def stage(
        self, partition: Partition, snapshot: Snapshot, staged: Staged, chunks: int, root: Committed
    ) -> tuple[Outcome, Staged]:
        told = root._replace(reached_ms=self._told_ms.get(partition, 0))
        outcome: tuple[Outcome, Staged] = self._log.stage(partition, snapshot, staged, chunks, told)
        return outcome

    def awaited(self) -> bool:
        return self._awaited

    def lags(self) -> bool:
        return self._clock() - self._bound_s < STALL_S

    def _behind_ms(self) -> int:
        """By how much our times are later than those of events: all processes compare those."""
        looked = [queue.looked.behind_ms for queue in self._queues.values() if queue.looked is not None]
        return middle(looked) if looked and not self._by_event else 0

    def _until_ms(self, queues: Sequence[Queue]) -> int:
        """Up to when the partitions of other processes let these go on. Who is not behind waits for none of them. And a
        first step is free: who waits for each other must hear where they begin.
        """
        first_ms = min(queue.front_ms() for queue in queues)
        self._begun_ms = first_ms if self._begun_ms is None else self._begun_ms
        written_ms = min(queue.waiting[0].records.times_ms.item(queue.begin) for queue in queues)
        if not self._by_event and written_ms > self._wall_ms() - self._slack_ms:
            return FOR_EVER_MS
        others = self._others.waited_for(self._queues)
        if others == {}:
            return FOR_EVER_MS
        if others and self._clock() - self._handed_s > STALL_S:
            ours = [ms for partition, ms in self._told_ms.items() if partition in self._queues]
            if min(ours, default=0) <= min(others.values()):
                return first_ms + self._slack_ms  # All wait for what nobody has said, and we are the last.
        reached_ms = min(others.values()) + self._behind_ms() if others else 0
        return max(reached_ms, self._begun_ms) + 2 * self._slack_ms

    def _put(self, partition: Partition, records: RecordColumns) -> None:
        queue = self._queues.setdefault(partition, Queue(self._clock()))
        queue.unseen -= len(records)
        if queue.unseen <= 0 and len(records) and partition[0] not in self._beside:
            self._look(partition, queue, records)
        queue.put(Portion(records, self._times(partition, records)), self._clock())

    def _times(self, partition: Partition, records: RecordColumns) -> I64:
        """Those that count."""
        by_event = self._by_event and partition[0] not in self._beside
        return self._event_times(records, partition[0]) if by_event else records.times_ms

    def _look(self, partition: Partition, queue: Queue, records: RecordColumns) -> None:
        """See which times count, of records or of their events, in all partitions: no two are in step by two clocks."""
        some = columns_of([records[place] for place in places_of(len(records), LOOKED_AT)])
        event_ms = self._event_times(some, partition[0])
        queue.looked, queue.unseen = Looked.at(some.times_ms, event_ms, self._slack_ms), LOOK_EVERY
        by_event = events_count([q.looked for q in self._queues.values() if q.looked is not None], self._slack_ms)
        if by_event != self._by_event:
            self._by_event, self._begun_ms = by_event, None
            for at, one in self._queues.items():
                one.waiting = deque(Portion(r, self._times(at, r)) for r, _ in one.waiting)
                one.last_ms = -1

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
        others_ms = self._until_ms([self._queues[partition] for partition in fronts if self._queues[partition].waiting])
        self._bound_s = now_s if others_ms < FOR_EVER_MS else self._bound_s
        times = [p for p in order if (fronts[p] >= far_ms or fronts[p] < 0) and now_s >= self._queues[p].free_s]
        first, second, *_ = *times, None, None
        for partition in order:
            queue, before = self._queues[partition], left
            other = second if partition == first else first
            until_ms = FOR_EVER_MS if other is None or now_s < queue.free_s else fronts[other] + self._slack_ms
            while (taken := queue.take(min(until_ms, others_ms), left)) is not None:
                found.append(Records(partition, taken))
                left -= len(taken)
            if left < before:
                self._handed_s, self._awaited = now_s, self._awaited or others_ms < FOR_EVER_MS
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
                queue.next = int(queue.waiting[-1].records.offsets[-1]) + 1
                self._log.hold(partition)
            elif queue.next is not None and queue.count < most // 4:
                with suppress(LogDown):  # The brokers are away as well: it is tried again.
                    self._log.start(partition, queue.next)
                    queue.next = None

    def _forget(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._queues.pop(partition, None)
