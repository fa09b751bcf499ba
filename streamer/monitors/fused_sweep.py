"""The compiled way through a table of numbers: row index, reference, banks and history in one sweep over a batch.

The parts also stand alone, behind `SeriesTable.column`, `judge` and `remember` and `EdgeMonitor.edges`: that is the way
of all other tables and of the Python core, and what the tests hold this one against. They are fused because the arrays
between them were a fifth of an event's time at fifty features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors import Bank
from detectors.compiled import CompiledAdwin, CompiledHistory, CompiledPageHinkley, CompiledReference
from detectors.reference import Judged
from schemas.core import native
from schemas.events.batch import Batch
from streamer.alerts.lifecycle import AnyFinding
from streamer.monitors.registry import EdgeMonitor, Monitor
from streamer.series.table import SeriesTable
from streamer.signals.grammar import F64, I64, Bool, Column, Groups

SWEPT = (CompiledAdwin, CompiledPageHinkley)


def core_of(bank: Bank) -> Any:
    assert isinstance(bank, SWEPT)
    return bank.core


def fits(table: SeriesTable, monitors: Sequence[Monitor]) -> bool:
    """Whether a table can be swept: numbers in the compiled core, and nothing but compiled banks looking for edges."""
    banks = [m.bank for m in monitors if isinstance(m, EdgeMonitor)]
    known = all(isinstance(bank, SWEPT) for bank in banks)
    return table.places is not None and table.signal.kind == "number" and not table.given and known


class Sweep:
    """`shown`: others want to see the column and its judgement, too."""

    def __init__(self, table: SeriesTable, monitors: Sequence[Monitor], shown: bool) -> None:
        self.table = table
        self.edges = [m for m in monitors if isinstance(m, EdgeMonitor)]
        self.others = [m for m in monitors if not isinstance(m, EdgeMonitor)]
        self.shown = shown or bool(self.others)

    def step(self, batch: Batch, groups: Groups) -> tuple[list[AnyFinding], tuple[Column, Judged] | None]:
        """What the monitors of the table find; and the column, where it is to be shown."""
        assert native is not None
        table, numbers, places = self.table, batch.numbers, self.table.places
        assert places is not None
        reference, history = table.reference, table.history
        assert isinstance(reference, CompiledReference)
        assert isinstance(history, CompiledHistory)
        codes = places.numbers(table, batch, groups)
        parts = places.index, reference.core, history.core
        banks = [(core_of(monitor.bank), monitor.order, monitor.raw, monitor.wanted) for monitor in self.edges]
        found: list[AnyFinding] = []
        shown: list[Arrays] = []
        begin: int | None = 0
        known = False
        self._resize()
        while begin is not None:
            texts = [*codes, numbers.event, numbers.name]
            given = texts, numbers.value, [batch.offsets, batch.times_ms], begin, known, self.shown
            begin, dropped, hits, arrays = native.sweep(parts, banks, *given)
            table.dropped += dropped
            found += hits
            shown.append(arrays)
            if begin is not None:
                places.learn(table, batch, groups, codes)
                self._resize()
                known = True  # Whoever has no row now gets none.
        if not self.shown:
            return found, None
        column, judged = joined(shown)
        found += [f for monitor in self.others for f in monitor.findings(batch, column)]
        return found, (column, judged)

    def _resize(self) -> None:
        self.table.resize()
        for monitor in self.edges:
            monitor.bank.resize(len(self.table.keys))


Arrays = tuple[tuple[I64, F64, I64], tuple[Bool, F64, F64]]


def joined(shown: Sequence[Arrays]) -> tuple[Column, Judged]:
    """The arrays of a batch's sweeps, nearly always one, as one column."""
    columns, verdicts = zip(*shown, strict=True)
    if len(columns) == 1:
        return Column(*columns[0]), Judged(*verdicts[0])
    rows, values, events = map(np.concatenate, zip(*columns, strict=True))
    ready, z, away = map(np.concatenate, zip(*verdicts, strict=True))
    return Column(rows, values, events), Judged(ready, z, away)
