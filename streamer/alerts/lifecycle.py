"""The alert book: a lifecycle over findings. Time is an argument, transitions are data, the order is the log's.

Theory of operation. A finding is an edge (a change point: DRIFT) or a level (a window verdict: BREACH or CLEAR).
An edge fires at once and fades unless another edge renews it within `keep_firing_for`. A level is pending until it
has held for `for`, and resolves once it has been clear for `keep_firing_for`. After an alert resolved, `cooldown`
keeps it quiet. All durations are event time of the alert's own model: while a producer is silent nothing resolves,
because silence is not health. One series of one monitor has at most one open alert, so one shift opens one alert.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from schemas.events.batch import Batch
from streamer.monitors.finding import BREACH, CLEAR, DRIFT, NEITHER, Finding
from streamer.signals.columns import I64, Bool

QUIET, PENDING, FIRING, FADING = "quiet", "pending", "firing", "fading"
HELD = "held"
"""What a timer says: the state has lasted long enough."""
GONE = "gone"
"""The series has left its table, and nothing will be heard of it."""

TRANSITIONS: dict[tuple[str, str], tuple[str, str | None]] = {
    # (state, signal): (next state, status to publish). A pair that is missing is a bug and raises.
    (QUIET, DRIFT): (FADING, "firing"),
    (FADING, DRIFT): (FADING, None),
    (QUIET, BREACH): (PENDING, None),
    (QUIET, CLEAR): (QUIET, None),
    (PENDING, BREACH): (PENDING, None),
    (PENDING, CLEAR): (QUIET, None),
    (PENDING, HELD): (FIRING, "firing"),
    (FIRING, BREACH): (FIRING, None),
    (FIRING, CLEAR): (FADING, None),
    (FADING, BREACH): (FIRING, None),
    (FADING, CLEAR): (FADING, None),
    (FADING, HELD): (QUIET, "resolved"),
    (PENDING, GONE): (QUIET, None),
    (FIRING, GONE): (QUIET, "resolved"),
    (FADING, GONE): (QUIET, "resolved"),
}


class Policy(NamedTuple):
    """Durations of a monitor in milliseconds of event time."""

    for_ms: int
    keep_firing_for_ms: int
    cooldown_ms: int


class Moment(NamedTuple):
    """Where in the log and in event time something happened."""

    offset: int
    time_ms: int  # the event's own time
    now_ms: int  # newest time of the event's model up to here: the clock all durations run on


class Opened(NamedTuple):
    """What began an episode."""

    offset: int
    time_ms: int
    first_offset: int  # where the log must be read from for the series to become what it was
    evidence: Any


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


ALERT_FIELDS = tuple(f.name for f in fields(Alert))


class Notice(NamedTuple):
    """An alert that changed its published status, and all that its record says; it changes no more."""

    status: str  # "firing" or "resolved"
    monitor: str
    row: int
    episode: int
    detections: int
    suppressed: int
    opened: Opened
    at: Moment
    ended_ms: int | None  # when it resolved, in event time
    gone: bool = False  # resolved because its series has left its table


def notice(alert: Alert, status: str, at: Moment, ended_ms: int | None, gone: bool = False) -> Notice:
    """The alert as it is now."""
    assert alert.opened is not None
    row, episode, detections, suppressed = alert.row, alert.episode, alert.detections, alert.suppressed
    return Notice(status, alert.monitor, row, episode, detections, suppressed, alert.opened, at, ended_ms, gone)


def due_of(alert: Alert, before: str, signal: str, now_ms: int, policy: Policy) -> int | None:
    """When the state that the alert is in now, and was not `before` the signal, has been held long enough."""
    if alert.state in (QUIET, FIRING):
        return None
    if alert.state == PENDING:
        return now_ms + policy.for_ms if before == QUIET else alert.due_ms
    if before == FADING and signal != DRIFT:
        return alert.due_ms
    # An edge that could fade at once would publish a resolution with no time between: give it 1 ms.
    return now_ms + max(policy.keep_firing_for_ms, 1 if signal == DRIFT else 0)


FirstOffset = Callable[[str, int], int]
"""Of a monitor and a row: where the log must be read from for the series to become what it was."""


class AlertBook:
    """All alerts of a task. Bounded by the series: an alert without an episode and a cooldown is not kept."""

    def __init__(self, policies: dict[str, Policy], first_offset: FirstOffset) -> None:
        self.policies, self.first_offset = policies, first_offset
        self.names = tuple(policies)
        self.alerts: dict[tuple[str, int], Alert] = {}
        self.timers: dict[str, dict[tuple[str, int], int]] = {}  # due times of `alerts`, by model
        self.detections: dict[str, int] = {}  # findings per monitor, for the metrics; not state

    def __repr__(self) -> str:
        told = [f"{a.monitor}[{a.row}]={a.state}" for a in self.alerts.values() if a.state != QUIET]
        return f"AlertBook({', '.join(told) or 'quiet'})"

    def due(self, model: str) -> int | None:
        """The earliest time at which something of this model happens by itself; None while no timer of it runs."""
        return min(self.timers[model].values()) if model in self.timers else None

    def decide(self, batch: Batch, used: Bool, now: I64, findings: Sequence[Finding]) -> list[Notice]:
        """Apply the findings of a batch and the timers, in the order of the events they belong to, so that the order
        is the log's. `now`: the clock of each event's model.
        """
        if not findings and not self.timers:
            return []
        timers = Timers(self, batch, used, now)
        queue, notices, end = list(findings[::-1]), [], len(now)
        while queue or timers.next:
            event = min(min(timers.next.values(), default=end), queue[-1].event if queue else end)
            code = batch.model.item(event)
            model = batch.strings[code]
            at = Moment(batch.offsets.item(event), batch.times_ms.item(event), now.item(event))
            if timers.next.get(code) == event:
                notices += self.tick(model, at)
            while queue and queue[-1].event == event:
                notices += self.apply(queue.pop(), model, at)
            timers.look(code, event + 1)
        return notices

    def tick(self, model: str, at: Moment) -> list[Notice]:
        """Everything of this model that became due by `at`, in the order of its due time."""
        due = sorted([(when, key) for key, when in self.timers.get(model, {}).items() if when <= at.now_ms])
        notices: list[Notice] = []
        for _, key in due:
            self._signal(self.alerts[key], HELD, at, notices)
        return notices

    def apply(self, finding: Finding, model: str, at: Moment) -> list[Notice]:
        """One finding. Its evidence is kept if this begins an episode."""
        signal = finding.signal
        if signal == NEITHER:
            return []
        key = name, row = self.names[finding.monitor], finding.row
        self.detections[name] = self.detections.get(name, 0) + 1
        alert = self.alerts.get(key) or Alert(name, row, model)
        if alert.state == QUIET and signal != CLEAR:
            if alert.quiet_until_ms is not None and at.now_ms < alert.quiet_until_ms:
                alert.suppressed += 1
                return []
            first_offset = self.first_offset(name, row)
            alert.opened, alert.detections = Opened(at.offset, at.time_ms, first_offset, finding.evidence), 0
        if signal != CLEAR:
            alert.detections += 1
        self.alerts[key] = alert
        notices: list[Notice] = []
        self._signal(alert, signal, at, notices)
        if alert.state == QUIET and alert.episode == 0:
            del self.alerts[key]
        return notices

    def _signal(self, alert: Alert, signal: str, at: Moment, notices: list[Notice]) -> None:
        """One transition, and what follows from it at once; appends what is to be published."""
        before, due, policy = alert.state, alert.due_ms, self.policies[alert.monitor]
        alert.state, status = TRANSITIONS[before, signal]
        if status == "firing":
            alert.episode += 1
            notices.append(notice(alert, "firing", at, None))
        elif status == "resolved":
            gone = signal == GONE
            notices.append(notice(alert, "resolved", at, at.now_ms if gone else due, gone))
            alert.quiet_until_ms, alert.suppressed = at.now_ms + policy.cooldown_ms, 0
        alert.due_ms = due_of(alert, before, signal, at.now_ms, policy)
        if alert.due_ms != due:
            self._note_timer(alert)
        if alert.due_ms is not None and alert.due_ms <= at.now_ms:
            self._signal(alert, HELD, at, notices)

    def _note_timer(self, alert: Alert) -> None:
        key = alert.monitor, alert.row
        if alert.due_ms is not None:
            self.timers.setdefault(alert.model, {})[key] = alert.due_ms
            return
        due = self.timers[alert.model]
        del due[key]
        if not due:
            del self.timers[alert.model]

    def open_rows(self, monitors: Collection[str]) -> set[int]:
        """The rows of these monitors that have an open alert."""
        return {row for (name, row), alert in self.alerts.items() if name in monitors and alert.state != QUIET}

    def open_models(self) -> set[str]:
        """The models that have an open alert."""
        return {alert.model for alert in self.alerts.values() if alert.state != QUIET}

    def retain(self, monitors: Collection[str], rows: I64, at: Callable[[str], Moment]) -> list[Notice]:
        """Row rows[i] of these monitors becomes row i; what is open for any other ends at the moment of its model. The
        notices still have the rows of old.
        """
        number = {row: i for i, row in enumerate(rows.tolist())}
        notices: list[Notice] = []
        alerts = list(self.alerts.values())
        for alert in alerts:
            if alert.monitor in monitors and alert.row not in number and alert.state != QUIET:
                self._signal(alert, GONE, at(alert.model), notices)
        self.alerts, self.timers = {}, {}
        for alert in alerts:
            if alert.monitor in monitors:
                if alert.row not in number:
                    continue
                alert.row = number[alert.row]
            self.alerts[alert.monitor, alert.row] = alert
            if alert.due_ms is not None:
                self._note_timer(alert)
        return notices

    def counts(self) -> dict[tuple[str, str, str], int]:
        """How many alerts there are by monitor, model and state."""
        return Counter((alert.monitor, alert.model, alert.state) for alert in self.alerts.values())

    def dump(self) -> list[dict[str, Any]]:
        return [{name: getattr(alert, name) for name in ALERT_FIELDS} for alert in self.alerts.values()]

    def load(self, state: list[dict[str, Any]]) -> None:
        for item in state:
            alert = alert_of(item)
            if (alert.monitor, alert.row) in self.alerts:
                raise ValueError("an alert that is there twice")
            if alert.monitor in self.policies:
                self.alerts[alert.monitor, alert.row] = alert
                if alert.due_ms is not None:
                    self._note_timer(alert)


def alert_of(item: dict[str, Any]) -> Alert:
    """An alert of a snapshot. Raises ValueError."""
    alert = Alert(**item)
    if alert.state not in (QUIET, PENDING, FIRING, FADING):
        raise ValueError(f"unknown alert state {alert.state!r}")
    if item["opened"] is not None:
        alert.opened = Opened(*map(settled, item["opened"]))
    if (alert.opened is None and alert.state != QUIET) or (alert.due_ms is None) != (alert.state in (QUIET, FIRING)):
        raise ValueError(f"an alert that is {alert.state} without what such a one has")
    return alert


class Timers:
    """At which events of a batch timers of the alert book are due: `next` has the next such event of each model.

    Mostly a timer is due at one of the next few events, or at none of the batch. For all others the used events are
    sorted by their model, once: then a model's events are a stretch of which its clock ascends, and the next one that
    is due is found by halving.
    """

    def __init__(self, book: AlertBook, batch: Batch, used: Bool, now: I64) -> None:
        self.book, self.batch, self.used, self.now = book, batch, used, now
        self.next: dict[int, int] = {}
        self.stretches: dict[int, tuple[list[int], list[int]]] | None = None
        if book.timers:
            for code in np.flatnonzero(np.bincount(batch.model)).tolist():
                if batch.strings[code] in book.timers:
                    self.look(code, 0)

    def look(self, code: int, begin: int) -> None:
        """Find the next event of a model from `begin` on; called whenever its timers may have changed."""
        self.next.pop(code, None)
        due = self.book.due(self.batch.strings[code])
        if due is None:
            return
        models, used, now_of = self.batch.model, self.used, self.now
        for event in range(begin, min(begin + NEAR, len(now_of))):
            if models.item(event) == code and used.item(event) and now_of.item(event) >= due:
                self.next[code] = event
                return
        if self.stretches is None:
            self.stretches = self._stretches()
        events, now = self.stretches.get(code, NOTHING)
        place = bisect_left(now, due, bisect_left(events, begin))
        if place < len(events):
            self.next[code] = events[place]

    def _stretches(self) -> dict[int, tuple[list[int], list[int]]]:
        """By model its used events, ascending, and its clock at each."""
        used = np.flatnonzero(self.used)
        used = used[np.argsort(self.batch.model[used], kind="stable")]
        codes = self.batch.model[used]
        events, now, begins = used.tolist(), self.now[used].tolist(), np.flatnonzero(np.diff(codes, prepend=-1))
        spans = zip(codes[begins].tolist(), begins.tolist(), [*begins[1:].tolist(), len(events)], strict=False)
        return {code: (events[begin:end], now[begin:end]) for code, begin, end in spans}


NEAR = 4
"""Events that are looked at one by one."""
NOTHING: tuple[list[int], list[int]] = ([], [])
