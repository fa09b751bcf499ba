"""Replay: the engine of `run` over history, at full speed, committing nothing."""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from schemas.events.batch import Batch, Record
from schemas.events.decoder import Decoder
from schemas.events.native_json import Fields
from schemas.events.packing import Unpacker
from streamer.config import model as cfg
from streamer.engine.ordering import writer_of
from streamer.engine.task import Task
from streamer.engine.tasks import OwnRecords
from streamer.engine.unpaired import in_words
from streamer.offline.account import Account, Rejects
from streamer.offline.joined import Joined, Run
from streamer.offline.json_values import LOOK, is_values, values
from streamer.offline.packed_file import BROKEN, opened
from streamer.offline.raw_records import AROUND, record_of
from streamer.offline.ticks import Ticks
from streamer.port import Out, Partition, Tick

CHUNK = 500
ALL = -1
"""The clock of records of several partitions that come in their order."""
BASE = {"version": 1, "kafka": {"brokers": "none:9092"}, "topics": {"events": ["inferences"]}}
"""What a config may leave out where no broker is asked."""
TOLD = ("alerts", "shadow", "incidents", "control", "windows", "review", "dead_letter")
INPUT = re.compile(r"(?:(?:(?P<topic>[A-Za-z0-9._-]+):)?(?P<partition>\d+)=)?(?P<path>.+)", re.DOTALL)


class Input(NamedTuple):
    """One file of events stands for one partition; a line's number, from 0, is its offset."""

    partition: Partition
    path: Path


class Cut(NamedTuple):
    """Records of a partition as its task takes them, and what is published of those that are no events."""

    partition: Partition  # of the task
    begin: int  # first offset
    parts: list[tuple[Batch | None, Tick | None]]  # the batch up to each tick, and the tick
    letters: list[Out]


class BadInput(Exception):
    """A file that cannot be read; the message names it."""


def parse_inputs(texts: Iterable[str], topic: str) -> list[Input]:
    """`FILE`, `2=FILE` or `topic:2=FILE`; without a number the position in the list is the partition."""
    inputs: list[Input] = []
    for position, text in enumerate(texts):
        match = INPUT.fullmatch(text)
        if match is None:
            raise BadInput("an empty --input")
        number = int(match["partition"]) if match["partition"] else position
        inputs.append(Input((match["topic"] or topic, number), Path(match["path"])))
    if len({i.partition for i in inputs}) != len(inputs):
        raise BadInput("two --input files stand for the same partition")
    return inputs


UTF16 = (BOM_UTF16_LE, BOM_UTF16_BE)


def read_lines(path: Path, line_bytes_max: int, arrays: bool = True) -> Iterator[list[Record]]:
    """Records of a JSONL file, packed or not, in chunks: a line is the value of one, or the whole of it, see
    `raw_records.py`; of what is no file of lines each value, see `json_values.py`. An overlong one is cut just beyond
    the limit. `arrays`: one that is the whole file is a list of values.
    """
    try:
        with opened(path) as handle:
            head = handle.read(LOOK)
        if head.startswith(UTF16):
            raise BadInput(f"{path}: is UTF-16: save it as UTF-8")
        mark = len(BOM_UTF8) * head.startswith(BOM_UTF8)
        with opened(path) as handle:
            handle.read(mark)
            if is_values(head[mark:], arrays):
                pieces = iter(partial(handle.read, LOOK), b"")
                texts = values(pieces, 2 * line_bytes_max + AROUND, arrays)
            else:
                texts = _lines(handle, 2 * line_bytes_max + AROUND)
            numbered = enumerate(texts)
            while some := list(islice(numbered, CHUNK)):
                yield [
                    record_of(offset, text) or Record(offset, -1, None, text[: line_bytes_max + 2])
                    for offset, text in some
                ]
    except BROKEN as error:
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _lines(handle: BinaryIO, longest: int) -> Iterator[bytes]:
    while line := handle.readline(longest):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = handle.readline(1 << 20)
        yield line.removesuffix(b"\n").removesuffix(b"\r")


