"""Confidences of a model and what came of them: of several relations and shifts, with known truth."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from detectors.bank import F64, Bool
from detectors.confidence import CELLS, Calibration, calibration_of, cells_of, counted
from detectors.counts import beta_interval

REPETITIONS = int(os.environ.get("DRIFTLINE_REPETITIONS", "1000"))
SEED = int(os.environ.get("DRIFTLINE_FIRST_SEED", "1"))

ERRORS: dict[str, Callable[[F64], F64]] = {
    "as it says": lambda c: 1.0 - c,
    "overconfident": lambda c: np.minimum(1.0, 1.6 * (1.0 - c) + 0.03),
    "rare": lambda c: 0.15 * (1.0 - c),
    "flat": lambda c: 0.0 * c + 0.1,
    "in waves": lambda c: 0.1 + 0.08 * np.sin(12.0 * c),
}
"""How often it is wrong at each confidence."""
SHIFTS: dict[str, tuple[float, float]] = {
    "none": (2.2, 1.2),
    "low": (1.2, 1.2),
    "far lower": (0.2, 1.0),
    "high": (3.6, 1.0),
    "band": (1.0, 0.25),
}
"""Mean and deviation of the log-odds of confidence; those of the history are `none`."""


def surely(hits: int, n: int = REPETITIONS) -> tuple[float, float]:
    """The exact interval of 99.99 % of a share of repetitions: with any seed it holds the true one."""
    return beta_interval(hits, n - hits + 1.0, 5e-5)[0], beta_interval(hits + 1.0, n - hits, 5e-5)[1]


def confidences(rng: np.random.Generator, n: int, shift: str = "none") -> F64:
    mean, deviation = SHIFTS[shift]
    return np.asarray(1.0 / (1.0 + np.exp(-rng.normal(mean, deviation, n))))


def outcomes(rng: np.random.Generator, confidence: F64, errors: str = "as it says", more: float = 1.0) -> Bool:
    """Which are wrong; `more`: how many times as often as they used to be, which is another concept."""
    return np.asarray(rng.random(len(confidence)) < np.minimum(more * ERRORS[errors](confidence), 1.0))


def calibrated(confidence: F64, wrong: Bool) -> Calibration:
    """Of exactly these pairs."""
    of_wrong = np.bincount(cells_of(confidence)[wrong], minlength=CELLS)
    said = np.bincount(cells_of(confidence), confidence, CELLS)
    return calibration_of(1, counted(confidence), of_wrong, said, float(np.mean((confidence - ~wrong) ** 2)))
