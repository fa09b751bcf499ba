"""Windows of bins against a list that forgets nothing; both implementations, byte for byte."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.compiled import CompiledDistribution, CompiledReference
from detectors.distribution import Distribution, edges_of
from detectors.reference import Reference
from detectors.sample import LateSamples
from schemas.core import native


class Core(NamedTuple):
    """What stands for one of the two."""

    distribution: Any
    reference: Any


PYTHON = Core(Distribution, Reference)
CORES = [PYTHON, Core(CompiledDistribution, CompiledReference)] if native is not None else [PYTHON]
finite = st.floats(allow_nan=False, allow_infinity=False)
stream = st.lists(st.tuples(st.integers(0, 3), st.one_of(st.integers(0, 3).map(float), finite)), max_size=200)
ROWS, WINDOW, CODED = 4, 7, False


class Table:
    """A reference that keeps its samples, and a bank that learns from them; or from later ones, of rows whose warm-up
    was over before there was a bank.
    """

    def __init__(self, core: Core, warmup: int, bins: int) -> None:
        self.core, self.warmup, self.bins = core, warmup, bins
        self.reference, self.bank = core.reference(warmup, True, True), core.distribution(warmup, bins, WINDOW, CODED)
        self.late = LateSamples(warmup)

    def step(self, rows: Any, values: Any, events: Any, offsets: Any, times_ms: Any, seen: bool = True) -> Any:
        """What the bank tells. With `seen=False` there is no bank yet."""
        self.reference.resize(ROWS)
        self.bank.resize(ROWS)
        judged = self.reference.update(rows, values, events, offsets, times_ms)
        completed = self.reference.completed()
        if not seen:
            return []
        for row, sample in completed:
            self.bank.learn(row, sample)
        left = self.late.update(rows, values, judged.ready, self.bank.learned(rows))
        for row, sample in self.late.completed():
            self.bank.learn(row, sample)
        return self.bank.update(rows, values, left, events, offsets, times_ms)

    def reloaded(self) -> Table:
        """What a snapshot makes of it, taken up by the other core."""
        again = Table(CORES[self.core is PYTHON and native is not None], self.warmup, self.bins)
        for one, other in ((again.reference, self.reference), (again.bank, self.bank), (again.late, self.late)):
            one.load(other.dump())
        return again

    def states(self) -> list[dict[str, bytes]]:
        dumps = (part.dump() for part in (self.reference, self.bank, self.late))
        return [{name: array.tobytes() for name, array in dump.items()} for dump in dumps]


def fed(
    table: Table, rows: Any, values: Any, cuts: list[int] | None = None, snapshot: bool = False, begin_at: int = 0
) -> tuple[Any, Table]:
    """What the bank told, places counted from the beginning; and the table. There is a bank from `begin_at` on."""
    told: list[Any] = []
    for begin, end in pairwise(sorted([0, *(cuts or []), begin_at, len(rows)])):
        at = np.arange(begin, end)
        closed = table.step(rows[begin:end], values[begin:end], at - begin, at * 3, 1000 - at % 7, begin >= begin_at)
        told += [window._replace(place=window.place + begin) for window in closed]
        if snapshot:
            table = table.reloaded()
    return told, table


def naive(rows: Any, values: Any, warmup: int, bins: int, begin_at: int) -> list[Any]:
    """All windows by place, each row's from its whole list."""
    wanted: list[Any] = []
    for row in range(ROWS):
        places = np.flatnonzero(rows == row)
        early = int((places < begin_at).sum())
        places = places[early:] if early >= warmup else places  # A warm-up that was over taught the bank nothing.
        edges = edges_of(values[places[:warmup]].tolist(), bins)
        for begin in range(warmup, len(places) - WINDOW + 1, WINDOW):
            mine = places[begin : begin + WINDOW]
            counts = np.bincount(np.searchsorted(edges, values[mine], side="right"), minlength=bins)
            times = 1000 - mine % 7
            ends = mine[0] * 3, mine[-1] * 3, times.min(), times.max()
            wanted.append((mine[-1], row, tuple(counts), *ends))
    return sorted(wanted)


@given(
    stream,
    st.integers(1, 30),
    st.integers(2, 6),
    st.lists(st.integers(0, 200), max_size=3),
    st.one_of(st.just(0), st.integers(0, 150)),
)
def test_as_the_naive_one_however_it_is_cut(
    given_values: list[tuple[int, float]], warmup: int, bins: int, cuts: list[int], begin_at: int
) -> None:
    rows = np.array([row for row, _ in given_values], np.int64)
    values = np.array([value for _, value in given_values])
    cuts, begin_at = [min(cut, len(rows)) for cut in cuts], min(begin_at, len(rows))
    wanted = naive(rows, values, warmup, bins, begin_at)
    states = []
    for core in CORES:
        told, table = fed(Table(core, warmup, bins), rows, values, cuts, begin_at=begin_at)
        assert told == wanted
        again, other = fed(Table(core, warmup, bins), rows, values, cuts, snapshot=True, begin_at=begin_at)
        assert again == told
        assert other.states() == table.states()
        whole, one = fed(Table(core, warmup, bins), rows, values, begin_at=begin_at)
        assert whole == told
        assert one.states() == table.states()
        states.append(table.states())
    assert states[0] == states[-1]


