"""A stored batch that kills whoever unpacks it is found without being unpacked here, and skipped.

librdkafka unpacks a batch as a whole, and of gzip, lz4 and snappy no setting bounds what comes of it: some 0.3 MB of
gzip are 300 MB. Whoever has no room for that is killed, at every start. Each start that reads on is written down with
the committed offset, and forgotten with the first progress; after `SUSPECT_AFTER` of them the partition is read by a
process of its own first (`lookout`), which may use a part of the memory that is left here, and dies instead of us.
Where it lives, the starts failed for another reason.

What it read before it died are the records before that batch. Where the batch ends its header says, which no client
shows; so further ones look for the first offset behind it that can be read. What lies between two such batches can be
skipped with them, if both are longer than the way between.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from schemas.events.batch import Record, Whole
from schemas.records.dead_letter import RECORD_BYTES_MAX
from streamer.config.model import Config
from streamer.kafka.client import DETAIL_MAX, consumer_settings
from streamer.kafka.lookout import CANNOT, DONE, NO_MEMORY, READY, RECORD, Order
from streamer.kafka.memory import free
from streamer.kafka.offset_metadata import SUSPECT_AFTER
from streamer.port import Committed, LogDown, Partition

TRIES = 3, 2
"""How many readers must die, of what is suspected first, and at an offset of the search: one may die by chance."""
ROOM_MIN = 64 << 20
"""A reader has half of the memory that is free here; after each further start half of that, since several batches can
be too much together, but never less than this. What unpacks to less than half of it, for it is copied, is not skipped.
"""
FREE_MIN = 2 * ROOM_MIN
"""With less, of which a reader needs some for itself, its death would say nothing about what it read."""
ONE_BATCH = {"max.partition.fetch.bytes": 1, "queued.min.messages": 1}
"""A broker sends the first batch whole, however large; and the next is not fetched before that one is taken."""
COMMAND = [sys.executable, "-P", "-m", "streamer.kafka.lookout"]
PART = 500
WAIT_S = 0.02
SILENT_S = 20.0
HANGS_S = 3 * SILENT_S
"""A reader that says nothing for that long hangs; where no broker answers it ends by itself."""
DEATHS = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS}
"""By which of its signals a reader dies of what it read. Others are sent by somebody: SIGKILL by the system, too, which
a reader's own limit comes before."""


class CannotLook(Exception):
    """No reader comes so far that its life or death says anything."""


class Seen(NamedTuple):
    """What somebody read from an offset on, before it was done or died."""

    records: list[Record]
    died: bool


class Stretch(NamedTuple):
    """What takes the place of `start <= offset < end`: records, and one for each batch that is skipped."""

    start: int
    end: int
    records: list[Record]

    @property
    def skipped(self) -> list[tuple[int, int]]:
        """First and last offsets."""
        return [(r.skipped_from, r.offset) for r in self.records if r.skipped_from is not None]


class Way(Enum):
    """How a reader reads."""

    AS_WE_DO = "several batches at once, as many bytes as we would hold"
    BY_BATCH = "as much, but one batch at a time: what was read before a death ends where the batch begins"
    ONE_RECORD = "one record"


Look = Callable[[int, Way], Generator[None, None, Seen]]
"""Reads from an offset on."""


def search(look: Look, start: int, end: int) -> Generator[None, None, Stretch | None]:
    """Every batch that nobody survives, until somebody reads on as we do and lives; None when there is none."""
    records: list[Record] = []
    at = start
    while at < end and (yield from look(at, Way.AS_WE_DO)).died:
        before, begin = yield from readable(look, at)
        if begin is None:
            break
        last = yield from last_of(look, begin, end)
        records += [*before, skipped(begin, last)]
        at = last + 1
    return Stretch(start, at, records) if records else None


def readable(look: Look, start: int) -> Generator[None, None, tuple[list[Record], int | None]]:
    """The records before the next batch that nobody survives, and where that begins; None: they all lived."""
    records: list[Record] = []
    at, deaths = start, 0
    while deaths < TRIES[0]:
        seen = yield from look(at, Way.BY_BATCH)
        if not seen.died:
            return [], None
        records += seen.records
        deaths = 1 if seen.records else deaths + 1
        at = records[-1].offset + 1 if records else start
    return records, at


def last_of(look: Look, begin: int, end: int) -> Generator[None, None, int]:
    """The last offset of the batch that begins there: first it is overtaken, then approached from both sides."""
    dead, alive, step = begin, begin + 1, 1
    while alive < end and (yield from kills(look, alive)):
        dead, step = alive, 2 * step
        alive += step
    alive = min(alive, end)
    while alive - dead > 1:
        middle = (dead + alive) // 2
        if (yield from kills(look, middle)):
            dead = middle
        else:
            alive = middle
    return dead


def skipped(first: int, last: int) -> Record:
    why = f"offsets {first} to {last}: there is no memory to unpack them"
    return Record(last, -1, None, None, unreadable=why[:DETAIL_MAX], skipped_from=first)


def kills(look: Look, offset: int) -> Generator[None, None, bool]:
    for _ in range(TRIES[1]):
        seen = yield from look(offset, Way.ONE_RECORD)
        if seen.records or not seen.died:
            return False
    return True


