"""The error that confidence promises of each prediction, as a signal: its mean over events is their estimated error.

A series is of one calibration, the first that its group had when it began, or since its reference was learned anew: so
its values move when the inputs do, and never because the calibration learned something.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from detectors.bank import F64, array_of, renumbered
from detectors.confidence import CELLS, Calibration, calibration_of, cells_of
from schemas.events.batch import Batch
from streamer.series.calibrations import ANY, in_force
from streamer.series.labels import Labels
from streamer.series.predictions import CLASS, said_of
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, SeriesTable
from streamer.signals.columns import I64, Column, Groups


class Estimated(SourceBase):
    """Makes `estimated_error`, of inferences that predict a class with a confidence from 0 to 1."""

    def __init__(self, table: SeriesTable) -> None:
        self.by = table.by
        self.labels: Labels | None = None  # see `late_labels`
        self.of_row: dict[int, Calibration] = {}

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        assert self.labels is not None
        learned = self.labels.calibrations
        assert learned is not None
        mine = groups.of_event >= 0
        table.begin(batch, np.flatnonzero(mine))
        said = said_of(batch, np.zeros(len(mine), bool), mine)
        sure = (said.kind == CLASS) & (said.confidence >= 0.0) & (said.confidence <= 1.0)
        events = np.flatnonzero(mine & sure)
        parts: list[tuple[int, int, I64, Calibration]] = []
        for group in np.unique(groups.of_event[events]).tolist():
            stood = learned.stood((self.by, groups.keys[group], ANY))
            own = events[groups.of_event[events] == group]
            which = in_force(stood, own) if stood else own[:0]
            begun = [place for place, at in enumerate(which.tolist()) if stood[at][1].pairs][:1]
            row = table.index.get((groups.keys[group], table.signal.path))
            if row in self.of_row and table.reference.at(row).n:
                parts.append((own.item(0), group, own, self.of_row[row]))
            elif begun:
                own = own[begun[0] :]
                parts.append((own.item(0), group, own, stood[which.item(begun[0])][1]))
        return self._column(table, groups, said.confidence, sorted(parts, key=lambda part: part[0]))

    def _column(
        self, table: SeriesTable, groups: Groups, confidence: F64, parts: list[tuple[int, int, I64, Calibration]]
    ) -> Column:
        rows, values, events = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64)
        for _, group, own, calibration in parts:
            row = table.row(groups.keys[group], table.signal.path)
            if row < 0:
                table.dropped += len(own)
                continue
            self.of_row[row] = calibration
            rows = np.concatenate([rows, np.full(len(own), row)])
            values = np.concatenate([values, calibration.rates()[cells_of(confidence[own])]])
            events = np.concatenate([events, own])
        table.resize()
        order = np.argsort(events, kind="stable")
        return Column(rows[order], values[order], events[order])

    def retain(self, rows: I64, table: SeriesTable) -> None:
        self.of_row = renumbered(self.of_row, rows)

    def forget(self, models: Collection[str]) -> None:
        if self.labels is not None:
            self.labels.forget(models)

    def dump(self) -> Any:
        return [[row, one.version, {"n": one.n, "wrong": one.wrong}] for row, one in sorted(self.of_row.items())]

    def load(self, state: Any) -> None:
        for row, version, given in state:
            n, wrong = (array_of(given, name, "i8", (CELLS,)).copy() for name in ("n", "wrong"))
            if not ((wrong >= 0) & (wrong <= n)).all():
                raise ValueError("more errors than there are labels")
            self.of_row[int(row)] = calibration_of(int(version), n, wrong, np.zeros(CELLS))
