"""What a worker drives: the state of one partition, which takes batches and ticks and leaves what is to be published.

There are two kinds: the task, which detects, and where a topic is not keyed by model the ordering before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from schemas.events.batch import Batch, Record
from streamer.alerts.unusable_record import RecordAlerts
from streamer.engine.figures import Counter
from streamer.engine.room import Fullness
from streamer.engine.school import School
from streamer.engine.unwatched import Unwatched
from streamer.monitors.base import Gauge, Monitor
from streamer.monitors.detectable import Drift, Series
from streamer.port import Out, Partition, Parts, Tick


class History(Protocol):
    """What the topic held before the first start, see `RetainedHistory`."""

    over: bool
    end: int

    def holding(self, monitors: Mapping[str, Monitor]) -> list[str]:
        """What still held where it ended, in words."""


class Stage(Protocol):
    """Its state at `position` depends only on the partition's records before it, on the ticks and on the config."""

    partition: Partition
    position: int  # the next input offset
    ticks: int  # how many there were
    topic_id: str  # of the topic whose records it took, empty where the broker does not say; it decides nothing here
    generation: int  # how often the topic was made anew: offsets repeat then, and what is named after them must not
    monitors_reset: list[str]  # those that a snapshot had nothing for
    record_alerts: RecordAlerts  # with the account of records that cannot be used

    @property
    def parts(self) -> Parts | None:
        """Of one that writes to the ordered log."""

    @property
    def history(self) -> History:
        """What the topic held before the first start."""

    @property
    def monitors(self) -> Mapping[str, Monitor]:
        """By name."""

    @property
    def series(self) -> int:
        """How many series there are."""

    def counters(self) -> Iterator[Counter]:
        """What was counted so far, for the metrics."""

    def gauges(self) -> Iterator[tuple[str, Gauge]]:
        """Figures of the last windows, with their monitor."""

    def detectable(self, most: int) -> Iterator[tuple[Series, list[Drift]]]:
        """The smallest drifts that are found, series after series, up to `most` of a monitor; dear, so drawn slowly."""

    def models(self) -> Collection[str]:
        """Those it has met."""

    def school(self) -> dict[str, School]:
        """What of each model is still in school."""

    def alerts(self) -> dict[tuple[str, str, str], int]:
        """How many alerts there are by monitor, model and state."""

    def open_incidents(self) -> dict[str, int]:
        """How many incidents are open, by model."""

    def fullness(self) -> list[Fullness]:
        """How full everything is that has a limit."""

    def unwatched(self) -> list[Unwatched]:
        """What is not watched, or not on its own, though the config asks for it."""

    @property
    def waiting(self) -> int:
        """How many records wait for a commit, by and large: what is written late is counted late."""

    @property
    def outbox(self) -> list[Out]:
        """What the next commit publishes."""

    def step(self, batch: Batch) -> None:
        """Take one batch that begins at or after the position."""

    def tick(self, tick: Tick) -> None:
        """Take the time."""

    def published(self, count: int | None = None) -> None:
        """Forget the first `count` records of the outbox, or all of them."""

    def state(self) -> dict[str, Any]:
        """The state as plain values and arrays of its own, which no later step changes."""

    def dump(self) -> bytes:
        """Snapshot bytes of the state; the outbox is not part of it."""


class Decode(Protocol):
    """Records of one partition to columns."""

    @property
    def size(self) -> int:
        """Bytes of the values of the last batch."""

    def __call__(self, records: Sequence[Record], topic: str) -> Batch: ...


class Stages(Protocol):
    """Makes the stages of a config, and the decoder of what they take."""

    decode: Decode

    def new(self, partition: Partition, position: int, generation: int = 0, first_end: int = 0) -> Stage:
        """One without a past; what is before `first_end` was there before the first start."""

    def load(self, partition: Partition, blob: bytes | bytearray) -> Stage:
        """From snapshot bytes; raises InvalidSnapshot."""


def once(partition: Partition, position: int, batch: Batch) -> Partition:
    """The partition of a batch that a stage at this position may take: nothing of it came before."""
    topic, number = partition
    first = min([*batch.offsets[:1].tolist(), *(r.record.offset for r in batch.rejects[:1])], default=position)
    if first < position or batch.next_offset < position:
        raise AssertionError(f"{topic}[{number}]: offset {first} came again, all before {position} is done")
    return partition
