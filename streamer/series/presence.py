"""Who is there: the signal `events`, by groups, and how long each has been silent by ticks of the wall clock that are
data. A tick counts at most twice its interval, and nothing where the task had not read all there was: silence is what
was heard, not what was missed.

And how long each is silent while all is well: the longest gap of a day, in time and in events of its model, is held
against that of other days (`detectors/extremes.py`). Gaps are in the log, so what was retained of it teaches them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from detectors.extremes import DAY_MS, DailyExtremes, odds
from detectors.extremes import NEVER as NO_DAY
from schemas.events.batch import Batch
from streamer.series.calendar import NEVER, Away
from streamer.series.source_base import NOBODY, SourceBase
from streamer.series.table import ColumnsSoFar, Heard, SeriesTable
from streamer.signals.columns import F64, I64, Bool, Column, Groups, dense

FIELDS = ("n", "spoke", "silent_ms", "first_ms", "last_ms", "last_offset", "newest_ms", "at")
"""Per row: events so far, whether any since the last tick, the silence up to then, the time of the first event; time
and offset of the last; the newest time, and how many events its model had had at the last.
"""
TIME, EVENTS = range(2)
"""Channels of the days: gaps in ms, and in events of the model."""
FLOORS = 0.5, 1.5
"""A limit is at least so much beyond the longest gap of a usual day, in parts of that."""
LEAST_AWAY_MS = 60_000
"""Nothing in a calendar is shorter."""
TIME_BITS = 44
"""A time in ms fits, for 500 years."""


def changes(numbers: I64) -> Bool:
    """Which of some numbers differ from the one before, the first among them."""
    found = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=found[1:])
    return found


class Presence(SourceBase):
    """Makes the signal `events`: no value while a group speaks, and its silence in ms at the event that ends one."""

    what = "events"

    def __init__(self, rate: float = 0.01, away: Away = NEVER) -> None:
        self.away = away  # time that is no gap
        self.rate = rate  # false alarms a day that all its rows of a model together may have
        self.state = {name: np.zeros(0, np.int64) for name in FIELDS}
        self.events: dict[str, int] = {}  # by model
        self.days = DailyExtremes(2)

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        events = np.flatnonzero(groups.of_event >= 0)
        inverse, first = dense(groups.of_event[events])
        rows = np.array([table.row(groups.keys[groups.of_event[events[i]]], self.what) for i in first], np.int64)
        table.resize()
        self.resize(len(table.keys))
        counts = np.bincount(inverse, minlength=len(rows))
        table.dropped += int(counts[rows < 0].sum())
        self._learn_gaps(batch, events, rows[inverse])
        kept = np.flatnonzero(rows >= 0)
        last = np.zeros(len(rows), np.int64)
        last[inverse] = events  # With repeated groups the last assignment holds.
        rows, first, last, counts = rows[kept], events[first[kept]], last[kept], counts[kept]
        self.state["last_ms"][rows], self.state["last_offset"][rows] = batch.times_ms[last], batch.offsets[last]
        new = self.state["n"][rows] == 0
        self.state["first_ms"][rows[new]] = batch.times_ms[first[new]]
        silent = self.state["silent_ms"][rows]
        self.state["n"][rows] += counts
        self.state["spoke"][rows] = 1
        self.state["silent_ms"][rows] = 0
        back = silent > 0
        table.taken += int(counts.sum()) - int(back.sum())  # The others count when they are judged.
        return Column(rows[back], silent[back].astype(np.float64), first[back])

    def _counts(self, batch: Batch, events: I64) -> I64:
        """How many events the model of each of these had had, with it."""
        codes, counts = batch.model[events], np.zeros(len(events), np.int64)
        for code in np.flatnonzero(np.bincount(codes)).tolist() if len(codes) else ():
            model, mine = batch.strings[code], np.flatnonzero(codes == code)
            before = self.events.get(model, 0)
            counts[mine] = np.arange(before + 1, before + 1 + len(mine))
            self.events[model] = before + len(mine)
        return counts

    def _learn_gaps(self, batch: Batch, events: I64, rows: I64) -> None:
        """The longest gap of each row and day, in time and in events."""
        counts = self._counts(batch, events)
        order = np.argsort(rows, kind="stable")
        order = order[np.searchsorted(rows[order], 0) :]
        if not len(order):
            return
        rows, counts, times_ms = rows[order], counts[order], batch.times_ms[events[order]]
        first = changes(rows)
        begins, number = np.flatnonzero(first), np.cumsum(first) << TIME_BITS
        state, mine = self.state, rows[begins]
        newest = number + np.maximum(times_ms, 0)
        newest[begins] = np.maximum(newest[begins], number[begins] + state["newest_ms"][mine])
        newest = np.maximum.accumulate(newest) - number
        before, at = np.empty_like(newest), np.empty_like(counts)
        before[1:], at[1:] = newest[:-1], counts[:-1]
        before[begins], at[begins] = state["newest_ms"][mine], state["at"][mine]
        silent = np.maximum(times_ms - before, 0)
        for place in np.flatnonzero(silent >= LEAST_AWAY_MS).tolist() if self.away else ():
            end_ms = times_ms.item(place)
            model = batch.strings[batch.model[events[order[place]]]]
            silent[place] -= self.away.within(model, end_ms - silent.item(place), end_ms)
        gaps = np.stack([silent, counts - at]).astype(np.float64)
        gaps[TIME, begins] = np.maximum(gaps[TIME, begins], state["silent_ms"][mine])
        gaps[:, begins[state["n"][mine] == 0]] = -np.inf  # The first event ends no gap.
        before = np.arange(len(rows)) + (state["n"][mine] - begins)[(number >> TIME_BITS) - 1]
        self._take(rows, newest // DAY_MS, counts, gaps, before)
        ends = np.append(begins[1:], len(rows)) - 1
        state["newest_ms"][mine], state["at"][mine] = newest[ends], counts[ends]

    def _take(self, rows: I64, days: I64, counts: I64, gaps: F64, before: I64) -> None:
        """The gaps of rows, each in one piece, whose days ascend; `before`: events of the row before each."""
        parts = np.flatnonzero(changes(rows) | changes(days))
        most = np.maximum.reduceat(gaps, parts, axis=1)
        same = days[parts] <= self.days.day[rows[parts]]
        of = rows[parts[same]]  # Each row once: further days of it are turned to, after this.
        self.days.today[of, :, 0] = np.maximum(self.days.today[of, :, 0], most[:, same].T)
        for part, begin in zip(np.flatnonzero(~same).tolist(), parts[~same].tolist(), strict=True):
            row = int(rows[begin])
            # What speaks seldom has a small part of what may be wrong, so that many of them have no more than one.
            share = min(max(int(before[begin]), 1) / max(int(counts[begin]), 1), 1.0)
            floors = self.days.mean[row, :, 0] * FLOORS
            # The day that a row begins in is a part of one and belongs to the next: who speaks for an hour of each
            # night has no night's gap in it, and days that differ so much would make a limit of two nights.
            day = int(days[begin]) + int(self.days.day.item(row) == NO_DAY)
            self.days.turn(row, day, odds(self.rate, len(FLOORS) / share), floors)
            self.days.today[row, :, 0] = np.maximum(self.days.today[row, :, 0], most[:, part])

    def alone(self, table: SeriesTable) -> bool:
        """Whether a row is all that its model has, so that nothing goes on beside it."""
        return not table.by

    def gap(self, row: int, model: str) -> tuple[float, float]:
        """How long a row has been silent by ticks, and for how many events of its model."""
        return float(self.state["silent_ms"][row]), float(self.events.get(model, 0) - self.state["at"][row])

    def resize(self, rows: int) -> None:
        for name, column in self.state.items():
            self.state[name] = np.concatenate([column, np.zeros(rows - len(column), np.int64)])
        self.days.resize(rows)

    def heard(self, table: SeriesTable) -> Heard:
        return self.state["last_ms"], self.state["last_offset"]

    def retain(self, rows: I64, table: SeriesTable) -> None:
        self.state = {name: column[rows] for name, column in self.state.items()}
        self.days.retain(rows)

    def forget(self, models: Collection[str]) -> None:
        self.events = {model: count for model, count in self.events.items() if model not in models}

    def tick(self, passed_ms: int, unmissed: I64 = NOBODY) -> None:
        """So much time has passed since the last tick; not for those rows, which nobody misses."""
        passed = np.where(self.state["spoke"] > 0, 0, passed_ms)
        passed[unmissed] = 0
        self.state["silent_ms"] += passed
        self.state["spoke"][:] = 0

    def dump(self) -> Any:
        arrays = {name: column.copy() for name, column in self.state.items()}
        return {**arrays, "days": self.days.dump(), "events": sorted(self.events.items())}

    def load(self, state: Any) -> None:
        found = {name: np.array(state[name], np.int64) for name in FIELDS}
        times = [column for name, column in found.items() if name != "last_offset"]  # That may be of another partition.
        if len({len(column) for column in found.values()}) != 1 or any((column < 0).any() for column in times):
            raise ValueError("times of presence that are negative or of different length")
        self.days.load(state["days"])
        if self.days.rows != len(found["n"]):
            raise ValueError("days of presence of another length")
        self.state, self.events = found, {str(model): int(count) for model, count in state["events"]}
