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
from streamer.signals.columns import I64, Column, Groups
from streamer.signals.observe import FEATURES

MEMBER = "correlation"
FEATURES_MAX = 64
"""Features of a group that are looked at: pairs grow with their square. Later ones are left out."""
NEW, REFUSED = -1, -2
"""A row of numbers of which it is not known yet where it belongs, and one that has no place."""


class Space:
    """What is remembered of one group."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.shape = Correlations()
        self.begin_ms = self.end_ms = 0  # of the block that goes on, and of the one before

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
        # Of each row of numbers its group's row here and its column there; worked out again when rows have left.
        self.places = np.zeros((0, 2), np.int64)
        self.evicted = numbers.evicted

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        table.begin(batch, np.flatnonzero(groups.of_event >= 0))
        numbers, judged = known[self.numbers.id]
        ready = np.flatnonzero(judged.ready)
        rows, events = numbers.rows[ready], numbers.events[ready]
        self._place(rows, events, table)
        own, at = self.places[rows].T
        kept = own >= 0
        table.dropped += int(np.count_nonzero(~kept & (at != REFUSED)))
        kept &= at >= 0
        own, at, events, z = own[kept], at[kept], events[kept], judged.z[ready[kept]]
        begins = np.flatnonzero(np.diff(events, prepend=-1))
        matrix = np.full((len(begins), int(at.max(initial=-1)) + 1), ABSENT)
        matrix[np.cumsum(np.diff(events, prepend=-1) != 0) - 1, at] = rounded(z)
        own, events = own[begins], events[begins]
        table.taken += len(events)
        self.latest[own] = np.stack([batch.times_ms[events], batch.offsets[events]], axis=1)  # The last one holds.
        found = []
        order = np.argsort(own, kind="stable")
        starts = np.flatnonzero(np.diff(own[order], prepend=-1)).tolist()
        for begin, end in zip(starts, [*starts[1:], len(order)], strict=False):
            mine = order[begin:end]
            found += self._take(own.item(mine[0]), matrix[mine], events[mine], batch.times_ms[events[mine]])
        found.sort(key=lambda one: one[:2])
        values = np.array([value for _, _, value, _, _ in found], np.float64)
        columns = (np.array([one[i] for one in found], np.int64) for i in (1, 0))
        rows, events = columns
        reasons, spans = [(i, one[3]) for i, one in enumerate(found)], [one[4] for one in found]
        return Column(rows, values, events, reasons, spans)

    def _place(self, rows: I64, events: I64, table: SeriesTable) -> None:
        """Rows of numbers that speak for the first time get a column, in the order of the log."""
        if self.evicted != self.numbers.evicted:
            self.evicted, self.places = self.numbers.evicted, self.places[:0]
        more = len(self.numbers.keys) - len(self.places)
        if more > 0:
            self.places = np.concatenate([self.places, np.full((more, 2), NEW)])
        new = np.flatnonzero(self.places[rows, 1] == NEW)
        if not len(new):
            return
        there, first = np.unique(rows[new], return_index=True)
        for _, row in sorted(zip(events[new[first]].tolist(), there.tolist(), strict=True)):
            group, name = self.numbers.keys[row]
            own = table.row(group, MEMBER)
            self._grow(own + 1)
            self.places[row] = own, self.spaces[own].column(name) if own >= 0 else 0
        table.resize()

    def _take(self, row: int, matrix: Any, events: I64, times_ms: I64) -> list[tuple[int, int, float, str, Any]]:
        """Values of a row: event, row, value, reason, span."""
        space, found, begin = self.spaces[row], [], 0
        shape, matrix = space.shape, matrix[:, : space.shape.features]
        while begin < len(events):
            if not shape.fill:
                space.begin_ms = times_ms.item(begin)
            end = min(begin + BLOCK - shape.fill, len(events))
            shape.take(matrix[begin:end])
            if shape.fill == BLOCK:
                end_ms = max(times_ms.item(end - 1), space.begin_ms + 1)
                said = shape.close(max(end_ms - space.end_ms, 0) if space.end_ms else 0)
                space.end_ms = max(end_ms, space.end_ms)
                if said is not None:
                    span = space.begin_ms, end_ms, BLOCK
                    found.append((events.item(end - 1), row, said.away, space.said_of(said), span))
            begin = end
        return found

    def heard(self, table: SeriesTable) -> Heard:
        self._grow(len(table.keys))
        return self.latest[:, 0], self.latest[:, 1]

    def _grow(self, rows: int) -> None:
        more = max(rows - len(self.spaces), 0)
        self.spaces += [Space() for _ in range(more)]
        self.latest = np.concatenate([self.latest, np.zeros((more, 2), np.int64)])

    def retain(self, rows: I64, table: SeriesTable) -> None:
        self.spaces, self.latest = [self.spaces[row] for row in rows.tolist()], self.latest[rows]
        self.places = self.places[:0]

    def dump(self) -> Any:
        spaces = [[list(one.names), one.begin_ms, one.end_ms, *one.shape.dump()] for one in self.spaces]
        return {"spaces": spaces, "latest": self.latest.copy()}

    def load(self, state: Any) -> None:
        self.spaces, self.places = [], self.places[:0]
        for names, begin_ms, end_ms, *shape in state["spaces"]:
            space = Space()
            for name in map(str, names):
                space.column(name)
            if len(space.names) != len(names):
                raise ValueError("features that are not different, or too many")
            space.begin_ms, space.end_ms = int(begin_ms), int(end_ms)
            space.shape.load(shape)
            self.spaces.append(space)
        self.latest = state["latest"].reshape(-1, 2).copy()
        if len(self.latest) != len(self.spaces):
            raise ValueError("groups that do not fit")