class Replay:
    """Tasks by partition, made when their first records come. `step` returns what `run` would have published.
    `ticking`: time passes; who only learns from events needs none. `first_end`: what is before it was there when the
    group first came, and was read as school; while it was, nobody listened for a silence. `together`: with
    `kafka.order: model` all records come in their order, and are of the tasks of the ordered log.
    """

    def __init__(
        self,
        config: cfg.Config,
        fields: Fields,
        generation: int = 0,
        ticking: bool = True,
        first_end: int = 0,
        together: bool = False,
    ) -> None:
        self.config, self.generation, self.ticking, self.first_end = config, generation, ticking, first_end
        self.decode, self.unpack = Decoder(fields), OwnRecords(writer_of(config), Unpacker())
        self.roles = config.roles()
        self.tasks: dict[Partition, Task] = {}
        self.ticks, self.rejects = Ticks(config.heartbeat.interval_ms, config.limits), Rejects()
        self.joined = Joined(config, generation) if together and config.topics.ordered else None

    def step(self, partition: Partition, records: Sequence[Record]) -> list[Out]:
        """What is published of these; their places in a partition ascend."""
        return self.steps([(partition, records)])

    def steps(self, runs: Sequence[Run]) -> list[Out]:
        """The same of records of several partitions that follow each other."""
        return [out for cut in self.cuts(runs) for out in cut.letters + self.take(cut)]

    def cuts(self, runs: Sequence[Run]) -> list[Cut]:
        """The records decoded, and cut where a tick is due, of each task that they are of."""
        if self.joined is None or any(topic == self.joined.topic for (topic, _), _ in runs):
            return [self._cut(partition, records) for partition, records in runs]
        cuts: dict[Partition, Cut] = {}

        def cut_of(at: Partition, begin: int) -> Cut:
            return cuts.setdefault(at, Cut(at, begin, [], []))

        at_once = self.joined.topic, ALL
        for one in self.joined.stretches(runs):
            for partition, found in one.found.items():
                self.rejects.take(partition, found)
            if letters := self.joined.letters(one):
                cut_of((self.joined.topic, 0), self.joined.next[0]).letters.extend(letters)
            for batch, tick in self._parts(at_once, one.records, one.batch):
                for at, begin, mine in () if batch is None else self.joined.shared(batch, one.everywhere):
                    cut_of(at, begin).parts.append((mine, None))
                for part, end in enumerate(self.joined.next):  # Time passes for all of them, as in the service.
                    if tick is not None and end:
                        at = self.joined.topic, part
                        cut_of(at, end).parts.append((None, tick._replace(offset=end)))
        return list(cuts.values())

    def _cut(self, partition: Partition, records: Sequence[Record]) -> Cut:
        in_order = partition[0] == self.config.topics.ordered
        batch = (self.unpack if in_order else self.decode)(records, partition[0])
        self.rejects.take(partition, batch)
        return Cut(partition, records[0].offset, self._parts(partition, records, batch), [])

    def _parts(
        self, partition: Partition, records: Sequence[Record], batch: Batch
    ) -> list[tuple[Batch | None, Tick | None]]:
        batch = replace(batch, aliases=self.roles)  # Whoever looks at a part knows what is about another event.
        return list(self.ticks.cut(partition, records, batch)) if self.ticking else [(batch, None)]

    def take(self, cut: Cut) -> list[Out]:
        """What the task publishes of them."""
        task = self.tasks.get(cut.partition)
        if task is None:
            generation, first_end = self.generation, self.first_end
            task = Task(self.config, cut.partition, cut.begin, generation=generation, first_end=first_end)
            task.beats = False  # Signs of life are most of what a tick takes, and nobody reads them here.
            begun_ms, (topic, _) = self.ticks.begun_ms, cut.partition
            task.tick_ms = begun_ms.get(cut.partition, begun_ms.get((topic, ALL), 0))
            self.tasks[cut.partition] = task
        for part, tick in cut.parts:
            if part is not None:
                task.step(part)
            if tick is not None:
                task.tick(tick._replace(caught_up=tick.offset >= self.first_end))
        outs = task.outbox
        task.published()
        return [out for out in outs if out.topic in TOLD]

    def account(self) -> Account:
        """What became of all records."""
        counts = [task.admission.counts for task in self.tasks.values()]
        return self.rejects.account([*counts, *([] if self.joined is None else [self.joined.counts])])

    def pairs(self) -> str | None:
        """What became of requests and answers, in a sentence; None where nothing is paired."""
        found = [task.pairs for task in self.tasks.values() if task.pairs is not None]
        waiting = sum(one.waiting for one in found)
        return in_words(sum(p.paired for p in found), sum(p.alone for p in found), waiting) if found else None

    def odd(self) -> dict[tuple[str, str], int]:
        """Fields left out of events, by field and reason; the most frequent first. Times that are not believed, too."""
        total: dict[tuple[str, str], int] = {}
        for task in self.tasks.values():
            for place, count in task.admission.odd.items():
                total[place] = total.get(place, 0) + count
        return dict(sorted(total.items(), key=lambda one: (-one[1], one[0])))
