"""The decoder that runs: the compiled one where it can, `native_json` for the rest, with the same batches.

The compiled decoder only knows good events. A record it is not sure of is given to the Python decoder, which finds the
reason of the reject, or what is odd about the event; the events of both are one batch. So the compiled part can neither
invent a reason nor lose an event, and what it accepts is compared with Python in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np

from schemas.core import native
from schemas.events.batch import Batch, Record, batch_of, columns_of
from schemas.events.fields import Fields, Selector, outside_text
from schemas.events.mapping import Rows, expand
from schemas.events.native_json import decode


class Decoder:
    """Records of one partition to columns: `decoder(records, topic)`; see `schemas.events.native_json.decode`,
    and of a config with a `mapping` first `schemas.events.mapping`: a record may have several events then.
    """

    def __init__(self, fields: Fields, compiled: bool = native is not None) -> None:
        self.fields = fields
        self.outside = [s for s in fields.selectors if s.kind in OUTSIDE]
        self.core: Any = _core(fields) if compiled and expressible(fields) else None
        self.size = 0  # bytes of the values of the last batch
        self.fallbacks = 0  # events that Python decoded because the compiled decoder was not sure of them

    def __call__(self, records: Sequence[Record], topic: str) -> Batch:
        if self.fields.plan is None or not len(records):
            return self._decode(records, topic)
        rows = expand(records, self.fields, self.fields.plan)
        return placed(self._decode(rows.records, topic), rows, records)

    def _decode(self, records: Sequence[Record], topic: str) -> Batch:
        columns = columns_of(records)
        if self.core is None or not len(records):
            self.size = sum(map(len, filter(None, columns.values)))
            return decode(columns, self.fields, topic)
        outside = [tuple(outside_text(s, record, topic) for record in records) for s in self.outside]
        found = self.core.decode(columns.values, columns.offsets, columns.times_ms, outside)
        places, facts, texts, *tables, odd, self.size = found
        end = int(columns.offsets[-1]) + 1
        batch = batch_of((*places, *facts), texts, tuple(tables), rejects=(), next_offset=end)
        if not len(odd):
            return batch
        judged = decode([records[place] for place in odd.tolist()], self.fields, topic)
        self.fallbacks += len(judged.offsets)
        return joined(batch, judged) if len(judged.offsets) else replace(batch, rejects=judged.rejects)


def placed(batch: Batch, rows: Rows, records: Sequence[Record]) -> Batch:
    """What was decoded of rows, at the offsets of the records that they are of."""
    of_records = columns_of(records).offsets  # A whole Record is made for rejects only.
    offsets = of_records[np.array(rows.source, np.intp)]
    numbers = np.array(rows.row, np.int32)
    several = np.bincount(rows.source, minlength=len(records)) > 1
    rejects = list(rows.rejects)
    for one in batch.rejects:
        place = rows.source[one.record.offset]
        row = rows.row[one.record.offset] if several.item(place) else None
        record = one.record._replace(offset=of_records.item(place)) if row is not None else records[place]
        rejects.append(replace(one, record=record, row=row))
    return replace(
        batch,
        offsets=offsets[batch.offsets],
        rows=numbers[batch.offsets],
        rejects=tuple(sorted(rejects, key=lambda one: (one.record.offset, one.row or 0))),
        next_offset=of_records.item(-1) + 1,
    )


def joined(batch: Batch, other: Batch) -> Batch:
    """The events of both in the order of their offsets; only the other has rejects and odd fields."""
    names, strings = _united(batch.names, other.names), _united(batch.strings, other.strings)
    name = np.array([names[text] for text in other.names], np.int32)
    text = np.array([*(strings[text] for text in other.strings), -1], np.int32)  # No version is -1, the last.
    order = np.argsort(np.concatenate([batch.offsets, other.offsets]), kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    own, theirs = place[: len(batch.offsets)], place[len(batch.offsets) :]

    def both(mine: Any, others: Any) -> Any:
        return np.concatenate([mine, others])[order]

    def table(mine: Any, others: Any, *kinds: Any) -> Any:
        event = np.concatenate([own[mine.event], theirs[others.event]])
        by_event = np.argsort(event, kind="stable")
        parts = zip(mine[1:], others[1:], kinds, strict=True)
        columns = [np.concatenate([m, o if codes is None else codes[o]]) for m, o, codes in parts]
        return type(mine)(event[by_event], *(column[by_event] for column in columns))

    return Batch(
        offsets=both(batch.offsets, other.offsets),
        times_ms=both(batch.times_ms, other.times_ms),
        model=both(batch.model, text[other.model]),
        version=both(batch.version, text[other.version]),
        event_id=both(batch.event_id, other.event_id),
        names=tuple(names),
        strings=tuple(strings),
        numbers=table(batch.numbers, other.numbers, name, None),
        texts=table(batch.texts, other.texts, name, text),
        nulls=table(batch.nulls, other.nulls, name),
        rejects=other.rejects,
        next_offset=batch.next_offset,
        odd=tuple(one._replace(event=theirs.item(one.event)) for one in other.odd),
    )


def _united(texts: Sequence[str], more: Sequence[str]) -> dict[str, int]:
    """The place of every text: those of before keep theirs."""
    return {text: place for place, text in enumerate(dict.fromkeys((*texts, *more)))}


OUTSIDE = ("key", "header", "topic", "constant")
"""Kinds of selectors that find something beside the value."""


def expressible(fields: Fields) -> bool:
    """Whether the compiled decoder can find these fields: no whole event, none within another, and no embedding."""
    if fields.reading.embeddings:
        return False
    steps = [s.steps for s in (*fields.selectors, *fields.extra) if s.kind == "pointer"]
    return all(steps) and not any(long[: len(short)] == short for short, long in permutations(steps, 2))


def _core(fields: Fields) -> Any:
    assert native is not None
    selectors: list[tuple[int, Selector]] = list(enumerate((*fields.selectors, *fields.extra)))
    return native.Decoder(
        [(slot, [name for name, _ in s.steps]) for slot, s in selectors if s.kind == "pointer"],
        [s.text for s in fields.extra],
        [slot for slot, s in selectors if s.kind in OUTSIDE],
        fields.message_bytes,
        (fields.reading.names, fields.reading.array),
    )
