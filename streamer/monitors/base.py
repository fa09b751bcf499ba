"""The contract of a monitor at work. Nobody asks which class one is: each answers every question, most by nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np

from detectors import Bank, Params
from detectors.compiled import CompiledDistribution
from detectors.compiled_levels import CompiledLevels
from detectors.distribution import Distribution
from detectors.levels import Levels
from detectors.reference import Judged
from detectors.standing import Standing, without
from schemas.events.batch import Batch
from streamer.config import model as cfg
from streamer.config.budget import Part
from streamer.config.reference_file import Series
from streamer.monitors.evidence import Evidence, Summary
from streamer.monitors.finding import BREACH, Finding
from streamer.monitors.following import Following
from streamer.monitors.window_outcomes import Outcomes
from streamer.series.sources import Source
from streamer.series.table import Samples, SeriesTable
from streamer.signals.columns import I64, Column


class MonitorParts(NamedTuple):
    """What monitors are made of, in Python or compiled; see `streamer/engine/engines.py`."""

    bank: Callable[[Params], Bank]
    distribution: Callable[[int, int, int, bool], Distribution | CompiledDistribution]
    levels: Callable[[float], Levels | CompiledLevels]


class MonitorSpec(NamedTuple):
    """All that a monitor is made from."""

    order: int  # its place in the config
    name: str
    config: cfg.Monitor
    table: SeriesTable
    source: Source | None  # what makes the table's values, where its events' own fields do not
    lateness_ms: int
    parts: MonitorParts
    part: Part = Part("", 0.002, 1, True)  # of the budget of false alarms
    publishes: bool = True  # whether every window that ends is published, not only what alerts tell of them


class Hit(NamedTuple):
    """A hit of a bank: which value of the column, and what the detector says of it."""

    place: int
    direction: int  # 0 = unknown to the detector
    statistic: float
    threshold: float
    age: int  # how many values ago it began, 0 where the detector does not know
    tier: int  # of its row, TIERLESS where the detector has none


class Gauge(NamedTuple):
    """A figure of a model's last window, for the metrics."""

    name: Literal[
        "anomaly_fraction",
        "window_rows",
        "distribution_distance",
        "series_in_school",
        "series_calibrated",
        "series_proved",
        "expected_false_alarms",
    ]
    model: str
    value: float


class Monitor(Protocol):
    """One rule of the config over the series of its table. Its state depends on the values of its column alone."""

    order: int
    name: str
    config: cfg.Monitor
    table: SeriesTable
    part: Part

    @property
    def normal(self) -> Mapping[int, Summary]:
        """By row the level that was accepted, which later edges are measured by."""

    @property
    def following(self) -> Following | None:
        """The rows whose alert is open, where the signal has a mean that can go back to what it was."""

    @property
    def bank(self) -> Bank | None:
        """What looks for change points, where one does."""

    @property
    def bins(self) -> int | None:
        """Of the histograms that it needs of a file of references."""

    @property
    def windowed(self) -> bool:
        """Whether its findings are verdicts over windows, which end in one of the ways of ENDS."""

    @property
    def over(self) -> str:
        """What is said of its series when an alert is over, because it is no longer so."""

    def hits(self, batch: Batch, column: Column, judged: Judged) -> list[Hit]:
        """Change points of this column, ascending; their evidence is made where the table's history stands at each."""

    def doubts(self) -> bool:
        """Whether it wants to see the column of values besides, for rows that may be away from their reference since
        they have one.
        """

    def doubted(self, batch: Batch, column: Column, judged: Judged) -> list[Hit]:
        """What it says of those; where its bank takes no column, and else among the `hits`."""

    def learn(self, samples: Samples) -> None:
        """Take the warm-up of rows whose reference is ready by now; before the column that made it so."""

    def findings(self, batch: Batch, column: Column, judged: Judged) -> list[Finding]:
        """Verdicts of this column."""

    def overdue(self, passed_ms: int, newest_ms: Mapping[str, int], unmissed: Container[str] = ()) -> list[Finding]:
        """What became due by the tick that took `passed_ms`; `newest_ms`: newest event time by model. Of the `unmissed`
        nothing is due now.
        """

    def share(self) -> None:
        """Other numbers of series live in the table (`living`): each may have its share of the false alarms."""

    def grow(self) -> None:
        """Its bank gets the rows that the table has."""

    def lower_share(self, model: str, share: float) -> bool:
        """Of the false alarms that the config grants it, this monitor has only so much of this model; whether its own
        threshold sees to that, so that weaker alerts need not be held.
        """

    def ended(self) -> Outcomes:
        """How windows ended."""

    def gauges(self) -> Iterator[Gauge]:
        """Figures of the last windows."""

    def tiers(self) -> Mapping[str, Mapping[str, int]]:
        """By model how many of its series are in which of TIERS; of those that learn what healthy days are like."""

    def standing(self) -> Sequence[Standing]:
        """Of each row where its statistic stands by now, as an alert would say it. Of a window its finding says that;
        here it is said what is missing for one.
        """

    def days_left(self) -> I64:
        """Of each row that learns what healthy days are like how many of them it still needs; 0 where it knows."""

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        """What moved, from what to what, and how sure, in one line."""

    def accept(self, row: int, level: Summary) -> bool:
        """What the row is by now is its normal. Whether its reference must be learned anew for that, because by the old
        one this monitor would not see what comes next.
        """

    def renew(self, row: int) -> None:
        """The reference of the row is learned anew: so is what was made of it."""

    def seed(self, given: Mapping[int, Series]) -> None:
        """Take what a file of references says of these rows."""

    def retain(self, rows: I64) -> None:
        """Row rows[i] of the table becomes row i, when all monitors have done so; the others are forgotten."""

    def forget(self, models: Collection[str]) -> None:
        """These models are known no more, and have no rows. What counts for them counts for nobody by name."""

    def dump(self) -> Any:
        """The state as plain values and arrays of its own."""

    def load(self, state: Any) -> None:
        """Replace the state; ValueError for an invalid one."""


