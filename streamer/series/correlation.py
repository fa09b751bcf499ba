"""Makes `correlation`: of each block of events of a group how far the correlations of its features are from what they
usually are, by the pair that is farthest from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.correlation import ABSENT, BLOCK, Correlations, Farthest, rounded
from schemas.events.batch import Batch
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, Heard, SeriesTable
from streamer.signals.columns import I64, Column, Groups, dense
from streamer.signals.observe import FEATURES

MEMBER = "correlation"
FEATURES_MAX = 64
"""Features of a group that are looked at: pairs grow with their square. Later ones are left out."""
NEW, REFUSED = -1, -2
"""Instead of a column: of a row of numbers that was in no block yet, and of one for which there is none."""
EVERY_MS = 600_000
"""A block begins in ten minutes in which none has begun yet: dense traffic needs no more, and costs less."""
NEVER = -1

Said = tuple[int, int, float, str, tuple[int, int, int]]
"""Event, row, value, reason and span."""


class Space:
    """What is remembered of one group."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.shape = Correlations()
        self.slot = NEVER  # the ten minutes in which the newest block began
        self.begin_ms = self.end_ms = 0  # of that, and where the one before ended

    def column(self, name: str) -> int:
        """The column of a feature; REFUSED where there are enough."""
        if name not in self.names and len(self.names) < FEATURES_MAX:
            self.names[name] = len(self.names)
            self.shape.widen(len(self.names))
        return self.names.get(name, REFUSED)

    def said_of(self, said: Farthest) -> str:
        """In words."""
        one, other = (list(self.names)[i].removeprefix(FEATURES) for i in (said.first, said.second))
        return f"{one} and {other}: {said.now:.2f}, usually {said.usual:.2f}"


class CorrelationSource(SourceBase):
    """Looks at the standardised values of `numbers`, a table over all features."""

    def __init__(self, numbers: SeriesTable) -> None:
        self.numbers = numbers
        self.spaces: list[Space] = []  # by row
        self.latest = np.zeros((0, 2), np.int64)  # time and offset of the last event of each row
        self.columns = np.zeros(0, np.int64)  # by row of numbers; worked out again when rows have left
        self.evicted = numbers.evicted

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        used = np.flatnonzero(groups.of_event >= 0)
        table.begin(batch, used)
        codes = groups.of_event[used]
        inverse, first = dense(codes)
        rows = [table.row(groups.keys[codes[i]], MEMBER) for i in first]
        self._grow(len(table.keys))
        table.resize()
        found: list[Said] = []
        for place, row in enumerate(rows):
            events = used[inverse == place] if len(rows) > 1 else used
            if row < 0:
                table.dropped += len(events)
                continue
            table.taken += len(events)
            self.latest[row] = batch.times_ms[events[-1]], batch.offsets[events[-1]]
            found += self._take(row, events, batch.times_ms[events], known)
        found.sort()
        at, row_of = (np.array([one[i] for one in found], np.int64) for i in (0, 1))
        values = np.array([one[2] for one in found], np.float64)
        reasons, spans = [(i, one[3]) for i, one in enumerate(found)], [one[4] for one in found]
        return Column(row_of, values, at, reasons, spans)

    def _take(self, row: int, events: I64, times_ms: I64, known: ColumnsSoFar) -> list[Said]:
        """Take a group's events as far as they are of blocks; what those say that end."""
        space, found, begin = self.spaces[row], list[Said](), 0
        shape, slots = space.shape, times_ms // EVERY_MS
        while begin < len(events):
            if not shape.fill:
                later = slots[begin:] > space.slot
                if not later.any():
                    break
                begin += int(later.argmax())
                space.slot, space.begin_ms = slots.item(begin), times_ms.item(begin)
            end = min(begin + BLOCK - shape.fill, len(events))
            shape.take(self._matrix(space, events[begin:end], known))
            if shape.fill == BLOCK:
                end_ms = max(times_ms.item(end - 1), space.begin_ms + 1)
                said = shape.close(max(end_ms - space.end_ms, 0) if space.end_ms else 0)
                space.end_ms = max(end_ms, space.end_ms)
                if said is not None:
                    span = space.begin_ms, end_ms, BLOCK
                    found.append((events.item(end - 1), row, said.away, space.said_of(said), span))
            begin = end
        return found

    def _matrix(self, space: Space, events: I64, known: ColumnsSoFar) -> Any:
        """The values of some events of a group, by column."""
        numbers, judged = known[self.numbers.id]
        begin, end = np.searchsorted(numbers.events, (events[0], events[-1] + 1)).tolist()
        of = np.searchsorted(events, numbers.events[begin:end])
        mine = np.flatnonzero((events[of] == numbers.events[begin:end]) & judged.ready[begin:end])
        rows, of, z = numbers.rows[begin:end][mine], of[mine], judged.z[begin:end][mine]
        at = self._columns(space, rows, of)
        matrix = np.full((len(events), len(space.names)), ABSENT)
        matrix[of[at >= 0], at[at >= 0]] = rounded(z[at >= 0])
        return matrix

    def _columns(self, space: Space, rows: I64, of: I64) -> I64:
        """The column of each row; those that speak for the first time get one, in the order of the log."""
        if self.evicted != self.numbers.evicted:
            self.evicted, self.columns = self.numbers.evicted, self.columns[:0]
        more = len(self.numbers.keys) - len(self.columns)
        if more > 0:
            self.columns = np.concatenate([self.columns, np.full(more, NEW)])
        new = np.flatnonzero(self.columns[rows] == NEW)
        if len(new):
            there, first = np.unique(rows[new], return_index=True)
            for _, row in sorted(zip(of[new[first]].tolist(), there.tolist(), strict=True)):
                self.columns[row] = space.column(self.numbers.keys[row][1])
        found: I64 = self.columns[rows]
        return found

    def heard(self, table: SeriesTable) -> Heard:
        self._grow(len(table.keys))
        return self.latest[:, 0], self.latest[:, 1]

    def _grow(self, rows: int) -> None:
        more = max(rows - len(self.spaces), 0)
        self.spaces += [Space() for _ in range(more)]
        self.latest = np.concatenate([self.latest, np.zeros((more, 2), np.int64)])

    def retain(self, rows: I64, table: SeriesTable) -> None:
        self._grow(int(rows.max(initial=-1)) + 1)
        self.spaces, self.latest = [self.spaces[row] for row in rows.tolist()], self.latest[rows]

    def dump(self) -> Any:
        spaces = [[list(one.names), one.slot, one.begin_ms, one.end_ms, *one.shape.dump()] for one in self.spaces]
        return {"spaces": spaces, "latest": self.latest.copy()}

    def load(self, state: Any) -> None:
        self.spaces, self.columns = [], self.columns[:0]
        for names, slot, begin_ms, end_ms, *shape in state["spaces"]:
            space = Space()
            for name in map(str, names):
                space.column(name)
            if len(space.names) != len(names):
                raise ValueError("features that are not different, or too many")
            space.slot, space.begin_ms, space.end_ms = int(slot), int(begin_ms), int(end_ms)
            space.shape.load(shape)
            self.spaces.append(space)
        self.latest = state["latest"].reshape(-1, 2).copy()
        if len(self.latest) != len(self.spaces):
            raise ValueError("groups that do not fit")
