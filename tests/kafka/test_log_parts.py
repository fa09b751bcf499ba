"""Snapshots in parts on a real broker: aborted, written twice, carried, compacted, damaged."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from confluent_kafka import Producer

from streamer.engine.snapshot import encode, pieces_of
from streamer.kafka.log import KafkaLog
from streamer.kafka.parts import cut_of, kept_of
from streamer.port import Committed, Kept, Outcome, Partition, Pointer, Snapshot, Staged, Stored
from tests.kafka.world import CONFIG_HASH, MakeTopics, World, assigned, owner, wait_for
from tests.waiting import PATIENCE_S, until

ROWS = 200_000
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "0",
}


class Life:
    """A member that writes one snapshot after another, as the worker does."""

    def __init__(self, world: World, made: MakeTopics, topic: Mapping[str, str] = COMPACTED) -> None:
        [world.state] = made("compacted", config=topic)
        self.at: Partition = (world.events, 0)
        self.log, self.kept, self.slot, self.position = owner(world), tuple[Kept, ...](), 0, 1
        self.state: dict[str, Any] = {"a": np.random.default_rng(1).normal(0, 1, ROWS), "b": np.arange(ROWS)}
        first = Snapshot(0, 0, CONFIG_HASH, b"first")
        assert self.log.commit([], {self.at: Committed(1, None)}, {self.at: first}).outcome is Outcome.DONE

    @property
    def root(self) -> Committed:
        root = self.log.committed(self.at)
        assert root is not None
        return root

    def snapshot(self) -> Snapshot:
        self.slot, self.position = 1 - self.slot, self.position + 1
        cut = cut_of(pieces_of(self.state), self.kept)
        return Snapshot(self.position, self.slot, CONFIG_HASH, b"", cut=cut, gone=cut.gone)

    def stage(self, snapshot: Snapshot, staged: Staged, records: int = 2) -> Staged:
        before = self.root
        outcome, staged = self.log.stage(self.at, snapshot, staged, records, before)
        assert outcome is Outcome.DONE
        assert self.root == before, "an offset points at none of it yet"
        return staged

    def write(self) -> tuple[Pointer, int]:
        """All of a snapshot; its pointer and how many parts were written."""
        snapshot, staged = self.snapshot(), Staged()
        assert snapshot.cut is not None
        while staged.pointer is None:
            staged = self.stage(snapshot, staged)
        assert staged.written == staged.chunks
        return self.land(snapshot, staged), len(snapshot.cut.fresh)

    def land(self, snapshot: Snapshot, staged: Staged) -> Pointer:
        assert staged.pointer is not None
        assert snapshot.cut is not None
        committed = Committed(self.position, staged.pointer)
        assert self.log.commit([], {self.at: committed}, {}).outcome is Outcome.DONE
        self.kept = (kept_of(snapshot.cut, staged.offsets, staged.pointer.sha),)
        return staged.pointer


def read(log: KafkaLog, partition: Partition, pointer: Pointer | None) -> list[Stored]:
    return [stored for stored in log.read_state(partition, pointer) if stored is not None]


def test_parts_are_carried_and_come_back_whatever_stands_between(world: World, make_topics: MakeTopics) -> None:
    life = Life(world, make_topics, {"cleanup.policy": "delete"})  # What was replaced is looked for, too.
    first, parts = life.write()
    assert parts == 4
    assert [stored.blob for stored in read(life.log, life.at, first)] == [encode(life.state)]
    life.state["a"][100:200] = 0.0
    snapshot, publisher = life.snapshot(), life.log._publisher
    assert snapshot.cut is not None
    assert sum(len(data) for _, data in snapshot.cut.fresh) < 20_000
    kept, publisher._membership = publisher._membership, lambda: next(gone)
    gone = iter([object(), None])  # The group counts us in when the part is begun, and no more at its end.
    assert life.log.stage(life.at, snapshot, Staged(), 2, life.root) == (Outcome.ABORTED, Staged())
    publisher._membership = kept
    life.stage(snapshot, Staged())  # Nobody knows whether it landed: it is sent again.
    staged = life.stage(snapshot, Staged(), 1)
    assert staged.pointer is None
    staged = life.stage(snapshot, staged, 1)
    second = life.land(snapshot, staged)
    world.close()
    heir = world.log()
    wait_for(heir, assigned(1))
    assert heir.committed(life.at) == Committed(life.position, second)
    [stored] = read(heir, life.at, second)
    assert stored.blob == encode(life.state)
    assert stored.kept is not None
    assert stored.kept.blocks.digests.tolist() == life.kept[0].blocks.digests.tolist()
    assert stored.kept.parts.offsets.tolist() == life.kept[0].parts.offsets.tolist()
    assert len(read(heir, life.at, None)) == 3, "the scan finds both, and what was written whole"
    for pointer in (second._replace(sha="0" * 64), second._replace(offset=second.offset - 1)):
        assert read(heir, life.at, pointer) == []


def test_compaction_takes_what_nobody_needs_and_nothing_else(world: World, make_topics: MakeTopics) -> None:
    life, rng = Life(world, make_topics), np.random.default_rng(2)
    pointers, written = list[Pointer](), [b"first"]
    for turn in range(8):
        pointers.append(life.write()[0])
        written.append(encode(life.state))
        begin = turn * ROWS // 8
        life.state["a"][begin : begin + ROWS // 8] = rng.normal(0, 1, ROWS // 8)
        time.sleep(0.15)  # So that segments are closed: the open one is never compacted.
    life.state = {**life.state, "a": life.state["a"].copy()}
    pointer, _ = life.write()
    wanted = encode(life.state)
    filler = Producer({"bootstrap.servers": world.broker})

    def one_more() -> None:
        filler.produce(world.state, b"x", b"filler", partition=0)
        assert filler.flush(PATIENCE_S) == 0
        [stored] = read(life.log, life.at, pointer)
        assert stored.blob == wanted
        time.sleep(0.2)

    until(lambda: not read(life.log, life.at, pointers[0]), "nothing is compacted", one_more)
    [stored] = read(life.log, life.at, pointer)
    assert stored.blob == wanted
    found = [stored.blob for stored in read(life.log, life.at, None)]
    assert found[0] == wanted, "also without a pointer, and of the older ones none is half of what it was"
    assert all(blob in written for blob in found[1:])
