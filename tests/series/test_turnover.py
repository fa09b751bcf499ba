"""Whose place may be given to another: when somebody has to leave at all, who it is, and who stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.series.turnover import MARKS, Places, Turnover, newest_of_groups
from streamer.signals.columns import Groups
from tests.signals.events import batch_of


def test_nobody_leaves_while_there_is_room_or_before_the_patience_is_over() -> None:
    turnover = Turnover(16, 50)
    assert (turnover.patience, turnover.crowded, turnover.enough) == (100, 14, 12)
    assert not turnover.turn(10, 0, 7), "less than half"
    assert turnover.marks == []
    assert [turnover.turn(10 + i, 50 * i, 16) for i in range(4)] == [False, False, True, True]
    assert not turnover.turn(20, 151, 16), "whoever could leave now could before"
    assert not turnover.turn(21, 300, 13), "not crowded"
    assert not turnover.turn(22, 400, 7)
    assert turnover.marks == [], "in calm nothing is remembered"


def test_what_is_remembered_is_bounded_and_reaches_back_as_far_as_the_patience() -> None:
    turnover = Turnover(1000, 80)
    for i in range(5000):
        turnover.turn(1000 + i, 17 * i, 1000)
        assert len(turnover.marks) <= MARKS + 2
    (_, first), (_, second) = turnover.marks[:2]
    assert turnover.marks[-1][1] - first >= turnover.patience > turnover.marks[-1][1] - second


def test_the_longest_silent_leave_first_and_some_last_or_never() -> None:
    turnover = Turnover(8, 1)
    turnover.load([[100, 0], [200, 10]])
    times, offsets = np.array([5, 3, 4, 3, 1, 2, 9, 0]), np.array([1, 2, 3, 4, 100, 5, 6, 99])
    nobody = np.zeros(8, bool)

    def leaving(last: list[int], never: list[int]) -> list[int]:
        flags = (np.isin(np.arange(8), chosen) for chosen in (last, never))
        return turnover.leaving(times, offsets, *flags, 8).tolist()

    assert leaving([], []) == [5, 7], "two leave: a quarter is free then; the fifth spoke since the mark"
    assert leaving([7], []) == [1, 5], "of equal times the first"
    assert leaving([7], [5, 1]) == [2, 3]
    assert leaving([0, 1, 2, 3, 5, 6], [7]) == [1, 5], "all that may leave have open alerts"
    assert turnover.leaving(times, offsets + 100, nobody, nobody, 8).tolist() == []


def test_a_full_memory_lets_nobody_in_until_somebody_has_left() -> None:
    places: Places[str] = Places(8, 8)
    for i, key in enumerate("abcdefgh"):
        assert places.hear(key, 1000 - i, i)
    assert not places.hear("new", 0, 8)
    assert places.hear("b", 2000, 9)
    places.clock = 8
    assert places.turn(10) == []
    assert places.hear("c", 2001, 11)
    places.clock = 16
    assert places.turn(12, never=lambda key: key == "h") == ["f", "g"], "the oldest by time, though not by offset"
    assert places.hear("new", 0, 13)
    again: Places[str] = Places(8, 8)
    again.load(places.dump(), list(places.heard))
    assert repr(again.dump()) == repr(places.dump())
    assert (again.heard, again.clock, again.evicted) == (places.heard, 16, 2)
    with pytest.raises(ValueError, match="twice"):
        again.load(places.dump(), ["a"] * 7)


def test_where_keys_take_more_than_one_place_as_many_leave_as_make_a_quarter_free() -> None:
    places: Places[int] = Places(100, 8)
    for i in range(10):
        places.hear(i, i, i)
    assert places.turn(50, used=90) == []
    places.clock = 1000
    assert places.turn(60, used=90) == [0, 1]


@pytest.mark.parametrize("events", [[], [0], [0, 1, 2, 3, 4]])
def test_the_last_events_of_groups_in_the_order_of_their_first(events: list[int]) -> None:
    batch = batch_of([{"caller": c, "time": 100 + i} for i, c in enumerate("abaab")])
    groups = Groups(np.array([1, 0, 1, 1, 0]), [("b",), ("a",)])
    expected: Any = {0: [], 1: [(1, 100_000, 0)], 5: [(1, 103_000, 3), (0, 104_000, 4)]}[len(events)]
    assert newest_of_groups(batch, groups, np.array(events, np.int64)) == expected
