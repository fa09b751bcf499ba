"""Traffic against what healthy days have shown: more than any day's rush, and less than the hour's own.

A surge is a window with far more events than the fullest of a healthy day. A fall is an hour, or four, with far fewer
than the same hour of the same weekday has, and than the same hour of all days: a rush of one Tuesday is not expected
again. Nor is more expected than the hours before it had: a holiday is low from its morning on, and a fault begins at
some hour. Only hours as busy as most are judged. In school, the first week, only what is unmistakable is told.

Windows beside a silence of the model count as well, or who speaks for five minutes of each hour, or for an hour of the
night, was never looked at. Hours in which nobody speaks say nothing, nor do those beside them: `silence` hears that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, log, sqrt
from typing import Any

import numpy as np

from detectors.bank import renumbered
from detectors.extremes import DAY_MS, SCHOOL, DailyExtremes, odds
from streamer.monitors.base import MonitorSpec
from streamer.monitors.evidence import tier_of
from streamer.monitors.levels import LevelMonitor, Span, Verdict, Window
from streamer.monitors.seasons import HOUR_MS
from streamer.signals.columns import I64, Column

HOURS = (1, 4)
"""Hours that are looked at together; each a channel of the days, and a last one for the windows."""
SURGES = len(HOURS)
DAY, WEEK = 24, 168
MEMORY = 8
"""Weeks that count."""
AT_MOST = 1.25
"""No hour is expected to be so many times as full as the same hour is on all days."""
BUSY = 0.9
"""An hour is busy that has so much of the median hour of its day."""
SURGE = 2.0
"""A surge exceeds the fullest window of a day by so many times that."""
SEEN_LEAST = 6
"""Windows before which nothing is unmistakable."""
GROSS_UP, GROSS_DOWN = 2.0, 0.5
"""In school: so many times the mean, and as small a part of the least that was seen."""
CYCLED_UP = 4.0
"""So many times the most that was seen, once a day has shown how it swings."""
FALLS = 2
"""Windows in a row that a fall must last in school."""
OPENING, YOUNG = 10.0, 3
"""Before YOUNG days were seen, which may be a weekend, what rises or falls OPENING times beyond all that was seen is no
fault: somebody opens in the morning, or goes home. Who stops altogether is a matter of `silence`.
"""
SHARP_MS = HOUR_MS // 2
"""Nor is what begins in the first window of an hour, or of half of one, whatever its size: so people open and go home,
while a fault begins at any minute. Those that do so by chance, one in three with windows of ten minutes, go untold.
"""


@dataclass(slots=True)
class Hours:
    """Of a row: the week as it is known, the hour that goes on, and those before it."""

    week: list[float] = field(default_factory=lambda: [0.0] * WEEK)
    known: list[int] = field(default_factory=lambda: [0] * WEEK)  # weeks that each hour is the mean of
    hour: int = -1
    total: float = 0.0
    windows: int = 0
    past: list[tuple[int, float, float]] = field(default_factory=list)  # hour, events, expected; the newest last
    fallen: tuple[float, float] | None = None  # events and expectation of the breach that goes on
    since: int = -1  # the hour in which it began
    seen: int = 0  # windows so far
    mean: float = 0.0  # of them
    low: int = 0  # windows in a row that were far below
    began_ms: int = -1  # in school: the window in which it went far beyond what was seen
    waiting: bool = False  # the hour that goes on came after hours that should have had events, and had none
    held: list[float] = field(default_factory=list)  # least and most of what was told in school and is not learned yet


class DailyTrafficMonitor(LevelMonitor):
    """`against: days` of a count."""

    calm_after = 6

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        self.days = DailyExtremes(len(HOURS) + 1)
        self.hours: dict[int, Hours] = {}
        self.enough = (self.detect.beyond / self.detect.change) ** 2  # Of fewer events a fall could be chance.

    def windows(self, column: Column) -> list[Window]:
        """Those beside a silence, too."""
        edges = super().windows(self.source.edges())
        beside = [one._replace(span=one.span._replace(whole=False)) for one in edges]
        return sorted([*super().windows(column), *beside], key=lambda one: (one.event, one.span.start_ms, one.row))

    def days_left(self) -> I64:
        self.days.resize(len(self.table.keys))
        return self.days.days_left()

    def tier(self, row: int) -> dict[str, str]:
        return tier_of(self.days.in_school(row))

    def judge(self, row: int, value: float, span: Span, offset: int) -> Verdict:
        mine = self.hours.setdefault(row, Hours())
        self.days.resize(len(self.table.keys))
        hour = span.start_ms // HOUR_MS
        if hour != mine.hour:
            self._end_hour(row, mine, hour)
            mine.hour, mine.total, mine.windows = hour, 0.0, 0
            usual = self.days.mean[row, SURGES, 0].item()
            floors = [-log(1.0 - self.detect.change)] * SURGES + [SURGE * usual]
            self.days.turn(row, span.start_ms // DAY_MS, odds(self.rate(row), len(HOURS) + 1), floors)
        mine.total, mine.windows = mine.total + value, mine.windows + 1
        verdict = self._window(row, value, mine, span)
        mine.seen += 1
        mine.mean += (value - mine.mean) / min(mine.seen, MEMORY * WEEK)
        return verdict

    def _window(self, row: int, value: float, mine: Hours, span: Span) -> Verdict:
        high = self.days.limits(row, SURGES)[1]
        if mine.seen < SEEN_LEAST:
            self._take(row, value, span.whole)
            return Verdict(False, value, None, None, 0)
        if np.isfinite(high):
            usual = self.days.usual(row, SURGES)[1]
            self._take(row, value, span.whole)
            if value > high:
                return self._told(value, usual, mine)
            if mine.fallen is not None:
                return self._told(*mine.fallen, mine)._replace(begin_ms=mine.since * HOUR_MS)
            return Verdict(False, value, usual, _noise(value, usual), mine.seen)
        return self._in_school(row, value, mine, span)

    def _take(self, row: int, value: float, whole: bool = True) -> None:
        """A part of a window says nothing of how few there may be."""
        if whole:
            self.days.take(row, SURGES, value)
        else:
            self.days.today[row, SURGES, 0] = max(self.days.today[row, SURGES, 0], value)

    def _told(self, value: float, expected: float, mine: Hours) -> Verdict:
        """A breach, if that is the direction that is asked for."""
        wanted = self.detect.direction in ("both", "up" if value > expected else "down")
        return Verdict(wanted, value, expected, _noise(value, expected), mine.seen)

    def _in_school(self, row: int, value: float, mine: Hours, span: Span) -> Verdict:
        """What is unmistakable is far beyond all that was seen. It is seen only when it is over, so that it is told as
        long as it lasts, and not again when it comes again.
        """
        least, most = self.days.seen(row, SURGES)
        cycled = self.days.waiting[row, SURGES].max() > -np.inf
        up = value > GROSS_UP * mine.mean and value > (CYCLED_UP if cycled else AT_MOST) * most
        up = up and _noise(value, most) > self.detect.beyond
        low = span.whole and value < GROSS_DOWN * least < inf and _noise(value, least) < -self.detect.beyond
        young = self.days.known(row)[SURGES].max() < YOUNG
        if young and (value > OPENING * most or OPENING * value < least or self._sharp(mine, span, up or low)):
            up = low = False
        mine.low = mine.low + 1 if low else 0
        if up or low:
            known = mine.held or [value, value]
            mine.held = [min(known[0], value), max(known[1], value)]
            if up or mine.low >= FALLS:
                return self._told(value, most if up else least, mine)
        else:
            for one in mine.held:
                self._take(row, one)
            self._take(row, value, span.whole)
            mine.held = []
        return Verdict(False, value, mine.mean, _noise(value, mine.mean), mine.seen)

    def _sharp(self, mine: Hours, span: Span, far: bool) -> bool:
        """Whether what is far now began when people open, less than an hour ago."""
        mine.began_ms = (span.start_ms if mine.began_ms < 0 else mine.began_ms) if far else -1
        recent, window_ms = far and span.start_ms - mine.began_ms < HOUR_MS, self.table.signal.window_ms
        return recent and mine.began_ms % SHARP_MS < window_ms < SHARP_MS  # Longer ones all begin then.

    def _end_hour(self, row: int, mine: Hours, hour: int) -> None:
        """The hour is over since a later one has events: it is judged, and known from then on."""
        between = range(mine.hour + 1, min(hour, mine.hour + 1 + WEEK))
        silent = mine.hour >= 0 and any(self._expected(mine, one) > 0.0 for one in between)
        beside, mine.waiting = mine.waiting or silent, silent
        if mine.hour < 0 or beside or mine.seen == mine.windows:  # The first hour is a part of one.
            return
        expected = self._expected(mine, mine.hour)
        if expected > 0.0:
            mine.past = [*mine.past[-2 * HOURS[-1] :], (mine.hour, mine.total, expected)]
            self._judge_fall(row, mine)
        if mine.fallen is None or mine.hour - mine.since >= SCHOOL * DAY:
            slot = mine.hour % WEEK
            mine.known[slot] = min(mine.known[slot] + 1, MEMORY)
            mine.week[slot] += (mine.total - mine.week[slot]) / mine.known[slot]

    @staticmethod
    def _expected(mine: Hours, hour: int) -> float:
        """What an hour should have; 0 where it is not known."""
        slot = hour % WEEK
        if not mine.known[slot]:
            return 0.0
        same = [mine.week[i] for i in range(slot % DAY, WEEK, DAY) if mine.known[i]]
        return min(mine.week[slot], AT_MOST * sum(same) / len(same))

    def _judge_fall(self, row: int, mine: Hours) -> None:
        found = None
        for channel, hours in enumerate(HOURS):
            told = self._together(mine, hours)
            if told is None:
                continue
            events, expected = told
            low = self.days.limits(row, channel)[0]
            moved = min(log((events + 1.0) / (expected + 1.0)), 0.0)  # A rush says nothing of how deep falls are.
            if mine.fallen is None and not (self._busy(mine) and expected >= self.enough):
                continue
            far = events < (1.0 - self.detect.change) * expected and _noise(events, expected) < -self.detect.beyond
            if far and (moved < low or not np.isfinite(low)):
                found = found or (events / hours, expected / hours)
            self.days.take(row, channel, moved)
        if found is None:
            mine.since = -1
        elif mine.since < 0:
            mine.since = mine.hour
        mine.fallen = found

    def _together(self, mine: Hours, hours: int) -> tuple[float, float] | None:
        """Events and expectation of the newest hours; not more is expected than those before them had."""
        newest = mine.past[-hours:]
        if len(newest) < hours or mine.hour - newest[0][0] != hours - 1:
            return None
        first = newest[0][0] if mine.since < 0 else min(mine.since, newest[0][0])
        before = [one for one in mine.past if first - HOURS[-1] <= one[0] < first]
        events, expected = (sum(one[i] for one in newest) for i in (1, 2))
        had, should = (sum(one[i] for one in before) for i in (1, 2))
        return events, expected * (min(had / should, 1.0) if should > 0.0 else 1.0)

    def _busy(self, mine: Hours) -> bool:
        begin = mine.hour // DAY * DAY
        day = [self._expected(mine, hour) for hour in range(begin, begin + DAY)]
        known = sorted(one for one in day if one > 0.0)
        return self._expected(mine, mine.hour) >= BUSY * known[len(known) // 2]

    def retain(self, rows: I64) -> None:
        super().retain(rows)
        self.days.resize(len(self.table.keys))
        self.days.retain(rows)
        self.hours = renumbered(self.hours, rows)

    def dump(self) -> Any:
        self.days.resize(len(self.table.keys))  # However the log was cut.
        hours = [[row, *_plain(mine)] for row, mine in self.hours.items()]
        return {**super().dump(), "days": self.days.dump(), "hours": hours}

    def load(self, state: Any) -> None:
        super().load(state)
        self.days.load(state["days"])
        self.hours = {int(row): _hours_of(plain) for row, *plain in state["hours"]}
        if any(not 0 <= row < len(self.table.keys) for row in self.hours):
            raise ValueError("hours of nobody")


def _plain(mine: Hours) -> list[Any]:
    """As a snapshot has it."""
    week, past = [np.array(mine.week), np.array(mine.known, np.int64)], [list(one) for one in mine.past]
    now = [mine.hour, mine.total, mine.windows, past, None if mine.fallen is None else list(mine.fallen)]
    return [*week, *now, mine.since, mine.seen, mine.mean, mine.low, list(mine.held), mine.waiting, mine.began_ms]


def _hours_of(plain: list[Any]) -> Hours:
    """Of what `_plain` made. Raises ValueError."""
    week, known, hour, total, windows, past, fallen, since, seen, mean, low, held, *new = plain
    if len(week) != WEEK or len(known) != WEEK:
        raise ValueError("a week of another length")
    hours = Hours(week.tolist(), known.tolist(), int(hour), float(total), int(windows))
    hours.past = [(int(at), float(events), float(expected)) for at, events, expected in past]
    if fallen is not None:
        events, expected = fallen
        hours.fallen = float(events), float(expected)
    hours.since, hours.seen, hours.mean, hours.low = int(since), int(seen), float(mean), int(low)
    hours.held = [float(one) for one in held]
    if new:  # Older snapshots have none.
        hours.waiting, hours.began_ms = bool(new[0]), int(new[1])
    return hours


def _noise(value: float, expected: float) -> float:
    """How many deviations of independent events a count is away from what it should be."""
    return (value - expected) / sqrt(max(expected, 1.0))
