"""What windows of healthy days have shown, as one limit of a figure that is large where something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Any

from detectors.bank import renumbered
from detectors.extremes import DAY_MS, DailyExtremes, odds
from streamer.monitors.calm import Calm
from streamer.signals.columns import I64

GROSS = 2.0
"""In school a figure is unmistakable that is so many times its limit, and the most that was seen."""
STEADY, STEADY_PART = 2, 0.5
"""In the first day, of which no cycle is known, only where the first windows were all below this part of the limit."""
UNSTEADY = -1
LOAD = 1.5
"""In school nothing is unmistakable under a load that is so many times beyond those that were there: it is the first
night, or the first weekend, and what is usual then nobody has seen.
"""
CALM = 2
"""Clear windows until it is over."""
FLOOR = 0.5
"""A limit is at least so much beyond the most of a usual day, in parts of that."""


def load_of(begin_ms: int, end_ms: int, events: int) -> float:
    """How long an event took to come, where so many came in this time."""
    return max(end_ms - begin_ms, 0) / events


class DailyLimit:
    """By row the daily extremes of one figure. In school `held` waits to be seen: the newest, which may be half of what
    comes next, or the most of what was told, until that is over.
    """

    def __init__(self, rate: Callable[[int], float]) -> None:
        """`rate`: false alarms a day that a row may have by now."""
        self.days = DailyExtremes(1)
        self.held: dict[int, float] = {}
        self.first: dict[int, int] = {}  # in the first day: steady windows, or UNSTEADY
        self.loads: dict[int, tuple[float, float]] = {}  # in school: the least and the most that was there
        self.calm = Calm(CALM)
        self.rate = rate

    def resize(self, rows: int) -> None:
        self.days.resize(rows)

    def beyond(self, row: int, figure: float, time_ms: int, limit: float, load: float) -> bool:
        """Whether healthy days show less; `limit`: what it must exceed anyway; `load`: see `load_of`. It counts for
        the days to come.
        """
        if self.days.behind(row, time_ms // DAY_MS):
            self.days.turn(row, time_ms // DAY_MS, odds(self.rate(row)), self.days.mean[row, :, 0] * FLOOR)
        most = self.days.limits(row, 0)[1]
        if isfinite(most):
            self.held.pop(row, None)
            self.loads.pop(row, None)
            self.days.take(row, 0, figure)
            return figure > max(most, limit)
        known = self._met(row, load)
        if self._unmistakable(row, figure, limit) and known:
            self.held[row] = max(figure, self.held.get(row, -inf))
            return True
        if row in self.held:
            self.days.take(row, 0, self.held[row])
        self.held[row] = figure
        return False

    def _met(self, row: int, load: float) -> bool:
        """Whether there was a load like this; from now on there was."""
        least, most = self.loads.get(row, (inf, -inf))
        self.loads[row] = min(least, load), max(most, load)
        return least <= load * LOAD and load <= most * LOAD

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
        self.loads = renumbered(self.loads, rows)
        self.calm.retain(rows)

    def dump(self) -> dict[str, Any]:
        held, first = ([list(one) for one in known.items()] for known in (self.held, self.first))
        loads = [[row, *load] for row, load in self.loads.items()]
        return {"days": self.days.dump(), "held": held, "first": first, "loads": loads, "calm": self.calm.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace the state; ValueError for an invalid one."""
        held = {int(row): float(figure) for row, figure in state["held"]}
        loads = {int(row): (float(least), float(most)) for row, least, most in state.get("loads", ())}  # Of older none.
        if not all(map(isfinite, held.values())) or not all(
            0.0 <= least <= most < inf for least, most in loads.values()
        ):
            raise ValueError("invalid figures of windows")
        self.days.load(state["days"])
        self.calm.load(state["calm"])
        self.held, self.first = held, {int(row): int(windows) for row, windows in state["first"]}
        self.loads = loads
