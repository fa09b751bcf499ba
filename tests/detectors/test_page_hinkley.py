"""Page-Hinkley on any values, and states of it. See also test_river_equality.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import PageHinkley
from detectors.page_hinkley import PageHinkleyBank, checked_state
from detectors.params import DIRECTIONS
from tests.detectors.test_river_equality import check_page_hinkley, finite


@given(st.lists(finite, max_size=120), st.sampled_from(DIRECTIONS))
def test_page_hinkley_on_any_values(values: list[float], mode: str) -> None:
    check_page_hinkley(PageHinkley(3, 0.005, 2.0, 0.99, mode), values)


def fed(values: list[float]) -> PageHinkleyBank:
    bank = PageHinkleyBank(PageHinkley(3, 0.005, 2.0, 1.0))
    bank.resize(1)
    bank.update(np.zeros(len(values), np.int64), np.array(values))
    return bank


def test_a_row_begins_anew_at_the_value_behind_an_alarm_and_a_snapshot_knows_it() -> None:
    bank = fed([0.0] * 10 + [3.0])
    state = bank.dump()
    assert state["detected"].tolist() == [1.0]
    again = PageHinkleyBank(bank.params)
    again.load(state)
    for one in (bank, again):
        one.update(np.zeros(1, np.int64), np.array([7.0]))
    assert [column.tolist() for column in again.dump().values()] == [column.tolist() for column in bank.dump().values()]
    assert (again.dump()["n"].tolist(), again.dump()["mean"].tolist()) == ([1.0], [7.0])


@pytest.mark.parametrize(
    ("name", "value"), [("n", -1.0), ("n", 0.5), ("n", np.inf), ("n", np.nan), ("detected", 0.5), ("detected", np.nan)]
)
def test_counts_of_a_state_are_counts(name: str, value: float) -> None:
    state = fed([1.0, 2.0]).dump()
    with pytest.raises(ValueError, match="number of values|detection"):
        checked_state({**state, name: np.array([value])})


def test_sums_of_a_state_may_have_overflowed() -> None:
    state = fed([1.0, 2.0]).dump()
    assert checked_state({**state, "mean": np.array([np.inf]), "sum_increase": np.array([np.nan])})
