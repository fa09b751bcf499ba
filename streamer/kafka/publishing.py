"""What the worker commits, as transactions: records, offsets with their metadata, snapshots.

A snapshot goes with the commit that points at it, or before it in parts, each a transaction of its own, where one would
hold more bytes than get through in time. Parts mean nothing until an offset points at them: whoever reads takes the
chunks of one snapshot in their order from the first on, whatever stands between. A chunk written once more, because
nobody knows whether it landed, stands directly behind its twin and is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from confluent_kafka import TopicPartition

from streamer.kafka.offset_metadata import to_text
from streamer.kafka.state_topic import Outgoing, StateTopic, chunks_of, count_of
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
            chunks, whole[partition] = self._part(partition, snapshot, Staged(), count_of(snapshot))
            records += chunks
        pointers: dict[Partition, Pointer] = {}

        def positions(marked: Mapping[Partition, int]) -> list[TopicPartition]:
            for partition, staged in whole.items():
                pointers[partition] = self._pointer(partition, snapshots[partition], staged, marked[partition])
            return at((p, given._replace(pointer=pointers.get(p, given.pointer))) for p, given in offsets.items())

        outcome = self._transactions.commit(records, positions, self._membership)
        return CommitResult(outcome, pointers if outcome is Outcome.DONE else {}, self._transactions.why)

    def stage(
        self, partition: Partition, snapshot: Snapshot, staged: Staged, chunks: int, root: Committed
    ) -> tuple[Outcome, Staged]:
        """See `streamer.port.Log.stage`."""
        records, then = self._part(partition, snapshot, staged, chunks)
        first = {partition: staged.first}

        def positions(marked: Mapping[Partition, int]) -> list[TopicPartition]:
            first.update(marked)
            return at([(partition, root)])

        outcome = self._transactions.commit(records, positions, self._membership)
        if outcome is not Outcome.DONE:
            return outcome, staged
        then = then._replace(first=first[partition])
        if then.written == then.chunks:
            then = then._replace(pointer=self._pointer(partition, snapshot, then, then.first))
        return outcome, then

    def _part(
        self, partition: Partition, snapshot: Snapshot, staged: Staged, chunks: int
    ) -> tuple[list[Outgoing], Staged]:
        """The next records of a snapshot, and how far it is when they are written."""
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
