"""How windows end, counted by model: with a verdict, or why without one. Signs of life tell it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

ENDS = {
    "evaluated": "judged",
    "insufficient": "too few events for a verdict, or nothing to compare them with yet",
    "late": "of stragglers, whose window had ended before",
    "skipped": "without an event, or cut off by the begin or the end of a silence",
}

NOBODY = ""
"""Whose windows those of forgotten models are; no model has an empty name."""

Outcomes = dict[str, dict[str, int]]
"""By model, by how it ended."""


def note(outcomes: Outcomes, model: str, ended: str, count: int = 1) -> None:
    """Count windows that ended."""
    outcomes.setdefault(model, dict.fromkeys(ENDS, 0))[ended] += count


def forgotten(outcomes: Outcomes, models: Collection[str]) -> Outcomes:
    """The same when these models are known no more: their windows count for nobody by name, and in sums."""
    left = {model: counts for model, counts in outcomes.items() if model not in models}
    for model in sorted(outcomes.keys() & set(models)):
        for ended, count in outcomes[model].items():
            note(left, NOBODY, ended, count)
    return left


def plain(outcomes: Outcomes) -> list[Any]:
    """By name: which model's window ended first may depend on where the log was cut."""
    return [[model, *counts.values()] for model, counts in sorted(outcomes.items())]


def outcomes_of(state: list[Any]) -> Outcomes:
    """Of what `plain` made; ValueError for what it cannot have made."""
    return {str(model): dict(zip(ENDS, map(int, counts), strict=True)) for model, *counts in state}
