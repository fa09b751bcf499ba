"""Columns of several models as the batches that the decoder makes of their JSON, with a tick after each.

A test holds the batches to what `schemas.events.decoder` makes of `json_of`: the same alerts, to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson

from benchmarks.quality.weeks import TEXTS, Columns
from schemas.events.batch import Batch, Nulls, Numbers, Record, Texts

TICK_MS = 3_600_000
"""A tick an hour, and the config says so: with one a minute all takes ten times as long. Only silence is told later."""
CODE_BITS = 40
Array = Any


class Day(NamedTuple):
    """All models' events of some stretch of time, in its order; a column per name."""

    times_ms: Array
    numbers: Array  # n x names; NaN is absent
    nulls: Array  # n x names
    texts: Array  # n x (model, version, texts): column << CODE_BITS | code; -1 is absent


class Merged:
    """The events of several models in the order of their time."""

    def __init__(self, models: Mapping[str, Columns]) -> None:
        self.models = dict(models)
        self.names = list(self.models)
        columns = list(self.models.values())
        self.number_names = tuple(dict.fromkeys(name for c in columns for name in c.numbers))
        names = dict.fromkeys(name for c in columns for name in c.texts)
        self.text_names = tuple(sorted(names, key=lambda name: not name.startswith("features.")))  # As JSON has them.
        self.all_names = self.number_names + self.text_names

    def between(self, begin_ms: int, end_ms: int) -> Day:
        parts = [self._part(i, c, begin_ms, end_ms) for i, c in enumerate(self.models.values())]
        whole = [np.concatenate(column) for column in zip(*parts, strict=True)]
        order = np.argsort(whole[0], kind="stable")
        return Day(*(column[order] for column in whole))

    def _part(self, model: int, columns: Columns, begin_ms: int, end_ms: int) -> Day:
        low, high = np.searchsorted(columns.times_ms, (begin_ms, end_ms)).tolist()
        n = high - low
        numbers = np.full((n, len(self.number_names)), np.nan)
        nulls = np.zeros((n, len(self.number_names)), bool)
        texts = np.full((n, 2 + len(self.text_names)), -1, np.int64)
        texts[:, 0], texts[:, 1] = model, 1 << CODE_BITS
        for place, name in enumerate(self.number_names):
            if name in columns.numbers:
                # As a person writes them: a float32 has seven digits and not seventeen.
                numbers[:, place] = np.round(columns.numbers[name][low:high].astype(float), 4)
            if name in columns.nulls:
                nulls[:, place] = columns.nulls[name][low:high]
                numbers[nulls[:, place], place] = np.nan
        for place, name in enumerate(self.text_names, 2):
            if name in columns.texts:
                codes = columns.texts[name][low:high].astype(np.int64)
                texts[:, place] = np.where(codes >= 0, codes | place << CODE_BITS, -1)
        return Day(columns.times_ms[low:high], numbers, nulls, texts)

    def text(self, code: int) -> str:
        place, code = code >> CODE_BITS, code & ((1 << CODE_BITS) - 1)
        return self.names[code] if place == 0 else "7" if place == 1 else TEXTS[self.text_names[place - 2]](code)

    def batch(self, day: Day, begin: int, end: int, offset: int) -> Batch:
        """The events from `begin` to `end` of a day; the first has that offset."""
        n = end - begin
        codes = day.texts[begin:end]
        there = codes.ravel() >= 0
        found, first, inverse = np.unique(codes.ravel()[there], return_index=True, return_inverse=True)
        order = np.argsort(first)  # Of first appearance, as the decoder has them.
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order))
        local = np.full(codes.size, -1, np.int32)
        local[there] = rank[inverse]
        local = local.reshape(codes.shape)
        event, name = np.nonzero(local[:, 2:] >= 0)
        number_event, number_name = np.nonzero(~np.isnan(day.numbers[begin:end]))
        null_event, null_name = np.nonzero(day.nulls[begin:end])
        i32 = np.int32
        return Batch(
            offsets=np.arange(offset, offset + n),
            times_ms=day.times_ms[begin:end],
            model=local[:, 0].copy(),
            version=local[:, 1].copy(),
            event_id=np.zeros(n, np.uint64),
            names=self.all_names,
            strings=tuple(map(self.text, found[order].tolist())),
            numbers=Numbers(
                number_event.astype(i32), number_name.astype(i32), day.numbers[begin + number_event, number_name]
            ),
            texts=Texts(event.astype(i32), (name + len(self.number_names)).astype(i32), local[event, name + 2]),
            nulls=Nulls(null_event.astype(i32), null_name.astype(i32)),
            rejects=(),
            next_offset=offset + n,
        )

    def json_of(self, day: Day, begin: int, end: int, offset: int) -> list[Record]:
        """The same events as a producer writes them."""
        records = []
        for row in range(begin, end):
            event: dict[str, Any] = {"model": self.text(int(day.texts[row, 0])), "model_version": "7"}
            event["time"] = int(day.times_ms[row]) / 1000
            for place, name in enumerate(self.number_names):
                if day.nulls[row, place] or not np.isnan(day.numbers[row, place]):
                    put(event, name, None if day.nulls[row, place] else float(day.numbers[row, place]))
            for place, name in enumerate(self.text_names, 2):
                if day.texts[row, place] >= 0:
                    put(event, name, self.text(int(day.texts[row, place])))
            value = orjson.dumps(event)
            records.append(Record(offset + row - begin, int(day.times_ms[row]), None, value))
        return records


def put(event: dict[str, Any], name: str, value: Any) -> None:
    *above, last = name.split(".")
    for member in above:
        event = event.setdefault(member, {})
    event[last] = value


def hours(day: Day, begin_ms: int, end_ms: int) -> Iterator[tuple[int, int, int]]:
    """Where each hour begins and ends in the day, and the time of the tick that ends it."""
    ticks = np.arange(begin_ms + TICK_MS, end_ms + 1, TICK_MS)
    ends = np.searchsorted(day.times_ms, ticks).tolist()
    yield from zip([0, *ends], ends, ticks.tolist(), strict=False)
