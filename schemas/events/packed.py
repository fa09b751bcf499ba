"""Decoded events as bytes and back: what the ordered log holds. Reading them again copies memory and parses no JSON.

One packed record has the events of one input partition that go to one partition of the ordered log, in the order in
which they were read. Layout: magic, format, XXH3-64 of all that follows; a msgpack header with the place they are from,
their names and texts, and for each column its type, base and length; then the columns. Whole numbers stand in
the narrowest type that holds them, times and offsets as what each is above the least.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgpack
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
)

MAGIC = b"DRFE"
FORMAT = 1
HEAD = struct.Struct(">4sHQ")
EVENTS_MAX = 1 << 20
"""Of one record; what claims more is damaged. The entries of its columns are bounded by its own bytes."""
TYPES = ("|u1", "<u2", "<u4", "<u8", "<f8")
TABLES = ("numbers", "texts", "nulls")


class DamagedRecord(ValueError):
    """The bytes are not a packed record of ours, or not whole."""


class Packed(NamedTuple):
    """One packed record: where its events are from, and they as a batch whose offsets are those of the input."""

    topic: str
    partition: int
    retained: bool  # they were in the topic before the first start
    batch: Batch


def pack(batch: Batch, topic: str, partition: int, retained: bool = False) -> bytes:
    """The events of a batch of an input partition; its rejects are not events. Equal batches give equal bytes."""
    parts: list[memoryview] = []

    def stored(kind: str, base: int, column: Any) -> list[Any]:
        parts.append(np.ascontiguousarray(column, kind).view(np.uint8).data)
        return [kind, base, len(column)]

    def based(column: Any) -> list[Any]:
        base = int(column.min())
        return stored(_narrowest(int(column.max()) - base), base, column - base)

    def codes(column: Any, texts: Sequence[str]) -> list[Any]:
        return stored(_narrowest(len(texts)), 0, column)

    names, strings, count = batch.names, batch.strings, len(batch.offsets)
    own = [based(batch.offsets), based(batch.times_ms), codes(batch.model, strings), codes(batch.version + 1, strings)]
    own.append(stored("<u8", 0, batch.event_id))
    rows = None if batch.rows is None else based(batch.rows)
    tables = []
    for name in TABLES:
        event, named, *rest = getattr(batch, name)
        tables.append([based(np.bincount(event, minlength=count)), codes(named, names)])
        if name == "numbers":
            tables[-1].append(stored("<f8", 0, rest[0]))
        elif name == "texts":
            tables[-1].append(codes(rest[0], strings))
    odd = [[one.event, one.field, ODD_REASONS.index(one.reason)] for one in batch.odd]
    header = msgpack.packb([topic, partition, retained, names, strings, own, rows, tables, odd])
    body = b"".join([len(header).to_bytes(4, "big"), header, *parts])
    return HEAD.pack(MAGIC, FORMAT, xxh3_64_intdigest(body)) + body


def _narrowest(most: int) -> str:
    """Of the types of whole numbers, for those up to this one."""
    return TYPES[0] if most < 1 << 8 else TYPES[1] if most < 1 << 16 else TYPES[2] if most < 1 << 32 else TYPES[3]


def unpack(value: bytes) -> Packed:
    """The inverse of `pack`. Raises DamagedRecord; no value is believed before the checksum and all bounds hold."""
    if len(value) < HEAD.size + 4:
        raise DamagedRecord(f"{len(value)} bytes cannot be a packed record")
    magic, version, digest = HEAD.unpack_from(value)
    if magic != MAGIC:
        raise DamagedRecord("not a packed record")
    if version != FORMAT:
        raise DamagedRecord(f"packed records of format {version}; this version reads format {FORMAT}")
    body = memoryview(value)[HEAD.size :]
    if xxh3_64_intdigest(body) != digest:
        raise DamagedRecord("checksum does not match")
    length = int.from_bytes(body[:4], "big")
    try:
        header = msgpack.unpackb(body[4 : 4 + length], use_list=False)
        return _batch(header, _Reader(body[4 + length :]))
    except (ValueError, TypeError, LookupError, OverflowError, msgpack.exceptions.UnpackException) as error:
        raise DamagedRecord(str(error) or type(error).__name__) from error


class _Reader:
    """Takes columns off the bytes, one after the other."""

    def __init__(self, rest: memoryview) -> None:
        self.rest = rest

    def column(self, stored: Any, dtype: Any, count: int | None = None) -> Any:
        """The next one; of `count` values, or of as many as it says."""
        kind, base, length = stored
        if kind not in TYPES or type(base) is not int or type(length) is not int or length < 0:
            raise ValueError("column of a kind never stored")
        if length * int(kind[2]) > len(self.rest) or count not in (None, length):
            raise ValueError("column and its length differ")
        raw, self.rest = self.rest[: length * int(kind[2])], self.rest[length * int(kind[2]) :]
        column = np.frombuffer(raw, kind).astype(dtype)
        return column + dtype(base) if base else column

    def codes(self, stored: Any, most: int, count: int | None = None) -> I32:
        """The next one, whose values are below `most`."""
        column: I32 = self.column(stored, np.int32, count)
        if len(column) and not 0 <= column.min() <= column.max() < most:
            raise ValueError("code of nothing")
        return column


def _batch(header: Any, read: _Reader) -> Packed:
    topic, partition, retained, names, strings, own, rows, tables, odd = header
    texts_only = all(type(text) is str for text in (topic, *names, *strings))
    if not texts_only or type(partition) is not int or type(retained) is not bool:
        raise ValueError("name of a kind never stored")
    offsets = read.column(own[0], np.int64)
    count = len(offsets)
    if not 0 < count <= EVENTS_MAX or offsets[0] < 0 or (np.diff(offsets) < 0).any():
        raise ValueError("offsets do not ascend")
    times_ms = read.column(own[1], np.int64, count)
    model, version = read.codes(own[2], len(strings), count), read.codes(own[3], len(strings) + 1, count) - np.int32(1)
    event_id = read.column(own[4], np.uint64, count)
    number = None if rows is None else read.codes(rows, 1 << 31, count)

    def table(stored: Any, *kinds: Callable[[Any, int], Any]) -> Any:
        each = read.column(stored[0], np.int64, count)
        name = read.codes(stored[1], len(names))
        if each.min() < 0 or each.max() > len(name) or each.sum() != len(name):
            raise ValueError("events and their fields differ")
        rest = (kind(column, len(name)) for kind, column in zip(kinds, stored[2:], strict=True))
        return np.repeat(np.arange(count, dtype=np.int32), each), name, *rest

    numbers = Numbers(*table(tables[0], lambda stored, length: read.column(stored, np.float64, length)))
    texts = Texts(*table(tables[1], lambda stored, length: read.codes(stored, len(strings), length)))
    nulls = Nulls(*table(tables[2]))
    if read.rest or not np.isfinite(numbers.value).all():
        raise ValueError("more than the columns, or a number that is none")
    left_out = tuple(OddField(event, field, ODD_REASONS[reason]) for event, field, reason in odd)
    if not all(type(f) is str and 0 <= e < count and ODD_REASONS.index(r) >= 0 for e, f, r in left_out):
        raise ValueError("odd field of no event")
    own_columns = dict(zip(COLUMNS, (offsets, times_ms, model, version, event_id), strict=True))
    batch = Batch(
        **own_columns,
        names=names,
        strings=strings,
        numbers=numbers,
        texts=texts,
        nulls=nulls,
        rejects=(),
        next_offset=offsets.item(-1) + 1,
        rows=number,
        odd=left_out,
    )
    return Packed(topic, partition, retained, batch)


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
            rejects.append(Reject(columns[place], "undecodable", str(error)[:80]))
    next_offset = columns.offsets.item(-1) + 1 if len(columns) else 0
    news_at = next((columns.offsets.item(place) for place, one in packed if not one.retained), next_offset)
    return replace(_united(packed, columns.offsets), rejects=tuple(rejects), next_offset=next_offset, news_at=news_at)


def _united(packed: Sequence[tuple[int, Packed]], offsets: I64) -> Batch:
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
