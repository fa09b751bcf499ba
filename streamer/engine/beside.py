"""What learns of a partition's events beside its monitors, and has state, records and counts of its own: an entry of
BESIDE, under whose name its state stands in the snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from streamer.alerts.alert import Notice
from streamer.alerts.performance_record import performance_records
from streamer.engine.companion import Beside, Seen, Surroundings
from streamer.engine.control import Control
from streamer.engine.figures import Counter
from streamer.engine.reviewing import review_of
from streamer.port import Out
from streamer.review.alarms import Shown
from streamer.series.labels import Labels
from streamer.series.moved_labels import join, leave, models_of
from streamer.series.realised import late_labels


class LateLabels:
    """See `series/labels.py`."""

    def __init__(self, around: Surroundings, labels: Labels) -> None:
        self.around, self.labels = around, labels
        self.dump, self.load = labels.dump, labels.load

    def take(self, seen: Seen) -> Iterable[Out]:
        self.labels.take(seen.batch, seen.used, seen.sent_ms)
        return ()

    def heard(self, notices: Sequence[Notice]) -> None:
        """Labels are about inferences."""

    def judged(self, seen: Seen, shown: Shown) -> Iterable[Out]:
        return ()

    def tick(self, offset: int, time_ms: int) -> Iterable[Out]:
        around = self.around
        return performance_records(around.config, around.partition, self.labels, offset, around.generation)

    def erase(self, event_id: int, models: Collection[str]) -> tuple[bool, Sequence[Out]]:
        return self.labels.erase(event_id, models), ()

    def counters(self, topic: str) -> Iterator[Counter]:
        """What became of label records, and of inferences that labels were waited for; those in no result wait."""
        yield Counter("labels_received_total", {"topic": topic}, self.labels.received)
        for result, count in self.labels.results.items():
            yield Counter("labels_total", {"topic": topic, "result": result}, count)
        for result, count in self.labels.inferences.items():
            yield Counter("labels_awaited_total", {"topic": topic, "result": result}, count)
        if self.labels.calibrations is not None:
            yield Counter("labels_uncalibrated_total", {"topic": topic}, self.labels.calibrations.refused)

    def models(self) -> Collection[str]:
        return models_of(self.labels)

    def leave(self, models: Collection[str], lost: Collection[str]) -> None:
        leave(self.labels, models, lost)

    def join(self, other: LateLabels, models: Collection[str]) -> None:
        join(self.labels, other.labels, models)


def _labels(around: Surroundings) -> Beside | None:
    labels = late_labels(around.config, around.sources, around.grouping)
    return None if labels is None else LateLabels(around, labels)


def _control(around: Surroundings) -> Beside | None:
    made = around.config, around.partition, around.generation, around.monitors
    return None if around.config.control is None else Control(*made)


BESIDE: dict[str, Callable[[Surroundings], Beside | None]] = {
    "labels": _labels,
    "review": review_of,
    "control": _control,
}
"""By name how it is made, in the order in which they take events; None where the config has none."""


def besides(around: Surroundings) -> dict[str, Beside]:
    """Those that a config has."""
    found = dict[str, Beside]()
    for name, make in BESIDE.items():
        one = make(around)
        if one is not None:
            found[name] = one
        if isinstance(one, LateLabels):
            around = around._replace(calibrations=one.labels.calibrations)
    return found
