"""Which windows are compared with each other: those of the same hour of the day or of the week, of UTC or of a zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from streamer.config.detect import Season
from streamer.config.types import zone_of

HOUR_MS = 3_600_000
SLOTS = {"day": 24, "week": 168}
ONE_MS = timedelta(milliseconds=1)


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
