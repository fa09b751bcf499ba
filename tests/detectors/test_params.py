"""Parameters of detectors: the tables are river's, and what a bank could not work with is refused at once."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from river import drift

from detectors import River
from detectors.params import (
    BINARY,
    RIVER_DETECTORS,
    RIVER_ORDERED,
    RIVER_RANGES,
    RIVER_TEXTS,
    Adwin,
    PageHinkley,
    check_river,
)
from detectors.river_bank import RiverBank


@pytest.mark.parametrize(
    ("name", "params", "why"),
    [
        ("NoDrift", {}, "no detector"),
        ("DDM", {"nope": 1}, "no parameter"),
        ("DDM", {"warm_start": 1.5}, "must be int"),
        ("DDM", {"warm_start": True}, "must be int"),
        ("DDM", {"drift_threshold": float("nan")}, "must be in"),
        ("ADWIN", {"clock": 0}, "must be in"),
        ("ADWIN", {"delta": 1.0}, "must be in"),
        ("KSWIN", {"stat_size": 60}, "at least 2 times"),
        ("FHDDM", {"short_window_size": 101}, "at least short_window_size"),
        ("FHDDM", {"sliding_window_size": 10**7}, "must be in"),
        ("EDDM", {"alpha": 0.5}, "at least beta"),
        ("PageHinkley", {"mode": "sideways"}, "one of up, down, both"),
        ("HDDMA", {"two_sided_test": 1}, "must be bool"),
    ],
)
def test_what_river_would_trip_over_is_refused_at_once(name: str, params: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_river(name, params)
    with pytest.raises(ValueError, match=why):
        River(name, tuple(params.items()))


def test_the_extremes_of_the_table_work() -> None:
    for name in RIVER_DETECTORS:
        check_river(name, {})
        River(name)
    bank = RiverBank(River("KSWIN", (("window_size", 60), ("stat_size", 30))))
    bank.resize(1)
    bank.update(np.zeros(100, np.int64), np.arange(100.0))


@pytest.mark.parametrize(
    "wrong",
    [{"delta": 0.0}, {"delta": 1.0}, {"clock": 0}, {"max_buckets": 1}, {"min_window_length": 0}, {"direction": "left"}],
)
def test_adwin_parameters_outside_their_ranges(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Adwin(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0.0}, {"threshold": float("nan")}, {"delta": -1.0}, {"alpha": 0.0}, {"direction": ""}]
)
def test_page_hinkley_parameters_outside_their_ranges(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PageHinkley(**wrong)


def test_the_table_of_rivers_detectors_is_rivers() -> None:
    for name, known in RIVER_DETECTORS.items():
        made = getattr(drift, name, None) or getattr(drift.binary, name)
        defaults = {p: v.default for p, v in inspect.signature(made).parameters.items() if p != "window"}
        assert set(known) == set(defaults), name
        for param, (kind, *_) in known.items():
            assert defaults[param] is None or type(defaults[param]) is kind, (name, param)
            low, high = RIVER_RANGES[name].get(param, (0, 1))
            assert defaults[param] is None or kind is str or low <= defaults[param] <= high, (name, param)
            assert param in RIVER_RANGES[name] or kind is bool or (name, param) in RIVER_TEXTS
        if name in RIVER_ORDERED:
            large, large_default, small, small_default, _ = RIVER_ORDERED[name]
            assert defaults[large] == large_default
            assert defaults[small] in (small_default, None)


def test_the_table_holds_every_drift_detector_of_river() -> None:
    names = {name for name in [*dir(drift), *dir(drift.binary)] if name[0].isupper()}
    assert names - set(RIVER_DETECTORS) == {"DriftRetrainingClassifier", "DummyDriftDetector", "NoDrift"}
    assert {name for name in dir(drift.binary) if name[0].isupper()} == BINARY
