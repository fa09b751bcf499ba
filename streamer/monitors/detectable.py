"""What the series of a monitor would show: the smallest drift that is found in an hour and in a day, limits, the tier.

The arithmetic is that of `detectors/detectable.py`; here it gets what a monitor knows, and gives the signal's units.
Of a kind of detection without an entry in SHIFTS nothing is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from typing import NamedTuple, cast

import numpy as np

from detectors.bank import F64, TIERS, State
from detectors.counts import fisher
from detectors.detectable import (
    adwin_shift,
    certain,
    page_hinkley_shift,
    row_of,
    shift_of_count,
    shift_of_mean,
    shift_of_share,
)
from detectors.envelope import ALIKE, OFTEN
from detectors.envelope_state import SIZES
from detectors.extremes import DAY_MS, SCHOOL
from detectors.params import Adwin, PageHinkley
from detectors.scales import moments, share_at, slope_of
from streamer.monitors.base import Monitor
from streamer.monitors.envelope import EnvelopeMonitor
from streamer.monitors.peers import PeersMonitor
from streamer.monitors.windowed import FractionMonitor, ShareMonitor

HORIZONS = {"1h": DAY_MS // 24, "1d": DAY_MS}
SIGNS = {"up": 1, "down": -1}


class Drift(NamedTuple):
    """The smallest one that is found, in units of the signal (a share in parts of 1) and, of numbers, in deviations."""

    horizon: str  # a key of HORIZONS
    direction: str  # a key of SIGNS
    units: float
    deviations: float | None


class Series(NamedTuple):
    """Which one it is: its model, its monitor, and the rest of its group with its member."""

    model: str
    monitor: str
    series: str


class Limit(NamedTuple):
    """Where averages of so many values are beyond what healthy days have shown; None where that is not known."""

    values: int
    low: float | None
    high: float | None


class Asked(NamedTuple):
    """Of one series, with the state of its monitor, so many values a day, a horizon and a sign."""

    monitor: Monitor
    state: State
    row: int
    a_day: float
    horizon_ms: int
    sign: int

    @property
    def values(self) -> float:
        """Those that come within the horizon."""
        return self.a_day * self.horizon_ms / DAY_MS


def _envelope(asked: Asked) -> float | None:
    row = row_of(asked.state, asked.row)
    if asked.monitor.table.signal.scaled:
        return shift_of_mean(row, asked.values, asked.sign, asked.a_day)
    return shift_of_share(row, asked.values, asked.sign)


def _adwin(asked: Asked) -> float | None:
    params = asked.monitor.config.detect.params()
    assert isinstance(params, Adwin)
    if asked.monitor.config.detect.raw or not asked.monitor.table.signal.scaled:
        return None
    width = float(asked.state["width"][asked.row])
    return adwin_shift(params.delta, width, asked.values, params.clock, params.min_window_length)


def _page_hinkley(asked: Asked) -> float | None:
    params = asked.monitor.config.detect.params()
    assert isinstance(params, PageHinkley)
    if asked.monitor.config.detect.raw or not asked.monitor.table.signal.scaled:
        return None
    return page_hinkley_shift(params.threshold, params.delta, float(asked.state["n"][asked.row]), asked.values)


def _windows(asked: Asked) -> tuple[int, int]:
    """Values of a window, and how many whole windows lie behind a shift."""
    size = asked.monitor.config.windows
    if size.time_ms is None:
        return size.events or 0, certain(asked.values, size.events or 1)
    return int(asked.a_day * size.time_ms / DAY_MS), certain(float(asked.horizon_ms), size.time_ms)


def _fraction(asked: Asked) -> float | None:
    monitor, (size, windows) = cast("FractionMonitor", asked.monitor), _windows(asked)
    usual = monitor.table.learned(asked.row)
    if asked.sign < 0 or usual.n < monitor.table.reference.warmup:
        return None
    monitor.days.resize(len(monitor.table.keys))
    limit = monitor.days.of(asked.row, monitor.detect.max) if monitor.detect.days else monitor.detect.max
    return shift_of_count(usual.mean, int(limit * size + 1e-9) + 1, size, windows)


def _share(asked: Asked) -> float | None:
    monitor, (size, windows) = cast("ShareMonitor", asked.monitor), _windows(asked)
    known = monitor.usual.known(asked.row)
    if known is None or size < 1:
        return None
    detect, up = monitor.detect, asked.sign > 0
    ones, sides = (known.ones if up else known.n - known.ones), 2.0 if detect.direction == "both" else 1.0
    limit = known.share * (1.0 + asked.sign * detect.change)
    many, most = int((limit if up else 1.0 - limit) * size + 1e-9) + 1, size + 1
    while many < most:  # The fewest that are also beyond chance.
        middle = (many + most) // 2
        if fisher(middle, size, ones, known.n) * sides < detect.chance:
            most = middle
        else:
            many = middle + 1
    return shift_of_count(ones / known.n, many, size, windows)


def _peers(asked: Asked) -> float | None:
    """In a window that lies behind the shift as a whole."""
    monitor, window_ms = cast("PeersMonitor", asked.monitor), asked.monitor.config.windows.time_ms or 1
    shift = monitor.detectable(asked.row, asked.sign)
    if shift is None or certain(float(asked.horizon_ms), window_ms) < 1:
        return None
    if not monitor.shares:
        return shift / monitor.table.learned(asked.row).scale
    return shift


SHIFTS: dict[str, Callable[[Asked], float | None]] = {
    "envelope": _envelope,
    "adwin": _adwin,
    "page_hinkley": _page_hinkley,
    "fraction": _fraction,
    "share": _share,
    "peers": _peers,
}
"""By `detect.kind`: deviations of numbers, parts of 1 of shares; None where nothing would be found."""


def learns_days(monitor: Monitor) -> bool:
    """Whether its bank is an envelope."""
    return monitor.config.detect.kind == "envelope"


class Detectable:
    """The series of a monitor, by its state as it is when this is made."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        if monitor.bank is not None:
            monitor.bank.resize(len(monitor.table.keys))
        wanted = monitor.bank is not None and monitor.config.detect.kind in SHIFTS
        self.state: State = monitor.bank.dump() if wanted and monitor.bank is not None else {}
        self.places = cast("EnvelopeMonitor", monitor).envelope.tiers() if learns_days(monitor) else None

    def pace(self, row: int, newest_ms: int) -> float | None:
        """Values a day since the series began; None where less than an hour of it was seen, or it has no reference."""
        learned = self.monitor.table.learned(row)
        span_ms = newest_ms - learned.first_time_ms
        if self.places is None or learned.n == 0 or span_ms < HORIZONS["1h"]:
            return None
        return (learned.n + float(self.state["seen"][row, 0])) * DAY_MS / span_ms

    def named(self, row: int) -> Series:
        """Which series it is."""
        (model, *group), member = self.monitor.table.keys[row]
        return Series(model, self.monitor.name, " ".join([*group, member]).strip())

    def scale(self, row: int) -> float | None:
        """A deviation in units of the signal; None of shares."""
        table = self.monitor.table
        return table.learned(row).scale if table.signal.scaled else None

    def drifts(self, row: int, a_day: float, scale: float | None) -> Iterator[Drift]:
        """The smallest that is found with the chance POWER, for each horizon and each direction that is asked for."""
        formula, wanted = SHIFTS.get(self.monitor.config.detect.kind), self.monitor.config.detect.direction
        for horizon, length_ms in HORIZONS.items() if formula is not None and scale != 0.0 else ():
            for direction, sign in SIGNS.items():
                if wanted in ("both", direction) and formula is not None:
                    shift = formula(Asked(self.monitor, self.state, row, a_day, length_ms, sign))
                    if shift is not None:
                        units = shift if scale is None else shift * scale
                        yield Drift(horizon, direction, units, None if scale is None else shift)

    def tier(self, row: int) -> tuple[str, str]:
        """Its tier, and what is missing for the next; empty where there is none."""
        if self.places is None:
            return "", ""
        tier, known = TIERS[self.places[row]], row_of(self.state, row)
        if tier == "school":
            # By channel and side; a dump of shares has fewer channels.
            counted, waiting = self.state["count"][row], np.asarray(self.state["waiting"][row], np.float64)
            days = int((counted + np.isfinite(waiting).reshape(*counted.shape, -1).sum(axis=-1)).max())
            return tier, f"{days} of {SCHOOL} whole days were seen"
        return tier, _why_not_proved(known.seen, known.earlier, self.monitor) if tier == "calibrated" else ""

    def limits(self, row: int) -> Iterator[Limit]:
        """Of an envelope by scale, in the signal's units."""
        if self.places is None:
            return
        learned, scaled = self.monitor.table.learned(row), self.monitor.table.signal.scaled
        for size, (up, down) in zip(SIZES, row_of(self.state, row).limit.tolist(), strict=True):
            low, high = (
                None if not isfinite(side) else learned.centre + learned.scale * side if scaled else _share_of(side)
                for side in (-down, up)
            )
            if low is not None or high is not None:
                yield Limit(size, low, high)


