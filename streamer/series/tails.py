"""How far the values of healthy days lie, where that is farther than the reference knew: its few hundred values are of
one hour, and by noon a feature that follows the load is far from all of them.

Every five minutes the first value of a series is counted, by how many deviations of the reference's tail it is away: so
a quiet night counts as much as the rush. When a day is over it counts with those before it, and older ones fade. What
one value in forty goes beyond is no anomaly by itself: there the tail is as much wider. So what a day holds becomes
normal in a day, and one odd value in a hundred never. Where the reference was all one value, as the day of the week is
in any hour, there is no measure of how far: once so many differ from it nothing is far on that side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from detectors.bank import F64, I64, array_of, rows_of
from detectors.extremes import DAY_MS, MEMORY, NEVER
from detectors.reference import Learned
from streamer.signals.columns import Bool

FLAT, TOLERANCE = 1e-9, 1e-3
"""Shares of a reference's size: up to the one its spread is the noise of a float, the other stands for it then."""
USUAL = 2.5
"""A normal tail has one value in forty at 2 deviations; up to here it counts as one."""
EDGES = USUAL * 1.6 ** np.arange(8)
SHARE = 0.025
"""Of the values of a side .."""
LEAST = 20
""".. and of at least so many that were counted."""
EVERY_MS = 300_000
SLOTS = DAY_MS // EVERY_MS
SIDES = 2  # below and above the centre


class Tails:
    """Of rows 0..rows-1; `learned` is the reference of a row."""

    def __init__(self, learned: Callable[[int], Learned]) -> None:
        self.learned = learned
        self.slot = np.zeros(0, np.int64)  # the newest five minutes of which a value was counted
        self.n = np.zeros((0, 2))  # values of today, and of the days before
        self.today, self.before = (np.zeros((0, SIDES, len(EDGES))) for _ in range(2))  # beyond each edge
        self.wider = np.ones((0, SIDES))
        self.scale = np.zeros((0, SIDES))  # deviations of the reference's tails; NaN where nobody has asked yet
        # Of this batch, by row: the events before which a day was over, and how wide it was until then.
        self.turned: dict[int, list[tuple[int, F64]]] = {}

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = rows - len(self.slot)
        if more > 0:
            self.slot = np.concatenate([self.slot, np.full(more, NEVER)])
            for name, fresh in {"n": 0.0, "today": 0.0, "before": 0.0, "wider": 1.0, "scale": np.nan}.items():
                known = getattr(self, name)
                setattr(self, name, np.concatenate([known, np.full((more, *known.shape[1:]), fresh)]))

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        for name in ("slot", "n", "today", "before", "wider", "scale"):
            setattr(self, name, getattr(self, name)[rows])
        self.turned = {}

    def forget(self, row: int) -> None:
        """The row has another reference."""
        self.slot[row] = NEVER
        self.n[row] = self.today[row] = self.before[row] = 0.0
        self.wider[row], self.scale[row] = 1.0, np.nan

    def learn(self, rows: I64, away: F64, events: I64, times_ms: I64) -> None:
        """Values in the order of the log, as distances from the centre; `times_ms` of all events."""
        self.turned = {}
        slots = (times_ms // EVERY_MS)[events]
        at = np.flatnonzero(slots > self.slot[rows])
        if not len(at):
            return
        mine, slots = rows[at], slots[at]
        apart = mine * (int(slots.max()) - int(slots.min()) + 1) + (slots - int(slots.min()))
        for i in np.sort(np.unique(apart, return_index=True)[1]).tolist():  # Of equal ones the first.
            row, slot, newest = mine.item(i), slots.item(i), self.slot.item(mine[i])
            if slot <= newest:
                continue
            if slot // SLOTS > newest // SLOTS >= 0:
                self._turn(row, events.item(at[i]))
            self.slot[row] = slot
            self._count(row, away.item(at[i]))

    def _count(self, row: int, away: float) -> None:
        scale, side = self._scale(row), int(away > 0.0)
        self.n[row, 0] += 1.0
        least = EDGES[0] * scale[side] or EDGES[0] * TOLERANCE * abs(self.learned(row).centre)
        if abs(away) > least:
            self.today[row, side] += abs(away) > EDGES * scale[side]

    def _scale(self, row: int) -> F64:
        """Deviations of the tails of its reference, 0 where that was all one value."""
        scale: F64 = self.scale[row]
        if np.isnan(scale[0]):
            learned = self.learned(row)
            flat = max(learned.below, learned.above) <= FLAT * abs(learned.centre)
            scale[:] = (0.0, 0.0) if flat else (learned.below, learned.above)
        return scale

    def _turn(self, row: int, event: int) -> None:
        """A day of the row is over, before that event."""
        fades = 1.0 - 1.0 / MEMORY
        self.turned.setdefault(row, []).append((event, self.wider[row].copy()))
        self.before[row] = self.before[row] * fades + self.today[row]
        self.n[row] = 0.0, self.n[row, 1] * fades + self.n[row, 0]
        self.today[row] = 0.0
        self._widen(row)

    def _widen(self, row: int) -> None:
        n = self.n[row, 1]
        many = self.before[row] > SHARE * n
        passed = many.sum(axis=1)  # They are fewer from edge to edge.
        edge = EDGES[np.minimum(passed + 1, len(EDGES) - 1)]
        self.wider[row] = np.where((passed > 0) & (n >= LEAST), edge / USUAL, 1.0)

    def beyond(self, rows: I64, away: F64, events: I64, deviations: float) -> Bool:
        """Which values are farther than so many deviations of their tails, all of which are as the reference has it."""
        side = (away > 0.0).astype(np.int64)
        wider = self.wider[rows, side]
        for row in self.turned.keys() & set(rows.tolist()):
            for i in np.flatnonzero(rows == row).tolist():
                then = (old for event, old in self.turned[row] if events[i] < event)
                wider[i] = next(then, self.wider[row])[side[i]]
        for row in np.unique(rows[wider > 1.0]).tolist():
            self._scale(row)  # Behind a restart nobody has asked yet.
        scale = self.scale[rows, side]
        found: Bool = (wider == 1.0) | ((scale > 0.0) & (np.abs(away) > wider * deviations * scale))
        return found

    def dump(self) -> dict[str, Any]:
        return {name: getattr(self, name).copy() for name in ("slot", "n", "today", "before")}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace the state; ValueError for an invalid one."""
        rows = rows_of(state, "slot")
        shapes = {"n": (rows, 2), **dict.fromkeys(("today", "before"), (rows, SIDES, len(EDGES)))}
        found = {name: array_of(state, name, "f8", shape) for name, shape in shapes.items()}
        if not all(np.isfinite(one).all() and (one >= 0.0).all() for one in found.values()):
            raise ValueError("invalid tails")
        self.slot = array_of(state, "slot", "i8", (rows,)).copy()
        self.n, self.today, self.before = (found[name].copy() for name in shapes)
        self.wider, self.scale = np.ones((rows, SIDES)), np.full((rows, SIDES), np.nan)
        for row in np.flatnonzero(self.n[:, 1] > 0.0).tolist():
            self._widen(row)
