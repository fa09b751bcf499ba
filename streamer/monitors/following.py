"""Where a series stands after an edge was found in it: the sum of each stretch of its values, from the newest hit on.

Stretches are counted from the hit and summed in the order of the log, so they are the same however that was cut into
batches. Rows are followed while their alert is open. Whatever drifts, it costs two passes over their values: only at
the end of a stretch is a row looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import HUGE, renumbered
from schemas.events.batch import Batch
from streamer.monitors.finding import DRIFT, STRETCH, Finding
from streamer.signals.columns import F64, I64, Column

LENGTH = 100
"""Values of a stretch at least: their mean is off by a tenth of a deviation."""
FIELDS = {"n": "i8", "total": "f8", "first_offset": "i8", "first_time_ms": "i8", "first": "f8", "squares": "f8"}
APART = 1e140
"""Further apart no two values are: the sum of the squares stays finite."""
NEAR = 4
"""Events that are looked at one by one for the next of a model, which nearly always is among them."""
Begun = dict[int, list[int]]
"""By row the events of its hits, ascending."""


class Stretch(NamedTuple):
    """Values of a row that came one after another, in the signal's own units."""

    n: int
    total: float
    first_offset: int
    last_offset: int
    first_time_ms: int
    last_time_ms: int
    first: float = 0.0
    squares: float = 0.0  # of the distances from the first value, which tell the spread of large numbers, too


