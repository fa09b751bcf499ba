"""Events in files: JSON lines, or the rows of a table, whose columns are named by their place in an event.

A file that somebody chose is no live traffic: where its events are out of order by more than `limits.lateness` they are
read in the order of their times, so that none of them is late.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from schemas.events.batch import Record, columns_of
from schemas.events.fields import ABSENT, Fields, walk
from streamer.config import model as cfg
from streamer.config.decoder_fields import fields_of
from streamer.engine.tasks import ByTopic
from streamer.offline.arrow_table import read_parquet
from streamer.offline.columns import put
from streamer.offline.csv_table import is_table, read_csv
from streamer.offline.packed_file import ENDINGS
from streamer.offline.replay import CHUNK, read_lines
from streamer.offline.times import time_ms_of
from streamer.port import Partition
from streamer.signals.columns import F64, I64, Bool

TABLES = {".parquet": read_parquet, ".pq": read_parquet} | dict.fromkeys((".csv", ".tsv", ".tab", ".psv"), read_csv)
"""By the end of the name; every other file is of JSON, or else its first line names fields."""

Read = Callable[[], Iterator[list[Record]]]


def chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    """The items, CHUNK at a time."""
    left = iter(items)
    while some := list(islice(left, CHUNK)):
        yield some


def reading(path: Path, config: cfg.Config, model: str | None = None) -> tuple[Read, tuple[str, ...]]:
    """What reads the records of a file as they stand, as often as wanted; what a person should know of its columns."""
    packed = path.suffix.lower() in ENDINGS
    table = TABLES.get(Path(path.stem).suffix.lower() if packed else path.suffix.lower())
    fields = fields_of(config)
    if table is None and fields.plan is None and is_table(path, fields):
        table = read_csv
    if table is None or (packed and table is read_parquet):
        lines = partial(read_lines, path, config.limits.message_bytes, fields.plan is None)
        return (lines if model is None else _naming(lines, fields, model)), ()
    plan, rows = table(path, fields, model)
    return lambda: chunks(rows()), plan.notes


def _naming(read: Read, fields: Fields, model: str) -> Read:
    """The same records, and the model in those that do not name it."""
    steps = fields.selectors[0].steps
    return lambda: ([_named(record, steps, model) for record in records] for records in read()) if steps else read()


def _named(record: Record, steps: Sequence[tuple[str, int]], model: str) -> Record:
    try:
        event = json.loads(record.value or b"")
    except (ValueError, RecursionError):
        return record
    if type(event) is not dict or walk(tuple(steps), event) not in (ABSENT, None, ""):
        return record
    try:
        put(event, tuple(name for name, _ in steps), model)
    except (TypeError, AttributeError):
        return record  # Something else stands on the way to the place.
    return record._replace(value=json.dumps(event).encode())


class Span(NamedTuple):
    """From a line or time on, and before another; None for the ends of the file. A line counts from 0."""

    begin: str | None = None
    end: str | None = None

    def within(self, times_ms: F64) -> Bool:
        """Which records of a file, whose times are given."""
        here = np.ones(len(times_ms), bool)
        for text, later in ((self.begin, np.greater_equal), (self.end, np.less)):
            if text is not None:
                place = text.isdigit()
                here &= later(np.arange(len(times_ms)) if place else times_ms, int(text) if place else time_ms_of(text))
        return here


WHOLE = Span()


class EventFiles:
    """Files of events, each of which stands for a partition; iterating reads them. BadInput for one that cannot be
    read. `notes`: what a person should know of the columns. `topic`: of which records are; that of events by default.
    """

    def __init__(
        self, paths: Sequence[Path], config: cfg.Config, model: str | None = None, span: Span = WHOLE, topic: str = ""
    ) -> None:
        self.paths, self.config, self.span = paths, config, span
        self.topic = topic or config.topics.first()
        self.fields, self.notes = fields_of(config), list[str]()
        self.order: dict[int, I64] = {}  # of a file that is not read as it stands: the place of each of its records
        self.here: dict[int, Bool] = {}  # of a file that was looked through: which of its records are in the span
        self.reads = list[Read]()
        for path in paths:
            read, notes = reading(path, config, model)
            self.reads.append(read)
            self.notes += notes

    def __iter__(self) -> Iterator[tuple[Partition, list[Record]]]:
        for number, read in enumerate(self.reads):
            for records in self._ordered(number, read):
                yield (self.topic, number), records

    def total(self) -> int:
        """The records of all files that are in the span; each is looked through."""
        for number, read in enumerate(self.reads):
            self._look(number, read)
        return sum(int(np.count_nonzero(here)) for here in self.here.values())

    def place(self, partition: Partition, offset: int) -> str:
        """Where a record stands: `events.jsonl:12`; of a table the row counts from 1, below its header."""
        number = partition[1]
        at = self.order[number].item(offset) if number in self.order else offset
        return f"{self.paths[number]}:{at + 1}"

    def _look(self, number: int, read: Read) -> None:
        """Note which records are in the span, and their order where it is not that of the file."""
        times_ms = self._times(number, read)
        self.here[number] = here = self.span.within(times_ms)
        newest = np.maximum.accumulate(times_ms) if len(times_ms) else times_ms
        if (times_ms < newest - self.config.limits.lateness_ms).any():
            order = np.argsort(times_ms, kind="stable")
            self.order[number] = order[here[order]]

    def _ordered(self, number: int, read: Read) -> Iterator[list[Record]]:
        if number not in self.here:
            self._look(number, read)
        here, order = self.here[number], self.order.get(number)
        if order is None:
            for records in read():
                kept = [record for record in records if here[record.offset]]
                if kept:
                    yield kept
            return
        all_of = [record for records in read() for record in records]
        for places in chunks(enumerate(order.tolist())):
            yield [all_of[place]._replace(offset=offset) for offset, place in places]

    def _times(self, number: int, read: Read) -> F64:
        """The time of every record; one that cannot be read has its own, or that of the one before it, and so stays
        with it.
        """
        decode = ByTopic(self.config)
        found: list[F64] = [np.zeros(0)]
        last = 0.0
        for records in read():
            batch, own = decode(records, self.topic), columns_of(records).times_ms
            times = np.where(own >= 0, own, np.nan)
            times[batch.offsets - records[0].offset] = batch.times_ms
            known = np.maximum.accumulate(np.where(np.isnan(times), -1, np.arange(len(times))))
            found.append(np.where(known < 0, last, times[known]))
            last = found[-1].item(-1)
        return np.concatenate(found)
