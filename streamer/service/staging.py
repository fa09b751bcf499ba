"""Snapshots that are too large for one transaction: their parts, one after another, between the commits.

So alerts do not wait for them, nor does the group; and of a transaction that does not get through in time, because a
quota holds it back, only a part is to be sent again, and a smaller one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from streamer.kafka.parts import kept_of
from streamer.port import Committed, Log, LogDown, Outcome, Partition
from streamer.service.partitions import Doing, LivePartition, Staging, Stats

CHUNKS = 2
"""Records of at most 900 KB in one part, and one where that takes long: a broker that holds back what exceeds a quota
does so for up to ten seconds at a time after a burst, whatever its size was.
"""
QUICK_S, SLOW_S = 0.5, 3.0
LEAVE_S = 4.0
"""For what is left of a snapshot when a partition is given up. Who takes it over has more to replay otherwise."""


class Worker(Protocol):
    """What is needed of `streamer.service.worker.Worker`."""

    log: Log
    owned: dict[Partition, LivePartition]
    stats: Stats
    refused: bool
    recovered: bool
    unsettled: dict[Partition, Committed] | None

    def commit(self, snapshot_all: bool = False, only: Sequence[Partition] | None = None) -> bool: ...

    def settle(self) -> bool: ...

    def troubled(self, doing: Doing, down: LogDown) -> None: ...

    def pauses(self, doing: Doing) -> bool: ...


class Stager:
    """Part of a worker: it sends parts, and what they come to is the worker's."""

    def __init__(self, worker: Worker, clock: Callable[[], float]) -> None:
        self._worker, self._clock = worker, clock
        self.chunks = CHUNKS
        self.chunk_s = 0.0  # how long one took, last time

    def under_way(self, only: Sequence[Partition] | None = None) -> dict[Partition, Staging]:
        """Snapshots of which parts are missing, by partition."""
        found = {p: o.staging for p, o in self._worker.owned.items() if o.staging and (only is None or p in only)}
        return {partition: staging for partition, staging in found.items() if staging.staged.pointer is None}

    def step(self, only: Sequence[Partition] | None = None) -> bool:
        """Send the next part, if there is one. False when there is not, or it did not land."""
        worker = self._worker
        waiting = self.under_way(only)
        if not waiting or worker.refused or worker.unsettled is not None or worker.pauses("snapshots"):
            return False
        partition = next(iter(waiting))
        try:
            outcome = self._part(partition, worker.owned[partition], waiting[partition])
        except LogDown as down:
            worker.troubled("snapshots", down)
            return False
        if outcome is Outcome.DONE:
            worker.stats.trouble.pop("snapshots", None)
            return True
        if outcome is Outcome.UNKNOWN:
            worker.unsettled, worker.recovered = {}, False  # Whether it landed is no matter: it is sent again.
            worker.settle()
        worker.troubled("snapshots", LogDown("a part of a snapshot did not get through"))
        return False

    def leave(self, only: Sequence[Partition] | None = None, seconds: float = LEAVE_S) -> bool:
        """Publish everything and write down where it stands, before somebody else takes it over. False when it did not
        land; a snapshot that is too large for the time that is left does not count.
        """
        worker = self._worker
        if not worker.commit(snapshot_all=True, only=only):
            return False
        if self.under_way(only):
            self._finish(only, self._clock() + seconds)
            worker.commit(only=only)
        return not any(partition in self.held() for partition in only or worker.owned)

    def held(self) -> set[Partition]:
        """Of which nothing is committed yet: no offset without a snapshot to point at."""
        return {partition for partition in self.under_way() if self._worker.owned[partition].pointer is None}

    def _finish(self, only: Sequence[Partition] | None, end_s: float) -> None:
        """Send what is missing, unless it looks, at the speed of the last part, as if that took too long."""
        while waiting := self.under_way(only):
            left = sum(max(staging.staged.chunks - staging.staged.written, 1) for staging in waiting.values())
            if self._clock() + left * self.chunk_s > end_s or not self.step(only):
                return

    def _part(self, partition: Partition, owned: LivePartition, staging: Staging) -> Outcome:
        begin_s, before = self._clock(), staging.staged.written
        outcome, staging.staged = self._worker.log.stage(
            partition, staging.snapshot, staging.staged, self.chunks, owned.root
        )
        done, cut = staging.staged, staging.snapshot.cut
        if done.pointer is not None and cut is not None:
            owned.kept = *owned.kept, kept_of(cut, done.offsets, done.pointer.sha)
        took_s = self._clock() - begin_s
        self.chunk_s = took_s / max(staging.staged.written - before, 1)
        if outcome is not Outcome.DONE or took_s > SLOW_S:
            self.chunks = 1
        elif took_s < QUICK_S:
            self.chunks = CHUNKS
        return outcome
