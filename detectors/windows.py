"""Tumbling windows of a 0/1 signal: by count or by event time, per series.

>>> import numpy as np
>>> windows = FractionWindows(window_events=4, window_ms=None, lateness_ms=0)
>>> windows.resize(1)
>>> at = np.arange(5)
>>> [(w.n, w.hits, w.closed_by) for w in windows.update(np.zeros(5, np.int64), np.array([0., 1, 1, 0, 1]), at, at, [])]
[(4, 2, 3)]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import F64, I64, ROWS_MAX

REASONS_MAX = 32
"""Distinct reasons counted per window; further ones are counted together as `other`."""
REASONS_TOLD = 5
OPEN_MAX = 1000
"""Open windows per series; with more the lateness is longer than any sensible multiple of the window."""
Z95 = 1.959963984540054


class Window(NamedTuple):
    """A closed window."""

    row: int
    closed_by: int  # index of the value that closed it
    n: int
    hits: int
    first_offset: int
    last_offset: int
    start_ms: int
    end_ms: int
    reasons: tuple[tuple[str, int], ...]  # the most frequent, with their counts
    late: bool = False  # a window of time that ended after a newer one of its row: of stragglers
    skipped: int = 0  # windows of time without any value since the one before


@dataclass(slots=True)
class Open:
    """A window that still counts. By count `start_ms` and `end_ms` are those of its first and last value."""

    start_ms: int
    end_ms: int
    first_offset: int
    last_offset: int = 0
    n: int = 0
    hits: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, flag: float, offset: int, reasons: Sequence[str]) -> None:
        self.n += 1
        self.hits += flag > 0
        self.last_offset = offset
        self.blame(reasons)

    def take(self, flags: F64, offsets: I64, times_ms: I64) -> None:
        """Several values in order, of a window by count."""
        self.n += len(flags)
        self.hits += int(np.count_nonzero(flags > 0))
        self.last_offset = int(offsets[-1])
        self.start_ms = min(self.start_ms, int(times_ms.min()))
        self.end_ms = max(self.end_ms, int(times_ms.max()))

    def blame(self, reasons: Sequence[str]) -> None:
        for reason in reasons:
            if reason not in self.reasons and len(self.reasons) >= REASONS_MAX:
                reason = "other"
            self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def close(self, row: int, index: int) -> Window:
        top = sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))[:REASONS_TOLD]
        places = (self.first_offset, self.last_offset, self.start_ms, self.end_ms)
        return Window(row, index, self.n, self.hits, *places, tuple(top))


class FractionWindows:
    """Windows of `window_events` values, or of `window_ms` of event time aligned to the epoch.

    A window of time closes when a value of its row is at least `lateness_ms` newer than its end, so values may come
    out of order by less than that. The caller drops older ones; one that is handed in all the same makes a late window
    of its own, which closes with it. An empty window is never opened, so silence closes nothing; the next window that
    does says how many there were.
    """

    def __init__(self, window_events: int | None, window_ms: int | None, lateness_ms: int) -> None:
        if (window_events is None) == (window_ms is None):
            raise ValueError("a window is either of events or of time")
        if (window_events or window_ms or 0) < 1 or lateness_ms < 0:
            raise ValueError("a window has a length, and lateness is not negative")
        self.window_events, self.window_ms, self.lateness_ms = window_events, window_ms, lateness_ms
        self.rows = 0
        self.open: list[dict[int, Open]] = []  # per row: start (0 for windows by count) -> window
        self.newest_ms: list[int | None] = []
        self.ended_ms: list[int | None] = []  # start of the newest closed window of time

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        self.open += [{} for _ in range(rows - self.rows)]
        self.newest_ms += [None] * (rows - self.rows)
        self.ended_ms += [None] * (rows - self.rows)
        self.rows = len(self.open)

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        kept = rows.tolist()
        self.open = [self.open[row] for row in kept]
        self.newest_ms = [self.newest_ms[row] for row in kept]
        self.ended_ms = [self.ended_ms[row] for row in kept]
        self.rows = len(kept)

    def update(
        self, rows: I64, flags: F64, offsets: I64, times_ms: I64, reasons: Sequence[tuple[int, str]]
    ) -> list[Window]:
        """Row rows[i] takes flags[i] (0 or 1); `reasons` are (i, text), ascending. The windows closed, in order."""
        why: dict[int, list[str]] = {}
        for i, reason in reasons:
            why.setdefault(i, []).append(reason)
        if self.window_events is not None:
            return self._by_count(rows, flags, offsets, times_ms, why)
        closed: list[Window] = []
        columns = zip(rows.tolist(), flags.tolist(), offsets.tolist(), times_ms.tolist(), strict=True)
        for i, (row, flag, offset, time_ms) in enumerate(columns):
            closed += self._by_time(i, row, flag, offset, time_ms, why.get(i, ()))
        return closed

    def _by_count(
        self, rows: I64, flags: F64, offsets: I64, times_ms: I64, why: Mapping[int, Sequence[str]]
    ) -> list[Window]:
        """Row by row, as many values at a time as its window still takes."""
        assert self.window_events is not None
        closed = []
        order = np.argsort(rows, kind="stable")
        borders = np.flatnonzero(np.diff(rows[order])) + 1
        for places in np.split(order, borders) if len(rows) else []:
            row, begin = int(rows[places[0]]), 0
            while begin < len(places):
                window = self.open[row].get(0)
                if window is None:
                    at = places[begin]
                    window = self.open[row][0] = Open(int(times_ms[at]), int(times_ms[at]), int(offsets[at]))
                part = places[begin : begin + self.window_events - window.n]
                window.take(flags[part], offsets[part], times_ms[part])
                for i in [i for i in why if part[0] <= i <= part[-1]] if why else []:
                    if rows[i] == row:
                        window.blame(why[i])
                if window.n == self.window_events:
                    closed.append(self.open[row].pop(0).close(row, int(part[-1])))
                begin += len(part)
        return sorted(closed, key=lambda window: window.closed_by)

    def _by_time(
        self, i: int, row: int, flag: float, offset: int, time_ms: int, reasons: Sequence[str]
    ) -> Sequence[Window]:
        assert self.window_ms is not None
        length, windows = self.window_ms, self.open[row]
        start = time_ms - time_ms % length
        window = windows.get(start)
        opened = window is None
        if window is None:
            window = windows[start] = Open(start, start + length, offset)
        window.add(flag, offset, reasons)
        newest = self.newest_ms[row]
        if newest is None or time_ms > newest:
            newest = self.newest_ms[row] = time_ms
        elif not opened:
            return ()  # Neither a newer time nor another window: nothing can have become due.
        first = min(windows)
        if first + length + self.lateness_ms > newest and len(windows) <= OPEN_MAX:
            return ()
        due = sorted(s for s in windows if s + length + self.lateness_ms <= newest)
        due = due or [first]  # Too many are open: the oldest goes although its time has not come.
        return [self._ended(windows.pop(s).close(row, i)) for s in due]

    def _ended(self, window: Window) -> Window:
        assert self.window_ms is not None
        before = self.ended_ms[window.row]
        if before is not None and window.start_ms <= before:
            return window._replace(late=True)
        self.ended_ms[window.row] = window.start_ms
        return window if before is None else window._replace(skipped=(window.start_ms - before) // self.window_ms - 1)

    def dump(self) -> dict[str, Any]:
        """Plain lists: per row its newest time, the start of its newest closed window, its open ones (oldest first)."""
        return {
            "newest_ms": list(self.newest_ms),
            "ended_ms": list(self.ended_ms),
            "open": [[_plain(w) for _, w in sorted(windows.items())] for windows in self.open],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace all rows; ValueError for an invalid state, and then nothing is changed."""
        newest, ended, rows = state.get("newest_ms"), state.get("ended_ms"), state.get("open")
        if not (isinstance(newest, list) and isinstance(ended, list) and isinstance(rows, list)):
            raise ValueError("windows or their times are missing")
        if not len(newest) == len(ended) == len(rows):
            raise ValueError("windows and their times differ in length")
        if len(rows) > ROWS_MAX or not all(at is None or type(at) is int for at in (*newest, *ended)):
            raise ValueError("too many rows, or times that are not whole numbers")
        self.open = [self._load_row(row) for row in rows]
        self.newest_ms, self.ended_ms = list(newest), list(ended)
        self.rows = len(rows)

    def _load_row(self, row: Any) -> dict[int, Open]:
        if not isinstance(row, list) or len(row) > (OPEN_MAX if self.window_ms else 1):
            raise ValueError("too many open windows")
        windows = [_window_of(plain) for plain in row]
        if self.window_ms and any(
            w.start_ms % self.window_ms or w.end_ms - w.start_ms != self.window_ms for w in windows
        ):
            raise ValueError("a window that is not aligned")
        if self.window_events and any(w.n >= self.window_events for w in windows):
            raise ValueError("a full window that is still open")
        found = {w.start_ms if self.window_ms else 0: w for w in windows}
        if len(found) != len(windows):
            raise ValueError("the same window twice")
        return found


