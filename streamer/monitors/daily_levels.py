"""Aggregates against what healthy days have shown: a statistic that swings with the day, and is higher than any day.

The newest 1, 4 and 16 values of a series are averaged, and each average is held against the daily extremes of averages
of just as many (`detectors/extremes.py`): as they are, and less what is usual under the load of that time. So a
doubling shows in one value, a third more in some of them, in the rush or not, and a rush is no news. In school, the
first week, only what is unmistakable is told: some values together that are far from the reference, and beyond all that
was seen.

Seven days know badly how much their extremes differ, but there are hundreds of values: how much one differs from the
next, whatever the cycle, is how far chance alone carries the extremes of as many. No limit is nearer than that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, isnan, log2, nan, sqrt
from typing import Any

import numpy as np

from detectors.bank import renumbered
from detectors.extremes import DAY_MS, FEW, GUMBEL, SCHOOL, DailyExtremes, beyond, odds
from streamer.monitors.base import MonitorSpec
from streamer.monitors.early_levels import LENGTH, Asked, EarlyLevels
from streamer.monitors.evidence import tier_of
from streamer.monitors.levels import LevelMonitor, Span, Verdict
from streamer.signals.columns import F64, I64

SIZES = (1, 4, 16)
"""Values that are averaged; each size has two channels of the days, one as they are and one less what is usual."""
CHANNELS = 2 * len(SIZES)
LOADS = 48
"""Loads that are told apart, each about half as much again as the one before, from two events a day on."""
SEEN_LEAST, MEMORY = 8, 256
"""Values before which nothing is known of a load, and those that count."""
GROSS = 1.7
"""In school a value is far that is so many times the reference, or as small a part of it."""
SUSTAINED = 1
"""In school the first size that counts, by its place."""


@dataclass(slots=True)
class Swing:
    """Of a row: what is usual under each load, and the newest values."""

    means: list[float] = field(default_factory=lambda: [0.0] * LOADS)
    known: list[int] = field(default_factory=lambda: [0] * LOADS)  # values that each is the mean of
    values: list[float] = field(default_factory=list)  # the newest last
    usual: list[float] = field(default_factory=list)  # under the load of each; NaN where it is not known
    begins_ms: list[int] = field(default_factory=list)  # of the window of each
    since_ms: int = -1  # when the breach began that goes on
    noise: float = 0.0  # half the square by which a value differs from the one before, in the mean
    steps: int = 0  # values that it is the mean of
    held: dict[int, tuple[float, float]] = field(
        default_factory=dict
    )  # by channel least and most that days are to learn


def load_of(span: Span) -> int:
    """The place of a window's load among those that are told apart."""
    a_day = span.n * DAY_MS / (span.end_ms - span.start_ms)
    return min(max(round(2.0 * log2(max(a_day, 1.0))) - 2, 0), LOADS - 1)


