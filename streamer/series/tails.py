"""How far the values of healthy days lie, where that is farther than the reference knew: its few hundred values are of
one hour, and by noon a feature that follows the load is far from all of them.

Of one event in sixteen each value is counted, by how many deviations of the reference's tail it is away. When a day is
over it counts with those before it, and older ones fade. What one value in twenty goes beyond is no anomaly by itself:
there the tail is as much wider. So a day's rush becomes normal in a day, and a few odd values in a hundred never.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from detectors.bank import F64, I64, array_of, rows_of
from detectors.extremes import DAY_MS, MEMORY, NEVER
from detectors.reference import Learned
from streamer.signals.columns import Bool

USUAL = 2.0
"""A normal tail has one value in twenty at 1.6 deviations; up to here it counts as one."""
EDGES = USUAL * 1.6 ** np.arange(8)
SHARE = 0.05
"""Of the values of a side .."""
LEAST = 20
""".. and of at least so many that were counted."""
ONE_IN = 4
"""Of an event's hash so many leading bits are zero."""
MIX = np.uint64(0x9E3779B97F4A7C15)
SIDES = 2  # below and above the centre


def chosen(offsets: I64) -> Bool:
    """Which events are counted: by their offset alone, and in no step with models that take turns."""
    with np.errstate(over="ignore"):
        found: Bool = offsets.astype(np.uint64) * MIX >> np.uint64(64 - ONE_IN) == 0
    return found


class Tails:
    """Of rows 0..rows-1; `learned` is the reference of a row."""

    def __init__(self, learned: Callable[[int], Learned]) -> None:
        self.learned = learned
        self.day = np.zeros(0, np.int64)
        self.n = np.zeros((0, 2))  # values of today, and of the days before
        self.today, self.before = (np.zeros((0, SIDES, len(EDGES))) for _ in range(2))  # beyond each edge
        self.wider = np.ones((0, SIDES))
        self.scale = np.zeros((0, SIDES))  # deviations of the reference's tails; NaN where nobody has asked yet
        self.turned: dict[int, list[tuple[int, F64]]] = {}  # in this batch: event at which a row's changed, and from what

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = rows - len(self.day)
        if more > 0:
            self.day = np.concatenate([self.day, np.full(more, NEVER)])
            for name, fresh in {"n": 0.0, "today": 0.0, "before": 0.0, "wider": 1.0, "scale": np.nan}.items():
                known = getattr(self, name)
                setattr(self, name, np.concatenate([known, np.full((more, *known.shape[1:]), fresh)]))

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        for name in ("day", "n", "today", "before", "wider", "scale"):
            setattr(self, name, getattr(self, name)[rows])
        self.turned = {}

    def forget(self, row: int) -> None:
        """The row has another reference."""
        self.day[row] = NEVER
        self.n[row] = self.today[row] = self.before[row] = 0.0
        self.wider[row], self.scale[row] = 1.0, np.nan

    def learn(self, rows: I64, away: F64, events: I64, times_ms: I64) -> None:
        """Values of chosen events, in the order of the log, as distances from the centre."""
        self.turned = {}
        if not len(rows):
            return
        for row in np.unique(rows[np.isnan(self.scale[rows, 0])]).tolist():
            learned = self.learned(row)
            self.scale[row] = learned.below, learned.above
        side = (away > 0.0).astype(np.int64)
        scale = self.scale[rows, side]
        far = np.abs(away) / np.where(scale > 0.0, scale, np.inf)
        beyond = far[:, None] > EDGES
        days = times_ms // DAY_MS
        if (days <= self.day[rows]).all():
            self._count(rows, side, beyond)
            return
        for i, (row, day) in enumerate(zip(rows.tolist(), days.tolist(), strict=True)):
            if day > self.day[row]:
                self._turn(row, day, events.item(i))
            self._count(rows[i : i + 1], side[i : i + 1], beyond[i : i + 1])

    def _count(self, rows: I64, side: I64, beyond: Bool) -> None:
        np.add.at(self.n[:, 0], rows, 1.0)
        some = np.flatnonzero(beyond[:, 0])
        np.add.at(self.today, (rows[some], side[some]), beyond[some])

    def _turn(self, row: int, day: int, event: int) -> None:
        fades = 1.0 - 1.0 / MEMORY
        if self.day[row] != NEVER:
            self.turned.setdefault(row, []).append((event, self.wider[row].copy()))
            self.before[row] = self.before[row] * fades + self.today[row]
            self.n[row, 1] = self.n[row, 1] * fades + self.n[row, 0]
            self.today[row] = self.n[row, 0] = 0.0
            self._widen(row)
        self.day[row] = day

    def _widen(self, row: int) -> None:
        n = self.n[row, 1]
        many = self.before[row] > SHARE * n
        last = np.minimum(many.sum(axis=1), len(EDGES) - 1)  # They are fewer from edge to edge.
        self.wider[row] = EDGES[last] / USUAL if n >= LEAST else 1.0

    def beyond(self, rows: I64, away: F64, events: I64, deviations: float) -> Bool:
        """Which values are farther than so many deviations of their tails, all of which are as the reference has it."""
        side = (away > 0.0).astype(np.int64)
        wider = self.wider[rows, side]
        for row in self.turned.keys() & set(rows.tolist()):
            for i in np.flatnonzero(rows == row).tolist():
                then = (old for event, old in self.turned[row] if events[i] < event)
                wider[i] = next(then, self.wider[row])[side[i]]
        found: Bool = (wider == 1.0) | (np.abs(away) > wider * deviations * self.scale[rows, side])
        return found

    def dump(self) -> dict[str, Any]:
        return {name: getattr(self, name).copy() for name in ("day", "n", "today", "before")}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace the state; ValueError for an invalid one."""
        rows = rows_of(state, "day")
        shapes = {"n": (rows, 2), **dict.fromkeys(("today", "before"), (rows, SIDES, len(EDGES)))}
        found = {name: array_of(state, name, "f8", shape) for name, shape in shapes.items()}
        if not all(np.isfinite(one).all() and (one >= 0.0).all() for one in found.values()):
            raise ValueError("invalid tails")
        self.day = array_of(state, "day", "i8", (rows,)).copy()
        self.n, self.today, self.before = (found[name].copy() for name in shapes)
        self.wider, self.scale = np.ones((rows, SIDES)), np.full((rows, SIDES), np.nan)
        for row in np.flatnonzero(self.n[:, 1] > 0.0).tolist():
            self._widen(row)
