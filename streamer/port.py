"""The port to Kafka: what the worker asks of it, and nothing else.

``kafka.py`` implements it with confluent-kafka; the simulator implements it in memory. The worker holds the
commit protocol; an implementation only maps calls and errors, so that what the simulator proves holds for both.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.events.batch import Record

Partition = tuple[str, int]
"""(input topic, partition number)."""
I64 = NDArray[np.int64]


class Pointer(NamedTuple):
    """Root pointer to a snapshot; it travels as metadata of the committed input offset."""

    position: int  # S: the input offset the snapshot stands at
    partition: int  # partition of the state topic
    offset: int  # offset of the snapshot's first chunk there, or of its manifest's
    chunks: int
    sha: str  # sha256 of the whole blob, or of the manifest, hex
    config: str  # config hash it was made under
    slot: int = 0  # the next snapshot goes to the other one, also after a restart
    ticks: int = 0  # how many ticks the snapshot has seen
    generation: int = 0  # how often the input topic was made anew, also where the snapshot is of no use any more


class Tick(NamedTuple):
    """What the wall clock showed when a task stood at `offset`. Silence needs a clock and the core has none: so time is
    data, written down with the commit that follows, and a replay repeats it.
    """

    offset: int
    time_ms: int
    caught_up: bool  # nothing was left to read, so that who is silent is silent and not unread


class Parts(NamedTuple):
    """Over how many partitions of the ordered log models are shared out, and how many it had when that was settled."""

    used: int
    there: int


class Committed(NamedTuple):
    """What is known of a partition's past: the committed offset and its metadata."""

    offset: int | None  # C: the next input offset to consume; None when the group never committed
    pointer: Pointer | None  # None when the metadata is missing or unreadable
    ticked: int = 0  # ticks up to C, in all
    ticks: tuple[Tick, ...] = ()  # the last of them, those the snapshot has not seen
    starts: int = 0  # how often somebody began to read at C and was not heard of again
    reached_ms: int = 0  # about when the events before C were, for others who read in step; 0 where it does not say
    parts: Parts | None = None  # of one whose events go to the ordered log

    @property
    def progress(self) -> tuple[int, int]:
        """Grows with every commit that has anything in it, within a generation."""
        return -1 if self.offset is None else self.offset, self.ticked

    @property
    def generation(self) -> int:
        """How often the input topic was made anew, as far as the commit tells."""
        return self.pointer.generation if self.pointer is not None else 0


Roots = Mapping[Partition, Committed]


class StateParts(NamedTuple):
    """Records of the state topic, each full of blocks of snapshots; one element per record."""

    offsets: I64
    numbers: I64  # their names
    sizes: I64  # in bytes


class Blocks(NamedTuple):
    """Stretches of a snapshot, some hundred bytes each, and where their bytes stand; one element per block."""

    digests: NDArray[np.uint64]  # of two numbers each
    parts: NDArray[Any]  # in which of the parts
    begins: NDArray[Any]
    sizes: NDArray[Any]


class Kept(NamedTuple):
    """What the state topic has of a snapshot in parts, so that the next one need not write it again."""

    sha: str  # of its manifest, as its pointer has it
    parts: StateParts
    blocks: Blocks  # by their digests
    stale: frozenset[int]  # names of further parts that may be there, of which no offset needs any


class Cut(NamedTuple):
    """A snapshot of which only those blocks are written that are not there yet."""

    size: int  # of the snapshot
    pieces: NDArray[np.int64]  # size and bytes of an element, of each stretch whose blocks are found by themselves
    carried: StateParts
    fresh: tuple[tuple[int, bytes], ...]  # further parts, by name
    blocks: Blocks  # in the order of the snapshot; of `carried`, then of `fresh`
    gone: tuple[int, ...]  # names of parts that nobody needs any more
    stale: frozenset[int]  # and of those that nobody does as soon as an offset points at this one


class Stored(NamedTuple):
    """A snapshot that was found."""

    blob: bytes | bytearray
    kept: Kept | None = None  # where it stands in parts


