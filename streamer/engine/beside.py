"""What learns of a partition's events beside its monitors, and has state, records and counts of its own: an entry of
BESIDE, under whose name its state stands in the snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from schemas.events.batch import Batch
from streamer.alerts.performance_record import performance_records
from streamer.config import model as cfg
from streamer.engine.figures import Counter
from streamer.port import Out, Partition
from streamer.series.labels import Labels
from streamer.series.moved_labels import join, leave, models_of
from streamer.series.realised import late_labels
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

    def tick(self, offset: int, time_ms: int) -> Iterable[Out]:
        """It is so late, at this place of the log."""

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


class LateLabels:
    """See `series/labels.py`."""

    def __init__(self, around: Surroundings, labels: Labels) -> None:
        self.around, self.labels = around, labels
        self.dump, self.load = labels.dump, labels.load

    def take(self, seen: Seen) -> Iterable[Out]:
        self.labels.take(seen.batch, seen.used, seen.sent_ms)
        return ()

    def tick(self, offset: int, time_ms: int) -> Iterable[Out]:
        around = self.around
        return performance_records(around.config, around.partition, self.labels, offset, around.generation)

    def counters(self, topic: str) -> Iterator[Counter]:
        """What became of label records, and of inferences that labels were waited for; those in no result wait."""
        yield Counter("labels_received_total", {"topic": topic}, self.labels.received)
        for result, count in self.labels.results.items():
            yield Counter("labels_total", {"topic": topic, "result": result}, count)
        for result, count in self.labels.inferences.items():
            yield Counter("labels_awaited_total", {"topic": topic, "result": result}, count)

    def models(self) -> Collection[str]:
        return models_of(self.labels)

    def leave(self, models: Collection[str], lost: Collection[str]) -> None:
        leave(self.labels, models, lost)

    def join(self, other: LateLabels, models: Collection[str]) -> None:
        join(self.labels, other.labels, models)


def _labels(around: Surroundings) -> Beside | None:
    labels = late_labels(around.config, around.sources, around.grouping)
    return None if labels is None else LateLabels(around, labels)


BESIDE: dict[str, Callable[[Surroundings], Beside | None]] = {"labels": _labels}
"""By name how it is made, in the order in which they take events; None where the config has none."""


def besides(around: Surroundings) -> dict[str, Beside]:
    """Those that a config has."""
    made = {name: make(around) for name, make in BESIDE.items()}
    return {name: one for name, one in made.items() if one is not None}