class Following:
    """The rows that are followed, each with its unfinished stretch. One ends when it has LENGTH values and lasted for
    `span_ms`: how often a series is looked at is a matter of time, not of its traffic. `fades_ms`: when an alert ends
    by time alone; None where it does not.
    """

    def __init__(self, span_ms: int, fades_ms: int | None = None) -> None:
        self.span_ms, self.fades_ms = span_ms, fades_ms
        self.open: dict[int, None] = {}
        self.at: dict[str, Any] = {name: np.zeros(0, dtype) for name, dtype in FIELDS.items()}  # by row

    def keep(self, rows: Iterable[int]) -> None:
        """Follow no other rows than these from here on."""
        self.open = dict.fromkeys(rows)

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.resize(int(rows.max(initial=-1)) + 1)
        self.at = {name: values[rows] for name, values in self.at.items()}
        self.open = renumbered(self.open, rows)

    def lasting(self, batch: Batch, now: I64, begun: Begun) -> Begun:
        """Without the rows whose alerts are over at the next event of their model: none of their values would tell
        anything.
        """
        if self.fades_ms is None:
            return begun
        return {
            row: events
            for row, events in begun.items()
            if row in self.open or any(not _over(batch, now, event, self.fades_ms) for event in events)
        }

    def begin(self, row: int) -> None:
        """Begin anew behind a hit."""
        self.open[row] = None
        for values in self.at.values():
            values[row] = 0

    def step(self, batch: Batch, column: Column, order: int, begun: Begun) -> list[Finding]:
        """Take a column in which a monitor of this order had hits: a finding for each stretch that ended."""
        self.resize(int(column.rows.max(initial=-1)) + 1)
        wanted = np.zeros(len(self.at["n"]), bool)
        wanted[[*self.open]] = True
        wanted[[*begun]] = False  # These are looked at one by one.
        places = np.flatnonzero(wanted[column.rows])
        rows, times = column.rows[places], batch.times_ms[column.events[places]]
        fresh = self.at["n"][rows] == 0
        first, which = np.unique(rows[fresh], return_index=True)
        self.at["first_offset"][first] = batch.offsets[column.events[places[fresh][which]]]
        self.at["first_time_ms"][first] = times[fresh][which]
        values = np.clip(column.values[places], -HUGE, HUGE)
        self.at["first"][first] = values[fresh][which]
        counts = np.bincount(rows, minlength=len(wanted))
        late = rows[times >= self.at["first_time_ms"][rows] + self.span_ms]
        single = (np.bincount(late, minlength=len(wanted)) > 0) & (self.at["n"] + counts >= LENGTH)
        bulk = ~single[rows]
        np.add.at(self.at["total"], rows[bulk], values[bulk])
        np.add.at(self.at["squares"], rows[bulk], _squares(values[bulk], self.at["first"][rows[bulk]]))
        self.at["n"] += np.where(single, 0, counts)
        return self._each(batch, column, order, begun, np.flatnonzero(single))

    def _each(self, batch: Batch, column: Column, order: int, begun: Begun, ending: I64) -> list[Finding]:
        """Rows with a hit, and those whose stretch may end."""
        wanted = np.zeros(len(self.at["n"]), bool)
        wanted[ending] = wanted[[*begun]] = True
        places = np.flatnonzero(wanted[column.rows])
        if not len(places):
            return []
        places = places[np.argsort(column.rows[places], kind="stable")]
        rows, events = column.rows[places], column.events[places]
        values = np.clip(column.values[places], -HUGE, HUGE)
        offsets, times = batch.offsets[events], batch.times_ms[events]
        starts = np.flatnonzero(np.diff(rows, prepend=-1)).tolist()
        found: list[Finding] = []
        for row, start, end in zip(rows[starts].tolist(), starts, [*starts[1:], len(rows)], strict=True):
            # What is between two hits belongs to the stretch of the first of them; a hit begins another one.
            hits = np.searchsorted(events[start:end], begun.get(row, [])) + start
            for begin, stop in pairwise([start - 1, *hits.tolist(), end]):
                if begin >= start:
                    self.begin(row)
                if row in self.open:
                    piece = slice(begin + 1, stop)
                    ends = self._take(row, values[piece], offsets[piece], times[piece])
                    found += [Finding(events.item(begin + 1 + i), order, row, STRETCH, told) for i, told in ends]
        return found

    def _take(self, row: int, values: F64, offsets: I64, times: I64) -> list[tuple[int, Stretch]]:
        """A row's next values: where stretches ended, and those."""
        n, total, first_offset, first_ms, first, squares = (self.at[name].item(row) for name in FIELDS)
        begin, ended = 0, list[tuple[int, Stretch]]()
        while begin < len(values):
            if n == 0:
                first_offset, first_ms, first = offsets.item(begin), times.item(begin), values.item(begin)
            late = np.flatnonzero(times[begin + max(LENGTH - n - 1, 0) :] >= first_ms + self.span_ms)
            end = begin + max(LENGTH - n, 1) + late.item(0) if len(late) else len(values)
            n, total = n + end - begin, _added(total, values[begin:end])
            squares = _added(squares, _squares(values[begin:end], first))
            if len(late):
                last = end - 1
                where = first_offset, offsets.item(last), first_ms, times.item(last)
                ended.append((last, Stretch(n, total, *where, first, squares)))
                n, total, squares = 0, 0.0, 0.0
            begin = end
        for name, value in zip(FIELDS, (n, total, first_offset, first_ms, first, squares), strict=True):
            self.at[name][row] = value
        return ended

    def resize(self, rows: int) -> None:
        more = rows - len(self.at["n"])
        if more > 0:
            self.at = {name: np.concatenate([old, np.zeros(more, old.dtype)]) for name, old in self.at.items()}

    def dump(self) -> list[Any]:
        return [
            [row, *(self.at[name][row].item() if self.at["n"][row] else 0 for name in FIELDS)]
            for row in sorted(self.open)
        ]

    def load(self, state: Sequence[Any], rows: int) -> None:
        """Raises ValueError."""
        # Older snapshots have no squares; only of alerts that began since somebody asks for them.
        found = {
            int(row): (int(n), float(total), int(at), int(ms), *map(float, more or (0.0, 0.0)))
            for row, n, total, at, ms, *more in state
        }
        if any(not 0 <= row < rows or one[0] < 0 or len(one) != len(FIELDS) for row, one in found.items()):
            raise ValueError("a series that is followed and cannot be")
        self.resize(rows)
        for row, stretch in found.items():
            self.begin(row)
            for name, value in zip(FIELDS, stretch, strict=True):
                self.at[name][row] = value


def _over(batch: Batch, now: I64, event: int, within_ms: int) -> bool:
    """Whether a model's clock, at its next event behind this one, has moved on by so much."""
    model, begin = batch.model.item(event), event + 1
    end = min(begin + NEAR, len(batch.model))
    behind = next((later for later in range(begin, end) if batch.model.item(later) == model), None)
    if behind is None:
        further = np.flatnonzero(batch.model[end:] == model)
        if not len(further):
            return False
        behind = end + further.item(0)
    return now.item(behind) >= now.item(event) + within_ms


def _added(total: float, values: F64) -> float:
    """One value after another, as if each came in a batch of its own."""
    if not len(values):
        return total
    values = values.copy()
    values[0] += total
    return float(np.add.accumulate(values)[-1])


def _squares(values: F64, first: F64 | float) -> F64:
    apart = np.clip(values - first, -APART, APART)
    return apart * apart


def begun_by(found: Iterable[Finding]) -> dict[int, Begun]:
    """The hits of each monitor, by its order."""
    begun: dict[int, Begun] = {}
    for finding in found:
        if finding.signal == DRIFT:
            begun.setdefault(finding.monitor, {}).setdefault(finding.row, []).append(finding.event)
    for rows in begun.values():
        for events in rows.values():
            events.sort()
    return begun
