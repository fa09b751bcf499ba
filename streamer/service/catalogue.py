"""Every metric Driftline exports, in one typed table.

A name that is not in the table does not pass mypy, so that a metric cannot be exported that the README's table (made
from here) does not describe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from schemas.events.batch import ODD_REASONS, REASONS
from schemas.records.alert import SEVERITIES
from streamer.alerts.alert import FADING, FIRING, PENDING
from streamer.engine.admission import RESULTS
from streamer.engine.figures import Name as Counted
from streamer.engine.ordering import ORDERED
from streamer.engine.pairs import SIDES
from streamer.engine.unwatched import WHY
from streamer.incidents.book import CHANGES
from streamer.monitors.detectable import HORIZONS, SIGNS
from streamer.monitors.window_outcomes import ENDS
from streamer.port import Outcome
from streamer.series.labels import AWAITED
from streamer.series.labels import RESULTS as LABEL_RESULTS
from streamer.service.people_metrics import PEOPLE

PREFIX = "driftline_"
Kind = Literal["counter", "gauge", "histogram"]
CounterName = Literal[
    Counted,
    "bytes_consumed_total",
    "commits_total",
    "rebalances_total",
    "state_lost_total",
    "producer_recreated_total",
    "schema_fetches_total",
    "ordered_skipped_total",
    "thread_failures_total",
]
GaugeName = Literal[
    "unusable_ratio",
    "consumer_lag_records",
    "event_lag_seconds",
    "last_record_timestamp_seconds",
    "unread_seconds",
    "snapshot_age_seconds",
    "state_bytes",
    "series",
    "unwatched",
    "anomaly_fraction",
    "distribution_distance",
    "window_rows",
    "series_in_school",
    "series_calibrated",
    "series_proved",
    "school_seconds_left",
    "detectable_drift",
    "expected_false_alarms",
    "alerts_active",
    "shadow_alerts_active",
    "incidents_open",
    "assigned_partitions",
    "schema_registry_up",
    "schemas",
    "build_info",
    "config_last_reload_successful",
    "config_last_reload_success_timestamp_seconds",
]
HistogramName = Literal["processing_seconds", "commit_seconds", "checkpoint_seconds", "restore_seconds"]
Name = CounterName | GaugeName | HistogramName

THREADS = ("page", "watch", "http", "other")
OUTCOMES = ("found", "unknown", "failed")
OPEN: tuple[str, ...] = ()
"""A label whose values are not known beforehand."""
PARTITION: Mapping[str, tuple[str, ...]] = {"topic": OPEN, "partition": OPEN}
WINDOW: Mapping[str, tuple[str, ...]] = {"monitor": OPEN, "model": OPEN}

QUICK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ROUND_TRIP_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
LONG_S = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)


class Spec(NamedTuple):
    """One row of the catalogue. `labels` maps each label to its closed set of values, or to OPEN."""

    kind: Kind
    help: str
    labels: Mapping[str, tuple[str, ...]] = {}
    buckets: tuple[float, ...] = ()  # upper bounds in seconds, ascending; histograms only


CATALOGUE: dict[Name, Spec] = {
    "records_consumed_total": Spec("counter", "Records read from the input topics.", {"topic": OPEN}),
    "bytes_consumed_total": Spec("counter", "Bytes of the values read from the input topics.", {"topic": OPEN}),
    "events_total": Spec(
        "counter",
        "What became of every record consumed; the results add up.",
        {"topic": OPEN, "result": (*RESULTS, ORDERED)},
    ),
    "events_muted_total": Spec(
        "counter", "Used events that no monitor saw, as the calendar has them out of the ordinary.", {"topic": OPEN}
    ),
    "pairs_total": Spec(
        "counter",
        "Requests and answers that became one event, and those that stayed alone, see mapping.pair.",
        {"topic": OPEN, "result": ("paired", "alone")},
    ),
    "pairs_alone_total": Spec(
        "counter",
        "Those that stayed alone: requests without an answer, answers without a request, and what is neither.",
        {"topic": OPEN, "half": SIDES},
    ),
    "ordered_skipped_total": Spec("counter", "Events of the ordered log that another group wrote: they are skipped."),
    "labels_received_total": Spec(
        "counter", "Label records used; those that are no result of labels_total yet wait.", {"topic": OPEN}
    ),
    "labels_total": Spec(
        "counter",
        "What became of label records: joined with their inference, repeated, contradicting, waited in vain, unusable.",
        {"topic": OPEN, "result": LABEL_RESULTS},
    ),
    "labels_awaited_total": Spec(
        "counter",
        "What became of inferences that labels were waited for: labelled, no label within labels.ttl, or before "
        "labels.pending others, or refused as there were too many groups, or windows of them.",
        {"topic": OPEN, "result": AWAITED},
    ),
    **{name: Spec("counter", *row) for name, row in PEOPLE.items()},
    "labels_uncalibrated_total": Spec(
        "counter",
        "Labels from which confidence was not calibrated, as there were too many models or groups: once for each such "
        "model and group.",
        {"topic": OPEN},
    ),
    "records_failed_total": Spec(
        "counter", "Records sent to the dead-letter topic, by reason.", {"topic": OPEN, "reason": tuple(REASONS)}
    ),
    "odd_fields_total": Spec(
        "counter",
        "Fields left out of events because they could not be used, by field and reason.",
        {"field": OPEN, "reason": ODD_REASONS},
    ),
    "unusable_ratio": Spec(
        "gauge",
        "Share of the records of the last minute or two that could not be read, came too late or repeated an event.",
        {"topic": OPEN, "what": ("rejected", "late", "duplicate")},
    ),
    "consumer_lag_records": Spec(
        "gauge", "Records not consumed yet: high watermark - max(position, first retained offset).", PARTITION
    ),
    "event_lag_seconds": Spec("gauge", "Wall clock minus the timestamp of the last record consumed.", PARTITION),
    "last_record_timestamp_seconds": Spec("gauge", "Timestamp of the last record consumed, Unix time.", PARTITION),
    "unread_seconds": Spec(
        "gauge",
        "For how long no member of its group has had a partition, of all that are to be read; no value where one has.",
        PARTITION,
    ),
    "processing_seconds": Spec("histogram", "Decoding and detecting one batch.", {}, QUICK_S),
    "commit_seconds": Spec("histogram", "One commit transaction, whatever its outcome.", {}, ROUND_TRIP_S),
    "commits_total": Spec(
        "counter",
        "Commit transactions of each stage, which has a group of its own, by outcome.",
        {"group": OPEN, "outcome": tuple(outcome.value for outcome in Outcome)},
    ),
    "snapshot_age_seconds": Spec("gauge", "Time since a snapshot of the partition landed.", PARTITION),
    "checkpoint_seconds": Spec("histogram", "Making the snapshot of one partition.", {}, QUICK_S),
    "restore_seconds": Spec(
        "histogram", "From assignment to the first live record: snapshot loaded and replayed.", {}, LONG_S
    ),
    "state_bytes": Spec("gauge", "Size of the partition's last snapshot.", PARTITION),
    "state_lost_total": Spec(
        "counter",
        "Partitions whose state could not be restored, by the policy applied.",
        {"policy": ("rebaseline", "halt")},
    ),
    "series": Spec("gauge", "Series held in memory.", PARTITION),
    "series_dropped_total": Spec("counter", "Series refused because `limits.series` was reached."),
    "series_evicted_total": Spec("counter", "Series that fell silent and whose place was given to others."),
    "unwatched": Spec(
        "gauge",
        "Texts that are no categories, and members that have no series of their own; the heartbeats name them.",
        {**PARTITION, "why": WHY},
    ),
    "anomaly_fraction": Spec("gauge", "Share of anomalous events in the last window.", WINDOW),
    "distribution_distance": Spec("gauge", "Largest distance of a signal's last window from its reference.", WINDOW),
    "window_rows": Spec("gauge", "Events in the last window.", WINDOW),
    "series_in_school": Spec("gauge", "Series of which too few days were seen: only the unmistakable is told.", WINDOW),
    "series_calibrated": Spec("gauge", "Series with limits that follow from their own days.", WINDOW),
    "series_proved": Spec("gauge", "Series whose averages vary as those of independent values do.", WINDOW),
    "school_seconds_left": Spec(
        "gauge",
        "Event time until the last series of a model has seen enough days, at the earliest; 0 when it has.",
        {"model": OPEN},
    ),
    "detectable_drift": Spec(
        "gauge",
        "Smallest lasting shift of a mean, or of a share, found within the horizon with 80 % chance, in the signal's "
        "units; of partitions where it is largest. Up to 250 series are stated, anew once in some minutes.",
        {**WINDOW, "series": OPEN, "direction": tuple(SIGNS), "horizon": tuple(HORIZONS)},
    ),
    "expected_false_alarms": Spec(
        "gauge",
        "What a monitor may say falsely of a healthy model in a week, by `false_alarms` and how many series live.",
        WINDOW,
    ),
    "windows_total": Spec("counter", "Windows by how they ended.", {"monitor": OPEN, "ended": tuple(ENDS)}),
    "detections_total": Spec("counter", "Change points, and windows in breach.", {"monitor": OPEN}),
    "alerts_emitted_total": Spec(
        "counter",
        "Alert records published; renewed: told again.",
        {"status": (FIRING, "renewed", "resolved"), "severity": tuple(SEVERITIES)},
    ),
    "shadow_alerts_emitted_total": Spec(
        "counter",
        "The same of shadow monitors, in topics.shadow; alerts_emitted_total has none of them.",
        {"status": (FIRING, "renewed", "resolved"), "severity": tuple(SEVERITIES)},
    ),
    "alerts_active": Spec(
        "gauge",
        "Open alerts; fading: back or clear, for less than keep_firing_for. The first 100 models with alerts have "
        "their name, all others `__other__`.",
        {"model": OPEN, "monitor": OPEN, "state": (PENDING, FIRING, FADING)},
    ),
    "shadow_alerts_active": Spec(
        "gauge",
        "The same of shadow monitors; alerts_active has none of them.",
        {"model": OPEN, "monitor": OPEN, "state": (PENDING, FIRING, FADING)},
    ),
    "incidents_emitted_total": Spec(
        "counter", "Incident records published.", {"change": CHANGES, "severity": tuple(SEVERITIES)}
    ),
    "incidents_open": Spec("gauge", "Open incidents; models have their names as in alerts_active.", {"model": OPEN}),
    "rebalances_total": Spec("counter", "Partitions assigned, lost or revoked."),
    "assigned_partitions": Spec("gauge", "Input partitions this instance works on; 0 is healthy for a spare."),
    "producer_recreated_total": Spec("counter", "Producers replaced because a commit's outcome was unknown."),
    "thread_failures_total": Spec(
        "counter", "Threads that failed: the page's begins again, of any other the process ends.", {"thread": THREADS}
    ),
    "schema_registry_up": Spec("gauge", "Whether the schema registry answered when last asked; only with one."),
    "schemas": Spec("gauge", "Schemas of the registry that are kept."),
    "schema_fetches_total": Spec(
        "counter", "Schemas asked for: found, unknown to the registry, or no answer.", {"outcome": OUTCOMES}
    ),
    "build_info": Spec(
        "gauge",
        "Always 1; the versions are in the labels, and whether the core is compiled.",
        {"version": OPEN, "river": OPEN, "librdkafka": OPEN, "core": ("compiled", "python")},
    ),
    "config_last_reload_successful": Spec("gauge", "1 if the config as the file had it last is at work, 0 if not."),
    "config_last_reload_success_timestamp_seconds": Spec("gauge", "When a config was taken last, also at the start."),
}


def catalogue_markdown(catalogue: Mapping[Any, Spec] = CATALOGUE) -> str:
    """A catalogue as a Markdown table, one metric a row, with a newline at the end."""
    rows = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for name, spec in catalogue.items():
        labels = ", ".join(
            f"`{label}` ({', '.join(known)})" if known else f"`{label}`" for label, known in spec.labels.items()
        )
        rows.append(f"| `{PREFIX}{name}` | {spec.kind} | {labels} | {spec.help} |")
    return "\n".join(rows) + "\n"