class Snapshot(NamedTuple):
    """A task's state at input offset `position`. Two slots alternate, so the previous one survives compaction."""

    position: int
    slot: int
    config: str
    blob: bytes  # empty where it is cut
    ticks: int = 0
    generation: int = 0
    cut: Cut | None = None
    gone: tuple[int, ...] = ()  # names of parts that nobody needs any more: tombstones go with it

    @property
    def size(self) -> int:
        """Bytes of the state."""
        return len(self.blob) if self.cut is None else self.cut.size


class Staged(NamedTuple):
    """How much of a snapshot stands in the state topic while no offset points at it."""

    written: int = 0  # records, from the first on: parts, then chunks
    chunks: int = 0  # of how many; not known before the first
    first: int = -1  # offset of the first chunk
    sha: str = ""
    pointer: Pointer | None = None  # to all of it, as soon as nothing is missing
    offsets: tuple[int, ...] = ()  # of the parts


class Out(NamedTuple):
    """One record to publish. `topic` is a role, resolved to a name by the implementation."""

    topic: str  # "alerts", "shadow", "incidents", "control", "heartbeats", "windows", "review" ...
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int | None = None  # by the key where it is not said
    turn: int = 0  # when it comes among all that one commit publishes


@dataclass(frozen=True, slots=True)
class Assigned:
    """The partition is ours; nothing of it is delivered until `Log.start`."""

    partition: Partition


@dataclass(frozen=True, slots=True)
class Lost:
    """The partition is no longer ours and nothing of it may be published any more."""

    partition: Partition


@dataclass(frozen=True, slots=True)
class Records:
    """Records of a started partition, in offset order, gapless in delivery."""

    partition: Partition
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Gap:
    """What comes next of a started partition is not there any more: retention, or the topic was deleted or made anew.
    Nothing more of it is delivered until it is started again.
    """

    partition: Partition
    why: str


LogEvent = Assigned | Lost | Records | Gap


class Topic(NamedTuple):
    """A topic that exists."""

    partitions: int
    id: str  # another one where it was deleted and made anew; empty where the broker does not say
    appeared: bool = False  # a pattern has matched it since we run


Unread = Mapping[str, Mapping[Partition, float]]
"""By group the partitions that none of its members has, and for how many seconds so far."""


class Surroundings(NamedTuple):
    """What the service depends on, as last seen."""

    down: str | None = None  # why no broker answers, in words
    topics: Mapping[str, Topic] | None = None  # those of ours that exist; None before the first look
    hidden: frozenset[str] = frozenset()  # topics of ours that we may not see, whether they exist or not
    unread: frozenset[str] = frozenset()  # topics that stage 1 has yet to write to, since it has not read all there is
    lacking: str | None = None  # rights that we need and do not have, in words; of all but topics while something waits
    overlooked: Unread = MappingProxyType({})
    to_share: Mapping[str, frozenset[Partition]] = MappingProxyType({})  # of that, what is for us to have shared out


class Outcome(Enum):
    DONE = "done"  # everything was published, atomically
    ABORTED = "aborted"  # nothing was published; the same call may be made again after a poll
    UNKNOWN = "unknown"  # call `recover`, then compare `committed` with what was sent


class CommitResult(NamedTuple):
    outcome: Outcome
    pointers: Mapping[Partition, Pointer]  # of the snapshots written; empty unless DONE
    why: str = ""  # in words, unless DONE


class LogGap(Exception):
    """The input no longer holds the offsets asked for (retention, or the topic was recreated)."""


class StateLost(Exception):
    """No usable snapshot, or its input is no longer retained, and the policy says to halt."""


class LogDown(Exception):
    """The broker cannot be reached, or refused us, within the deadline. Nothing was published; later it may work.

    Its text says why; `event` is the name to log it under, `fix` what somebody can do about it.
    """

    def __init__(self, why: str, event: str = "broker_unreachable", fix: str = "") -> None:
        super().__init__(why)
        self.event, self.fix = event, fix


