"""A share that falls: false alarms ever, power as said beforehand, and that nothing but whole numbers is remembered."""

from __future__ import annotations

import json
import os
import random

import numpy as np
import pytest

from detectors.counts import clopper_pearson
from detectors.falling import KEPT, REFERENCE, STRIDE, Count, Falling, border, evidence, found_by, needed

SEEDS = range(1000 if os.environ.get("DRIFTLINE_REPETITIONS") else 40)


def run(seed: int, *parts: tuple[float, int]) -> Falling:
    rng, test = random.Random(seed), Falling()
    for misses, count in parts:
        test.add([rng.random() >= misses for _ in range(count)])
    return test


def test_who_stays_as_good_is_told_of_with_alpha_at_most_however_long_one_looks() -> None:
    fired = sum(run(seed, (0.1, REFERENCE + 500)).told_at > 0 for seed in SEEDS)
    assert clopper_pearson(fired, len(SEEDS))[0] <= 0.05


def test_a_first_that_was_lucky_is_what_half_of_alpha_pays_for() -> None:
    """Also where the border itself is the truth, the other half is not exceeded."""
    limit, fired = border(6, 0.05), 0
    for seed in SEEDS:
        rng, test = random.Random(seed), Falling()
        test.add([place >= 6 for place in range(REFERENCE)])
        test.add([rng.random() >= limit for _ in range(400)])
        fired += test.told_at > 0
    assert clopper_pearson(fired, len(SEEDS))[0] <= 0.025


@pytest.mark.parametrize("truth", [0.3, 0.5])
def test_a_fall_is_found_as_often_as_is_said_beforehand(truth: float) -> None:
    begun, wanted = 11, needed(4, truth, begun=11)
    assert wanted is not None
    assert found_by(4, truth, begun=begun)[wanted - 1] >= 0.8 > found_by(4, truth, begun=begun)[wanted - 2]
    found = 0
    for seed in SEEDS:
        rng, test = random.Random(seed), Falling()
        test.add([place >= 4 for place in range(REFERENCE)])
        test.add([rng.random() >= 4 / REFERENCE for _ in range((begun - 1) * STRIDE)])
        test.add([rng.random() >= truth for _ in range(wanted)])
        found += test.told_at > 0
    assert clopper_pearson(found, len(SEEDS))[1] >= 0.8, "other bets only add to it"


def test_a_small_fall_is_not_promised_and_none_is_where_all_were_misses() -> None:
    assert needed(4, 0.16) is None
    assert (border(REFERENCE, 0.05), evidence(Count(50, 50), 1.0)) == (1.0, 0.0)
    assert run(1, (1.1, 2 * REFERENCE)).told_at == 0


def test_what_is_told_are_the_values_since_it_fell() -> None:
    test = Falling()
    test.add([place % 15 > 0 for place in range(REFERENCE + 10 * STRIDE)])
    test.add([place % 2 > 0 for place in range(60)])
    assert test.told_at > 10 * STRIDE
    assert test.since.n == test.told_at - 10 * STRIDE
    assert test.evidence >= test.limit == 40.0


def test_values_that_are_no_matter_of_it_are_forgotten_and_the_first_are_not() -> None:
    test = run(1, (0.1, REFERENCE + 20))
    first = test.first
    test.forget()
    assert (test.first, test.bets, test.evidence) == (first, [], 0.0)
    test.add([True] * STRIDE)
    assert test.bets == [Count(STRIDE, 0)]


def test_a_state_goes_on_where_it_stood_and_is_bounded() -> None:
    test, again = run(3, (0.1, 2 * KEPT * STRIDE)), Falling()
    assert len(test.bets) == KEPT
    again.load(test.dump())
    for one in (test, again):
        one.add([place % 2 > 0 for place in range(300)])
    assert json.dumps(again.dump()["counts"]) == json.dumps(test.dump()["counts"])
    assert np.array_equal(again.dump()["bets"], test.dump()["bets"])
    assert again.told_at == test.told_at > 0


@pytest.mark.parametrize(
    "wrong",
    [{"counts": [61, 0, 0, 0, 0, 0, 0]}, {"counts": [60, 0, 0, 0, 0, 0]}, {"bets": np.array([[1, 2]])}],
    ids=["first", "short", "misses"],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    test = run(3, (0.1, 200))
    with pytest.raises(ValueError, match="cannot be|values to unpack|expected"):
        Falling().load(test.dump() | wrong)
