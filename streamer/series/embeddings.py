"""Makes `embedding.NAME.norm` and `embedding.NAME.distance`: how long each embedding of a group is, and how far its
direction is from that of the first ones, which are learned for as long as a reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from detectors.direction import Centre, lengths
from schemas.events.batch import Batch
from schemas.events.embeddings import PREFIX
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, Group, Heard, SeriesTable
from streamer.signals.columns import F64, I64, Column, Groups, dense

NORM, DISTANCE = "norm", "distance"


class Part(NamedTuple):
    """The embeddings of one name that a batch has of a group."""

    first: int  # event
    number: int  # of the name
    member: str  # of the table
    key: Group
    events: I64
    vectors: F64


class EmbeddingSource(SourceBase):
    """A centre for each row of a distance: as many numbers as its embedding has."""

    def __init__(self, dimensions: Mapping[str, int], warmup: int) -> None:
        self.dimensions, self.warmup = dimensions, warmup
        self.centres: list[Centre | None] = []  # by row; None of a norm
        self.latest = np.zeros((0, 2), np.int64)  # time and offset of the last embedding of each row

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        names = enumerate(self.dimensions.items())
        parts = [part for i, (name, size) in names for part in _parts(batch, groups, size, i, name, table)]
        found = [self._values(part, batch, table) for part in sorted(parts, key=lambda part: part[:3])]
        table.resize()
        nothing = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64)
        rows, values, events = (np.concatenate(arrays) for arrays in zip(nothing, *found, strict=True))
        order = np.lexsort((rows, events))
        return Column(rows[order], values[order], events[order])

    def _values(self, part: Part, batch: Batch, table: SeriesTable) -> tuple[I64, F64, I64]:
        table.begin(batch, part.events)
        row, events = table.row(part.key, part.member), part.events
        if row < 0:
            table.dropped += len(events)
            return events[:0], np.zeros(0), events[:0]
        self._grow(table)
        self.latest[row] = batch.times_ms[events[-1]], batch.offsets[events[-1]]
        centre, vectors = self.centres[row], part.vectors
        if centre is None:
            values = lengths(vectors)
        else:
            if len(centre.total) != vectors.shape[1]:  # The config had another dimension until now.
                centre = self.centres[row] = Centre(vectors.shape[1])
            new = min(max(self.warmup - centre.n, 0), len(events))
            centre.learn(vectors[:new])
            table.taken += new
            events, values = events[new:], centre.distances(vectors[new:])
        some = np.isfinite(values)
        return np.full(np.count_nonzero(some), row), values[some], events[some]

    def _grow(self, table: SeriesTable) -> None:
        for _, member in table.keys[len(self.centres) :]:
            name, _, what = member.rpartition(".")
            self.centres.append(Centre(self.dimensions.get(name, 0)) if what == DISTANCE else None)
        more = len(table.keys) - len(self.latest)
        self.latest = np.concatenate([self.latest, np.zeros((more, 2), np.int64)])

    def heard(self, table: SeriesTable) -> Heard:
        self._grow(table)
        return self.latest[:, 0], self.latest[:, 1]

    def retain(self, rows: I64, table: SeriesTable) -> None:
        self.centres, self.latest = [self.centres[row] for row in rows.tolist()], self.latest[rows]

    def dump(self) -> Any:
        centres = [None if one is None else one.dump() for one in self.centres]
        return {"centres": centres, "latest": self.latest.copy()}

    def load(self, state: Any) -> None:
        """ValueError for an invalid state."""
        self.centres = [None if one is None else Centre.load(one) for one in state["centres"]]
        self.latest = state["latest"].reshape(-1, 2).copy()
        if len(self.latest) != len(self.centres):
            raise ValueError("embeddings that do not fit")


def _parts(batch: Batch, groups: Groups, dimensions: int, number: int, name: str, table: SeriesTable) -> Iterator[Part]:
    """What a batch has of an embedding, by group and member of the table."""
    wanted = [f"{name}.{what}" for what in (NORM, DISTANCE) if table.signal.takes(f"{name}.{what}")]
    if not wanted or f"{PREFIX}{name}.0" not in batch.names:
        return
    code = {path: i for i, path in enumerate(batch.names)}
    slot = np.full(len(batch.names), -1)
    slot[[code[f"{PREFIX}{name}.{i}"] for i in range(dimensions)]] = np.arange(dimensions)
    of = slot[batch.numbers.name]
    mine = of >= 0
    events = batch.numbers.event[mine][::dimensions].astype(np.int64)
    vectors = np.empty((len(events), dimensions))
    vectors[np.repeat(np.arange(len(events)), dimensions), of[mine]] = batch.numbers.value[mine]
    used = groups.of_event[events] >= 0
    events, vectors = events[used], vectors[used]
    inverse, first = dense(groups.of_event[events])
    for place, i in enumerate(first.tolist()):
        own = inverse == place
        key = groups.keys[groups.of_event[events[i]]]
        for member in wanted:
            yield Part(events.item(i), number, member, key, events[own], vectors[own])
