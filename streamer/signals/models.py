"""Which models a config means by names and patterns: of none of them it means all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain

import numpy as np

from schemas.events.batch import Batch
from streamer.signals.columns import Bool
from streamer.signals.grammar import is_pattern, matches

EVERY = "*"
Models = tuple[str, ...]
"""Names and patterns, in order and each once; empty: all models."""


def models_of(said: str | Iterable[str] | None) -> Models:
    """What stands in a config, so that what means the same is the same."""
    found = {said} if isinstance(said, str) else set(said or ())
    return () if EVERY in found else tuple(sorted(found))


def union(many: Iterable[Models]) -> Models:
    """All that any of these means; all models where one of them means all."""
    found = list(many)
    return models_of(chain(*found)) if all(found) else ()


def takes(models: Models, model: str) -> bool:
    """Whether a model is one of them."""
    return not models or any(matches(one, model) for one in models)


def told_models(models: Models) -> str:
    """A text that no other models have."""
    return models[0] if len(models) == 1 else json.dumps(models) if models else ""


def any_pattern(models: Models) -> bool:
    return any(map(is_pattern, models))


def names_alone(models: Models) -> list[str] | None:
    """The names, where these are all that there is."""
    return list(models) if models and not any_pattern(models) else None


def of_models(batch: Batch, models: Models) -> Bool:
    """Which events are of these models. Each name of the batch is looked at once."""
    counts = np.bincount(batch.model)
    wanted = np.zeros(len(counts), bool)
    for code in np.flatnonzero(counts).tolist():
        wanted[code] = takes(models, batch.strings[code])
    found: Bool = wanted[batch.model]
    return found
