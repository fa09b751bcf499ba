"""The one loop that does I/O. It takes no decision about drift; it holds the commit protocol.

Poll, step the tasks, and every commit interval publish outbox + offsets (+ snapshots that are due) in one
transaction. A new partition is restored first: newest snapshot S, then a muted replay of S..C, because everything
triggered before the committed offset C is already in the topics. What the broker refuses is kept and retried; what
it may or may not have taken is settled by asking for the committed offset after the producer was re-created.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from schemas.events.batch import Record, columns_of
from streamer.config import model as cfg
from streamer.engine.snapshot import encode
from streamer.engine.stage import Stage, Stages
from streamer.kafka.offset_metadata import TICKS_MAX
from streamer.port import (
    Assigned,
    CommitResult,
    Committed,
    Log,
    Lost,
    Out,
    Outcome,
    Partition,
    Records,
    Snapshot,
    Tick,
)
from streamer.service.alert_log import AlertLog
from streamer.service.partitions import InPlace, LivePartition, Pool, Stats, newest
from streamer.service.restore import Notify, Restorer

POLL_RECORDS_MAX = 2000
"""Larger batches lose the processor's cache, smaller ones pay more for each batch (500 cost a tenth more)."""
OUTBOX_MAX = 10_000
"""Commit before the interval ends when this many records wait, so that one transaction stays small."""
POLL_TIMEOUT_S = 0.1
RESTORE_SLICE_S = 0.02
"""Between two polls: what is restored already works, and the group hears of us, however many partitions there are."""
DRAIN_TRIES = 3
FINISHED = object()


