"""Replay: the engine of `run` over history, at full speed, committing nothing."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np

from schemas.events.batch import Record, columns_of
from schemas.events.convert import TIME_MAX_MS
from schemas.events.decoder import Decoder
from schemas.events.native_json import Fields
from streamer.config import model as cfg
from streamer.engine.admission import RESULTS
from streamer.engine.task import Task
from streamer.port import Out, Partition, Tick

CHUNK = 500
GAP_TICKS_MAX = 10_000
"""Ticks of one gap between records: a week of minutes."""
INPUT = re.compile(r"(?:(?:(?P<topic>[A-Za-z0-9._-]+):)?(?P<partition>\d+)=)?(?P<path>.+)", re.DOTALL)


class Input(NamedTuple):
    """One file of events stands for one partition; a line's number, from 0, is its offset."""

    partition: Partition
    path: Path


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


def read_lines(path: Path, line_bytes_max: int) -> Iterator[list[Record]]:
    """Records of a JSONL file, gzipped or not, in chunks. An overlong line is cut just beyond the limit."""
    try:
        with cast("IO[bytes]", gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as handle:
            chunk: list[Record] = []
            offset = 0
            while line := handle.readline(line_bytes_max + 2):
                rest = line
                while rest and not rest.endswith(b"\n"):
                    rest = handle.readline(1 << 20)
                chunk.append(Record(offset, -1, None, line.removesuffix(b"\n").removesuffix(b"\r")))
                offset += 1
                if len(chunk) == CHUNK:
                    yield chunk
                    chunk = []
            if chunk:
                yield chunk
    except (OSError, EOFError) as error:
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or error}") from error


class Replay:
    """Tasks by partition, made when their first records come. `step` returns what `run` would have published."""

    def __init__(self, config: cfg.Config, fields: Fields, generation: int = 0) -> None:
        self.config, self.generation = config, generation
        self.decode = Decoder(fields)
        self.tasks: dict[Partition, Task] = {}
        self.due_ms: dict[Partition, int] = {}  # the next tick

    def step(self, partition: Partition, records: Sequence[Record]) -> list[Out]:
        task = self.tasks.get(partition)
        if task is None:
            task = self.tasks[partition] = Task(self.config, partition, records[0].offset, generation=self.generation)
        for part, tick in self.between_ticks(task, records):
            if part:
                task.step(self.decode(part, partition[0]))
            if tick is not None:
                task.tick(tick)
        outs = task.outbox
        task.published()
        return [out for out in outs if out.topic in ("alerts", "incidents", "dead_letter")]

    def between_ticks(self, task: Task, records: Sequence[Record]) -> Iterator[tuple[Sequence[Record], Tick | None]]:
        """Records up to each tick, and the tick. The ticks of the service are not in the topic, so the records' own
        timestamps stand for them: about when each arrived. One that cannot be, such as of microseconds, tells nothing.
        """
        interval_ms = self.config.heartbeat.interval_ms
        times_ms, begin = columns_of(records).times_ms, 0
        times_ms = np.where(times_ms < TIME_MAX_MS, times_ms, -1)
        first_ms = int(times_ms[np.argmax(times_ms >= 0)])
        due_ms = self.due_ms.get(task.partition, (first_ms // interval_ms + 1) * interval_ms)
        while (late := times_ms[begin:] >= due_ms).any():
            end = begin + int(np.argmax(late))
            yield [records[i] for i in range(begin, end)], Tick(records[end].offset, due_ms, caught_up=True)
            # After years without records nobody wants to count the minutes.
            due_ms = max(due_ms + interval_ms, int(times_ms[end]) - GAP_TICKS_MAX * interval_ms)
            begin = end
        if first_ms >= 0:
            self.due_ms[task.partition] = due_ms
        yield records if begin == 0 else [records[i] for i in range(begin, len(records))], None

    def counts(self) -> dict[str, int]:
        """Records per result over all partitions; their sum is the number of records read."""
        return {name: sum(t.admission.counts[name] for t in self.tasks.values()) for name in RESULTS}

    def reasons(self) -> dict[str, int]:
        """Dead letters per reason."""
        total: dict[str, int] = {}
        for task in self.tasks.values():
            for reason, count in task.admission.reasons.items():
                total[reason] = total.get(reason, 0) + count
        return dict(sorted(total.items()))

    def odd(self) -> dict[tuple[str, str], int]:
        """Fields left out of events, by field and reason; the most frequent first."""
        total: dict[tuple[str, str], int] = {}
        for task in self.tasks.values():
            for place, count in task.admission.odd.items():
                total[place] = total.get(place, 0) + count
        return dict(sorted(total.items(), key=lambda one: (-one[1], one[0])))
