"""The alert book: a lifecycle over findings. Time is an argument, transitions are data, the order is the log's.

Theory of operation. A finding is an edge (a change point: DRIFT) or a level (a window verdict: BREACH or CLEAR). An
edge fires at once. What ends it is its monitor's `resolve`: that its values are back where they were before (then
stretches of them say CLEAR and BREACH, see `recovery.py`), that no other edge came, or only that it was accepted. A
level is pending until it has held for `for`; it, and an edge that is back, resolves once it has been clear for
`keep_firing_for`; where nobody said how long that is, and it comes again within `accept_after`, for twice as long as it
was clear before that: what comes and goes is one alert. So is what ends since no other edge came. After one resolved,
`cooldown` keeps it quiet. All durations are event time of the alert's own model: while a producer is silent nothing
resolves, because silence is not health. One series of one monitor has at most one open alert, so one shift opens one
alert.

An open alert is told again every `repeat_interval`, for readers who take what they hear no more of for ended; there
time passes by ticks, too. Its sequence is a matter of the time since it fired, so that whoever repeats it without the
ticks comes to the same numbers.

What fires before `news_from` is of the retained history, see `engine/history.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from schemas.events.batch import Batch, origin_of
from streamer.alerts.alert import (
    ACCEPTED,
    CURRENT,
    FADED,
    FADING,
    FIRING,
    GONE,
    PENDING,
    QUIET,
    RECOVERED,
    Alert,
    Level,
    Moment,
    Notice,
    Opened,
    Policy,
    alert_of,
    is_quiet,
    keep_of,
    plain,
)
from streamer.alerts.holds import Holds
from streamer.alerts.recovery import Recovery, recovery_of
from streamer.alerts.timetable import REPEAT, Key, Timers, Timetable, clear_for, due_of, part_end
from streamer.monitors.base import Monitor
from streamer.monitors.evidence import moved_of
from streamer.monitors.finding import BREACH, CLEAR, DRIFT, NEITHER, STRETCH, Finding
from streamer.signals.columns import I64, Bool

HELD = "held"
ACCEPT = "accept"
"""What timers say besides REPEAT: the state has lasted long enough, the new level is the normal."""

TRANSITIONS: dict[tuple[str, str], tuple[str, str | None]] = {
    # (state, signal): (next state, status to publish). A pair that is missing is a bug and raises.
    (QUIET, DRIFT): (FIRING, "firing"),
    (FIRING, DRIFT): (FIRING, None),
    (FADING, DRIFT): (FIRING, None),
    (QUIET, BREACH): (PENDING, None),
    (QUIET, CLEAR): (QUIET, None),
    (PENDING, BREACH): (PENDING, None),
    (PENDING, CLEAR): (QUIET, None),
    (PENDING, HELD): (FIRING, "firing"),
    (FIRING, BREACH): (FIRING, None),
    (FIRING, CLEAR): (FADING, None),
    (FIRING, HELD): (QUIET, "resolved"),
    (FIRING, ACCEPT): (QUIET, "resolved"),
    (FADING, ACCEPT): (QUIET, "resolved"),
    (FIRING, REPEAT): (FIRING, "renewed"),
    (FADING, BREACH): (FIRING, None),
    (FADING, CLEAR): (FADING, None),
    (FADING, HELD): (QUIET, "resolved"),
    (PENDING, GONE): (QUIET, None),
    (FIRING, GONE): (QUIET, "resolved"),
    (FADING, GONE): (QUIET, "resolved"),
    (FADING, REPEAT): (FADING, "renewed"),
}
ENDS = {ACCEPT: ACCEPTED, GONE: GONE}
"""How an alert ended that did not by itself."""
REPEATS_KEPT = 4
"""Intervals that a reader may miss before the alert is over for them: what Prometheus grants."""


def told_of(
    alert: Alert, status: str, at: Moment, ended: tuple[int | None, str], every_ms: int, news_from: int
) -> Notice:
    """The alert as it is told now, and will be again in `every_ms`; if it resolved: when, and how."""
    ended_ms, how = ended
    opened, recovery = alert.opened, alert.recovery
    assert opened is not None
    lasted_ms = max(at.now_ms - alert.fired_ms, 0)
    repeats, over = lasted_ms // every_ms, status == "resolved"
    alert.told = max(1 + repeats + over, alert.told + 1)
    alert.repeat_ms = alert.fired_ms + (repeats + 1) * every_ms
    if not over:
        ended_ms, how = max(opened.time_ms, alert.fired_ms) + lasted_ms + REPEATS_KEPT * every_ms, ""
    assert ended_ms is not None
    counts = alert.row, alert.episode, alert.detections, alert.suppressed
    own = status, alert.monitor, *counts, opened, at, alert.told, ended_ms, how, _level(recovery)
    return Notice(*own, alert.retained, news_from, alert.ack, "", alert.peak, alert.keep_ms > 0, alert.latest)


def _level(way: Recovery | None) -> Level | None:
    return None if way is None else Level(way.before, way.band, way.away, way.now, way.wide)


FirstOffset = Callable[[str, int, int], int]
"""Of a monitor and a row: where the log must be read from for the series to become what it was at an offset."""


def first_of(monitors: Mapping[str, Monitor], came_home: Callable[[str, int], int]) -> FirstOffset:
    """Knows the monitors and not the task, which would hold itself then. `came_home`: see `Homes.first_offset`."""

    def first(monitor: str, row: int, offset: int) -> int:
        table = monitors[monitor].table
        return min(table.first_offset(row), came_home(table.keys[row][0][0], offset))

    return first


def always_there(model: str, time_ms: int) -> bool:
    """Without a calendar no time is out of the ordinary."""
    return False


class AlertBook:
    """All alerts of a task. Bounded by the series: an alert without an episode and a cooldown is not kept."""

    def __init__(
        self, policies: dict[str, Policy], first_offset: FirstOffset, away: Callable[[str, int], bool] = always_there
    ) -> None:
        self.policies, self.first_offset, self.away = policies, first_offset, away
        self.names = tuple(policies)
        self.alerts: dict[Key, Alert] = {}
        self.timers = Timetable()  # when something happens to an alert by itself
        self.deadlines = Timetable()  # when a new level is accepted
        accepting = [policy.accept_after_ms for policy in policies.values() if policy.resolve != FADED]
        self.accept_least_ms = min(accepting, default=None)
        self.silent: dict[str, tuple[int, int]] = {}  # by model with timers: events by the last tick, silent since
        self.news_from = 0  # what fires before this offset is of the retained history
        self.detections: dict[str, int] = {}  # findings per monitor, for the metrics; not state
        self.holds: Holds | None = None  # where there is a control topic

    def __repr__(self) -> str:
        told = [f"{a.monitor}[{a.row}]={a.state}" for a in self.alerts.values() if a.state != QUIET]
        return f"AlertBook({', '.join(told) or 'quiet'})"

    def decide(self, batch: Batch, used: Bool, now: I64, findings: Sequence[Finding]) -> list[Notice]:
        """Apply the findings of a batch and the timers, in the order of the events they belong to, so that the order
        is the log's. `now`: the clock of each event's model.
        """
        if not findings and not self.timers:
            return []
        timers = Timers(self.timers, batch, used, now)
        queue, notices, end = list(findings[::-1]), [], len(now)
        while queue or timers.next:
            event = min(timers.next.values()) if timers.next else end
            if queue and queue[-1].event < event:
                event = queue[-1].event
            code = batch.model.item(event)
            model = batch.strings[code]
            place = (0, None) if batch.rows is None else (batch.rows.item(event), origin_of(batch, event))
            at = Moment(batch.offsets.item(event), batch.times_ms.item(event), now.item(event), *place)
            if timers.next.get(code) == event:
                notices += self.tick(model, at)
            while queue and queue[-1].event == event:
                notices += self.apply(queue.pop(), model, at)
            timers.look(code, event + 1)
        return notices

    def tick(self, model: str, at: Moment, but: Container[Key] = ()) -> list[Notice]:
        """Everything of this model that became due by `at`, in the order of its due time; `but` those alerts."""
        notices: list[Notice] = []
        for key in self.timers.by(model, at.now_ms):
            alert = self.alerts[key]
            held = alert.due_ms is not None and alert.due_ms <= at.now_ms
            if key in but:
                continue
            if held and alert.state == PENDING and self.away(model, at.now_ms):
                self.signal(alert, CLEAR, at, notices)  # Whether it still holds nobody sees.
                if alert.episode == 0:
                    del self.alerts[key]
            else:
                self.signal(alert, HELD if held else REPEAT, at, notices)
        return notices

    def accept(self, model: str, at: Moment) -> list[Notice]:
        """What is the normal of this model by now resolves; whatever else is due comes before it."""
        accepted = self.deadlines.by(model, at.now_ms)
        notices = self.tick(model, at, but=accepted)
        for key in accepted:
            self.signal(self.alerts[key], ACCEPT, at, notices)
        return notices

    def pass_time(self, passed_ms: int, at: tuple[int, int], models: Iterable[tuple[str, int, int]]) -> list[Notice]:
        """A tick at this offset and time that took `passed_ms`: whose model is silent is told again all the same.
        `models`: each with its newest event time and how many events it had.
        """
        notices: list[Notice] = []
        silent: dict[str, tuple[int, int]] = {}
        for model, newest_ms, events in models:
            if self.timers.due(model) is None:
                continue
            known = self.silent.get(model)
            silent_ms = known[1] + passed_ms if known is not None and known[0] == events else 0
            silent[model] = events, silent_ms
            for key in self.timers.by(model, newest_ms + silent_ms):
                alert = self.alerts[key]
                if alert.repeat_ms is not None and alert.repeat_ms <= newest_ms + silent_ms:
                    self.signal(alert, REPEAT, Moment(*at, newest_ms + silent_ms), notices)
        self.silent = silent
        return notices

    def apply(self, finding: Finding, model: str, at: Moment) -> list[Notice]:
        """One finding. Its evidence is kept if this begins an episode."""
        signal = finding.signal
        if signal == NEITHER:
            return []
        key = name, row = self.names[finding.monitor], finding.row
        if signal == STRETCH:
            return self._look(key, finding, at)
        alert = self.alerts.get(key) or Alert(name, row, model)
        if signal != CLEAR:
            self.detections[name] = self.detections.get(name, 0) + 1
            if alert.state == QUIET:
                if is_quiet(alert, finding.evidence, at.now_ms, self.policies[name]):
                    alert.suppressed += 1
                    return []
                self._open(alert, finding, at)
            else:
                alert.found_again(signal == DRIFT, finding.evidence)
            alert.detections += 1
        self.alerts[key] = alert
        notices: list[Notice] = []
        worse = self.holds is not None and signal != CLEAR and self.holds.grown(alert, finding.evidence)
        self.signal(alert, signal, at, notices)
        if worse:
            self.signal(alert, REPEAT, at, notices)
        if alert.state == QUIET and alert.episode == 0:
            del self.alerts[key]
        return notices

    def _open(self, alert: Alert, finding: Finding, at: Moment) -> None:
        policy, edge = self.policies[alert.monitor], finding.signal == DRIFT
        # Of what came while its model was in another partition the offsets are below all there are.
        first_offset = max(self.first_offset(alert.monitor, alert.row, at.offset), 0)
        alert.opened = Opened(at.offset, at.time_ms, first_offset, finding.evidence, at.row, at.origin)
        alert.detections, alert.peak, alert.latest = 0, 0.0, None
        moved = moved_of(finding.evidence, policy.ranks) if edge else None
        alert.recovery = recovery_of(moved, policy.recover_band, policy.side) if moved is not None else None
        alert.edge = edge
        # Without a before there is nothing that it could be back to.
        lost = edge and policy.resolve == RECOVERED and moved is None
        alert.how = FADED if lost else policy.resolve if edge else RECOVERED

    def _look(self, key: Key, finding: Finding, at: Moment) -> list[Notice]:
        """A stretch of the values of an edge's series: back, or still away?"""
        alert = self.alerts.get(key)
        if alert is None or alert.state == QUIET or alert.recovery is None:
            return []
        away = alert.recovery.take(finding.evidence)
        notices: list[Notice] = []
        if away is not None and alert.how == RECOVERED:
            self.signal(alert, BREACH if away else CLEAR, at, notices)
        return notices

    def signal(self, alert: Alert, signal: str, at: Moment, notices: list[Notice]) -> None:
        """One transition, and what follows from it at once; appends what is to be published."""
        before, due, policy = alert.state, alert.due_ms, self.policies[alert.monitor]
        alert.state, status = TRANSITIONS[before, signal]
        if status == "firing":
            alert.episode, alert.fired_ms, alert.told = alert.episode + 1, at.now_ms, 0
            alert.retained, alert.keep_ms = at.offset < self.news_from, keep_of(alert, at.now_ms, policy)
        if status is not None:
            ended_ms = alert.accept_ms if signal == ACCEPT else at.now_ms if signal == GONE else due
            ended = ended_ms, ENDS.get(signal, alert.how)
            self._tell(alert, told_of(alert, status, at, ended, policy.repeat_ms, self.news_from), notices)
        if status == "resolved":
            alert.ack, alert.cleared_ms, alert.latest = None, 0, None
            if signal == HELD and due is not None:
                alert.cleared_ms = due - clear_for(alert, policy)
            alert.quiet_until_ms, alert.suppressed, alert.repeat_ms = at.now_ms + policy.cooldown_ms, 0, None
            alert.how, alert.recovery = RECOVERED, None
        alert.due_ms = due_of(alert, before, signal, at.now_ms, policy)
        self._note_deadline(alert, before, signal, at.now_ms)
        if alert.retained and alert.state == FIRING and at.offset >= self.news_from:
            self._tell_as_it_is(alert, at, notices)  # It faded where the history ended, and is back.
        self._note_timer(alert)
        # Silence is not health: by the time that ticks tell nothing ends.
        if signal != REPEAT and alert.due_ms is not None and alert.due_ms <= at.now_ms:
            self.signal(alert, HELD, at, notices)

    def end_history(self, end: int, models: Iterable[tuple[str, int, int]]) -> list[Notice]:
        """The retained history ends here. What still holds of it is told as it is; `models` as for `pass_time`."""
        self.news_from = end
        newest_ms = {model: newest_ms for model, newest_ms, _ in models}
        holding = [alert for alert in self.alerts.values() if alert.retained and alert.state == FIRING]
        notices: list[Notice] = []
        for alert in sorted(holding, key=attrgetter("model")):
            now_ms = newest_ms[alert.model]
            self._tell_as_it_is(alert, Moment(end - 1, now_ms, now_ms), notices)
            self._note_timer(alert)
        return notices

    def _tell_as_it_is(self, alert: Alert, at: Moment, notices: list[Notice]) -> None:
        """Of the retained history it is over, since it is news: to its readers that is another alert."""
        every_ms = self.policies[alert.monitor].repeat_ms
        self._tell(alert, told_of(alert, "resolved", at, (at.now_ms, CURRENT), every_ms, self.news_from), notices)
        alert.retained, alert.fired_ms, alert.told = False, at.now_ms, 0
        self._tell(alert, told_of(alert, "firing", at, (None, ""), every_ms, self.news_from), notices)

    def _tell(self, alert: Alert, notice: Notice, notices: list[Notice]) -> None:
        notices.append(notice if self.holds is None else self.holds.judged(alert, notice))

    def settle(self, alert: Alert, at: Moment, notices: list[Notice]) -> None:
        """Where its series is now is the normal, whatever the time."""
        alert.accept_ms = at.now_ms
        self.signal(alert, ACCEPT, at, notices)

    def wake(self, alert: Alert, time_ms: int) -> None:
        """Look at it again at this time, at the latest."""
        assert self.holds is not None
        self.holds.wake(alert, time_ms)
        self._note_timer(alert)

    def put(self, alert: Alert) -> None:
        """Take an alert as it is, with its times."""
        key = alert.monitor, alert.row
        self.alerts[key] = alert
        self._note_timer(alert)
        self.deadlines.note(alert.model, key, alert.accept_ms)

    def _note_timer(self, alert: Alert) -> None:
        first_ms, repeat_ms = alert.due_ms, alert.repeat_ms
        if first_ms is None or (repeat_ms is not None and repeat_ms < first_ms):
            first_ms = repeat_ms
        self.timers.note(alert.model, (alert.monitor, alert.row), first_ms)

    def _note_deadline(self, alert: Alert, before: str, signal: str, now_ms: int) -> None:
        """A new level is accepted when it has lasted since it fired, or since it was last back."""
        known_ms = alert.accept_ms
        if alert.state != FIRING or not alert.edge or alert.how == FADED:
            alert.accept_ms = None
        elif before != FIRING:
            alert.accept_ms = now_ms + self.policies[alert.monitor].accept_after_ms
        if alert.accept_ms != known_ms:
            self.deadlines.note(alert.model, (alert.monitor, alert.row), alert.accept_ms)

    def part_end(self, batch: Batch, used: Bool, now: I64, begin: int) -> int:
        """Where a batch must be cut that is looked at from `begin` on: before an event at which a level is accepted."""
        return part_end(self.deadlines, self.accept_least_ms, batch, used, now, begin)

    def silence(self, model: str) -> int:
        """How long a model with an open alert has been silent, by ticks."""
        return self.silent.get(model, (0, 0))[1]

    def follows(self, monitor: str, row: int) -> bool:
        """Whether somebody must say where this series is by now."""
        alert = self.alerts.get((monitor, row))
        return alert is not None and alert.recovery is not None

    def counts(self) -> dict[tuple[str, str, str], int]:
        """How many alerts there are by monitor, model and state."""
        return Counter((alert.monitor, alert.model, alert.state) for alert in self.alerts.values())

    def dump(self) -> dict[str, Any]:
        return {
            "alerts": [*map(plain, self.alerts.values())],
            "silent": [[model, *silent] for model, silent in self.silent.items()],
        }

    def load(self, state: dict[str, Any], kept: Container[str]) -> None:
        """The alerts of the monitors that were kept. Raises ValueError."""
        for item in state["alerts"]:
            alert = alert_of(item)
            key = alert.monitor, alert.row
            if key in self.alerts:
                raise ValueError("an alert that is there twice")
            if alert.monitor in kept and alert.monitor in self.policies:
                self.put(alert)
        self.silent = {str(model): (int(events), int(ms)) for model, events, ms in state["silent"]}
