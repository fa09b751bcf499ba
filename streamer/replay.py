"""Replay: the engine of `run` over history, at full speed, committing nothing."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

from schemas.batch import Record
from schemas.decode import Fields
from schemas.decoder import Decoder
from streamer import config as cfg
from streamer.admission import RESULTS
from streamer.log import Out, Partition
from streamer.task import Task

CHUNK = 500
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

    def __init__(self, config: cfg.Config, fields: Fields) -> None:
        self.config = config
        self.decode = Decoder(fields)
        self.tasks: dict[Partition, Task] = {}

    def step(self, partition: Partition, records: Sequence[Record]) -> list[Out]:
        task = self.tasks.get(partition)
        if task is None:
            task = self.tasks[partition] = Task(self.config, partition, records[0].offset)
        task.step(self.decode(records, partition[0]))
        outs, task.outbox = task.outbox, []
        return outs

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
