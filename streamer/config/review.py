"""What people are asked to look at: the review queue, and the audit of the least confident.

The budget is that of the service: each partition of the log that is read has its part, those beyond `partitions` none,
and the audit takes its own out of it. So it holds whatever runs where.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from streamer.config.types import ByText, Duration, Model, Topic

SAID = r"^(features\..+|score\..+|label|value|confidence)$"
OF_EVENTS = {"label": "prediction.label", "value": "prediction.value", "confidence": "prediction.confidence"}
SCORE = "score."
CONFIDENCE, CALIBRATION = "confidence", "calibration"

Said = Annotated[str, StringConstraints(pattern=SAID)]


def column_of(name: str) -> str:
    """Where a batch has what `review.fields` calls so.

    >>> column_of("features.a"), column_of("label"), column_of("score.yes")
    ('features.a', 'prediction.label', 'prediction.scores.yes')
    """
    return f"prediction.scores.{name.removeprefix(SCORE)}" if name.startswith(SCORE) else OF_EVENTS.get(name, name)


class Audit(Model):
    """The least confident of each window and a random sample of the rest, against what the model says of itself."""

    share: float = Field(0.01, gt=0, le=0.5, description="The least confident so many of a window are looked at ..")
    control: float = Field(0.002, ge=0, le=0.5, description=".. and of the rest so many, whatever they look like.")
    most: int = Field(40, ge=1, le=10_000, description="Items of a window at most; they are part of review.budget.")
    window_ms: Duration = Field(
        "1d", alias="window", ge=1000, validate_default=True, description="Of event time; divides review.per."
    )
    alpha: float = Field(
        0.05, gt=0, lt=0.5, description="The chance that a model which is no worse than it says is ever told of."
    )
    against: Literal["confidence", "calibration"] = Field(
        "confidence",
        description="What it says: its own confidence, or what labels say at most of the error at that confidence.",
    )


class Review(Model):
    """Events that people are asked to look at, most alarming first."""

    topic: Topic = Field(description="Where items are published.")
    budget: int = Field(200, ge=1, le=100_000, description="Items at most, of the whole service ..")
    per_ms: Duration = Field(
        "1d", alias="per", ge=60_000, validate_default=True, description=".. in so much time of events, or of ticks."
    )
    control: float = Field(0.2, ge=0, le=1, description="The share of these that is drawn from all other events.")
    slots: int = Field(
        24, ge=1, le=1440, description="The budget is given out in so many parts; items come at their ends."
    )
    partitions: int = Field(
        6,
        ge=1,
        le=10_000,
        description="Partitions of topics.ordered, among which the budget is shared. Those beyond get no items.",
    )
    by: list[ByText] = Field(
        default_factory=list,
        max_length=3,
        description="Who gets items in turn: models, or version, caller, segment.NAME.",
    )
    fields: list[Said] = Field(
        default_factory=list,
        max_length=50,
        description="What items show of their event: features.NAME, score.NAME, label, value, confidence.",
    )
    hash_ids: bool = Field(False, description="Items name their event by the hash of its id, not by the id.")
    ttl_ms: Duration = Field(
        "14d", alias="ttl", ge=60_000, validate_default=True, description="How long a verdict on an item is waited for."
    )
    settle_ms: Duration = Field(
        "1h",
        alias="settle",
        validate_default=True,
        description="After its first verdict so long others may contradict; then it is the truth, unless one does.",
    )
    agreement_alpha: float = Field(
        0.05,
        ge=0,
        lt=0.4,
        description="The chance that a reviewer who agrees with the others as often as at first is ever told of; 0: no"
        " reviewer is.",
    )
    audit: Audit | None = Field(None, description="The least confident are audited; default not.")

    @property
    def reserve(self) -> int:
        """What the audit has of the budget."""
        return 0 if self.audit is None else self.audit.most * (self.per_ms // self.audit.window_ms)

    @model_validator(mode="after")
    def _fits(self) -> Review:
        if self.per_ms % self.slots:
            raise ValueError(f"per is no multiple of {self.slots} ms: it is cut into that many slots.")
        if self.audit is not None and self.per_ms % self.audit.window_ms:
            raise ValueError("audit.window must divide per: the audit's items are part of its budget.")
        if self.reserve >= self.budget:
            raise ValueError(f"the audit alone may take {self.reserve} items, of a budget of {self.budget}.")
        return self

    def part(self, number: int, of: int) -> int:
        """What the partition of this number has of something."""
        return of // self.partitions + (number < of % self.partitions) if number < self.partitions else 0
