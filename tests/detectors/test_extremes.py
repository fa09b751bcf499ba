"""Daily extremes: limits after a week, what waits, what is clipped, and what a day may not do."""

from __future__ import annotations

from math import exp, inf

import numpy as np
import pytest

from detectors import extremes
from detectors.extremes import LAG, MEMORY, SCHOOL, DailyExtremes, beyond


def after(days: list[float], floors: tuple[float, ...] = (0.0,), odds: float = 8.0) -> DailyExtremes:
    """One row that has shown these, a day each, and nothing of the day after."""
    made = DailyExtremes(1)
    made.resize(1)
    for day, value in enumerate(days):
        made.turn(0, day, odds, floors)
        made.take(0, 0, value)
    made.turn(0, len(days), odds, floors)
    return made


def test_a_week_of_days_makes_a_limit_and_no_less() -> None:
    assert after([1.0] * (SCHOOL - 1)).in_school(0)
    assert after([1.0] * (SCHOOL - 1)).limits(0, 0) == (-inf, inf)
    assert not after([1.0] * SCHOOL).in_school(0)
    assert after([1.0] * SCHOOL).limits(0, 0) == (1.0, 1.0)
    assert after([1.0] * SCHOOL, floors=(0.5,)).limits(0, 0) == (0.5, 1.5)


def test_a_limit_is_as_far_as_the_odds_ask_for() -> None:
    normal = np.random.default_rng(1).normal(0, 1, 500).tolist()
    for odds in (6.0, 9.0):
        low, high = after(normal, odds=odds).limits(0, 0)
        assert low < -2.5 < 2.5 < high
        assert abs(high - beyond(odds)) < 0.5 * beyond(odds)
    assert after(normal, odds=9.0).limits(0, 0)[1] > after(normal, odds=6.0).limits(0, 0)[1]


def test_few_days_pay_by_a_wider_limit() -> None:
    few, many = (after([0.0, 1.0] * count) for count in (4, 50))
    assert few.limits(0, 0)[1] > many.limits(0, 0)[1]


def test_the_newest_days_wait_and_a_wild_one_counts_as_the_limit() -> None:
    calm = [float(day % 2) for day in range(20)]
    limit = after(calm).limits(0, 0)[1]
    for wild in range(1, LAG + 1):
        assert after([*calm, *[1000.0] * wild]).limits(0, 0)[1] < limit + 0.5, "it waits"
    once = after([*calm, *[1000.0] * (LAG + 1)]).limits(0, 0)[1]
    assert limit < once < 3 * limit, "it was clipped"


def test_what_is_long_ago_fades() -> None:
    old = after([5.0] * 30 + [0.0, 0.1] * 2 * MEMORY)
    assert old.usual(0, 0)[1] < 1.0


def test_days_without_a_value_are_no_days() -> None:
    made = DailyExtremes(1)
    made.resize(1)
    for day in range(0, 10 * SCHOOL, 10):
        made.turn(0, day, 8.0, [0.0])
        made.turn(0, day + 3, 8.0, [0.0])
        made.take(0, 0, 1.0)
    assert made.in_school(0)
    made.turn(0, 1000, 8.0, [0.0])
    assert not made.in_school(0)
    made.turn(0, 5, 8.0, [0.0])
    assert made.day[0] == 1000, "a clock that goes back turns nothing"


def test_rows_are_kept_forgotten_and_grown() -> None:
    made = after([1.0] * 9)
    made.resize(3)
    assert made.rows == 3
    assert made.in_school(2)
    made.retain(np.array([0, 2]))
    assert made.rows == 2
    assert not made.in_school(0)
    made.forget(0)
    assert made.in_school(0)
    assert made.seen(0, 0) == (inf, -inf)


def test_a_dump_is_the_whole_of_it_and_a_wrong_one_is_refused() -> None:
    made, again = after([1.0, 2.0] * 9), DailyExtremes(1)
    again.load(made.dump())
    assert {k: v.tobytes() for k, v in again.dump().items()} == {k: v.tobytes() for k, v in made.dump().items()}
    for name, bad in (
        ("count", made.dump()["count"] + np.uint8(99)),
        ("limit", made.limit * np.nan),
        ("day", made.day * 1.0),
    ):
        with pytest.raises(ValueError, match=r"."):
            again.load({**made.dump(), name: bad})


@pytest.mark.parametrize("limits", [1, 6])
def test_all_limits_of_a_series_together_are_wrong_as_often_as_it_may(limits: int) -> None:
    assert limits * exp(-extremes.odds(0.01, limits)) == pytest.approx(0.01)


def test_a_budget_of_a_false_alarm_a_day_still_means_a_limit() -> None:
    assert extremes.odds(0.5) == 1.0


@pytest.mark.parametrize("days", [0, 1, 2, 3, SCHOOL - 1, SCHOOL, SCHOOL + 3])
def test_it_says_how_many_days_its_school_still_takes(days: int) -> None:
    made = after([1.0] * days)
    assert made.days_left().tolist() == [max(SCHOOL - days, 0)]
    assert made.in_school(0) == (days < SCHOOL)
