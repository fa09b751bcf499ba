"""A new partition's way back to life: the newest snapshot S, then a muted replay of S..C, because everything triggered
before the committed offset C is already in the topics.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from streamer.config import model as cfg
from streamer.config.continuity import without_offsets
from streamer.engine.snapshot import InvalidSnapshot
from streamer.engine.stage import Stage, Stages
from streamer.kafka.offset_metadata import SUSPECT_AFTER
from streamer.port import Committed, Kept, Log, LogGap, Partition, StateLost
from streamer.service.partitions import Stats

Notify = Callable[..., None]
OFFSET_MAX = 1 << 62
LEARNED_ANEW = "models whose key now leads here are learned anew"


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector: it would look again and again at millions of new objects, none of them garbage."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def made_anew(stage: Stage | None, topic_id: str) -> str:
    """Why what a stage knows is of another topic than the one of this id; empty where it is not, or nobody can say."""
    if stage is None or not stage.topic_id or not topic_id or stage.topic_id == topic_id:
        return ""
    return f"the topic was deleted and created anew: its id was {stage.topic_id}, now it is {topic_id}"


def beyond(offset: int, end: int) -> str:
    """The same, where only the end tells it."""
    return f"committed offset {offset} lies beyond the end {end}: the topic was recreated" if offset > end else ""


class Past(NamedTuple):
    """What is known of a partition before anything of it is read."""

    committed: Committed
    topic_id: str
    begin: int  # of what is retained
    end: int

    @property
    def unread(self) -> bool:
        """Whether anything is read after C, or on the way there: what was skipped may be met again."""
        offset, pointer = self.committed[:2]
        return offset is not None and (pointer.position if pointer is not None else offset) < self.end

    def starts_before(self, ours: int | None) -> int:
        """How many failed before ours. `ours`: how many that were when we began here earlier: if nobody has begun
        since, the last one is our own, which did not fail. We lost the partition then, not our life.
        """
        return ours if ours is not None and self.committed.starts == ours + 1 else self.committed.starts


class Restorer:
    """Reads the log and the state topic; yields while there is something to wait for."""

    def __init__(self, config: cfg.Config, stages: Stages, log: Log, stats: Stats, notify: Notify) -> None:
        self.config, self.stages, self.log, self.stats, self.notify = config, stages, log, stats, notify
        self.counts: dict[str, int] = {}  # partitions of each topic when it was first looked at
        self.kept: dict[Partition, tuple[Kept, ...]] = {}  # where the snapshot that was loaded stands in parts
        self.grown: dict[str, str] = {}  # topics that have got more since, and what of it

    def past(self, partition: Partition) -> Generator[None, None, Past]:
        """What is written down of a partition."""
        committed = self.log.committed(partition)
        while committed is None:
            yield
            committed = self.log.committed(partition)
        while (topic_id := self.log.topic_id(partition[0])) is None:
            yield
        return Past(committed, topic_id, *self.log.begin_end(partition))

    def restore(self, partition: Partition, past: Past, starts: int) -> Generator[None, None, tuple[Stage, Committed]]:
        """The stage at C, and C. `starts`: how many nobody was heard of again after, before this one."""
        committed, topic_id, begin, end = past
        if committed.offset is None:
            stage = yield from self.begin(partition, begin, end, topic_id)
            committed = committed._replace(ticked=stage.ticks)
        else:
            stage = yield from self.rebuild(partition, committed._replace(starts=starts), begin, end, topic_id)
        stage.ticks, stage.topic_id = committed.ticked, topic_id or stage.topic_id
        return stage, committed

    def begin(self, partition: Partition, begin: int, end: int, topic_id: str) -> Generator[None, None, Stage]:
        """The group has no offset here. It is new, or the topic is, or Kafka forgot: a group that was empty for seven
        days, or deleted. Then its newest snapshot is what is left, and what it published after that comes once more.
        """
        found = yield from self.load(partition, Committed(OFFSET_MAX, None))
        if found is None:
            if self.added(partition):
                return self.stages.new(partition, begin)
            self.notify("no_offsets", partition, effect=without_offsets(self.config))
            # What is there already is school. Until the first commit, which carries it, nothing is told by it.
            start = begin if self.config.kafka.start == "earliest" else end
            return self.stages.new(partition, start, first_end=end)
        generation = found.generation
        if why := made_anew(found, topic_id) or beyond(found.position, end):
            generation += 1
        elif found.position < begin:
            why = f"no offset of the group, input retained from {begin} on, snapshot at {found.position}"
        else:
            self.notify(
                "offsets_forgotten",
                partition,
                offset=found.position,
                why=f"Kafka has no offset of group {self.config.kafka.group}:"
                " deleted, or the group was empty for too long",
                effect="goes on from the newest snapshot; what was published after it comes again, with equal ids",
            )
            return found
        stage = self.lost(partition, why, begin, generation)
        stage.ticks = found.ticks  # Signs of life are named after them.
        return stage

    def added(self, partition: Partition) -> bool:
        """Whether the topic has got it while we ran: then all of it is new, whatever `kafka.start` says."""
        topic, number = partition
        there = (self.log.surroundings().topics or {}).get(topic)
        if there is not None and there.appeared:
            self.counts.setdefault(topic, 0)
        added = there is not None and number >= self.counts.setdefault(topic, there.partitions)
        if added and there is not None:
            why = f"{topic} had {self.counts[topic]} partitions"
            # Put in order, a model is one whatever partition its events come in.
            whole = self.config.topics.ordered is not None
            effect = "models are read in their order as before" if whole else LEARNED_ANEW
            if not self.counts[topic]:
                why = f"{topic} matches a pattern of topics.events, and is new"
                effect = "it is read from its beginning; its series learn"
            elif not whole:
                self.grown[topic] = f"had {self.counts[topic]} partitions, has {there.partitions} by now: {effect}"
            self.notify("partition_added", partition, why=why, effect=effect)
        return added

    def rebuild(
        self, partition: Partition, committed: Committed, begin: int, end: int, topic_id: str
    ) -> Generator[None, None, Stage]:
        """Newest usable snapshot plus the muted replay of S..C; by policy a fresh task where that cannot be had."""
        assert committed.offset is not None
        task = yield from self.load(partition, committed)
        generation = task.generation if task is not None else committed.generation
        if anew := made_anew(task, topic_id) or beyond(committed.offset, end):
            return self.lost(partition, anew, begin, generation + 1)
        first = task.position if task is not None and task.position >= begin else max(committed.offset, begin)
        yield from self.examine(partition, first, end, committed.starts)
        if task is None:
            why = "no usable snapshot"
        elif task.position < begin:
            why = f"input retained from {begin} on, snapshot at {task.position}"
        else:
            try:
                yield from self.replay(task, committed)
                return task
            except LogGap as gap:
                why = str(gap)
        return self.lost(partition, why, max(committed.offset, begin), generation)

    def examine(self, partition: Partition, first: int, end: int, starts: int) -> Generator[None, None, None]:
        """What follows may have killed whoever read it."""
        why = f"{starts} starts in a row were not heard of again once they began to read at {first}"
        if starts >= SUSPECT_AFTER:
            self.notify("starts_failed", partition, why=why, effect="it is read by a process of its own first")
        skipped = yield from self.log.examine(partition, first, end, starts)
        for begin, last in skipped:
            self.notify(
                "batch_skipped",
                partition,
                first_offset=begin,
                last_offset=last,
                why=f"{why}, nor do readers with a part of our memory survive to unpack this batch",
                effect="its records are not looked at; one dead letter names their offsets",
                fix="see what the producer compresses here; with more memory it can be read by `driftline replay`",
            )

    def lost(self, partition: Partition, why: str, start: int, generation: int) -> Stage:
        """By policy a task that learns anew from `start` on, or StateLost."""
        policy = self.config.commit.on_state_loss
        self.stats.state_lost[policy] = self.stats.state_lost.get(policy, 0) + 1
        self.notify("state_lost", partition, why=why, policy=policy)
        if policy == "halt":
            raise StateLost(f"{partition[0]}[{partition[1]}]: {why}; commit.on_state_loss is halt")
        return self.stages.new(partition, start, generation)

    def load(self, partition: Partition, committed: Committed) -> Generator[None, None, Stage | None]:
        """The pointed snapshot, else the newest complete one at or before C of the same generation, else None."""
        sources = [committed.pointer, None] if committed.pointer else [None]
        for pointer in sources:
            for stored in self.log.read_state(partition, pointer):
                if stored is None:
                    yield
                    continue
                try:
                    with uncollected():
                        task = self.stages.load(partition, stored.blob)
                except InvalidSnapshot as error:
                    self.notify("invalid_snapshot", partition, why=str(error))
                    continue
                self.kept[partition] = (stored.kept,) if stored.kept is not None else ()
                if task.position <= (committed.offset or 0) and task.generation >= committed.generation:
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
