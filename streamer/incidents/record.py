"""From notices of the alert book to incidents, and from these to records: members, and one sentence for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, NamedTuple

from schemas.records.alert import Form, inner, ms_of, render, rfc3339, written
from schemas.records.envelope import HEADERS, named
from schemas.records.incident import form, render_member
from streamer.alerts.alert import FADING, FIRING, Notice
from streamer.alerts.alert_record import AlertRecords, Episode, key_of, number_of, severity_of
from streamer.alerts.lifecycle import AlertBook
from streamer.incidents.book import RESOLVED, Change, Incident, IncidentBook, Member
from streamer.port import Out, Partition

TOLD_MAX = 3
"""Members whose sentences are in the incident's own."""


def onset_ms(evidence: dict[str, Any], trigger_ms: int) -> tuple[int, int]:
    """Where an alert may have begun, and where what it shows does: its onset, or the window; else where it was found.

    How well an onset is known goes with how long the change took to be found (both with its size), and a window knows
    no onset at all: it may have begun earlier by as long as what is shown.
    """
    shown = evidence["after"] or evidence["window"] or {}
    if "from" not in shown:
        return trigger_ms, trigger_ms
    begin_ms = ms_of((evidence.get("onset") or {}).get("time", shown["from"]))
    earlier_ms, begin_ms = max(ms_of(shown["to"]) - begin_ms, 0), min(begin_ms, trigger_ms)
    return begin_ms - earlier_ms, begin_ms


def sentence_of(incident: Incident, members: Sequence[Member]) -> str:
    """What happened, by its largest members; the model stands before it."""
    more = incident.count - len(members)
    together = "began" if incident.count == 1 else f"{incident.count:,} alerts began together"
    moved = "; ".join([member.moved for member in members]) + (f"; and {more:,} more" if more else "")
    others = f" Other models changed at the same time ({incident.fleet})." if incident.fleet else ""
    return f"{together} at {rfc3339(incident.since_ms)}: {moved}.{others}"


def shown(member: Member, where: Partition) -> str:
    """A member as the record has it; its episode is the `correlationid` of its alert's records."""
    fields = {
        "fingerprint": member.fingerprint,
        "episode": member.episode,
        "monitor": member.monitor,
        "signal": member.signal,
        "severity": member.severity,
        "moved": member.moved,
    }
    topic, number, offset = member.origin or (*where, member.offset)
    return render_member(fields, member.onset_ms, (offset, member.time_ms), (topic, number))


class Texts(NamedTuple):
    """What the records of an incident repeat until another alert joins it; facts as they stand in JSON, texts without
    their quotes.
    """

    joined: int  # alerts
    fleet: str
    members: list[tuple[Member, str]]  # those, each as it stands in the record, the largest first
    always: dict[str, str]  # facts that never change
    facts: dict[str, str]


def texts_of(incident: Incident, before: Texts | None, where: Partition) -> Texts:
    """`before`: those until now."""
    if before is None:
        offset, time_ms = incident.opened
        opened = {"opened_offset": str(offset), "opened": rfc3339(time_ms), "since": rfc3339(incident.since_ms)}
        opened["opened_partition"] = str(where[1] if incident.home is None else incident.home)
        members, always = [], {"id": inner(incident.id), "model": inner(incident.model), **opened}
    else:
        members, always = before.members, before.always
    members += [(member, shown(member, where)) for member in incident.members[len(members) :]]
    if len(members) > 1:
        members.sort(key=lambda one: -one[0].size)
    facts = {
        **always,
        "sentence": inner(sentence_of(incident, [member for member, _ in members[:TOLD_MAX]])),
        "fleet": written(incident.fleet or None),
        "alerts": str(incident.count),
        "members": ",".join([text for _, text in members]),
    }
    return Texts(incident.count, incident.fleet, members, always, facts)


