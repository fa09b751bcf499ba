"""The blocks of a history against a list that forgets nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.history import BLOCK, FACTOR, KEPT, LEVELS, History
from detectors.last_change import Asked, Recent

LONGEST = BLOCK * FACTOR ** (LEVELS - 1)
"""Values of a block of the last level."""


def fed(values: Any, row: int = 0, rows: int = 1) -> History:
    history, at = History(), np.arange(len(values))
    history.resize(rows)
    taken = np.full(len(values), row), np.asarray(values, float), np.ones(len(values), bool), at
    history.update(*taken, at * 2, at * 10)
    return history


@given(st.integers(0, 12_000), st.integers(0, 2**32 - 1))
def test_the_pieces_are_the_newest_values(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(-8, 8, count) * 1.0
    pieces = fed(values).pieces(0)
    held = sum(piece.n for piece in pieces)
    assert held == count or held > (KEPT - 1) * LONGEST
    assert len(pieces) <= LEVELS * KEPT + 1
    first = count - held
    for piece in pieces:
        own = values[first : first + piece.n]
        assert piece[1:] == (own.sum(), (own * own).sum(), 2 * first, 10 * first)
        first += piece.n
    assert first == count
    newest = [piece.n for piece in pieces if 2 * count - piece.first_offset <= 2 * 4 * BLOCK]
    assert all(n <= BLOCK for n in newest), "the newest are told apart the best"


def test_it_finds_the_change() -> None:
    rng = np.random.default_rng(0)
    shifted = 6 * BLOCK
    values = np.r_[rng.normal(0, 1, 1000), rng.normal(3, 1, shifted)]
    found = fed(values).changed(0, Asked(way=1))
    assert found is not None
    assert found.before is not None
    assert found.onset is not None
    assert abs(found.onset[0] // 2 - 1000) <= 2 * BLOCK
    assert abs(found.after.mean - 3) < 0.5  # "After" is not diluted by what came before.
    assert abs(found.before.mean) < 0.2
    assert found.before.n > 900


def test_a_change_of_long_ago_is_told_against_what_the_series_is_compared_with() -> None:
    found = fed(np.ones(20_000)).changed(0, Asked(1, 0, 100, 0.0, 1.0))
    assert found is not None
    assert (found.before, found.usual, found.onset) == (None, True, None)
    assert found.after.n > (KEPT - 1) * LONGEST


def test_a_row_that_is_forgotten_begins_anew() -> None:
    history = fed(np.ones(900), row=1, rows=2)
    history.forget(1)
    assert history.changed(1, Asked(1)) is None
    at = np.arange(20)
    history.update(np.ones(20, np.int64), np.full(20, 5.0), np.ones(20, bool), at, at + 3000, at)
    assert sum(piece.total for piece in history.pieces(1)) == 100.0


@settings(max_examples=60)
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


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 299), max_size=8).map(sorted))
def test_marks_tell_what_was_so_at_their_place(seed: int, marks: list[int]) -> None:
    rng = np.random.default_rng(seed)
    rows, values, at = rng.integers(0, 3, 300), rng.normal(0, 1, 300), np.arange(300)
    ready = values > -1.0
    asked = [Asked(way, age, 9, mean, 1.0) for way, age, mean in zip(*draws(rng, len(marks)), strict=True)]
    history, told = History(), []
    history.resize(3)
    for mark, one in zip(marks, asked, strict=True):
        history = History()
        history.resize(3)
        part = slice(mark + 1)
        history.update(rows[part], values[part], ready[part], at[part], at, at)
        told.append(history.changed(int(rows[mark]), one))
    history = History()
    history.resize(3)
    assert history.update(rows, values, ready, at, at, at, np.array(marks, np.int64), asked) == told


def draws(rng: np.random.Generator, count: int) -> tuple[list[int], list[int], list[float]]:
    """Ways, ages and means."""
    return rng.integers(-1, 2, count).tolist(), rng.integers(0, 90, count).tolist(), rng.normal(0, 1, count).tolist()


def test_values_far_too_large_stay_finite() -> None:
    found = fed([1.7e308, -1.7e308, 1.7e308] * 50).changed(0, Asked(1, 0, 9, 0.0, 1.0))
    assert found is not None
    assert np.isfinite(found.after[:3]).all()
    again = History()
    again.load(fed([1.7e308] * 500).dump())


def test_rows_are_apart() -> None:
    history = fed(np.ones(10), row=1, rows=3)
    assert history.changed(0, Asked()) is None
    found = history.changed(1, Asked())
    assert found is not None
    assert found.after.mean == 1.0
    assert found.after == Recent(4, 1.0, 0.0, 12, 18, 60, 90)


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


@settings(max_examples=60)
@given(st.integers(0, 12_000), st.integers(0, 2_000))
def test_a_dump_holds_the_blocks_that_are_needed(count: int, further: int) -> None:
    """Finer ones stand for coarser ones of the same values: those come back with the state, and are of use later."""
    values = np.random.default_rng(count).normal(0, 1, count + further)
    history, at = fed(values[:count]), np.arange(count + further)
    state = history.dump()
    assert len(state["total"]) == len(history.pieces(0)) <= 33 < LEVELS * KEPT
    again = History()
    again.load(state)
    for one in (history, again):
        rest = slice(count, None)
        one.update(np.zeros(further, np.int64), values[rest], np.ones(further, bool), at[rest], at * 2, at * 10)
    assert again.pieces(0) == history.pieces(0) == fed(values).pieces(0)


@pytest.mark.parametrize("step", [1, 1 << 31])
def test_places_take_half_as_many_bytes_where_they_are_near(step: int) -> None:
    history, at = History(), np.arange(100)
    history.resize(1)
    history.update(np.zeros(100, np.int64), np.ones(100), np.ones(100, bool), at, at * step, -at * step)
    state = history.dump()
    assert {state[name].dtype.str for name in ("first_offset", "first_time_ms")} == {"<i4" if step == 1 else "<i8"}
    again = History()
    again.load(state)
    assert again.pieces(0) == history.pieces(0)
    assert (again.pieces(0)[0].first_offset, again.pieces(0)[-1].first_time_ms) == (0, -98 * step)