class LogRefused(LogDown):
    """Waiting does not help: another process uses our identity, or the client cannot be made of its settings."""

    def __init__(self, why: str, event: str = "refused", fix: str = "") -> None:
        super().__init__(why, event, fix)


class Log(Protocol):
    """One consumer group member plus one transactional producer. Not thread-safe; never blocks past its deadlines.

    Any call may raise LogDown. From `poll` it means that this log is of no more use; the others may be made again.
    """

    def poll(self, limit: int, timeout_s: float, on_revoke: Callable[[list[Partition]], None]) -> list[LogEvent]:
        """Next events, at most `limit` records in all.

        `on_revoke` is called inside, while the partitions named are still ours: commit their work there.
        When it returns they are gone, without a `Lost`.
        """

    def committed(self, partition: Partition) -> Committed | None:
        """The group's committed offset and pointer, or None while an open transaction hides it (ask again)."""

    def begin_end(self, partition: Partition) -> tuple[int, int]:
        """First retained offset and high watermark (not the last stable offset) of an input partition."""

    def watermarks(self, partition: Partition) -> tuple[int, int] | None:
        """The same as last heard while fetching, for the metrics; never asks a broker. None when not heard yet."""

    def surroundings(self) -> Surroundings:
        """As last looked at, some seconds ago; never asks a broker."""

    def topic_id(self, topic: str) -> str | None:
        """Id of a topic as last seen, empty where the broker does not say. None before the first look: ask again."""

    def waiting(self) -> str | None:
        """What the membership in the group waits for, in words; None when the group has assigned what is ours."""

    def read_state(self, partition: Partition, pointer: Pointer | None) -> Iterator[Stored | None]:
        """Snapshots of `partition`: the one pointed at, or without a pointer every complete one, newest first.

        Yields None while it works, so that the worker can poll in between. Integrity of the bytes is checked by
        the reader of the blob; a pointed snapshot that is not there any more yields nothing.
        """

    def examine(
        self, partition: Partition, start: int, end: int, starts: int
    ) -> Generator[None, None, list[tuple[int, int]]]:
        """After too many `starts`: look, without a danger to this process, for stored batches from `start` on that
        nobody survives to unpack. Their first and last offsets; `replay` and `start` have one record in the place of
        each, which says so. Yields while it works.
        """

    def replay(self, partition: Partition, start: int, end: int) -> Iterator[list[Record]]:
        """Records with start <= offset < end, committed ones only; empty lists while waiting. Raises LogGap."""

    def start(self, partition: Partition, offset: int) -> None:
        """Deliver the partition's records from `offset` on."""

    def hold(self, partition: Partition) -> None:
        """Deliver nothing more of the partition until it is started again."""

    def commit(
        self,
        outs: Sequence[Out],
        offsets: Mapping[Partition, Committed],
        snapshots: Mapping[Partition, Snapshot],
    ) -> CommitResult:
        """One transaction: `outs`, `snapshots` and the input `offsets` with their metadata.

        The pointer in the metadata is that to the snapshot written here where there is one, else the given one.
        """

    def stage(
        self, partition: Partition, snapshot: Snapshot, staged: Staged, chunks: int, root: Committed
    ) -> tuple[Outcome, Staged]:
        """One transaction: the next `chunks` records of a snapshot that is too large for a commit, and how far it is
        now.

        They mean nothing until a `commit` names the pointer to them. `root`, which was committed last, is committed
        once more: only with an offset does the group see to it that whoever writes is still its member.
        """

    def awaited(self) -> bool:
        """Whether other processes wait for the next commit, so that it should be soon."""

    def lags(self) -> bool:
        """Whether a backlog is read in step with other processes, in small pieces therefore."""

    def throttled(self) -> float:
        """Seconds for which a broker holds back what we write, by a quota, as last heard; never asks."""

    def recover(self) -> None:
        """Destroy and re-create the producer: fences delayed requests, settles every open transaction of ours.

        LogDown where that cannot be done yet.
        """

    def close(self) -> None:
        """Leave the group and release everything; further calls are errors."""
