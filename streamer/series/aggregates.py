"""Aggregates: one number per window of event time and group, such as `traffic` or `p95(latency_ms)`.

A window closes once the newest event of its model lies `lateness` behind its end, so that disorder within that bound
changes nothing. It counts only where the windows before and after it have events of the model, too: the first window
is a part of one, so are the edges of a burst, and a silence of the whole model is nobody's zero (`silence` hears it). A
group that is silent while its model speaks counts zero events. Of counts these edges stand apart (`edges`): where a
model speaks for five minutes of each hour there is nothing else.

With `least` a window goes on until it has seen so many numbers of its group: however thin the traffic, each value is as
sure as the next. Then its edges do not matter, and neither does silence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import HUGE, renumbered
from detectors.quantiles import Quantiles
from schemas.events.batch import Batch, number_of_event
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, Heard, SeriesTable
from streamer.signals.columns import F64, I64, Column, Groups, dense
from streamer.signals.grammar import COUNTS, aggregate_of


class Part:
    """What one group has in one window. The sums run in the order of the log."""

    def __init__(self, sketched: bool) -> None:
        self.n, self.first, self.total, self.squares = 0, 0.0, 0.0, 0.0
        self.least, self.most = float("inf"), float("-inf")
        self.sketch = Quantiles() if sketched else None

    def add(self, values: F64) -> None:
        """Beyond HUGE the squares would overflow, and a detector only ever sees finite numbers."""
        values = np.clip(values, -HUGE, HUGE)
        if self.n == 0:
            self.first = float(values[0])
        self.n += len(values)
        away = values - self.first  # Differences keep their digits where the values are large and close together.
        self.total = float(np.cumsum(np.concatenate([[self.total], away]))[-1])
        self.squares = float(np.cumsum(np.concatenate([[self.squares], away * away]))[-1])
        self.least, self.most = min(self.least, float(values.min())), max(self.most, float(values.max()))
        if self.sketch is not None:
            self.sketch.add(values)

    def merge(self, other: Part) -> None:
        """Take what the other one has, which came later."""
        away = other.first - self.first
        self.squares += other.squares + 2.0 * away * other.total + other.n * away * away
        self.total += other.total + other.n * away
        self.n += other.n
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)
        if self.sketch is not None and other.sketch is not None:
            self.sketch.merge(other.sketch)

    def dump(self) -> list[Any]:
        sketch = self.sketch.dump() if self.sketch is not None else None
        return [self.n, self.first, self.total, self.squares, self.least, self.most, sketch]

    @classmethod
    def load(cls, state: list[Any]) -> Part:
        part = cls(False)
        part.n = int(state[0])
        part.first, part.total, part.squares, part.least, part.most = map(float, state[1:6])
        part.sketch = Quantiles.load(state[6]) if state[6] is not None else None
        return part


def std(part: Part) -> float:
    return sqrt(max(part.squares / part.n - (part.total / part.n) ** 2, 0.0))


STATS: dict[str, Callable[[Part], float]] = {
    "count": lambda part: float(part.n),
    "mean": lambda part: part.first + part.total / part.n,
    "std": std,
    "min": lambda part: part.least,
    "max": lambda part: part.most,
}
QUANTILES = {"median": 0.5, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(slots=True)
class Clock:
    """The windows of one model that still count."""

    newest_ms: int = -1
    spoke: int = -1  # the newest closed one that had events
    skipped: int = 0  # windows that counted for nothing
    open: dict[int, dict[int, Part]] = field(default_factory=dict)  # window number -> row -> part
    first: dict[int, int] = field(default_factory=dict)  # row -> the first window it was in
    going: dict[int, tuple[int, Part]] = field(default_factory=dict)  # row -> where its long window began, and its part

    def retain(self, rows: I64) -> None:
        self.first, self.going = renumbered(self.first, rows), renumbered(self.going, rows)
        self.open = {window: renumbered(parts, rows) for window, parts in self.open.items()}


class Value(NamedTuple):
    """An aggregate as it comes out of a closed window."""

    event: int
    start_ms: int
    row: int
    value: float
    end_ms: int
    n: int
    said: str = ""  # of how it came about


def column_of(values: list[Value]) -> Column:
    """In the order of the log."""
    values = sorted(values)
    rows = np.array([value.row for value in values], np.int64)
    events = np.array([value.event for value in values], np.int64)
    numbers = np.array([value.value for value in values], np.float64)
    reasons = [(place, value.said) for place, value in enumerate(values) if value.said]
    return Column(rows, numbers, events, reasons, [(value.start_ms, value.end_ms, value.n) for value in values])


class Aggregates(SourceBase):
    """Makes `traffic` (count of events) and STAT(NUMBER), by windows of `window_ms`."""

    def __init__(self, signal: str, window_ms: int, lateness_ms: int, least: int = 1) -> None:
        self.member, self.least, self.goes_on = signal, least, least > 1
        self.stat, self.path = aggregate_of(signal)
        self.window_ms, self.lateness_ms = window_ms, lateness_ms
        self.clocks: dict[str, Clock] = {}
        self.beside: list[Value] = []  # of the last column: counts of windows beside a silence
        self.latest = np.zeros((0, 2), np.int64)  # event time and offset of the last event of each row

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        self.beside = []
        used = np.flatnonzero(groups.of_event >= 0)
        if not len(used):
            return Column(used, np.zeros(0), used)
        table.begin(batch, used)
        rows = self._rows(groups, used, table)
        self._hear(batch, used, rows, table)
        begun = self._collect(batch, groups, used, rows)
        values: list[Value] = []
        models = batch.model[used]
        for i in dense(models.astype(np.int64))[1]:
            values += self._close(batch.strings[models[i]], used[models == models[i]], batch, begun)
        return column_of(values)

    def edges(self) -> Column:
        return column_of(self.beside)

    def _rows(self, groups: Groups, used: I64, table: SeriesTable) -> I64:
        inverse, first = dense(groups.of_event[used])
        row_of = [table.row(groups.keys[groups.of_event[used[i]]], self.member) for i in first]
        table.resize()
        rows = np.array(row_of, np.int64)[inverse]
        table.dropped += int(np.count_nonzero(rows < 0))
        return rows

    def _hear(self, batch: Batch, used: I64, rows: I64, table: SeriesTable) -> None:
        """A row of what is counted has a value per window for ever, so what tells of its silence are its events."""
        self._grow(len(table.keys))
        known = rows >= 0
        events = used[known]
        # With repeated rows the last assignment holds.
        self.latest[rows[known]] = np.stack([batch.times_ms[events], batch.offsets[events]], axis=1)
        table.taken += len(events)

    def _grow(self, rows: int) -> None:
        """A file of references makes rows before their first event."""
        more = max(rows - len(self.latest), 0)
        self.latest = np.concatenate([self.latest, np.zeros((more, 2), np.int64)])

    def heard(self, table: SeriesTable) -> Heard:
        self._grow(len(table.keys))
        return self.latest[:, 0], self.latest[:, 1]

    def retain(self, rows: I64, table: SeriesTable) -> None:
        self._grow(int(rows.max(initial=-1)) + 1)
        self.latest = self.latest[rows]
        for clock in self.clocks.values():
            clock.retain(rows)

    def skipped(self) -> Mapping[str, int]:
        return {model: clock.skipped for model, clock in self.clocks.items()}

    def forget(self, models: Collection[str]) -> None:
        self.clocks = {model: clock for model, clock in self.clocks.items() if model not in models}

    def _collect(self, batch: Batch, groups: Groups, used: I64, rows: I64) -> dict[tuple[str, int], int]:
        """Add the batch to the open windows; the first event here of every window that it opens."""
        windows = batch.times_ms // self.window_ms
        begun: dict[tuple[str, int], int] = {}
        low = int(windows[used].min())
        spread = int(windows[used].max()) - low + 1
        codes = groups.of_event[used] * spread + (windows[used] - low)
        inverse, first = dense(codes)
        values = self._values(batch)
        for code, i in enumerate(first.tolist()):
            event = int(used[i])
            key, window, row = groups.keys[groups.of_event[event]], int(windows[event]), int(rows[i])
            clock = self.clocks.setdefault(key[0], Clock())
            if window not in clock.open:
                clock.open[window] = {}
                begun[key[0], window] = event  # The earliest here: the codes come in order of their first events.
            if row < 0:
                continue
            clock.first.setdefault(row, window)
            mine = values[used[inverse == code]]
            mine = mine[~np.isnan(mine)]
            if len(mine):
                clock.open[window].setdefault(row, Part(self.stat in QUANTILES)).add(mine)
        return begun

    def _values(self, batch: Batch) -> F64:
        """The number of each event; NaN where it has none. Of a mere count anything will do."""
        return np.ones(len(batch.offsets)) if self.path is None else number_of_event(batch, self.path)

    def _close(self, model: str, events: I64, batch: Batch, begun: dict[tuple[str, int], int]) -> list[Value]:
        clock, length = self.clocks[model], self.window_ms
        now = np.maximum(np.maximum.accumulate(batch.times_ms[events]), clock.newest_ms)
        clock.newest_ms = int(now[-1])
        ripe = (now - self.lateness_ms) // length - 1  # the newest window that is over, at each event
        found: list[Value] = []
        for window in sorted(w for w in clock.open if w <= ripe[-1]):
            event = int(events[np.searchsorted(ripe, window)])
            parts = clock.open.pop(window)
            if self.goes_on:
                found += self._go_on(clock, window, parts, event)
                continue
            whole = clock.spoke == window - 1 and self._spoke(clock, model, window + 1, event, begun)
            clock.skipped += (window - 1 - clock.spoke if clock.spoke >= 0 else 0) + (not whole)
            clock.spoke = window
            if whole or self.stat in COUNTS:
                begin, end = window * length, (window + 1) * length
                numbers = [
                    (row, value, parts[row].n if row in parts else 0) for row, value in self._told(clock, window, parts)
                ]
                of = found if whole else self.beside
                of += [Value(event, begin, row, value, end, n) for row, value, n in numbers]
        return found

    def _go_on(self, clock: Clock, window: int, parts: dict[int, Part], event: int) -> list[Value]:
        """Take a window into the long ones that go on; those that have seen enough end."""
        found = []
        for row in sorted(parts):
            begin, part = clock.going.pop(row, (window, None))
            if part is None:
                part = parts[row]
            else:
                part.merge(parts[row])
            if part.n < self.least:
                clock.going[row] = begin, part
            else:
                end_ms = (window + 1) * self.window_ms
                found.append(Value(event, begin * self.window_ms, row, self._stat(part), end_ms, part.n))
        return found

    @staticmethod
    def _spoke(clock: Clock, model: str, window: int, event: int, begun: dict[tuple[str, int], int]) -> bool:
        """Whether the model had an event in the window by then; what the batch brings later must not count."""
        return window in clock.open and begun.get((model, window), -1) <= event

    def _told(self, clock: Clock, window: int, parts: dict[int, Part]) -> list[tuple[int, float]]:
        if self.stat in COUNTS:
            rows = sorted(row for row, first in clock.first.items() if first < window)
            return [(row, float(parts[row].n) if row in parts else 0.0) for row in rows]
        return [(row, self._stat(parts[row])) for row in sorted(parts)]

    def _stat(self, part: Part) -> float:
        if part.sketch is not None:
            return part.sketch.quantile(QUANTILES[self.stat])
        return STATS[self.stat](part)

    def dump(self) -> Any:
        clocks = []
        for model, clock in self.clocks.items():
            windows = [[w, [[row, part.dump()] for row, part in parts.items()]] for w, parts in clock.open.items()]
            known = clock.newest_ms, clock.spoke, clock.skipped
            going = [[row, begin, part.dump()] for row, (begin, part) in clock.going.items()]
            clocks.append([model, *known, windows, list(clock.first.items()), going])
        return {"clocks": clocks, "latest": self.latest.copy()}

    def load(self, state: Any) -> None:
        self.latest = state["latest"].reshape(-1, 2)
        for model, newest_ms, spoke, skipped, windows, first, going in state["clocks"]:
            clock = self.clocks[str(model)] = Clock(int(newest_ms), int(spoke), int(skipped))
            clock.first = {int(row): int(window) for row, window in first}
            clock.going = {int(row): (int(begin), Part.load(part)) for row, begin, part in going}
            for window, parts in windows:
                clock.open[int(window)] = {int(row): Part.load(part) for row, part in parts}
