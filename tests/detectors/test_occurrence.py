"""Every value above zero, and the counts of it that a snapshot holds. See also test_conformance.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.occurrence import OccurrenceBank
from detectors.params import Occurrence

TOLD = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, 1.7e308])), max_size=40)


def made(rows: int = 4) -> OccurrenceBank:
    bank = OccurrenceBank(Occurrence())
    bank.resize(rows)
    return bank


@given(TOLD, st.integers(1, 9))
def test_each_value_above_zero_is_one_whatever_came_before(told: list[tuple[int, float]], size: int) -> None:
    bank, found = made(), []
    for begin in range(0, len(told), size):
        part = told[begin : begin + size]
        rows, values = np.array([row for row, _ in part], np.int64), np.array([value for _, value in part])
        hits = bank.update(rows, values)
        found += (hits.place + begin).tolist()
        assert hits.statistic.tolist() == [value for value in values.tolist() if value > 0]
        assert set(hits.direction.tolist()) <= {1}
        assert set(hits.threshold.tolist()) <= {0.0}
    assert found == [i for i, (_, value) in enumerate(told) if value > 0]
    state = bank.dump()
    assert state["n"].tolist() == [sum(row == own for row, _ in told) for own in range(4)]
    assert state["hits"].tolist() == [sum(row == own and value > 0 for row, value in told) for own in range(4)]


def test_rows_are_appended_and_never_taken_away() -> None:
    bank = made(2)
    bank.update(np.array([0, 1, 1]), np.array([1.0, 0.0, 1.0]))
    bank.resize(4)
    bank.resize(1)
    assert bank.rows == 4
    assert {name: counts.tolist() for name, counts in bank.dump().items()} == {"n": [1, 2, 0, 0], "hits": [1, 1, 0, 0]}


@pytest.mark.parametrize(("n", "hits"), [([1], [2]), ([1], [-1]), ([-1], [0]), ([1, 1], [1])])
def test_counts_that_cannot_be_are_refused_and_change_nothing(n: list[int], hits: list[int]) -> None:
    bank = made(1)
    bank.update(np.array([0]), np.array([1.0]))
    with pytest.raises(ValueError):  # noqa: PT011  (the text differs)
        bank.load({"n": np.array(n), "hits": np.array(hits)})
    assert [counts.tolist() for counts in bank.dump().values()] == [[1], [1]]
