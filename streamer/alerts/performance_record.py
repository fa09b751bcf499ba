"""How good predictions were, as records for dashboards: each window that is over, with the
error that confidence promises, and again when labels have changed it since the last tick."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.records.envelope import HEADERS
from schemas.records.performance import PerformanceFacts, render_performance
from streamer.config import model as cfg
from streamer.monitors.words import label_of
from streamer.port import Out, Partition
from streamer.series.labels import Labels


def performance_records(
    config: cfg.Config, partition: Partition, labels: Labels, offset: int, generation: int = 0
) -> Iterator[Out]:
    """The records of a tick that stands at `offset`."""
    if labels.performance is None or labels.calibrations is None:
        return
    for told in labels.performance.tell(labels.clock_ms, labels.calibrations, labels.classes):
        named = dict(zip(map(label_of, told.by), told.group[1:], strict=True))
        who = {"model": told.group[0], **named}
        place = config.kafka.group, *partition, offset, told.begin_ms, told.end_ms, told.version
        yield Out("windows", *render_performance(PerformanceFacts(who, *place, told.facts, generation)), HEADERS)
