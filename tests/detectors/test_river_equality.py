"""Alarms and state equal to the pinned river, bit for bit, on any stream.

Without the compiled core ADWIN is river's own: then this holds what stands around it, wipes, looks and saved states.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from river import drift

from detectors import Adwin, PageHinkley, River, make_bank
from detectors.adwin import AdwinBank
from detectors.page_hinkley import PageHinkleyBank
from detectors.params import BINARY, DIRECTIONS, RIVER_DETECTORS
from tests.detectors.streams import STREAMS, stream

finite = st.floats(allow_nan=False, allow_infinity=False)


def alarms(detector: Any, values: list[float]) -> list[int]:
    found = []
    for i, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(i)
    return found


def bits(numbers: list[float]) -> bytes:
    """Bytes of the numbers; all NaN count as one, since their sign is the machine's."""
    array = np.array(numbers, float)
    array[np.isnan(array)] = np.nan
    return array.tobytes()


def levels_of(oracle: drift.ADWIN) -> list[tuple[list[float], list[float]]]:
    """Sums and variances of river's buckets, from the bytes its Rust core pickles itself to."""
    data = bytes(oracle._helper.__getstate__())
    place = struct.calcsize("<diQdddddd iiii".replace(" ", ""))

    def take(kind: str, n: int) -> tuple[Any, ...]:
        nonlocal place
        place += struct.calcsize(f"<{n}{kind}")
        return struct.unpack_from(f"<{n}{kind}", data, place - struct.calcsize(f"<{n}{kind}"))

    levels = []
    for _ in range(take("Q", 1)[0]):
        _, used = take("Q", 2)
        sums = take("d", take("Q", 1)[0])
        variances = take("d", take("Q", 1)[0])
        levels.append((list(sums[:used]), list(variances[:used])))
    return levels


def check_adwin(params: Adwin, values: list[float]) -> int:
    bank = AdwinBank(params)
    bank.resize(1)
    oracle = drift.ADWIN(params.delta, params.clock, params.max_buckets, params.min_window_length, params.grace_period)
    ours = bank.update(np.zeros(len(values), np.int64), np.array(values, float)).place.tolist()
    assert ours == alarms(oracle, values)
    [window] = bank.windows()
    assert bank.state[0].detected == oracle.drift_detected
    estimation = window.total / window.width if window.width else 0.0
    assert bits([window.width, window.total, window.variance, estimation]) == bits(
        [oracle.width, oracle.total, oracle.variance, oracle.estimation]
    )
    theirs = levels_of(oracle)
    assert [len(level) for level in window.sums] == [len(sums) for sums, _ in theirs]
    for level, spread, (sums, variances) in zip(window.sums, window.variances, theirs, strict=True):
        assert bits(level) == bits(sums)
        assert bits(spread) == bits(variances)
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
        oracle.drift_detected,
    ]
    assert bits(list(bank.state[0])) == bits(fields)
    return len(ours)


@pytest.mark.parametrize("family", STREAMS, ids=lambda f: f.__name__)
def test_on_long_streams(family: Any) -> None:
    found = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        values = family(rng, 2000).tolist()
        adwin = Adwin(
            delta=float(rng.choice([0.0002, 0.002, 0.05, 0.3, 0.99])),
            clock=int(rng.choice([1, 7, 32])),
            max_buckets=int(rng.choice([2, 3, 5, 8])),
            min_window_length=int(rng.choice([1, 5, 20])),
            grace_period=int(rng.choice([0, 2, 10, 100])),
        )
        found += check_adwin(adwin, values)
        mode = DIRECTIONS[seed % 3]
        threshold, alpha = float(rng.choice([50, 5, 1])), float(rng.choice([0.9999, 1.0, 0.5]))
        found += check_page_hinkley(PageHinkley(30, 0.005, threshold, alpha, mode), values)
    if family.__name__ not in ("constant", "far_from_zero"):
        assert found > 10


GIVEN: dict[str, dict[str, Any]] = {
    "KSWIN": {"seed": 3, "alpha": 0.05},
    "FHDDM": {"short_window_size": 20},
    "HDDMA": {"two_sided_test": True},
    "HDDMW": {"two_sided_test": True},
    "PageHinkley": {"mode": "up", "threshold": 10.0},
}


@pytest.mark.parametrize("name", RIVER_DETECTORS)
@pytest.mark.parametrize("chosen", [False, True], ids=["defaults", "chosen"])
def test_every_other_detector_is_rivers_own(name: str, chosen: bool) -> None:
    given = GIVEN.get(name, {}) if chosen else {}
    if name == "KSWIN":
        given = {"seed": 3, **given}
    values = stream(2 if name in BINARY else 0, 1500)
    bank = make_bank(River(name, tuple(given.items())))
    bank.resize(1)
    made = getattr(drift, name, None) or getattr(drift.binary, name)
    ours: list[int] = []
    for begin in range(0, 1500, 300):  # A snapshot between the batches must not show either.
        part = values[begin : begin + 300]
        ours += [begin + i for i in bank.update(np.zeros(300, np.int64), part).place.tolist()]
        again = make_bank(River(name, tuple(given.items())))
        again.load(bank.dump())
        bank = again
    assert ours == alarms(made(**given), values.tolist())
    assert ours or name in ("EDDM", "FHDDM")
