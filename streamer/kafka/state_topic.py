"""Snapshots in the state topic: cut into chunks that fit a record, found again by pointer or by a scan.

A chunk's key is `topic/partition/slot/index`, so that compaction keeps the newest write of each of the two slots. Its
headers name the snapshot it belongs to; a slot of which compaction or a later, shorter snapshot left only some is
thereby seen to be incomplete. Of a large snapshot the chunks are those of its manifest; its parts, whose keys are
`topic/partition/part/name`, are found by the offsets that the manifest has.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np

from schemas.events.batch import Record
from streamer.config.model import Config
from streamer.kafka import manifest
from streamer.kafka.client import Limits, Probe
from streamer.kafka.diagnosis import silent_logger
from streamer.kafka.manifest import Manifest
from streamer.kafka.offsets import roots_of
from streamer.kafka.parts import found_again
from streamer.kafka.reader import Readers
from streamer.kafka.state_scan import Chunk, Scans, chunk_of
from streamer.port import I64, LogGap, Partition, Pointer, Snapshot, Stored

CHUNK_BYTES = 900_000
"""A record with its key, headers and batch framing stays below the broker's default limit of 1,048,588 bytes."""

GAP = 100
"""Parts that are further apart are read one after another; of others what lies between is read, too."""


Mark = tuple[Partition, int]
"""Of a snapshot of this partition the record of this number: its parts, then its first chunk."""


class Unusable(Exception):
    """A snapshot that is not, or no longer, what its pointer says."""