class MonitorBase:
    """What a monitor is unless it says otherwise."""

    windowed: ClassVar[bool] = False
    over: ClassVar[str] = "recovered"
    bank: Any = None
    following: Any = None
    bins: Any = None

    def __init__(self, made: MonitorSpec) -> None:
        self.order, self.name, self.config, self.table = made.order, made.name, made.config, made.table
        self.publishes, self.part = made.publishes, made.part
        self.normal: Any = {}

    def rate(self, row: int) -> float:
        """False alarms a day that a row may have by now."""
        return self.part.rate(self.table.living.of(row))

    def share(self) -> None:
        """Whoever asks for the `rate` when it is needed has it."""

    def grow(self) -> None:
        if self.bank is not None:
            self.bank.resize(len(self.table.keys))

    def lower_share(self, model: str, share: float) -> bool:
        return False

    def shows(self, signal: str) -> bool:
        """Whether anybody gets to see the evidence of a window with this verdict. It is dearer than the verdict."""
        return self.publishes or signal == BREACH

    def hits(self, batch: Batch, column: Column, judged: Judged) -> list[Hit]:
        return []

    def doubts(self) -> bool:
        return False

    def doubted(self, batch: Batch, column: Column, judged: Judged) -> list[Hit]:
        return []

    def learn(self, samples: Samples) -> None:
        """Nothing but the table's own reference is needed."""

    def findings(self, batch: Batch, column: Column, judged: Judged) -> list[Finding]:
        return []

    def overdue(self, passed_ms: int, newest_ms: Mapping[str, int], unmissed: Container[str] = ()) -> list[Finding]:
        return []

    def ended(self) -> Outcomes:
        return {}

    def gauges(self) -> Iterator[Gauge]:
        yield from ()

    def tiers(self) -> Mapping[str, Mapping[str, int]]:
        return {}

    def standing(self) -> Sequence[Standing]:
        return [without("no window of it has ended yet")] * len(self.table.keys)

    def days_left(self) -> I64:
        return np.zeros(0, np.int64)

    def accept(self, row: int, level: Summary) -> bool:
        """A condition has no level of its own."""
        return False

    def renew(self, row: int) -> None:
        if self.bank is not None:
            self.bank.resize(len(self.table.keys))
            self.bank.forget(row)
        self.normal.pop(row, None)

    def seed(self, given: Mapping[int, Series]) -> None:
        """Nothing but the table's own reference is needed."""

    def retain(self, rows: I64) -> None:
        if self.bank is not None:
            self.bank.resize(len(self.table.keys))
            self.bank.retain(rows)

    def forget(self, models: Collection[str]) -> None:
        """Nothing is counted by model."""
