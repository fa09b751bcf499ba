"""Where a series stands after an edge was found in it: the sum of each stretch of its values, from the newest hit on.

Stretches are counted from the hit and summed in the order of the log, so they are the same however that was cut into
batches. Rows are followed while their alert is open. Whatever drifts, it costs two passes over their values: only at
the end of a stretch is a row looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import HUGE, renumbered
from schemas.events.batch import Batch
from streamer.monitors.finding import DRIFT, STRETCH, Finding
from streamer.signals.columns import I64, Column

LENGTH = 100
"""Values of a stretch at least: their mean is off by a tenth of a deviation."""
FIELDS = {"n": "i8", "total": "f8", "first_offset": "i8", "first_time_ms": "i8"}
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


class Following:
    """The rows that are followed, each with its unfinished stretch. One ends when it has LENGTH values and lasted for
    `span_ms`: how often a series is looked at is a matter of time, not of its traffic.
    """

    def __init__(self, span_ms: int) -> None:
        self.span_ms = span_ms
        self.open: dict[int, None] = {}
        self.at: dict[str, Any] = {name: np.zeros(0, dtype) for name, dtype in FIELDS.items()}  # by row

    def keep(self, rows: Iterable[int]) -> None:
        """Follow no other rows than these from here on."""
        self.open = dict.fromkeys(rows)

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self._resize(int(rows.max(initial=-1)) + 1)
        self.at = {name: values[rows] for name, values in self.at.items()}
        self.open = renumbered(self.open, rows)

    def begin(self, row: int) -> None:
        """Begin anew behind a hit."""
        self.open[row] = None
        for values in self.at.values():
            values[row] = 0

    def step(self, batch: Batch, column: Column, order: int, begun: Begun) -> list[Finding]:
        """Take a column in which a monitor of this order had hits: a finding for each stretch that ended."""
        self._resize(int(column.rows.max(initial=-1)) + 1)
        wanted = np.zeros(len(self.at["n"]), bool)
        wanted[[*self.open]] = True
        wanted[[*begun]] = False  # These are looked at one by one.
        places = np.flatnonzero(wanted[column.rows])
        rows, times = column.rows[places], batch.times_ms[column.events[places]]
        fresh = self.at["n"][rows] == 0
        first, which = np.unique(rows[fresh], return_index=True)
        self.at["first_offset"][first] = batch.offsets[column.events[places[fresh][which]]]
        self.at["first_time_ms"][first] = times[fresh][which]
        counts = np.bincount(rows, minlength=len(wanted))
        late = rows[times >= self.at["first_time_ms"][rows] + self.span_ms]
        single = (np.bincount(late, minlength=len(wanted)) > 0) & (self.at["n"] + counts >= LENGTH)
        bulk = ~single[rows]
        np.add.at(self.at["total"], rows[bulk], np.clip(column.values[places[bulk]], -HUGE, HUGE))
        self.at["n"] += np.where(single, 0, counts)
        return self._each(batch, column, order, begun, np.flatnonzero(single))

    def _each(self, batch: Batch, column: Column, order: int, begun: Begun, ending: I64) -> list[Finding]:
        """Rows with a hit, and those whose stretch may end."""
        wanted = np.zeros(len(self.at["n"]), bool)
        wanted[ending] = wanted[[*begun]] = True
        places = np.flatnonzero(wanted[column.rows])
        places = places[np.argsort(column.rows[places], kind="stable")]
        cuts = np.flatnonzero(np.diff(column.rows[places], prepend=-1)).tolist()
        found: list[Finding] = []
        for start, end in zip(cuts, [*cuts[1:], len(places)], strict=False):
            row, own = int(column.rows[places[start]]), places[start:end]
            # What is between two hits belongs to the stretch of the first of them; a hit begins another one.
            hits = begun.get(row, [])
            before, behind = (np.searchsorted(column.events[own], hits, side).tolist() for side in ("left", "right"))
            for begin, stop in zip([0, *behind], [*before, len(own)], strict=True):
                if begin:
                    self.begin(row)
                if row in self.open:
                    found += self._take(batch, column, order, row, own[begin:stop])
        return found

    def _take(self, batch: Batch, column: Column, order: int, row: int, places: I64) -> list[Finding]:
        n, total, first_offset, first_ms = (self.at[name][row].item() for name in FIELDS)
        events = column.events[places]
        values = np.clip(column.values[places], -HUGE, HUGE).tolist()
        offsets, times = batch.offsets[events].tolist(), batch.times_ms[events].tolist()
        found: list[Finding] = []
        for event, value, offset, time_ms in zip(events.tolist(), values, offsets, times, strict=True):
            if n == 0:
                first_offset, first_ms = offset, time_ms
            n, total = n + 1, total + value
            if n >= LENGTH and time_ms >= first_ms + self.span_ms:
                stretch = Stretch(n, total, first_offset, offset, first_ms, time_ms)
                found.append(Finding(event, order, row, STRETCH, stretch))
                n, total = 0, 0.0
        for name, value in zip(FIELDS, (n, total, first_offset, first_ms), strict=True):
            self.at[name][row] = value
        return found

    def _resize(self, rows: int) -> None:
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
        found = {int(row): (int(n), float(total), int(at), int(ms)) for row, n, total, at, ms in state}
        if any(not 0 <= row < rows or n < 0 for row, (n, *_) in found.items()):
            raise ValueError("a series that is followed and cannot be")
        self._resize(rows)
        for row, stretch in found.items():
            self.begin(row)
            for name, value in zip(FIELDS, stretch, strict=True):
                self.at[name][row] = value


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
