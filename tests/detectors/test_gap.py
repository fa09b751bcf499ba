"""The gap: quiet while only the inputs change, loud when the concept does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.confidence import ConfidenceHistory
from detectors.counts import clopper_pearson
from detectors.estimated_error import estimated
from detectors.gap import SCALES, SHORTEST, SPAN, WINDOWS, Found, Gap
from tests.detectors.shifts import REPETITIONS, SEED, calibrated, confidences, counted, outcomes, surely

LABELS = 400
GRANTED = 0.05
ARL = LABELS / GRANTED


def runs(pairs: int, shift: str, errors: str, more: float, repetitions: int) -> list[Found | None]:
    """Of so many runs the first finding of each."""
    rng = np.random.default_rng([SEED, pairs])
    firsts = []
    for _ in range(repetitions):
        history, labelled = confidences(rng, pairs), confidences(rng, LABELS, shift)
        calibration = calibrated(history, outcomes(rng, history, errors))
        firsts.append(next(iter(Gap(ARL).add(labelled, outcomes(rng, labelled, errors, more), calibration)), None))
    return firsts


@pytest.mark.parametrize(
    ("pairs", "shift", "errors"),
    [(500, "far lower", "as it says"), (2_000, "none", "flat"), (2_000, "low", "in waves")],
)
def test_covariate_shift_is_no_gap(pairs: int, shift: str, errors: str) -> None:
    alarms = sum(first is not None for first in runs(pairs, shift, errors, 1.0, REPETITIONS))
    assert surely(alarms)[0] <= GRANTED
    assert alarms > 0, "a test that never fires has another alpha than it says"


@pytest.mark.parametrize(
    ("pairs", "shift", "more", "power"),
    [(500, "none", 2.0, 0.9), (2_000, "far lower", 1.5, 0.9), (2_000, "none", 0.3, 0.9), (2_000, "low", 1.8, 0.95)],
)
def test_another_concept_is_one_also_beside_covariate_shift(pairs: int, shift: str, more: float, power: float) -> None:
    firsts = runs(pairs, shift, "as it says", more, 200)
    found = [first for first in firsts if first is not None]
    assert clopper_pearson(len(found), 200)[0] > power
    ways = [first.direction for first in found]
    assert np.mean(ways) * (1 if more > 1 else -1) > 0.95


def test_the_estimate_alone_sees_nothing_of_it() -> None:
    """The same events, before their labels: what the gap finds is no news to the estimate."""
    rng = np.random.default_rng(SEED)
    history, window = confidences(rng, 2_000), confidences(rng, LABELS)
    calibration = calibrated(history, outcomes(rng, history))
    promised = estimated([(calibration, counted(window))])
    assert promised is not None
    found = Gap(ARL).add(window, outcomes(rng, window, more=2.0), calibration)
    assert found
    assert found[-1].realised > 1.2 * promised.high > promised.error
    assert abs(promised.error - calibration.wrong.sum() / calibration.pairs) < 0.02


def test_all_windows_together_have_the_rate_that_was_granted() -> None:
    gap = Gap(arl=10_000)
    assert (2 * gap.tails * SPAN / WINDOWS).sum() == pytest.approx(SPAN / 10_000)
    assert (Gap(arl=1).tails <= 0.1).all()
    assert WINDOWS.tolist() == [50, 100, 200, 400, 800, 1_600]


def bytes_of(gap: Gap) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in gap.dump().items()}


@pytest.mark.parametrize("part", [1, 33, 700, 5_000])
def test_it_does_not_hang_on_the_cut(part: int) -> None:
    """Labels and history go hand in hand, cut where a new version comes."""
    rng = np.random.default_rng(1)
    confidence = confidences(rng, 5_000)
    wrong = outcomes(rng, confidence)
    wrong[4_000:] = outcomes(rng, confidence[4_000:], more=2.5)

    def told(size: int) -> tuple[list[Any], Gap]:
        gap, history, found = Gap(50_000), ConfidenceHistory(block=600), []
        for begin in range(0, 5_000, size):
            again = Gap(50_000)
            again.load(gap.dump())
            gap, end = again, min(begin + size, 5_000)
            while begin < end:
                upto = min(end, begin + history.room)
                found += [
                    (begin + one.place, one.window, one.realised, one.estimate)
                    for one in gap.add(confidence[begin:upto], wrong[begin:upto], history.calibration)
                ]
                history.add(confidence[begin:upto], ~wrong[begin:upto])
                begin = upto
        return found, gap

    (whole, of_whole), (cut, of_cut) = told(5_000), told(part)
    assert cut == whole
    assert bytes_of(of_cut) == bytes_of(of_whole)
    assert whole
    assert min(place for place, *_ in whole) >= 4_000
    assert of_whole.unjudged == 600, "before the first calibration there is nothing to compare with"


def test_the_reference_stands_still_for_a_span_and_after_a_finding_until_it_is_accepted() -> None:
    rng = np.random.default_rng(SEED)
    history = confidences(rng, 3_000)
    first, second = (calibrated(history, outcomes(rng, history, more=more)) for more in (1.0, 2.0))
    second = second._replace(version=2)
    gap = Gap(1e6)

    def span(more: float) -> list[Found]:
        labelled = confidences(rng, SPAN)
        return gap.add(labelled, outcomes(rng, labelled, more=more), second)

    gap.add(history[:SHORTEST], outcomes(rng, history[:SHORTEST]), first)
    assert gap.add(history[: SPAN - SHORTEST], outcomes(rng, history[: SPAN - SHORTEST]), second) == []
    assert gap.reference == first
    assert span(2.0) == [], "by the second calibration all is well"
    assert gap.reference == second
    assert {one.direction for one in span(1.0)} == {-1}
    assert {one.direction for one in span(1.0)} == {-1}, "told again"
    gap.accept()
    assert gap.reference is None
    labelled = confidences(rng, SPAN)
    assert gap.add(labelled, outcomes(rng, labelled), first) == []


def test_what_cannot_be_is_refused() -> None:
    rng = np.random.default_rng(SEED)
    history = confidences(rng, 1_000)
    gap = Gap()
    gap.add(history[:130], outcomes(rng, history[:130]), calibrated(history, outcomes(rng, history)))
    good = gap.dump()
    for name, array in {
        "scalars": good["scalars"] + [1, 0, 0, 0],
        "counts": -good["counts"],
        "wrong": good["wrong"] + SPAN,
        "reference": np.zeros_like(good["reference"]),
    }.items():
        with pytest.raises(ValueError, match=r"should be|more errors|nothing"):
            Gap().load({**good, name: array})
    with pytest.raises(ValueError, match="cannot be"):
        Gap().load({**good, "scalars": np.array([SPAN, 0, 0, 1])})
    assert good["counts"].shape[0] == SCALES


def test_it_is_over_when_a_longer_window_is_as_usual_again() -> None:
    rng = np.random.default_rng(SEED)
    history = confidences(rng, 5_000)
    calibration = calibrated(history, outcomes(rng, history))
    gap = Gap(1e6)

    def told(count: int, more: float) -> list[Found]:
        labelled = confidences(rng, count)
        return gap.add(labelled, outcomes(rng, labelled, more=more), calibration)

    ways = [one.direction for one in told(1_600, 3.0)]
    assert ways
    assert set(ways) == {1}
    found = gap.found
    back = told(3_200, 1.0)
    assert [one.direction for one in back] == [0], "once"
    assert back[0].window >= min(4 * found, SPAN)
    assert gap.found == 0


def test_one_way_is_looked_for_and_the_other_changes_nothing() -> None:
    rng = np.random.default_rng(SEED)
    history = confidences(rng, 5_000)
    calibration = calibrated(history, outcomes(rng, history))
    for way, more in ((1, 0.2), (-1, 3.0)):
        gap, labelled = Gap(10_000, way), confidences(rng, SPAN)
        assert gap.add(labelled, outcomes(rng, labelled, more=more), calibration) == []
        assert gap.found == 0
        both = Gap(10_000)
        assert {one.direction for one in both.add(labelled, outcomes(rng, labelled, more=more), calibration)} == {-way}


def test_few_errors_are_no_gap_at_odds_that_chance_does_not_keep() -> None:
    """The interval around the estimate alone is too narrow below, where the odds are so small."""
    history = np.full(4_000, 0.78)
    calibration = calibrated(history, np.arange(4_000) % 100 < 22)
    gap = Gap(arl=1e8)
    assert gap.add(np.full(50, 0.78), np.arange(50) < 0, calibration) == []
    [estimate] = [estimated([(calibration, counted(np.full(50, 0.78)))], gap.tails.item(0))]
    assert estimate is not None
    assert estimate.low > 0.0
    assert 50 * gap.tails.item(0) < 0.78**50
