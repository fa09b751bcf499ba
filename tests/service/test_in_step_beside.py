"""Topics of labels and feedback: behind the inferences that they are about, and nobody waits for them."""

from __future__ import annotations

import pytest

from streamer.port import Partition, Records
from streamer.service.in_step import PATIENCE_S, WAITING, InStep
from tests.service.steps import MINUTE_MS, A, B, Inner, event_times, idle, polled, records

CLICKS = ("clicks", 0)


def beside() -> tuple[Inner, InStep]:
    inner = Inner()
    log = InStep(inner, MINUTE_MS, event_times, inner, inner.clock, inner.wall_ms, beside={"clicks"})
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
