"""An envelope whose rows share what may be told falsely: each has its rate, and many of them are as quiet as few."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.compiled import CompiledEnvelope
from detectors.envelope import TESTS, Envelope, EnvelopeBank
from detectors.extremes import DAY_MS, odds
from schemas.core import native

F64 = NDArray[np.float64]
SEEDS = 10 if os.environ.get("DRIFTLINE_REPETITIONS") else 2


def together(n: int, seed: int, shift: float = 0.0, days: int = 42, per_day: int = 96) -> tuple[Any, F64, Any]:
    """Rows that breathe, each with its own hours and with days that are higher or lower; row 0 shifts on day 35."""
    rng, at = np.random.default_rng(seed), np.arange(days * per_day)
    night = 0.3 * np.sin(at[:, None] / per_day * 2 * np.pi + rng.uniform(0, 2 * np.pi, n))
    values = rng.standard_normal((len(at), n)) + night + np.repeat(rng.normal(0, 0.15, (days, n)), per_day, axis=0)
    values[35 * per_day :, 0] += shift
    return np.tile(np.arange(n), len(at)), values.ravel(), np.repeat(at * (DAY_MS // per_day), n)


def told_after_school(given: tuple[Any, F64, Any], n: int, among: int) -> list[int]:
    """Times of what is told where one false alarm a week is divided among so many."""
    bank = EnvelopeBank(Envelope()) if native is None else CompiledEnvelope(Envelope())
    bank.resize(n)
    bank.share(np.full(n, 1.0 / 7.0 / among))
    times: list[int] = given[2][bank.update(*given).place].tolist()
    return [time for time in times if time >= 14 * DAY_MS]


def test_many_rows_share_what_one_may_tell_falsely_and_few_are_no_later_for_it() -> None:
    weeks, false, loud = 4, 0, 0
    for seed in range(SEEDS):
        healthy = together(200, seed)
        false += len(told_after_school(healthy, 200, 200))
        loud += len(told_after_school(healthy, 200, 12))
        shifted = together(3, seed, 1.5)
        few, many = (min(told_after_school(shifted, 3, among), default=10**15) for among in (3, 12))
        assert few <= many < 10**15
        assert len(told_after_school(together(3, seed), 3, 3)) <= weeks
    assert false <= SEEDS * weeks
    assert false < loud


@pytest.mark.skipif(native is None, reason="no compiled core")
def test_rows_of_other_rates_are_equal_in_both_engines() -> None:
    given = together(4, 1, 1.5)
    rates = np.array([0.2, 0.01, 0.0001, 0.01])
    dumps = []
    for bank in (EnvelopeBank(Envelope()), CompiledEnvelope(Envelope())):
        bank.resize(3)
        bank.share(rates[:3])
        bank.resize(4)
        bank.share(rates)
        bank.update(*given)
        bank.retain(np.array([0, 1, 3]))
        bank.forget(1)
        bank.update(*together(3, 2))
        dumps.append(bank.dump())
    assert dumps[0].keys() == dumps[1].keys()
    assert all(np.array_equal(array, dumps[1][name]) for name, array in dumps[0].items())


def test_rows_that_were_not_told_have_the_rate_of_the_parameters() -> None:
    bank = EnvelopeBank(Envelope(rate=0.01))
    bank.resize(2)
    bank.share(np.array([0.1, 0.2]))
    bank.resize(3)
    assert bank.odds.tolist() == [odds(rate, TESTS) for rate in (0.1, 0.2, 0.01)]
    bank.load(bank.dump())
    assert bank.odds.tolist() == [odds(0.01, TESTS)] * 3, "it is no part of the state"
