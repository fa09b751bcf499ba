"""Changes of the model's version: at which events it is another one than at the event before."""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.events.batch import Batch
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, SeriesTable
from streamer.signals.columns import I64, Column, Groups, dense


class VersionChange(SourceBase):
    """Makes `version_change`, 0/1 for each event that has a version, but for the first of its group."""

    def __init__(self) -> None:
        self.last: dict[tuple[str, ...], str] = {}

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        events = np.flatnonzero((groups.of_event >= 0) & (batch.version >= 0))
        table.begin(batch, events)
        codes = groups.of_event[events]
        found = []
        for g in [int(codes[i]) for i in dense(codes)[1]]:
            key, mine = groups.keys[g], events[codes == g]
            row = table.row(key, "version_change")
            if row < 0:
                table.dropped += len(mine)
                continue
            versions = batch.version[mine].astype(np.int64)
            before = self.last.get(key)
            known_code = batch.strings.index(before) if before in batch.strings else -1
            changed = versions != np.concatenate([[known_code], versions[:-1]])
            self.last[key] = batch.strings[versions[-1]]
            first = 1 if before is None else 0
            found.append((np.full(len(mine) - first, row), changed[first:] * 1.0, mine[first:]))
        table.resize()
        rows = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in found)])
        values = np.concatenate([np.zeros(0), *(part[1] for part in found)])
        places = np.concatenate([np.zeros(0, np.int64), *(part[2] for part in found)])
        order = np.argsort(places, kind="stable")
        return Column(rows[order], values[order], places[order])

    def retain(self, rows: I64, table: SeriesTable) -> None:
        self.last = {key: version for key, version in self.last.items() if key in table.members}

    def dump(self) -> Any:
        return [[list(key), version] for key, version in self.last.items()]

    def load(self, state: Any) -> None:
        self.last = {tuple(map(str, key)): str(version) for key, version in state}
