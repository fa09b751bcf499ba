"""A statistic of windows that is far from its first ones since soon after the warm-up: the rule of `since_warmup.py`.

The reference of aggregates is of sixty windows, at a hundred events each a day and more: a fault of the first hours is
most of it. So the first windows are what there is to compare with, as many as show the events of a warm-up. How sure a
value is by chance is known from how much one differs from the next, and what is far is so beyond that, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from math import inf, sqrt
from typing import Any, NamedTuple

from detectors.bank import renumbered
from streamer.monitors.following import Stretch
from streamer.monitors.levels import Span
from streamer.monitors.since_warmup import LOOKED_MS, Doubt, Limits, doubt_of
from streamer.signals.columns import I64

EVENTS, WINDOWS = 500, 5
"""What the first windows have seen together, and how many they are, at least."""
LENGTH, LASTED_MS = 4, 1_800_000
"""Windows of a stretch, and how long it takes, at least."""
NEAR, LEAP = 0.5, 0.7
"""A stretch is near by so much of the change that is looked for; it leaps by such a part of what it was."""
UNSURE, SURE, STEADY = 2.0, 3.0, 3.0
"""The same in deviations by chance: near are so many, and far and leaps are more than so many; of `Limits`."""


@dataclass(slots=True)
class Sum:
    """Windows one after another."""

    windows: int = 0
    events: int = 0
    total: float = 0.0
    begin_ms: int = 0
    end_ms: int = 0

    def add(self, value: float, span: Span) -> None:
        if self.windows == 0:
            self.begin_ms = span.start_ms
        self.windows, self.events, self.total = self.windows + 1, self.events + span.n, self.total + value
        self.end_ms = span.end_ms

    @property
    def mean(self) -> float:
        return self.total / self.windows

    @property
    def pace(self) -> float:
        """How long an event took to come."""
        return (self.end_ms - self.begin_ms) / max(self.events, 1)


@dataclass(slots=True)
class Early:
    """Of a row: its first windows, those of the stretch that goes on, and where it was found to be far, which way."""

    first: Sum = field(default_factory=Sum)
    newest: Sum = field(default_factory=Sum)
    doubt: Doubt = field(default_factory=Doubt)
    far: int = 0


class Asked(NamedTuple):
    """The least change that is looked for, in parts of what it was; the side, 0 for both; and the deviation of a value
    by chance.
    """

    change: float
    side: int
    noise: float


class EarlyLevels:
    """The rows in doubt."""

    def __init__(self) -> None:
        self.rows: dict[int, Early] = {}

    def begin(self, row: int) -> None:
        """Its first window comes next."""
        self.rows[row] = Early()

    def close(self, row: int) -> None:
        """There is nothing more to find out about it."""
        self.rows.pop(row, None)

    def told(self, row: int) -> bool:
        """Whether it was found to be far, and still is."""
        return row in self.rows and self.rows[row].far != 0

    def take(self, row: int, value: float, span: Span, asked: Asked) -> tuple[int, float] | None:
        """Another window of a row; which way it is far since soon after the first ones, and what those were."""
        mine = self.rows.get(row)
        if mine is None:
            return None
        first, newest = mine.first, mine.newest
        if first.windows < WINDOWS or first.events < EVENTS:
            first.add(value, span)
            return None
        newest.add(value, span)
        if newest.windows >= LENGTH and newest.end_ms - newest.begin_ms >= LASTED_MS:
            self._end(row, mine, asked)
            mine.newest = Sum()
        return (mine.far, first.mean) if self.told(row) else None

    def _end(self, row: int, mine: Early, asked: Asked) -> None:
        """A stretch is over."""
        first, newest, doubt = mine.first, mine.newest, mine.doubt
        away = newest.mean - first.mean
        away = away if away * asked.side >= 0.0 else 0.0
        limits = limits_of(mine, asked)
        if mine.far:
            if away * mine.far <= limits.near:
                self.close(row)
            return
        where = Stretch(newest.windows, newest.total, 0, 0, newest.begin_ms, newest.end_ms)
        least, most = sorted((first.pace, newest.pace))
        pace = most / least if least > 0.0 else inf
        over = newest.end_ms > first.end_ms + LOOKED_MS
        if over or not doubt.take(where, away, limits, pace):
            self.close(row)
        elif doubt.leapt() or doubt.lasts(where, limits):
            mine.far = doubt.way

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.rows = renumbered(self.rows, rows)

    def dump(self) -> list[Any]:
        return [
            [row, list(astuple(one.first)), list(astuple(one.newest)), list(astuple(one.doubt)), one.far]
            for row, one in self.rows.items()
        ]

    def load(self, state: Sequence[Any], known: Mapping[int, Any]) -> None:
        """ValueError for an invalid state. Rows of an older snapshot, which has none, are no matter any more."""
        self.rows = {
            int(row): Early(sum_of(first), sum_of(newest), doubt_of(doubt), int(far))
            for row, first, newest, doubt, far in state
        }
        if not self.rows.keys() <= known.keys() or any(abs(one.far) > 1 for one in self.rows.values()):
            raise ValueError("a statistic in doubt that cannot be")


def limits_of(mine: Early, asked: Asked) -> Limits:
    """For the stretch that ended, in the statistic's own units."""
    first, size = mine.first, abs(mine.first.mean)
    chance = asked.noise * sqrt(1.0 / first.windows + 1.0 / mine.newest.windows)
    many = asked.noise * sqrt(1.0 / first.windows + 1.0 / (LENGTH * (mine.doubt.alike + 1)))
    near = max(NEAR * asked.change * size, UNSURE * chance)
    return Limits(near, max(asked.change * size, SURE * many), STEADY, max(LEAP * size, SURE * chance))


def sum_of(state: Sequence[Any]) -> Sum:
    windows, events, total, begin_ms, end_ms = state
    if int(windows) < 0 or int(events) < 0:
        raise ValueError("a sum of windows that cannot be")
    return Sum(int(windows), int(events), float(total), int(begin_ms), int(end_ms))
