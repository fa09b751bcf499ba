"""The file of references, as data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from streamer.config.types import Model
from streamer.signals.categories import CODES, NAMES_MAX


class Bins(Model):
    """A frozen histogram; edges ascend, one count more than there are edges."""

    edges: list[float]
    counts: list[int]


class Space(Model):
    """The shape of the features of one group: centre and scale of each, and the Cholesky factor of their covariance."""

    names: list[str] = Field(max_length=64)
    centre: list[float]
    scale: list[Annotated[float, Field(gt=0)]]
    factor: list[list[float]]

    @model_validator(mode="after")
    def _fits(self) -> Space:
        lengths = {len(self.centre), len(self.scale), len(self.factor), *map(len, self.factor)}
        if lengths != {len(self.names)} or len(set(self.names)) != len(self.names):
            raise ValueError("a shape has a number for each of its features")
        if any(row[i] <= 0.0 for i, row in enumerate(self.factor)):
            raise ValueError("a shape that nothing has")
        return self


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
    categories: list[str] | None = Field(None, max_length=NAMES_MAX)  # empty where they are none, as of an id
    category: bool | None = None  # of texts: whether they are categories; older files do not say
    quantiles: list[float] | None = None  # at equal steps from half of one on; of ones and zeros the mean says all
    bins: dict[str, Bins] = Field(default_factory=dict)  # by their number
    space: Space | None = None  # of distances

    @property
    def is_category(self) -> bool:
        """Whether the categories are all that the events had. Older files have the first few."""
        return len(self.categories or ()) < CODES if self.category is None else self.category


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