class Readers:
    """Starts one reader after another, each a process."""

    def __init__(self, config: Config, partition: Partition, starts: int) -> None:
        fixed = {"isolation.level": "read_committed", "enable.partition.eof": True, "log_level": 0}
        self._settings = consumer_settings(config, fixed)
        self._partition = partition
        left = free()
        if left < FREE_MIN:
            raise CannotLook(f"{left >> 20} MiB of memory are free, {FREE_MIN >> 20} are needed")
        self._room = max(left >> (starts - SUSPECT_AFTER + 1), ROOM_MIN)
        self._value_bytes = max(config.limits.message_bytes, RECORD_BYTES_MAX) + 1

    def look(self, start: int, way: Way) -> Generator[None, None, Seen]:
        """See `Look`. LogDown where no broker lets a reader read, CannotLook where it ended otherwise."""
        held = int(self._settings["queued.max.messages.kbytes"]) * 1024 + int(self._settings["fetch.max.bytes"])
        order: Order = {
            "settings": self._settings | ({} if way is Way.AS_WE_DO else ONE_BATCH),
            "topic": self._partition[0],
            "partition": self._partition[1],
            "start": start,
            "records": 1 if way is Way.ONE_RECORD else sys.maxsize,
            "bytes": held,
            "told": way is not Way.AS_WE_DO,
            "value_bytes": self._value_bytes,
            "memory": self._room,
            "silent_s": SILENT_S,
        }
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        try:
            with subprocess.Popen(COMMAND, env=ours(), **pipes) as process:
                try:
                    return (yield from self._heard(process, json.dumps(order)))
                finally:
                    process.kill()
        except OSError as error:
            raise CannotLook(f"no process can be started: {error}") from error

    def _heard(self, process: subprocess.Popen[bytes], order: str) -> Generator[None, None, Seen]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(order.encode() + b"\n")
        process.stdin.close()
        frames = msgpack.Unpacker(max_buffer_size=0)
        records: list[Record] = []
        ready, heard_s = False, time.monotonic()
        while time.monotonic() - heard_s < HANGS_S:
            yield
            if not select.select([process.stdout], [], [], WAIT_S)[0]:
                continue
            read, heard_s = os.read(process.stdout.fileno(), 1 << 20), time.monotonic()
            frames.feed(read)
            for kind, *rest in frames:
                if kind == RECORD:
                    records.append(record_of(*rest))
                elif kind == DONE:
                    return Seen(records, died=False)
                elif kind == CANNOT:
                    topic, number = self._partition
                    raise LogDown(f"{topic}[{number}]: a process of its own cannot read what comes next: {rest[0]}")
                ready |= kind == READY
            if not read:
                code = process.wait()
                if ready and (-code in DEATHS or code == NO_MEMORY):
                    return Seen(records, died=True)
                raise CannotLook(f"a reader ended with exit code {code}")
        raise CannotLook(f"a reader said nothing for {HANGS_S:g} s")


def ours() -> dict[str, str]:
    """The environment in which the command finds our modules, and not others of their names where we were started."""
    paths = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def record_of(offset: int, time_ms: int, key: Any, value: Any, headers: Any, whole: Any, unreadable: str) -> Record:
    kept = tuple((name, text) for name, text in headers)
    return Record(offset, time_ms, key, value, kept, whole and Whole(*whole), unreadable[:DETAIL_MAX])


class Stretches:
    """What was found of our partitions, and how far it is delivered."""

    def __init__(self, config: Config, logger: logging.Logger) -> None:
        self._config, self._logger = config, logger
        self._found: dict[Partition, Stretch] = {}
        self._due: dict[Partition, list[Record]] = {}
        self._passed: dict[Partition, int] = {}
        self._busy = False

    def examine(
        self, partition: Partition, start: int, end: int, starts: int
    ) -> Generator[None, None, list[tuple[int, int]]]:
        """See `streamer.port.Log.examine`."""
        self.forget(partition)
        if starts < SUSPECT_AFTER or start >= end:
            return []
        while self._busy:  # Two readers at once would have all of the memory that is free.
            yield
        self._busy, found = True, None
        try:
            found = yield from search(Readers(self._config, partition, starts).look, start, end)
        except CannotLook as why:
            self._logger.warning("%s[%d]: nobody can look whether a batch kills whoever reads it: %s", *partition, why)
        finally:
            self._busy = False
        if found is None:
            return []
        self._found[partition] = found
        return found.skipped

    def between(self, partition: Partition, start: int, end: int) -> tuple[list[list[Record]], int]:
        """For a replay: what is here of these offsets, in parts, and from where on the rest is to be read."""
        found = self._found.get(partition)
        if found is None or not found.start <= start < found.end:
            return [], start
        records = [record for record in found.records if start <= record.offset < end]
        return [records[i : i + PART] for i in range(0, len(records), PART)], found.end

    def start(self, partition: Partition, offset: int) -> bool:
        """Deliver from this offset on. False when there is nothing to be delivered by us."""
        found = self._found.get(partition)
        if found is None or offset >= found.end:
            return False
        self._due[partition] = [record for record in found.records if record.offset >= offset]
        return True

    def take(self, limit: int) -> dict[Partition, list[Record]]:
        """At most so many records."""
        taken: dict[Partition, list[Record]] = {}
        for partition, due in self._due.items():
            if due and limit > 0:
                taken[partition], self._due[partition] = due[:limit], due[limit:]
                limit -= len(taken[partition])
        return taken

    def landed(self, offsets: Mapping[Partition, Committed]) -> None:
        """So much is committed."""
        for partition, root in offsets.items():
            found = self._found.get(partition)
            if found is not None and self._due.get(partition) == [] and root.progress[0] >= found.end:
                self._passed[partition] = root.progress[0]

    def passed(self) -> list[tuple[Partition, int]]:
        """What is over, with the offset to go on at. Not before: what killed us shall be behind us, whatever comes."""
        over, self._passed = list(self._passed.items()), {}
        for partition, _ in over:
            self.forget(partition)
        return over

    def forget(self, partition: Partition) -> None:
        self._found.pop(partition, None)
        self._due.pop(partition, None)
        self._passed.pop(partition, None)
