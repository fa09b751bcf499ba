"""What banks share: rows in their order, hits, and states that come from outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import bank
from detectors.bank import (
    array_of,
    arrays_of,
    by_row,
    check_values,
    count_of,
    hits_of,
    in_order,
    once,
    ranks,
    renumbered,
    rows_of,
)

ROWS = st.lists(st.integers(0, 5) | st.sampled_from((65_535, 65_536, 10**6)), max_size=40)


@given(ROWS)
def test_rows_are_sorted_and_equal_ones_stay_in_their_order(rows: list[int]) -> None:
    order, there, begins = in_order(np.array(rows, np.int64))
    assert order.tolist() == sorted(range(len(rows)), key=lambda i: (rows[i], i))
    assert there.tolist() == sorted(set(rows))
    assert begins == [sorted(rows).index(row) for row in sorted(set(rows))]


@given(ROWS)
def test_a_rank_counts_what_came_before(rows: list[int]) -> None:
    assert ranks(np.array(rows, np.int64)).tolist() == [rows[:i].count(row) for i, row in enumerate(rows)]


@given(ROWS)
def test_values_by_row(rows: list[int]) -> None:
    values = [float(i) for i in range(len(rows))]
    order, ordered, spans = by_row(np.array(rows, np.int64), np.array(values))
    assert ordered == [values[i] for i in order.tolist()]
    assert {row: ordered[begin:end] for row, begin, end in spans} == {
        row: [value for own, value in zip(rows, values, strict=True) if own == row] for row in set(rows)
    }


def test_what_was_given_last_is_not_worked_out_again() -> None:
    calls: list[int] = []

    @once
    def total(values: Any) -> float:
        calls.append(len(values))
        return float(values.sum())

    one = np.array([1.0, 2.0])
    assert [total(one), total(one.copy()), total(np.array([1, 2])), total(one)] == [3.0] * 4
    assert len(calls) == 3, "equal bytes of another type are something else"
    one[0] = 5.0
    assert total(one) == 7.0, "by what is in it, not by which array it is"


def test_hits_as_columns() -> None:
    found = hits_of([(3, 1, 2.5, 1.0), (7, -1, 3.0, 1.0)])
    assert [column.tolist() for column in found] == [[3, 7], [1, -1], [2.5, 3.0], [1.0, 1.0], [0, 0], [-1, -1]]
    for hits in (found, hits_of([])):
        assert [column.dtype for column in hits] == [np.int64, np.int8, np.float64, np.float64, np.int64, np.int8]
    assert [len(column) for column in hits_of([])] == [0] * 6


@pytest.mark.parametrize("values", [[np.nan], [np.inf, 1.0], [1.0, -np.inf], [1.0, 2.0, 3.0]])
def test_values_that_no_detector_may_see(values: list[float]) -> None:
    with pytest.raises(AssertionError):
        check_values(np.zeros(2 if len(values) == 3 else len(values), np.int64), np.array(values))
    check_values(np.zeros(1, np.int64), np.array([1.7e308]))


STATE = {"a": np.arange(3), "b": np.zeros(2), "c": np.zeros((2, 2))}


@pytest.mark.parametrize(
    ("name", "dtype", "shape"),
    [("a", "i8", (2,)), ("a", "f8", (3,)), ("a", "i4", (3,)), ("c", "f8", (4,)), ("none", "i8", (3,))],
)
def test_an_array_of_another_kind_is_none(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"state array '{name}' is missing or not"):
        array_of(STATE, name, dtype, shape)
    with pytest.raises(ValueError, match="missing"):
        array_of({"a": [1, 2, 3]}, "a", "i8", (3,))


def test_arrays_of_a_state() -> None:
    assert array_of(STATE, "c", "f8", (2, 2)) is STATE["c"]
    assert set(arrays_of(STATE, 3, {"a": "i8"})) == {"a"}
    assert rows_of(STATE, "a") == 3
    with pytest.raises(ValueError, match="missing or has too many"):
        rows_of(STATE, "c")
    with pytest.raises(ValueError, match="missing or has too many"):
        rows_of(STATE, "none")


def test_a_state_cannot_claim_more_rows_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "ROWS_MAX", 2)
    with pytest.raises(ValueError, match="too many rows"):
        rows_of(STATE, "a")
    assert rows_of(STATE, "b") == 2


@pytest.mark.parametrize(("counts", "most", "total"), [([], 5, 0), ([0, 5], 5, 5), ([6], 5, None), ([-1, 1], 5, None)])
def test_lengths_are_checked_before_they_are_added(counts: list[int], most: int, total: int | None) -> None:
    given_counts = np.array(counts, np.int64)
    if total is None:
        with pytest.raises(ValueError, match="length"):
            count_of(given_counts, most)
    else:
        assert count_of(given_counts, most) == total
    with pytest.raises(ValueError, match="length"):
        count_of(np.array([2**62, 2**62]), 5)


def test_what_is_known_by_row_is_renumbered_with_it() -> None:
    assert renumbered({3: "a", 0: "b", 2: "c"}, np.array([0, 3])) == {1: "a", 0: "b"}
    assert renumbered({3: "a"}, np.zeros(0, np.int64)) == {}