class DailyLevelMonitor(LevelMonitor):
    """`against: days` of a statistic."""

    calm_after = 4

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        self.days = DailyExtremes(CHANNELS)
        self.swings: dict[int, Swing] = {}
        self.early = EarlyLevels()
        self.side = {"up": 1, "down": -1}.get(self.detect.direction, 0)

    def days_left(self) -> I64:
        self.days.resize(len(self.table.keys))
        return self.days.days_left()

    def tier(self, row: int) -> dict[str, str]:
        return tier_of(self.days.in_school(row))

    def judge(self, row: int, value: float, span: Span, offset: int) -> Verdict:
        start_ms = span.start_ms
        if row not in self.swings and self.table.signal.kind == "aggregate" and row not in self.table.pinned:
            self.early.begin(row)
        days, mine = self.days, self.swings.setdefault(row, Swing())
        days.resize(len(self.table.keys))
        if days.behind(row, start_ms // DAY_MS):
            level = np.abs(days.mean[row, : len(SIZES)]).max(axis=-1)
            apart = odds(self.rate(row), CHANNELS)
            floors = np.maximum(level * self.detect.change, self._chance(row, apart, mine, span))
            days.turn(row, start_ms // DAY_MS, apart, np.resize(floors, CHANNELS))
        if mine.values and mine.since_ms < 0:
            mine.steps = min(mine.steps + 1, MEMORY)
            mine.noise += ((value - mine.values[-1]) ** 2 / 2.0 - mine.noise) / mine.steps
        load = load_of(span)
        usual = mine.means[load] if mine.known[load] >= SEEN_LEAST else nan
        mine.values, mine.usual = [*mine.values, value][-SIZES[-1] :], [*mine.usual, usual][-SIZES[-1] :]
        mine.begins_ms = [*mine.begins_ms, start_ms][-SIZES[-1] :]
        found = self._look(row, mine, span, offset)
        if found is None:
            mine.since_ms = -1
        elif mine.since_ms < 0:
            mine.since_ms = start_ms
        # A breach is not what is usual, unless it lasts.
        if mine.since_ms < 0 or start_ms - mine.since_ms >= SCHOOL * DAY_MS:
            mine.known[load] = min(mine.known[load] + 1, MEMORY)
            mine.means[load] += (value - mine.means[load]) / mine.known[load]
        verdict = self._verdict(row, value, found, offset)
        return verdict if found is None else verdict._replace(begin_ms=mine.begins_ms[-found[-1]])

    def _chance(self, row: int, apart: float, mine: Swing, span: Span) -> F64:
        """By size how far beyond the usual extreme of a day chance alone would be at these odds of a limit."""
        sizes = np.array(SIZES, np.float64)
        a_day = np.maximum(DAY_MS / (span.end_ms - span.start_ms) / sizes, 2.0)
        deviations = GUMBEL / np.sqrt(2.0 * np.log(a_day)) * np.sqrt(mine.noise / sizes)
        count = max(int(self.days.count[row, 0].max()), 2)
        return beyond(apart) * (1.0 + FEW / count) * deviations

    def _look(self, row: int, mine: Swing, span: Span, offset: int) -> tuple[int, float, float, int] | None:
        """Which way the values are out of bounds, their average, what it usually is, how many they are; the fewest that
        tell it. None where all is well.
        """
        start_ms, found = span.start_ms, self._since_warmup(row, mine, span)
        for place, size in enumerate(SIZES):
            if len(mine.values) < size:
                break
            mean = sum(mine.values[-size:]) / size
            apart = mean - sum(mine.usual[-size:]) / size
            for channel, average in ((place, mean), (len(SIZES) + place, apart)):
                if isnan(average):
                    continue
                side = self._side(row, channel, average, offset)
                if side and found is None:
                    low, high = self.days.usual(row, channel)
                    expected = (low if side < 0 else high) + (mean - average)
                    found = side, mean, expected, size
                if side and not np.isfinite(self.days.limit[row, channel]).any():
                    least, most = mine.held.get(channel, (average, average))
                    mine.held[channel] = min(least, average), max(most, average)
                else:
                    self.days.take(row, channel, average)
        # In school nothing caps what days learn: what is told is learned when it is over, or has lasted for a day.
        if found is None or 0 <= mine.since_ms <= start_ms - DAY_MS:
            for channel, held in mine.held.items():
                for average in held:
                    self.days.take(row, channel, average)
            mine.held = {}
        return found

    def _since_warmup(self, row: int, mine: Swing, span: Span) -> tuple[int, float, float, int] | None:
        """The same of a row that is far from its first windows, as long as days say nothing."""
        if isfinite(self.days.limit[row, 0].min()):
            self.early.close(row)
        told = self.early.take(row, mine.values[-1], span, Asked(self.detect.change, self.side, sqrt(mine.noise)))
        newest = mine.values[-LENGTH:]
        return None if told is None else (told[0], sum(newest) / len(newest), told[1], len(newest))

    def _side(self, row: int, channel: int, average: float, offset: int) -> int:
        low, high = self.days.limits(row, channel)
        if isfinite(low) or isfinite(high):
            return self._wanted(1 if average > high else -1 if average < low else 0)
        known = self._known(row, offset)
        if not SUSTAINED <= channel < len(SIZES) or known is None:
            return 0
        centre, scale = known
        low, high = self.days.seen(row, channel)
        far = abs(average - centre) > self.detect.beyond * scale
        if far and average > high and average - centre > (GROSS - 1.0) * abs(centre):
            return self._wanted(1)
        if far and average < low and centre - average > (1.0 - 1.0 / GROSS) * abs(centre):
            return self._wanted(-1)
        return 0

    def _wanted(self, side: int) -> int:
        return side if self.side in (0, side) else 0

    def _known(self, row: int, offset: int) -> tuple[float, float] | None:
        """Centre and scale of the reference, where it is one by now."""
        learned = self.table.reference.at(row)
        ready = learned.n >= self.table.reference.warmup and learned.last_offset < offset
        return (learned.centre, learned.scale) if ready else None

    def _verdict(self, row: int, value: float, found: tuple[int, float, float, int] | None, offset: int) -> Verdict:
        known = self._known(row, offset)
        taught = self.days.count[row, 0].max() > 0
        if found is not None:
            _, shown, expected, size = found
            expected = expected if taught or known is None or self.early.told(row) else known[0]
        elif taught or known is not None:
            shown, size = value, 1
            expected = self.days.usual(row, 0)[1] if taught or known is None else known[0]
        else:
            return Verdict(False, value, None, None, 0)
        scale = known[1] if known is not None else 0.0
        away = shown - expected
        deviations = away / scale if scale > 0.0 else float(np.sign(away)) * self.detect.beyond * 2.0
        return Verdict(found is not None, shown, expected, deviations, size)

    def retain(self, rows: I64) -> None:
        super().retain(rows)
        self.days.resize(len(self.table.keys))
        self.days.retain(rows)
        self.swings = renumbered(self.swings, rows)
        self.early.retain(rows)

    def dump(self) -> Any:
        self.days.resize(len(self.table.keys))  # However the log was cut.
        swings = []
        for row, swing in self.swings.items():
            arrays = [np.array(one, np.float64) for one in (swing.means, swing.values, swing.usual)]
            held = [[channel, *held] for channel, held in swing.held.items()]
            swings.append(
                [
                    row,
                    np.array(swing.known, np.int64),
                    *arrays,
                    np.array(swing.begins_ms, np.int64),
                    swing.since_ms,
                    held,
                    swing.noise,
                    swing.steps,
                ]
            )
        return {**super().dump(), "days": self.days.dump(), "swings": swings, "early": self.early.dump()}

    def load(self, state: Any) -> None:
        super().load(state)
        self.days.load(state["days"])
        self.swings = {}
        for row, known, means, values, usual, begins_ms, since_ms, held, *noise in state["swings"]:
            sane = len(means) == len(known) == LOADS and len(values) == len(usual) == len(begins_ms) <= SIZES[-1]
            if not sane or not 0 <= int(row) < len(self.table.keys):
                raise ValueError("invalid swing of a day")
            lists = means.tolist(), known.tolist(), values.tolist(), usual.tolist(), begins_ms.tolist()
            kept = {int(channel): (float(least), float(most)) for channel, least, most in held}
            swing = self.swings[int(row)] = Swing(*lists, int(since_ms), held=kept)
            if noise:  # Older snapshots have none.
                swing.noise, swing.steps = float(noise[0]), int(noise[1])
        self.early.load(state.get("early", ()), self.swings)
