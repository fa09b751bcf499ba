"""The defaults keep quiet on healthy series and find shifts in time; the measured table stands in `params.py`.

A small, seeded part of that measurement: 400,000 healthy values per detector, 60 streams per shift.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors import Adwin, PageHinkley, Params, make_bank, make_compiled_bank
from detectors.reference import Reference
from schemas.core import native

F64 = NDArray[np.float64]
WARMUP = 500

HEALTHY: dict[str, Callable[[np.random.Generator, tuple[int, int]], F64]] = {
    "normal": lambda rng, shape: rng.normal(0, 1, shape),
    "lognormal": lambda rng, shape: rng.lognormal(0, 1, shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape),
    "Bernoulli .01": lambda rng, shape: (rng.random(shape) < 0.01).astype(float),
    "Bernoulli .3": lambda rng, shape: (rng.random(shape) < 0.3).astype(float),
}

kinds = pytest.mark.parametrize("params", [Adwin(), PageHinkley()], ids=lambda p: type(p).__name__)


def standardised(values: F64) -> F64:
    """z after the warm-up; values and z have one series per row."""
    series, n = values.shape
    reference = Reference(WARMUP)
    reference.resize(series)
    at = np.arange(values.size)
    _, z, _ = reference.update(np.tile(np.arange(series), n), values.T.ravel(), at, at, at)
    return z.reshape(n, series)[WARMUP:].T


def alarms(params: Params, z: F64) -> list[tuple[int, int]]:
    """(series, index) of every alarm."""
    bank = make_bank(params) if native is None else make_compiled_bank(params)
    bank.resize(len(z))
    places = bank.update(np.repeat(np.arange(len(z)), z.shape[1]), z.ravel()).place
    return [divmod(place, z.shape[1]) for place in places.tolist()]


@kinds
@pytest.mark.parametrize("family", HEALTHY)
def test_a_healthy_series_raises_no_alarm(params: Params, family: str) -> None:
    rng = np.random.default_rng([31, len(family)])
    assert alarms(params, standardised(HEALTHY[family](rng, (4, 20_000)))) == []


@kinds
def test_a_shift_is_found_in_time(params: Params) -> None:
    limits = {0.5: 250, 1.0: 100 if isinstance(params, Adwin) else 60, 2.0: 40}
    for shift, limit in limits.items():
        values = np.random.default_rng(17).normal(0, 1, (60, 6_500))
        values[:, WARMUP + 5_000 :] += shift
        first: dict[int, int] = {}
        for series, index in alarms(params, standardised(values)):
            first.setdefault(series, index - 5_000 + 1)
        assert min(first.values()) > 0
        delays = [first.get(series, 10**6) for series in range(60)]
        assert np.median(delays) <= limit, (shift, np.median(delays))


@kinds
def test_the_units_of_a_feature_do_not_matter(params: Params) -> None:
    values = np.random.default_rng(5).normal(0, 1, (5, 4_000))
    values[:, 3_000:] += 1.0
    expected = alarms(params, standardised(values))
    assert len(expected) >= 5
    assert alarms(params, standardised(values * 4096.0)) == expected
    assert alarms(params, standardised(values * 1e-3 + 100.0)) == expected
