"""Decoded events as bytes and back: what the ordered log holds. Reading them again copies memory and parses no JSON.

One packed record has events of one input partition that go to one partition of the ordered log, in the order in which
they were read. Layout, little-endian but for the first line:

    magic, format, XXH3-64 of all that follows
    HEADER: flags, the partition they are from, how many events, numbers, texts, nulls, names, strings and odd fields
    lengths of the topic, the names, the strings and the odd fields, in bytes
    of each event: id, offset, time, model, version + 1, and its row where records have several
    numbers, texts and nulls, one after the other: names, values, how many each event has
    odd fields: event, reason
    the topic, the names, the strings and the odd fields, in UTF-8

Where all events of a record have numbers of the same names, in the same order, these stand there once. Ids and values
of numbers are 8 bytes each. Every other column is of whole numbers: the width of its entries in bytes,
the least of them, and what each is above that in the narrowest width that holds it: none at all where all are equal.
Columns that say how many there are of others have at least a byte for each, so that a record makes no more than a few
times its own size.

This is the reference; what runs is `packing.py`, compiled where it can be.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from xxhash import xxh3_64_intdigest

from schemas.events.batch import (
    COLUMNS,
    I32,
    I64,
    ODD_REASONS,
    Batch,
    Nulls,
    Numbers,
    OddField,
    Origin,
    Record,
    Reject,
    Texts,
    columns_of,
    reject_of,
    split,
)
from schemas.events.convert import TIME_MAX_MS

MAGIC = b"DRFE"
FORMAT = 2
HEAD = struct.Struct(">4sHQ")
HEADER = struct.Struct("<B8I")
COLUMN = struct.Struct("<Bq")
RETAINED, ROWS, ALIKE = 1, 2, 4
"""Flags: the events were in the topic before the first start; they have rows; names of numbers stand there once."""
WIDTHS = (0, 1, 2, 4, 8)
EVENTS_MAX = 1 << 20
"""Of one record; what claims more is damaged. Everything else is bounded by the record's own bytes."""
CODES_MAX = (1 << 31) - 1
RECORD_BYTES_MAX = 900_000
"""What would weigh more is written as several records: a broker takes none over its limit, 1 MiB by default."""
EVENT_BYTES, VALUE_BYTES, TEXT_BYTES = 64, 16, 4
"""At most, without texts: of an event, of one of its values, and of what there is beside a text."""
MISFIT = "the checksum holds, but the parts do not fit together"


class DamagedRecord(ValueError):
    """The bytes are not a packed record of ours, or not whole."""


class Packed(NamedTuple):
    """One packed record: where its events are from, and they as a batch whose offsets are those of the input."""

    topic: str
    partition: int
    retained: bool  # they were in the topic before the first start
    batch: Batch


class Place(NamedTuple):
    """Where events are from; those before `first_end` were there before the first start."""

    topic: str
    partition: int
    first_end: int = 0


def events_in(value: bytes | None) -> int:
    """How many events a packed record says to have; 0 where it says nothing."""
    if value is None or len(value) < HEAD.size + HEADER.size:
        return 0
    return min(int(HEADER.unpack_from(value, HEAD.size)[2]), EVENTS_MAX)


