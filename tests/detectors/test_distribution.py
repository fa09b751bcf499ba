"""Windows of bins against a list that forgets nothing; both implementations, byte for byte."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.compiled import CompiledDistribution
from detectors.distribution import Distribution, edges_of
from schemas.core import native

CORES: list[Any] = [Distribution, CompiledDistribution] if native is not None else [Distribution]
finite = st.floats(allow_nan=False, allow_infinity=False)
stream = st.lists(st.tuples(st.integers(0, 3), st.one_of(st.integers(0, 3).map(float), finite)), max_size=200)


def fed(bank: Any, rows: Any, values: Any, cuts: list[int] | None = None, snapshot: bool = False) -> tuple[Any, Any]:
    """What the bank told, places counted from the beginning; and the bank."""
    told: list[Any] = []
    for begin, end in pairwise([0, *sorted(cuts or []), len(rows)]):
        bank.resize(4)
        at = np.arange(begin, end)
        closed = bank.update(rows[begin:end], values[begin:end], at - begin, at * 3, 1000 - at % 7)
        told += [window._replace(place=window.place + begin) for window in closed]
        if snapshot:
            state, other = bank.dump(), CORES[isinstance(bank, Distribution) and native is not None]
            bank = other(bank.warmup, bank.bins, WINDOW, CODED)
            bank.load(state)
    return told, bank


WINDOW, CODED = 7, False


@settings(max_examples=100, deadline=None, database=None)
@given(stream, st.integers(1, 30), st.integers(2, 6), st.lists(st.integers(0, 200), max_size=3))
def test_as_the_naive_one_however_it_is_cut(
    given_values: list[tuple[int, float]], warmup: int, bins: int, cuts: list[int]
) -> None:
    rows = np.array([row for row, _ in given_values], np.int64)
    values = np.array([value for _, value in given_values])
    cuts = [min(cut, len(rows)) for cut in cuts]
    wanted: list[Any] = []
    for row in range(4):
        places = np.flatnonzero(rows == row)
        edges = edges_of(values[places[:warmup]].tolist(), bins)
        for begin in range(warmup, len(places) - WINDOW + 1, WINDOW):
            mine = places[begin : begin + WINDOW]
            counts = np.bincount(np.searchsorted(edges, values[mine], side="right"), minlength=bins)
            times = 1000 - mine % 7
            ends = mine[0] * 3, mine[-1] * 3, times.min(), times.max()
            wanted.append((mine[-1], row, tuple(counts), *ends))
    for core in CORES:
        told, bank = fed(core(warmup, bins, WINDOW, CODED), rows, values, cuts)
        assert told == sorted(wanted)
        again, other = fed(core(warmup, bins, WINDOW, CODED), rows, values, cuts, snapshot=True)
        assert again == told
        assert {k: v.tobytes() for k, v in other.dump().items()} == {k: v.tobytes() for k, v in bank.dump().items()}


def test_bins_have_equal_shares_and_frequent_values_bins_of_their_own() -> None:
    assert edges_of(list(range(100)), 4) == [25.0, 50.0, 75.0]
    assert edges_of([0.0] * 95 + [1.0] * 5, 10) == [1.0] + [np.inf] * 8
    assert edges_of([-0.0, 0.0, 5.0], 2) == [5.0]
    assert edges_of([7.0] * 50, 10) == [np.inf] * 9
    rng = np.random.default_rng(1)
    mixed = np.r_[np.full(300, 2.5), rng.normal(0, 5, 700)]
    edges = edges_of(mixed.tolist(), 10)
    counts = np.bincount(np.searchsorted(edges, mixed, side="right"))
    assert 2.5 in edges
    assert counts.max() < 330
    assert counts.min() > 20


@pytest.mark.parametrize("core", CORES)
def test_categories_have_a_bin_each_and_the_rest_the_last(core: Any) -> None:
    bank = core(4, 3, 4, True)
    bank.resize(1)
    at = np.arange(8)
    told = bank.update(np.zeros(8, np.int64), np.array([0.0, 1, 1, 0, 2, 2, 9, 0]), at, at, at)
    assert [window.counts for window in told] == [(1, 0, 3)]
    assert bank.bins_of(0) == ([0.5, 1.5], [2, 2, 0])


@pytest.mark.parametrize("core", CORES)
def test_broken_state_is_refused_and_changes_nothing(core: Any) -> None:
    bank = core(3, 3, 5, False)
    bank.resize(2)
    at = np.arange(6)
    bank.update(np.array([0, 1, 0, 0, 0, 1]), np.arange(6.0), at, at, at)
    good = bank.dump()
    for name, array in good.items():
        wrong: list[Any] = [None, array[:0], array.astype(np.float32)]
        if name in ("seen", "reference", "counts"):
            wrong.append(array - 100)
        if name == "edges":
            wrong += [array * np.nan, -np.sort(-array, axis=1) + np.array([1.0, 0.0])]
        for bad in wrong:
            with pytest.raises(ValueError):  # noqa: PT011  (the text differs)
                bank.load({**good, name: bad})
    assert {k: v.tobytes() for k, v in bank.dump().items()} == {k: v.tobytes() for k, v in good.items()}
    with pytest.raises(AssertionError):
        bank.update(np.zeros(1, np.int64), np.array([np.nan]), at[:1], at[:1], at[:1])
