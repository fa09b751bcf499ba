"""Partitions are handed over in step with each other: nothing is lost or turned round, and nobody waits in vain."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import columns_of
from streamer.port import (
    Assigned,
    Gap,
    LogEvent,
    Lost,
    Partition,
    Records,
)
from streamer.service.in_step import (
    AHEAD,
    FREE_S,
    IDLE_S,
    LOOK_EVERY,
    PATIENCE_S,
    WAITING,
    Looked,
    events_count,
    middle,
    part,
    ripe,
)
from tests.service.steps import BASE_MS, DAY_MS, MINUTE_MS, A, B, drained, idle, loaded, logs, polled, records


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


@pytest.mark.parametrize("count", range(1, 9))
def test_the_middle_of_a_few_is_their_median(count: int) -> None:
    rng = random.Random(count)
    for _ in range(50):
        some = [1_700_000_000_000 + rng.randrange(-3, 3) for _ in range(count)]
        assert middle(some) == int(np.median(some))