def packed_parts(batch: Batch, part: I64, place: Place) -> list[tuple[int, bytes]]:
    """The events of a batch of an input partition as records of the parts they go to, none of those below 0. What was
    there before the first start stands in records of its own, before what is new. Rejects are not events.
    """
    old = batch.offsets < place.first_end
    pieces, ends = _pieces(batch, np.where(part < 0, -1, 2 * part + ~old))
    return [
        (lane // 2, pack(events, place.topic, place.partition, lane % 2 == 0))
        for number, events in split(batch, pieces)
        if (lane := ends[number]) >= 0
    ]


def _pieces(batch: Batch, lane: I64) -> tuple[I64, list[int]]:
    """The piece of each event, and the lane of each piece: of one lane as many events as one record may have."""
    order = np.argsort(lane, kind="stable")
    upto = np.cumsum(_weights(batch)[order])
    ordered, begin, cuts = lane[order], 0, [0]
    while begin < len(order):
        most = int(np.searchsorted(upto, upto.item(begin - 1) * (begin > 0) + RECORD_BYTES_MAX, "right"))
        begin = min(max(most, begin + 1), int(np.searchsorted(ordered, ordered[begin], "right")))
        cuts.append(begin)
    piece = np.empty(len(order), np.int64)
    piece[order] = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
    return piece, ordered[np.array(cuts[:-1], np.int64)].tolist()


def _weights(batch: Batch) -> I64:
    """What each event takes in bytes, at most, as if it shared no text with another."""

    def sizes(texts: Iterable[str]) -> I64:
        return np.array([*(len(text.encode()) + TEXT_BYTES for text in texts), 0], np.int64)

    names, strings = sizes(batch.names), sizes(batch.strings)
    weight: I64 = EVENT_BYTES + strings[batch.model] + strings[batch.version]
    for table in (batch.numbers, batch.texts, batch.nulls):
        np.add.at(weight, table.event, VALUE_BYTES + names[table.name])
    np.add.at(weight, batch.texts.event, strings[batch.texts.text])
    if batch.odd:
        np.add.at(weight, [one.event for one in batch.odd], VALUE_BYTES + sizes(one.field for one in batch.odd)[:-1])
    return weight


def pack(batch: Batch, topic: str, partition: int, retained: bool = False) -> bytes:
    """All events of a batch as one record. Equal batches give equal bytes."""
    parts: list[bytes] = []

    def whole(column: Any, least: int = 0) -> None:
        low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
        width = max(next(w for w in WIDTHS if high - low < 1 << 8 * w), least)
        parts.append(COLUMN.pack(width, low))
        if width:
            parts.append((column.astype(np.int64) - low).astype(f"<u{width}").tobytes())

    texts = [text.encode() for text in (topic, *batch.names, *batch.strings, *(one.field for one in batch.odd))]
    whole(np.array([len(text) for text in texts], np.int64), 1)
    parts.append(batch.event_id.astype("<u8").tobytes())
    rows = () if batch.rows is None else (batch.rows,)
    for column in (batch.offsets, batch.times_ms, batch.model, batch.version + 1, *rows):
        whole(column)
    alike = _alike(batch)
    for table in (batch.numbers, batch.texts, batch.nulls):
        numbers = isinstance(table, Numbers)
        whole(table.name[: len(table.name) // len(batch.offsets)] if numbers and alike else table.name, 1)
        if isinstance(table, Numbers):
            parts.append(table.value.astype("<f8").tobytes())
        elif isinstance(table, Texts):
            whole(table.text)
        whole(np.bincount(table.event, minlength=len(batch.offsets)))
    whole(np.array([one.event for one in batch.odd], np.int64))
    whole(np.array([ODD_REASONS.index(one.reason) for one in batch.odd], np.int64))
    values = [len(table.name) for table in (batch.numbers, batch.texts, batch.nulls)]
    counts = len(batch.offsets), *values, len(batch.names), len(batch.strings), len(batch.odd)
    header = HEADER.pack(RETAINED * retained + ROWS * len(rows) + ALIKE * alike, partition, *counts)
    body = b"".join([header, *parts, *texts])
    return HEAD.pack(MAGIC, FORMAT, xxh3_64_intdigest(body)) + body


def _alike(batch: Batch) -> bool:
    """Whether all events have numbers, and of the same names in the same order."""
    event, name, _ = batch.numbers
    each, rest = divmod(len(name), len(batch.offsets))
    if not each or rest or (np.bincount(event, minlength=len(batch.offsets)) != each).any():
        return False
    return bool((name.reshape(-1, each) == name[:each]).all())


def unpack(value: bytes) -> Packed:
    """The inverse of `pack`. Raises DamagedRecord; no value is believed before the checksum and all bounds hold."""
    if len(value) < HEAD.size + HEADER.size:
        raise DamagedRecord(f"{len(value)} bytes cannot be a packed record")
    magic, version, digest = HEAD.unpack_from(value)
    if magic != MAGIC:
        raise DamagedRecord("not a packed record")
    if version != FORMAT:
        raise DamagedRecord(f"packed records of format {version}; this version reads format {FORMAT}")
    body = memoryview(value)[HEAD.size :]
    if xxh3_64_intdigest(body) != digest:
        raise DamagedRecord("checksum does not match")
    return _read(_Reader(body[HEADER.size :]), *HEADER.unpack_from(body))


class _Reader:
    """Takes columns off the bytes, one after the other."""

    def __init__(self, rest: memoryview) -> None:
        self.rest = rest

    def raw(self, kind: str, count: int, width: int = 8) -> Any:
        holds(count * width <= len(self.rest))
        taken, self.rest = self.rest[: count * width], self.rest[count * width :]
        return np.frombuffer(taken, kind)

    def whole(self, count: int, most: int, dtype: Any = np.int32, least: int = 0) -> Any:
        """The next one of whole numbers, none of which is above `most`."""
        holds(len(self.rest) >= COLUMN.size)
        width, base = COLUMN.unpack_from(self.rest)
        self.rest = self.rest[COLUMN.size :]
        holds(width in WIDTHS and width >= least and base >= 0)
        column = self.raw(f"<u{width}", count, width) if width else np.zeros(count, np.uint8)
        holds(not count or base + int(column.max()) <= most)
        return column.astype(dtype) + dtype(base) if base and count else column.astype(dtype)


def holds(fits: Any) -> None:
    """What must be so of every packed record."""
    if not fits:
        raise DamagedRecord(MISFIT)


def _read(read: _Reader, flags: int, partition: int, count: int, *counts: int) -> Packed:
    numbers, texts, nulls, names, strings, odd = counts
    holds(flags <= RETAINED | ROWS | ALIKE and partition <= CODES_MAX and 0 < count <= EVENTS_MAX)
    lengths = read.whole(1 + names + strings + odd, len(read.rest), np.int64, 1)
    event_id = read.raw("<u8", count).astype(np.uint64)
    offsets, times_ms = read.whole(count, CODES_MAX << 32, np.int64), read.whole(count, TIME_MAX_MS - 1, np.int64)
    model, version = read.whole(count, strings - 1), read.whole(count, strings) - np.int32(1)
    rows = read.whole(count, CODES_MAX) if flags & ROWS else None
    holds(not (np.diff(offsets) < 0).any())

    def events(length: int, alike: bool = False) -> I32:
        each = read.whole(count, length, np.int64)
        holds(each.sum() == length and not (alike and (each != each[0]).any()))
        return np.repeat(np.arange(count, dtype=np.int32), each)

    def names_of(length: int) -> Any:
        return read.whole(length, names - 1, least=1)

    alike = bool(flags & ALIKE)
    holds(not alike or numbers % count == 0)
    name, value = names_of(numbers // count if alike else numbers), read.raw("<f8", numbers).astype(np.float64)
    holds(np.isfinite(value).all())
    number_table = Numbers(events(numbers, alike), np.tile(name, count) if alike else name, value)
    name, text = names_of(texts), read.whole(texts, strings - 1)
    text_table = Texts(events(texts), name, text)
    name = names_of(nulls)
    null_table = Nulls(events(nulls), name)
    odd_event, reason = read.whole(odd, count - 1), read.whole(odd, len(ODD_REASONS) - 1)
    holds(not (np.diff(odd_event) < 0).any())
    topic, *all_texts = _texts(read.rest, lengths)
    fields = zip(odd_event.tolist(), all_texts[names + strings :], reason.tolist(), strict=True)
    batch = Batch(
        **dict(zip(COLUMNS, (offsets, times_ms, model, version, event_id), strict=True)),
        names=tuple(all_texts[:names]),
        strings=tuple(all_texts[names : names + strings]),
        numbers=number_table,
        texts=text_table,
        nulls=null_table,
        rejects=(),
        next_offset=offsets.item(-1) + 1,
        rows=rows,
        odd=tuple(OddField(event, field, ODD_REASONS[number]) for event, field, number in fields),
    )
    return Packed(topic, partition, bool(flags & RETAINED), batch)


def _texts(rest: memoryview, lengths: I64) -> list[str]:
    holds(lengths.sum() == len(rest))
    try:
        return [str(rest[begin:end], "utf-8") for begin, end in pairwise([0, *np.cumsum(lengths).tolist()])]
    except UnicodeDecodeError as error:
        raise DamagedRecord(MISFIT) from error


def events_of(records: Sequence[Record]) -> Batch:
    """Records of the ordered log as one batch: at their offsets there, each event with its row in its record and its
    origin. A damaged record is a reject.
    """
    columns = columns_of(records)
    packed, rejects = list[tuple[int, Packed]](), list[Reject]()
    for place, value in enumerate(columns.values):
        try:
            packed.append((place, unpack(value or b"")))
        except DamagedRecord as error:
            rejects.append(damaged(columns[place], str(error)))
    next_offset = columns.offsets.item(-1) + 1 if len(columns) else 0
    news_at = next((columns.offsets.item(place) for place, one in packed if not one.retained), next_offset)
    return replace(united(packed, columns.offsets), rejects=tuple(rejects), next_offset=next_offset, news_at=news_at)


def damaged(record: Record, why: str) -> Reject:
    """The reject of a record that is no packed one; where the log could not hand over any, for that reason."""
    return replace(reject_of(record._replace(whole=None), "undecodable", why, 0), record=record)


def united(packed: Sequence[tuple[int, Packed]], offsets: I64) -> Batch:
    """The events of all, in order, under one dictionary of names and one of strings."""
    names, strings = dict[str, int](), dict[str, int]()
    parts = [one.batch for _, one in packed]
    name = [_codes(names, batch.names) for batch in parts]
    text = [_codes(strings, batch.strings) for batch in parts]
    topic = _codes(strings, [one.topic for _, one in packed])
    counts = np.array([len(batch.offsets) for batch in parts], np.int64)
    begins = np.cumsum(counts) - counts

    def all_of(column: Callable[[int, Batch], Any], dtype: Any) -> Any:
        return np.concatenate([np.zeros(0, dtype), *(column(i, batch) for i, batch in enumerate(parts))]).astype(
            dtype, copy=False
        )

    def table(kind: str) -> tuple[I32, I32]:
        return (
            all_of(lambda i, batch: getattr(batch, kind).event + np.int32(begins[i]), np.int32),
            all_of(lambda i, batch: name[i][getattr(batch, kind).name], np.int32),
        )

    rows = all_of(lambda i, batch: np.full(counts[i], -1) if batch.rows is None else batch.rows, np.int32)
    place = np.array([place for place, _ in packed], np.int64)
    partition = np.array([one.partition for _, one in packed], np.int32)
    return Batch(
        offsets=np.repeat(offsets[place], counts),
        times_ms=all_of(lambda i, batch: batch.times_ms, np.int64),
        model=all_of(lambda i, batch: text[i][batch.model], np.int32),
        version=all_of(lambda i, batch: np.append(text[i], np.int32(-1))[batch.version], np.int32),
        event_id=all_of(lambda i, batch: batch.event_id, np.uint64),
        names=tuple(names),
        strings=tuple(strings),
        numbers=Numbers(*table("numbers"), all_of(lambda i, batch: batch.numbers.value, np.float64)),
        texts=Texts(*table("texts"), all_of(lambda i, batch: text[i][batch.texts.text], np.int32)),
        nulls=Nulls(*table("nulls")),
        rejects=(),
        next_offset=0,
        rows=all_of(lambda i, batch: np.arange(counts[i]), np.int32),
        odd=tuple(one._replace(event=one.event + begins.item(i)) for i, batch in enumerate(parts) for one in batch.odd),
        origin=Origin(
            np.repeat(topic, counts),
            np.repeat(partition, counts),
            all_of(lambda i, batch: batch.offsets, np.int64),
            rows,
        ),
    )


def _codes(known: dict[str, int], texts: Iterable[str]) -> I32:
    return np.array([known.setdefault(text, len(known)) for text in texts], np.int32)
