"""The ring of recent blocks against a list that forgets nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.history import BLOCK, BLOCKS, History, Recent


def naive(values: list[float], expected: float) -> tuple[int, float, float] | None:
    """(n, mean, std) of the newest blocks that are least like `expected`, from the whole list."""
    begins = list(range(0, len(values), BLOCK))[-BLOCKS:]
    best: tuple[float, int, float, float] | None = None
    for begin in reversed(begins):
        part = np.array(values[begin:])
        gain = len(part) * (part.mean() - expected) ** 2
        if best is None or gain > best[0]:
            best = gain, len(part), float(part.mean()), float(part.std())
    return None if best is None else best[1:]


def fed(values: Any, row: int = 0, rows: int = 1) -> History:
    history, at = History(), np.arange(len(values))
    history.resize(rows)
    taken = np.full(len(values), row), np.asarray(values, float), np.ones(len(values), bool), at
    history.update(*taken, at * 2, at * 10)
    return history


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(st.integers(-8, 8).map(float), max_size=3 * BLOCK * BLOCKS), st.integers(-2, 2))
def test_as_the_naive_one(values: list[float], expected: int) -> None:
    recent = fed(values).recent(0, float(expected))
    wanted = naive(values, float(expected))
    if recent is None or wanted is None:
        assert (recent, wanted) == (None, None)
        return
    np.testing.assert_allclose((recent.n, recent.mean, recent.std), wanted, atol=1e-9)
    first = len(values) - recent.n
    assert recent[3:] == (2 * first, 2 * (len(values) - 1), 10 * first, 10 * (len(values) - 1))


def test_it_finds_the_onset() -> None:
    rng = np.random.default_rng(0)
    shifted = 6 * BLOCK
    values = np.r_[rng.normal(0, 1, 1000), rng.normal(3, 1, shifted)]
    recent = fed(values).recent(0, 0.0)
    assert recent is not None
    assert abs(recent.first_offset // 2 - 1000) <= 2 * BLOCK
    assert abs(recent.mean - 3) < 0.5  # "After" is not diluted by what came before.


def test_a_long_shift_is_told_from_the_whole_ring() -> None:
    recent = fed(np.ones(5000)).recent(0, 0.0)
    assert recent is not None
    assert BLOCK * (BLOCKS - 1) < recent.n <= BLOCK * BLOCKS


@settings(max_examples=60, deadline=None, database=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.tuples(st.integers(0, 900), st.booleans()), max_size=5))
def test_it_does_not_see_the_cuts_nor_a_snapshot(seed: int, cuts: list[tuple[int, bool]]) -> None:
    rng = np.random.default_rng(seed)
    rows, values, at = rng.integers(0, 3, 900) // 2, rng.normal(0, 1, 900), np.arange(900)

    def play(edges: list[int], snapshots: dict[int, bool]) -> list[bytes]:
        history = History()
        for a, b in pairwise(edges):
            history.resize(2)
            part = rows[a:b], values[a:b], values[a:b] > -1.0
            history.update(*part, at[: b - a], at[a:b], at[a:b])
            if snapshots.get(b):
                state, history = history.dump(), History()
                history.load(state)
        return [array.tobytes() for array in history.dump().values()]

    assert play([0, *sorted(place for place, _ in cuts), 900], dict(cuts)) == play([0, 900], {})


@settings(max_examples=60, deadline=None, database=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 299), max_size=8).map(sorted))
def test_marks_tell_what_was_so_at_their_place(seed: int, marks: list[int]) -> None:
    rng = np.random.default_rng(seed)
    rows, values, at = rng.integers(0, 3, 300), rng.normal(0, 1, 300), np.arange(300)
    ready, expected = values > -1.0, rng.normal(0, 1, len(marks))
    history, told = History(), []
    history.resize(3)
    for mark, mean in zip(marks, expected.tolist(), strict=True):
        history = History()
        history.resize(3)
        part = slice(mark + 1)
        history.update(rows[part], values[part], ready[part], at[part], at, at)
        told.append(history.recent(int(rows[mark]), mean))
    history = History()
    history.resize(3)
    assert history.update(rows, values, ready, at, at, at, np.array(marks, np.int64), expected) == told


def test_values_far_too_large_stay_finite() -> None:
    recent = fed([1.7e308, -1.7e308, 1.7e308] * 50).recent(0, 0.0)
    assert recent is not None
    assert np.isfinite(recent[:3]).all()
    again = History()
    again.load(fed([1.7e308] * 500).dump())


def test_rows_are_apart() -> None:
    history = fed(np.ones(10), row=1, rows=3)
    assert history.recent(0, 0.0) is None
    assert history.recent(1, 0.0) == Recent(10, 1.0, 0.0, 0, 18, 0, 90)


def test_broken_state_is_refused_and_changes_nothing() -> None:
    history = fed(np.ones(100))
    good = history.dump()
    for name, array in good.items():
        wrong: list[Any] = [None, array[:0], array.astype(np.float32), array.ravel()[:1].reshape(1, 1, 1)]
        if name in ("seen", "squares"):
            wrong.append(-array - 1)
        if name in ("total", "squares"):
            wrong.append(np.full_like(array, np.inf))
        for bad in wrong:
            with pytest.raises(ValueError):  # noqa: PT011  (the text differs)
                history.load({**good, name: bad})
    assert {k: v.tobytes() for k, v in history.dump().items()} == {k: v.tobytes() for k, v in good.items()}
