"""An alert as the book keeps it and as a snapshot has it, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from schemas.records.envelope import numbered
from streamer.alerts.recovery import Recovery, dumped, loaded
from streamer.monitors.evidence import DIRECTION_NAMES, Summary, began_of, moved_of

QUIET, PENDING, FIRING, FADING = "quiet", "pending", "firing", "fading"
FADED, RECOVERED, ACCEPTED, GONE = "faded", "recovered", "accepted", "gone"
"""How an alert can end."""
CURRENT = "current"
"""How one of the retained history ends that still holds where that does: from there on it is told as it is."""
AGAIN = 2
"""So many times as long as before an alert must be clear that came again."""
RETAINED_SEVERITY = "info"
"""Of what is told of the retained history, whatever its monitor's."""


class Policy(NamedTuple):
    """What a monitor wants of its alerts; durations in milliseconds of event time."""

    for_ms: int
    keep_firing_for_ms: int
    cooldown_ms: int
    resolve: str = RECOVERED
    accept_after_ms: int = 24 * 3_600_000
    repeat_ms: int = 3_600_000
    recover_band: float = 0.5
    side: int = 0  # the way that an edge must go, 0 for both
    longer: bool = False  # whether what comes again must be clear for longer: nobody has said for how long
    ranks: bool = False  # whether its edges may be of another spread, not of another mean
    blocks: bool = False  # whether it judges by blocks, some of them hours long


Origin = tuple[str, int, int, int]
"""Of an event of the ordered log: topic, partition, offset and row of the record it came in; the row is -1 of a record
that has no rows."""


class Moment(NamedTuple):
    """Where in the log and in event time something happened."""

    offset: int
    time_ms: int  # the event's own time
    now_ms: int  # newest time of the event's model up to here: the clock all durations run on
    row: int = 0  # of a record with several events: which
    origin: Origin | None = None  # of an event of the ordered log


class Opened(NamedTuple):
    """What began an episode."""

    offset: int
    time_ms: int
    first_offset: int  # where the log must be read from for the series to become what it was
    evidence: Any
    row: int = 0  # of a record with several events: which
    origin: Origin | None = None  # of an event of the ordered log
    home: tuple[int, int] | None = None  # partition and offset there, where its model has moved to another since

    @property
    def there(self) -> int:
        """The offset in the partition in which it opened."""
        return self.offset if self.home is None else self.home[1]

    @property
    def place(self) -> str:
        """As ids have it: two rows of a record may open an episode each."""
        return numbered(self.there, self.row)


class Acknowledged(NamedTuple):
    """By whom an alert was acknowledged; `peak`: its own by then."""

    by: str
    why: str
    command: str
    offset: int
    time_ms: int
    peak: float


def settled(value: Any) -> Any:
    """Plain data of a snapshot, in which every list was a tuple; but not what is in a dict."""
    return tuple(map(settled, value)) if isinstance(value, list) else value


@dataclass(slots=True)
class Alert:
    """One series of one monitor. `repr` of the book's alerts is the state dump of the tests."""

    monitor: str
    row: int
    model: str
    state: str = QUIET
    due_ms: int | None = None  # when the state has been held long enough; None while no timer runs
    quiet_until_ms: int | None = None  # end of the cooldown
    episode: int = 0
    detections: int = 0
    suppressed: int = 0
    opened: Opened | None = None  # fixed when the episode began
    edge: bool = False  # it began with one
    how: str = RECOVERED  # how this episode ends by itself
    fired_ms: int = 0
    repeat_ms: int | None = None  # when to tell it again
    accept_ms: int | None = None  # when the new level is the normal
    told: int = 0  # sequence of its newest record
    retained: bool = False  # told as of what the topic held before the first start
    recovery: Recovery | None = None
    peak: float = 0.0  # the strength of its strongest finding, where there is a control topic
    held: str = ""  # why nobody has heard that it fires
    ack: Acknowledged | None = None
    cleared_ms: int = 0  # when it was clear the last time that it recovered
    keep_ms: int = 0  # where it comes again and again: how long it must be clear this time
    latest: Any = None  # of windows that went beyond their limit again: the evidence of the newest

    def found_again(self, edge: bool, evidence: Any) -> None:
        """Another finding of its episode, which says where the series is by now. Of a distribution that is within its
        limit, while one of its levels is not, the level is what there is to say.
        """
        if edge and self.recovery is not None:
            self.recovery.restart(moved_of(evidence))
        elif isinstance(evidence, dict) and not _within(evidence["finding"]):
            self.latest = evidence


