"""Streams that hurt: shifts, walks, 0/1, huge, constant and denormal values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def shifting(rng: np.random.Generator, n: int) -> F64:
    return rng.normal(0, 1, n) + np.repeat(rng.normal(0, 2, n // 500 + 1), 500)[:n]


def walk(rng: np.random.Generator, n: int) -> F64:
    return np.cumsum(rng.normal(0, 1, n))


def coin(rng: np.random.Generator, n: int) -> F64:
    return (rng.random(n) < np.repeat(rng.random(n // 300 + 1), 300)[:n]).astype(float)


def huge(rng: np.random.Generator, n: int) -> F64:
    return np.where(rng.random(n) < 0.5, 1e300, -1e300) * rng.random(n)


def runs(rng: np.random.Generator, n: int) -> F64:
    return np.repeat(rng.normal(0, 1, n // 700 + 1), 700)[:n]


def denormal(rng: np.random.Generator, n: int) -> F64:
    return rng.lognormal(0, 2, n) * 1e-310


STREAMS = [shifting, walk, coin, huge, runs, denormal]


def stream(seed: int, n: int) -> F64:
    """One of the families, by seed."""
    return STREAMS[seed % len(STREAMS)](np.random.default_rng(seed), n)
