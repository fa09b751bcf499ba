"""What operators say of alerts, and what it does: commands, each a row of VERBS.

A command names an alert by its id (that of any of its records, or what they have in common), or all alerts of a monitor
of a model, or those of these with certain labels. What it changes is a function of the log up to its place there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import orjson

from schemas.events.batch import Batch, text_of_event
from schemas.events.convert import Rejected, time_ms
from schemas.records.envelope import named
from streamer.alerts.alert import FADING, FIRING, Acknowledged, Alert, Moment, Notice
from streamer.alerts.alert_record import AlertRecords, number_of
from streamer.alerts.holds import Holds, Mute
from streamer.alerts.learning import Learning, Lesson
from streamer.alerts.lifecycle import AlertBook
from streamer.alerts.timetable import REPEAT
from streamer.config.units import parse_duration
from streamer.signals.roles import COMMAND

APPLIED, DUPLICATE = "applied", "duplicate"
REFUSALS: dict[str, str] = {
    "unknown_command": "there is no command of this type",
    "no_author": "a command says who gives it and why: by, why",
    "no_target": "it names no alert, and no monitor (with LABEL=TEXT, ... as its segment)",
    "unknown_alert": "no alert of this model that is not over has this id here",
    "unknown_monitor": "the config has no monitor of this name",
    "nothing_open": "no alert of this monitor is open with such labels",
    "over": "that alert is over",
    "not_acknowledged": "it is not acknowledged",
    "not_muted": "no mute is of exactly that, or of a part of it",
    "no_end": "a mute needs an end: until, a time (RFC 3339), or for, a duration such as 2h",
    "expired": "its end is past, by the time of the model's events",
    "too_many": "there are too many mutes",
    "not_learning": "false_alarms.learn is off",
    "nothing_learned": "there is no change that could be undone",
    "nothing_proposed": "no change is proposed",
    "no_level": "it is about a limit, not a level that could be the normal: change its monitor, or mute it",
}
"""Why a command is refused, in words."""
RESULTS = (APPLIED, DUPLICATE, *REFUSALS)
OPEN = (FIRING, FADING)
COLUMNS = ("type", "by", "why", "alert", "monitor", "segment", "until", "for", "change")
SEQUENCE = re.compile(r"-\d+$")


class Refused(Exception):
    """`args[0]`: a key of REFUSALS."""


class Command(NamedTuple):
    """As it was given; texts that it does not have are empty."""

    id: str
    model: str
    type: str
    by: str
    why: str
    alert: str
    monitor: str
    segment: str
    until: str
    lasts: str  # its `for`
    change: str  # what of what was learned

    def labels(self) -> dict[str, str]:
        """Those that its `segment` names: `segment_country=NL, version=3`. Refused where that makes no sense."""
        parts = [part.strip().partition("=") for part in self.segment.split(",")] if self.segment else []
        if not all(name and text for name, _, text in parts):
            raise Refused("no_target")
        return {name.strip(): text.strip() for name, _, text in parts}


class Effect(NamedTuple):
    """What a command changed: alerts, mutes, and the share of a monitor."""

    alerts: Sequence[Alert] = ()
    mutes: Sequence[Mute] = ()
    lessons: Sequence[Lesson] = ()


class Bench(NamedTuple):
    """What commands work on."""

    book: AlertBook
    holds: Holds
    records: AlertRecords
    learning: Learning | None = None


def command_record(
    id: str, type: str, model: str, by: str, why: str, time_s: float, **data: str
) -> tuple[bytes, bytes]:
    """Key and value of a command, as it is written to the control topic."""
    said = {"id": id, "type": type, "model": model, "by": by, "why": why, "time": time_s, "data": data}
    return model.encode(), orjson.dumps(said)


def commands_at(batch: Batch, events: Sequence[int]) -> list[Command]:
    """The commands at these events."""
    if not events:
        return []
    chosen = np.array(events, np.int64)
    columns = [text_of_event(batch, name)[chosen].tolist() for name in (COMMAND, *(f"control.{c}" for c in COLUMNS))]
    models = batch.model[chosen].tolist()

    def text(code: int) -> str:
        return batch.strings[code] if code >= 0 else ""

    rows = zip(models, *columns, strict=True)
    return [Command(text(id), text(model), *map(text, texts)) for model, id, *texts in rows]


def episode_of(records: AlertRecords, alert: Alert | Notice) -> str:
    """The `correlationid` of an alert's records."""
    assert alert.opened is not None
    home = number_of(alert.opened)
    topic, number = records.opened_in(home)
    fingerprint = records.series_at((alert.monitor, alert.row, alert.retained, home)).identity.fingerprint
    return f"{fingerprint}-{named(topic, records.generation)}-{number}-{alert.opened.place}"


def targets(command: Command, bench: Bench) -> Iterator[Alert]:
    """The open alerts that a command names, in the order of the book. Refused where there is none."""
    own = [alert for alert in bench.book.alerts.values() if alert.model == command.model and alert.opened is not None]
    if command.alert:
        alert = the_one(command, own, bench.records)
        if alert.state not in OPEN or episode_of(bench.records, alert) not in ids_of(command.alert):
            raise Refused("over")
        yield alert
        return
    labels = wanted_of(command, bench)
    found = [alert for alert in own if alert.state in OPEN and labels.items() <= shown(bench, alert).items()]
    if not found:
        raise Refused("nothing_open")
    yield from found


def ids_of(said: str) -> tuple[str, str]:
    """What an id may be: of an alert, or of a record, which has a sequence behind."""
    return said, SEQUENCE.sub("", said)


