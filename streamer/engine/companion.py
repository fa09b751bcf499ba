"""What a companion of the monitors is, which learns of a partition beside them; `beside.py` has them all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from schemas.events.batch import Batch
from streamer.alerts.alert import Notice
from streamer.config import model as cfg
from streamer.engine.figures import Counter
from streamer.monitors.base import Monitor
from streamer.port import Out, Partition
from streamer.review.alarms import Shown
from streamer.series.calibrations import Calibrations
from streamer.series.sources import Source
from streamer.signals.columns import I64, Bool, Grouping


class Seen(NamedTuple):
    """Events as they come to the monitors, which have not seen them yet."""

    batch: Batch
    used: Bool
    now: I64  # the clock at each event, in Unix ms
    sent_ms: I64  # when each event says it was, before what is late was put right


class Beside(Protocol):
    """One of them. Any cutting of events into batches gives the same state and records."""

    def take(self, seen: Seen) -> Iterable[Out]:
        """Learn of events; the records that they make."""

    def heard(self, notices: Sequence[Notice]) -> None:
        """Alerts that were told, as they are."""

    def judged(self, seen: Seen, shown: Shown) -> Iterable[Out]:
        """The same events, and what the monitors say of them."""

    def tick(self, offset: int, time_ms: int) -> Iterable[Out]:
        """It is so late, at this place of the log."""

    def erase(self, event_id: int, models: Collection[str]) -> tuple[bool, Sequence[Out]]:
        """Know nothing more of the event of this id (its hash), of whichever of these models it is. Whether there was
        something, and the records that it makes.
        """

    def counters(self, topic: str) -> Iterator[Counter]:
        """What was counted so far."""

    def dump(self) -> dict[str, Any]:
        """Plain values and arrays of its own."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Into a new one; ValueError and the like for what cannot be."""

    def models(self) -> Collection[str]:
        """Those that it knows something of."""

    def leave(self, models: Collection[str], lost: Collection[str]) -> None:
        """Forget these models: another partition goes on with what is known of them, but for the `lost` ones."""

    def join(self, other: Any, models: Collection[str]) -> None:
        """Go on with these models, which are not known here, as `other` knows them: one of another partition."""


class Surroundings(NamedTuple):
    """What one of them may be made of."""

    config: cfg.Config
    partition: Partition
    generation: int
    sources: Iterable[Source]
    grouping: Grouping
    monitors: Mapping[str, Monitor]
    emitted: dict[tuple[str, str], int]  # alerts by status and severity, for the metrics
    calibrations: Calibrations | None = None  # that labels make, which take a batch before the others do
