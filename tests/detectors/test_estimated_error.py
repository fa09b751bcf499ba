"""The estimated error: it covers the truth when only the inputs change, and says nothing when the concept does."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.bank import F64, Bool
from detectors.confidence import CELLS, Calibration, calibration_of, counted
from detectors.counts import clopper_pearson
from detectors.estimated_error import BLIND, Estimate, confusion, estimated, standardised
from tests.detectors.shifts import REPETITIONS, SEED, SHIFTS, calibrated, confidences, outcomes

CASES = [
    ("as it says", 300, 2_000, "far lower"),  # The worst one of 180.
    ("as it says", 1_000, 200, "none"),
    ("rare", 1_000, 2_000, "far lower"),
    ("rare", 5_000, 200, "high"),
    ("overconfident", 300, 200, "low"),
    ("in waves", 1_000, 2_000, "band"),
    ("flat", 5_000, 2_000, "far lower"),
]


def estimate_of(calibration: Calibration, window: F64) -> Estimate:
    found = estimated([(calibration, counted(window))])
    assert found is not None
    return found


def covers(estimate: Estimate, wrong: Bool) -> bool:
    return estimate.low - 1e-12 <= wrong.mean() <= estimate.high + 1e-12


@pytest.mark.parametrize(("errors", "pairs", "events", "shift"), CASES)
def test_the_interval_covers_under_covariate_shift(errors: str, pairs: int, events: int, shift: str) -> None:
    rng = np.random.default_rng([SEED, pairs, events])
    covered = naive = 0
    for _ in range(REPETITIONS):
        history, window = confidences(rng, pairs), confidences(rng, events, shift)
        calibration = calibrated(history, outcomes(rng, history, errors))
        estimate, wrong = estimate_of(calibration, window), outcomes(rng, window, errors)
        covered += covers(estimate, wrong)
        low, high = standardised(estimate.error, float(events))
        naive += covers(estimate._replace(low=low, high=high), wrong)
    assert clopper_pearson(covered, REPETITIONS)[0] > 0.9
    if events >= pairs:
        assert clopper_pearson(naive, REPETITIONS)[1] < 0.9, "without what the calibration does not know it does not"


def test_another_concept_is_not_seen() -> None:
    """The estimate follows the inputs alone, as its sentence says."""
    rng = np.random.default_rng(SEED)
    history, window = confidences(rng, 5_000), confidences(rng, 2_000)
    estimate = estimate_of(calibrated(history, outcomes(rng, history)), window)
    assert covers(estimate, outcomes(rng, window))
    assert not covers(estimate, outcomes(rng, window, more=2.0))
    assert "blind" in BLIND


def test_more_labels_and_more_events_say_more() -> None:
    rng = np.random.default_rng(SEED)
    widths = []
    for pairs, events in [(300, 200), (300, 5_000), (5_000, 5_000)]:
        history = confidences(rng, pairs)
        estimate = estimate_of(calibrated(history, outcomes(rng, history)), confidences(rng, events, "low"))
        widths.append(estimate.high - estimate.low)
    assert widths == sorted(widths, reverse=True)


def test_one_group_alone_is_as_clopper_and_pearson_have_it() -> None:
    """With a window beyond all bounds what is left is the calibration: 20 of 200, all of one confidence."""
    n, wrong = np.zeros(CELLS, np.int64), np.zeros(CELLS, np.int64)
    n[90], wrong[90] = 200, 20
    window = np.zeros(CELLS, np.int64)
    window[90] = 10**9
    estimate = estimated([(calibration_of(1, n, wrong, 0.9 * n), window)])
    assert estimate is not None
    assert (estimate.low, estimate.high) == pytest.approx(clopper_pearson(20, 200), abs=1e-8)
    assert (estimate.effective, estimate.unseen) == (pytest.approx(200, rel=1e-6), 0.0)
    assert standardised(0.1, 200) == pytest.approx(clopper_pearson(20, 200), abs=1e-9)
    assert standardised(0.0, 50) == pytest.approx(clopper_pearson(0, 50), abs=1e-9)
    assert standardised(1.0, 50) == pytest.approx(clopper_pearson(50, 50), abs=1e-9)


def test_what_nobody_labelled_is_told() -> None:
    n = np.zeros(CELLS, np.int64)
    n[90] = 100
    window = np.zeros(CELLS, np.int64)
    window[[10, 90]] = 30, 10
    empty = calibration_of(0, np.zeros(CELLS, np.int64), np.zeros(CELLS, np.int64), np.zeros(CELLS))
    estimate = estimated([(calibration_of(4, n, n // 10, 0.9 * n), window)])
    assert estimate is not None
    assert (estimate.n, estimate.unseen, estimate.version) == (40, 0.75, 4)
    assert estimated([]) is None
    assert estimated([(empty, window)]) is None
    both = [(calibration_of(4, n, n // 10, 0.9 * n), window), (empty, np.zeros(CELLS, np.int64))]
    assert estimated(both) == estimate, "a part without events needs no labels"


def test_the_confusion_of_two_labels_is_covered_too() -> None:
    """Each predicted label has a calibration of its own: the model is overconfident of one, and rarely wrong of the
    other; the shift makes the first far more common.
    """
    rng = np.random.default_rng(SEED)
    covered, repetitions = np.zeros(4), 400
    for _ in range(repetitions):
        parts, truth = {}, []
        for label, errors, pairs, events, shift in [
            ("yes", "overconfident", 300, 700, "low"),
            ("no", "rare", 1_700, 300, "none"),
        ]:
            history, window = confidences(rng, pairs), confidences(rng, events, shift)
            parts[label] = estimate_of(calibrated(history, outcomes(rng, history, errors)), window)
            wrong = float(outcomes(rng, window, errors).sum())
            truth += [(events - wrong) / 1_000, wrong / 1_000]
        shares = [share for pair in confusion(parts).values() for share in pair]
        assert sum(share.share for share in shares) == pytest.approx(1.0)
        covered += [s.low - 1e-12 <= t <= s.high + 1e-12 for s, t in zip(shares, truth, strict=True)]
    assert all(clopper_pearson(int(hits), repetitions)[0] > 0.9 for hits in covered.tolist())


def test_every_shift_is_one() -> None:
    """The cases say something: the windows' errors are really others than the history's."""
    rng = np.random.default_rng(SEED)
    means = {shift: float(outcomes(rng, confidences(rng, 20_000, shift)).mean()) for shift in SHIFTS}
    assert means["far lower"] > 2 * means["none"] > 4 * means["high"]
