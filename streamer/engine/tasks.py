"""The stages of a config: new ones, and those of a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from schemas.events.batch import Batch, Record, columns_of
from schemas.events.packed import events_in
from streamer.config import model as cfg
from streamer.config.decoder_fields import fields_of, sides_of
from streamer.engine.engines import ENGINE, Engine
from streamer.engine.history import NOBODY_KNOWS
from streamer.engine.ordering import Ordering, writer_of
from streamer.engine.stage import Decode
from streamer.engine.task import Task
from streamer.port import Partition, Parts
from streamer.signals.columns import I64

OTHERS_MAX, NAME_MAX = 10, 255
"""Groups that are counted by name, and how long a name may be."""


class ByTopic:
    """Decodes records of a topic as what they are. See `Decode`."""

    def __init__(self, config: cfg.Config, engine: Engine = ENGINE) -> None:
        self.events: Decode = engine.decoder(fields_of(config))
        self.sides: dict[str, Decode] = {topic: engine.side(one) for topic, one in sides_of(config).items()}
        self.size = 0

    def __call__(self, records: Sequence[Record], topic: str) -> Batch:
        decode = self.sides.get(topic, self.events)
        batch = decode(records, topic)
        self.size = decode.size
        return batch


class OwnRecords:
    """Decodes those packed records that a group wrote, as its key says, and counts the events in all others: these are
    of another group, and told once more if this one has read the same topics. Older ones say nothing, and are taken.
    """

    def __init__(self, writer: bytes, decode: Decode) -> None:
        self.writer, self.decode = writer, decode
        self.others: dict[str, int] = {}  # events by who wrote them
        self.skipped = 0  # events that nobody has reported yet

    @property
    def size(self) -> int:
        """See `Decode`."""
        return self.decode.size

    def __call__(self, records: Sequence[Record], topic: str) -> Batch:
        columns, own = columns_of(records), list[Record]()
        ours = [key is None or key == self.writer for key in columns.each_key()]
        if all(ours):
            return self.decode(columns, topic)
        for record, is_ours in zip(columns, ours, strict=True):
            if is_ours:
                own.append(record)
            else:
                self._skip(record)
        batch, next_offset = self.decode(own, topic), columns.offsets.item(-1) + 1
        no_news = batch.news_at in (None, batch.next_offset)
        return replace(batch, next_offset=next_offset, news_at=next_offset if no_news else batch.news_at)

    def _skip(self, record: Record) -> None:
        name = (record.key or b"").decode("utf-8", "replace")[:NAME_MAX]
        if name not in self.others and len(self.others) >= OTHERS_MAX:
            name = "others"
        events = events_in(record.value)
        self.others[name], self.skipped = self.others.get(name, 0) + events, self.skipped + events


class Tasks:
    """Makes the tasks of a config, of its topics or of the ordered log. See `Stages`."""

    def __init__(self, config: cfg.Config, engine: Engine = ENGINE) -> None:
        self.config, self.engine = config, engine
        ordered = config.topics.ordered is not None
        self.decode: Decode = (
            OwnRecords(writer_of(config), engine.unpacker()) if ordered else engine.decoder(fields_of(config))
        )

    def new(self, partition: Partition, position: int, generation: int = 0, first_end: int = 0) -> Task:
        engine, ordered = self.engine, self.config.topics.ordered is not None
        end = NOBODY_KNOWS if ordered else first_end
        return Task(self.config, partition, position, engine=engine, generation=generation, first_end=end)

    def load(self, partition: Partition, blob: bytes | bytearray) -> Task:
        return Task.load(self.config, partition, blob, self.engine)


class Orderings:
    """Makes the stages before the ordered log. `known`: the commits of the group say what the `parts` are. See
    `Stages`.
    """

    def __init__(self, config: cfg.Config, parts: Parts, known: bool = False, engine: Engine = ENGINE) -> None:
        self.config, self.parts, self.known, self.engine = config, parts, known, engine
        self.decode: Decode = ByTopic(config, engine)
        self._look: Decode = engine.decoder(fields_of(config))  # `size` is of what was read, not of what is looked at

    def event_times(self, records: Sequence[Record], topic: str) -> I64:
        """When the event in each record was, or the first of them, in Unix ms; the time of the record where no event
        can be had, or none has a time.
        """
        columns = columns_of(records)
        batch, times_ms = self._look(records, topic), columns.times_ms.copy()
        offsets, first = np.unique(batch.offsets, return_index=True)
        times_ms[np.searchsorted(columns.offsets, offsets)] = batch.times_ms[first]
        return times_ms

    def new(self, partition: Partition, position: int, generation: int = 0, first_end: int = 0) -> Ordering:
        return Ordering(self.config, partition, position, self.parts, generation, first_end, self.engine)

    def load(self, partition: Partition, blob: bytes | bytearray) -> Ordering:
        return Ordering.load(self.config, partition, blob, self.parts, self.known, self.engine)
