"""The figures of windows against healthy days: what days have shown is no news, and in school only what is gross."""

from __future__ import annotations

import random

import numpy as np
import pytest

from detectors.extremes import DAY_MS, SCHOOL
from streamer.monitors.daily_limit import Away, DailyLimit, load_of

LIMIT = 0.25
A_DAY = 6


def limit_of(rows: int = 1) -> DailyLimit:
    made = DailyLimit(lambda row: 0.003)
    made.resize(rows)
    return made


def days(made: DailyLimit, figures: list[float], begin: int = 0, load: float = 1.0) -> list[bool]:
    """Six windows a day."""
    return [made.beyond(0, figure, (begin + i) * DAY_MS // A_DAY, LIMIT, load) for i, figure in enumerate(figures)]


def swing(count: int, seed: int = 0) -> list[float]:
    """Far beyond the limit at one time of each day, by a bit more or less."""
    rng = random.Random(seed)
    return [(2.0 if i % A_DAY == 3 else 0.1) * rng.uniform(0.9, 1.1) for i in range(count)]


def test_what_every_day_shows_is_no_news_and_what_none_shows_is() -> None:
    made = limit_of()
    assert not any(days(made, swing(20 * A_DAY))[2 * A_DAY :])
    assert days(made, [5.0], 20 * A_DAY) == [True]
    assert made.of(0, LIMIT) > 2.2, "a person is told the limit that counts"


def test_what_is_below_the_fixed_limit_is_no_news_however_still_the_days_are() -> None:
    made = limit_of()
    days(made, [0.01] * 10 * A_DAY)
    assert days(made, [0.2, 0.3], 10 * A_DAY) == [False, True]


def test_in_school_only_what_is_gross_is_told_as_long_as_it_lasts_and_once() -> None:
    made = limit_of()
    assert not any(days(made, swing(3 * A_DAY))[A_DAY:])
    begin = 3 * A_DAY
    assert days(made, [4.0] * 3, begin) == [False, False, False], "not twice what was seen"
    assert days(made, [20.0] * 4, begin + 3) == [True] * 4
    assert days(made, [0.1] * 2, begin + 7) == [False] * 2
    assert days(made, [20.0], begin + 9) == [False], "it was told and is over: from then on it was seen"


def test_the_first_day_knows_no_cycle_so_that_it_must_have_begun_steady() -> None:
    steady, rising = limit_of(), limit_of()
    assert days(steady, [0.05, 0.06, 0.2, 0.9]) == [False, False, False, True], "half of a window is no excuse"
    assert not any(days(rising, [0.05, 0.2, 0.4, 0.9, 3.0]))


def returning() -> DailyLimit:
    made = DailyLimit(lambda row: 0.003, returns=True)
    made.resize(1)
    return made


@pytest.mark.parametrize("near", [0, 1, 2])
def test_what_is_far_from_its_first_windows_on_is_told_when_it_was_so_for_a_day(near: int) -> None:
    """The first two may be half of a fault that began soon behind the warm-up."""
    far = [0.2] * near + [0.9] * 4 * A_DAY
    told = days(returning(), far)
    begin = max(near, 1) - 1 + A_DAY
    assert told.index(True) == begin
    assert all(told[begin:]), "as long as it lasts"
    assert not any(days(limit_of(), far)), "a number may wander for ever"


@pytest.mark.parametrize("near", [[0.2] * 3, [0.9] * 3 + [0.2]])
def test_what_was_near_at_first_or_came_back_breathes(near: list[float]) -> None:
    assert not any(days(returning(), near + [0.9] * 5 * A_DAY))


def test_days_under_another_load_than_the_first_one_say_nothing_of_that() -> None:
    made = returning()
    days(made, [0.9, 0.9])
    assert not any(days(made, [0.9] * 2 * A_DAY, 2, load=2.0))
    assert days(made, [0.9], 2 * A_DAY + 2) == [True], "at the load of the first one it is as far away as it was"


@pytest.mark.parametrize("load", [0.0, 0.5, 2.0])
def test_in_school_the_first_window_of_a_load_that_nobody_has_seen_is_no_news(load: float) -> None:
    made = limit_of()
    days(made, [0.1] * 2 * A_DAY)
    assert days(made, [4.0], 2 * A_DAY, load) == [False]
    assert days(made, [0.1] * 5, 2 * A_DAY + 1) == [False] * 5
    assert days(made, [4.4, 20.0], 3 * A_DAY, load) == [False, True], "by now it is known what is usual then"
    assert days(made, [20.0], 3 * A_DAY + 3) == [True]


def test_a_load_that_no_day_has_shown_is_no_news_until_it_counts() -> None:
    """As at the end of a month: from the third day on its figures count, and so does it."""
    made, begin = limit_of(), 10 * A_DAY
    days(made, [0.1] * begin)
    assert days(made, [0.3, 0.4], begin, load=0.7) == [True, True], "a third busier than any so far"
    made = limit_of()
    days(made, [0.1] * begin)
    assert days(made, [0.3, 0.4, 0.6], begin, load=0.4) == [False, False, True], "what is gross is told"
    assert days(made, [0.3], begin + A_DAY, load=0.4) == [False], "a day later"
    assert days(made, [0.1], begin + 2 * A_DAY) == [False]
    assert days(made, [0.45], begin + 4 * A_DAY, load=0.4) == [True]


def test_loads_of_older_snapshots_are_all_there_are() -> None:
    made, begin = limit_of(2), 10 * A_DAY
    days(made, [0.1, 0.1])
    days(made, [0.1], 2, 8.0)
    assert made.dump()["loads"] == [[0, 1.0, 8.0]]
    days(made, [0.1] * (begin - 3), 3)
    older = {name: part for name, part in made.dump().items() if name not in ("loads", "newer")}
    other = limit_of()
    other.load(older)
    assert other.loads == other.newer == {}
    assert days(made, [0.4], begin, load=0.1) == [False]
    assert days(other, [0.4], begin, load=0.1) == [True]


def test_a_load_is_the_time_an_event_took() -> None:
    assert [load_of(1_000, 9_000, 4), load_of(5, 5, 4), load_of(9, 5, 4)] == [2_000.0, 0.0, 0.0]


def test_rows_move_and_a_snapshot_is_taken_up() -> None:
    made, other = limit_of(2), limit_of()
    for i in range(4 * A_DAY):
        made.beyond(1, 0.1 + 0.01 * (i % 3), i * DAY_MS // A_DAY, LIMIT, 1.0)
    made.calm.signal(1, True)
    made.away[1] = Away(1.0, 5, 0, 2)
    made.retain(np.array([1]))
    other.load(made.dump())
    later = [(made if who else other).beyond(0, 3.0, SCHOOL * DAY_MS, LIMIT, 1.0) for who in (True, False)]
    assert later == [True, True]
    assert str(other.dump()) == str(made.dump())


def test_a_state_that_cannot_be_is_refused() -> None:
    for wrong in (
        {"held": [[0, float("nan")]]},
        {"loads": [[0, 2.0, 1.0]]},
        {"loads": [[0, 1.0, float("inf")]]},
        {"away": [[0, 1.0, 0, 9, 0]]},
    ):
        with pytest.raises(ValueError, match="figures"):
            limit_of().load({**limit_of().dump(), **wrong})
