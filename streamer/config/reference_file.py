"""The file of references, as data."""

from __future__ import annotations

from pydantic import Field

from streamer.config.types import Model
from streamer.signals.categories import CODES


class Bins(Model):
    """A frozen histogram; edges ascend, one count more than there are edges."""

    edges: list[float]
    counts: list[int]


class Series(Model):
    """What one series looked like."""

    key: list[str] = Field(min_length=1)  # model and the values of `by`
    member: str
    n: int = Field(ge=1)
    centre: float
    scale: float = Field(ge=0)
    mean: float
    std: float = Field(ge=0)
    below: float = Field(ge=0)
    above: float = Field(ge=0)
    offsets: list[int] = Field(min_length=2, max_length=2)
    begin: str
    end: str
    begin_ms: int
    end_ms: int
    categories: list[str] | None = Field(None, max_length=CODES)
    quantiles: list[float] | None = (
        None  # at equal steps, the first half a step in; of ones and zeros the mean says all
    )
    bins: dict[str, Bins] = Field(default_factory=dict)  # by their number


class Table(Model):
    """The series of one signal under one split."""

    signal: str
    series: list[Series]


class References(Model):
    """The whole file."""

    format: int = Field(1, ge=1, le=1)
    source: str  # where the events came from
    config: str  # hash of the config it was built with
    tables: list[Table]