def test_a_row_learns_and_goes_on_in_the_middle_of_a_column() -> None:
    """The same as value by value, and windows are told by their place in the whole column."""
    rng = np.random.default_rng(3)
    rows, values = rng.integers(0, ROWS, 700) // 2 * 2, rng.normal(0, 1, 700)
    rows[60:] += rng.integers(0, 2, 640)  # Two rows begin later than the others.
    for core in CORES:
        for begin_at in (0, 90):
            told, table = fed(Table(core, 20, 5), rows, values, begin_at=begin_at)
            apart, other = fed(Table(core, 20, 5), rows, values, list(range(1, 700)), begin_at=begin_at)
            assert told == apart == naive(rows, values, 20, 5, begin_at)
            assert table.states() == other.states()
            assert len(told) > 60
            assert all(rows[window.place] == window.row for window in told)
            assert all(table.bank.learned(np.arange(ROWS)))


@pytest.mark.parametrize("core", CORES)
def test_nothing_counts_before_its_row_has_learned(core: Core) -> None:
    bank, at = core.distribution(2, 2, 3), np.arange(4)
    bank.resize(2)
    bank.learn(1, np.array([0.0, 5.0]))
    assert bank.learned(np.array([0, 1, 1])).tolist() == [False, True, True]
    before = bank.dump()
    assert bank.update(np.array([0, 0, 0, 1]), np.ones(4), np.array([True, True, True, False]), at, at, at) == []
    assert {k: v.tobytes() for k, v in bank.dump().items()} == {k: v.tobytes() for k, v in before.items()}
    assert bank.bins_of(0) == ([], [])
    told = bank.update(np.array([1, 0, 1, 1]), np.array([0.0, 9, 9, 5]), np.ones(4, bool), at, at, at)
    assert [(window.place, window.counts) for window in told] == [(3, (1, 2))]


@pytest.mark.parametrize("core", CORES)
def test_a_sample_that_is_none_is_refused_and_changes_nothing(core: Core) -> None:
    bank = core.distribution(3, 4, 5)
    bank.resize(2)
    bank.learn(1, np.arange(3.0))
    before = {name: array.tobytes() for name, array in bank.dump().items()}
    for row, values in ((0, [1.0, 2.0]), (0, [1.0, 2.0, 3.0, 4.0]), (1, [1.0, 2.0, 3.0]), (2, [1.0, 2.0, 3.0])):
        with pytest.raises(AssertionError):
            bank.learn(row, np.array(values))
    for odd in (np.nan, np.inf):
        with pytest.raises(AssertionError):
            bank.learn(0, np.array([0.0, odd, 1.0]))
    assert {name: array.tobytes() for name, array in bank.dump().items()} == before


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
def test_categories_have_a_bin_each_and_the_rest_the_last(core: Core) -> None:
    bank = core.distribution(4, 3, 4, True)
    bank.resize(1)
    bank.learn(0, np.array([0.0, 1, 1, 0]))
    at = np.arange(4)
    told = bank.update(np.zeros(4, np.int64), np.array([2.0, 2, 9, 0]), np.ones(4, bool), at, at, at)
    assert [window.counts for window in told] == [(1, 0, 3)]
    assert bank.bins_of(0) == ([0.5, 1.5], [2, 2, 0])


@pytest.mark.parametrize("core", CORES)
def test_broken_state_is_refused_and_changes_nothing(core: Core) -> None:
    bank = core.distribution(3, 3, 5, False)
    bank.resize(2)
    bank.learn(0, np.array([0.0, 2, 3]))
    at = np.arange(6)
    bank.update(np.array([0, 1, 0, 0, 0, 1]), np.arange(6.0), np.ones(6, bool), at, at, at)
    good = bank.dump()
    for name, array in good.items():
        wrong: list[Any] = [None, array[:0], array.astype(np.float32)]
        if name in ("seen", "reference", "counts"):
            wrong += [array - 100, array + 1]
        if name == "edges":
            wrong += [array * np.nan, -np.sort(-array, axis=1) + np.array([1.0, 0.0]), array[::-1].copy()]
        if name == "learned":
            wrong += [~array, np.ones(2, bool), np.zeros(2, bool)]
        for bad in wrong:
            with pytest.raises(ValueError):  # noqa: PT011  (the text differs)
                bank.load({**good, name: bad})
    assert {k: v.tobytes() for k, v in bank.dump().items()} == {k: v.tobytes() for k, v in good.items()}
    for odd in (np.nan, np.inf):
        with pytest.raises(AssertionError):
            bank.update(np.zeros(1, np.int64), np.array([odd]), np.ones(1, bool), at[:1], at[:1], at[:1])
    with pytest.raises(AssertionError):
        bank.update(np.zeros(1, np.int64), np.zeros(1), np.ones(2, bool), at[:1], at[:1], at[:1])
    assert {k: v.tobytes() for k, v in bank.dump().items()} == {k: v.tobytes() for k, v in good.items()}


@pytest.mark.parametrize("core", CORES)
def test_a_reference_of_a_file_is_of_any_number_of_values(core: Core) -> None:
    bank = core.distribution(3, 3, 2)
    bank.resize(2)
    state = bank.dump()
    state["learned"][1] = True
    state["edges"][1], state["reference"][1] = [1.0, 2.0], [40, 0, 60]
    bank.load(state)
    assert bank.bins_of(1) == ([1.0, 2.0], [40, 0, 60])
    at = np.arange(2)
    told = bank.update(np.ones(2, np.int64), np.array([1.5, 9.0]), np.ones(2, bool), at, at, at)
    assert [window.counts for window in told] == [(0, 1, 1)]
