"""A new partition's way back to life: the newest snapshot S, then a muted replay of S..C, because everything triggered
before the committed offset C is already in the topics.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from streamer.config import model as cfg
from streamer.engine.snapshot import InvalidSnapshot
from streamer.engine.stage import Stage, Stages
from streamer.port import Committed, Log, LogGap, Partition, StateLost
from streamer.service.partitions import Stats

Notify = Callable[..., None]


class Restorer:
    """Reads the log and the state topic; yields while there is something to wait for."""

    def __init__(self, config: cfg.Config, stages: Stages, log: Log, stats: Stats, notify: Notify) -> None:
        self.config, self.stages, self.log, self.stats, self.notify = config, stages, log, stats, notify

    def restore(self, partition: Partition) -> Generator[None, None, tuple[Stage, Committed]]:
        """The stage at C, and what is known of the partition's past."""
        committed = self.log.committed(partition)
        while committed is None:
            yield
            committed = self.log.committed(partition)
        begin, end = self.log.begin_end(partition)
        if committed.offset is None:
            stage = self.stages.new(partition, begin if self.config.kafka.start == "earliest" else end)
        else:
            stage = yield from self.rebuild(partition, committed, begin, end)
        stage.ticks = committed.ticked
        return stage, committed

    def rebuild(self, partition: Partition, committed: Committed, begin: int, end: int) -> Generator[None, None, Stage]:
        """Newest usable snapshot plus the muted replay of S..C; by policy a fresh task where that cannot be had."""
        assert committed.offset is not None
        task = yield from self.load(partition, committed)
        start = max(committed.offset, begin)
        if committed.offset > end:
            why = f"committed offset {committed.offset} lies beyond the end {end}: the topic was recreated"
            start = begin
        elif task is None:
            why = "no usable snapshot"
        elif task.position < begin:
            why = f"input retained from {begin} on, snapshot at {task.position}"
        else:
            try:
                yield from self.replay(task, committed)
                return task
            except LogGap as gap:
                why = str(gap)
        policy = self.config.commit.on_state_loss
        self.stats.state_lost[policy] = self.stats.state_lost.get(policy, 0) + 1
        self.notify("state_lost", partition, why=why, policy=policy)
        if policy == "halt":
            raise StateLost(f"{partition[0]}[{partition[1]}]: {why}; commit.on_state_loss is halt")
        return self.stages.new(partition, start)

    def load(self, partition: Partition, committed: Committed) -> Generator[None, None, Stage | None]:
        """The pointed snapshot, else the newest complete one at or before C, else None."""
        sources = [committed.pointer, None] if committed.pointer else [None]
        for pointer in sources:
            for blob in self.log.read_state(partition, pointer):
                if blob is None:
                    yield
                    continue
                try:
                    task = self.stages.load(partition, blob)
                except InvalidSnapshot as error:
                    self.notify("invalid_snapshot", partition, why=str(error))
                    continue
                if task.position <= (committed.offset or 0):
                    return task
        return None

    def replay(self, task: Stage, committed: Committed) -> Iterator[None]:
        """Records and ticks up to C. An earlier life published everything triggered before C, so the outbox of the
        replay is discarded.
        """
        assert committed.offset is not None
        missing = max(committed.ticked - task.ticks, 0)
        for tick in committed.ticks[max(len(committed.ticks) - missing, 0) :]:
            yield from self.read_to(task, tick.offset)
            task.tick(tick)
            self.mute(task)
        yield from self.read_to(task, committed.offset)

    def read_to(self, task: Stage, end: int) -> Iterator[None]:
        if task.position >= end:
            return
        for records in self.log.replay(task.partition, task.position, end):
            if records:
                task.step(self.stages.decode(records, task.partition[0]))
                self.mute(task)
            yield
        # Gaps at the end of the range (transaction markers) hold no records but belong to it.
        task.position = max(task.position, end)

    def mute(self, task: Stage) -> None:
        task.published()
