"""What a task counts, as the metrics name it; the task itself knows no metrics."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from streamer.engine.admission import Admission
from streamer.monitors.base import Monitor
from streamer.monitors.window_outcomes import ENDS
from streamer.series.feedback import apart
from streamer.series.table import SeriesTable, TableId

Name = Literal[
    "events_total",
    "events_muted_total",
    "pairs_total",
    "pairs_alone_total",
    "feedback_total",
    "feedback_awaited_total",
    "labels_received_total",
    "labels_total",
    "labels_awaited_total",
    "review_items_total",
    "review_outcomes_total",
    "review_no_share_total",
    "review_uncompared_total",
    "erasures_total",
    "verdicts_total",
    "control_commands_total",
    "alerts_held_total",
    "alert_verdicts_total",
    "labels_uncalibrated_total",
    "records_failed_total",
    "records_consumed_total",
    "odd_fields_total",
    "series_dropped_total",
    "series_evicted_total",
    "windows_total",
    "detections_total",
    "alerts_emitted_total",
    "shadow_alerts_emitted_total",
    "incidents_emitted_total",
]


class Counter(NamedTuple):
    """A count that only grows, with its labels."""

    name: Name
    labels: dict[str, str]
    value: int


def of_records(topic: str, results: Mapping[str, int], reasons: Mapping[str, int]) -> Iterator[Counter]:
    """What became of the records of a topic, and of those that cannot be read why."""
    for result, count in results.items():
        yield Counter("events_total", {"topic": topic, "result": result}, count)
    for reason, count in reasons.items():
        yield Counter("records_failed_total", {"topic": topic, "reason": reason}, count)
    yield Counter("records_consumed_total", {"topic": topic}, sum(results.values()))


def of_alerts(name: Name, emitted: Mapping[tuple[str, str], int]) -> Iterator[Counter]:
    """Records of alerts by status and severity."""
    for (status, severity), count in emitted.items():
        yield Counter(name, {"status": status, "severity": severity}, count)


def of_feedback(topic: str, sources: Mapping[TableId, object]) -> Iterator[Counter]:
    """What became of feedback events, and of inferences that they were waited for; those in no result wait."""
    for one in apart(sources):
        for result, count in one.results.items():
            yield Counter("feedback_total", {"topic": topic, "result": result}, count)
        for result, count in one.inferences.items():
            yield Counter("feedback_awaited_total", {"topic": topic, "result": result}, count)


def counters(
    topic: str,
    admission: Admission,
    tables: Collection[SeriesTable],
    monitors: Iterable[Monitor],
    muted: Mapping[str, int],
    detections: Mapping[str, int],
    emitted: Mapping[tuple[str, str], int],
    shadowed: Mapping[tuple[str, str], int],
    incidents: Mapping[tuple[str, str], int],
) -> Iterator[Counter]:
    """Every counter of a task, but those of what is beside its monitors."""
    yield from of_records(topic, admission.counts, admission.reasons)
    yield Counter("events_muted_total", {"topic": topic}, sum(muted.values()))
    for (field, reason), count in admission.odd.items():
        yield Counter("odd_fields_total", {"field": field, "reason": reason}, count)
    yield Counter("series_dropped_total", {}, sum(table.dropped for table in tables))
    yield Counter("series_evicted_total", {}, sum(table.evicted for table in tables))
    for monitor in (m for m in monitors if m.windowed):
        by_model = monitor.ended().values()
        for ended in ENDS:
            count = sum(counts[ended] for counts in by_model)
            yield Counter("windows_total", {"monitor": monitor.name, "ended": ended}, count)
    for name, count in detections.items():
        yield Counter("detections_total", {"monitor": name}, count)
    yield from of_alerts("alerts_emitted_total", emitted)
    yield from of_alerts("shadow_alerts_emitted_total", shadowed)
    for (change, severity), count in incidents.items():
        yield Counter("incidents_emitted_total", {"change": change, "severity": severity}, count)
