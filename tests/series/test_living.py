"""Who lives is a matter of a model's own clock, of warm-ups that are over, and of nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.series.living import LIVES_MS, Living, joined


def counted(models: str, seen: list[int], times_ms: list[int]) -> Living:
    living = Living()
    assert living.count(list(models), np.array(seen), np.array(times_ms))
    return living


def test_a_row_lives_that_is_judged_and_was_heard_by_the_clock_of_its_model() -> None:
    now = 10 * LIVES_MS
    living = counted("aabab", [5, 1, 1, 1, 0], [now, now - LIVES_MS + 1, 7, now - LIVES_MS, 0])
    assert living.counts is not None
    assert living.counts.tolist() == [2, 2, 1, 2, 1]
    assert (living.of(2), living.of(5)) == (1, 0), "of a newer row nothing is known"


def test_it_says_whether_something_changed() -> None:
    living = counted("ab", [1, 1], [5, 6])
    assert not living.count(["a", "b"], np.array([2, 2]), np.array([7, 8]))
    assert living.count(["a", "b", "b"], np.array([2, 2, 1]), np.array([7, 8, 9]))


def test_rows_that_leave_and_newer_ones_are_told_apart() -> None:
    living = counted("ab", [1, 1], [5, 6])
    living.retain(np.array([1, 2]), 3)
    dump = living.dump(3)
    assert dump is not None
    assert dump.tolist() == [1, 0, 0]
    other = Living()
    other.load({"living": dump}, 3)
    assert (other.of(0), other.of(1)) == (1, 0)
    other.load({}, 3)
    with pytest.raises(ValueError, match="living"):
        other.load({"living": dump}, 4)


def test_of_two_tables_one_may_never_have_counted() -> None:
    ones = np.ones(2, np.int64)
    assert joined(None, 1, None, 2) is None
    found = joined(None, 1, ones, 2), joined(ones, 2, ones, 2)
    assert [None if one is None else one.tolist() for one in found] == [[0, 1, 1], [1, 1, 1, 1]]
