"""The move of models to another number of partitions of the ordered log, while nobody else is at work.

What is left to read of the ordered log is read first, as stage 2 does it, with all that it tells. Then the new
snapshots are written in parts, which mean nothing until an offset points at them. The last transaction has it all: of
stage 2 the offsets that point at them, of stage 1 what parts there are. Before that all is as it was, whatever happens,
and the move can be begun again; behind it there is nothing to do. Both groups count us in: who joins meanwhile undoes
it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from streamer.config.model import Config
from streamer.config.stages import stage_configs
from streamer.engine import snapshot
from streamer.engine.by_key import divisible, keys_of, shared_out
from streamer.engine.task import Task
from streamer.engine.tasks import Tasks
from streamer.kafka.log import KafkaLog
from streamer.kafka.offsets import settled
from streamer.port import Assigned, Committed, LogDown, Lost, Outcome, Partition, Parts, Snapshot, Staged
from streamer.service.partitions import LivePartition
from streamer.service.run import wall_ms
from streamer.service.worker import Worker

WAIT_S = 60.0
"""For the groups to let us in, and for what is committed to be seen."""
CHUNKS = 8
"""Of a snapshot, in one transaction."""
Say = Callable[[str], None]


class Refused(Exception):
    """It cannot be done now. Nothing has changed; the text says why, and what to do."""


class Moved(NamedTuple):
    """What was done."""

    before: int
    parts: int
    models: int  # that moved
    events: int  # that were left in the ordered log, and were read first


class Both:
    """Members of the groups of both stages, alone."""

    def __init__(self, config: Config, first: KafkaLog, second: KafkaLog, say: Say) -> None:
        self.config, self.first, self.second, self.say = config, first, second, say
        self.ordered = str(config.topics.ordered)
        self.inputs: dict[Partition, None] = {}
        self.worker = Worker(stage_configs(config)[1], Tasks(config), second, time.monotonic, wall_ms, self.notify)

    def notify(self, event: str, partition: Partition, **fields: object) -> None:
        if event in ("state_lost", "invalid_snapshot", "no_offsets"):
            self.say(f"{event}: {partition[0]}[{partition[1]}] {fields.get('why', '')}")

    def look(self) -> None:
        """Hear what the group of stage 1 says; nothing of its topics is read."""
        for event in self.first.poll(1, 0.0, self.gone):
            if isinstance(event, Lost):
                self.gone([event.partition])
            if isinstance(event, Assigned):
                self.inputs[event.partition] = None

    def gone(self, partitions: list[Partition]) -> None:
        raise Refused("another process joined meanwhile: stop all of them, then again; nothing has changed")

    def drain(self, inputs: int, partitions: int) -> int:
        """Until all of both groups is ours and nothing is left in the ordered log; how many events were."""
        end_s, before = time.monotonic() + WAIT_S, -1
        while True:
            self.worker.step(0.05)
            self.look()
            tasks = [owned.task for owned in self.worker.owned.values()]
            ready = len(tasks) == partitions and not self.worker.restoring and len(self.inputs) == inputs
            before = self.events() if ready and before < 0 else before
            if ready and not self.left():
                if not self.worker.drain():
                    raise LogDown("the commit of what was left in the ordered log did not land")
                return self.events() - before
            if not ready and time.monotonic() > end_s:
                raise Refused("the groups did not let us in: a process of theirs is at work, or was killed just now")

    def events(self) -> int:
        """How many all tasks have taken so far."""
        tasks = [owned.task for owned in self.worker.owned.values()]
        return sum(sum(task.admission.counts.values()) for task in tasks if isinstance(task, Task))

    def left(self) -> bool:
        """Whether there is anything to read between where a task stands and the end."""
        for partition, owned in self.worker.owned.items():
            _, end = self.second.begin_end(partition)
            if any(records for records in self.second.replay(partition, min(owned.task.position, end), end)):
                return True
        return False

    def committed(self) -> dict[Partition, Committed]:
        """Of stage 1, of the inputs that it has read."""
        found: dict[Partition, Committed] = {}
        end_s = time.monotonic() + WAIT_S
        for partition in self.inputs:
            while (root := self.first.committed(partition)) is None:
                if time.monotonic() > end_s:
                    raise LogDown(f"{partition[0]}[{partition[1]}]: the committed offset cannot be had")
                time.sleep(0.1)
            if root.offset is not None:
                found[partition] = root
        return found

    def before(self, roots: Mapping[Partition, Committed], there: int) -> int:
        """How many parts there were: as commits say it, in older versions as snapshots do."""
        known = settled(roots.values())
        if known is not None:
            return known.used
        for partition, root in roots.items():
            for stored in self.first.read_state(partition, root.pointer):
                if stored is not None and "parts" in (state := snapshot.decode(stored.blob)):
                    return int(state["parts"])
        return there

    def written(self, partition: Partition, owned: LivePartition, blob: bytes) -> Committed:
        """The root of a partition with this state, of which all parts are written."""
        task, root = owned.task, owned.root
        slot = 1 - (root.pointer.slot if root.pointer is not None else 0)
        made = Snapshot(task.position, slot, self.config.config_hash, blob, task.ticks, task.generation)
        staged = Staged()
        while staged.pointer is None:
            outcome, staged = self.second.stage(partition, made, staged, CHUNKS, root)
            if outcome is not Outcome.DONE:
                raise LogDown("a part of a snapshot did not land; nothing has changed, so it can be begun again")
            self.look()
            if any(isinstance(event, Lost) for event in self.second.poll(1, 0.0, self.gone)):
                self.gone([partition])
        return Committed(task.position, staged.pointer, task.ticks, ())


def move(config: Config, first: KafkaLog, second: KafkaLog, parts: int, say: Say) -> Moved:
    """Share models out over so many parts of the ordered log, which has them. first, second: the logs of both stages.
    Raises Refused, LogDown, NotDivisible.
    """
    divisible(config)
    both = Both(config, first, second, say)
    there = second.counts[both.ordered]
    inputs = sum(first.counts[name] for name in config.topics.named())
    events = both.drain(inputs, there)
    roots = both.committed()
    before = both.before(roots, there)
    owned = {partition[1]: one for partition, one in both.worker.owned.items()}
    unsure = [n for n, one in owned.items() if one.task.models() and not one.task.history.over]
    if unsure and before != parts:
        raise Refused("what the topics held before the first start is still being read: let it run until history_ended")
    blobs = [owned[number].task.dump() for number in range(there)]
    made = shared_out(config, blobs, before, parts, both.ordered)
    after: dict[Partition, Committed] = {}
    for number, blob in enumerate(made):
        partition = both.ordered, number
        if blob != blobs[number]:
            say(f"{both.ordered}[{number}]: writing {len(blob):,} bytes")
            after[partition] = both.written(partition, owned[number], blob)
        else:
            after[partition] = owned[number].root
    shared = {partition: root._replace(parts=Parts(parts, there)) for partition, root in roots.items()}
    both.look()
    outcome = second.commit_with(after, first, shared)
    if outcome is not Outcome.DONE:
        raise LogDown("it is not known whether the move has landed: run it again, it does what is left to do")
    where, now = places(config, blobs), places(config, made)
    return Moved(before, parts, sum(where[model] != number for model, number in now.items()), events)


def places(config: Config, blobs: Sequence[bytes]) -> dict[str, int]:
    """By model, or key of one, the partition whose snapshot has it."""
    return {name: number for number, blob in enumerate(blobs) for name in keys_in(config, blob)}


def keys_in(config: Config, blob: bytes | bytearray) -> list[str]:
    """The models that a snapshot of stage 2 has met, or their keys."""
    return keys_of(config, snapshot.decode(blob))
