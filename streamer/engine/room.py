"""Room for what is new. At turns of the log, offsets that are multiples of STRIDE, whoever has been silent for long
leaves what is nearly full: series of a table, groups that a source remembers, models.

A turn is a place in the log, so all cuttings of it into batches turn at the same events; a batch is cut there unless
nothing in it could make a turn matter. See `streamer/series/turnover.py` for who leaves and when.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from schemas.events.batch import Batch, part_of
from streamer.alerts.alert import Moment, Notice
from streamer.alerts.leaving import open_models, open_rows, retain
from streamer.alerts.lifecycle import AlertBook
from streamer.engine.admission import Admission
from streamer.engine.muted import Muted
from streamer.monitors.base import Monitor
from streamer.series.homes import Homes
from streamer.series.sources import Source
from streamer.series.table import SeriesTable, TableId
from streamer.signals.columns import I64, groups_of
from streamer.signals.grammar import BY_PATHS, excluded
from streamer.signals.models import told_models

STRIDE = 1024
"""Records between two turns. With fewer, batches are cut into parts that are too small for arrays to pay; with more, a
table fills between two turns.
"""

Tell = Callable[[list[Notice]], None]
"""Publishes notices; the rows in them, and in all before, mean nothing afterwards."""


class Fullness(NamedTuple):
    """How full something is that has a limit."""

    what: str  # a table, such as `features.* by version`, or `models`
    used: int
    limit: int
    refused: int  # values that had no place so far; of models events
    evicted: int  # places that were given to others


NEARLY = 0.9
"""From this share on something is nearly full: who falls silent leaves before that, so nearly too many do not."""


def warning(full: Fullness) -> str | None:
    """What to say of something that is full, or nearly; None where there is room."""
    if full.used < NEARLY * full.limit:
        return None
    state = "full" if full.used >= full.limit else "nearly full"
    refused = f", others refused {full.refused:,} times" if full.refused else ""
    return f"{full.what}: {state}, {full.used:,} of {full.limit:,}{refused}; raise limits.series, or split `by` less"


class Room:
    """The parts of a task that have limits."""

    def __init__(
        self,
        tables: Mapping[TableId, SeriesTable],
        sources: Mapping[TableId, Source],
        of_table: Mapping[TableId, Sequence[Monitor]],
        admission: Admission,
        book: AlertBook,
        muted: Muted,
        homes: Homes,
        tell: Tell,
    ) -> None:
        self.tables, self.sources, self.of_table = tables, sources, of_table
        self.admission, self.book, self.muted, self.homes, self.tell = admission, book, muted, homes, tell
        self.names = {i: {m.name for m in monitors} for i, monitors in of_table.items()}

    def pieces(self, batch: Batch, position: int) -> Iterator[tuple[Batch | None, int | None]]:
        """The batch cut at the turns of the log: pieces, each with the turn that follows it; a turn may follow none. Of
        several turns without a record between them the first, since the others change nothing.
        """
        last = position // STRIDE
        if batch.next_offset // STRIDE == last:
            yield batch, None
            return
        if self._calm(batch):
            self._rest()
            yield batch, None
            return
        found = [batch.offsets, np.array([reject.record.offset for reject in batch.rejects], np.int64)]
        blocks = np.unique(np.concatenate(found) // STRIDE).tolist()
        piece: Batch | None = None
        for block in blocks:
            if block > last:
                yield piece, (last + 1) * STRIDE
            last = max(last, block)
            piece = part_of(batch, block * STRIDE, (block + 1) * STRIDE)
        yield piece, (last + 1) * STRIDE if batch.next_offset // STRIDE > last else None

    def _calm(self, batch: Batch) -> bool:
        names, models = len(batch.names), int(np.count_nonzero(np.bincount(batch.model)))
        every = np.ones(len(batch.offsets), bool)
        counted: dict[tuple[str, ...], int] = {(): models}
        for table_id, table in self.tables.items():
            if table_id.by not in counted:
                given = batch, every, table_id.by, BY_PATHS, table.parts.grouping
                counted[table_id.by] = len(groups_of(*given).keys)
            groups = counted[table_id.by]
            source = self.sources.get(table_id)
            if not table.calm(groups, names) or not (source is None or source.calm(groups, names)):
                return False
        return self.homes.calm(models, names) and self.admission.calm(models)

    def _rest(self) -> None:
        for table in self.tables.values():
            table.turnover.rest()
        for source in self.sources.values():
            source.rest()
        self.admission.places.turnover.rest()

    def turn(self, offset: int) -> None:
        """A turn of the log: everything before it was taken, and nothing from it on."""
        for table_id, table in self.tables.items():
            source = self.sources.get(table_id)
            if table.turn(offset):
                heard = table.heard() if source is None else source.heard(table)
                gone = table.leaving(heard, open_rows(self.book, self.names[table_id]))
                self._evict(table_id, gone.tolist(), offset)
            groups = source.turn(offset) if source is not None else ()
            self._evict(table_id, [row for group in groups for row in table.members.get(group, ())], offset)
        self.homes.turn()
        models = self._models(offset)
        self.forget(models, offset)
        self.admission.forget(models)

    def exclude(self, offset: int, codes: tuple[str, ...]) -> None:
        """Series of a snapshot leave that the config excludes by now, and those of numbers that are codes by now."""
        for table_id, table in self.tables.items():
            left = codes if table.signal.kind == "number" else ()
            names = {member for _, member in table.keys}
            unwanted = {name for name in names if not table.wants(name) or excluded(name, left)}
            gone = [row for row, (_, member) in enumerate(table.keys) if member in unwanted] if unwanted else ()
            self._evict(table_id, gone, offset)

    def _models(self, offset: int) -> list[str]:
        """The models that leave, as rows do: those with open alerts last, those of a file of references never."""
        pinned = {table.keys[row][0][0] for table in self.tables.values() for row in table.pinned}
        last = open_models(self.book).__contains__
        return self.admission.places.turn(offset, last=last, never=pinned.__contains__)

    def forget(self, models: Collection[str], offset: int) -> None:
        """Nothing of these models is remembered any more, but for what is admitted."""
        if not models:
            return
        for table_id, table in self.tables.items():
            self._evict(table_id, [row for row, (group, _) in enumerate(table.keys) if group[0] in models], offset)
        for monitors in self.of_table.values():
            for monitor in monitors:
                monitor.forget(models)
        for source in self.sources.values():
            source.forget(models)
        self.muted.forget(models)
        self.homes.forget(models)

    def _evict(self, table_id: TableId, gone: Iterable[int], offset: int) -> None:
        table = self.tables[table_id]
        stays = np.ones(len(table.keys), bool)
        stays[list(gone)] = False
        if stays.all():
            return
        kept: I64 = np.flatnonzero(stays)
        newest = self.admission.newest_ms
        self.tell(retain(self.book, self.names[table_id], kept, lambda model: Moment(offset, *2 * (newest[model],))))
        for monitor in self.of_table[table_id]:
            monitor.retain(kept)
        table.retain(kept)
        if table_id in self.sources:
            self.sources[table_id].retain(kept, table)

    def _name(self, table_id: TableId) -> str:
        """A table as the config writes it; of one that only others look at what it holds."""
        monitors = self.of_table[table_id]
        if not monitors:
            return self.tables[table_id].name
        by = f" by {', '.join(table_id.by)}" if table_id.by else ""
        return f"{monitors[0].config.signal}{by}" + (f" of {told_models(table_id.models)}" if table_id.models else "")

    def fullness(self) -> list[Fullness]:
        """How full everything is that has a limit."""
        tables = [
            Fullness(self._name(i), len(table.keys), table.rows_max, table.dropped, table.evicted)
            for i, table in self.tables.items()
        ]
        places, refused = self.admission.places, self.admission.no_place
        return [*tables, Fullness("models", len(places.heard), places.turnover.places, refused, places.evicted)]
