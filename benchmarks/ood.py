"""How well the distance tells unfamiliar events from familiar ones: AUROC on fixed sets, next to the plainest rule (the
largest |z| of any feature) and to river's half-space trees, which learn on while they judge.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

FEATURES, REFERENCE, EVENTS = 10, 500, 2_000


def familiar(rng: np.random.Generator, n: int) -> Any:
    """Ten features; half of them share a hidden cause."""
    values = rng.normal(size=(n, FEATURES))
    values[:, :5] = rng.normal(size=(n, 1)) + 0.5 * values[:, :5]
    return values


def correlation_flip(rng: np.random.Generator, n: int) -> Any:
    return familiar(rng, n) * np.where(np.arange(FEATURES) % 2, -1.0, 1.0)


def mean_shift(rng: np.random.Generator, n: int) -> Any:
    return familiar(rng, n) + np.where(np.arange(FEATURES) < 3, 1.5, 0.0)


def heavy_tail(rng: np.random.Generator, n: int) -> Any:
    return familiar(rng, n) * np.sqrt(3.0 / rng.chisquare(3, size=(n, 1)))


def far_cluster(rng: np.random.Generator, n: int) -> Any:
    return 0.3 * rng.normal(size=(n, FEATURES)) + np.where(np.arange(FEATURES) % 3 == 0, 3.0, 0.0)


SETS = {f.__name__: f for f in (correlation_flip, mean_shift, heavy_tail, far_cluster)}


def auroc(familiar_scores: Any, other_scores: Any) -> float:
    """The share of pairs in the right order (Mann & Whitney)."""
    both = np.concatenate([familiar_scores, other_scores])
    _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = len(other_scores)
    return float((ranks[len(familiar_scores) :].sum() - n * (n + 1) / 2) / (n * len(familiar_scores)))


def scores(reference: Any, events: Any) -> dict[str, Any]:
    from river import anomaly, preprocessing

    from detectors.mahalanobis import distances, learn_shape

    shape = learn_shape(reference)
    z = np.abs((events - shape.centre) / shape.scale)
    trees = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1)
    names = [f"f{i}" for i in range(FEATURES)]
    for values in reference.tolist():
        trees.learn_one(dict(zip(names, values, strict=True)))
    judged = [trees.score_one(dict(zip(names, values, strict=True))) for values in events.tolist()]
    return {"distance": distances(shape, events), "largest_z": z.max(axis=1), "half_space_trees": np.array(judged)}


def measure(brokers: str, quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """AUROC by set and score; nothing of it is a ratio of times."""
    rows = []
    for name, make in SETS.items():
        rng = np.random.default_rng(1)
        reference, good, other = familiar(rng, REFERENCE), familiar(rng, EVENTS), make(rng, EVENTS)
        before, after = scores(reference, good), scores(reference, other)
        row = {score: round(auroc(before[score], after[score]), 3) for score in before}
        rows.append({"what": "AUROC", "set": name, **row})
        print(f"AUROC, {name}: {row}", file=sys.stderr, flush=True)
    return rows, {}
