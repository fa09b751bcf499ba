"""What the worker commits, as transactions: records, offsets with their metadata, snapshots.

A snapshot goes with the commit that points at it, or before it in parts, each a transaction of its own, where one would
hold more bytes than get through in time. Parts mean nothing until an offset points at them: whoever reads takes the
chunks of one snapshot in their order from the first on, whatever stands between. A chunk written once more, because
nobody knows whether it landed, stands directly behind its twin and is passed over. Of a snapshot that is cut the parts
come first, and the chunks are those of its manifest, which has their offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from confluent_kafka import TopicPartition

from streamer.kafka import manifest
from streamer.kafka.offset_metadata import to_text
from streamer.kafka.state_topic import Mark, Outgoing, StateTopic, chunks_in, chunks_of, count_of, part_of
from streamer.kafka.transactions import Transactions
from streamer.port import CommitResult, Committed, Out, Outcome, Partition, Pointer, Snapshot, Staged


class Publisher:
    """`membership` gives the group metadata to commit under, or None; see `Transactions.commit`."""

    def __init__(
        self,
        transactions: Transactions,
        state: StateTopic,
        topics: Mapping[str, str],
        membership: Callable[[], Any],
    ) -> None:
        self._transactions, self._state, self._topics, self._membership = transactions, state, topics, membership

    def commit(
        self,
        outs: Sequence[Out],
        offsets: Mapping[Partition, Committed],
        snapshots: Mapping[Partition, Snapshot],
    ) -> CommitResult:
        """See `streamer.port.Log.commit`."""
        records = [
            Outgoing(self._topics[o.topic], o.key, o.value, o.headers, -1 if o.partition is None else o.partition)
            for o in outs
        ]
        whole: dict[Partition, Staged] = {}
        for partition, snapshot in snapshots.items():
            chunks, whole[partition] = self._chunks(partition, snapshot, Staged(), count_of(snapshot))
            records += [*chunks, *self._tombstones(partition, snapshot.gone)]
        pointers: dict[Partition, Pointer] = {}

        def positions(marked: Mapping[Mark, int]) -> list[TopicPartition]:
            for partition, staged in whole.items():
                pointers[partition] = self._pointer(partition, snapshots[partition], staged, marked[partition, 0])
            return at((p, given._replace(pointer=pointers.get(p, given.pointer))) for p, given in offsets.items())

        outcome = self._transactions.commit(records, positions, self._membership)
        return CommitResult(outcome, pointers if outcome is Outcome.DONE else {}, self._transactions.why)

    def stage(
        self, partition: Partition, snapshot: Snapshot, staged: Staged, chunks: int, root: Committed
    ) -> tuple[Outcome, Staged]:
        """See `streamer.port.Log.stage`."""
        own = self._parts if snapshot.cut is not None else self._chunks
        records, then = own(partition, snapshot, staged, chunks)
        found = dict[int, int]()

        def positions(marked: Mapping[Mark, int]) -> list[TopicPartition]:
            found.update((number, offset) for (_, number), offset in marked.items())
            return at([(partition, root)])

        outcome = self._transactions.commit(records, positions, self._membership)
        if outcome is not Outcome.DONE:
            return outcome, staged
        parts = len(snapshot.cut.fresh) if snapshot.cut is not None else 0
        if staged.written < parts:
            then = then._replace(offsets=(*staged.offsets, *(found[n] for n in range(staged.written, then.written))))
        elif staged.written == parts:
            then = then._replace(first=found[0])
        if then.written == then.chunks:
            last = then._replace(written=then.written - parts)
            then = then._replace(pointer=self._pointer(partition, snapshot, last, then.first))
        return outcome, then

    def _parts(
        self, partition: Partition, snapshot: Snapshot, staged: Staged, chunks: int
    ) -> tuple[list[Outgoing], Staged]:
        """The next parts of a snapshot that is cut, and tombstones before the first; then chunks of its manifest."""
        assert snapshot.cut is not None
        fresh, place = snapshot.cut.fresh, (self._state.topic, self._state.place(partition))
        if staged.written >= len(fresh):
            listed = snapshot._replace(blob=manifest.encode(snapshot.cut, staged.offsets))
            own = staged._replace(written=staged.written - len(fresh))
            records, then = self._chunks(partition, listed, own, chunks)
            total = then.chunks + len(fresh)
            return records, then._replace(written=then.written + len(fresh), chunks=total, offsets=staged.offsets)
        numbers = range(staged.written, min(staged.written + chunks, len(fresh)))
        records = self._tombstones(partition, snapshot.gone if not staged.written else ())
        for n in numbers:
            record = part_of(place, partition, *fresh[n], self._state.group)
            records.append(record._replace(mark=(partition, n)))
        total = len(fresh) + chunks_in(manifest.size_of(snapshot.cut))
        return records, staged._replace(written=numbers.stop, chunks=total)

    def _tombstones(self, partition: Partition, names: Iterable[int]) -> list[Outgoing]:
        """Of parts that nobody needs any more."""
        place = self._state.topic, self._state.place(partition)
        return [part_of(place, partition, name, None, self._state.group) for name in names]

    def _chunks(
        self, partition: Partition, snapshot: Snapshot, staged: Staged, chunks: int
    ) -> tuple[list[Outgoing], Staged]:
        """The next chunks of what a pointer points at, and how far it is when they are written."""
        sha = staged.sha or sha256(snapshot.blob).hexdigest()
        numbers = range(staged.written, min(staged.written + chunks, count_of(snapshot)))
        place = self._state.topic, self._state.place(partition)
        records = chunks_of(place, partition, snapshot, sha, numbers, self._state.group)
        return records, Staged(numbers.stop, count_of(snapshot), staged.first, sha)

    def _pointer(self, partition: Partition, snapshot: Snapshot, staged: Staged, first: int) -> Pointer:
        own = snapshot.config, snapshot.slot, snapshot.ticks, snapshot.generation
        return Pointer(snapshot.position, self._state.place(partition), first, staged.written, staged.sha, *own)


def at(roots: Iterable[tuple[Partition, Committed]]) -> list[TopicPartition]:
    """Offsets with their metadata, as they are committed."""
    return [TopicPartition(*p, root.progress[0], metadata=to_text(root)) for p, root in roots]
