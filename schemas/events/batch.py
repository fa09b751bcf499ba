"""The event batch: one partition's records as columns, and the records that could not become events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]

REASONS: dict[str, str] = {
    "empty": "the record has no value (a tombstone) or a value of zero bytes",
    "unreadable_batch": "the stored batch cannot be unpacked: broken, or beyond `receive.message.max.bytes`",
    "killed_the_process": "the stored batch unpacks to more than there is memory, so it was skipped as a whole",
    "too_large": "the value is longer than the limit on message bytes",
    "bad_utf8": "the value, or the key or header a field is mapped to, is not UTF-8",
    "bad_json": "the value is not one RFC 8259 JSON text, or exceeds the parser's limits on depth and magnitude",
    "not_an_object": "the JSON text is not an object",
    "undecodable": "a step of `mapping` cannot be taken: the value is not packed so, or its rows do not match; or it "
    "is not as its schema has it",
    "unknown_schema": "the schema registry knows no schema of the id that the value begins with",
    "unusable_schema": "its schema cannot be used: it refers to itself, makes values of nothing, or is broken",
    "no_rows": "the record has no rows where `mapping.each` says that they are",
    "missing_model": "the event does not name its model: absent, null or the empty text",
    "about_nothing": "a label, feedback or verdict does not name by an id what it is about, or a command has none",
    "wrong_type": "a field holds another type than it takes, or a name or text is over 256 characters",
    "not_finite": "a field holds NaN, Infinity or a number beyond float64",
    "bad_number": "the key or header a numeric field is mapped to is not a number that is finite as float64",
    "bad_time": "the event time, or the record's where it has none, cannot be read or is not of the years 1970 to 2200",
    "no_zone": "the event time has no zone, and `time_zone` names none",
    "clock_ahead": "the event time is 5 minutes ahead of the record's, or far ahead of what most say: a clock is wrong",
    "too_many_members": "an array of a feature has more numbers than `limits.array` allows",
    "wrong_dimension": "an embedding has another number of numbers than `embeddings.NAME.dimensions`",
    "too_many_fields": "features, scores, logits and segment together have more than 2,000 entries",
}
"""Every reason a record can be rejected for. The set is closed: metrics and dead letters may enumerate it."""

ODD_REASONS = (
    "wrong_type", "not_finite", "bad_utf8", "bad_number", "bad_time", "no_zone", "clock_ahead", "too_many_members",
    "wrong_dimension", "too_many_fields",
)  # fmt: skip
"""Those of a single field, which costs the event no more than that field unless the config says so."""


class OddField(NamedTuple):
    """A field of an event that could not be used, and so is as if it were not there; a feature is null."""

    event: int  # index of the batch's events
    field: str  # as a signal's path has it: features.amount, prediction.value, time ...
    reason: str  # one of ODD_REASONS


class Whole(NamedTuple):
    """What a value is that is too large to be handed over."""

    size: int  # in bytes
    sha256: str  # in hex


class Record(NamedTuple):
    """One Kafka record as the log port hands it over."""

    offset: int
    time_ms: int  # record timestamp; -1 when it has none
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    whole: Whole | None = None  # of a value of which only the beginning is here
    unreadable: str = ""  # of a place in a stored batch that cannot be unpacked: why; it has no value then
    skipped_from: int | None = None  # of what stands for all offsets from this one to its own: nobody survives a look

    @property
    def first_offset(self) -> int:
        """Of all that it stands for."""
        return self.offset if self.skipped_from is None else self.skipped_from


class RecordColumns(Sequence[Record]):
    """Records as columns, all that a decoder needs of nearly every one; a whole Record is made when asked for."""

    def __init__(
        self,
        values: Sequence[bytes | None],
        offsets: I64,
        times_ms: I64,
        record: Callable[[int], Record],
        keys: Callable[[], Sequence[bytes | None]] | None = None,
    ) -> None:
        self.values, self.offsets, self.times_ms, self._record, self._keys = values, offsets, times_ms, record, keys

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: int) -> Record:  # type: ignore[override]  # nobody slices them
        return self._record(place if place >= 0 else place + len(self))

    def __iter__(self) -> Iterator[Record]:
        return map(self._record, range(len(self)))

    def each_key(self) -> Sequence[bytes | None]:
        """Their keys; a Record would have a copy of its value."""
        return [record.key for record in self] if self._keys is None else self._keys()


def columns_of(records: Sequence[Record]) -> RecordColumns:
    """The columns of any records."""
    if isinstance(records, RecordColumns):
        return records
    offsets = np.array([record.offset for record in records], np.int64)
    times_ms = np.array([record.time_ms for record in records], np.int64)
    return RecordColumns(tuple(record.value for record in records), offsets, times_ms, records.__getitem__)


class Numbers(NamedTuple):
    """Finite numbers, m of them; `event` indexes the batch's events and ascends, `name` indexes `Batch.names`."""

    event: I32
    name: I32
    value: F64