class Outgoing(NamedTuple):
    """A record to produce. `mark` names the one whose offset the caller needs."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    partition: int = -1
    mark: Mark | None = None


def chunks_in(size: int) -> int:
    """How many records so many bytes are, at least one."""
    return max(1, -(-size // CHUNK_BYTES))


def count_of(snapshot: Snapshot) -> int:
    """How many chunks what is pointed at is."""
    return chunks_in(len(snapshot.blob))


def chunks_of(
    place: Partition, partition: Partition, snapshot: Snapshot, sha: str, numbers: Iterable[int], group: str = ""
) -> list[Outgoing]:
    """The records of a snapshot that have these numbers. `place`: where they go. `sha`: the sha256 of its blob."""
    blob, count = snapshot.blob, count_of(snapshot)
    named = {"position": snapshot.position, "sha256": sha, "config": snapshot.config, "chunks": count}
    named |= {"group": group} if group else {}
    headers = tuple((name, str(value).encode()) for name, value in named.items())
    return [
        Outgoing(
            place[0],
            f"{partition[0]}/{partition[1]}/{snapshot.slot}/{i}".encode(),
            blob[i * CHUNK_BYTES : (i + 1) * CHUNK_BYTES],
            headers,
            place[1],
            (partition, 0) if i == 0 else None,
        )
        for i in numbers
    ]


def part_of(place: Partition, partition: Partition, name: int, data: bytes | None, group: str = "") -> Outgoing:
    """The record of a part, or its tombstone."""
    headers = (("group", group.encode()),) if group else ()
    return Outgoing(place[0], part_key(partition, name), data, headers, place[1])


def part_key(partition: Partition, name: int) -> bytes:
    return f"{partition[0]}/{partition[1]}/part/{name}".encode()


class StateTopic:
    """Reads snapshots back. Partition p of any input keeps its state in partition p mod n."""

    def __init__(
        self, topic: str, partitions: int, readers: Readers, probe: Probe, logger: Any, group: str = ""
    ) -> None:
        self.topic, self.partitions, self.group = topic, partitions, group
        self._readers, self._probe, self._logger = readers, probe, logger
        self.scans = Scans(topic, readers, probe, group)

    def place(self, partition: Partition) -> int:
        return partition[1] % self.partitions

    def read(self, partition: Partition, pointer: Pointer | None) -> Iterator[Stored | None]:
        """See `streamer.port.Log.read_state`."""
        if pointer is not None:
            stored = yield from self._fetch(partition, pointer)
            if stored is not None:
                yield stored
            return
        # Blobs are fetched one by one after the scan, so that memory holds one of them and not the partition.
        found = yield from self.scans.snapshots(self.place(partition), partition)
        for candidate in found:
            stored = yield from self._fetch(partition, candidate)
            if stored is not None:
                yield stored

    def _fetch(self, partition: Partition, pointer: Pointer) -> Generator[None, None, Stored | None]:
        try:
            blob = yield from self._pointed(partition, pointer)
            if not blob.startswith(manifest.MAGIC):
                return Stored(blob)
            return (yield from self._put_together(partition, pointer, blob))
        except (Unusable, LogGap) as why:
            self._logger.warning(
                "snapshot %s[%d]@%d (state partition %d, offset %d, %d chunks) is not usable: %s",
                *partition,
                pointer.position,
                pointer.partition,
                pointer.offset,
                pointer.chunks,
                why,
            )
            return None

    def _pointed(self, partition: Partition, pointer: Pointer) -> Generator[None, None, bytes]:
        if pointer.partition >= self.partitions:
            raise Unusable(f"the state topic has {self.partitions} partitions")
        place = self.topic, pointer.partition
        low, high = self._probe.begin_end(place)
        if not (low <= pointer.offset and pointer.offset + pointer.chunks <= high):
            raise Unusable(f"the state partition holds offsets {low} to {high}")
        parts: list[bytes] = []
        for records in self._readers.read(place, pointer.offset, high):
            yield None
            for record in records:
                chunk = chunk_of(record, self.group)
                fits = chunk is not None and chunk.partition == partition and self._fits(chunk, pointer, len(parts))
                if not parts and not (fits and record.offset == pointer.offset):
                    raise Unusable(f"offset {record.offset} holds something else")
                if chunk is not None and fits and len(parts) < pointer.chunks:
                    parts.append(chunk.value)  # Chunks of other partitions may stand in between.
            if len(parts) == pointer.chunks:
                break
        blob = b"".join(parts)
        if len(parts) < pointer.chunks:
            raise Unusable(f"only {len(parts)} of its chunks are left")
        if sha256(blob).hexdigest() != pointer.sha:
            raise Unusable("its bytes do not match its checksum")
        return blob

    def _put_together(self, partition: Partition, pointer: Pointer, blob: bytes) -> Generator[None, None, Stored]:
        """A snapshot from its parts; its own checksum says whether it is what it was."""
        try:
            found = manifest.decode(blob)
        except ValueError as error:
            raise Unusable(str(error)) from error
        place = self.topic, pointer.partition
        low, high = self._probe.begin_end(place)
        offsets = np.sort(found.parts.offsets)
        if len(offsets) and not (low <= offsets[0] and offsets[-1] < high):
            raise Unusable(f"the state partition holds offsets {low} to {high}")
        whole, missing, extents = bytearray(found.size), set(offsets.tolist()), by_offset(found)
        for stretch in np.split(offsets, np.flatnonzero(np.diff(offsets) > GAP) + 1):
            for records in self._readers.read(place, int(stretch[0]), int(stretch[-1]) + 1) if len(stretch) else ():
                yield None
                for record in records:
                    if record.offset in missing:
                        self._put(whole, record, partition, found, extents[record.offset])
                        missing.discard(record.offset)
        if missing:
            raise Unusable(f"of its parts {len(missing)} are not there any more")
        return Stored(whole, found_again(found, whole, pointer.sha))

    def _put(self, whole: bytearray, record: Record, partition: Partition, found: Manifest, own: I64) -> None:
        """What a part holds goes to its places. `own`: of each extent the part, its begin there, size, begin here."""
        number = int(own[0, 0]) if len(own) else 0
        name, size = int(found.parts.numbers[number]), int(found.parts.sizes[number])
        groups = {value for header, value in record.headers if header == "group"}
        if record.key != part_key(partition, name) or not groups <= {self.group.encode()}:
            raise Unusable(f"offset {record.offset} holds something else")
        if record.value is None or len(record.value) != size:
            raise Unusable(f"its part at offset {record.offset} is not whole")
        for _, begin, length, at in own.tolist():
            whole[at : at + length] = record.value[begin : begin + length]

    def _fits(self, chunk: Chunk, pointer: Pointer, index: int) -> bool:
        named = chunk.snapshot[:4] == (pointer.position, pointer.sha, pointer.config, pointer.chunks)
        return named and chunk.number == index


def by_offset(found: Manifest) -> dict[int, I64]:
    """Of each part by its offset its extents, with where they begin in the snapshot."""
    size = found.extents[:, 2]
    table = np.column_stack([found.extents, np.cumsum(size) - size])
    table = table[np.argsort(table[:, 0], kind="stable")]
    bounds = np.searchsorted(table[:, 0], np.arange(len(found.parts.offsets) + 1))
    return {offset: table[bounds[k] : bounds[k + 1]] for k, offset in enumerate(found.parts.offsets.tolist())}


def newest_snapshots(config: Config, partitions: Iterable[Partition]) -> list[bytes | bytearray | None]:
    """The snapshots that the commits of the group point at, without a part in it; None where none does."""
    limits, quiet, wanted = Limits(), silent_logger(), list(partitions)
    roots = roots_of(config, wanted)
    probe = Probe(config, quiet, limits)
    readers = Readers(config, quiet, probe, limits)
    count = probe.partitions([config.topics.state])[config.topics.state]
    topic = StateTopic(config.topics.state, count, readers, probe, quiet, config.kafka.group)
    try:
        pointers = (roots[partition].pointer if partition in roots else None for partition in wanted)
        read = [iter(()) if at is None else topic.read(one, at) for one, at in zip(wanted, pointers, strict=True)]
        stored = (next(filter(None, found), None) for found in read)
        return [None if one is None else one.blob for one in stored]
    finally:
        readers.close()
        probe.close()
