"""The incident book: which alerts began together. Its input are alerts that opened and ended; it knows no clock.

Theory of operation. An alert has a stretch of event time, from where its values left what was normal (the onset) to
where it was found (the trigger). No onset is known exactly: of a window not at all, and of a change the worse the
longer it took to be found. So a stretch begins earlier than the onset, by as long as what is shown. Alerts of one model
whose stretches overlap began together: each joins its model's newest incident if it does, and else opens one. An
incident is over when the last of its alerts is; one that joins later, as a slower detector's does, opens the same
incident again, since it is the same fault. So does one of its alerts that comes and goes, see `alerts/lifecycle.py`.

Across models the same rule makes a fleet: an incident whose first stretch overlaps those of the models before it has
the name of theirs. A book sees one partition's models.

What is told is told once per event of the log: several alerts at one event are one change. Of more than MEMBERS_MAX
members only the number grows, and is told each time that it has doubled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

MEMBERS_MAX = 20
"""Members that an incident keeps, the first; nobody reads more, and a storm of alerts must not fill a record."""
ENDED_MAX = 256
"""Incidents that are over and kept for those who may still join: their models' newest ones."""
ORDER = ("info", "warning", "critical")

OPENED, UPDATED, RESOLVED = "opened", "updated", "resolved"
CHANGES = (OPENED, UPDATED, RESOLVED)
"""What is told of an incident."""


class Member(NamedTuple):
    """An alert that opened, as its incident has it."""

    fingerprint: str  # of its series and monitor
    episode: str  # as the alert's records name it
    monitor: str
    signal: str
    severity: str
    moved: str  # what moved, in words
    size: float  # standard deviations that it moved by; 0 where that is not known
    earliest_ms: int  # where it may have begun
    onset_ms: int  # where what it shows begins
    offset: int  # of its trigger
    time_ms: int
    origin: tuple[str, int, int] | None = None  # topic, partition and offset of a trigger that came by the ordered log


class Stretch(NamedTuple):
    """From the first onset to the last trigger."""

    since_ms: int
    until_ms: int

    def overlaps(self, other: Stretch) -> bool:
        return self.since_ms <= other.until_ms and other.since_ms <= self.until_ms

    def with_(self, other: Stretch) -> Stretch:
        if self.since_ms <= other.since_ms and other.until_ms <= self.until_ms:
            return self
        return Stretch(min(self.since_ms, other.since_ms), max(self.until_ms, other.until_ms))


Line = tuple[str, bool]
"""A model, and whether what is told of it is of the retained history: alerts of one line begin together, or do not."""


@dataclass(slots=True)
class Incident:
    """What began together in one model."""

    id: str
    model: str
    stretch: Stretch
    severity: str
    opened: tuple[int, int]  # offset and time of the first trigger
    since_ms: int  # the onset of the first that was found; windows, found later, begin before what they tell of
    retained: bool = False  # of what the topic held before the first start, and told low
    fleet: str = ""
    count: int = 0  # alerts that joined; beyond MEMBERS_MAX one that comes again counts again
    told: int = 0  # sequence of its newest record
    members: list[Member] = field(default_factory=list)
    open: dict[str, None] = field(default_factory=dict)  # fingerprints; a dict for its order
    over: bool = False
    home: int | None = None  # the partition it opened in, where its model has moved to another since
    texts: Any = field(default=None, compare=False, repr=False)  # what its records repeat, see `record.py`; not state

    @property
    def line(self) -> Line:
        return self.model, self.retained


@dataclass(slots=True)
class Fleet:
    """Incidents of several models that began together, the newest such."""

    id: str
    first: str  # its first incident
    model: str
    stretch: Stretch
    several: bool = False  # models


class Change(NamedTuple):
    """What is to be told, and of which incident."""

    what: str
    incident: Incident


def stretch_of(member: Member) -> Stretch:
    return Stretch(member.earliest_ms, member.time_ms)


def since_found(incident: Incident, member: Member, stretch: Stretch) -> Stretch:
    """A series that is back since it was found did not begin before that what it shows now."""
    for known in incident.members:
        if known.fingerprint == member.fingerprint:
            return stretch._replace(since_ms=max(stretch.since_ms, min(known.time_ms + 1, stretch.until_ms)))
    return stretch


def doubled(count: int) -> bool:
    """Whether a number is told: all that can be listed, then powers of two."""
    return count <= MEMBERS_MAX or count & (count - 1) == 0