def the_one(command: Command, own: Sequence[Alert], records: AlertRecords) -> Alert:
    """The alert of this id, or that of its series which is not the newest any more."""
    fingerprint = command.alert.partition("-")[0]
    for alert in own:
        if episode_of(records, alert).partition("-")[0] == fingerprint:
            return alert
    raise Refused("unknown_alert")


def shown(bench: Bench, alert: Alert) -> Mapping[str, str]:
    return bench.holds.labels(alert.monitor, alert.row)


def wanted_of(command: Command, bench: Bench) -> dict[str, str]:
    """The labels that alerts have which a command is about."""
    if command.alert:
        own = [one for one in bench.book.alerts.values() if one.model == command.model and one.opened is not None]
        return {**shown(bench, the_one(command, own, bench.records))}
    if not command.monitor:
        raise Refused("no_target")
    if command.monitor not in bench.records.monitors:
        raise Refused("unknown_monitor")
    return {"monitor": command.monitor, **command.labels()}


def acknowledge(command: Command, at: Moment, bench: Bench, notices: list[Notice]) -> Effect:
    found = list(targets(command, bench))
    for alert in found:
        alert.ack = Acknowledged(command.by, command.why, command.id, at.offset, at.now_ms, alert.peak)
        bench.book.signal(alert, REPEAT, at, notices)
    return Effect(found)


def unacknowledge(command: Command, at: Moment, bench: Bench, notices: list[Notice]) -> Effect:
    found = [alert for alert in targets(command, bench) if alert.ack is not None]
    if not found:
        raise Refused("not_acknowledged")
    for alert in found:
        alert.ack = None
        bench.book.signal(alert, REPEAT, at, notices)
    return Effect(found)


def end_of(command: Command, now_ms: int) -> int:
    """When a mute ends, by the clock of its model."""
    try:
        until_ms = time_ms(command.until, "/data/until") if command.until else now_ms + parse_duration(command.lasts)
    except (Rejected, ValueError):
        raise Refused("no_end") from None
    if until_ms <= now_ms:
        raise Refused("expired")
    return until_ms


def mute(command: Command, at: Moment, bench: Bench, notices: list[Notice]) -> Effect:
    made = Mute(
        command.id, command.model, wanted_of(command, bench), end_of(command, at.now_ms), command.by, command.why
    )
    if not bench.holds.mute(made):
        raise Refused("too_many")
    covered = [alert for alert in bench.book.alerts.values() if alert.model == command.model and alert.state in OPEN]
    found = [alert for alert in covered if made.covers(shown(bench, alert))]
    for alert in found:
        bench.book.wake(alert, made.until_ms)
    return Effect(found, [made])


def unmute(command: Command, at: Moment, bench: Bench, notices: list[Notice]) -> Effect:
    gone = bench.holds.unmute(command.model, wanted_of(command, bench))
    if not gone:
        raise Refused("not_muted")
    covered = [alert for alert in bench.book.alerts.values() if alert.model == command.model and alert.state in OPEN]
    found = [alert for alert in covered if any(one.covers(shown(bench, alert)) for one in gone)]
    for alert in found:
        bench.book.signal(alert, REPEAT, at, notices)
    return Effect(found, gone)


def accept(command: Command, at: Moment, bench: Bench, notices: list[Notice]) -> Effect:
    """Only of what found a change: what a limit says has no level of its own."""
    found = [alert for alert in targets(command, bench) if alert.edge]
    if not found:
        raise Refused("no_level")
    for alert in found:
        bench.book.settle(alert, at, notices)
    return Effect(found)


def deploy(command: Command, at: Moment, bench: Bench, notices: list[Notice]) -> Effect:
    """Nothing changes here: its answer is a mark in time, for who looks at what changed then."""
    return Effect()


def learn(command: Command, at: Moment, bench: Bench, notices: list[Notice]) -> Effect:
    """Change what is proposed, or undo the newest change."""
    if bench.learning is None:
        raise Refused("not_learning")
    monitor = wanted_of(command, bench)["monitor"]
    do = {"apply": bench.learning.apply, "undo": bench.learning.undo}.get(command.change)
    if do is None:
        raise Refused("unknown_command")
    try:
        lesson = do((command.model, monitor))
    except ValueError:
        raise Refused("nothing_proposed" if command.change == "apply" else "nothing_learned") from None
    covered = [alert for alert in bench.book.alerts.values() if (alert.model, alert.monitor) == lesson.key]
    found = [alert for alert in covered if alert.state in OPEN and alert.held]
    for alert in found:
        bench.book.signal(alert, REPEAT, at, notices)
    return Effect(found, (), [lesson])


Verb = Callable[[Command, Moment, Bench, list[Notice]], Effect]
VERBS: dict[str, tuple[Verb, str]] = {
    "ack": (acknowledge, "acknowledged"),
    "unack": (unacknowledge, "took back that somebody knows of"),
    "mute": (mute, "muted"),
    "unmute": (unmute, "let be heard again"),
    "accept": (accept, "accepted as the normal"),
    "deploy": (deploy, "deployed"),
    "learn": (learn, "changed a share"),
}
"""By type what it does, and in words what was done."""


def carried_out(command: Command, at: Moment, bench: Bench, notices: list[Notice]) -> Effect:
    """Do it. Appends what is to be published; raises Refused, and then nothing is changed."""
    verb = VERBS.get(command.type)
    if verb is None:
        raise Refused("unknown_command")
    if not (command.by and command.why):
        raise Refused("no_author")
    return verb[0](command, at, bench, notices)
