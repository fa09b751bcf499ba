"""How far an event lies from the reference as a whole: a robust Mahalanobis distance, comparable between models.

Each feature is standardised by its median and MAD, and the covariance is that of the values within TRIM deviations
(trimmed, Gnanadesikan & Kettenring 1972), so that a tenth of outliers in the reference does not hide others. It is
shrunk towards independence by p / (n + p), which keeps it invertible with few events, many features, constants and
copies. Nothing here depends on how many events are judged together: sums run in a fixed order, and no library
multiplies matrices.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from detectors.bank import F64
from detectors.reference import average, middle, robust_scale

TRIM = 3.0
FAR = 1e6
"""Standardised values are cut here when they are judged: the square of a hostile one must stay finite."""


class Shape(NamedTuple):
    """A frozen reference of p features: centre and scale of each, and the lower Cholesky factor of their covariance."""

    centre: F64  # p
    scale: F64  # p, > 0
    factor: F64  # p x p


def learn_shape(values: F64) -> Shape:
    """From n events of p features; NaN where an event has not got one."""
    n, p = values.shape
    centre, scale, flat = np.zeros(p), np.ones(p), np.zeros((p, n))
    for j in range(p):
        present = ~np.isnan(values[:, j])
        ordered = np.sort(values[present, j])
        if not len(ordered):
            continue
        centre[j] = middle(ordered)
        scale[j] = robust_scale(ordered, centre[j]) or 1.0
        # What is missing, or an outlier, says nothing: it stands at the centre.
        z = (values[present, j] - centre[j]) / scale[j]
        flat[j, present] = np.where(np.abs(z) <= TRIM, z, 0.0)
    shrink = p / (n + p)
    matrix = np.zeros((p, p))
    for i in range(p):
        for j in range(i + 1):
            shared = average(flat[i] * flat[j])
            matrix[i, j] = (1.0 - shrink) * shared + (shrink if i == j else 0.0)
    return Shape(centre, scale, cholesky(matrix))


def cholesky(matrix: F64) -> F64:
    """The lower factor of a positive definite matrix of which the lower half is given."""
    p = len(matrix)
    factor = np.zeros((p, p))
    for i in range(p):
        for j in range(i + 1):
            rest = float(matrix[i, j])
            for k in range(j):
                rest -= float(factor[i, k]) * float(factor[j, k])
            factor[i, j] = sqrt(max(rest, 1e-12)) if i == j else rest / float(factor[j, j])
    return factor


def distances(shape: Shape, values: F64) -> F64:
    """For each of m events (m x p, NaN = missing) its distance, as a standard normal deviate of what chi-square with as
    many degrees of freedom as it has features would give (Wilson & Hilferty 1931).
    """
    z = np.clip((values - shape.centre) / shape.scale, -FAR, FAR)
    present = ~np.isnan(z)
    z = np.where(present, z, 0.0)
    solved: list[F64] = []
    total = np.zeros(len(values))
    for i in range(len(shape.centre)):  # Forward substitution, all events side by side.
        rest = z[:, i].copy()
        for j in range(i):
            rest -= shape.factor[i, j] * solved[j]
        solved.append(rest / shape.factor[i, i])
        total += solved[i] * solved[i]
    k = np.maximum(present.sum(axis=1), 1)
    # A root of numpy's may depend on the place in the array, by a last bit.
    root = np.array([share ** (1.0 / 3.0) for share in (total / k).tolist()], np.float64)
    found: F64 = (root - (1.0 - 2.0 / (9.0 * k))) / np.sqrt(2.0 / (9.0 * k))
    return found
