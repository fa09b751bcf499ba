"""From a notice of the alert book to the record that crosses Kafka: evidence, one plain sentence, how to repeat it.

A field of the record that varies is an entry of EPISODE_FACTS or CHANGE_FACTS; `schemas/records/alert.py` has the
place of the older ones, a new one stands in `data` under its name, and `schemas/alert.v1.json` says what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas.records import alert as wire
from schemas.records.envelope import HEADERS
from streamer.alerts.lifecycle import Notice, Opened
from streamer.config import model as cfg
from streamer.monitors.base import Monitor
from streamer.monitors.evidence import Evidence, told
from streamer.port import Out, Partition
from streamer.signals.grammar import member_title

BY_LABELS = {"version": "model_version", "caller": "caller"}
Key = tuple[str, int]
"""Monitor and row."""
BEGUN_MAX = 4096
"""Episodes whose texts are kept for their later records; those of others are written again."""
VERDICTS = {"firing": "found by", "resolved": "resolved, was found by"}


class Episode(NamedTuple):
    """What an alert began with, which all records of the episode repeat."""

    monitor: Monitor
    own: wire.Identity
    opened: Opened
    evidence: Evidence
    partition: Partition


class Change(NamedTuple):
    """An alert that changed its published status; `begun` has the texts of EPISODE_FACTS."""

    notice: Notice
    monitor: Monitor
    begun: Mapping[str, str]


def what_moved(episode: Episode) -> str:
    """Who, what moved, from what to what."""
    labels = episode.own.labels
    extra = [v for k, v in labels.items() if k not in ("model", "monitor", "detector", "signal") and v]
    who = labels["model"] + (f" ({', '.join(extra)})" if extra else "")
    return f"{who}: {episode.monitor.sentence(labels, episode.evidence)}"


def found_by(episode: Episode) -> str:
    """Which detector, and where in the log."""
    topic, partition = episode.partition
    return f"{episode.own.labels['detector']} at {topic}[{partition}]@{episode.opened.offset}."


def ends_ms(change: Change) -> int:
    """When it ended, or when whoever hears no more of it takes it for ended."""
    notice = change.notice
    if notice.ended_ms is not None:
        return notice.ended_ms
    return max(notice.opened.time_ms, notice.at.now_ms) + change.monitor.hold_ms


EPISODE_FACTS: dict[str, Callable[[Episode], str]] = {
    # What no later record of the episode says otherwise. Each as it stands in JSON, texts without their quotes.
    "fingerprint": lambda episode: episode.own.fingerprint,
    "subject": lambda episode: episode.own.subject,
    "labels": lambda episode: episode.own.shown,
    "trigger_offset": lambda episode: str(episode.opened.offset),
    "began": lambda episode: wire.rfc3339(episode.opened.time_ms),
    "finding": lambda episode: wire.inner(episode.evidence["finding"]),
    "evidence": lambda episode: wire.written(episode.evidence["evidence"]),
    "first_offset": lambda episode: str(episode.opened.first_offset),
    "what_moved": lambda episode: wire.inner(what_moved(episode)),
    "found_by": lambda episode: wire.inner(found_by(episode)),
}
CHANGE_FACTS: dict[str, Callable[[Change], str]] = {
    # What each record says for itself.
    "changed_offset": lambda change: str(change.notice.at.offset),
    "changed": lambda change: wire.rfc3339(change.notice.at.time_ms),
    "ends": lambda change: wire.rfc3339(ends_ms(change)),
    "number": lambda change: str(change.notice.episode),
    "detections": lambda change: str(change.notice.detections),
    "suppressed": lambda change: str(change.notice.suppressed),
    "sentence": lambda change: "{what_moved}; {} {found_by}".format(VERDICTS[change.notice.status], **change.begun),
    "end_offset": lambda change: str(change.notice.at.offset + 1),
}


class AlertRecords:
    """Writes the records of one partition. What those of a monitor, a series or an episode repeat is made once."""

    def __init__(self, config: cfg.Config, partition: Partition, monitors: Mapping[str, Monitor]) -> None:
        self.config, self.partition, self.monitors = config, partition, monitors
        self.forms: dict[str, dict[str, wire.Form]] = {}  # by monitor and status
        self.identities: dict[Key, wire.Identity] = {}  # of the series that had an alert
        self.begun: dict[Key, tuple[Opened, dict[str, str]]] = {}  # texts of the episodes that are told and not over

    def record(self, notice: Notice) -> Out:
        """The record of one alert that changed its status. A function of state, offsets and config alone."""
        monitor, key, opened = self.monitors[notice.monitor], (notice.monitor, notice.row), notice.opened
        known = self.begun.pop(key, None)
        begun = known[1] if known is not None and known[0] is opened else self._episode(monitor, key, opened)
        if notice.status == "firing" and len(self.begun) < BEGUN_MAX:
            self.begun[key] = opened, begun
        change = Change(notice, monitor, begun)
        facts = begun | {name: fact(change) for name, fact in CHANGE_FACTS.items()}
        value = wire.render(self._forms(monitor)[notice.status], facts)
        return Out("alerts", facts["fingerprint"].encode(), value, HEADERS)

    def _episode(self, monitor: Monitor, key: Key, opened: Opened) -> dict[str, str]:
        own = self.identities.get(key)
        if own is None:
            own = self.identities[key] = wire.identity(labels_of(monitor, key[1]), monitor.config.severity)
        episode = Episode(monitor, own, opened, told(opened.evidence), self.partition)
        return {name: fact(episode) for name, fact in EPISODE_FACTS.items()}

    def _forms(self, monitor: Monitor) -> dict[str, wire.Form]:
        found = self.forms.get(monitor.name)
        if found is None:
            made = monitor.config
            source = wire.Source(self.config.kafka.group, self.config.config_hash, *self.partition)
            own = made.severity, annotations_of(made), detector_of(made), source
            found = self.forms[monitor.name] = wire.forms(wire.template(further()), *own)
        return found


def further() -> list[str]:
    """Facts that the record has no place for but `data` itself."""
    return [name for name in (*EPISODE_FACTS, *CHANGE_FACTS) if name not in {*wire.FACTS, "what_moved", "found_by"}]


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
