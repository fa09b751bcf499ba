"""Where a series stands after an edge was found in it: the sum of each stretch of its values, from the newest hit on.

Stretches are counted from the hit and summed in the order of the log, so they are the same however that was cut into
batches. Rows are followed while their alert is open, so memory is bounded by the open alerts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import HUGE
from schemas.events.batch import Batch
from streamer.monitors.finding import DRIFT, STRETCH, Finding
from streamer.signals.columns import Column

LENGTH = 32
"""Values of a stretch: their mean is off by a sixth of a deviation, and one in 32 values costs a finding."""
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
    """The rows that are followed, each with its unfinished stretch: how many values, their sum, where it began."""

    def __init__(self) -> None:
        self.open: dict[int, tuple[int, float, int, int]] = {}

    def keep(self, rows: Iterable[int]) -> None:
        """Follow no other rows than these from here on."""
        self.open = {row: self.open[row] for row in rows}

    def step(self, batch: Batch, column: Column, order: int, begun: Begun) -> list[Finding]:
        """Take a column in which a monitor of this order had hits: a finding for each stretch that ended."""
        wanted = np.zeros(int(column.rows.max(initial=-1)) + 1, bool)
        wanted[[row for row in (*self.open, *begun) if row < len(wanted)]] = True
        places = np.flatnonzero(wanted[column.rows])
        places = places[np.argsort(column.rows[places], kind="stable")]
        rows = column.rows[places]
        cuts = [0, *(np.flatnonzero(np.diff(rows)) + 1).tolist(), len(rows)]
        found: list[Finding] = []
        for begin, end in zip(cuts, cuts[1:], strict=False):
            if begin == end:
                continue
            row, own = int(rows[begin]), places[begin:end]
            # What is between two hits belongs to the stretch of the first of them; a hit begins another one.
            hits = np.searchsorted(column.events[own], begun.get(row, ()), side="right").tolist()
            befores = np.searchsorted(column.events[own], begun.get(row, ()), side="left").tolist()
            last = 0
            for before, after in zip([*befores, len(own)], [*hits, len(own)], strict=True):
                if row in self.open:
                    found += self._take(batch, column, order, row, own[last:before])
                if after < len(own) or before < after:
                    self.open[row] = (0, 0.0, 0, 0)
                last = after
        return found

    def _take(self, batch: Batch, column: Column, order: int, row: int, places: Any) -> list[Finding]:
        n, total, first_offset, first_ms = self.open[row]
        found: list[Finding] = []
        while len(places):
            part, places = places[: LENGTH - n], places[LENGTH - n :]
            events = column.events[part]
            if n == 0:
                first_offset, first_ms = batch.offsets.item(events[0]), batch.times_ms.item(events[0])
            values = np.clip(column.values[part], -HUGE, HUGE)
            total = float(np.cumsum(np.concatenate(([total], values)))[-1])
            n += len(part)
            if n == LENGTH:
                event = int(events[-1])
                ends = batch.offsets.item(event), batch.times_ms.item(event)
                stretch = Stretch(n, total, first_offset, ends[0], first_ms, ends[1])
                found.append(Finding(event, order, row, STRETCH, stretch))
                n, total = 0, 0.0
        self.open[row] = (n, total, first_offset, first_ms)
        return found

    def dump(self) -> list[Any]:
        return [[row, *stretch] for row, stretch in sorted(self.open.items())]

    def load(self, state: Sequence[Any], rows: int) -> None:
        """Raises ValueError."""
        self.open = {int(row): (int(n), float(total), int(at), int(ms)) for row, n, total, at, ms in state}
        if any(not (0 <= row < rows and 0 <= n < LENGTH) for row, (n, *_) in self.open.items()):
            raise ValueError("a series that is followed and cannot be")


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