def _within(finding: dict[str, Any]) -> bool:
    """Whether a window that has no direction is not beyond its limit by itself."""
    statistic, threshold = finding["statistic"], finding["threshold"]
    return finding["direction"] == DIRECTION_NAMES[0] and threshold is not None and statistic <= threshold


def keep_of(alert: Alert, now_ms: int, policy: Policy) -> int:
    """How long an alert that fires now must be clear at least, by how long it was before."""
    clear_ms = now_ms - alert.cleared_ms
    return AGAIN * clear_ms if policy.longer and alert.cleared_ms and clear_ms < policy.accept_after_ms else 0


def is_quiet(alert: Alert, evidence: Any, now_ms: int, policy: Policy) -> bool:
    """Whether what is found opens nothing: so soon after the last one, or it shows what was told and is over. A long
    block that is full hours later has the fault of before in it.
    """
    if alert.quiet_until_ms is not None and now_ms < alert.quiet_until_ms:
        return True
    recent = policy.blocks and alert.cleared_ms > 0 and now_ms - alert.cleared_ms < policy.accept_after_ms
    began_ms = began_of(evidence) if recent else None
    return began_ms is not None and began_ms < alert.cleared_ms


OPTIONAL = {"peak": 0.0, "held": "", "ack": None, "cleared_ms": 0, "keep_ms": 0, "latest": None}
"""Fields that a snapshot has where they say something."""
ALERT_FIELDS = tuple(f.name for f in fields(Alert) if f.name != "recovery" and f.name not in OPTIONAL)


class Level(NamedTuple):
    """Where the series of an edge stands."""

    before: float
    band: float
    away: bool
    now: Summary
    wide: bool = False  # it is its deviation that moved, and `before` is that


class Notice(NamedTuple):
    """An alert whose published status changed, or is told again, and all that its record says; it changes no more."""

    status: str  # "firing", "renewed" or "resolved"
    monitor: str
    row: int
    episode: int
    detections: int
    suppressed: int
    opened: Opened
    at: Moment
    sequence: int
    ends_ms: int  # when it resolved, or ends for whoever hears no more of it
    how: str  # of a resolved one: how it ended
    level: Level | None  # of an edge
    retained: bool = False  # of what the topic held before the first start, and told low
    news_from: int = 0  # where that ends
    ack: Acknowledged | None = None
    held: str = ""  # why it is not told
    strength: float = 0.0  # of its strongest finding so far, where there is a control topic
    again: bool = False  # it comes and goes: it was over for a short time
    latest: Any = None  # evidence of the newest window, where another one opened it


def plain(alert: Alert) -> dict[str, Any]:
    """As a snapshot has it."""
    said = {name: value for name, default in OPTIONAL.items() if (value := getattr(alert, name)) != default}
    return {**{name: getattr(alert, name) for name in ALERT_FIELDS}, "recovery": dumped(alert.recovery), **said}


def alert_of(item: dict[str, Any]) -> Alert:
    """An alert of a snapshot. Raises ValueError."""
    alert = Alert(**item)
    if alert.state not in (QUIET, PENDING, FIRING, FADING) or alert.how not in (FADED, RECOVERED, ACCEPTED):
        raise ValueError(f"unknown alert state {alert.state!r}")
    if item["opened"] is not None:
        alert.opened = Opened(*map(settled, item["opened"]))
    alert.recovery = None if item["recovery"] is None else loaded(item["recovery"])
    alert.ack = None if alert.ack is None else Acknowledged(*alert.ack)
    timed = alert.state in (PENDING, FADING) or (alert.state == FIRING and alert.how == FADED)
    told = alert.state in (FIRING, FADING)
    if (alert.opened is None and alert.state != QUIET) or (alert.due_ms is not None) != timed:
        raise ValueError(f"an alert that is {alert.state} without what such a one has")
    if (alert.repeat_ms is not None) != told:
        raise ValueError(f"an alert that is {alert.state} without what such a one has")
    return alert
