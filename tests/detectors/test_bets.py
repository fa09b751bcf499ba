"""Bets on p-values: fair to the last digit, and for each of them there is a change that it wins on."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.bets import ALL, CELLS, FACTORS, GRAIN, RESTS, SCORES, STEPS, bets_of
from detectors.params import DIRECTIONS, Direction

every = pytest.mark.parametrize("direction", DIRECTIONS)


@every
def test_no_bet_wins_on_average_when_nothing_changed(direction: Direction) -> None:
    bets = bets_of(direction)
    for table in (bets.scores, bets.rests):
        assert (table >= 0.0).all()
        assert (table * GRAIN == np.floor(table * GRAIN)).all(), "so that sums of them are exact"
        means = table.sum(axis=0) / CELLS
        assert (means <= 1.0).all()
        assert (means > 0.999).all(), "and hardly anything is given away"


@every
def test_the_capital_is_one(direction: Direction) -> None:
    bets = bets_of(direction)
    assert bets.plain.shape == (SCORES,)
    assert bets.atom.shape == bets.leaning.shape == (2, ALL)
    assert bets.plain.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(bets.atom.sum(axis=1), 1.0, atol=1e-12)
    assert (bets.plain >= 0.0).all()
    assert (bets.atom >= 0.0).all()


@pytest.mark.parametrize(("direction", "way"), [("up", 1), ("down", -1)])
def test_one_sided_is_only_bets_that_lean_that_way(direction: Direction, way: int) -> None:
    bets = bets_of(direction)
    assert (bets.leaning[0, :SCORES][bets.plain > 0.0] == way).all()
    for side in (0, 1):
        assert (bets.leaning[side][bets.atom[side] > 0.0] == way).all()
        for part in (slice(0, SCORES), STEPS, RESTS):
            assert bets.atom[side, part].sum() > 0.0, "of every kind there is one"


def test_more_of_the_others_is_up_where_they_are_above_the_atom_and_down_where_they_are_below() -> None:
    leaning = bets_of("both").leaning[:, STEPS]
    more = np.array([factor > 1.0 for factor in FACTORS])
    assert (leaning[0] == np.where(more, 1, -1)).all()
    assert (leaning[1] == -leaning[0]).all()


def test_each_score_wins_on_its_own_change() -> None:
    scores = bets_of("both").scores
    z = np.random.default_rng(4).normal(size=200_000)
    normal = np.sort(np.random.default_rng(5).normal(size=200_000))

    def won(values: np.ndarray) -> np.ndarray:
        cells = np.minimum((np.searchsorted(normal, values) / len(normal) * CELLS).astype(int), CELLS - 1)
        growth: np.ndarray = np.log(np.maximum(scores[cells], 1e-9)).mean(axis=0)
        return growth

    assert won(z + 1.0).argmax() == SCORES - 2 - 6 + 3
    assert won(z - 0.35).argmax() == 1
    assert won(z * 2.0).argmax() == SCORES - 1
    assert won(z * 0.5).argmax() == SCORES - 2
    assert (won(z) <= 0.01).all()
