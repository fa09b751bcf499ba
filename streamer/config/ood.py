"""The part of the config that says when an event is out of distribution."""

from __future__ import annotations

from pydantic import Field

from streamer.config.types import Model, Pointer


class Ood(Model):
    """When an event is unfamiliar as a whole: the signals ood and confident_ood."""

    beyond: float = Field(
        6.0, gt=0, le=1000, description="Unfamiliar beyond so many deviations of the distances' own upper tail."
    )
    confident: float = Field(0.9, ge=0, le=1, description="From this confidence on the model is sure of itself.")
    score: Pointer | None = Field(None, description="JSON Pointer to a model's own score; goes with score_max.")
    score_max: float | None = Field(None, description="An event is out of distribution above this score.")