def _share_of(level: float) -> float:
    """Without the crumbs of a rounding at 0 and 1."""
    return round(share_at(level), 12)


def learned_drifts(
    monitors: Iterable[Monitor], newest_ms: Mapping[str, int], most: int
) -> Iterator[tuple[Series, list[Drift]]]:
    """Series after series of what learns from days, up to `most` of a monitor. It can be drawn from while the monitors
    go on: each is asked once, when its turn comes, and the arithmetic of a series, which is dear, waits for its own.
    """
    for monitor in filter(learns_days, monitors):
        now, waiting = Detectable(monitor), list[tuple[int, Series, float, float | None]]()
        for row in range(len(monitor.table.keys)):
            which = now.named(row)
            a_day = now.pace(row, newest_ms.get(which.model, 0))
            if a_day is not None and len(waiting) < most:
                waiting.append((row, which, a_day, now.scale(row)))
        for row, which, a_day, scale in waiting:
            yield which, list(now.drifts(row, a_day, scale))


def _why_not_proved(seen: F64, earlier: F64, monitor: Monitor) -> str:
    """Which scale varies more than chance."""
    _, mean, deviation = moments(seen, 0.0)
    own = deviation * deviation * (1.0 if monitor.table.signal.scaled else slope_of(mean))
    for place, size in enumerate(SIZES):
        count, _, between = moments(earlier[place], 0.0)
        if count >= OFTEN and between * between * size > ALIKE * own:
            times = between * between * size / own if own > 0.0 else float("inf")
            return f"averages of {size:,} values vary {times:.3g} times as much as by chance, proved is {ALIKE:g}"
    return ""
