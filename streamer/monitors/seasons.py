"""Which windows are compared with each other: those of the same hour of the day or of the week, of UTC or of a zone.

How far they differ among themselves three or five of them do not tell: of a hundred healthy hours some have three that
happen to be alike, and the fourth is "200 deviations" away. So their scale is moderated (Smyth 2004) by that of the
same hour on other days, and of the hours beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from math import sqrt
from typing import Literal

import numpy as np

from detectors.reference import middle
from streamer.config.detect import Season
from streamer.config.types import zone_of

HOUR_MS = 3_600_000
SLOTS = {"day": 24, "week": 168}
DAY = 24
BESIDE = -1, 0, 1
"""The hours, before and after, whose windows are about as far from each other."""
PRIOR = 10.0
"""What the scale around weighs, in windows of its own."""
FEW = (1.0, 1.0, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
"""By the number of values: so many times too small is their median distance from their median on average, see Croux &
Rousseeuw 1992; n / (n - 0.8) for more."""
ONE_MS = timedelta(milliseconds=1)


def number_of(season: Literal["day", "week"] | Season | None) -> int:
    """How many slots there are."""
    return 1 if season is None else SLOTS[season.per if isinstance(season, Season) else season]


def slots_of(season: Literal["day", "week"] | Season | None, window_ms: int) -> Callable[[int], int]:
    """Gives the slot of a window by its begin; without a season all have one.

    Windows are cut by UTC: one of six hours begins at 01:00 by the clock in winter, at 02:00 in summer. Both count as
    that of midnight, or what is behind a change of the clock would have nothing before it to be compared with.
    """
    if season is None:
        return lambda _: 0
    if not isinstance(season, Season):
        n = SLOTS[season]
        return lambda begin_ms: begin_ms // HOUR_MS % n
    zone, n = zone_of(season.zone), SLOTS[season.per]

    def slot_of(begin_ms: int) -> int:
        away = datetime.fromtimestamp(begin_ms // 1000, zone).utcoffset() or timedelta()
        local_ms = begin_ms + away // ONE_MS
        return (local_ms - local_ms % window_ms) // HOUR_MS % n

    return slot_of


def unbiased(scale: float, n: int) -> float:
    """A scale that is 1.4826 times the median distance of n values from their median, without what few make it too
    small by.
    """
    return scale * (FEW[n] if n < len(FEW) else n / (n - 0.8))


def around(slot: int, slots: int) -> list[int]:
    """The slots of the same hour and of those beside it, of all days.

    >>> around(0, 24)
    [23, 0, 1]
    """
    return [(slot + day * DAY + hour) % slots for day in range(slots // DAY) for hour in BESIDE]


def moderated(scale: float, n: int, others: list[float]) -> float:
    """The scale of a slot's n windows, not much below the median of the `others`. One that is above is left alone."""
    usual = middle(np.sort(np.array(others))) if others else 0.0
    if scale >= usual:
        return scale
    return sqrt((n * scale * scale + PRIOR * usual * usual) / (n + PRIOR))
