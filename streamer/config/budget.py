"""The budget of false alarms, in a person's units, and what each monitor has of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from detectors.extremes import DAY_MS
from streamer.config.monitor import Monitor
from streamer.config.types import Duration, Model
from streamer.signals.grammar import parse_signal

MEMBERS = 12
"""Series that a signal with a `*` is taken to have. A limit is a matter of the logarithm: with ten times as many it
would be a quarter farther away.
"""

Weight = Annotated[float, Field(gt=0, le=1_000)]


class FalseAlarms(Model):
    """How many false alarms may come; every monitor that learns what healthy days are like has its part of them."""

    budget: float = Field(1.0, gt=0, le=1_000, description="False alarms of a model, at most so many ..")
    per_ms: Duration = Field(
        "7d", alias="per", ge=3_600_000, validate_default=True, description=".. in so much event time."
    )
    weights: dict[str, Weight] = Field(
        default_factory=dict, description="By monitor: how many times the part of another it has; default 1."
    )


def parts(budget: FalseAlarms, monitors: Mapping[str, Monitor]) -> dict[str, float]:
    """By monitor the false alarms a day that each series of it may have while it is healthy."""
    weights = {name: budget.weights.get(name, 1.0) for name in monitors}
    live = sum(weight for name, weight in weights.items() if not monitors[name].shadow)
    # A candidate takes nothing of the others' parts, and has what it would have as one of them.
    of = {name: max(live + weight * monitors[name].shadow, 1.0) for name, weight in weights.items()}
    a_day = budget.budget * DAY_MS / budget.per_ms
    members = {name: MEMBERS if parse_signal(one.signal).every else 1 for name, one in monitors.items()}
    return {name: min(a_day / of[name] * weight / members[name], 0.5) for name, weight in weights.items()}
