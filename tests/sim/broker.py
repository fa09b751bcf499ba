"""An in-memory Kafka for the simulator: partitions, a group with generations, transactions, a compacted state topic.

It models what the commit protocol depends on and nothing else: offsets of an open transaction hide the committed
offset; a commit is checked against the *member*, not against the partition (as Kafka does); a member that does not
poll is evicted and learns it late; an EndTxn may be applied although its answer never arrives. While it is down nobody
gets an answer, and whatever was on its way may or may not have arrived.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from schemas.events.batch import Record
from streamer.kafka import blocks, parts, state_topic
from streamer.kafka.killer_batch import skipped
from streamer.kafka.offset_metadata import SUSPECT_AFTER, from_text
from streamer.kafka.publishing import Publisher
from streamer.kafka.state_topic import Mark, Outgoing, StateTopic, chunk_of
from streamer.port import (
    Assigned,
    CommitResult,
    Committed,
    LogDown,
    LogEvent,
    LogGap,
    Lost,
    Out,
    Outcome,
    Partition,
    Pointer,
    Records,
    Snapshot,
    Staged,
    Stored,
    Surroundings,
)


class Crash(Exception):
    """The process dies here."""


SMALL = {
    state_topic: {"CHUNK_BYTES": 16_000},
    parts: {"PART_BYTES": 20_000, "MOST": 512, "WORTH": 10},
    blocks: {"LEAST": 32, "MOST": 512, "BITS": {1: 6, 4: 4}},
}
"""So little that a state of 100 KB has some of each, of which some do not change from one snapshot to the next."""

Positions = Callable[[Mapping[Mark, int]], list[TopicPartition]]
"""What a transaction commits, once it is known where its marked records stand."""


def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if records held little."""
    for module, values in SMALL.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)


@dataclass
class Transaction:
    offsets: dict[Partition, Committed]
    state: str = "open"  # open, committed, aborted
    end_sent: bool = False  # the client asked to commit; whether that arrived is for the broker to decide


@dataclass
class Broker:
    """The shared truth. `faults` maps a fault name to its probability per commit."""

    rng: random.Random
    partitions: list[Partition]
    faults: dict[str, float] = field(default_factory=dict)
    logs: dict[Partition, list[Record]] = field(default_factory=dict)
    topic: list[tuple[Out, Transaction]] = field(default_factory=list)
    state: list[tuple[Outgoing, Transaction] | None] = field(default_factory=list)
    committed: dict[Partition, Committed] = field(default_factory=dict)
    open: dict[str, Transaction] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    members: dict[str, None] = field(default_factory=dict)
    owner: dict[Partition, str] = field(default_factory=dict)
    target: dict[Partition, str] = field(default_factory=dict)
    began: dict[Partition, bytes] = field(default_factory=dict)  # the snapshot of its first commit
    joined: int = 0
    down: bool = False
    killers: dict[Partition, list[tuple[int, int]]] = field(default_factory=dict)  # batches nobody survives to unpack

    def answer(self) -> None:
        """LogDown while there is nobody to answer."""
        if self.down:
            raise LogDown("the broker is down")

    def join(self) -> str:
        self.joined += 1
        member = f"member-{self.joined}"
        self.members[member] = None
        self.rebalance()
        return member

    def leave(self, member: str) -> None:
        """Left, or evicted because it did not poll: its partitions are free at once."""
        self.members.pop(member, None)
        self.owner = {p: m for p, m in self.owner.items() if m != member}
        self.rebalance()

    def rebalance(self) -> None:
        alive = sorted(self.members)
        self.rng.shuffle(alive)
        self.target = {p: alive[i % len(alive)] for i, p in enumerate(self.partitions)} if alive else {}

    def end(self, transaction: Transaction, commit: bool) -> None:
        """The coordinator writes its decision; only the first one counts."""
        if transaction.state != "open":
            return
        transaction.state = "committed" if commit else "aborted"
        if commit:
            for partition in transaction.offsets.keys() - self.committed.keys():
                chunks = [chunk_of(self.record(i)) for i, its in self.stored() if its is transaction]
                mine = [chunk.value for chunk in chunks if chunk is not None and chunk.partition == partition]
                self.began[partition] = b"".join(mine)
            self.committed |= transaction.offsets

    def settle(self, transactional_id: str) -> None:
        """InitProducerId: a request to commit that had arrived is finished, everything else is aborted."""
        self.epochs[transactional_id] = self.epochs.get(transactional_id, 0) + 1
        transaction = self.open.pop(transactional_id, None)
        if transaction is not None:
            self.end(transaction, transaction.end_sent and self.rng.random() < 0.5)

    def expire(self) -> None:
        """Transaction timeouts: what nobody settled is ended by the broker."""
        for transactional_id in list(self.open):
            if self.rng.random() < 0.5:
                self.settle(transactional_id)

    def pending(self, partition: Partition) -> bool:
        return any(t.state == "open" and partition in t.offsets for t in self.open.values())

    def stored(self) -> list[tuple[int, Transaction]]:
        """Offsets of the state topic that hold something, and which transaction wrote it."""
        return [(i, entry[1]) for i, entry in enumerate(self.state) if entry is not None]

    def record(self, offset: int) -> Record:
        """What the state topic holds there."""
        entry = self.state[offset]
        assert entry is not None
        return Record(offset, -1, entry[0].key, entry[0].value, entry[0].headers)

    def compact(self) -> None:
        """Keep the newest committed record of every key, as the cleaner may at any time; no tombstones."""
        seen = set()
        for i in range(len(self.state) - 1, -1, -1):
            entry = self.state[i]
            if entry is not None and entry[1].state == "committed":
                if entry[0].key in seen or entry[0].value is None:
                    self.state[i] = None
                seen.add(entry[0].key)

    def published(self) -> list[Out]:
        """What a read_committed consumer sees, in log order."""
        return [out for out, transaction in self.topic if transaction.state == "committed"]


