"""Alarms and state equal to the pinned river, bit for bit, on any stream; river is the oracle, not a part."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift

from detectors import Adwin, PageHinkley, River, make_bank
from detectors.adwin import AdwinBank
from detectors.page_hinkley import PageHinkleyBank
from detectors.params import RIVER_DETECTORS
from tests.detectors.streams import stream

MODES = ("both", "up", "down")
finite = st.floats(allow_nan=False, allow_infinity=False)


def alarms(detector: Any, values: list[float]) -> list[int]:
    found = []
    for i, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(i)
    return found


def same_bits(ours: list[float], theirs: list[float]) -> None:
    assert np.array(ours, float).tobytes() == np.array(theirs, float).tobytes()


def check_adwin(params: Adwin, values: list[float]) -> int:
    bank = AdwinBank(params)
    bank.resize(1)
    oracle = drift.ADWIN(params.delta, params.clock, params.max_buckets, params.min_window_length, params.grace_period)
    ours = bank.update(np.zeros(len(values), np.int64), np.array(values, float)).place.tolist()
    assert ours == alarms(oracle, values)
    window = bank.settle()[0]
    assert window.width == oracle.width
    if np.isfinite([oracle.total, oracle.variance]).all():
        same_bits([window.total, window.variance], [oracle.total, oracle.variance])
    return len(ours)


def check_page_hinkley(params: PageHinkley, values: list[float]) -> int:
    bank = PageHinkleyBank(params)
    bank.resize(1)
    oracle = drift.PageHinkley(params.min_instances, params.delta, params.threshold, params.alpha, params.direction)
    ours = bank.update(np.zeros(len(values), np.int64), np.array(values, float)).place.tolist()
    assert ours == alarms(oracle, values)
    fields = [
        oracle._x_mean.n,
        oracle._x_mean.get(),
        oracle._sum_increase,
        oracle._sum_decrease,
        oracle._min_increase,
        oracle._max_decrease,
    ]
    if np.isfinite(fields[:4]).all():
        same_bits(list(bank.state[0][:6]), fields)
    return len(ours)


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_adwin_on_long_streams(first: int) -> None:
    found = 0
    for seed in range(first, first + 20):
        params = Adwin(
            delta=(0.002, 0.05, 0.3)[seed % 3],
            clock=(32, 1, 7)[seed // 2 % 3],
            max_buckets=(5, 3, 8)[seed // 5 % 3],
            min_window_length=(5, 1, 20)[seed // 7 % 3],
            grace_period=(10, 2, 100)[seed // 3 % 3],
        )
        found += check_adwin(params, stream(seed, 3000).tolist())
    assert found > 100


def test_page_hinkley_on_long_streams() -> None:
    found = 0
    for seed in range(60):
        params = PageHinkley(30, 0.005, (50, 5, 1)[seed % 3], 0.9999, MODES[seed // 2 % 3])
        found += check_page_hinkley(params, stream(seed, 3000).tolist())
    assert found > 100


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(finite, max_size=120), st.integers(1, 8))
def test_adwin_on_any_values(values: list[float], clock: int) -> None:
    check_adwin(Adwin(delta=0.3, clock=clock, grace_period=2, min_window_length=1), values)


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(finite, max_size=120), st.sampled_from(MODES))
def test_page_hinkley_on_any_values(values: list[float], mode: str) -> None:
    check_page_hinkley(PageHinkley(3, 0.005, 2.0, 0.99, mode), values)


@pytest.mark.parametrize("name", RIVER_DETECTORS)
def test_every_other_detector_is_rivers_own(name: str) -> None:
    values = stream(2 if name not in ("ADWIN", "PageHinkley", "KSWIN") else 0, 1500)
    chosen = {"seed": 3} if name == "KSWIN" else {}
    bank = make_bank(River(name, tuple(chosen.items())))
    bank.resize(1)
    made = getattr(drift, name, None) or getattr(drift.binary, name)
    ours = bank.update(np.zeros(len(values), np.int64), values).place.tolist()
    assert ours == alarms(made(**chosen), values.tolist())


def test_the_table_of_rivers_detectors_is_rivers() -> None:
    for name, known in RIVER_DETECTORS.items():
        made = getattr(drift, name, None) or getattr(drift.binary, name)
        taken = {p for p in inspect.signature(made).parameters if p != "window"}
        assert set(known) == taken, name
