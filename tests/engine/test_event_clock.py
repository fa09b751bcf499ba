"""The time that most events agree on: whoever is ahead moves nobody, a pause is over with its third event."""

from __future__ import annotations

import random

import numpy as np
import pytest

from schemas.core import native
from streamer.engine.event_clock import CONFIRM, CONTRARY, DOUBT, GAPS, LATE, STATE, TIMELY, UNTIMELY, EventClock

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
LATENESS_MS, AHEAD_MS = 5 * MINUTE_MS, 30 * MINUTE_MS
BEGIN_MS = 1_790_000_000_000


def hear(clock: EventClock, times_ms: list[int]) -> tuple[list[int], int]:
    """What each event is, and how many were of a wrong clock."""
    found = [clock.hear(BEGIN_MS + time_ms, LATENESS_MS, AHEAD_MS) for time_ms in times_ms]
    return [verdict for verdict, _ in found], sum(wrong for _, wrong in found)


def test_who_is_ahead_moves_nobody_and_is_counted() -> None:
    clock = EventClock(BEGIN_MS)
    verdicts, wrong = hear(clock, [1000, 8 * DAY_MS, 2000, 2 * HOUR_MS, 3 * HOUR_MS, 3000])
    assert verdicts == [TIMELY, UNTIMELY, TIMELY, UNTIMELY, UNTIMELY, TIMELY]
    assert (wrong, clock.now_ms) == (3, BEGIN_MS + 3000)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.33, 0.5])
@pytest.mark.parametrize("fast_ms", [(31 * MINUTE_MS,), (2 * HOUR_MS,), (2 * HOUR_MS, DAY_MS, 6 * DAY_MS, 8 * DAY_MS)])
def test_up_to_half_of_the_producers_may_be_ahead_for_ever(share: float, fast_ms: tuple[int, ...]) -> None:
    clock, rng = EventClock(BEGIN_MS), random.Random(1)
    hear(clock, [1000, 2 * HOUR_MS, 2000])
    wrong = [rng.random() < share for _ in range(5000)]
    verdicts, _ = hear(clock, [3000 + 1000 * i + bad * rng.choice(fast_ms) for i, bad in enumerate(wrong)])
    assert verdicts == [UNTIMELY if bad else TIMELY for bad in wrong]


def test_a_pause_is_over_with_its_third_event_whatever_one_of_them_says() -> None:
    for third_ms in (20_000, 8 * DAY_MS):
        clock = EventClock(BEGIN_MS)
        verdicts, wrong = hear(clock, [12 * HOUR_MS, 12 * HOUR_MS + 10_000, 12 * HOUR_MS + third_ms])
        assert verdicts == [UNTIMELY] * 2 + [TIMELY if third_ms < HOUR_MS else UNTIMELY]
        assert clock.now_ms == BEGIN_MS + 12 * HOUR_MS + min(third_ms, 10_000) + 10_000 * (third_ms == 20_000)
        assert wrong == 0


def test_a_model_of_few_events_goes_on_by_its_own_gaps() -> None:
    for gap_ms in (HOUR_MS, DAY_MS):
        clock = EventClock(BEGIN_MS)
        verdicts, wrong = hear(clock, [gap_ms * i for i in range(1, 60)])
        assert verdicts == [UNTIMELY] * (CONFIRM - 1) + [TIMELY] * (60 - CONFIRM)
        assert clock.gaps_ms > GAPS * gap_ms // 2
        assert wrong == 0


def test_a_first_event_that_is_ahead_makes_nobody_late_and_is_counted() -> None:
    clock = EventClock(BEGIN_MS + 8 * DAY_MS)
    verdicts, wrong = hear(clock, [1000 * i for i in range(100)])
    assert (set(verdicts), wrong) == ({UNTIMELY}, 1)
    assert clock.time_ms == BEGIN_MS + 99_000
    assert clock.now_ms == BEGIN_MS + 8 * DAY_MS, "what was said of time does not go back"


def test_a_run_of_one_fast_producer_is_undone_and_believed_less_easily() -> None:
    clock = EventClock(BEGIN_MS)
    honest = [1000 * i for i in range(1, 400)]
    assert set(hear(clock, honest)[0]) == {TIMELY}
    hear(clock, [2 * HOUR_MS + 400_000 + 1000 * i for i in range(100)])
    assert clock.time_ms > BEGIN_MS + 2 * HOUR_MS
    verdicts, wrong = hear(clock, [500_000 + 1000 * i for i in range(200)])
    assert LATE not in verdicts
    assert (wrong, clock.needed) == (100, 2 * DOUBT)
    assert clock.time_ms == BEGIN_MS + 699_000
    hear(clock, [2 * HOUR_MS + 700_000 + 1000 * i for i in range(100)])
    assert clock.time_ms == BEGIN_MS + 699_000


def test_who_is_behind_is_late_once_the_time_is_settled() -> None:
    clock = EventClock(BEGIN_MS, known=True)
    verdicts, _ = hear(clock, [HOUR_MS // 3, 0, HOUR_MS // 3 - LATENESS_MS])
    assert verdicts == [TIMELY, LATE, TIMELY]
    assert CONTRARY < DOUBT


def test_a_state_is_its_fields_and_nothing_else() -> None:
    clock = EventClock(BEGIN_MS)
    hear(clock, [1000, 2 * HOUR_MS])
    again = EventClock.load(clock.dump())
    assert again.dump() == clock.dump()
    with pytest.raises(ValueError, match="zip"):
        EventClock.load(clock.dump()[1:])


@pytest.mark.skipif(native is None, reason="the compiled core was not built")
def test_the_compiled_gate_keeps_the_same_fields() -> None:
    assert native is not None
    gate = native.Admission(None, LATENESS_MS, 0, 5, AHEAD_MS)
    state = [BEGIN_MS, BEGIN_MS, 1, 64, 5, 6, -7, 8, 9, 10]
    gate.load([("m", BEGIN_MS, 3)], np.zeros(0, np.uint64), [state])
    assert gate.times() == [state]
    assert len(STATE) == len(state)
