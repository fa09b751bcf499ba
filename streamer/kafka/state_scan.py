"""Which snapshots the state topic holds: each of its partitions is read once, for all whose snapshots are in it."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.events.batch import Record
from streamer.kafka.client import Probe
from streamer.kafka.reader import Readers
from streamer.port import Partition, Pointer

KEY = re.compile(rb"([A-Za-z0-9._-]+)/(\d{1,10})/(\d)/(\d{1,6})")
Identity = tuple[int, str, str, int, int]
"""Of a snapshot: S, sha256 of the blob, config hash, number of chunks, slot."""


class Chunk(NamedTuple):
    """One record of a snapshot, as stored."""

    partition: Partition
    snapshot: Identity
    number: int
    value: bytes


@dataclass(slots=True)
class PartialSnapshot:
    """Chunks 0..count-1 of a snapshot seen so far in a scan."""

    first: int  # offset of chunk 0
    last: int  # and of the newest
    count: int


@dataclass(slots=True)
class Scan:
    """What is known of one partition of the state topic."""

    next: int = 0  # offset to read from
    reading: bool = False
    behind: bool = True  # there may be more by now that concerns us
    found: dict[Partition, dict[Identity, PartialSnapshot]] = field(default_factory=dict)


class Scans:
    """What was read is kept while something is restored, and what came since is read behind it."""

    def __init__(self, topic: str, readers: Readers, probe: Probe, group: str) -> None:
        self._topic, self._readers, self._probe, self._group = topic, readers, probe, group
        self._scans: dict[int, Scan] = {}
        self._written: set[Partition] = set()

    def more(self) -> None:
        """There may be new ones that concern us: partitions were assigned."""
        for scan in self._scans.values():
            scan.behind = True

    def wrote(self, partitions: Iterable[Partition]) -> None:
        """There are new ones of these, which we have written; what is restored beside them need not read those."""
        self._written.update(partitions)

    def forget(self) -> None:
        self._scans.clear()
        self._written.clear()

    def snapshots(self, place: int, partition: Partition) -> Generator[None, None, list[Pointer]]:
        """Every complete snapshot of the partition, the last written first: where a topic was made anew the one of the
        highest position can be the oldest. Reads to the HIGH watermark: behind the last stable offset of an open
        foreign transaction may stand what we committed ourselves.
        """
        scan = self._scans.setdefault(place, Scan())
        while scan.reading:
            yield
        if scan.behind or partition in self._written:
            self._written.discard(partition)
            yield from self._read_on(place, scan)
        complete = [
            (entry.last, Pointer(position, place, entry.first, count, sha, config))
            for (position, sha, config, count, _), entry in scan.found.get(partition, {}).items()
            if entry.count == count
        ]
        return [pointer for _, pointer in sorted(complete, reverse=True)]

    def _read_on(self, place: int, scan: Scan) -> Generator[None, None, None]:
        scan.reading = True
        try:
            scan.behind = False  # Whatever comes from here on says so again.
            low, high = self._probe.begin_end((self._topic, place))
            if high < scan.next:
                scan.found, scan.next = {}, low  # Made anew.
            scan.next = max(scan.next, low)
            if scan.next < high:
                for records in self._readers.read((self._topic, place), scan.next, high):
                    yield None
                    note(scan.found, records, self._group)
                    scan.next = records[-1].offset + 1 if records else scan.next
            scan.next = high
        except BaseException:
            scan.behind = True  # Also when the partition went to another member half way.
            raise
        finally:
            scan.reading = False


def chunk_of(record: Record, group: str = "") -> Chunk | None:
    """The chunk of a snapshot that the record is, or None for anything else; nothing is trusted. One of another group
    is none of ours.
    """
    match = KEY.fullmatch(record.key or b"")
    if match is None or record.value is None:
        return None
    headers = {name: (value or b"").decode("ascii", "replace") for name, value in record.headers}
    if headers.get("group", group) != group:
        return None
    position, count = headers.get("position", ""), headers.get("chunks", "")
    if re.fullmatch(r"\d{1,19}", position) is None or re.fullmatch(r"[1-9]\d{0,5}", count) is None:
        return None
    identity = int(position), headers.get("sha256", ""), headers.get("config", ""), int(count), int(match[3])
    return Chunk((match[1].decode(), int(match[2])), identity, int(match[4]), record.value)


def note(found: dict[Partition, dict[Identity, PartialSnapshot]], records: Iterable[Record], group: str = "") -> None:
    """Enter the chunks among `records` into the index of a scan."""
    for record in records:
        chunk = chunk_of(record, group)
        if chunk is None:
            continue
        own = found.setdefault(chunk.partition, {})
        entry = own.get(chunk.snapshot)
        if chunk.number == 0:
            # The same snapshot written again: the later copy counts.
            own[chunk.snapshot] = PartialSnapshot(record.offset, record.offset, 1)
        elif entry is not None and chunk.number == entry.count:
            entry.last, entry.count = record.offset, entry.count + 1
