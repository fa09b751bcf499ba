"""In step with the partitions of other processes, as far as they let be known."""

from __future__ import annotations

from schemas.events.batch import Record
from streamer.port import (
    Committed,
    Records,
    Snapshot,
    Staged,
)
from streamer.service.in_step import (
    STALL_S,
    InStep,
)
from tests.service.steps import BASE_MS, DAY_MS, MINUTE_MS, A, B, idle, logs, polled, records


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
