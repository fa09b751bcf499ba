"""Precision, and shares that learn from verdicts: pages go down, what is right stays, and all can be undone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from detectors.bank import F64, Bool
from detectors.counts import clopper_pearson
from detectors.precision import (
    DOUBLINGS,
    LEAST,
    SURE,
    VERSIONS_MAX,
    WRONG,
    Proposal,
    Shares,
    Verdicts,
    beta,
    corrected,
    doublings_of,
    expected,
)
from tests.later import Later

stats = Later("scipy.stats")

MONITORS = 8
SEEDS = range(10)


class Alerts(NamedTuple):
    strength: F64
    right: Bool


def alerts_of(rng: np.random.Generator, weeks: int, right: float, noise: float, doublings: float) -> Alerts:
    """So many of either kind a week; those that are right grow strong while the fault lasts, some do not."""
    true, false = rng.poisson(weeks * right), rng.poisson(weeks * noise)
    grown = np.maximum(rng.normal(6.0, 2.0, true), 0.0)
    strength = 2.0 ** np.concatenate([grown, rng.exponential(doublings, false)])
    return Alerts(strength, np.arange(true + false) < true)


def world(rng: np.random.Generator, weeks: int) -> list[Alerts]:
    """Monitors of three alerts a week that are right and one in two weeks that is not; the last has 45 that are not."""
    healthy = [alerts_of(rng, weeks, 3.0, 0.5, 1.2) for _ in range(MONITORS)]
    return [*healthy, alerts_of(rng, weeks, 2.0, 45.0, 1.2)]


def verdicts_of(rng: np.random.Generator, alerts: Alerts, wrong: float = WRONG) -> Verdicts:
    found = Verdicts()
    found.add(alerts.strength, alerts.right ^ (rng.random(len(alerts.right)) < wrong))
    return found


def learned(rng: np.random.Generator, weeks: int) -> list[Proposal | None]:
    verdicts = [verdicts_of(rng, alerts) for alerts in world(rng, weeks)]
    total = sum(one.found() for one in verdicts)
    return [one.proposal(elsewhere=total - one.found()) for one in verdicts]


@pytest.mark.parametrize("seed", SEEDS)
def test_pages_go_down_and_alerts_that_are_right_stay(seed: int) -> None:
    """With 15 % wrong verdicts: learned in half a year, tried on the next."""
    rng = np.random.default_rng(seed)
    proposals = learned(rng, 26)
    assert proposals[-1] is not None
    before, after = world(rng, 26), []
    for alerts, proposal in zip(before, proposals, strict=True):
        told = alerts.strength >= (1.0 / proposal.factor if proposal else 1.0)
        after.append(Alerts(alerts.strength[told], alerts.right[told]))
    pages = [sum(len(alerts.right) for alerts in one) for one in (before, after)]
    right = [sum(int(alerts.right.sum()) for alerts in one) for one in (before, after)]
    assert pages[1] <= 0.5 * pages[0]
    assert right[1] >= 0.95 * right[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_its_healthy_twin_changes_nothing(seed: int) -> None:
    """One alert in five is right, the weak ones as often as the strong, and 15 % of the verdicts are wrong, too."""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        alerts = Alerts(2.0 ** rng.exponential(1.2, 500), rng.random(500) < 0.2)
        assert verdicts_of(rng, alerts).proposal(elsewhere=1e9) is None


def test_what_is_worth_a_page_is_hardly_ever_given_up() -> None:
    """Weak alerts of which one in ten is right, just what is worth it: the odds are those of the interval."""
    rng = np.random.default_rng(1)
    given_up = 0
    for _ in range(1_000):
        right = rng.random(150) < 0.1
        found = verdicts_of(rng, Alerts(np.full(150, 1.5), right))
        given_up += found.proposal(elsewhere=1e9) is not None
    assert clopper_pearson(given_up, 1_000)[0] <= SURE
    assert given_up > 0


def test_few_verdicts_and_strong_alerts_propose_nothing() -> None:
    assert Verdicts().proposal() is None
    found = Verdicts()
    found.add(np.full(LEAST - 1, 1.0), np.zeros(LEAST - 1, np.bool_))
    assert found.proposal(wrong=0.0) is None
    found = Verdicts()
    found.add(np.full(500, 100.0), np.zeros(500, np.bool_))
    assert found.proposal() is None, "a share of a sixteenth would change nothing"


def test_the_loss_is_that_of_all_monitors() -> None:
    found = Verdicts()
    found.add(np.repeat([1.0, 64.0], [400, 10]), np.arange(410) >= 395)
    assert found.proposal(wrong=0.0) is None, "five of fifteen"
    proposal = found.proposal(wrong=0.0, elsewhere=86.0)
    assert proposal is not None
    assert (proposal.factor, proposal.quiet, proposal.lost) == (0.5, 400, pytest.approx(5 / 101))
    assert found.proposal(wrong=0.0, elsewhere=84.0) is None
    assert found.found(wrong=0.0) == pytest.approx(15.0)


def test_the_interval_is_that_of_the_posterior() -> None:
    for right, n in [(0, 0), (0, 30), (7, 9), (200, 1_000)]:
        law = stats.beta(right + 0.5, n - right + 0.5)
        assert beta(right, n) == pytest.approx((law.mean(), law.ppf(0.025), law.ppf(0.975)), abs=1e-9)


def test_wrong_verdicts_are_undone_in_the_mean() -> None:
    for precision in (0.0, 0.02, 0.5, 1.0):
        assert corrected(0.85 * precision + 0.15 * (1 - precision), 0.15) == pytest.approx(precision)
    assert (corrected(0.1, 0.15), corrected(0.9, 0.15)) == (0.0, 1.0)
    assert expected(30, 100, 0.1) == pytest.approx(25.0)
    found = Verdicts()
    found.add(np.full(1_000, 3.0), np.arange(1_000) < 290)
    assert found.precision(wrong=0.15).share == pytest.approx(0.2, abs=1e-3)
    assert found.precision().low < 0.29 < found.precision().high


def test_doublings_are_exact() -> None:
    powers = 2.0 ** np.arange(DOUBLINGS)
    assert doublings_of(powers).tolist() == list(range(DOUBLINGS))
    assert doublings_of(np.nextafter(powers[1:], 0.0)).tolist() == list(range(DOUBLINGS - 1))
    assert doublings_of(np.array([1e300])).tolist() == [DOUBLINGS - 1]
    with pytest.raises(AssertionError):
        Verdicts().add(np.array([0.9]), np.array([True]))


def test_undo_is_the_earlier_version_to_the_last_bit() -> None:
    shares, proposal = Shares(), Proposal(0.125, 30, 40, 0.01, 0.0)
    shares.set("noisy", 0.1 + 0.2)
    shares.set("calm", 0.3)
    before = shares.of("noisy")
    assert shares.apply("noisy", proposal) == 1
    again = Shares()
    again.load(shares.dump())
    assert again.dump() == shares.dump()
    assert again.undo("noisy") == 2
    assert again.of("noisy").hex() == before.hex()
    assert again.of("calm") == 0.3
    with pytest.raises(ValueError, match="no change"):
        again.undo("noisy")
    with pytest.raises(KeyError):
        again.of("unknown")


def test_versions_are_bounded() -> None:
    shares = Shares()
    shares.set("noisy", 1.0)
    for _ in range(100):
        shares.apply("noisy", Proposal(0.5, 1, 1, 0.0, 0.0))
    assert shares.of("noisy") == 0.5**100
    for _ in range(VERSIONS_MAX):
        shares.undo("noisy")
    assert (shares.of("noisy"), shares.version["noisy"]) == (0.5**36, 100 + VERSIONS_MAX)
    with pytest.raises(ValueError, match="no change"):
        shares.undo("noisy")


def test_what_cannot_be_is_refused_and_a_dump_comes_back() -> None:
    found, again = Verdicts(), Verdicts()
    found.add(np.array([1.0, 5.0, 5.0]), np.array([True, False, True]))
    again.load(found.dump())
    assert again.precision() == found.precision()
    with pytest.raises(ValueError, match="cannot be"):
        again.load({"n": found.right, "right": found.n})
    bad: Any
    for bad in ([1], [1, 0.0], [1, 2.0], [0, 0.5, 0.25], [99, *[0.5] * (VERSIONS_MAX + 2)]):
        with pytest.raises(ValueError, match="cannot be"):
            Shares().load({"noisy": bad})
