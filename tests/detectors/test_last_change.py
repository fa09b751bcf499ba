"""What is told of a change, against everything that could have been told, and against what was made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.last_change import Asked, Change, Piece, last_change, piece_of
from tests.detectors.test_history import fed

whole = st.integers(-9, 9).map(float)
lists = st.lists(st.lists(whole, min_size=1, max_size=9), min_size=1, max_size=14)


def pieces_of(values: list[list[float]]) -> list[Piece]:
    first, made = 0, []
    for own in values:
        made.append(piece_of(first, own))
        first += len(own)
    return made


def way_of(one: float, other: float) -> int:
    return (other > one) - (other < one)


@given(lists, st.integers(-1, 1), st.integers(0, 60), st.integers(0, 40), whole, st.floats(0.0, 4.0))
def test_what_is_told_goes_the_way_that_is_asked_for(
    values: list[list[float]], way: int, age: int, n: int, mean: float, std: float
) -> None:
    flat, end = [value for own in values for value in own], sum(map(len, values)) - 1
    found = last_change(pieces_of(values), (end, 10 * end), Asked(way, age, n, mean, std))
    before = (mean if n else None) if found.usual else None if found.before is None else found.before.mean
    if before is not None and way:
        assert way_of(before, found.after.mean) == way
    assert found.after.last_offset == end
    own = flat[found.after.first_offset :]
    assert (found.after.n, found.after.mean) == (len(own), pytest.approx(np.mean(own)))
    if found.before is not None:
        own = flat[found.before.first_offset : found.before.last_offset + 1]
        assert (found.before.n, found.before.mean) == (len(own), pytest.approx(np.mean(own)))
        assert found.before.std == pytest.approx(np.std(own), abs=1e-6)
        assert found.onset is not None
        assert found.before.last_offset < found.onset[0] <= found.after.first_offset
        if n:
            assert not found.usual
    else:
        assert found.usual == (n > 0 and before is not None)


def told(values: Any, way: int, age: int = 0, standard: tuple[int, float, float] = (500, 0.0, 1.0)) -> Change:
    found = fed(values).changed(0, Asked(way, age, *standard))
    assert found is not None
    return found


@pytest.mark.parametrize("size", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("since", [40, 100, 700])
@pytest.mark.parametrize("seed", range(5))
def test_a_return_is_told_from_the_level_that_it_left(size: float, since: int, seed: int) -> None:
    """Without one value of the old level in the new one, and the other way round."""
    rng = np.random.default_rng(seed)
    values = np.r_[rng.normal(0, 1, 500), rng.normal(size, 1, 600), rng.normal(0, 1, since)]
    found = told(values, -1)
    assert found.before is not None
    assert found.before.mean == pytest.approx(size, abs=0.35)
    assert found.after.mean == pytest.approx(0.0, abs=5.0 / np.sqrt(found.after.n))
    if size >= 2.0:
        assert found.after.first_offset // 2 >= 1100 - 2
        assert found.before.first_offset // 2 >= 500 - 64
        assert found.before.last_offset // 2 <= 1100 + 2


@pytest.mark.parametrize("seed", range(5))
def test_a_second_step_is_told_from_the_first(seed: int) -> None:
    """Seen from the first level the series fell: it rose from .4 to .6, and that was the news."""
    rng = np.random.default_rng(seed)
    values = np.r_[[0.8] * 400, [0.4] * 400, [0.6] * 100] + rng.normal(0, 0.07, 900)
    found = told(values - 0.8, 1, standard=(500, 0.0, 0.07))
    assert found.before is not None
    assert (found.before.mean + 0.8, found.after.mean + 0.8) == (
        pytest.approx(0.4, abs=0.03),
        pytest.approx(0.6, abs=0.03),
    )


@pytest.mark.parametrize("seed", range(5))
def test_shares_that_rise_and_fall(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.random(1600) < np.r_[[0.02] * 600, [0.4] * 600, [0.02] * 400]) * 1.0
    up, down = told(values[:800], 1, standard=(50, 0.02, 0.14)), told(values, -1, standard=(50, 0.02, 0.14))
    assert (up.usual, up.before) == (True, None) or up.before.mean == pytest.approx(0.02, abs=0.02)  # type: ignore[union-attr]
    assert up.after.mean == pytest.approx(0.4, abs=0.1)
    assert down.before is not None
    assert (down.before.mean, down.after.mean) == (pytest.approx(0.4, abs=0.1), pytest.approx(0.02, abs=0.04))


def test_what_was_like_the_reference_is_told_as_the_reference() -> None:
    """That is of more values, and the same in all alerts."""
    rng = np.random.default_rng(0)
    values = np.r_[rng.normal(0, 1, 300), rng.normal(2, 1, 60)]
    assert told(values, 1).usual
    high = told(values, 1, standard=(500, 0.5, 1.0))
    assert high.before is not None
    assert high.before.mean == pytest.approx(0.0, abs=0.2)
    assert high.before.n > 200, "nearly all that was alike"


def test_a_small_change_of_long_ago_is_not_exaggerated() -> None:
    moved = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values = (rng.random(6000) < np.r_[[0.20] * 4000, [0.14] * 2000]) - 0.2
        moved.append(told(values, -1, standard=(500, 0.0, 0.4)).after.mean)
    assert np.mean(moved) == pytest.approx(-0.06, abs=0.02)
    assert np.min(moved) > -0.12


@pytest.mark.parametrize("age", [20, 40, 100])
def test_the_age_that_a_detector_knows_is_taken(age: int) -> None:
    """One absurd value is not the news: that is what the detector says has lasted for so long."""
    rng = np.random.default_rng(age)
    values = np.r_[rng.normal(0, 1, 600), rng.normal(2, 1, age)]
    values[[100, -3]] = -90.0, 200.0
    found = told(values, 1, age)
    assert found.onset is not None
    assert age / 4 <= 600 + age - found.onset[0] // 2 <= 2 * age


def test_a_spread_that_grew_is_told_by_its_age() -> None:
    rng = np.random.default_rng(1)
    found = told(np.r_[rng.normal(0, 1, 600), rng.normal(0, 4, 100)], 0, 100)
    assert found.onset is not None
    assert abs(found.onset[0] // 2 - 600) <= 16
    assert found.after.std == pytest.approx(4.0, abs=1.2)


def test_few_values_are_told_all_the_same() -> None:
    found = told([3.0] * 5, 1)
    assert (found.before, found.usual, found.after.n, found.onset) == (None, True, 5, (0, 0))
    nothing = told([3.0] * 5, -1)
    assert (nothing.before, nothing.usual, nothing.after.mean) == (None, False, 3.0)


@pytest.mark.parametrize("size", [0.0, 3.0])
def test_what_went_on_beyond_the_way_back_is_the_change(size: float) -> None:
    """The way back moved more values; as long as nothing goes beyond what was before the rise, it is all there is."""
    rng = np.random.default_rng(4)
    levels = [(3.0, 400), (0.0, 400), (-size, 24)]
    values = np.concatenate([rng.normal(mean, 1.0, n) for mean, n in levels])
    pieces = pieces_of([part.tolist() for part in np.split(values, range(8, len(values), 8))])
    found = last_change(pieces, (len(values) - 1, 0), Asked(-1, 0, 500, 0.0, 1.0), whole=False)
    if size:
        assert found.usual
        assert found.onset is not None
        assert found.onset[0] == 800
    else:
        assert found.before is not None
        assert found.before.mean == pytest.approx(3.0, abs=0.2)