class Worker:
    """One member of the consumer group. `clock` gives seconds and only schedules commits; results never see it."""

    restorer_class = Restorer

    def __init__(
        self,
        config: cfg.Config,
        stages: Stages,
        log: Log,
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
        notify: Notify,
        pool: Pool | None = None,
    ) -> None:
        self.in_place: Pool = InPlace()
        self.pool = pool or self.in_place
        self.config = config
        self.decode = stages.decode
        self.log = log
        self.clock, self.wall_ms = clock, wall_ms
        self.notify = notify
        self.owned: dict[Partition, LivePartition] = {}
        self.restoring: dict[Partition, Iterator[None]] = {}
        self.unsettled: dict[Partition, Committed] | None = None  # sent, outcome unknown
        self.recovered = True  # the producer was re-created since the outcome became unknown
        self.refused = False  # the last commit did not land: take little in until one does
        self.commit_due_s = clock() + config.commit.interval_ms / 1000
        self.tick_due_s = clock() + config.heartbeat.interval_ms / 1000
        self.stats = Stats()
        self.alert_log = AlertLog(notify, clock)
        self.restorer = self.restorer_class(config, stages, log, self.stats, notify)

    def run(self, stopping: Callable[[], bool], after_step: Callable[[], None]) -> bool:
        """Until told to stop; then publish and snapshot everything at S == C. Closing the log, which can hang, is left
        to the caller.

        False when the last commit did not land: nothing is lost, but the next start has more to replay.
        """
        while not stopping():
            self.step(POLL_TIMEOUT_S)
            after_step()
        return self.drain()

    def step(self, timeout_s: float) -> None:
        """One round: poll, step the tasks, advance restores, commit when it is due."""
        limit = 1 if self.refused or self.unsettled is not None else POLL_RECORDS_MAX
        for event in self.log.poll(limit, 0.0 if self.restoring else timeout_s, self.release):
            match event:
                case Assigned(partition):
                    self.stats.rebalances += 1
                    self.drop(partition)
                    self.restoring[partition] = self.restore(partition)
                case Lost(partition):
                    self.stats.rebalances += 1
                    self.notify("partition_lost", partition)
                    self.drop(partition)
                case Records(partition, records):
                    if partition in self.owned:
                        self.take(self.owned[partition], records)
        self.advance()
        if self.clock() >= self.tick_due_s:
            self.tick()
        if self.commit_is_due():
            self.commit()

    def advance(self) -> None:
        """Bring the restores on, for a while."""
        begin_s, restoring = self.clock(), bool(self.restoring)
        for partition, steps in list(self.restoring.items()):
            if next(steps, FINISHED) is FINISHED:
                self.restoring.pop(partition, None)
            if self.clock() - begin_s > RESTORE_SLICE_S:
                break
        if restoring and not self.restoring:
            # The first commit of a partition carries its snapshot, which the loop waits for: while it is small.
            self.commit_due_s = self.clock()

    def take(self, owned: LivePartition, records: Sequence[Record]) -> None:
        """Live records: step the task and count."""
        begin_s = self.clock()
        self.feed(owned.task, records)
        self.stats.timings.append(("processing_seconds", self.clock() - begin_s))
        topic = owned.task.partition[0]
        self.stats.bytes_consumed[topic] = self.stats.bytes_consumed.get(topic, 0) + self.decode.size
        owned.newest_ms = int(columns_of(records).times_ms[-1])

    def feed(self, task: Stage, records: Sequence[Record]) -> None:
        task.step(self.decode(records, task.partition[0]))

    def tick(self) -> None:
        """Tell every task the time. While nothing lands it stands still: then we are the one who is silent."""
        self.tick_due_s = self.clock() + self.config.heartbeat.interval_ms / 1000
        if self.refused or self.unsettled is not None:
            return
        for partition, owned in self.owned.items():
            position, marks = owned.task.position, self.log.watermarks(partition)
            # At the end: at where it was a tick ago, or at where nothing has come since.
            caught_up = position == owned.tick_at or (owned.tick_end is not None and position >= owned.tick_end)
            owned.tick_at, owned.tick_end = position, marks[1] if marks is not None else None
            if len(owned.ticks) < TICKS_MAX:
                owned.ticks.append(Tick(position, self.wall_ms(), caught_up))
                owned.task.tick(owned.ticks[-1])

    def commit_is_due(self) -> bool:
        waiting = sum(owned.task.waiting for owned in self.owned.values())
        return self.unsettled is not None or self.clock() >= self.commit_due_s or waiting >= OUTBOX_MAX

    def commit(self, snapshot_all: bool = False, only: Sequence[Partition] | None = None) -> bool:
        """Publish what waits. True when everything asked for has landed."""
        self.commit_due_s = self.clock() + self.config.commit.interval_ms / 1000
        if self.unsettled is not None and not self.settle():
            return False
        chosen = {p: o for p, o in self.owned.items() if only is None or p in only}
        found = ((partition, self.snapshot(owned, snapshot_all)) for partition, owned in chosen.items())
        snapshots = {partition: snapshot for partition, snapshot in found if snapshot is not None}
        outs: list[Out] = []
        offsets: dict[Partition, Committed] = {}
        for partition, owned in chosen.items():
            progress = owned.task.position, owned.task.ticks
            if progress != (owned.committed, owned.ticked) or partition in snapshots:
                owned.sent, owned.sending = owned.task.waiting, owned.task.outbox
                outs += owned.sending
                offsets[partition] = self.root(owned, snapshots.get(partition))
        if not offsets:
            self.refused = False
            return True
        begin_s = self.clock()
        result = self.log.commit(outs, offsets, snapshots)
        self.stats.timings.append(("commit_seconds", self.clock() - begin_s))
        return self.conclude(result, offsets)

    @staticmethod
    def root(owned: LivePartition, snapshot: Snapshot | None) -> Committed:
        """What the commit writes down of a partition: where it stands, its snapshot, and the ticks since that."""
        seen = snapshot.ticks if snapshot is not None else owned.pointer.ticks if owned.pointer is not None else 0
        return Committed(owned.task.position, owned.pointer, owned.task.ticks, newest(owned, seen))

    def snapshot(self, owned: LivePartition, at_once: bool) -> Snapshot | None:
        """The snapshot the next commit carries, if any. The loop only waits for the copy of the state; it is encoded
        beside the loop and goes with a later commit, except where the first or the last one must have it.
        """
        before, place = owned.pointer, (owned.task.position, owned.task.ticks)
        fresh = before is None or before.position != place[0] or len(owned.ticks) > TICKS_MAX // 2
        if fresh and (before is None or at_once):
            owned.writing = *place, self.in_place.submit(encode, self.state(owned))
        elif fresh and owned.writing is None and self.clock() >= owned.snapshot_due_s:
            owned.writing = *place, self.pool.submit(encode, self.state(owned))
        if owned.writing is None or not owned.writing[2].done():
            return None
        position, seen, future = owned.writing
        owned.snapshot_bytes = len(future.result())
        return Snapshot(position, 1 - owned.slot, self.config.config_hash, future.result(), seen)

    def state(self, owned: LivePartition) -> dict[str, Any]:
        begin_s = self.clock()
        state = owned.task.state()
        self.stats.timings.append(("checkpoint_seconds", self.clock() - begin_s))
        return state

    def conclude(self, result: CommitResult, offsets: dict[Partition, Committed]) -> bool:
        name = result.outcome.value
        self.stats.commits[name] = self.stats.commits.get(name, 0) + 1
        self.refused = result.outcome is not Outcome.DONE
        if result.outcome is Outcome.DONE:
            for partition, sent in offsets.items():
                self.landed(partition, sent._replace(pointer=result.pointers.get(partition, sent.pointer)))
        elif result.outcome is Outcome.UNKNOWN:
            self.unsettled, self.recovered = offsets, False
            self.settle()
            own = {p: (owned.committed, owned.ticked) for p, owned in self.owned.items()}
            return all(own.get(p) == sent.progress for p, sent in offsets.items())
        return result.outcome is Outcome.DONE

    def landed(self, partition: Partition, committed: Committed) -> None:
        """The broker has it: forget what was published, remember the new root pointer."""
        owned = self.owned.get(partition)
        if owned is None:
            return
        self.alert_log.landed(partition, owned.sending)
        owned.task.published(owned.sent)
        owned.sent, owned.sending = 0, []
        owned.committed, owned.ticked = committed.progress
        pointer = committed.pointer
        if pointer is not None and pointer != owned.pointer:
            owned.pointer, owned.slot = pointer, pointer.slot
            owned.ticks = list(newest(owned, pointer.ticks))
            if owned.writing is not None and owned.writing[:2] <= (pointer.position, pointer.ticks):
                owned.writing = None
            owned.snapshot_s = self.clock()
            owned.snapshot_due_s = owned.snapshot_s + self.snapshot_period_s(partition)

    def snapshot_period_s(self, partition: Partition) -> float:
        """From three quarters of the interval to all of it, each partition its own: a commit that carries the snapshots
        of all of them is a slow one, and equal periods would stay in step.
        """
        phase = zlib.crc32(f"{partition[0]}-{partition[1]}".encode()) / 2**32
        return self.config.commit.snapshot_interval_ms / 1000 * (1.0 - 0.25 * phase)

    def settle(self) -> bool:
        """Find out how a commit of unknown outcome ended. False while that cannot be known yet."""
        assert self.unsettled is not None
        if not self.recovered:
            self.log.recover()  # Fences every delayed request of the old producer: from here on nothing changes.
            self.recovered = True
            self.stats.recovered += 1
        truth: dict[Partition, Committed] = {}
        for partition in self.unsettled:
            if partition in self.owned:
                committed = self.log.committed(partition)
                if committed is None:
                    return False
                truth[partition] = committed
        for partition, committed in truth.items():
            if committed.progress >= self.unsettled[partition].progress:
                self.landed(partition, committed)
            self.owned[partition].sent = 0
        self.unsettled = None
        return True

    def release(self, partitions: list[Partition]) -> None:
        """Called inside poll while the partitions are still ours: publish their work, then let go."""
        self.stats.rebalances += 1
        self.commit(snapshot_all=True, only=partitions)
        for partition in partitions:
            self.drop(partition)

    def drop(self, partition: Partition) -> None:
        """Forget a partition. What was not published is found again by its next owner, from C on."""
        self.owned.pop(partition, None)
        self.restoring.pop(partition, None)

    def drain(self) -> bool:
        """Publish and snapshot all; a commit that is refused once is tried again."""
        return any(self.commit(snapshot_all=True) for _ in range(DRAIN_TRIES))

    def restore(self, partition: Partition) -> Iterator[None]:
        """Bring a partition to life; yields while there is something to wait for."""
        begin_s = self.clock()
        task, committed = yield from self.restorer.restore(partition)
        self.go(partition, task, committed)
        self.stats.timings.append(("restore_seconds", self.clock() - begin_s))

    def go(self, partition: Partition, task: Stage, committed: Committed) -> None:
        """The task stands at C: everything from here on is published by us."""
        pointer = committed.pointer
        if pointer is not None and (pointer.config != self.config.config_hash or task.position != committed.offset):
            pointer = None  # Another config or a lost state: the next commit carries a snapshot of our own.
        slot = committed.pointer.slot if committed.pointer is not None else 0
        now_s = self.clock()
        due_s = now_s + self.snapshot_period_s(partition)
        owned = LivePartition(task, committed.offset, pointer, slot, due_s, now_s, ticked=committed.ticked)
        owned.ticks = list(committed.ticks) if pointer is not None else []
        self.owned[partition] = owned
        self.stats.restored += 1
        self.notify(
            "partition_ready", partition, offset=task.position, series=task.series, monitors_reset=task.monitors_reset
        )
        self.log.start(partition, task.position)
