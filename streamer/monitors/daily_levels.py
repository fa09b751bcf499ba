"""Aggregates against what healthy days have shown: a statistic that swings with the day, and is higher than any day.

The values of a series are averaged in blocks of 1, 4 and 16, and each average is held against the daily extremes of
averages of just as many (`detectors/extremes.py`). A doubling shows in one value, a third more in the longer blocks.
In school, the first week, only what is unmistakable is told: four values together that are far from the reference, and
beyond all that was seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detectors.bank import renumbered
from detectors.extremes import DailyExtremes
from streamer.monitors.base import MonitorSpec
from streamer.monitors.budget import odds
from streamer.monitors.levels import DAY_MS, LevelMonitor, Verdict
from streamer.signals.columns import I64

SIZES = (1, 4, 16)
"""Values in a block of each channel."""
GROSS = 1.7
"""In school a value is far that is so many times the reference, or as small a part of it."""


@dataclass(slots=True)
class Blocks:
    """Of a row: the blocks that are not full, and what the last full one of each size said."""

    fill: list[int] = field(default_factory=lambda: [0] * len(SIZES))
    sums: list[float] = field(default_factory=lambda: [0.0] * len(SIZES))
    last: list[float] = field(default_factory=lambda: [0.0] * len(SIZES))
    sides: list[int] = field(default_factory=lambda: [0] * len(SIZES))  # 1 above, -1 below, 0 within
    since_ms: int = -1  # when the breach began that goes on


class DailyLevelMonitor(LevelMonitor):
    """`against: days` of a statistic."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        self.days = DailyExtremes(len(SIZES))
        self.blocks: dict[int, Blocks] = {}
        self.odds = odds(len(SIZES))

    def judge(self, row: int, value: float, start_ms: int, offset: int) -> Verdict:
        days, mine = self.days, self.blocks.setdefault(row, Blocks())
        days.resize(len(self.table.keys))
        usual = np.abs(days.mean[row]).max(axis=-1)
        days.turn(row, start_ms // DAY_MS, self.odds, usual * self.detect.change)
        for channel, size in enumerate(SIZES):
            mine.fill[channel] += 1
            mine.sums[channel] += value
            if mine.fill[channel] == size:
                self._close(row, channel, mine, start_ms, offset)
        breach = any(mine.sides)
        if not breach:
            mine.since_ms = -1
        elif mine.since_ms < 0:
            mine.since_ms = start_ms
        return self._verdict(row, value, mine, offset)

    def _close(self, row: int, channel: int, mine: Blocks, start_ms: int, offset: int) -> None:
        """A block is full: what it says, and whether days are to know it."""
        mean = mine.sums[channel] / SIZES[channel]
        mine.fill[channel], mine.sums[channel], mine.last[channel] = 0, 0.0, mean
        low, high = self.days.limits(row, channel)
        school = not np.isfinite((low, high)).any()
        if school:
            mine.sides[channel] = self._unmistakable(row, channel, mean, offset)
        else:
            mine.sides[channel] = self._wanted(1 if mean > high else -1 if mean < low else 0)
        # In school nothing caps what days learn: what is told is not learned unless it lasts.
        if not (school and any(mine.sides)) or 0 <= mine.since_ms <= start_ms - DAY_MS:
            self.days.take(row, channel, mean)

    def _unmistakable(self, row: int, channel: int, mean: float, offset: int) -> int:
        known = self._known(row, offset)
        if channel == 0 or known is None:
            return 0
        centre, scale = known
        low, high = self.days.seen(row, channel)
        far = abs(mean - centre) > self.detect.beyond * scale
        if far and mean > high and mean - centre > (GROSS - 1.0) * abs(centre):
            return self._wanted(1)
        if far and mean < low and centre - mean > (1.0 - 1.0 / GROSS) * abs(centre):
            return self._wanted(-1)
        return 0

    def _wanted(self, side: int) -> int:
        return side if self.detect.direction in ("both", {1: "up", -1: "down"}.get(side)) else 0

    def _known(self, row: int, offset: int) -> tuple[float, float] | None:
        """Centre and scale of the reference, where it is one by now."""
        learned = self.table.reference.at(row)
        ready = learned.n >= self.table.reference.warmup and learned.last_offset < offset
        return (learned.centre, learned.scale) if ready else None

    def _verdict(self, row: int, value: float, mine: Blocks, offset: int) -> Verdict:
        """The block that tells of it, the shortest first; else the newest value."""
        channel = next((i for i, side in enumerate(mine.sides) if side), 0)
        side, known = mine.sides[channel], self._known(row, offset)
        shown = mine.last[channel] if side else value
        low, high = self.days.usual(row, channel)
        if self.days.count[row, channel].max() > 0:
            expected: float | None = low if side < 0 else high
        else:
            expected = None if known is None else known[0]
        if expected is None:
            return Verdict(False, value, None, None, 0)
        scale = known[1] if known is not None else 0.0
        away = shown - expected
        deviations = away / scale if scale > 0.0 else float(np.sign(away)) * self.detect.beyond * 2.0
        return Verdict(side != 0, shown, expected, deviations, SIZES[channel])

    def retain(self, rows: I64) -> None:
        super().retain(rows)
        self.days.resize(len(self.table.keys))
        self.days.retain(rows)
        self.blocks = renumbered(self.blocks, rows)

    def dump(self) -> Any:
        blocks = [
            [row, list(b.fill), np.array(b.sums), np.array(b.last), list(b.sides), b.since_ms]
            for row, b in self.blocks.items()
        ]
        self.days.resize(len(self.table.keys))  # However the log was cut.
        return {**super().dump(), "days": self.days.dump(), "blocks": blocks}

    def load(self, state: Any) -> None:
        super().load(state)
        self.days.load(state["days"])
        self.blocks = {}
        for row, fill, sums, last, sides, since_ms in state["blocks"]:
            numbers = [int(n) for n in fill], sums.tolist(), last.tolist(), [int(side) for side in sides]
            if any(len(one) != len(SIZES) for one in numbers) or not 0 <= int(row) < len(self.table.keys):
                raise ValueError("invalid blocks of windows")
            self.blocks[int(row)] = Blocks(*numbers, int(since_ms))
