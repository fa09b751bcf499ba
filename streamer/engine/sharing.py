"""When the series that live are counted, among which a monitor's part of the budget of false alarms is divided.

That is before an event of a later day than that of the last count, by the clock of its model, and APART offsets of the
log or more behind it; so any cutting of it into batches counts at the same events. Where one model's clock is far ahead
of all others it is every MOST offsets. The count is part of a table's state (`series/living.py`), and what follows from
it is none. Limits that days have shown take it up with the next day of each series; they move by its logarithm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from detectors.extremes import DAY_MS
from schemas.events.batch import Batch
from streamer.monitors.base import Gauge, Monitor
from streamer.series.table import SeriesTable
from streamer.signals.columns import I64, Bool

APART = 128
"""A batch is cut at every count, and small parts are dear."""
MOST = 1 << 16
NEVER = -1


def divided(monitor: Monitor) -> bool:
    """Whether its part is divided among the series that live."""
    detect, table = monitor.config.detect, monitor.table
    many = table.signal.every or bool(table.by)
    return many and detect.budgeted and detect.divided and not monitor.part.given


def living(table: SeriesTable) -> dict[str, int]:
    """By model how many of its series live; where that is not known yet, how many there are."""
    found: dict[str, list[int]] = {}
    for row, (group, _) in enumerate(table.keys):
        found.setdefault(group[0], []).append(table.living.of(row))
    return {model: max(known) or len(known) for model, known in found.items()}


class Sharing:
    """State: day and offset of the last count; each table has its own counts."""

    def __init__(self, of_table: Collection[Sequence[Monitor]]) -> None:
        """of_table: the monitors of each table."""
        self.of_table = [monitors for monitors in of_table if any(map(divided, monitors))]
        self.budgeted = [m for monitors in of_table for m in monitors if m.config.detect.budgeted and m.part.takes]
        self.day, self.offset = NEVER, NEVER
        self.known: dict[str, tuple[object, dict[str, int]]] = {}  # by table, for the metrics; not state

    def part_end(self, batch: Batch, used: Bool, now: I64, begin: int, end: int) -> int:
        """Count, if that is due at `begin`. Where a batch must be cut that is looked at from there on, and up to `end`:
        before an event at which it is due.
        """
        if not self.of_table:
            return end
        place = self._due(batch, used, now, begin, end)
        if place == begin:
            self._count(now.item(begin) // DAY_MS, batch.offsets.item(begin))
            place = self._due(batch, used, now, begin, end)
        return place

    def _due(self, batch: Batch, used: Bool, now: I64, begin: int, end: int) -> int:
        if self.day == NEVER:
            due = used[begin:end]
        else:
            behind = batch.offsets[begin:end] - self.offset
            later = (now[begin:end] >= (self.day + 1) * DAY_MS) & (behind >= APART)
            due = used[begin:end] & (later | (behind >= MOST))
        return begin + int(np.argmax(due)) if due.any() else end

    def _count(self, day: int, offset: int) -> None:
        self.day, self.offset = day, offset
        for monitors in self.of_table:
            table = monitors[0].table
            table.resize()
            seen, _, times_ms = table.history.heard()
            if table.living.count([group[0] for group, _ in table.keys], seen, times_ms):
                for monitor in monitors:
                    monitor.share()

    def gauges(self) -> Iterator[tuple[str, Gauge]]:
        """By monitor and model how many false alarms are expected of a week."""
        for monitor in self.budgeted:
            for model, lives in self._living(monitor.table).items():
                yield monitor.name, Gauge("expected_false_alarms", model, monitor.part.a_week(lives))

    def _living(self, table: SeriesTable) -> dict[str, int]:
        counts = table.living.counts
        mark = len(table.keys), table.evicted, None if counts is None else counts.tobytes()
        found = self.known.get(table.identity)
        if found is None or found[0] != mark:
            found = self.known[table.identity] = mark, living(table)
        return found[1]

    def dump(self) -> list[int]:
        return [self.day, self.offset]

    def load(self, state: Sequence[int] | None) -> None:
        """Into a new one; ValueError for an invalid state."""
        if state is not None:
            self.day, self.offset = map(int, state)