class StateReader:
    """Reads what is committed in the state topic, and says where it begins and ends."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    def begin_end(self, place: Partition) -> tuple[int, int]:
        self.broker.answer()
        return 0, len(self.broker.state)

    def read(self, place: Partition, start: int, end: int) -> Iterator[list[Record]]:
        self.broker.answer()
        there = [i for i, its in self.broker.stored() if start <= i < end and its.state == "committed"]
        for begin in range(0, len(there), 7):
            self.broker.answer()
            yield [self.broker.record(i) for i in there[begin : begin + 7] if self.broker.state[i] is not None]


class Transacting:
    """Stands for `streamer.kafka.transactions.Transactions`."""

    why = ""

    def __init__(self, log: SimLog) -> None:
        self.log = log

    def commit(self, records: Sequence[Outgoing], positions: Positions, membership: object) -> Outcome:
        return self.log.transact(self.log.outs, records, positions)


class SimLog:
    """One group member and one producer over the broker; implements `streamer.port.Log`."""

    def __init__(self, broker: Broker, instance: str) -> None:
        self.broker, self.instance = broker, instance
        self.rng = broker.rng
        self.broker.settle(instance)
        self.epoch = broker.epochs[instance]
        self.member = broker.join()
        self.mine: dict[Partition, int | None] = {}  # next offset; None until started
        self.found: dict[Partition, list[tuple[int, int]]] = {}  # batches that are skipped
        self.outs: Sequence[Out] = ()  # what the transaction publishes that comes next
        self.state: Any = StateTopic("state", 1, StateReader(broker), StateReader(broker), logging.getLogger("sim"))  # type: ignore[arg-type]
        self.publisher = Publisher(Transacting(self), self.state, {}, lambda: None)  # type: ignore[arg-type]

    def poll(self, limit: int, timeout_s: float, on_revoke: Callable[[list[Partition]], None]) -> list[LogEvent]:
        broker = self.broker
        events: list[LogEvent] = []
        if broker.down:
            return events
        if self.member not in broker.members:
            events += [Lost(partition) for partition in self.mine]
            self.mine = {}
            self.member = broker.join()
            return events
        revoked = [p for p in self.mine if broker.target.get(p) != self.member]
        if revoked:
            on_revoke(revoked)
            for partition in revoked:
                del self.mine[partition]
                if broker.owner.get(partition) == self.member:
                    del broker.owner[partition]
        for partition, member in broker.target.items():
            if member == self.member and partition not in broker.owner:
                broker.owner[partition] = member
                self.mine[partition] = None
                events.append(Assigned(partition))
        for partition, position in self.mine.items():
            if position is not None and self.rng.random() < 0.8:
                records = self.fetch(partition, position, position + self.rng.randint(1, min(limit, 60)))
                if records:
                    self.mine[partition] = records[-1].offset + 1
                    events.append(Records(partition, records))
        return events

    def fetch(self, partition: Partition, start: int, end: int) -> list[Record]:
        """Whoever fetches a batch that is too large dies, unless it knows of it."""
        records = self.broker.logs[partition][start:end]
        for first, last in self.broker.killers.get(partition, []):
            if records and start <= last and first <= records[-1].offset:
                if (first, last) not in self.found.get(partition, []):
                    raise Crash
                return [*(r for r in records if r.offset < first), skipped(first, last)]
        return records

    def examine(
        self, partition: Partition, start: int, end: int, starts: int
    ) -> Generator[None, None, list[tuple[int, int]]]:
        yield
        suspected = starts >= SUSPECT_AFTER
        self.found[partition] = [k for k in self.broker.killers.get(partition, []) if suspected and start <= k[1] < end]
        return self.found[partition]

    def committed(self, partition: Partition) -> Committed | None:
        if self.broker.down or self.broker.pending(partition):
            return None
        return self.broker.committed.get(partition, Committed(None, None))

    def begin_end(self, partition: Partition) -> tuple[int, int]:
        self.broker.answer()
        return 0, len(self.broker.logs[partition])

    def watermarks(self, partition: Partition) -> tuple[int, int] | None:
        return 0, len(self.broker.logs[partition])

    def surroundings(self) -> Surroundings:
        return Surroundings("the broker is down" if self.broker.down else None)

    def topic_id(self, topic: str) -> str | None:
        return ""

    def waiting(self) -> str | None:
        return None

    def read_state(self, partition: Partition, pointer: Pointer | None) -> Iterator[Stored | None]:
        yield None
        self.state.scans.forget()  # What is read here waits for no open transaction.
        yield from self.state.read(partition, pointer)

    def replay(self, partition: Partition, start: int, end: int) -> Iterator[list[Record]]:
        if start < 0:
            raise LogGap(f"{start}")
        while start < end:
            self.broker.answer()
            stop = min(end, start + self.rng.randint(1, 80))
            records = self.fetch(partition, start, stop)
            yield records
            start = records[-1].offset + 1

    def start(self, partition: Partition, offset: int) -> None:
        assert partition in self.mine
        self.broker.answer()
        self.mine[partition] = offset

    def hold(self, partition: Partition) -> None:
        self.mine[partition] = None

    def commit(
        self,
        outs: Sequence[Out],
        offsets: Mapping[Partition, Committed],
        snapshots: Mapping[Partition, Snapshot],
    ) -> CommitResult:
        self.outs = outs
        return self.publisher.commit([], offsets, snapshots)

    def stage(
        self, partition: Partition, snapshot: Snapshot, staged: Staged, chunks: int, root: Committed
    ) -> tuple[Outcome, Staged]:
        self.outs = ()
        return self.publisher.stage(partition, snapshot, staged, chunks, root)

    def lags(self) -> bool:
        return False

    def awaited(self) -> bool:
        return False

    def throttled(self) -> float:
        return 0.0

    def transact(self, outs: Sequence[Out], stored: Sequence[Outgoing], positions: Positions) -> Outcome:
        if self.broker.down:
            return self._unanswered(outs, stored, positions)
        fault = self._fault()
        if fault == "crash-before":
            raise Crash
        if fault == "abort" or self.member not in self.broker.members:
            return Outcome.ABORTED
        if self.epoch != self.broker.epochs[self.instance]:
            return Outcome.UNKNOWN
        before = self.broker.open.pop(self.instance, None)
        if before is not None:  # Whoever begins the next one without a word about the last: its EndTxn may arrive yet.
            self.broker.end(before, before.end_sent and self.rng.random() < 0.5)
        transaction = self._begin(outs, stored, positions)
        if fault == "crash-open":
            raise Crash
        if fault == "abort-late":
            self.broker.end(transaction, commit=False)
            self.broker.open.pop(self.instance)
            return Outcome.ABORTED
        transaction.end_sent = True
        if fault == "stall":  # EndTxn on its way: the broker may apply it now, later, or never
            return Outcome.UNKNOWN
        if fault == "crash-end":
            raise Crash
        self.broker.end(transaction, commit=True)
        self.broker.open.pop(self.instance)
        if fault == "crash-after":
            raise Crash
        return Outcome.UNKNOWN if fault == "lost-ack" else Outcome.DONE

    def _unanswered(self, outs: Sequence[Out], stored: Sequence[Outgoing], positions: Positions) -> Outcome:
        """The broker went before the producer was ready, before anything arrived, or with everything on its way."""
        how = self.rng.choice(["no producer", "nothing", "all"])
        if how == "no producer":
            self.broker.answer()
        if how == "nothing" or self.epoch != self.broker.epochs[self.instance] or self.instance in self.broker.open:
            return Outcome.UNKNOWN
        self._begin(outs, stored, positions).end_sent = True
        return Outcome.UNKNOWN

    def _fault(self) -> str | None:
        for name, probability in self.broker.faults.items():
            if self.rng.random() < probability:
                return name
        return None

    def _begin(self, outs: Sequence[Out], stored: Sequence[Outgoing], positions: Positions) -> Transaction:
        transaction, marked = Transaction({}), dict[Mark, int]()
        for record in stored:
            if record.mark is not None:
                marked[record.mark] = len(self.broker.state)
            self.broker.state.append((record, transaction))
        roots = positions(marked)
        transaction.offsets = {(at.topic, at.partition): from_text(at.offset, at.metadata) for at in roots}
        self.broker.topic += [(out, transaction) for out in outs]
        self.broker.open[self.instance] = transaction
        return transaction

    def recover(self) -> None:
        self.broker.answer()
        self.broker.settle(self.instance)
        self.epoch = self.broker.epochs[self.instance]

    def close(self) -> None:
        self.broker.leave(self.member)
