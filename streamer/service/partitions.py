"""What the worker keeps beside its tasks: where each stands in the log, and counters."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from streamer.engine.stage import Stage
from streamer.port import Out, Pointer, Tick
from streamer.service.unusable import Sample


@dataclass(slots=True)
class LivePartition:
    """A partition of ours whose task is live."""

    task: Stage
    committed: int | None  # C as we last knew it landed
    pointer: Pointer | None
    slot: int
    snapshot_due_s: float
    snapshot_s: float  # clock when the newest snapshot landed, or the task became live
    snapshot_bytes: int = 0
    newest_ms: int = -1  # timestamp of the newest record taken
    writing: tuple[int, int, Future[bytes]] | None = None  # a snapshot of that offset and tick, being encoded
    sent: int = 0  # outbox records in the transaction whose outcome is open
    sending: list[Out] = field(default_factory=list)  # those
    ticked: int = 0  # ticks up to C
    ticks: list[Tick] = field(default_factory=list)  # those the newest snapshot that landed has not seen
    starts: int = 0  # what is written down of them until there is progress
    begun: int = -1  # where it stood when it became live
    tick_at: int = -1  # where the task stood at the last tick, and where the log ended then
    tick_end: int | None = None


Timing = Literal["processing_seconds", "commit_seconds", "checkpoint_seconds", "restore_seconds"]


Doing = Literal["commits", "restores"]


class Trouble(NamedTuple):
    """Something that Kafka does not do now, and that is tried again."""

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
    rejected: dict[str, Sample] = field(default_factory=dict)  # the last record of a topic that could not be read
    trouble: dict[Doing, Trouble] = field(default_factory=dict)  # what does not get on at the moment
    timings: list[tuple[Timing, float]] = field(default_factory=list)  # (metric, seconds), taken away by the reporter


class Pool(Protocol):
    """What snapshots are encoded with: a thread of the service, or nothing but the call itself."""

    def submit(self, work: Callable[[dict[str, Any]], bytes], state: dict[str, Any], /) -> Future[bytes]:
        """The result to come."""


class InPlace:
    """Done when it returns: for the first and the last snapshot, and for the simulator, whose lives repeat."""

    def submit(self, work: Callable[[dict[str, Any]], bytes], state: dict[str, Any], /) -> Future[bytes]:
        future: Future[bytes] = Future()
        future.set_result(work(state))
        return future


def newest(owned: LivePartition, seen: int) -> tuple[Tick, ...]:
    """The ticks of a task but for the first `seen` ones."""
    return tuple(owned.ticks[max(len(owned.ticks) - max(owned.task.ticks - seen, 0), 0) :])
