"""The compiled way through a table of numbers: row index, reference, banks and history in one sweep over a batch.

The parts also stand alone, behind `SeriesTable.column`, `judge` and `remember` and `EdgeMonitor.hits`: that is the way
of all other tables and of the Python engine, and what the tests hold this one against. They are fused because the
arrays between them were a fifth of an event's time at fifty features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors.compiled import SWEPT, CompiledHistory, CompiledReference
from detectors.reference import Judged
from schemas.core import native
from schemas.events.batch import Batch
from streamer.monitors.base import Hit, Monitor
from streamer.monitors.edges import edge_findings, followed, learn, stretches, wanted_of
from streamer.monitors.evidence import returned
from streamer.monitors.finding import DRIFT, Finding
from streamer.series.table import SeriesTable
from streamer.signals.columns import F64, I64, Bool, Column, Groups

Arrays = tuple[tuple[I64, F64, I64], tuple[Bool, F64, F64]]


def fits(table: SeriesTable) -> bool:
    """Whether a table can be swept: numbers in the compiled core, whose references are learned."""
    return table.row_cache is not None and table.signal.kind == "number" and not table.given


class Sweep:
    """`shown`: others want to see the column and its judgement, too.

    Monitors without a compiled bank look at the column that the sweep shows. Where such a one looks for edges the
    history is fed behind the sweep, so that the evidence of its edges, too, is what it was at their events.
    """

    def __init__(self, table: SeriesTable, monitors: Sequence[Monitor], shown: bool) -> None:
        self.table = table
        self.swept = [m for m in monitors if isinstance(m.bank, SWEPT)]
        self.others = [m for m in monitors if not isinstance(m.bank, SWEPT)]
        self.apart = any(m.bank is not None for m in self.others)
        self.shown = shown or bool(self.others)
        self.by_order = list(monitors)
        self.monitors = {m.order: m for m in monitors}

    def step(self, batch: Batch, groups: Groups, now: I64) -> tuple[list[Finding], tuple[Column, Judged] | None]:
        """What the monitors of the table find; and the column, where it is to be shown. `now`: see `step_table`."""
        everyone = self.by_order
        # What an edge is measured by is a matter of its monitor once a level was accepted: not for the sweep.
        apart = self.apart or any(monitor.normal or monitor.doubts() for monitor in everyone)
        shown = self.shown or apart or followed(everyone)
        parts, swept, fed = self._run(batch, groups, apart, shown)
        edges, later = self._drifts(swept[:fed]), parts[fed - len(swept) :] if fed < len(swept) else []
        if not shown:
            edges += self._apart(batch, *joined(later), later, swept[fed:]) if later else []
            return edges + stretches(batch, lambda: self._again(batch, groups), everyone, edges, now), None
        column, judged = joined(parts)
        learn(self.table, self.others)
        found = [finding for monitor in self.others for finding in monitor.findings(batch, column, judged)]
        edges += self._apart(batch, *joined(later), later, swept[fed:]) if later else []
        return found + edges + stretches(batch, lambda: column, everyone, edges, now), (column, judged)

    def _apart(
        self, batch: Batch, column: Column, judged: Judged, parts: Sequence[Arrays], swept: Sequence[Sequence[Any]]
    ) -> list[Finding]:
        """Edges, with the history fed behind the sweep."""
        begins = np.cumsum([0, *(len(arrays[0][0]) for arrays in parts[:-1])]).tolist()
        told = [
            (Hit(begin + place, *said), self.monitors[order])
            for begin, hits in zip(begins, swept, strict=True)
            for place, order, said in hits
        ]
        told += [(hit, monitor) for monitor in self.others for hit in monitor.hits(batch, column, judged)]
        told += [(hit, monitor) for monitor in self.swept for hit in monitor.doubted(batch, column, judged)]
        return edge_findings(batch, self.table, column, judged, told)

    def _drifts(self, swept: Sequence[Sequence[Any]]) -> list[Finding]:
        """Findings of the hits of a sweep that fed the history, too."""
        return [
            Finding(event, order, row, DRIFT, edge)
            for hits in swept
            for event, order, row, edge in hits
            if not returned(edge, wanted_of(self.monitors[order]))
        ]

    def _again(self, batch: Batch, groups: Groups) -> Column:
        """The column of a sweep that did not show it."""
        table, dropped = self.table, self.table.dropped
        assert table.row_cache is not None
        column = table.row_cache.column(table, batch, groups)
        table.dropped = dropped
        return column

    def _run(self, batch: Batch, groups: Groups, apart: bool, show: bool) -> tuple[list[Arrays], list[list[Any]], int]:
        """Sweep, make rows for new keys, and go on where the sweep met them: the arrays that are shown and the hits of
        each part, and how many parts fed the history, too. A new row is looked at from its first value on.
        """
        assert native is not None
        table, numbers, cache = self.table, batch.numbers, self.table.row_cache
        assert cache is not None
        reference, history = table.reference, table.history
        assert isinstance(reference, CompiledReference)
        assert isinstance(history, CompiledHistory)
        codes = cache.numbers(table, batch, groups)
        if not show and codes[1].max(initial=-1) < 0:  # As where a model has no scores: no value is looked at.
            return [], [], 0
        banks = [(m.bank.core, m.order, m.config.detect.raw, wanted_of(m)) for m in self.swept]  # type: ignore[union-attr]
        shown: list[Arrays] = []
        found: list[list[Any]] = []
        begin: int | None = 0
        known, fed = False, 0
        self._resize()
        while begin is not None:
            texts = [*codes, numbers.event, numbers.name]
            given = texts, numbers.value, [batch.offsets, batch.times_ms], begin, known, show
            parts = cache.index, reference.core, None if apart else history.core
            begin, (taken, dropped), hits, arrays = native.sweep(parts, banks, *given)
            fed += not apart
            table.taken, table.dropped = table.taken + taken, table.dropped + dropped
            found.append(hits)
            if arrays is not None:
                shown.append(arrays)
            if begin is not None:
                cache.learn(table, batch, groups, codes)
                self._resize()
                known = True  # Whoever has no row now gets none.
                if any(monitor.doubts() for monitor in self.swept):
                    apart = show = True
        return shown, found, fed

    def _resize(self) -> None:
        self.table.resize()
        for monitor in self.swept:
            monitor.grow()


def joined(shown: Sequence[Arrays]) -> tuple[Column, Judged]:
    """The arrays of a batch's sweeps, nearly always one, as one column."""
    columns, verdicts = zip(*shown, strict=True)
    if len(columns) == 1:
        return Column(*columns[0]), Judged(*verdicts[0])
    rows, values, events = map(np.concatenate, zip(*columns, strict=True))
    ready, z, away = map(np.concatenate, zip(*verdicts, strict=True))
    return Column(rows, values, events), Judged(ready, z, away)
