"""ADWIN on any values, and counts that begin again before they would overflow. See also test_river_equality.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from river import drift

from detectors import Adwin, adwin
from detectors.adwin import AdwinBank
from tests.detectors.test_river_equality import alarms, check_adwin, finite


@pytest.mark.parametrize("most", [1, 3, 50])
@pytest.mark.parametrize("clock", [1, 7, 32])
def test_counts_that_begin_anew_change_nothing(clock: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """River's 32 bits, made short: its looks must stay where they were, however the values come."""
    anew: list[int] = []
    saved_of = adwin.saved_of
    monkeypatch.setattr(adwin, "TICKS_MAX", 100)
    monkeypatch.setattr(adwin, "saved_of", lambda *given: anew.append(given[2]) or saved_of(*given))
    rng = np.random.default_rng(clock)
    values = np.r_[rng.normal(0, 1, 1500), rng.normal(3, 1, 1500)]
    bank, begin, hits = AdwinBank(Adwin(delta=0.002, clock=clock)), 0, []
    bank.resize(1)
    while begin < len(values):
        piece = values[begin : begin + int(rng.integers(1, most + 1))]
        hits += (bank.update(np.zeros(len(piece), np.int64), piece).place + begin).tolist()
        begin += len(piece)
    assert hits == alarms(drift.ADWIN(0.002, clock), values.tolist())
    assert len(hits) > 0
    assert [tick // 100 for tick in anew[:14]] == list(range(1, 15))


@given(st.lists(finite, max_size=120), st.integers(1, 8), st.sampled_from([0.01, 0.3, 0.99]))
@example([0.0, 1000.0, 0.0], 1, 0.99)  # Leaves a window of one value, whose delta' has no logarithm.
def test_adwin_on_any_values(values: list[float], clock: int, delta: float) -> None:
    check_adwin(Adwin(delta=delta, clock=clock, grace_period=0, min_window_length=1, max_buckets=2), values)


def test_a_bound_of_four_times_epsilon_takes_longer_and_is_reached() -> None:
    """If what is found at once were only held, the window would be cut by then, and never show as much again."""
    values, bank = np.random.default_rng(3).standard_normal(3_000), AdwinBank(Adwin())
    values[2_000:] += 2.0
    bank.resize(2)
    bank.raise_thresholds(np.array([1.0, 4.0]))
    hits = [bank.update(np.full(3_000, row), values) for row in range(2)]
    soon, late = (int(one.place[0]) for one in hits)
    assert 2_000 <= soon < 2_064 < late < 2_600
    assert all(one.statistic[0] > one.threshold[0] for one in hits)
    assert len(hits[1].place) <= 2
