"""From a notice of the alert book to the record that crosses Kafka: evidence, one plain sentence, how to repeat it.

A field of the record that varies is an entry of FACTS; `schemas/records/alert.py` has the place of the older ones, a
new one stands in `data` under its name, and `schemas/alert.v1.json` says what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas.records import alert as wire
from schemas.records.envelope import HEADERS
from streamer.alerts.lifecycle import Notice
from streamer.config import model as cfg
from streamer.monitors.base import Monitor
from streamer.monitors.evidence import Evidence, told
from streamer.port import Out, Partition
from streamer.signals.grammar import member_title

BY_LABELS = {"version": "model_version", "caller": "caller"}
VERDICTS = {"firing": "found by", "resolved": "resolved, was found by"}


class Change(NamedTuple):
    """An alert that changed its published status, with all that its record is made of."""

    notice: Notice
    monitor: Monitor
    own: wire.Identity
    evidence: Evidence
    partition: Partition


def sentence_of(change: Change) -> str:
    """Who, what moved, and who found it where."""
    labels = change.own.labels
    extra = [v for k, v in labels.items() if k not in ("model", "monitor", "detector", "signal") and v]
    who = labels["model"] + (f" ({', '.join(extra)})" if extra else "")
    what = change.monitor.sentence(labels, change.evidence)
    place = f"{labels['detector']} at {change.partition[0]}[{change.partition[1]}]@{change.notice.opened.offset}"
    return f"{who}: {what}; {VERDICTS[change.notice.status]} {place}."


def ends_ms(change: Change) -> int:
    """When it ended, or when whoever hears no more of it takes it for ended."""
    notice = change.notice
    if notice.ended_ms is not None:
        return notice.ended_ms
    return max(notice.opened.time_ms, notice.at.now_ms) + change.monitor.hold_ms


FACTS: dict[str, Callable[[Change], str]] = {
    # Each as it stands in JSON, texts without their quotes.
    "fingerprint": lambda change: change.own.fingerprint,
    "subject": lambda change: change.own.subject,
    "labels": lambda change: change.own.shown,
    "trigger_offset": lambda change: str(change.notice.opened.offset),
    "began": lambda change: wire.rfc3339(change.notice.opened.time_ms),
    "changed_offset": lambda change: str(change.notice.at.offset),
    "changed": lambda change: wire.rfc3339(change.notice.at.time_ms),
    "ends": lambda change: wire.rfc3339(ends_ms(change)),
    "number": lambda change: str(change.notice.episode),
    "detections": lambda change: str(change.notice.detections),
    "suppressed": lambda change: str(change.notice.suppressed),
    "finding": lambda change: wire.inner(change.evidence["finding"]),
    "evidence": lambda change: wire.written(change.evidence["evidence"]),
    "sentence": lambda change: wire.inner(sentence_of(change)),
    "first_offset": lambda change: str(change.notice.opened.first_offset),
    "end_offset": lambda change: str(change.notice.at.offset + 1),
}


class AlertRecords:
    """Writes the records of one partition. What those of a monitor, or of a series, repeat is made once."""

    def __init__(self, config: cfg.Config, partition: Partition, monitors: Mapping[str, Monitor]) -> None:
        self.config, self.partition, self.monitors = config, partition, monitors
        self.forms: dict[str, dict[str, wire.Form]] = {}  # by monitor and status
        self.identities: dict[tuple[str, int], wire.Identity] = {}  # of the series that had an alert

    def record(self, notice: Notice) -> Out:
        """The record of one alert that changed its status. A function of state, offsets and config alone."""
        monitor, key = self.monitors[notice.monitor], (notice.monitor, notice.row)
        forms = self.forms.get(notice.monitor)
        if forms is None:
            forms = self.forms[notice.monitor] = self._forms(monitor)
        own = self.identities.get(key)
        if own is None:
            labels = labels_of(monitor, notice.row)
            own = self.identities[key] = wire.identity(labels, monitor.config.severity)
        change = Change(notice, monitor, own, told(notice.opened.evidence), self.partition)
        facts = {name: fact(change) for name, fact in FACTS.items()}
        return Out("alerts", own.fingerprint.encode(), wire.render(forms[notice.status], facts), HEADERS)

    def _forms(self, monitor: Monitor) -> dict[str, wire.Form]:
        source = wire.Source(self.config.kafka.group, self.config.config_hash, *self.partition)
        record = wire.template(name for name in FACTS if name not in wire.FACTS)
        made = monitor.config
        return wire.forms(record, made.severity, annotations_of(made), detector_of(made), source)


def annotations_of(config: cfg.Monitor) -> dict[str, str]:
    """What the user wrote for the reader of an alert."""
    chosen = {"description": config.description, "runbook_url": config.runbook_url}
    return {name: text for name, text in chosen.items() if text}


def detector_of(config: cfg.Monitor) -> dict[str, Any]:
    """The detector as alerts show it."""
    detect = config.detect
    return {"kind": detect.kind, "params": detect.shown(), "scale_free": not detect.raw}


def labels_of(monitor: Monitor, row: int) -> dict[str, str]:
    """What tells an alert of this series from all others; it never changes."""
    table = monitor.table
    group, member = table.keys[row]
    labels = {"model": group[0], "monitor": monitor.name, "detector": monitor.config.detect.kind}
    labels["signal"] = member_title(table.signal, member)
    for field, value in zip(table.by, group[1:], strict=True):
        labels[BY_LABELS.get(field, field.replace(".", "_"))] = value
    return labels
