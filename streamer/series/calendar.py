"""Which times are outside of the ordinary by the config's calendar, as spans of event time. Days are those of its zone,
so that twice a year one has 23 or 25 hours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from detectors.extremes import DAY_MS
from streamer.config.calendar import Calendar, Day, Maintenance
from streamer.signals.columns import I64, Bool
from streamer.signals.models import models_of, takes

BLOCK = 32
"""Days whose spans are made at once."""
BLOCKS_MAX = 40
"""Over longer stretches nobody counts what part of them the calendar has: the block of their ends is looked at."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE_MS = timedelta(milliseconds=1)
Spans = tuple[I64, I64]
"""Begins and ends, ascending, of spans that do not touch."""


class Away:
    """The times of a calendar, by model."""

    def __init__(self, calendar: Calendar) -> None:
        self.entries: list[Day | Maintenance] = [*calendar.days, *calendar.maintenance]
        self.zone = ZoneInfo(calendar.zone)
        self._block, self._mine = lru_cache(256)(self._made), lru_cache(10_000)(self._entries_of)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def at(self, model: str, times_ms: I64) -> Bool:
        """Which of these times are in the calendar."""
        found = np.zeros(len(times_ms), bool)
        blocks = times_ms // (BLOCK * DAY_MS)
        for block in np.unique(blocks).tolist():
            mine = blocks == block
            begins, ends = self._of(model, block)
            if len(begins):
                place = np.searchsorted(ends, times_ms[mine], "right")
                found[mine] = (place < len(ends)) & (begins[np.minimum(place, len(ends) - 1)] <= times_ms[mine])
        return found

    def now(self, model: str, time_ms: int) -> bool:
        """Whether this time is in the calendar."""
        return bool(self.entries) and bool(self.at(model, np.array([time_ms], np.int64))[0])

    def within(self, model: str, from_ms: int, to_ms: int) -> int:
        """How many ms between two times are in the calendar."""
        blocks = range(from_ms // (BLOCK * DAY_MS), to_ms // (BLOCK * DAY_MS) + 1)
        total = 0
        for block in blocks if len(blocks) <= BLOCKS_MAX else (blocks[0], blocks[-1]):
            begins, ends = self._of(model, block)
            total += int(np.maximum(np.minimum(ends, to_ms) - np.maximum(begins, from_ms), 0).sum())
        return total

    def spans(self, model: str, from_ms: int, to_ms: int) -> list[list[int]]:
        """Begins and ends of what is in the calendar between two times, of the newest BLOCKS_MAX blocks of them."""
        last = to_ms // (BLOCK * DAY_MS)
        blocks = range(max(from_ms // (BLOCK * DAY_MS), last - BLOCKS_MAX + 1), last + 1) if self.entries else range(0)
        found = [np.stack(self._of(model, block), axis=1) for block in blocks]
        cut: list[list[int]] = np.clip(np.concatenate(found), from_ms, to_ms).tolist() if found else []
        return [[begin, end] for begin, end in cut if begin < end]

    def _of(self, model: str, block: int) -> Spans:
        """The spans of a model in a block; models with the same entries share them."""
        return self._block(self._mine(model), block)

    def _entries_of(self, model: str) -> tuple[int, ...]:
        return tuple(i for i, entry in enumerate(self.entries) if takes(models_of(entry.models), model))

    def _made(self, entries: tuple[int, ...], block: int) -> Spans:
        begin_ms, end_ms = block * BLOCK * DAY_MS, (block + 1) * BLOCK * DAY_MS
        first, last = (EPOCH + ms * ONE_MS for ms in (begin_ms, end_ms))
        around = (first - 24 * HOUR).date(), (last + 24 * HOUR).date()
        spans: list[list[int]] = []
        found = [self._span(begin, end) for i in entries for begin, end in self.entries[i].local(around)]
        for begin, end in sorted(found):
            begin, end = max(begin, begin_ms), min(end, end_ms)
            if begin >= end:
                continue
            if spans and begin <= spans[-1][1]:
                spans[-1][1] = max(spans[-1][1], end)
            else:
                spans.append([begin, end])
        columns = np.array(spans, np.int64).reshape(-1, 2)
        return np.ascontiguousarray(columns[:, 0]), np.ascontiguousarray(columns[:, 1])

    def _span(self, begin: datetime, end: datetime) -> tuple[int, int]:
        """Event times of a span by the clock of the zone. An hour that comes twice is in it twice; of a span that would
        begin in an hour that never comes the length is kept, from the hour after it on.
        """
        first, again = self._times(begin)
        length = (end - begin) // ONE_MS
        return first, first + length if first > again else max(self._times(end))

    def _times(self, local: datetime) -> tuple[int, int]:
        """Of a time by the clock: as the clock was before it changed, and as it is after that."""
        before, after = ((local.replace(tzinfo=self.zone, fold=fold) - EPOCH) // ONE_MS for fold in (0, 1))
        return before, after


NEVER = Away(Calendar())
"""A calendar without anything."""
