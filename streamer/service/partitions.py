"""What the worker keeps beside its tasks: where each stands in the log, and counters."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from streamer.engine.stage import Stage
from streamer.kafka.offset_metadata import TICKS_MAX
from streamer.kafka.parts import NO_BLOCKS, NO_PARTS, names_of
from streamer.port import Committed, Cut, Kept, Out, Partition, Pointer, Snapshot, Staged, Tick
from streamer.service.memory import give_back

NOTHING, NEVER = Staged(), Committed(None, None)


@dataclass(slots=True)
class Staging:
    """A snapshot on its way to the state topic in parts."""

    snapshot: Snapshot
    staged: Staged = NOTHING


@dataclass(slots=True)
class LivePartition:
    """A partition of ours whose task is live."""

    task: Stage
    committed: int | None  # C as we last knew it landed
    pointer: Pointer | None
    slot: int
    snapshot_due_s: float
    snapshot_s: float  # clock when the newest snapshot landed, or the task became live
    root: Committed = NEVER  # what was committed last, in whole
    staging: Staging | None = None  # a snapshot that is written in parts
    snapshot_bytes: int = 0
    newest_ms: int = -1  # timestamp of the newest record taken
    writing: tuple[int, int, Future[bytes | Cut]] | None = None  # a snapshot of that offset and tick, being encoded
    kept: tuple[Kept, ...] = ()  # snapshots in parts that an offset points at, or may point at
    sent: int = 0  # outbox records in the transaction whose outcome is open
    sending: list[Out] = field(default_factory=list)  # those
    ticked: int = 0  # ticks up to C
    ticks: list[Tick] = field(default_factory=list)  # those the newest snapshot that landed has not seen
    starts: int = 0  # what is written down of them until there is progress
    begun: int = -1  # where it stood when it became live
    tick_at: int = -1  # where the task stood at the last tick, and where the log ended then
    tick_end: int | None = None


Timing = Literal["processing_seconds", "commit_seconds", "checkpoint_seconds", "restore_seconds"]


Doing = Literal["commits", "restores", "snapshots", "schemas"]


class Trouble(NamedTuple):
    """Something that Kafka, or the schema registry, does not do now, and that is tried again."""

    why: str
    since_s: float  # clock of the first try
    again_s: float  # clock before which it is not tried again
    pause_s: float


@dataclass(slots=True)
class Stats:
    """Plain counters of the shell, copied to the metrics once per commit."""

    commits: dict[str, int] = field(default_factory=dict)
    rebalances: int = 0
    recovered: int = 0
    state_lost: dict[str, int] = field(default_factory=dict)
    restored: int = 0
    bytes_consumed: dict[str, int] = field(default_factory=dict)  # by topic
    trouble: dict[Doing, Trouble] = field(default_factory=dict)  # what does not get on at the moment
    held: set[Partition] = field(default_factory=set)  # whose records are kept back: they wait for a schema
    schemas_awaited: str | None = None  # who waits for one, and why, in words
    registry: dict[str, int] | None = None  # answers of the schema registry, by outcome; None without one
    timings: list[tuple[Timing, float]] = field(default_factory=list)  # (metric, seconds), taken away by the reporter


Writes = Callable[[dict[str, Any]], bytes | Cut]


class Pool(Protocol):
    """What snapshots are encoded with: a thread of the service, or nothing but the call itself."""

    def submit(self, work: Writes, state: dict[str, Any], /) -> Future[bytes | Cut]:
        """The result to come."""


class InPlace:
    """Done when it returns: for the first and the last snapshot, and for the simulator, whose lives repeat."""

    def submit(self, work: Writes, state: dict[str, Any], /) -> Future[bytes | Cut]:
        future: Future[bytes | Cut] = Future()
        future.set_result(work(state))
        return future


def tick(owned: LivePartition, now_ms: int, marks: tuple[int, int] | None, held: bool, complete: bool = True) -> None:
    """Tell a task the time. `marks`: first and last offset of its partition, if known. `held`: its records are kept
    back, so who is silent is we; `complete`: everything that is to be in it is.
    """
    if held:
        owned.tick_at, owned.tick_end = -1, None
        return
    position = owned.task.position
    # At the end: at where it was a tick ago, or at where nothing has come since.
    at_end = position == owned.tick_at or (owned.tick_end is not None and position >= owned.tick_end)
    caught_up = at_end and complete
    owned.tick_at, owned.tick_end = position, marks[1] if marks is not None else None
    if len(owned.ticks) < TICKS_MAX:
        owned.ticks.append(Tick(position, now_ms, caught_up))
        owned.task.tick(owned.ticks[-1])


def newest(owned: LivePartition, seen: int) -> tuple[Tick, ...]:
    """The ticks of a task but for the first `seen` ones."""
    return tuple(owned.ticks[max(len(owned.ticks) - max(owned.task.ticks - seen, 0), 0) :])


def point(owned: LivePartition, pointer: Pointer) -> None:
    """An offset points at a newer snapshot."""
    owned.pointer, owned.slot = pointer, pointer.slot
    kept = tuple(one for one in owned.kept if one.sha == pointer.sha)
    if not kept and owned.kept and owned.staging is not None:  # In chunks, without the tombstones of a commit.
        kept = (Kept(pointer.sha, NO_PARTS, NO_BLOCKS, frozenset(names_of(owned.kept))),)
    owned.kept = kept
    owned.ticks = list(newest(owned, pointer.ticks))
    if owned.writing is not None and owned.writing[:2] <= (pointer.position, pointer.ticks):
        owned.writing = None
    staged, owned.staging = owned.staging is not None, None
    if staged:
        give_back(owned.snapshot_bytes)


def stands(owned: LivePartition | None, sent: Committed, snapshot: Snapshot | None) -> bool:
    """Whether a partition is ours, and Kafka has what was sent of it: its snapshot, too."""
    if owned is None or (owned.committed, owned.ticked) != sent.progress:
        return False
    wanted, there = snapshot or sent.pointer, owned.pointer
    return wanted is None or (there is not None and (there.position, there.ticks) == (wanted.position, wanted.ticks))


PAUSE_S = 0.1, 2.0
"""Between two tries at what Kafka does not do now: at first, and at most."""


def more_of(before: Trouble | None, why: str, now_s: float) -> Trouble:
    """The trouble after another try that failed."""
    pause_s = PAUSE_S[0] if before is None else min(2 * before.pause_s, PAUSE_S[1])
    return Trouble(why, now_s if before is None else before.since_s, now_s + pause_s, pause_s)
