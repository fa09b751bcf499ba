"""Commands of operators at their place in the log: between the events before and those behind.

Each is answered by an event of its own, and counted: applied, refused, or there already by its id. What it does is in
`streamer/alerts/commands.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from detectors.precision import WRONG
from schemas.events.batch import Batch, origin_of
from schemas.records.alert import rfc3339
from schemas.records.control import ControlFacts, render_control
from schemas.records.envelope import HEADERS
from schemas.records.learn import LearnFacts, render_learn
from streamer.alerts.alert import Alert, Moment, Notice
from streamer.alerts.alert_record import AlertRecords, labels_of
from streamer.alerts.commands import (
    APPLIED,
    DUPLICATE,
    REFUSALS,
    RESULTS,
    VERBS,
    Bench,
    Command,
    Effect,
    Refused,
    carried_out,
    commands_at,
    episode_of,
    ids_of,
)
from streamer.alerts.holds import WHY, Holds
from streamer.alerts.learning import (
    CHANGED,
    OFF,
    Key,
    Learning,
    Lesson,
    lessons_joined,
    lessons_without,
    models_learned,
)
from streamer.alerts.lifecycle import AlertBook
from streamer.config import model as cfg
from streamer.engine.companion import Seen
from streamer.engine.figures import Counter
from streamer.monitors.base import Monitor
from streamer.port import Out, Partition
from streamer.signals.columns import I64, Bool
from streamer.signals.roles import ALERTED, COMMAND, has, is_command
from streamer.signals.verdicts import USEFUL, Verdict, alert_verdicts

IDS_MAX = 10_000
"""Ids of commands that are remembered, the newest."""
SHOWN_MAX = 20
"""Alerts that an event names."""
NONE: dict[int, Command] = {}


class Answer(NamedTuple):
    """What a command makes: notices of alerts, and what the operator is told."""

    notices: list[Notice]
    outs: list[Out]


class Control:
    """State: mutes, ids that were there, counts. `commands`: of the batch at hand, by event. See `Beside`."""

    def __init__(
        self, config: cfg.Config, partition: Partition, generation: int, monitors: Mapping[str, Monitor]
    ) -> None:
        self.config, self.partition, self.generation = config, partition, generation

        def labels(monitor: str, row: int) -> dict[str, str]:
            found = labels_of(monitors[monitor], row)
            return {name: text for name, text in found.items() if text and name != "detector"}

        self.monitors, self.holds, mode = monitors, Holds(labels), config.false_alarms.learn
        self.hashed = config.verdicts is not None and config.verdicts.hash_reviewers
        self.learning = None if mode == OFF else Learning(mode, self._learned)
        self.verdicts: dict[int, Verdict] = {}  # on alerts, of the batch at hand, by event
        self.ids: dict[str, str] = {}  # with their models, oldest first
        self.results: dict[str, int] = dict.fromkeys(RESULTS, 0)
        self.newest_ms: dict[str, int] = {}  # of models at the last tick
        self.commands, self.stops = NONE, list[int]()  # and where either of them stands
        self.records: AlertRecords | None = None  # where alerts get their names

    def _learned(self, key: Key, factor: float) -> None:
        """Alerts of a monitor are told from so many times its threshold on: that is raised, or weaker ones are held."""
        model, name = key
        if name not in self.monitors or not self.monitors[name].lower_share(model, 1.0 / factor):
            self.holds.factors[key] = factor

    def part(self, batch: Batch, used: Bool) -> Bool:
        """The used events without commands, which are looked at one by one."""
        self.commands, self.stops = NONE, []
        if not has(batch, COMMAND):
            return used
        mine = used & is_command(batch)
        events = np.flatnonzero(mine).tolist()
        self.commands, self.stops = dict(zip(events, commands_at(batch, events), strict=True)), events
        return used & ~mine

    def part_end(self, begin: int, end: int) -> int:
        """The first command, or verdict to learn from, behind `begin`, if there is one before `end`."""
        place = bisect_right(self.stops, begin)
        return min(end, self.stops[place]) if place < len(self.stops) else end

    def answer(self, batch: Batch, now: I64, event: int, book: AlertBook, records: AlertRecords) -> Answer | None:
        """What the command or the verdict does that stands there; None where none does, or was there before."""
        if event in self.verdicts and self.learning is not None:
            return Answer([], self._heard_of(self.verdicts[event], self.learning, batch, now, event))
        command = self.commands.get(event)
        if command is None:
            return None
        if command.id in self.ids:
            self.results[DUPLICATE] += 1
            return None
        self.ids[command.id] = command.model
        if len(self.ids) > IDS_MAX:
            del self.ids[next(iter(self.ids))]
        now_ms = now.item(event)
        if self.newest_ms.get(command.model) == now_ms:  # Nothing has come since: its silence counts.
            now_ms += book.silence(command.model)
        at = moment_of(batch, event, now_ms)
        notices: list[Notice] = []
        reason, effect = None, Effect()
        try:
            effect = carried_out(command, at, Bench(book, self.holds, records, self.learning), notices)
        except Refused as refused:
            reason = str(refused)
        self.results[reason or APPLIED] += 1
        lessons = [self._lesson(one, at, command.by) for one in effect.lessons]
        return Answer(notices, [self._told(command, at, effect, reason, records), *lessons])

    def _heard_of(self, verdict: Verdict, learning: Learning, batch: Batch, now: I64, event: int) -> list[Out]:
        """Take a verdict on an alert."""
        useful = None if not verdict.said else verdict.said == USEFUL
        learning.said(ids_of(verdict.about), verdict.model, verdict.reviewer, useful)
        at = moment_of(batch, event, now.item(event))
        return [self._lesson(one, at) for one in learning.settle()]

    def _where(self, at: Moment) -> dict[str, Any]:
        """What the events have in common: who says it, and from where on it holds."""
        place = {"topic": self.partition[0], "partition": self.partition[1], "offset": at.offset, "row": at.row}
        return {"source": self.config.kafka.group, **place, "time_ms": at.time_ms, "generation": self.generation}

    def _lesson(self, lesson: Lesson, at: Moment, by: str = "") -> Out:
        model, monitor = lesson.key
        facts = LearnFacts(
            status=lesson.what,
            sentence=sentence_of_lesson(lesson, by),
            model=model,
            monitor=monitor,
            version=lesson.version,
            before=lesson.before,
            after=lesson.after,
            because=because_of(lesson),
            **self._where(at),
        )
        return Out("control", *render_learn(facts), HEADERS)

    def _told(self, command: Command, at: Moment, effect: Effect, reason: str | None, records: AlertRecords) -> Out:
        said = command._asdict() | {"for": command.lasts}
        given = {name: text for name, text in said.items() if text and name not in ("model", "lasts")}
        facts = ControlFacts(
            status=APPLIED if reason is None else "refused",
            sentence=sentence_of(command, effect, reason),
            model=command.model,
            command=given,
            told_at=(*self.partition, at.offset) if at.origin is None else at.origin[:3],
            reason=reason,
            alerts={
                "count": len(effect.alerts),
                "members": [member_of(one, records, self.holds) for one in effect.alerts[:SHOWN_MAX]],
            },
            until_ms=max((one.until_ms for one in effect.mutes), default=None),
            mutes=[
                {"id": one.id, "labels": {"model": one.model, **one.labels}, "until_ms": one.until_ms}
                for one in effect.mutes
            ],
            **self._where(at),
        )
        return Out("control", *render_control(facts), HEADERS)

    def take(self, seen: Seen) -> Iterable[Out]:
        """Verdicts on alerts are taken one by one, as commands are."""
        self.verdicts = {}
        if self.learning is not None and has(seen.batch, ALERTED):
            self.verdicts = {one.event: one for one in alert_verdicts(seen.batch, seen.used, seen.sent_ms, self.hashed)}
            self.stops = sorted({*self.commands, *self.verdicts})
        return ()

    def heard(self, notices: Sequence[Notice]) -> None:
        """Whoever is told of an alert may say what it is worth."""
        if self.learning is None or self.records is None:
            return
        for one in notices:
            if one.retained or self.monitors[one.monitor].config.shadow:
                continue
            if one.status == "resolved":
                self.learning.resolved(episode_of(self.records, one), one.strength)
            else:
                model = self.monitors[one.monitor].table.keys[one.row][0][0]
                self.learning.fired(episode_of(self.records, one), (model, one.monitor))

    def judged(self, seen: Seen, shown: object) -> Iterable[Out]:
        return ()

    def tick(self, offset: int, time_ms: int) -> Iterable[Out]:
        """Alerts that are over by now may have verdicts already."""
        at = Moment(offset, time_ms, time_ms)
        return [] if self.learning is None else [self._lesson(one, at) for one in self.learning.settle()]

    def erase(self, event_id: int, models: Collection[str]) -> tuple[bool, Sequence[Out]]:
        """Commands and verdicts on alerts are about no event."""
        return False, ()

    def pass_time(self, newest_ms: Mapping[str, int], book: AlertBook) -> None:
        """A tick, by the clocks of models."""
        self.newest_ms = {model: newest_ms[model] for model in book.silent if model in newest_ms}
        self.holds.pass_time(newest_ms, book.silence)

    def standing(self, alerts: Iterable[Alert], models: Iterable[str]) -> dict[str, dict[str, int]]:
        """By model how many mutes there are, and how many alerts nobody has heard of, or somebody acknowledged."""
        found = {
            model: {"mutes": len(self.holds.mutes.get(model, ())), "held": 0, "acknowledged": 0} for model in models
        }
        for alert in alerts:
            own = found.get(alert.model)
            if own is not None:
                own["held"] += alert.held != ""
                own["acknowledged"] += alert.ack is not None
        return found

    def counters(self, topic: str) -> Iterator[Counter]:
        """What became of commands, and how many records of alerts nobody was told."""
        for result, count in self.results.items():
            yield Counter("control_commands_total", {"topic": topic, "result": result}, count)
        for result, count in ({} if self.learning is None else self.learning.results).items():
            yield Counter("alert_verdicts_total", {"topic": topic, "result": result}, count)
        for why in WHY:
            yield Counter("alerts_held_total", {"topic": topic, "why": why}, self.holds.counts[why])

    def dump(self) -> dict[str, Any]:
        return {
            **self.holds.dump(),
            "ids": [list(one) for one in self.ids.items()],
            "results": list(self.results.items()),
            "newest_ms": [list(one) for one in self.newest_ms.items()],
            "learned": None if self.learning is None else self.learning.dump(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.holds.load(state)
        self.ids = {str(id): str(model) for id, model in state["ids"]}
        self.results |= {str(name): int(count) for name, count in state["results"] if name in self.results}
        self.newest_ms = {str(model): int(newest_ms) for model, newest_ms in state["newest_ms"]}
        if self.learning is not None and state.get("learned") is not None:  # It may not have learned until now.
            self.learning.load(state["learned"])
        if len(self.ids) > IDS_MAX:
            raise ValueError("too many ids of commands")

    def models(self) -> Collection[str]:
        """Those that something was commanded of, or learned."""
        state = self.dump()
        learned = () if state["learned"] is None else models_learned(state["learned"])
        return {*(item[at] for name, at in OF_MODELS.items() for item in state[name]), *learned}

    def leave(self, models: Collection[str], lost: Collection[str]) -> None:
        self._hold(commands_without(self.dump(), models))

    def join(self, other: Control, models: Collection[str]) -> None:
        self._hold(commands_joined(self.dump(), other.dump()))

    def _hold(self, state: Mapping[str, Any]) -> None:
        """Know this and nothing else."""
        self.holds.mutes.clear()
        self.holds.factors.clear()
        if self.learning is not None:
            self.learning = Learning(self.learning.mode, self._learned)
        self.load(state)


def moment_of(batch: Batch, event: int, now_ms: int) -> Moment:
    """Where a command or a verdict stands, by the clock of its model."""
    row = 0 if batch.rows is None else batch.rows.item(event)
    return Moment(batch.offsets.item(event), now_ms, now_ms, row, origin_of(batch, event))


def member_of(alert: Alert, records: AlertRecords, holds: Holds) -> dict[str, str]:
    """An alert as an event names it."""
    labels = holds.labels(alert.monitor, alert.row)
    return {"episode": episode_of(records, alert), "monitor": alert.monitor, "signal": labels["signal"]}


def sentence_of(command: Command, effect: Effect, reason: str | None) -> str:
    """Who did what, in one line."""
    who = f"{command.model}: {command.by or 'somebody'}"
    if reason is not None:
        return f"{who} could not {command.type or 'do that'}: {REFUSALS[reason]}."
    if effect.lessons:
        return f"{sentence_of_lesson(effect.lessons[0], command.by)[:-1]}; {command.why}."
    if command.type == "deploy":
        return f"{who} deployed {command.why}."
    count = len(effect.alerts)
    named = f" ({', '.join(monitors_of(effect.alerts))})" if count else ""
    what = f"{count} alert{'' if count == 1 else 's'}{named}"
    until = f" until {rfc3339(effect.mutes[0].until_ms)}" if command.type == "mute" else ""
    return f"{who} {VERBS[command.type][1]} {what}{until}: {command.why}."


def sentence_of_lesson(lesson: Lesson, by: str) -> str:
    """What is proposed or was changed, in one line."""
    model, monitor = lesson.key
    strength = f"{1 / lesson.after:g} times its threshold on (until now {1 / lesson.before:g})"
    if lesson.proposal is None:
        return f"{model}: {by} undid a change of {monitor}: it is told from {strength}."
    said, proposal = lesson.precision or (0.0, 0.0, 0.0), lesson.proposal
    why = f"of {proposal.verdicts} alerts people found {said[0]:.0%} of use; {proposal.quiet} weak ones would be quiet"
    done = "is" if lesson.what == CHANGED else "would be"
    return f"{model}: {monitor} {done} told from {strength}: {why}."


def because_of(lesson: Lesson) -> dict[str, Any] | None:
    """What people said, as the event has it."""
    if lesson.proposal is None or lesson.precision is None:
        return None
    mean, low, high = lesson.precision
    shown = lesson.proposal._asdict()
    return {"useful": {"mean": mean, "low": low, "high": high}, "wrong": WRONG} | {
        name: shown[name] for name in ("verdicts", "quiet", "precision", "lost")
    }


def monitors_of(alerts: Sequence[Alert]) -> list[str]:
    return list(dict.fromkeys(one.monitor for one in alerts))[:3]


OF_MODELS = {"mutes": 1, "ids": 1, "newest_ms": 0}
"""Parts of the state that are of a model, each with where its items name it."""


def commands_without(state: Mapping[str, Any], models: Collection[str]) -> dict[str, Any]:
    """A state that knows nothing of these models; counts stay."""
    left = {name: [item for item in state[name] if item[at] not in models] for name, at in OF_MODELS.items()}
    learned = state["learned"]
    return {**state, **left, "learned": None if learned is None else lessons_without(learned, models)}


def commands_joined(state: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A state with what another one knows of its models."""
    both = {name: [*other[name], *state[name]] for name in OF_MODELS}
    own, more = state["learned"], other["learned"]
    learned = own if own is None or more is None else lessons_joined(own, more)
    return {**state, **both, "ids": both["ids"][-IDS_MAX:], "learned": learned}
