"""The audit: what of a window is looked at, what verdicts say of all of it, and when the test fires."""

from __future__ import annotations

import os

import numpy as np
import pytest

from detectors.lowest import Offered
from streamer.config.review import Audit
from streamer.review.asked import MODELS_MAX, Item, Purpose, Truth
from streamer.review.audits import LOWEST, RANDOM, Audits, Wanted

HOUR_MS = 3_600_000
TERMS = Audit(share=0.1, control=0.1, window="1h", most=20)  # type: ignore[call-arg]


def events(confidence: np.ndarray, first: int = 0) -> Offered:
    n = len(confidence)
    at = np.arange(first, first + n)
    return Offered(confidence, at, np.zeros(n, np.int64), at.astype(np.uint64) + 7, np.zeros(n, np.int64))


def window(audits: Audits, seed: int = 1, models: str = "m", n: int = 200) -> list[Wanted]:
    rng = np.random.default_rng(seed)
    assert audits.turn(0) == []
    for place, model in enumerate(models):
        audits.offer(model, events(rng.uniform(0.5, 1.0, n), place * n))
    assert audits.turn(HOUR_MS - 1) == []
    return audits.turn(HOUR_MS)


def truth(one: Wanted, wrong: bool, estimated: float | None = 0.2) -> Truth:
    purpose = Purpose(one.begin_ms, one.kind == LOWEST, estimated)
    return Truth("", Item(one.model, 0, one.spot[0], 5, purpose), wrong)


def test_the_least_confident_and_some_of_the_rest_are_looked_at_within_what_a_window_may() -> None:
    found = window(Audits(TERMS, 20, HOUR_MS))
    kinds = [one.kind for one in found]
    assert (kinds.count(LOWEST), kinds.count(RANDOM)) == (16, 4)
    assert {(one.kind, one.chosen, one.of) for one in found} == {(LOWEST, 16, 16), (RANDOM, 4, 184)}
    assert len({one.spot for one in found}) == 20
    rich = window(Audits(TERMS, 1000, HOUR_MS))
    assert [one.kind for one in rich].count(LOWEST) == [one.kind for one in rich].count(RANDOM) == 20


@pytest.mark.parametrize(("models", "most"), [("abc", 20), ("abcde", 3), ("a", 1)])
def test_models_share_what_a_window_may(models: str, most: int) -> None:
    found = window(Audits(TERMS, most, HOUR_MS), models=models)
    assert len(found) <= most
    counts = {model: sum(one.model == model for one in found) for model in models}
    assert max(counts.values()) == most // len(models)


def test_the_error_of_all_is_told_when_both_parts_have_an_answer_and_again_when_more_come() -> None:
    audits = Audits(TERMS, 20, HOUR_MS)
    found = window(audits)
    [first] = audits.tell(HOUR_MS)
    assert (first.window.version, first.window.error()) == (1, None)
    assert first.window.estimated == pytest.approx(0.25, abs=0.02)
    assert list(audits.tell(HOUR_MS)) == []
    for one in found:
        audits.answered(truth(one, wrong=one.kind == LOWEST))
    [again] = audits.tell(HOUR_MS)
    error = again.window.error()
    assert error is not None
    assert (again.window.version, error.share) == (2, 16 / 200)
    assert error.low <= error.share <= error.high
    assert not list(audits.tell(10 * HOUR_MS))
    assert not audits.windows, "nobody waits for it any more"


WINDOWS = int(os.environ.get("DRIFTLINE_REPETITIONS", "20"))
FIRST = int(os.environ.get("DRIFTLINE_FIRST_SEED", "0"))


def test_the_error_of_all_is_unbiased_though_mostly_the_worst_are_looked_at_and_its_interval_covers() -> None:
    """Ten seeds, each of a model that is wrong otherwise than it says, most of all where it is sure."""
    off, covered = [], []
    for seed in range(FIRST, FIRST + 10):
        audits, rng, n = Audits(TERMS, 100, HOUR_MS), np.random.default_rng(seed), 400
        for number in range(WINDOWS):
            confidence = 1.0 - 0.5 * rng.random(n) ** 2
            wrong = rng.random(n) < 0.3 * (1.0 - confidence) + 0.08 + 0.05 * (seed % 3)
            audits.turn(number * HOUR_MS)
            audits.offer("m", events(confidence))
            for one in audits.turn((number + 1) * HOUR_MS):
                audits.answered(truth(one, bool(wrong[one.spot[0]])))
            [told] = audits.tell((number + 1) * HOUR_MS)
            error = told.window.error()
            assert error is not None
            off.append(error.share - wrong.mean())
            covered.append(error.low <= wrong.mean() <= error.high)
    assert abs(np.mean(off)) < 3.0 * np.std(off) / np.sqrt(len(off))
    assert np.mean(covered) > 0.9


@pytest.mark.parametrize(("rate", "fires"), [(0.2, False), (0.7, True)])
def test_a_test_fires_once_and_begins_anew(rate: float, fires: bool) -> None:
    audits, rng = Audits(TERMS, 20, HOUR_MS), np.random.default_rng(5)
    [one, *_] = window(audits)
    for _ in range(100):
        audits.answered(truth(one, bool(rng.random() < rate)))
    assert (audits.fired == {"m": (one.spot[0], 5, None)}) == fires
    if fires:
        audits.restart("m")
        assert (audits.fired, audits.tests) == ({}, {})


def test_what_was_not_asked_for_the_audit_is_none_of_its_business() -> None:
    audits = Audits(TERMS, 20, HOUR_MS)
    audits.answered(Truth("", Item("m", 0, 1, 1), True))
    assert not audits.tests


def test_an_item_of_which_nothing_was_known_counts_for_its_window_and_is_not_bet_on() -> None:
    audits = Audits(TERMS, 20, HOUR_MS)
    for one in window(audits):
        audits.answered(truth(one, wrong=True, estimated=None))
    [told] = audits.tell(HOUR_MS)
    assert (sum(told.window.answered), told.test.verdicts, audits.tests) == (20, 0, {})


def test_models_beyond_are_counted_and_not_audited() -> None:
    audits = Audits(TERMS, 100, HOUR_MS)
    for number in range(MODELS_MAX + 2):
        audits.offer(f"m{number}", events(np.array([0.5, 0.6])))
    assert audits.left_out == 4


def test_a_state_goes_on_where_it_stood_and_another_budget_begins_the_window_anew() -> None:
    audits, again, other = (Audits(TERMS, most, HOUR_MS) for most in (20, 20, 10))
    for one in window(audits):
        audits.answered(truth(one, wrong=True))
    audits.offer("m", events(np.linspace(0.5, 1.0, 50)))
    again.load(audits.dump())
    assert str(again.dump()) == str(audits.dump())
    assert again.turn(2 * HOUR_MS) == audits.turn(2 * HOUR_MS)
    other.load(audits.dump())
    assert (other.open, other.windows.keys(), other.tests.keys()) == ({}, audits.windows.keys(), audits.tests.keys())
