"""When a partition's state is written down, and what a commit says of where it stands."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from streamer.config import model as cfg
from streamer.engine.snapshot import pieces_of
from streamer.kafka.offset_metadata import TICKS_MAX
from streamer.kafka.parts import cut_of, names_of
from streamer.port import Committed, Cut, Kept, Partition, Pointer, Snapshot
from streamer.service.partitions import InPlace, LivePartition, Pool, Staging, Stats, newest

ROOM_BYTES = 2_000_000
"""Of snapshots, in one commit. Larger ones, and what is left over of many small ones, go before it, by records."""
PARTS_BYTES = 2_000_000
"""Of a snapshot of more only what has changed since the last one is written."""


def written(kept: Sequence[Kept], whole: bool, state: dict[str, Any]) -> bytes | Cut:
    """The bytes of a snapshot, or of a large one what is to be written of them, unless it must be `whole`."""
    pieces = pieces_of(state)
    if whole or sum(len(piece.data) for piece in pieces) <= PARTS_BYTES:
        return b"".join(piece.data for piece in pieces)
    return cut_of(pieces, kept)


def pointer_of(owned: LivePartition) -> Pointer | None:
    """To the newest snapshot that is there in whole, whether an offset points at it yet or not."""
    staged = owned.staging.staged.pointer if owned.staging is not None else None
    return staged or owned.pointer


def root(owned: LivePartition, snapshot: Snapshot | None) -> Committed:
    """What the commit writes down of a partition: where it stands, its snapshot, the ticks since that, and who began
    here without a word since.
    """
    pointer = pointer_of(owned)
    seen = snapshot.ticks if snapshot is not None else pointer.ticks if pointer is not None else 0
    starts = owned.starts if owned.task.position == owned.begun else 0
    return Committed(
        owned.task.position, pointer, owned.task.ticks, newest(owned, seen), starts, parts=owned.task.parts
    )


class Snapshots:
    """Of all partitions of a worker. The loop only waits for the copy of a state; it is encoded beside the loop and
    goes with a later commit, except where the first or the last one must have it.
    """

    def __init__(self, config: cfg.Config, pool: Pool | None, clock: Callable[[], float], stats: Stats) -> None:
        self.in_place: Pool = InPlace()
        self.pool = pool or self.in_place
        self.config, self.clock, self.stats = config, clock, stats

    def carried(self, chosen: Mapping[Partition, LivePartition], at_once: bool) -> dict[Partition, Snapshot]:
        """The snapshots that a commit of these partitions carries."""
        found: dict[Partition, Snapshot] = {}
        room = ROOM_BYTES
        for partition, owned in chosen.items():
            if (snapshot := self.due(owned, at_once, room)) is not None:
                found[partition] = snapshot
                room -= len(snapshot.blob)
        return found

    def due(self, owned: LivePartition, at_once: bool, room: int) -> Snapshot | None:
        """The snapshot of one that the next commit carries, if any. One of more than `room` bytes is staged instead;
        what is staged is finished before another one is begun.
        """
        if owned.staging is not None:
            return None
        before, place = owned.pointer, (owned.task.position, owned.task.ticks)
        fresh = before is None or before.position != place[0] or len(owned.ticks) > TICKS_MAX // 2
        whole = owned.root.offset is None  # Without an offset there is nothing to stage by.
        work = partial(written, owned.kept, whole)
        if fresh and (before is None or at_once):
            owned.writing = *place, self.in_place.submit(work, self._state(owned))
        elif fresh and owned.writing is None and self.clock() >= owned.snapshot_due_s:
            owned.writing = *place, self.pool.submit(work, self._state(owned))
        if owned.writing is None or not owned.writing[2].done():
            return None
        position, seen, future = owned.writing
        made, own = future.result(), (position, 1 - owned.slot, self.config.config_hash)
        if isinstance(made, Cut):
            snapshot = Snapshot(*own, b"", seen, owned.task.generation, made, made.gone)
        else:
            snapshot = Snapshot(*own, made, seen, owned.task.generation)
        owned.snapshot_bytes = snapshot.size
        if snapshot.cut is None and (snapshot.size <= room or whole):
            return snapshot._replace(gone=tuple(sorted(names_of(owned.kept))))
        owned.staging = Staging(snapshot)
        return None

    def period_s(self, partition: Partition) -> float:
        """From three quarters of the interval to all of it, each partition its own: a commit that carries the snapshots
        of all of them is a slow one, and equal periods would stay in step.
        """
        phase = zlib.crc32(f"{partition[0]}-{partition[1]}".encode()) / 2**32
        return self.config.commit.snapshot_interval_ms / 1000 * (1.0 - 0.25 * phase)

    def _state(self, owned: LivePartition) -> dict[str, Any]:
        begin_s = self.clock()
        state = owned.task.state()
        self.stats.timings.append(("checkpoint_seconds", self.clock() - begin_s))
        return state