class Incidents:
    """The incidents of one partition: what the alert book tells is taken as it comes, in the order of the log."""

    def __init__(self, records: AlertRecords) -> None:
        self.records, self.book = records, IncidentBook()
        self.forms: dict[tuple[str, str], Form] = {}  # by change and severity
        self.emitted: dict[tuple[str, str], int] = {}  # records by change and severity, for the metrics; not state

    def told_of(self, notices: Iterable[Notice]) -> list[Notice | Out]:
        """The notices, and behind those of each event what they changed. Alerts of one event change an incident once;
        no event's notices come in two calls unless they would in every cutting of the log.
        """
        told: list[Notice | Out] = []
        before: Notice | None = None
        for notice in notices:
            if before is not None and before.at[:2] != notice.at[:2]:
                told += self._told(before.at[:2])
            told.append(notice)
            self._take(notice)
            before = notice
        if before is not None:
            told += self._told(before.at[:2])
        return told

    def _take(self, notice: Notice) -> None:
        if notice.status == "renewed" or self.records.monitors[notice.monitor].config.shadow:
            return
        key = key_of(notice)
        if notice.status == "resolved":
            self.book.resolved(self.records.series_at(key).identity.fingerprint)
        else:
            begun = self.records.episode(notice, key)
            labels = begun.series.identity.labels
            self.book.fired(labels["model"], self._member(notice, begun), notice.retained, notice.again)

    def settle(self, offset: int, time_ms: int) -> list[Out]:
        """A tick: incidents whose alerts a changed config took away are over."""
        self.book.settle()
        return self._told((offset, time_ms))

    def _member(self, notice: Notice, begun: Episode) -> Member:
        opened, where, series = notice.opened, self.records, begun.series
        labels = series.identity.labels
        fingerprint, (topic, partition) = series.identity.fingerprint, where.partition
        earliest_ms, begin_ms = onset_ms(begun.evidence["evidence"], opened.time_ms)
        size = begun.evidence["finding"]["effect"]["deviations"]
        return Member(
            fingerprint=fingerprint,
            episode=f"{fingerprint}-{named(topic, where.generation)}-{partition}-{opened.place}",
            monitor=notice.monitor,
            signal=labels["signal"],
            severity=severity_of(where.monitors[notice.monitor], notice.retained),
            moved=f"{series.beside}: {begun.moved}".lstrip(": "),
            size=abs(size) if size and isfinite(size) else 0.0,
            earliest_ms=earliest_ms,
            onset_ms=begin_ms,
            offset=opened.offset,
            time_ms=opened.time_ms,
            origin=None if opened.origin is None else opened.origin[:3],
        )

    def _told(self, at: tuple[int, int]) -> list[Out]:
        return [self._record(change, at) for change in self.book.changes()]

    def _record(self, change: Change, at: tuple[int, int]) -> Out:
        """The record of an incident as it is now."""
        what, incident = change
        kind, texts = (what, incident.severity), incident.texts
        if texts is None or texts.joined != incident.count or texts.fleet != incident.fleet:
            texts = incident.texts = texts_of(incident, texts, self.records.partition)
        self.emitted[kind] = self.emitted.get(kind, 0) + 1
        facts = {
            **texts.facts,
            "over": ("in retained history, " if incident.retained else "") + ("over; " if what == RESOLVED else ""),
            "retained": "true" if incident.retained else "false",
            "sequence": str(incident.told),
            "ordinal": f"{incident.told:010d}",
            "changed_offset": str(at[0]),
            "changed": rfc3339(at[1]),
            "open": str(len(incident.open)),
        }
        return Out("incidents", incident.id.encode(), render(self.forms.get(kind) or self._form(kind), facts), HEADERS)

    def _form(self, kind: tuple[str, str]) -> Form:
        made = self.forms[kind] = form(kind, self.records.config.kafka.group, *self.records.partition)
        return made

    def dump(self) -> dict[str, Any]:
        return self.book.dump()

    def load(self, state: dict[str, Any] | None, alerts: AlertBook) -> None:
        """What was dumped, as far as its alerts are still there. Raises ValueError."""
        shadows = {name for name, monitor in self.records.monitors.items() if monitor.config.shadow}
        told = [
            (*key, alert.retained, number_of(alert.opened))
            for key, alert in alerts.alerts.items()
            if alert.opened is not None and alert.state in (FIRING, FADING) and key[0] not in shadows
        ]
        self.book.load(state, {self.records.series_at(key).identity.fingerprint for key in told})