def _plain(window: Open) -> list[Any]:
    return [
        window.start_ms,
        window.end_ms,
        window.first_offset,
        window.last_offset,
        window.n,
        window.hits,
        [list(item) for item in window.reasons.items()],
    ]


def _window_of(plain: Any) -> Open:
    if not isinstance(plain, list) or len(plain) != 7 or not all(type(number) is int for number in plain[:6]):
        raise ValueError("a window that is not six whole numbers and its reasons")
    reasons = plain[6]
    # One more than counted by name: `other` may be among them.
    if not isinstance(reasons, list) or len(reasons) > REASONS_MAX + 1:
        raise ValueError("too many reasons")
    for item in reasons:
        if (
            not isinstance(item, (list, tuple))
            or len(item) != 2
            or type(item[0]) is not str
            or type(item[1]) is not int
        ):
            raise ValueError("a reason that is not a text and a count")
    start_ms, end_ms, first_offset, last_offset, n, hits = plain[:6]
    if not 0 <= hits <= n or n < 1 or end_ms < start_ms or any(count < 1 for _, count in reasons):
        raise ValueError("an invalid window")
    return Open(start_ms, end_ms, first_offset, last_offset, n, hits, {reason: count for reason, count in reasons})


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson 1927); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = hits / n, Z95 * Z95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * (share * (1 - share) / n + z2 / (4 * n * n)) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)
