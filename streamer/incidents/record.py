"""From notices of the alert book to incidents, and from these to records: members, and one sentence for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

import orjson

from schemas.records.alert import rfc3339
from schemas.records.envelope import HEADERS, named
from schemas.records.incident import IncidentFacts, render_incident
from streamer.alerts.alert import FADING, FIRING, Notice
from streamer.alerts.alert_record import AlertRecords
from streamer.alerts.lifecycle import AlertBook
from streamer.incidents.book import RESOLVED, Change, Incident, IncidentBook, Member
from streamer.port import Out

TOLD_MAX = 3
"""Members whose sentences are in the incident's own."""


def ms_of(text: str) -> int:
    """A time as our own records have it."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def onset_ms(evidence: dict[str, Any], trigger_ms: int) -> tuple[int, int]:
    """Where an alert may have begun, and where what it shows does: the values that left the reference, or the window
    (and the one before it); else where it was found.
    """
    shown, window = evidence["after"], evidence["window"] or {}
    if shown is None and "from" not in window:
        return trigger_ms, trigger_ms
    begin_ms = min(ms_of((shown or window)["from"]), trigger_ms)
    earliest_ms = begin_ms if shown is not None else 2 * begin_ms - max(ms_of(window["to"]), begin_ms)
    return earliest_ms, begin_ms


def sentence_of(incident: Incident, what: str) -> str:
    """What happened, the largest first."""
    members = incident.largest_first[:TOLD_MAX]
    more = incident.count - len(members)
    together = "began" if incident.count == 1 else f"{incident.count:,} alerts began together"
    moved = "; ".join(member.moved for member in members) + (f"; and {more:,} more" if more else "")
    over = "over; " if what == RESOLVED else ""
    others = f" Other models changed at the same time ({incident.fleet})." if incident.fleet else ""
    return f"{incident.model}: {over}{together} at {rfc3339(incident.since_ms)}: {moved}.{others}"


def shown(member: Member) -> dict[str, Any]:
    """A member as the record has it; its episode is the `correlationid` of its alert's records."""
    return {
        "fingerprint": member.fingerprint,
        "episode": member.episode,
        "monitor": member.monitor,
        "signal": member.signal,
        "severity": member.severity,
        "moved": member.moved,
        "since": member.onset_ms,
        "trigger": (member.offset, member.time_ms),
    }


class Incidents:
    """The incidents of one partition: what the alert book tells is taken as it comes, in the order of the log."""

    def __init__(self, records: AlertRecords) -> None:
        self.records, self.book = records, IncidentBook()
        self.emitted: Counter[tuple[str, str]] = Counter()  # records by change and severity, for the metrics; not state

    def told_of(self, notices: Iterable[Notice]) -> list[Notice | Out]:
        """The notices, and behind those of each event what they changed. Alerts of one event change an incident once;
        no event's notices come in two calls unless they would in every cutting of the log.
        """
        told: list[Notice | Out] = []
        for (offset, time_ms), group in groupby(notices, key=lambda notice: notice.at[:2]):
            for notice in group:
                told.append(notice)
                if self.records.monitors[notice.monitor].config.shadow:
                    continue
                if notice.status == "firing":
                    series, begun = self.records.series_at((notice.monitor, notice.row)), self.records.episode(notice)
                    self.book.fired(series.identity.labels["model"], self._member(notice, begun))
                elif notice.status == "resolved":
                    self.book.resolved(self.records.series_at((notice.monitor, notice.row)).identity.fingerprint)
            told += self._told(offset, time_ms)
        return told

    def settle(self, offset: int, time_ms: int) -> list[Out]:
        """A tick: incidents whose alerts a changed config took away are over."""
        self.book.settle()
        return list(self._told(offset, time_ms))

    def _member(self, notice: Notice, begun: dict[str, str]) -> Member:
        series, opened = self.records.series_at((notice.monitor, notice.row)), notice.opened
        labels, where = series.identity.labels, self.records
        found = orjson.loads(f"{{{begun['finding']}}}")
        said = orjson.loads(f'"{begun["what_moved"]}"')
        earliest_ms, begin_ms = onset_ms(found["evidence"], opened.time_ms)
        topic, partition = where.partition
        return Member(
            fingerprint=begun["fingerprint"],
            episode=f"{begun['fingerprint']}-{named(topic, where.generation)}-{partition}-{opened.offset}",
            monitor=notice.monitor,
            signal=labels["signal"],
            severity=where.monitors[notice.monitor].config.severity,
            moved=said.removeprefix(labels["model"]).lstrip(": "),
            size=abs(found["effect"]["deviations"] or 0.0),
            earliest_ms=earliest_ms,
            onset_ms=begin_ms,
            offset=opened.offset,
            time_ms=opened.time_ms,
        )

    def _told(self, offset: int, time_ms: int) -> Iterator[Out]:
        for change in self.book.changes():
            self.emitted[change.what, change.incident.severity] += 1
            yield self._record(change, (offset, time_ms))

    def _record(self, change: Change, at: tuple[int, int]) -> Out:
        incident, (topic, partition) = change.incident, self.records.partition
        facts = IncidentFacts(
            id=incident.id,
            change=change.what,
            sequence=incident.told,
            source=self.records.config.kafka.group,
            model=incident.model,
            severity=incident.severity,
            sentence=sentence_of(incident, change.what),
            topic=topic,
            partition=partition,
            since_ms=incident.since_ms,
            opened=incident.opened,
            changed=at,
            fleet=incident.fleet,
            alerts=incident.count,
            open=len(incident.open),
            members=[*map(shown, incident.largest_first)],
        )
        return Out("incidents", *render_incident(facts), HEADERS)

    def dump(self) -> dict[str, Any]:
        return self.book.dump()

    def load(self, state: dict[str, Any] | None, alerts: AlertBook) -> None:
        """What was dumped, as far as its alerts are still there. Raises ValueError."""
        told = [
            key
            for key, alert in alerts.alerts.items()
            if alert.state in (FIRING, FADING) and not self.records.monitors[key[0]].config.shadow
        ]
        self.book.load(state, {self.records.series_at(key).identity.fingerprint for key in told})
