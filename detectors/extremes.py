"""What healthy days have shown: of each day the most extreme value, on both sides, and where the next day's may end.

A statistic of a series that breathes is not normal and not independent, but its day is much like its other days: the
highest and the lowest that a day shows are a sample of their own, one of each a day, whatever the cycle, the rate and
the autocorrelation within the day. Extremes of many values are Gumbel's (Fisher and Tippett 1928), so mean and
deviation of the daily ones say what is beyond them all at given odds; few days pay by a wider limit.

Days are told apart by the clock that is given. The newest days wait until they count, so that a slow drift does not
become its own excuse; a value beyond the limit counts as the limit, so that a new level is learned in days, not at
once.

>>> days = DailyExtremes(channels=1)
>>> days.resize(1)
>>> for day in range(8):
...     days.turn(0, day, odds=8.0, floors=[0.25])
...     days.take(0, 0, 1.0 + day % 2)
...     days.take(0, 0, -1.0)
>>> [round(limit, 2) for limit in days.limits(0, 0)]
[-1.25, 5.85]
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, State, array_of, rows_of

SCHOOL = 7
"""Days until there is a limit: a week has seen each of its days."""
LAG = 2
"""Days that wait: what drifts over less is told before it is learned."""
MEMORY = 28
"""Days that count; older ones fade."""
EULER, GUMBEL = 0.5772156649015329, 1.2825498301618641
"""Mean and deviation of the standard Gumbel distribution."""
FEW = 3.0
"""Few days know their deviation badly: it counts as (1 + FEW / days) times as much."""

DAY_MS = 86_400_000

NEVER = -1
NUMBERS = ("today", "mean", "variance", "limit")
FRESH = {"count": 0, "today": -inf, "mean": 0.0, "variance": 0.0, "limit": inf, "waiting": -inf}
"""What a channel is before its first value."""


def odds(rate: float, limits: float = 1.0) -> float:
    """How unlikely a healthy day is to go beyond one of so many limits, log(1 / p), of a series that may have so many
    false alarms a day (`streamer/config/budget.py`).
    """
    return max(log(limits / rate), 1.0)


def odds_of(rates: F64, limits: float = 1.0) -> F64:
    """The same of each of several rates, of which many are alike."""
    known, place = np.unique(rates, return_inverse=True)
    return np.array([odds(rate, limits) for rate in known.tolist()], np.float64)[place]


def beyond(odds: float) -> float:
    """Deviations of the daily extremes above their mean that one is beyond with probability exp(-odds)."""
    return (odds - EULER) / GUMBEL


class DailyExtremes:
    """Days of rows 0..rows-1, `channels` statistics each. Arrays are (rows, channels, 2): upwards, and downwards with
    the sign turned, so that more is more extreme.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.day = np.zeros(0, np.int64)
        self.today, self.mean, self.variance, self.limit = (np.zeros((0, channels, 2)) for _ in NUMBERS)
        self.count = np.zeros((0, channels, 2), np.int64)
        self.waiting = np.zeros((0, channels, 2, LAG))

    @property
    def rows(self) -> int:
        return len(self.day)

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = rows - self.rows
        if more <= 0:
            return
        self.day = np.concatenate([self.day, np.full(more, NEVER)])
        for name, fresh in FRESH.items():
            known = getattr(self, name)
            setattr(self, name, np.concatenate([known, np.full((more, *known.shape[1:]), fresh, known.dtype)]))

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        for name in ("day", *FRESH):
            setattr(self, name, getattr(self, name)[rows])

    def forget(self, row: int) -> None:
        """The row begins anew."""
        self.day[row] = NEVER
        for name, fresh in FRESH.items():
            getattr(self, name)[row] = fresh

    def behind(self, row: int, day: int) -> bool:
        """Whether the row must be turned to this day, before it takes a value of it."""
        return day > self.day.item(row)

    def turn(self, row: int, day: int, odds: float, floors: Sequence[float] | F64) -> None:
        """A value of this day comes next. `odds`: how unlikely a healthy day is to go beyond a limit, log(1 / p);
        `floors`: by channel the least distance of a limit from what is usual, in the statistic's own units.
        """
        if not self.behind(row, day):
            return
        if self.day[row] != NEVER:
            self._end_day(row, odds, np.asarray(floors, np.float64))
        self.day[row] = day

    def _end_day(self, row: int, odds: float, floors: F64) -> None:
        today, waiting = self.today[row], self.waiting[row]
        shown = today > -inf
        self._learn(row, np.where(shown, waiting[..., 0], -inf))
        waiting[shown] = np.concatenate([waiting[..., 1:], today[..., None]], axis=-1)[shown]
        today[...] = -inf
        over = (self.limit[row] == inf) & (self.known(row) >= SCHOOL)
        for place in range(LAG if over.any() else 0):
            self._learn(row, np.where(over, waiting[..., place], -inf))
            waiting[over, place] = -inf
        count = np.maximum(self.count[row], 2)
        deviation = np.sqrt(self.variance[row] * count / (count - 1)) * (1.0 + FEW / count)
        apart = np.maximum(beyond(odds) * deviation, floors[:, None])
        self.limit[row] = np.where(over | (self.limit[row] < inf), self.mean[row] + apart, inf)

    def _learn(self, row: int, extremes: F64) -> None:
        """Take an extreme of each channel and side, or none where it is -inf."""
        some = extremes > -inf
        if not some.any():
            return
        count, mean, variance = self.count[row], self.mean[row], self.variance[row]
        count[some] = np.minimum(count[some] + 1, MEMORY)
        part = 1.0 / np.maximum(count, 1)
        away = np.where(some, np.minimum(extremes, self.limit[row]) - mean, 0.0)
        variance[some] = ((1.0 - part) * (variance + part * away * away))[some]
        mean[some] += (part * away)[some]

    def take(self, row: int, channel: int, value: float) -> None:
        """A value of the day that was turned to last."""
        today = self.today[row, channel]
        today[0], today[1] = max(today[0], value), max(today[1], -value)

    def limits(self, row: int, channel: int) -> tuple[float, float]:
        """Lowest and highest that healthy days may show; infinite as long as too few were seen."""
        up, down = self.limit[row, channel].tolist()
        return -down, up

    def seen(self, row: int, channel: int) -> tuple[float, float]:
        """Lowest and highest of the newest days, or what older ones showed on average; none is inf and -inf."""
        sides = (self.count, self.mean, self.today, self.waiting)
        counts, means, today, waiting = (numbers[row, channel].tolist() for numbers in sides)
        older = (mean if count > 0 else -inf for count, mean in zip(counts, means, strict=True))
        up, down = (max(old, new, *newest) for old, new, newest in zip(older, today, waiting, strict=True))
        return -down, up

    def usual(self, row: int, channel: int) -> tuple[float, float]:
        """Lowest and highest that a healthy day shows on average."""
        up, down = self.mean[row, channel].tolist()
        return -down, up

    def known(self, row: int) -> I64:
        """By channel and side the days with values so far, but for the one that goes on."""
        days: I64 = self.count[row] + (self.waiting[row] > -inf).sum(axis=-1)
        return days

    def in_school(self, row: int) -> bool:
        """Whether no channel has a limit yet."""
        return bool((self.limit[row] == inf).all())

    def days_left(self) -> I64:
        """Of each row how many days with values its school takes at most, 0 where it is over."""
        known = (self.count + (self.waiting > -inf).sum(axis=-1)).max(axis=(1, 2), initial=0)
        left: I64 = np.where((self.limit < inf).any(axis=(1, 2)), 0, SCHOOL - known)
        return left

    def dump(self) -> dict[str, NDArray[Any]]:
        arrays = {name: getattr(self, name).copy() for name in ("day", *NUMBERS)}
        return {
            **arrays,
            "count": self.count.astype(np.uint8),
            "waiting": self.waiting.reshape(self.rows, self.channels, 2 * LAG).copy(),
        }

    def load(self, state: State) -> None:
        """Replace the state of all rows; ValueError for an invalid one, which changes nothing."""
        check_state(state, self.channels)
        shape = len(state["day"]), self.channels, 2
        for name in ("day", *NUMBERS):
            setattr(self, name, state[name].copy())
        self.count = state["count"].astype(np.int64)
        self.waiting = state["waiting"].reshape(*shape, LAG).copy()


def check_state(state: State, channels: int) -> None:
    """ValueError for what no days have dumped."""
    rows = rows_of(state, "day")
    shape = rows, channels, 2
    day = array_of(state, "day", "i8", (rows,))
    count = array_of(state, "count", "u1", shape)
    numbers = {name: array_of(state, name, "f8", shape) for name in NUMBERS}
    waiting = array_of(state, "waiting", "f8", (rows, channels, 2 * LAG))
    sane = [bool(np.isfinite(numbers["mean"]).all()), not np.isnan(numbers["limit"]).any()]
    sane += [bool((numbers["variance"] >= 0).all() and np.isfinite(numbers["variance"]).all())]
    sane += [not np.isnan(waiting).any(), not np.isnan(numbers["today"]).any()]
    sane += [not rows or (int(count.max()) <= MEMORY and int(day.min()) >= NEVER)]
    if not all(sane):
        raise ValueError("invalid daily extremes")
