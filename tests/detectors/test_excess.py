"""Where errors are that nobody promised: sums by segment, whole numbers, however they are put together."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.confidence import CELLS, UNIT, calibration_of, cells_of
from detectors.excess import SEGMENTS_MAX, Excess, promised
from tests.detectors.shifts import calibrated, confidences, outcomes


def test_what_is_promised_is_the_error_of_the_group() -> None:
    n, wrong = np.zeros(CELLS, np.int64), np.zeros(CELLS, np.int64)
    n[cells_of(np.array([0.6, 0.95]))] = 500
    wrong[cells_of(np.array([0.6, 0.95]))] = 200, 25
    likely, spread = promised(calibration_of(1, n, wrong, 0.775 * n))
    at = cells_of(np.array([0.6, 0.95]))
    assert (likely[at] / UNIT).tolist() == pytest.approx([0.4, 0.05], abs=1e-6)
    assert (spread[at] / UNIT).tolist() == pytest.approx([0.24, 0.0475], abs=1e-6)


@pytest.mark.parametrize("more", [1.0, 2.0])
def test_who_is_no_other_than_the_rest_seldom_stands_out(more: float) -> None:
    """Two segments alike, healthy or with a gap everywhere: `apart` is about a standard normal deviation."""
    rng, apart = np.random.default_rng(1), []
    history = confidences(rng, 5_000)
    likely, spread = promised(calibrated(history, outcomes(rng, history)))
    for _ in range(400):
        excess = Excess()
        for name in ("a", "b"):
            confidence = confidences(rng, 200)
            wrong, cells = outcomes(rng, confidence, more=more), cells_of(confidence)
            excess.add(("x", name), np.array([200, wrong.sum(), likely[cells].sum(), spread[cells].sum()]))
        apart += [one.apart for one in excess.parts(0, 1) if one.value == "a"]
    assert abs(np.mean(apart)) < 0.2
    assert 0.8 < np.std(apart) < 1.15
    assert max(map(abs, apart)) < 4.0


def test_the_order_is_that_of_the_direction() -> None:
    excess = Excess()
    for field, value, wrong in (("x", "a", 20), ("x", "b", 0), ("y", "", 20), ("y", "c", 0)):
        excess.add((field, value), np.array([50, wrong, 5 * UNIT, 4 * UNIT]))
    assert [one.value for one in excess.parts(5, 1)][:2] == ["a", ""]
    assert [one.value for one in excess.parts(5, -1)][:2] == ["b", "c"]
    alone = Excess()
    alone.add(("x", "a"), np.array([50, 20, 5 * UNIT, 4 * UNIT]))
    assert [one.apart for one in alone.parts(0, 1)] == [0.0], "there is nobody to stand out from"


def test_windows_that_are_full_begin_anew_and_segments_are_bounded() -> None:
    excess = Excess()
    more = np.array([50, 5, 5 * UNIT, 4 * UNIT])
    for number in range(SEGMENTS_MAX + 5):
        excess.add(("x", str(number)), more)
    assert len(excess.sums) == SEGMENTS_MAX
    excess.passed(50)
    assert excess.parts(0, 1) == []
    assert len(excess.parts(1, 1)) == SEGMENTS_MAX
    state = excess.dump()
    again = Excess()
    again.load(state)
    assert again.parts(1, 1) == excess.parts(1, 1)
    more_wrong = state["sums"].copy()
    more_wrong[0, 1, 1] = 51
    for bad in ({"segments": state["segments"][1:]}, {"sums": -state["sums"]}, {"sums": more_wrong}):
        with pytest.raises(ValueError, match=r"cannot be|missing"):
            again.load({**state, **bad})
    with pytest.raises(ValueError, match="segments"):
        again.load({"segments": [["x", "a"], ["x", "a"]], "sums": state["sums"][:2]})
    excess.passed(0)
    assert excess.sums == {}
