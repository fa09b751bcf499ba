"""A series that is far from its reference since soon after its warm-up: a fault from before anything else was known.

What learns what healthy days are like takes such a fault for one of them. The reference is all that there is to compare
with, and it is of an hour or so: what breathes is away from it at noon, and back when the hour is. So stretches of
LENGTH values are held against it. Far is a series that was so in each of them for a whole day, on one side, under a
load like that of the reference, too, and steadily: one that wanders or rises without end is nowhere for long. What
leaps from the reference, or from where it was near, to many times as far, and stays there, is told at once. Once
a few were near, or three days are over, it is done, and costs nothing from there on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from math import copysign, inf, sqrt
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import SCHOOL, renumbered
from detectors.extremes import DAY_MS
from detectors.reference import Learned
from detectors.scales import level_of, share_at
from schemas.events.batch import Batch
from streamer.monitors.base import Hit
from streamer.monitors.following import Following, Stretch
from streamer.series.table import SeriesTable
from streamer.signals.columns import I64, Column


class Limits(NamedTuple):
    """Stretches are not near by more than `near`, and all together `far`, and so by more than `steady` times their
    deviation among themselves; `leap`: by more than that two of them are at once.
    """

    near: float
    far: float
    steady: float
    leap: float


NUMBERS = Limits(0.3, 0.5, 5.0, 8.0)
"""In deviations of the reference."""
SHARES = Limits(0.1, 0.15, 3.0, 0.25)
"""In the units of `level_of`: from 0 to 2.5 % is .15, to 6 % .25. They differ more by chance."""
LOOKED_MS = 3 * DAY_MS
"""What was not told by then is not told any more: by chance some stretches will look alike."""
OF_THE_REFERENCE = ("anomaly", "ood")
"""Signals that say how far events are from the reference: of an hour of the night all mornings are."""
NEAR = 16
"""Stretches that may be near before it begins."""
ALIKE, LASTS = 1.5, 6
"""A load is like another that is at most so many times as much, or as little; and so many stretches had one."""
SIMILAR, LEAPS, AFTER, APART = 2.5, 2, 3, 0.5
"""The same of a leap: so many stretches in a row, of the first AFTER that are not near, and the newer one is apart from
the one before by no more than such a part of how far it is: an hour of the day, of which the reference has seen one or
two, goes up step by step.
"""


@dataclass(slots=True)
class Doubt:
    """Of a row: stretches that were near; which way it is far, and since when; of the stretches under a load like the
    reference's how many there were, and the sum and the squares of how far they were; how many were not near, how many
    of those in a row are beyond a leap, and how far the newest one is.
    """

    near: int = 0
    way: int = 0
    since_ms: int = 0
    alike: int = 0
    total: float = 0.0
    squares: float = 0.0
    far: int = 0
    leaps: int = 0
    away: float = 0.0

    def take(self, stretch: Stretch, away: float, limits: Limits, pace: float) -> bool:
        """Another stretch; whether it may still be far since soon after the warm-up. `pace`: how many times as long its
        values took as those of the reference, or those as its.
        """
        before, self.away = self.away, away
        if abs(away) <= limits.near or away * self.way < 0.0:
            self.near, self.way, self.alike, self.total, self.squares = self.near + 1, 0, 0, 0.0, 0.0
            self.far = self.leaps = 0
            return self.near <= NEAR
        if self.way == 0:
            self.way, self.since_ms = int(copysign(1, away)), stretch.first_time_ms
        if pace <= ALIKE:
            self.alike, self.total, self.squares = self.alike + 1, self.total + away, self.squares + away * away
        leap = abs(away) > limits.leap and pace <= SIMILAR
        steady = abs(away - before) <= APART * abs(away)
        self.far, self.leaps = self.far + 1, self.leaps + 1 if leap and steady else int(leap)
        return True

    def leapt(self) -> bool:
        """Whether it is many times as far as it just was, and stays there."""
        return self.leaps >= LEAPS and self.far <= AFTER

    def lasts(self, stretch: Stretch, limits: Limits) -> bool:
        """Whether it has been far for long enough."""
        if self.alike < LASTS or stretch.last_time_ms - self.since_ms < DAY_MS:
            return False
        mean = self.total / self.alike
        apart = sqrt(max(self.squares / self.alike - mean * mean, 0.0))
        return abs(mean) > max(limits.far, limits.steady * apart)


class Far(NamedTuple):
    """A row that is far, and how far, in the units in which its detector would tell it."""

    row: int
    way: int
    statistic: float
    threshold: float


class SinceWarmup:
    """The rows of a table that have not been near their reference for long. `known`: how many were looked at."""

    def __init__(self, table: SeriesTable) -> None:
        self.table, self.known = table, 0
        self.following = Following(0)
        self.doubts: dict[int, Doubt] = {}

    def __len__(self) -> int:
        return len(self.following.open)

    def grow(self) -> None:
        """The rows that the table has by now; of labels, which come late and not evenly, none is looked at."""
        signal = self.table.signal
        if not signal.days_needed and signal.kind not in OF_THE_REFERENCE:
            self.following.open |= dict.fromkeys(range(self.known, len(self.table.keys)))
        self.known = len(self.table.keys)
        self.following.resize(self.known)

    def close(self, row: int) -> None:
        """There is nothing more to find out about it."""
        self.following.open.pop(row, None)
        self.doubts.pop(row, None)

    def hits(self, batch: Batch, column: Column, chosen: I64) -> list[Hit]:
        """What is told of a column, by its values at `chosen` places, which come after the warm-up."""
        if not self.following.open or not len(chosen):
            return []
        rows, events = column.rows[chosen], column.events[chosen]
        found = list[Hit]()
        for one in self.following.step(batch, Column(rows, column.values[chosen], events), 0, {}):
            far = self._far(one.row, one.evidence)
            if far is not None:
                place = np.flatnonzero((rows == far.row) & (events == one.event)).item(-1)
                found.append(Hit(chosen.item(place), far.way, far.statistic, far.threshold, 0, SCHOOL))
        return found

    def _far(self, row: int, stretch: Stretch) -> Far | None:
        """A stretch of a row; what it tells."""
        if row not in self.following.open:
            return None
        learned, shares = self.table.learned(row), not self.table.signal.scaled
        limits = SHARES if shares else NUMBERS
        mean = stretch.total / stretch.n
        if shares:
            away = level_of(mean) - level_of(learned.mean)
        else:  # Of a constant one cannot say what is far.
            away = (mean - learned.mean) / learned.std if learned.std > 0.0 else 0.0
        doubt = self.doubts.setdefault(row, Doubt())
        # What a file says of it every detector has seen; and it is looked at for LOOKED_MS.
        over = row in self.table.pinned or stretch.last_time_ms > learned.last_time_ms + LOOKED_MS
        if over or not doubt.take(stretch, away, limits, pace_of(stretch, learned)):
            self.close(row)
            return None
        if doubt.leapt():
            said, limit = away, doubt.way * limits.leap
        elif doubt.lasts(stretch, limits):
            said, limit = doubt.total / doubt.alike, doubt.way * limits.far
        else:
            return None
        self.close(row)
        if shares:
            usual = level_of(learned.mean)
            said, limit = share_at(usual + said), share_at(usual + limit)
        return Far(row, doubt.way, said, limit)

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.grow()
        self.following.retain(rows)
        self.doubts, self.known = renumbered(self.doubts, rows), len(rows)

    def dump(self) -> dict[str, Any]:
        self.grow()  # However the log was cut.
        doubts = [[row, *astuple(doubt)] for row, doubt in sorted(self.doubts.items())]
        return {"following": self.following.dump(), "doubts": doubts}

    def load(self, state: Mapping[str, Any] | None) -> None:
        """ValueError for an invalid state. The rows of an older snapshot, which has none, are no matter any more."""
        rows = self.known = len(self.table.keys)
        self.doubts = {}
        if state is None:
            return
        self.following.load(state["following"], rows)
        self.doubts = {int(row): doubt_of(numbers) for row, *numbers in state["doubts"]}
        if not self.doubts.keys() <= self.following.open.keys():
            raise ValueError("a series in doubt that cannot be")


def doubt_of(state: Sequence[Any]) -> Doubt:
    """One of a dump. Raises ValueError and TypeError."""
    near, way, since_ms, alike, total, squares, far, leaps, away = state
    counts = int(near), int(way), int(since_ms), int(alike)
    found = Doubt(*counts, float(total), float(squares), int(far), int(leaps), float(away))
    if not 0 <= found.near <= NEAR or found.way not in (-1, 0, 1) or min(found.alike, found.far, found.leaps) < 0:
        raise ValueError("a series in doubt that cannot be")
    return found


def pace_of(stretch: Stretch, learned: Learned) -> float:
    """How many times as long the values of one took as those of the other, whichever took longer."""
    took_ms = (stretch.last_time_ms - stretch.first_time_ms) / (stretch.n - 1)
    usual_ms = (learned.last_time_ms - learned.first_time_ms) / max(learned.n - 1, 1)
    least, most = sorted((took_ms, usual_ms))
    return most / least if least > 0.0 else 1.0 if most == 0.0 else inf
