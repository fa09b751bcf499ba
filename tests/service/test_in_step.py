"""Partitions are handed over in step with each other: nothing is lost or turned round, and nobody waits in vain."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record, columns_of
from streamer.port import Assigned, Gap, LogDown, LogEvent, Lost, Partition, Records
from streamer.service.in_step import AHEAD, FREE_S, IDLE_POLLS, IDLE_S, PATIENCE_S, WAITING, InStep, part, ripe

MINUTE_MS, BASE_MS = 60_000, 1_700_000_000_000
A, B = ("in", 0), ("in", 1)


class Inner:
    """Hands over what is put; knows what it was asked for."""

    def __init__(self) -> None:
        self.now_s, self.events = 0.0, list[LogEvent]()
        self.asked: list[tuple[Any, ...]] = []
        self.down = False
        self.revoking: list[Partition] = []

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


def records(times_ms: list[int], begin: int = 0) -> list[Record]:
    """Times are since some morning of 2023."""
    times_ms = [BASE_MS + time_ms for time_ms in times_ms]
    return [Record(begin + i, time_ms, None, b"%d" % time_ms) for i, time_ms in enumerate(times_ms)]


def logs(slack_ms: int = MINUTE_MS) -> tuple[Inner, InStep]:
    inner = Inner()
    log = InStep(inner, slack_ms, inner.clock)
    log.start(A, 0)
    log.start(B, 0)
    return inner, log


def polled(log: InStep, limit: int = 2000) -> list[tuple[Partition, int]]:
    """Partition and time of each record, as they come."""
    found = []
    for event in log.poll(limit, 0.0, lambda gone: None):
        assert isinstance(event, Records)
        columns = columns_of(event.records)
        assert [record.time_ms for record in columns] == columns.times_ms.tolist()
        assert [record.value for record in columns] == list(columns.values)
        found += [(event.partition, time_ms - BASE_MS) for time_ms in columns.times_ms.tolist()]
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


CLICKS = ("clicks", 0)


def beside() -> tuple[Inner, InStep]:
    inner = Inner()
    log = InStep(inner, MINUTE_MS, inner.clock, beside={"clicks"})
    for partition in (A, B, CLICKS):
        log.start(partition, 0)
    return inner, log


def test_feedback_comes_behind_all_inferences_of_before_and_nobody_waits_for_it() -> None:
    """An outage of hours: the topic of feedback is small, and read at once."""
    inner, log = beside()
    minutes = [m * MINUTE_MS for m in range(300)]
    inner.events = [Records(CLICKS, records([m + 5 for m in minutes]))]
    order = list[tuple[Partition, int]]()
    for begin in range(0, 300, 10):
        for partition in (A, B):
            inner.events.append(Records(partition, records(minutes[begin : begin + 10], begin)))
        while found := polled(log):
            order += found
        inner.now_s += 1.9  # Longer in all than anybody's patience, and nobody is idle.
    order += idle(inner, log) + polled(log)
    assert sorted(order) == sorted([(p, m) for p in (A, B) for m in minutes] + [(CLICKS, m + 5) for m in minutes])
    seen = dict.fromkeys((A, B), -1)
    for partition, time_ms in order:
        if partition == CLICKS:
            assert min(seen.values()) >= time_ms - 5
        else:
            seen[partition] = time_ms


@pytest.mark.parametrize("days", [-30, -1])
def test_labels_of_old_records_come_at_once_and_hold_nobody_up(days: int) -> None:
    inner, log = beside()
    old = [days * 24 * 60 * MINUTE_MS + n for n in range(20)]
    inner.events = [Records(CLICKS, records(old)), Records(A, records([1, 2, 3])), Records(B, records([1, 2, 3]))]
    found = polled(log)
    assert found[:20] == [(CLICKS, time_ms) for time_ms in old]
    assert sorted(found[20:]) == sorted((p, n) for p in (A, B) for n in (1, 2, 3))


def test_labels_of_a_clock_that_is_ahead_wait_no_longer_than_patience_lasts() -> None:
    inner, log = beside()
    ahead = [24 * 60 * MINUTE_MS + n for n in range(20)]
    inner.events, came_s = [Records(CLICKS, records(ahead))], 0.0
    for second in range(120):
        inner.events += [Records(p, records([1000 * second], second)) for p in (A, B)]
        found = polled(log)
        assert [one for one in found if one[0] != CLICKS] == [(A, 1000 * second), (B, 1000 * second)]
        if any(partition == CLICKS for partition, _ in found):
            assert [one for one in found if one[0] == CLICKS] == [(CLICKS, time_ms) for time_ms in ahead]
            came_s = inner.now_s
            break
        inner.now_s += 1.0
    assert PATIENCE_S <= came_s <= PATIENCE_S + 2


def test_where_no_inferences_come_feedback_comes_at_once() -> None:
    inner, log = beside()
    idle(inner, log)
    inner.events = [Records(CLICKS, records([5, 6]))]
    assert polled(log) == [(CLICKS, 5), (CLICKS, 6)]
    inner.events = [Records(CLICKS, records([7], 2)), Records(A, records([100]))]
    assert polled(log) == [(CLICKS, 7), (A, 100)]


def test_of_feedback_that_waits_no_more_is_fetched_than_there_is_room_for() -> None:
    inner, log = beside()
    many = [MINUTE_MS + n for n in range(WAITING)]
    inner.events = [Records(CLICKS, records(many)), Records(A, records([0])), Records(B, records([0]))]
    assert polled(log) == [(A, 0), (B, 0)]
    polled(log)
    assert ("hold", CLICKS) in inner.asked
