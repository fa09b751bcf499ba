"""Partitions are handed over in step with each other: nothing is lost or turned round, and nobody waits in vain."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record, columns_of
from streamer.port import (
    Assigned,
    CommitResult,
    Committed,
    Gap,
    LogDown,
    LogEvent,
    Lost,
    Outcome,
    Partition,
    Records,
    Snapshot,
    Staged,
)
from streamer.service.in_step import (
    AHEAD,
    FREE_S,
    IDLE_POLLS,
    IDLE_S,
    LOOK_EVERY,
    PATIENCE_S,
    STALL_S,
    WAITING,
    InStep,
    Looked,
    events_count,
    part,
    ripe,
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


@pytest.mark.parametrize("limit", [2000, 50, 1])
@pytest.mark.parametrize("seed", range(3))
def test_everything_comes_once_in_its_order_and_nobody_is_far_ahead(seed: int, limit: int) -> None:
    rng = random.Random(seed)
    inner, log = logs()
    sent: dict[Partition, list[int]] = {
        p: sorted(rng.randrange(100 * MINUTE_MS) for _ in range(rng.randrange(100, 600))) for p in (A, B)
    }
    at = dict.fromkeys(sent, 0)
    found: list[tuple[Partition, int]] = []
    while any(at[p] < len(times) for p, times in sent.items()) or inner.events:
        for p, times in sent.items():
            if rng.random() < 0.5 and at[p] < len(times):
                chunk = times[at[p] : at[p] + rng.randrange(1, 200)]
                inner.events.append(Records(p, records(chunk, at[p])))
                at[p] += len(chunk)
        found += polled(log, limit)
        inner.now_s += 0.02
    found += drained(inner, log, limit)
    assert {p: [time_ms for q, time_ms in found if q == p] for p in sent} == sent
    newest, largest = 0, max(int(np.diff(times).max()) for times in sent.values())
    last = min(times[-1] for times in sent.values())
    for _, time_ms in found:
        if time_ms <= last:  # Who has nothing any more is waited for no longer.
            assert time_ms >= newest - MINUTE_MS - largest
        newest = max(newest, time_ms)


def test_live_traffic_passes_as_it_comes() -> None:
    inner, log = logs()
    for second in range(20):
        inner.events = [Records(A, records([second * 1000])), Records(B, records([second * 1000 + 3]))]
        assert len(polled(log)) == 2
        inner.now_s += 1


def test_who_has_nothing_is_waited_for_a_while() -> None:
    inner, log = logs()
    inner.events = [Records(A, records([0, 90 * MINUTE_MS]))]
    assert idle(inner, log) == [], "B has just begun"
    inner.events = [Records(B, records([5]))]
    assert polled(log) == [(A, 0), (B, 5)]
    assert idle(inner, log) == [], "B may have more"
    assert polled(log) == [(A, 90 * MINUTE_MS)]


def test_who_is_assigned_is_waited_for_until_it_is_started() -> None:
    inner, log = logs()
    inner.events = [Assigned(A), Assigned(B)]
    assert len(log.poll(10, 0.0, lambda gone: None)) == 2
    log.start(A, 0)
    for _ in range(int(PATIENCE_S) - 2):
        inner.events = [Records(A, records([0]))]
        assert polled(log) == []
        inner.now_s += 1
    log.start(B, 0)
    assert idle(inner, log) == []
    assert len(polled(log)) == PATIENCE_S - 2


def test_a_wrong_clock_among_others_holds_nobody_back() -> None:
    inner, log = logs()
    ahead = [i * 1000 + (120 * MINUTE_MS if i % 9 == 4 else 0) for i in range(90)]
    behind = [i * 1000 - (120 * MINUTE_MS if i % 9 == 4 else 0) for i in range(90)]
    inner.events = [Records(A, records(ahead)), Records(B, records(behind))]
    assert len(drained(inner, log)) == 180
    inner.events = [Records(A, records(ahead[:48])), Records(B, records([i * 1000 for i in range(48)]))]
    assert len(polled(log)) == 96


def test_a_partition_of_another_clock_is_in_step_with_nobody_after_some_patience() -> None:
    inner, log = logs()
    late_s = []
    for second in range(int(PATIENCE_S) * 4):
        inner.events = [Records(B, records([second * 1000]))]
        inner.events += [Records(A, records([second * 1000 + 120 * MINUTE_MS]))]
        late_s += [second - (ms - 120 * MINUTE_MS) // 1000 for p, ms in polled(log) if p == A]
        inner.now_s += 1
    assert max(late_s) <= PATIENCE_S + 1
    assert set(late_s[-20:]) == {0}
    assert FREE_S > 4 * PATIENCE_S


def ahead_ms(found: list[tuple[Partition, int]]) -> int:
    """By how much an event comes after a later one, at most."""
    times_ms = np.array([time_ms for _, time_ms in found])
    return int((np.maximum.accumulate(times_ms) - times_ms).max())


@pytest.mark.parametrize("seed", range(3))
def test_a_topic_that_was_filled_in_one_go_is_in_step_by_its_events(seed: int) -> None:
    """At first nobody knows, and a fetch of a busy topic is too short to show it: soon it is seen, or does no harm."""
    rng = random.Random(seed)
    step_ms = rng.choice((300, 5_000, MINUTE_MS))
    inner, log = logs()
    found: list[tuple[Partition, int]] = []
    at = {A: 0, B: 0}
    while min(at.values()) < 3 * LOOK_EVERY:
        for p in at:
            if rng.random() < 0.5:
                continue
            count = rng.randrange(1, 2000)
            inner.events.append(Records(p, loaded(range(at[p] * step_ms, (at[p] + count) * step_ms, step_ms), at[p])))
            at[p] += count
        found += polled(log)
        inner.now_s += 0.02
    found += drained(inner, log)
    for p, count in at.items():
        assert [time_ms for q, time_ms in found if q == p] == list(range(0, count * step_ms, step_ms))
    last_ms = min(at.values()) * step_ms
    assert ahead_ms([one for one in found if one[1] < last_ms]) <= MINUTE_MS + step_ms


def test_events_of_several_delays_are_in_step_by_their_records() -> None:
    """Of one model they are sent at once, of another half a day later: neither holds the other up."""
    inner, log = logs()
    for second in range(60):
        for p in (A, B):
            own = records([second * 1000 + i for i in range(100)], second * 100)
            half = [r._replace(value=b"%d" % (r.time_ms - DAY_MS // 2)) if r.offset % 3 else r for r in own]
            inner.events.append(Records(p, half))
        assert len(polled(log)) == 200
        inner.now_s += 1


def test_it_is_seen_which_times_count() -> None:
    at = np.arange(24) * 1000

    def of(event_ms: Any, slack_ms: int = MINUTE_MS) -> Looked:
        return Looked.at(np.asarray(at + DAY_MS, np.int64), np.asarray(event_ms, np.int64), slack_ms)

    steady, hourly = of(at), of(at * 3600)
    assert (steady, hourly.back) == ((DAY_MS, 0, 0), 0)
    assert not events_count([steady, of(at + 100)], MINUTE_MS), "a day late, all of them"
    assert events_count([steady, of(at - DAY_MS)], MINUTE_MS), "one partition was filled yesterday"
    assert events_count([hourly], MINUTE_MS)
    assert not events_count([of(at * 3600 * (-1) ** np.arange(24))], MINUTE_MS), "in no order"
    wrong = at.copy()
    wrong[[3, 9, 17]] += 5 * DAY_MS
    assert not events_count([of(wrong)], MINUTE_MS), "three wrong clocks"


def minutes(begin: int, end: int) -> list[Record]:
    """One event a minute."""
    return records([minute * MINUTE_MS for minute in range(begin, end)], begin)


def settled(log: InStep) -> int:
    """How many minutes of events come, in no time, until nothing more does."""
    found = [ms for _ in range(50) for _, ms in polled(log)]
    return max(found, default=-MINUTE_MS) // MINUTE_MS


def test_who_is_behind_is_in_step_with_other_processes() -> None:
    inner, log = logs()
    inner.others = None
    inner.events = [Records(A, minutes(0, 90)), Records(B, minutes(0, 90))]
    assert settled(log) == 2, "a first step is free"
    assert log.awaited(), "others wait to hear of it"
    log.commit([], {A: Committed(7, None)}, {})
    assert not log.awaited()
    inner.others = {("in", 2): 0}
    assert settled(log) == -1, "nobody knows how far that is"
    inner.others = {("in", 2): BASE_MS + 10 * MINUTE_MS, ("in", 3): BASE_MS + 20 * MINUTE_MS}
    assert settled(log) == 12
    inner.others = {}
    assert settled(log) == 89


def test_where_all_wait_for_each_other_the_last_one_goes_on() -> None:
    """What we have said is of what came last, since nothing more had come by then; what comes next is much later."""
    inner, log = logs()
    offsets = dict.fromkeys((A, B), Committed(7, None))
    inner.others = {("in", 2): BASE_MS + 12 * MINUTE_MS}
    inner.events = [Records(A, minutes(0, 9)), Records(B, minutes(0, 9))]
    assert settled(log) == 8
    log.commit([], offsets, {})
    assert inner.told == {A: 8 * MINUTE_MS, B: 8 * MINUTE_MS}
    inner.events = [Records(A, minutes(30, 40)), Records(B, minutes(30, 40))]
    inner.now_s += STALL_S / 2
    assert settled(log) == -1
    inner.others = {("in", 2): BASE_MS + 4 * MINUTE_MS}
    inner.now_s += STALL_S
    assert settled(log) == -1, "another one is behind us"
    inner.others = {("in", 2): BASE_MS + 12 * MINUTE_MS}
    assert settled(log) == 31
    log.commit([], offsets, {})
    assert inner.told == {A: 32 * MINUTE_MS, B: 32 * MINUTE_MS}, "what comes next"
    inner.now_s += 2 * STALL_S
    assert settled(log) == -1, "now they know"


def test_who_is_not_behind_waits_for_no_other_process() -> None:
    inner, log = logs()
    inner.others = {("in", 2): BASE_MS}
    now_ms = 40 * DAY_MS
    inner.events = [Records(A, records([now_ms, now_ms + 1])), Records(B, records([now_ms]))]
    assert len(polled(log)) == 3


def test_other_processes_hear_how_far_events_are_and_what_was_said_before() -> None:
    inner, log = logs()
    offsets = dict.fromkeys((A, B), Committed(7, None))
    log.commit([], offsets, {})
    assert inner.told == {A: -BASE_MS, B: -BASE_MS}
    log.committed(B)
    log.stage(B, Snapshot(7, 0, "", b""), Staged(), 2, Committed(7, None))
    assert inner.told == {B: -1}
    inner.events = [Records(A, [r._replace(value=b"%d" % (r.time_ms - 5000)) for r in minutes(0, 2)])]
    idle(inner, log)
    assert len(polled(log)) == 2
    log.commit([], offsets, {})
    assert inner.told == {A: MINUTE_MS // 2 - 5000, B: -1}, "the middle of what was handed over last"
    inner.events = [Records(A, [r._replace(value=b"%d" % (r.time_ms - 5000)) for r in minutes(9, 19)])]
    polled(log)
    log.commit([], offsets, {})
    assert inner.told[A] > MINUTE_MS, "what comes next"


def test_times_that_are_none_hold_nobody_back() -> None:
    inner, log = logs()
    inner.events = [Records(A, records([0])), Records(B, records([-BASE_MS + 1]))]
    assert sorted(polled(log)) == [(A, 0), (B, -BASE_MS + 1)]


def test_of_whom_too_much_waits_no_more_is_fetched_until_less_does() -> None:
    inner, log = logs(0)
    count = WAITING // 2 + 10
    inner.events = [Records(B, records([0])), Records(A, records([1 + i for i in range(count)]))]
    polled(log)
    inner.asked.clear()
    inner.events = [Records(B, records([0]))]
    polled(log)
    assert inner.asked == [("hold", A)]
    inner.down = True
    idle(inner, log)
    found = [one for _ in range(20) for one in polled(log)]
    assert [ms for p, ms in found if p == A] == [1 + i for i in range(count)]
    inner.down = False
    polled(log)
    assert inner.asked[1:] == [("start", A, count)]


@pytest.mark.parametrize("event", [Lost(A), Assigned(A), Gap(A, "gone")])
def test_what_waits_of_a_partition_that_is_gone_is_forgotten(event: LogEvent) -> None:
    inner, log = logs()
    inner.events = [Records(A, records([0, 90 * MINUTE_MS])), Records(B, records([0]))]
    polled(log)
    inner.events = [event]
    assert log.poll(10, 0.0, lambda gone: None) == [event]
    inner.now_s += 2 * IDLE_S
    assert polled(log) == []


def test_what_is_started_anew_or_revoked_begins_anew() -> None:
    inner, log = logs()
    for forget in (lambda: log.start(A, 7), lambda: log.hold(A), lambda: inner.revoking.append(A)):
        inner.events = [Records(A, records([0, 90 * MINUTE_MS])), Records(B, records([0]))]
        polled(log)
        forget()
        inner.now_s += 2 * IDLE_S
        assert (A, 90 * MINUTE_MS) not in polled(log)
    assert log.waiting() == "the other log's"


def test_a_part_has_its_records() -> None:
    whole = columns_of(records([5, 6, 7, 8]))
    some = part(whole, 1, 3)
    assert list(some) == list(whole)[1:3]
    assert part(whole, 0, 4) is whole


def test_a_record_that_is_later_goes_along_where_one_that_is_not_comes_soon() -> None:
    def of(*times_ms: int) -> int:
        return ripe(np.array(times_ms, np.int64), 10)

    assert of(1, 2, 99, 3, 99) == 4
    assert of(99, 99) == 0
    assert of(1, *[99] * AHEAD, 2) == 1
    assert of(*[99] * (AHEAD - 1), 2) == AHEAD
