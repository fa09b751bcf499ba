"""Packing and unpacking as they run: compiled where that was built, `packed.py` elsewhere, with the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from schemas.core import native
from schemas.events.batch import (
    I64,
    ODD_REASONS,
    Batch,
    OddField,
    Origin,
    Record,
    batch_of,
    columns_of,
)
from schemas.events.convert import TIME_MAX_MS
from schemas.events.packed import Place, damaged, events_of, packed_parts

Pack = Callable[[Batch, I64, Place], list[tuple[int, bytes]]]


class Unpacker:
    """The decoder of the ordered log, see `packed.events_of`."""

    def __init__(self, compiled: bool = native is not None) -> None:
        self.compiled = compiled
        self.size = 0  # bytes of the values of the last batch

    def __call__(self, records: Sequence[Record], topic: str) -> Batch:
        columns = columns_of(records)
        if self.compiled and len(columns):
            batch, self.size = _compiled_events_of(columns)
        else:
            batch, self.size = events_of(columns), sum(map(len, filter(None, columns.values)))
        return batch


def compiled_parts(batch: Batch, part: I64, place: Place) -> list[tuple[int, bytes]]:
    """See `packed.packed_parts`."""
    assert native is not None
    own = batch.offsets, batch.times_ms, batch.model, batch.version, batch.event_id, batch.rows
    odd = [(one.event, one.field, ODD_REASONS.index(one.reason)) for one in batch.odd]
    texts, tables = (batch.names, batch.strings), (batch.numbers, batch.texts, batch.nulls)
    return native.pack(place, part, own, texts, tables, odd)


def packer(compiled: bool = native is not None) -> Pack:
    return compiled_parts if compiled else packed_parts


def _compiled_events_of(columns: Any) -> tuple[Batch, int]:
    assert native is not None
    own, (names, strings), numbers, texts, nulls, odd, origin, (bad, news, size) = native.unpack(
        columns.values, columns.offsets, (TIME_MAX_MS, len(ODD_REASONS))
    )
    next_offset = columns.offsets.item(-1) + 1
    *each, rows = own
    batch = batch_of(
        each,
        (names, strings),
        (numbers, texts, nulls),
        rejects=tuple(damaged(columns[place], detail) for place, detail in bad),
        next_offset=next_offset,
        rows=rows,
        odd=tuple(OddField(event, field, ODD_REASONS[reason]) for event, field, reason in odd),
        origin=Origin(*origin),
        news_at=next_offset if news is None else columns.offsets.item(news),
    )
    return batch, size