class Texts(NamedTuple):
    """Strings and booleans ("true", "false"), as `Numbers`; `text` indexes `Batch.strings`."""

    event: I32
    name: I32
    text: I32


class Nulls(NamedTuple):
    """What is present but null, as `Numbers`: features and the pointers that monitors name."""

    event: I32
    name: I32


class Origin(NamedTuple):
    """Where each of n events of the ordered log came from."""

    topic: I32  # codes into `Batch.strings`
    partition: I32
    offset: I64
    row: I32  # of a record of several events; -1 of any other

    def between(self, begin: int, end: int) -> Origin:
        """Of the events from `begin` on and before `end`."""
        topic, partition, offset, row = self
        return Origin(topic[begin:end], partition[begin:end], offset[begin:end], row[begin:end])


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is no event. `detail` says where, never what: it holds no value of the payload."""

    record: Record
    reason: str  # a key of REASONS
    detail: str  # one line, at most 80 characters
    row: int | None = None  # of a record of several events: which, from 0

    @property
    def records(self) -> int:
        """How many records it stands for."""
        return self.record.offset - self.record.first_offset + 1


def reject_of(record: Record, reason: str, detail: str, bytes_max: int) -> Reject:
    """The reject of a record; of one that the log could not hand over as it is with what the log says of it."""
    if record.skipped_from is not None:
        return Reject(record, "killed_the_process", record.unreadable)
    if record.unreadable:
        return Reject(record, "unreadable_batch", record.unreadable)
    if record.whole is not None:
        return Reject(record, reason, f"{record.whole.size} bytes, the limit is {bytes_max}")
    return Reject(record, reason, detail)


@dataclass(frozen=True, slots=True)
class Batch:
    """One partition's records as columns in offset order; n decoded events and the rejects between them."""

    offsets: I64  # n
    times_ms: I64  # n; event time, else record timestamp, else 0
    model: I32  # n codes into `strings`
    version: I32  # n codes into `strings`; -1 = none
    event_id: U64  # n; XXH3-64 of the id's text, 0 = none
    names: tuple[str, ...]  # signal paths in order of first appearance: "features.amount", "latency_ms" ...
    strings: tuple[str, ...]  # one dictionary of models, versions and texts, in order of first appearance
    numbers: Numbers
    texts: Texts
    nulls: Nulls
    rejects: tuple[Reject, ...]  # in offset order
    next_offset: int  # last record's offset + 1; 0 for no records
    rows: I32 | None = None  # n; the number of each event within its record, where records have several
    aliases: Mapping[str, str] = field(default_factory=dict)  # further names of columns: alias -> one of `names`
    odd: tuple[OddField, ...] = ()  # by event
    origin: Origin | None = None  # of events that came by the ordered log
    news_at: int | None = None  # of such a batch: where its first record is that nobody had sent before the first start


COLUMNS = ("offsets", "times_ms", "model", "version", "event_id")
"""What a batch has of each event."""


def batch_of(own: Sequence[Any], texts: tuple[Any, Any], tables: tuple[Any, Any, Any], **more: Any) -> Batch:
    """A batch of columns as they lie side by side, such as the compiled core makes them. own: as COLUMNS; texts: names
    and strings; tables: the columns of numbers, texts and nulls.
    """
    numbers, words, nulls = tables
    named = {"names": texts[0], "strings": texts[1], **dict(zip(COLUMNS, own, strict=True))}
    return Batch(**named, numbers=Numbers(*numbers), texts=Texts(*words), nulls=Nulls(*nulls), **more)


def part_of(batch: Batch, begin: int, end: int) -> Batch:
    """What lies at offsets from `begin` on and before `end`, as a batch of its own; it ends where that ends."""
    own = _between(batch, *np.searchsorted(batch.offsets, (begin, end)).tolist())
    own["news_at"] = None if batch.news_at is None else max(batch.news_at, begin)
    rejects = tuple(reject for reject in batch.rejects if begin <= reject.record.offset < end)
    return replace(batch, **own, rejects=rejects, next_offset=min(end, batch.next_offset))


def _between(batch: Batch, first: int, last: int) -> dict[str, Any]:
    """What a batch has of its events from `first` on and before `last`."""

    def cut(table: Any) -> Any:
        low, high = np.searchsorted(table.event, (first, last)).tolist()
        event, *columns = (column[low:high] for column in table)
        return type(table)(event - np.int32(first), *columns)

    own: dict[str, Any] = {name: getattr(batch, name)[first:last] for name in COLUMNS}
    own["rows"] = None if batch.rows is None else batch.rows[first:last]
    own["origin"] = None if batch.origin is None else batch.origin.between(first, last)
    own["odd"] = tuple(one._replace(event=one.event - first) for one in batch.odd if first <= one.event < last)
    return own | {"numbers": cut(batch.numbers), "texts": cut(batch.texts), "nulls": cut(batch.nulls)}


