"""What windows of healthy days have shown, as one limit of a figure that is large where something is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

import numpy as np

from detectors.bank import renumbered
from detectors.extremes import DAY_MS, DailyExtremes, odds
from streamer.monitors.calm import Calm
from streamer.signals.columns import I64

GROSS = 2.0
"""In school a figure is unmistakable that is so many times its limit, and the most that was seen."""
STEADY, STEADY_PART = 2, 0.5
"""In the first day, of which no cycle is known, only where the first windows were all below this part of the limit."""
UNSTEADY = -1
CALM = 2
"""Clear windows until it is over."""
FLOOR = 0.5
"""A limit is at least so much beyond the most of a usual day, in parts of that."""


class DailyLimit:
    """By row the daily extremes of one figure. In school `held` waits to be seen: the newest, which may be half of what
    comes next, or the most of what was told, until that is over.
    """

    def __init__(self, rate: float) -> None:
        self.days = DailyExtremes(1)
        self.held: dict[int, float] = {}
        self.first: dict[int, int] = {}  # in the first day: steady windows, or UNSTEADY
        self.calm = Calm(CALM)
        self.odds = odds(rate)

    def resize(self, rows: int) -> None:
        self.days.resize(rows)

    def beyond(self, row: int, figure: float, time_ms: int, limit: float) -> bool:
        """Whether healthy days show less; `limit`: what it must exceed anyway. It counts for the days to come."""
        if self.days.behind(row, time_ms // DAY_MS):
            self.days.turn(row, time_ms // DAY_MS, self.odds, self.days.mean[row, :, 0] * FLOOR)
        most = self.days.limits(row, 0)[1]
        if isfinite(most):
            self.held.pop(row, None)
            self.days.take(row, 0, figure)
            return figure > max(most, limit)
        if self._unmistakable(row, figure, limit):
            self.held[row] = max(figure, self.held.get(row, -inf))
            return True
        if row in self.held:
            self.days.take(row, 0, self.held[row])
        self.held[row] = figure
        return False

    def _unmistakable(self, row: int, figure: float, limit: float) -> bool:
        far = figure > GROSS * max(self.days.seen(row, 0)[1], limit)
        if max(self.days.waiting[row, 0, 0].tolist()) > -inf:  # A figure has two sides of a day, or none.
            self.first.pop(row, None)
            return far
        steady = self.first.get(row, 0)
        if 0 <= steady < STEADY:
            self.first[row] = steady + 1 if figure < STEADY_PART * limit else UNSTEADY
            return False
        return far and steady == STEADY

    def of(self, row: int, limit: float) -> float:
        """What a figure must exceed by now."""
        most = self.days.limits(row, 0)[1]
        return max(limit, most) if isfinite(most) else GROSS * limit

    def in_school(self, row: int) -> bool:
        """Whether there is no limit yet."""
        return not isfinite(self.days.limits(row, 0)[1])

    def days_left(self, rows: int) -> I64:
        """See `DailyExtremes.days_left`; of so many rows."""
        self.days.resize(rows)
        return self.days.days_left()

    def retain(self, rows: I64) -> None:
        self.days.retain(rows)
        self.held, self.first = renumbered(self.held, rows), renumbered(self.first, rows)
        self.calm.retain(rows)

    def dump(self) -> dict[str, Any]:
        held, first = ([list(one) for one in known.items()] for known in (self.held, self.first))
        return {"days": self.days.dump(), "held": held, "first": first, "calm": self.calm.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace the state; ValueError for an invalid one."""
        held = {int(row): float(figure) for row, figure in state["held"]}
        if not all(np.isfinite(figure) for figure in held.values()):
            raise ValueError("invalid figures of windows")
        self.days.load(state["days"])
        self.calm.load(state["calm"])
        self.held, self.first = held, {int(row): int(windows) for row, windows in state["first"]}
