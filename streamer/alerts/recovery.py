"""Whether a series is back where it was before its alert: the mean of its values since, against a band of before.

The band is `recover_band` deviations of before, yet at most half of what the series moved by, or a small move would
be over at once; and not narrower than before itself is known. As many values are taken together as tell a mean at the
edge of the band from before.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil, sqrt
from typing import Any

from streamer.monitors.evidence import Moved, Summary, summary_of
from streamer.monitors.following import Stretch

SURE = 5.0
"""The band is so many deviations of the mean that is held against it, were its values independent. They are not: with 3
two of 26 faults injected into the electricity data were over in a calm hour while they went on, with 5 none.
"""
VALUES_MAX = 4096
"""Taken together at most."""


@dataclass(slots=True)
class Recovery:
    """An edge's way back. `now` is the newest mean that was held against the band, or what the newest edge showed."""

    before: float
    std: float
    band: float
    needed: int
    side: int  # only above (1) or below (-1) before is away, where only that way is watched
    now: Summary
    away: bool = True
    n: int = 0
    total: float = 0.0
    first_offset: int = 0
    first_time_ms: int = 0

    def take(self, stretch: Stretch) -> bool | None:
        """Whether the series is still away; None while there are too few values to say."""
        if self.n == 0:
            self.first_offset, self.first_time_ms = stretch.first_offset, stretch.first_time_ms
        self.n += stretch.n
        self.total += stretch.total
        if self.n < self.needed:
            return None
        mean, places = self.total / self.n, (stretch.last_offset, self.first_time_ms, stretch.last_time_ms)
        self._stands((self.n, mean, self.std, self.first_offset, *places))
        return self.away

    def restart(self, moved: Moved | None) -> None:
        """Another edge was found, and what it shows as after is where the series stands. What was taken together says
        nothing: edges that come one behind the other would else leave it where the first of them was.
        """
        self.n, self.total = 0, 0.0
        if moved is not None:
            self._stands(moved.after)

    def _stands(self, now: Summary) -> None:
        moved = now[1] - self.before
        self.now, self.away = now, (moved * self.side if self.side else abs(moved)) > self.band
        self.n, self.total = 0, 0.0


FIELDS = tuple(one.name for one in fields(Recovery))


def recovery_of(moved: Moved, deviations: float, side: int = 0) -> Recovery:
    """Of an edge; `deviations`: the band, as the config has it; `side`: the way that is watched, 0 for both."""
    half = abs(moved.after[1] - moved.mean) / 2.0
    known = 2.0 * moved.std / sqrt(max(moved.n, 1))  # As far as the mean of n values may be off.
    band = max(min(deviations * moved.std, half), known) if moved.std > 0.0 else half
    spread = moved.std if moved.std > 0.0 else moved.after[2]
    ratio = SURE * spread / band if band > 0.0 else 0.0
    needed = ceil(min(ratio * ratio, VALUES_MAX)) if spread > 0.0 else 0
    return Recovery(moved.mean, spread, band, needed, side, moved.after)


def dumped(recovery: Recovery | None) -> list[Any] | None:
    """As a snapshot has it."""
    return None if recovery is None else [getattr(recovery, name) for name in FIELDS]


def loaded(state: list[Any]) -> Recovery:
    """Of what `dumped` made. Raises ValueError."""
    given = dict(zip(FIELDS, state, strict=True))
    given["now"] = summary_of(given["now"])
    found = Recovery(**given)
    if found.needed > VALUES_MAX or found.n < 0:
        raise ValueError("an invalid way back")
    return found
