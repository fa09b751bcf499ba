"""One suite over every detector of the table: whatever a bank is, this holds for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors import BANKS, Adwin, Bank, PageHinkley, Params, River, make_bank
from detectors.params import RIVER_DETECTORS
from tests.detectors.streams import coin, shifting

PARAMS: list[Params] = [
    Adwin(delta=0.05, clock=4),
    PageHinkley(delta=0.005, threshold=5),
    *(River(name) for name in RIVER_DETECTORS),
]
BINARY = {"DDM", "EDDM", "FHDDM", "HDDMA", "HDDMW"}


def make(params: Params, rows: int) -> Bank:
    bank = make_bank(params)
    bank.resize(rows)
    return bank


def values_for(params: Params, seed: int, n: int) -> NDArray[np.float64]:
    binary = isinstance(params, River) and params.name in BINARY
    return (coin if binary else shifting)(np.random.default_rng(seed), n)


def state(bank: Bank) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in bank.dump().items()}


def ids(params: Params) -> str:
    return params.name if isinstance(params, River) else type(params).__name__


every = pytest.mark.parametrize("params", PARAMS, ids=ids)


def test_the_suite_covers_the_table() -> None:
    assert {type(p) for p in PARAMS} == set(BANKS)
    assert {p.name for p in PARAMS if isinstance(p, River)} == set(RIVER_DETECTORS)


@every
def test_any_cut_gives_the_same_hits_and_state(params: Params) -> None:
    n = 300 if isinstance(params, River) else 1500
    rows = np.random.default_rng(1).integers(0, 3, n)
    values = values_for(params, 2, n)
    whole = make(params, 3)
    expected = whole.update(rows, values)

    @settings(max_examples=8 if isinstance(params, River) else 25, deadline=None, database=None)
    @given(st.lists(st.integers(0, n), max_size=6))
    def check(cuts: list[int]) -> None:
        edges = [0, *sorted(cuts), n]
        bank, found = make(params, 3), []
        for begin, end in zip(edges, edges[1:], strict=False):
            hits = bank.update(rows[begin:end], values[begin:end])
            found += [(begin + i, *rest) for i, *rest in zip(*(h.tolist() for h in hits), strict=True)]
        assert found == list(zip(*(h.tolist() for h in expected), strict=True))
        assert state(bank) == state(whole)

    check()


@every
def test_a_snapshot_continues_as_if_nothing_had_happened(params: Params) -> None:
    n = 800
    values, rows = values_for(params, 4, n), np.zeros(n, np.int64)
    bank = make(params, 1)
    bank.update(rows[:500], values[:500])
    again = make_bank(params)
    again.load(bank.dump())
    assert again.rows == 1
    for one, other in zip(bank.update(rows[500:], values[500:]), again.update(rows[500:], values[500:]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert state(bank) == state(again)


@every
def test_rows_do_not_know_each_other_and_may_come_later(params: Params) -> None:
    n = 400
    one, two = values_for(params, 5, n), values_for(params, 6, n)
    alone = make(params, 1)
    alone.update(np.zeros(n, np.int64), two)
    bank = make(params, 1)
    bank.update(np.zeros(100, np.int64), one[:100])
    bank.resize(2)
    mixed = np.concatenate([np.repeat(1, 100), np.tile([0, 1], 300)])
    bank.update(mixed, np.concatenate([two[:100], np.column_stack([one[100:], two[100:]]).ravel()]))
    assert alone.rows == 1
    assert bank.rows == 2
    tail = make_bank(params)
    tail.load(bank.dump())
    solo = bank_of_row(params, bank, 1)
    assert solo == bank_of_row(params, alone, 0)


def bank_of_row(params: Params, bank: Bank, row: int) -> list[Any]:
    """What a row does next is its state, told without looking inside."""
    probe = values_for(params, 9, 300)
    copy = make_bank(params)
    copy.load(bank.dump())
    return [h.tolist() for h in copy.update(np.full(300, row), probe)]


@every
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(params: Params, value: float) -> None:
    with pytest.raises(AssertionError, match="not finite"):
        make(params, 1).update(np.zeros(1, np.int64), np.array([value]))


@every
def test_state_stays_small(params: Params) -> None:
    bank = make(params, 1)
    n = 2_000 if isinstance(params, River) and params.name == "KSWIN" else 20_000
    bank.update(np.zeros(n, np.int64), values_for(params, 7, n))
    assert sum(a.nbytes for a in bank.dump().values()) < 16_384


@every
def test_broken_state_is_refused(params: Params) -> None:
    bank = make(params, 2)
    bank.update(np.array([0, 1] * 50), values_for(params, 8, 100))
    good = bank.dump()
    for name in good:
        for bad in (None, good[name][:-1], good[name].astype(np.float32)):
            broken: dict[str, Any] = {**good, name: bad}
            with pytest.raises(ValueError):  # noqa: PT011  (the text differs per bank)
                make_bank(params).load(broken)


CANONICAL: list[tuple[Params, int]] = [
    (Adwin(delta=0.002), 1023),
    (PageHinkley(delta=0.005, threshold=50), 1051),
    (River("KSWIN"), 1013),
]


@pytest.mark.parametrize(("params", "index"), CANONICAL, ids=lambda p: ids(p) if not isinstance(p, int) else str(p))
def test_exact_index_on_a_step(params: Params, index: int) -> None:
    values = np.r_[np.zeros(1000), np.ones(1000)]
    assert make(params, 1).update(np.zeros(2000, np.int64), values).place.tolist()[:1] == [index]


@pytest.mark.parametrize("kind", [Adwin, PageHinkley])
def test_direction(kind: Callable[..., Params]) -> None:
    values = np.r_[np.zeros(500), np.ones(500) * 3]
    for direction, shift, expected in (("up", 1, [1]), ("down", -1, [-1]), ("down", 1, []), ("up", -1, [])):
        bank = make(kind(direction=direction), 1)
        assert bank.update(np.zeros(1000, np.int64), values * shift).direction.tolist() == expected