def split(batch: Batch, part: I64) -> list[tuple[int, Batch]]:
    """The events of each part, in their order, as batches with no more names and texts than they have; they have no
    rejects. `part`: the number of each event's part.
    """
    order = np.argsort(part, kind="stable")
    whole = replace(reordered(batch, order), rejects=())
    numbers, begins = np.unique(part[order], return_index=True)
    bounds = zip(numbers.tolist(), begins.tolist(), [*begins[1:].tolist(), len(order)], strict=False)
    return [(n, _with_its_own_texts(replace(whole, **_between(whole, begin, end)))) for n, begin, end in bounds]


def reordered(batch: Batch, order: I64) -> Batch:
    """The same events in this order."""
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)

    def by_part(table: Any) -> Any:
        # The values of an event stand together, and are moved together.
        each = np.bincount(table.event, minlength=len(order))
        begins, moved = np.cumsum(each) - each, each[order]
        event = np.repeat(np.arange(len(order), dtype=np.int32), moved)
        taken = np.arange(len(event)) + np.repeat(begins[order] - (np.cumsum(moved) - moved), moved)
        return type(table)(event, *(column[taken] for column in table[1:]))

    own: dict[str, Any] = {name: getattr(batch, name)[order] for name in COLUMNS}
    own["rows"] = None if batch.rows is None else batch.rows[order]
    own |= {"numbers": by_part(batch.numbers), "texts": by_part(batch.texts), "nulls": by_part(batch.nulls)}
    own["odd"] = tuple(
        sorted((one._replace(event=place.item(one.event)) for one in batch.odd), key=lambda one: one.event)
    )
    if (origin := batch.origin) is not None:
        topic, partition, offset, row = origin
        own["origin"] = Origin(topic[order], partition[order], offset[order], row[order])
    return replace(batch, **own)


def _with_its_own_texts(batch: Batch) -> Batch:
    """Without the names and strings that no event of it has: they are other people's, and there can be many."""
    name, names = _renumbered(batch.names, batch.numbers.name, batch.texts.name, batch.nulls.name)
    origin = batch.origin
    topics = () if origin is None else (origin.topic,)
    text, strings = _renumbered(batch.strings, batch.model, batch.version, batch.texts.text, *topics)
    return replace(
        batch,
        origin=None if origin is None else origin._replace(topic=text[origin.topic]),
        names=names,
        strings=strings,
        model=text[batch.model],
        version=text[batch.version],
        numbers=batch.numbers._replace(name=name[batch.numbers.name]),
        texts=batch.texts._replace(name=name[batch.texts.name], text=text[batch.texts.text]),
        nulls=batch.nulls._replace(name=name[batch.nulls.name]),
    )


def _renumbered(texts: Sequence[str], *columns: I32) -> tuple[I32, tuple[str, ...]]:
    """The new code of each text, and those that are in the columns, in their order. -1, none, stays what it is."""
    there = np.zeros(len(texts) + 1, bool)
    for codes in columns:
        there[codes] = True
    there[-1] = False
    new = np.cumsum(there, dtype=np.int32) - np.int32(1)
    new[-1] = -1
    return new, tuple(texts[code] for code in np.flatnonzero(there).tolist())


def origin_of(batch: Batch, event: int) -> tuple[str, int, int, int] | None:
    """Topic, partition, offset and row of an event that came by the ordered log."""
    if batch.origin is None:
        return None
    topic, partition, offset, row = (column.item(event) for column in batch.origin)
    return batch.strings[int(topic)], int(partition), int(offset), int(row)


def text_of_event(batch: Batch, name: str) -> I64:
    """For each event the string code under a name or alias, -1 where it has none; `version` is the model's version."""
    name = batch.aliases.get(name, name)
    if name == "version":
        return batch.version.astype(np.int64)
    codes = np.full(len(batch.offsets), -1, np.int64)
    if name in batch.names:
        mine = batch.texts.name == batch.names.index(name)
        codes[batch.texts.event[mine]] = batch.texts.text[mine]
    return codes


def number_of_event(batch: Batch, name: str) -> F64:
    """For each event the number under a name or alias, NaN where it has none."""
    name = batch.aliases.get(name, name)
    values = np.full(len(batch.offsets), np.nan)
    if name in batch.names:
        mine = batch.numbers.name == batch.names.index(name)
        values[batch.numbers.event[mine]] = batch.numbers.value[mine]
    return values