class IncidentBook:
    """Bounded by the open alerts, and by ENDED_MAX."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        self.newest: dict[Line, str] = {}
        self.of: dict[str, str] = {}  # by the fingerprint of an open alert
        self.ended: dict[str, None] = {}  # of `incidents` those that are over, in that order
        self.fleet: Fleet | None = None
        self.changed: dict[str, str] = {}  # by incident what is to be told when the event is over; not state

    def __repr__(self) -> str:
        return (
            f"IncidentBook({', '.join(f'{i.id} {len(i.open)}/{i.count}' for i in self.incidents.values()) or 'quiet'})"
        )

    def fired(self, model: str, member: Member, retained: bool = False, again: bool = False) -> None:
        """An alert of this model opened; `retained`: of the retained history, which has incidents of its own; `again`:
        it was over for less than a day.
        """
        if member.fingerprint in self.of:
            return  # Two series whose labels cannot be told apart: to their readers they are one alert as well.
        incident, stretch = self.incidents.get(self.newest.get((model, retained), "")), stretch_of(member)
        same = again and incident is not None and any(m.fingerprint == member.fingerprint for m in incident.members)
        if incident is not None and incident.over and not same:
            stretch = since_found(incident, member, stretch)
        if incident is None or not (same or incident.stretch.overlaps(stretch)):
            incident = self._open((model, retained), member, stretch)
        elif incident.over:
            incident.over = False
            del self.ended[incident.id]
            self.changed[incident.id] = OPENED
        self._join(incident, member, stretch)

    def resolved(self, fingerprint: str) -> None:
        """An alert is over."""
        incident = self.incidents.get(self.of.pop(fingerprint, ""))
        if incident is not None:
            del incident.open[fingerprint]
            self.changed.setdefault(incident.id, "")

    def changes(self) -> Iterable[Change]:
        """What an event of the log changed, when all its alerts are known."""
        while self.changed:
            id = next(iter(self.changed))
            what, incident = self.changed.pop(id), self.incidents[id]
            if what:
                incident.told += 1
                yield Change(what, incident)
            if not incident.open and not incident.over:
                incident.told += 1
                yield Change(RESOLVED, incident)
                self._end(incident)

    def settle(self) -> None:
        """Incidents without an open alert, as a changed config may leave them, are over."""
        for incident in self.incidents.values():
            if not incident.open and not incident.over:
                self.changed.setdefault(incident.id, "")

    def open_by_model(self) -> Counter[str]:
        return Counter(incident.model for incident in self.incidents.values() if not incident.over)

    def _open(self, line: Line, member: Member, stretch: Stretch) -> Incident:
        before = self.newest.get(line, "")
        if before in self.ended:
            self._forget(before)
        id, opened = f"incident-{member.episode}", (member.offset, member.time_ms)
        incident = Incident(id, line[0], stretch, member.severity, opened, member.onset_ms, line[1])
        self.incidents[id], self.newest[line], self.changed[id] = incident, id, OPENED
        self._group(incident, stretch)
        return incident

    def _group(self, incident: Incident, stretch: Stretch) -> None:
        fleet = self.fleet
        alone = fleet is None or (not fleet.several and fleet.model == incident.model)
        if fleet is None or alone or not fleet.stretch.overlaps(stretch):
            name = incident.id.replace("incident", "fleet", 1)
            self.fleet = Fleet(name, incident.id, incident.model, stretch)
            return
        if not fleet.several:
            fleet.several, first = True, self.incidents.get(fleet.first)
            if first is not None:
                first.fleet = fleet.id
                if not first.over:
                    self.changed[first.id] = self.changed.get(first.id) or UPDATED
        fleet.stretch, incident.fleet = fleet.stretch.with_(stretch), fleet.id

    def _join(self, incident: Incident, member: Member, stretch: Stretch) -> None:
        self.of[member.fingerprint] = incident.id
        incident.open[member.fingerprint] = None
        incident.stretch = incident.stretch.with_(stretch)
        same = member.severity == incident.severity
        graver = not same and ORDER.index(member.severity) > ORDER.index(incident.severity)
        if graver:
            incident.severity = member.severity
        new = member.fingerprint not in [known.fingerprint for known in incident.members]
        incident.count += new
        if new and len(incident.members) < MEMBERS_MAX:
            incident.members.append(member)
        if graver or (new and doubled(incident.count)):
            self.changed[incident.id] = self.changed.get(incident.id) or UPDATED

    def _end(self, incident: Incident) -> None:
        incident.over = True
        self.ended[incident.id] = None
        if self.newest[incident.line] != incident.id:
            self._forget(incident.id)
        elif len(self.ended) > ENDED_MAX:
            self._forget(next(iter(self.ended)))

    def _forget(self, id: str) -> None:
        """One that is over."""
        del self.ended[id]
        incident = self.incidents.pop(id)
        if self.newest.get(incident.line) == id:
            del self.newest[incident.line]

    def dump(self) -> dict[str, Any]:
        """Plain data."""
        incidents = [
            {**{name: getattr(i, name) for name in PLAIN}, "members": [*map(list, i.members)], "open": [*i.open]}
            for i in self.incidents.values()
        ]
        fleet = None if self.fleet is None else asdict(self.fleet)
        return {"incidents": incidents, "newest": [*self.newest.values()], "ended": [*self.ended], "fleet": fleet}

    def load(self, state: dict[str, Any] | None, firing: Container[str]) -> None:
        """What was dumped, of older snapshots nothing; open are the alerts that are `firing`. Raises ValueError."""
        if state is None:
            return
        for item in state["incidents"]:
            members = [Member(*member) for member in item["members"]]
            plain = {name: item[name] for name in PLAIN if name in item}  # Those of older snapshots are not `retained`.
            incident = Incident(**plain, members=members)
            incident.stretch, incident.opened = Stretch(*item["stretch"]), tuple(item["opened"])
            incident.open = {fingerprint: None for fingerprint in item["open"] if fingerprint in firing}
            if incident.severity not in ORDER or incident.id in self.incidents:
                raise ValueError(f"an incident that cannot be: {incident.id}")
            self.incidents[incident.id] = incident
            self.of |= dict.fromkeys(incident.open, incident.id)
        self.newest = {self.incidents[id].line: id for id in state["newest"]}
        self.ended = {self.incidents[id].id: None for id in state["ended"]}
        if state["fleet"] is not None:
            fleet = Fleet(**state["fleet"])
            fleet.stretch = Stretch(*fleet.stretch)
            self.fleet = fleet


PLAIN = (
    "id",
    "model",
    "stretch",
    "severity",
    "opened",
    "since_ms",
    "retained",
    "fleet",
    "count",
    "told",
    "over",
    "home",
)
"""Fields of an incident that a snapshot has as they are."""
