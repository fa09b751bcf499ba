"""Whether a series is back where it was before its alert: the mean of its values since, against a band of before. Where
its deviation moved, and the mean did not: how far they are, by root mean square, from the mean before.

The band is `recover_band` deviations of before, yet at most half of what the series moved by, or a small move would
be over at once; and not narrower than before itself is known. As many values are taken together as tell a mean at the
edge of the band from before.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil, hypot, sqrt
from typing import Any

from streamer.monitors.evidence import Moved, Summary, summary_of
from streamer.monitors.following import Stretch

SURE = 5.0
"""The band is so many deviations of the mean that is held against it, were its values independent. They are not: with 3
two of 26 faults injected into the electricity data were over in a calm hour while they went on, with 5 none.
"""
NARROWER = 0.5
"""The band of a deviation, of that of a mean: half a deviation more would be most of what is told of it at all."""
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
    wide: bool = False  # it is its deviation that moved: `before` is that
    centre: float = 0.0  # of that the mean before
    squares: float = 0.0  # of the distances from there

    def take(self, stretch: Stretch) -> bool | None:
        """Whether the series is still away; None while there are too few values to say."""
        if self.n == 0:
            self.first_offset, self.first_time_ms = stretch.first_offset, stretch.first_time_ms
        self.n += stretch.n
        self.total += stretch.total
        self.squares += squares_about(stretch, self.centre) if self.wide else 0.0
        if self.n < self.needed:
            return None
        mean, places = self.total / self.n, (stretch.last_offset, self.first_time_ms, stretch.last_time_ms)
        std = sqrt(max(self.squares / self.n - (mean - self.centre) ** 2, 0.0)) if self.wide else self.std
        self._stands((self.n, mean, std, self.first_offset, *places))
        return self.away

    def restart(self, moved: Moved | None) -> None:
        """Another edge was found, and what it shows as after is where the series stands. What was taken together says
        nothing: edges that come one behind the other would else leave it where the first of them was.
        """
        self.n, self.total, self.squares = 0, 0.0, 0.0
        if moved is not None:
            self._stands(moved.after)

    def _stands(self, now: Summary) -> None:
        moved = (hypot(now[2], now[1] - self.centre) if self.wide else now[1]) - self.before
        self.now, self.away = now, (moved * self.side if self.side else abs(moved)) > self.band
        self.n, self.total, self.squares = 0, 0.0, 0.0


FIELDS = tuple(one.name for one in fields(Recovery))
PLAIN = FIELDS[: FIELDS.index("wide")]
"""Those of one whose mean moved."""


def recovery_of(moved: Moved, deviations: float, side: int = 0) -> Recovery:
    """Of an edge; `deviations`: the band, as the config has it; `side`: the way that is watched, 0 for both."""
    away = moved.after[1] - moved.mean
    if moved.wide:
        away, side = hypot(moved.after[2], away) - moved.std, 0
    half = abs(away) / 2.0
    known = 2.0 * moved.std / sqrt(max(moved.n, 1))  # As far as the mean of n values may be off.
    share = NARROWER if moved.wide else 1.0
    band = max(min(share * deviations * moved.std, half), known) if moved.std > 0.0 else half
    spread = moved.std if moved.std > 0.0 else moved.after[2]
    ratio = SURE * spread / band if band > 0.0 else 0.0
    needed = ceil(min(ratio * ratio, VALUES_MAX)) if spread > 0.0 else 0
    if moved.wide:
        return Recovery(moved.std, spread, band, needed, side, moved.after, wide=True, centre=moved.mean)
    return Recovery(moved.mean, spread, band, needed, side, moved.after)


def squares_about(stretch: Stretch, centre: float) -> float:
    """The sum of the squares of the distances from a centre."""
    apart = stretch.first - centre
    sum_apart = stretch.total - stretch.n * stretch.first
    return max(stretch.squares + 2.0 * apart * sum_apart + stretch.n * apart * apart, 0.0)


def dumped(recovery: Recovery | None) -> list[Any] | None:
    """As a snapshot has it."""
    return None if recovery is None else [getattr(recovery, name) for name in (FIELDS if recovery.wide else PLAIN)]


def loaded(state: list[Any]) -> Recovery:
    """Of what `dumped` made. Raises ValueError."""
    given = dict(zip(PLAIN if len(state) == len(PLAIN) else FIELDS, state, strict=True))
    given["now"] = summary_of(given["now"])
    found = Recovery(**given)
    if found.needed > VALUES_MAX or found.n < 0:
        raise ValueError("an invalid way back")
    return found
