"""Streams that hurt: shifts, walks, 0/1, constants, sign flips, long runs, huge and subnormal values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
MAGNITUDES = (1e-320, 1e-162, 1e-155, 1e-3, 1.0, 1e3, 1e100, 1e150, 1e153, 1e154, 1e300)
"""Around 1e-160 and 1e154 squares become subnormal or overflow: there the order of operations shows."""


def shifting(rng: np.random.Generator, n: int) -> F64:
    return rng.normal(0, 1, n) + np.repeat(rng.normal(0, 2, n // 500 + 1), 500)[:n]


def walk(rng: np.random.Generator, n: int) -> F64:
    return np.cumsum(rng.normal(0, 1, n))


def coin(rng: np.random.Generator, n: int) -> F64:
    return (rng.random(n) < np.repeat(rng.random(n // 300 + 1), 300)[:n]).astype(float)


def scaled(rng: np.random.Generator, n: int) -> F64:
    return rng.normal(0, 1, n) * rng.choice(MAGNITUDES)


def constant(rng: np.random.Generator, n: int) -> F64:
    return np.full(n, rng.normal() * rng.choice(MAGNITUDES))


def flips(rng: np.random.Generator, n: int) -> F64:
    return rng.choice([-1.0, 1.0], n) * rng.choice(MAGNITUDES)


def runs(rng: np.random.Generator, n: int) -> F64:
    return np.repeat(rng.normal(0, 1, n // 700 + 1), 700)[:n]


def skewed(rng: np.random.Generator, n: int) -> F64:
    return rng.lognormal(0, 3, n)


def far_from_zero(rng: np.random.Generator, n: int) -> F64:
    return rng.normal(1e6, 1e-6, n)


def any_exponent(rng: np.random.Generator, n: int) -> F64:
    return np.ldexp(rng.random(n) - 0.5, rng.integers(-1070, 1000, n))


STREAMS = [shifting, walk, coin, scaled, constant, flips, runs, skewed, far_from_zero, any_exponent]


def stream(seed: int, n: int) -> F64:
    """One of the families, by seed."""
    return STREAMS[seed % len(STREAMS)](np.random.default_rng(seed), n)
