"""A log to be in step on, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from schemas.events.batch import Record, columns_of
from streamer.port import (
    CommitResult,
    Committed,
    LogDown,
    LogEvent,
    Outcome,
    Partition,
    Records,
    Staged,
)
from streamer.service.in_step import (
    IDLE_POLLS,
    IDLE_S,
    InStep,
)
from streamer.signals.columns import I64

MINUTE_MS, DAY_MS, BASE_MS = 60_000, 86_400_000, 1_700_000_000_000
A, B = ("in", 0), ("in", 1)


class Inner:
    """Hands over what is put; knows what it was asked for."""

    def __init__(self) -> None:
        self.now_s, self.events = 0.0, list[LogEvent]()
        self.asked: list[tuple[Any, ...]] = []
        self.down = False
        self.revoking: list[Partition] = []
        self.others: dict[Partition, int] | None = {}
        self.told: dict[Partition, int] = {}

    def clock(self) -> float:
        return self.now_s

    def poll(self, limit: int, timeout_s: float, on_revoke: Callable[[list[Partition]], None]) -> list[LogEvent]:
        if self.revoking:
            on_revoke(self.revoking)
        events, self.events = self.events, []
        return events

    def start(self, partition: Partition, offset: int) -> None:
        if self.down:
            raise LogDown("away")
        self.asked.append(("start", partition, offset))

    def hold(self, partition: Partition) -> None:
        self.asked.append(("hold", partition))

    def waiting(self) -> str:
        return "the other log's"

    def wall_ms(self) -> int:
        return BASE_MS + 40 * DAY_MS

    def waited_for(self, ours: Collection[Partition]) -> dict[Partition, int] | None:
        assert set(ours) <= {A, B}
        return self.others

    def committed(self, partition: Partition) -> Committed:
        return Committed(7, None, reached_ms=BASE_MS - 1)

    def commit(self, outs: object, offsets: dict[Partition, Committed], snapshots: object) -> CommitResult:
        self.told = {partition: one.reached_ms - BASE_MS for partition, one in offsets.items()}
        return CommitResult(Outcome.DONE, {})

    def stage(self, partition: Partition, *parts: Any) -> tuple[Outcome, Staged]:
        self.told = {partition: parts[-1].reached_ms - BASE_MS}
        return Outcome.DONE, parts[1]


def records(times_ms: list[int], begin: int = 0) -> list[Record]:
    """Times are since some morning of 2023."""
    times_ms = [BASE_MS + time_ms for time_ms in times_ms]
    return [Record(begin + i, time_ms, None, b"%d" % time_ms) for i, time_ms in enumerate(times_ms)]


def event_times(some: Sequence[Record], topic: str) -> I64:
    """What `records` and `loaded` write into the values."""
    assert topic == "in"
    return np.array([int(record.value or b"0") for record in some], np.int64)


def logs(slack_ms: int = MINUTE_MS) -> tuple[Inner, InStep]:
    inner = Inner()
    log = InStep(inner, slack_ms, event_times, inner, inner.clock, inner.wall_ms)
    log.start(A, 0)
    log.start(B, 0)
    return inner, log


def loaded(times_ms: Sequence[int], begin: int = 0) -> list[Record]:
    """Events of these times in a topic that is filled in one go, today."""
    written_ms, sent = BASE_MS + 30 * DAY_MS + begin, [b"%d" % (BASE_MS + time_ms) for time_ms in times_ms]
    return [Record(begin + i, written_ms + i, None, value) for i, value in enumerate(sent)]


def polled(log: InStep, limit: int = 2000) -> list[tuple[Partition, int]]:
    """Partition and time of each record, as they come."""
    found = []
    for event in log.poll(limit, 0.0, lambda gone: None):
        assert isinstance(event, Records)
        columns = columns_of(event.records)
        assert [record.time_ms for record in columns] == columns.times_ms.tolist()
        assert [record.value for record in columns] == list(columns.values)
        found += [(event.partition, int(value or b"") - BASE_MS) for value in columns.values]
    return found


def idle(inner: Inner, log: InStep) -> list[tuple[Partition, int]]:
    """As long and as often as somebody is waited for who has nothing; what came by then."""
    found = [one for _ in range(IDLE_POLLS) for one in polled(log)]
    inner.now_s += IDLE_S
    return found


def drained(inner: Inner, log: InStep, limit: int = 2000) -> list[tuple[Partition, int]]:
    found = []
    for _ in range(2000):
        found += polled(log, limit)
        inner.now_s += 0.02
    return found
