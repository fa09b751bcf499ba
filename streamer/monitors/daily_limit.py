"""What windows of healthy days have shown, as one limit of a figure that is large where something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Any, NamedTuple

from detectors.bank import renumbered
from detectors.extremes import DAY_MS, LAG, DailyExtremes, odds
from streamer.monitors.calm import Calm
from streamer.signals.columns import I64

GROSS = 2.0
"""In school a figure is unmistakable that is so many times its limit, and the most that was seen."""
STEADY, STEADY_PART = 2, 0.5
"""In the first day, of which no cycle is known, only where the first windows were all below this part of the limit."""
UNSTEADY = -1
LOAD = 1.5
"""In school nothing is unmistakable under a load that is so many times beyond those that were there: it is the first
night, or the first weekend, and what is usual then nobody has seen. Later, under one beyond all that days have shown
which count, as at the end of a month, only what is GROSS times the limit is told: a window that fills in a third of the
time has another mix of hours in it.
"""
ALL = 0.0, 1e300
"""Loads of a row of an older snapshot, which has none: no load is out of the ordinary."""
LASTS = 3
"""In school it is also told what was GROSS times its limit since its first windows, for a whole day, and in so many
windows under a load like that of the first: what breathes is near at first, and comes back at the hour at which the
reference was learned. So a fault is found that began before there was anything else to compare with. It counts for the
days to come, as it may be what is usual.
"""
CALM = 2
"""Clear windows until it is over."""
FLOOR = 0.5
"""A limit is at least so much beyond the most of a usual day, in parts of that."""


def load_of(begin_ms: int, end_ms: int, events: int) -> float:
    """How long an event took to come, where so many came in this time."""
    return max(end_ms - begin_ms, 0) / events


class Away(NamedTuple):
    """The load of a row's first window; how many were near, and since when each was far, and how many of those were
    under a load like that. Where more than STEADY were near, or one behind others, there is nothing to look for.
    """

    load: float
    since_ms: int
    near: int
    windows: int


class DailyLimit:
    """By row the daily extremes of one figure. In school `held` waits to be seen: the newest, which may be half of what
    comes next, or the most of what was told, until that is over.
    """

    def __init__(self, rate: Callable[[int], float], returns: bool = False) -> None:
        """`rate`: false alarms a day that a row may have by now. `returns`: what is healthy is near its reference again
        within a day, as a mix of categories is, and a number that wanders is not.
        """
        self.returns = returns
        self.days = DailyExtremes(1)
        self.held: dict[int, float] = {}
        self.first: dict[int, int] = {}  # in the first day: steady windows, or UNSTEADY
        self.loads: dict[int, tuple[float, float]] = {}  # the least and the most that was there
        self.newer: dict[int, list[tuple[float, float]]] = {}  # the same of each of the newest days, after the school
        self.away: dict[int, Away] = {}  # in school
        self.calm = Calm(CALM)
        self.rate = rate

    def resize(self, rows: int) -> None:
        self.days.resize(rows)

    def beyond(self, row: int, figure: float, time_ms: int, limit: float, load: float) -> bool:
        """Whether healthy days show less; `limit`: what it must exceed anyway; `load`: see `load_of`. It counts for
        the days to come.
        """
        turns = self.days.behind(row, time_ms // DAY_MS)
        if turns:
            self.days.turn(row, time_ms // DAY_MS, odds(self.rate(row)), self.days.mean[row, :, 0] * FLOOR)
        most = self.days.limits(row, 0)[1]
        if isfinite(most):
            self.held.pop(row, None)
            self.away.pop(row, None)
            self.days.take(row, 0, figure)
            usual = self._usual(row, load, turns)
            return figure > max(most, limit) * (1.0 if usual else GROSS)
        known, lasts = self._met(row, load), self._lasts(row, figure > GROSS * limit, time_ms, load)
        if self._unmistakable(row, figure, limit) and known:
            self.held[row] = max(figure, self.held.get(row, -inf))
            return True
        if row in self.held:
            self.days.take(row, 0, self.held[row])
        self.held[row] = figure
        return lasts

    def _met(self, row: int, load: float) -> bool:
        """Whether there was a load like this; from now on there was."""
        least, most = self.loads.get(row, (inf, -inf))
        self.loads[row] = min(least, load), max(most, load)
        return least <= load * LOAD and load <= most * LOAD

    def _usual(self, row: int, load: float, turns: bool) -> bool:
        """Whether days that count have shown such a load; this one `turns` to the next day."""
        least, most = self.loads.setdefault(row, ALL)
        newer = self.newer.setdefault(row, [(load, load)])
        if turns:
            newer.append((load, load))
        if len(newer) > LAG + 1:
            old = newer.pop(0)
            least, most = self.loads[row] = min(least, old[0]), max(most, old[1])
        newer[-1] = min(newer[-1][0], load), max(newer[-1][1], load)
        return least <= load * LOAD and load <= most * LOAD

    def _lasts(self, row: int, far: bool, time_ms: int, load: float) -> bool:
        """Whether it has been far for a day, see LASTS."""
        if not self.returns:
            return False
        first, since_ms, near, windows = self.away.get(row, Away(load, time_ms, 0, 0))
        if near > STEADY or not far:
            near = near + 1 if windows == 0 else STEADY + 1
            self.away[row] = Away(first, time_ms, min(near, STEADY + 1), 0)
            return False
        alike = first <= load * LOAD and load <= first * LOAD
        windows += alike
        self.away[row] = Away(first, since_ms, near, windows)
        return alike and windows >= LASTS and time_ms - since_ms >= DAY_MS

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
        self.loads, self.away = renumbered(self.loads, rows), renumbered(self.away, rows)
        self.newer = renumbered(self.newer, rows)
        self.calm.retain(rows)

    def dump(self) -> dict[str, Any]:
        held, first = ([list(one) for one in known.items()] for known in (self.held, self.first))
        loads, away = ([[row, *one] for row, one in known.items()] for known in (self.loads, self.away))
        newer = [[row, [list(day) for day in known]] for row, known in self.newer.items()]
        parts = {"held": held, "first": first, "loads": loads, "away": away, "newer": newer}
        return {"days": self.days.dump(), **parts, "calm": self.calm.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace the state; ValueError for an invalid one."""
        held = {int(row): float(figure) for row, figure in state["held"]}
        loads = {int(row): (float(least), float(most)) for row, least, most in state.get("loads", ())}  # Of older none.
        newer = {
            int(row): [(float(least), float(most)) for least, most in known] for row, known in state.get("newer", ())
        }
        away = {
            int(row): Away(float(load), int(ms), int(near), int(n)) for row, load, ms, near, n in state.get("away", ())
        }
        if not all(isfinite(one.load) and 0 <= one.near <= STEADY + 1 and one.windows >= 0 for one in away.values()):
            raise ValueError("invalid figures of windows")
        ranges = [*loads.values(), *(day for known in newer.values() for day in known)]
        if not all(map(isfinite, held.values())) or not all(0.0 <= least <= most < inf for least, most in ranges):
            raise ValueError("invalid figures of windows")
        self.days.load(state["days"])
        self.calm.load(state["calm"])
        self.held, self.first = held, {int(row): int(windows) for row, windows in state["first"]}
        self.loads, self.away, self.newer = loads, away, newer
