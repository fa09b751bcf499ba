"""Calibrated confidence: the figures of calibration, and a history that is the same however cut."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.confidence import (
    BLOCKS,
    CELLS,
    EDGES,
    LEAST,
    UNIT,
    ConfidenceHistory,
    calibration_error,
    cells_of,
    counted,
    groups_of,
)
from tests.detectors.shifts import ERRORS, calibrated, confidences, outcomes


def test_of_nothing_nothing_is_known() -> None:
    calibration = ConfidenceHistory().calibration
    assert (calibration.version, calibration.pairs, calibration.brier) == (0, 0, 0.0)
    assert calibration_error(calibration) == 0.0


def test_cells_are_in_order_and_take_every_confidence() -> None:
    assert (np.diff(EDGES) > 0).all()
    assert cells_of(np.array([0.0, 0.5, 1.0])).tolist() == [0, CELLS // 2, CELLS - 1]
    assert cells_of(EDGES).tolist() == list(range(1, CELLS)), "an edge is in the upper cell"
    np.testing.assert_allclose(EDGES + EDGES[::-1], 1.0, atol=1e-11)
    assert counted(np.array([0.0, 1.0, 1.0])).sum() == 3


def test_a_group_has_enough_pairs() -> None:
    n = np.array([0, 3, 8, 0, 10, 2, 0])
    assert groups_of(n, LEAST).tolist() == [0, 0, 0, 1, 1, 1, 1], "what is left over joins the last"
    assert groups_of(n, 100).tolist() == [0] * 7
    sizes = np.bincount(groups_of(np.arange(CELLS) % 7, LEAST), np.arange(CELLS) % 7)
    assert sizes.min() >= LEAST


def test_the_figures_of_calibration_are_those_of_the_pairs_themselves() -> None:
    rng = np.random.default_rng(1)
    confidence = confidences(rng, 6_000)
    wrong = outcomes(rng, confidence, "overconfident")
    history = ConfidenceHistory(block=1_000)
    history.add(confidence, ~wrong)
    calibration = history.calibration
    assert calibration.brier == pytest.approx(np.mean((confidence - ~wrong) ** 2), abs=1e-7)
    assert calibration.confidence.sum() == pytest.approx(confidence.sum(), abs=6_000 / UNIT)
    order, off, sizes = np.argsort(confidence), 0.0, np.bincount(groups_of(calibration.n, 6_000 / 15), calibration.n)
    for mine in np.split(order, np.cumsum(sizes).astype(int)[:-1]):
        off += abs(float(confidence[mine].mean()) - float((~wrong[mine]).mean())) * len(mine) / 6_000
    assert calibration_error(calibration) == pytest.approx(off, abs=1e-7)
    assert off == pytest.approx(np.mean(ERRORS["overconfident"](confidence) - 1 + confidence), abs=0.02)


@pytest.mark.parametrize("parts", [1, 7, 333, 1_999])
def test_the_history_slides_and_does_not_hang_on_the_cut(parts: int) -> None:
    rng = np.random.default_rng(2)
    confidence = confidences(rng, 2_000)
    right = ~outcomes(rng, confidence)
    whole = ConfidenceHistory(block=150)
    whole.add(confidence, right)
    cut = ConfidenceHistory(block=150)
    for begin in range(0, 2_000, parts):
        again = ConfidenceHistory(block=150)
        again.load(cut.dump())
        cut = again
        cut.add(confidence[begin : begin + parts], right[begin : begin + parts])
    assert {name: array.tobytes() for name, array in cut.dump().items()} == {
        name: array.tobytes() for name, array in whole.dump().items()
    }
    # 13 blocks are full: the newest of them are the calibration, and the rest of 50 pairs waits.
    newest = slice((13 - BLOCKS) * 150, 13 * 150)
    expected = calibrated(confidence[newest], ~right[newest])
    for calibration in (whole.calibration, cut.calibration):
        assert calibration.version == 13
        assert calibration.n.tolist() == expected.n.tolist()
        assert calibration.wrong.tolist() == expected.wrong.tolist()


def test_what_cannot_be_is_refused() -> None:
    history = ConfidenceHistory(block=10)
    history.add(np.full(25, 0.7), np.arange(25) % 3 > 0)
    good = history.dump()
    for name, change in {
        "seen": lambda a: a + 1,
        "n": lambda a: -a,
        "wrong": lambda a: a + 11,
        "sums": lambda a: a + 1_000 * UNIT,
        "squares": lambda a: a - 100 * UNIT,
    }.items():
        with pytest.raises(ValueError, match=r"cannot be|should be"):
            ConfidenceHistory(block=10).load({**good, name: change(good[name])})
    with pytest.raises(ValueError, match="missing"):
        history.load({})
    with pytest.raises(ValueError, match="should be"):
        ConfidenceHistory(block=11).load(good)
    with pytest.raises(AssertionError):
        history.add(np.array([np.nan]), np.array([True]))
    assert history.dump()["seen"] == 25
