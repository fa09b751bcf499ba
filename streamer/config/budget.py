"""The budget of false alarms, in a person's units, and what each monitor has of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from detectors.extremes import DAY_MS
from streamer.config.monitor import Monitor
from streamer.config.types import Duration, Model
from streamer.signals.grammar import parse_signal
from streamer.signals.models import names_alone, union

MEMBERS = 12
"""Series that a signal with a `*` is taken to have until it is known how many live. A limit is a matter of the
logarithm: with ten times as many it would be a quarter farther away.
"""
RATE_MAX = 0.5
WEEK_DAYS = 7

Weight = Annotated[float, Field(gt=0, le=1_000)]


class FalseAlarms(Model):
    """How many false alarms may come; every monitor that learns what healthy days are like has its part of them."""

    budget: float = Field(1.0, gt=0, le=1_000, description="False alarms of a model, at most so many ..")
    per_ms: Duration = Field(
        "7d", alias="per", ge=3_600_000, validate_default=True, description=".. in so much event time."
    )
    scope: Literal["model", "service"] = Field(
        "model", description="Whose the budget is: each model's, or that of all models together, in equal parts."
    )
    models: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="How many models share it under `scope: service`; default those that the monitors name.",
    )
    series: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="How many series a signal with a `*` has of a model; default as many as live, counted day by day.",
    )
    learn: Literal["off", "propose", "apply"] = Field(
        "off",
        description="What follows from verdicts on alerts: nothing; monitors whose weak alerts are of no use are "
        "proposed a smaller share; or get it, until somebody undoes it. Needs verdicts and control.",
    )
    weights: dict[str, Weight] = Field(
        default_factory=dict, description="By monitor: how many times the part of another it has; default 1."
    )


class Part(NamedTuple):
    """What a monitor has of the budget of a model."""

    monitor: str
    a_day: float  # false alarms of all its series together; of who takes nothing, what it would have
    series: int  # that it is divided by until it is known how many live
    given: bool  # whether the config says so, and they are not counted
    takes: bool = True  # whether it takes something of the budget

    def rate(self, living: int = 0) -> float:
        """False alarms a day of each of its series, where so many live; 0: that is not known."""
        return min(self.a_day / (self.series if self.given or living < 1 else living), RATE_MAX)

    def a_week(self, living: int = 0) -> float:
        """False alarms a week that are expected of all its series together."""
        return self.rate(living) * (living or self.series) * WEEK_DAYS if self.takes else 0.0


def named_models(monitors: Mapping[str, Monitor]) -> int | None:
    """How many models the monitors name; None where one is about all, or about those of a pattern."""
    names = names_alone(union(one.models for one in monitors.values()))
    return len(names) if names is not None else None


def shared(budget: FalseAlarms, monitors: Mapping[str, Monitor]) -> Iterator[Part]:
    """The parts of a model. A monitor whose limits do not follow from the budget takes nothing of it; its rate is what
    it would have.
    """
    models = (budget.models or named_models(monitors) or 1) if budget.scope == "service" else 1
    weights = {name: budget.weights.get(name, 1.0) for name in monitors}
    takes = {name: one.detect.budgeted and not one.shadow for name, one in monitors.items()}
    live = sum(weight for name, weight in weights.items() if takes[name])
    a_day = budget.budget * DAY_MS / budget.per_ms / models
    for name, one in monitors.items():
        # A candidate takes nothing of the others' parts, and has what it would have as one of them.
        among = max(live + weights[name] * (one.shadow and one.detect.budgeted), 1.0)
        # One that is split has as many series as there are values to split by, unless somebody said how many there are.
        series = (budget.series or MEMBERS) if parse_signal(one.signal).every else 1
        yield Part(name, a_day / among * weights[name], series, budget.series is not None, takes[name])


def parts(budget: FalseAlarms, monitors: Mapping[str, Monitor]) -> dict[str, Part]:
    """By monitor its part."""
    return {part.monitor: part for part in shared(budget, monitors)}
