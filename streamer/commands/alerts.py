"""`driftline alerts`: what is published, read back, in no group; `control.py` adds what people say of it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import orjson

from streamer.bridges.payloads import alertmanager, pagerduty, slack
from streamer.bridges.told import ODD, Told, told
from streamer.commands.options import config_option
from streamer.commands.sources import said_in_words
from streamer.config import model as cfg
from streamer.config.units import DURATION, parse_duration
from streamer.offline.replay import BadInput
from streamer.offline.times import time_ms_of
from streamer.service.run import load_or_exit

if TYPE_CHECKING:
    from schemas.events.batch import Record
    from streamer.kafka.tail import Tail

EXIT_FIRING = 1
EXIT_USAGE = 2
INTERVAL_MS = 60_000
TAIL_MAX = 1_000_000
"""Records of the past that `tail` reads at most."""
SILENCED = "?active=false&silenced=true&inhibited=false"
FORMATS = ("text", "json", "alertmanager", "pagerduty", "slack")
LIST_EPILOG = """\b
driftline alerts list -c driftline.yaml                        # how things stand, by incident
driftline alerts list -c driftline.yaml --open --fail-if-firing  # for scripts: exit 1 when something fires
driftline alerts list -c driftline.yaml --since 1d --format json # the newest record of each alert of the last day
"""
TAIL_EPILOG = """\b
driftline alerts tail -c driftline.yaml                        # as they come, until Ctrl-C
driftline alerts tail -c driftline.yaml --since 1h --model fraud
driftline alerts tail -c driftline.yaml --format slack         # a request body a line; driftline bridge sends them
"""
SHOW_EPILOG = """\b
driftline alerts show 26e7b515b121c3de -c driftline.yaml       # by fingerprint, episode or record, or their beginning
driftline alerts show 26e7 -c driftline.yaml --html alert.html # one file, to attach to a ticket
"""


class Chosen(NamedTuple):
    """Which records are wanted, and as what they are shown."""

    config: cfg.Config
    format: str
    model: str | None
    monitor: str | None
    begin_ms: int | None

    def wants(self, one: Told) -> bool:
        return self.model in (None, one.model) and (self.monitor is None or one.monitor == self.monitor)

    def shown(self, one: Told, text: Callable[[Told], str]) -> str | None:
        """As `written`; None as well for a record that is not as ours are."""
        try:
            return self.written(one, text)
        except ODD:
            return None

    def written(self, one: Told, text: Callable[[Told], str]) -> str | None:
        """The record in the format wanted; None where that has no word for it."""
        page, now_ms = self.config.bridges.page, time.time_ns() // 1_000_000
        match self.format:
            case "json":
                return one.value.decode(errors="replace")
            case "alertmanager" if one.kind == "alert":
                return encoded([alertmanager(one, now_ms, INTERVAL_MS, page)])
            case "alertmanager":
                return None
            case "pagerduty":  # Without the key, which is a secret.
                return encoded(pagerduty(one, page))
            case "slack":
                return encoded(slack(one, page))
        return text(one)


def encoded(value: Any) -> str:
    return orjson.dumps(value).decode()


def begin_of(_: click.Context, __: click.Parameter, since: str | None) -> int | None:
    """A duration back from now, or a time, in ms since 1970."""
    try:
        if since is None or not re.fullmatch(DURATION, since):
            return None if since is None else time_ms_of(since)
        return max(0, time.time_ns() // 1_000_000 - parse_duration(since))
    except (BadInput, ValueError):
        raise click.BadParameter(f"{since!r} is neither 1d, 6h, 30m nor a time such as 2026-01-31T12:00:00Z") from None


def options(command: Callable[..., None]) -> Callable[..., None]:
    """What the verbs have in common; they are called with a `Chosen` instead."""

    def run(
        config_path: Path,
        format: str,
        model: str | None,
        monitor: str | None,
        begin_ms: int | None,
        **others: Any,
    ) -> None:
        chosen = Chosen(load_or_exit(config_path), format, model, monitor, begin_ms)
        with said_in_words():
            command(chosen, **others)

    run.__doc__, run.__name__ = command.__doc__, command.__name__
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option("--fail-if-firing", is_flag=True, help="Exit 1 when what is shown fires."),
        click.option("--since", "begin_ms", callback=begin_of, help="Published since: 1d, 6h, or a time (RFC 3339)."),
        click.option("--monitor", help="Of this monitor only."),
        click.option("--model", help="Of this model only."),
        click.option("--format", type=click.Choice(FORMATS), default="text", show_default=True, help="One a line."),
        config_option,
    ):
        run = option(run)
    return run


@click.group("alerts", epilog=LIST_EPILOG)
def alerts() -> None:
    """Alerts and incidents: follow them, list how things stand, show one; say what is to become of one.

    They are read from the topics of the config, of committed transactions only, and as a member of no group. What
    people say of them is written to topics of its own: control and verdicts.
    """


@alerts.command("tail", epilog=TAIL_EPILOG)
@options
def tail(chosen: Chosen, fail_if_firing: bool) -> None:
    """Print alerts and incidents as they are published, until Ctrl-C; with --since those of that time first.

    With --fail-if-firing it ends with 1 at the first that fires.
    """
    from streamer.commands.alert_text import line
    from streamer.kafka.diagnosis import silent_logger
    from streamer.kafka.tail import Span, Tail

    now_ms = time.time_ns() // 1_000_000
    span = Span(0 if chosen.begin_ms is None else max(0, now_ms - chosen.begin_ms), TAIL_MAX)
    topics = dict.fromkeys(topics_of(chosen.config), span)
    reading = Tail(chosen.config, silent_logger(), topics, now_ms, "alerts")
    try:
        for one in followed(reading):
            if not chosen.wants(one):
                continue
            shown = chosen.shown(one, line)
            if shown is not None:
                click.echo(shown)
            if fail_if_firing and not one.over:
                sys.exit(EXIT_FIRING)
    except KeyboardInterrupt:
        pass  # How it ends.
    finally:
        reading.close()


def followed(reading: Tail) -> Iterator[Told]:
    """What comes, without end; a topic of which nothing is read is said once."""
    said: set[str] = set()
    while True:
        for name in reading.missing.keys() - said:
            click.echo(f"{name}: {reading.missing[name]}", err=True)
            said.add(name)
        for value in reading.values():
            one = told(value)
            if one is not None:
                yield one


@alerts.command("list", epilog=LIST_EPILOG)
@click.option("--open", "only_open", is_flag=True, help="Only what fires, or is open.")
@click.option("--silenced", is_flag=True, help="Mark what the Alertmanager of bridges.alertmanager keeps silent.")
@options
def list_(chosen: Chosen, fail_if_firing: bool, only_open: bool, silenced: bool) -> None:
    """How things stand: of each alert and incident the newest record, alerts below their incident."""
    from streamer.commands.alert_text import table

    newest: dict[str, Told] = {}
    for one in published(chosen):
        newest.pop(one.key, None)  # The newest stands last.
        newest[one.key] = one
    shown = [one for one in newest.values() if chosen.wants(one) and not (only_open and one.over)]
    if chosen.monitor is not None:
        shown = [one for one in shown if one.kind == "alert"]
    if chosen.format == "text":
        click.echo(table(shown, silenced_by(chosen.config) if silenced else ()))
    for one in shown if chosen.format != "text" else ():
        line = chosen.shown(one, str)
        if line is not None:
            click.echo(line)
    if fail_if_firing and any(not one.over for one in shown):
        sys.exit(EXIT_FIRING)


@alerts.command("show", epilog=SHOW_EPILOG)
@click.argument("id")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file, as a page.")
@options
def show(chosen: Chosen, id: str, html: Path | None, fail_if_firing: bool) -> None:
    """All there is to say of one alert or incident: sentence, evidence, timeline, what was deployed or changed in its
    model about then, replay command, next step. As JSON it is the newest record, with `data.marks` beside it.

    ID is a fingerprint, an incident, an episode or a record, or the beginning of one. Of a fingerprint it is the newest
    episode. Exit 2 when nothing of that name is retained, or several are.
    """
    from streamer.bridges.story import members_of, story
    from streamer.commands.alert_marks import ANSWER, marks_of
    from streamer.commands.alert_text import account, printable

    about, times_ms, answers = list[Told](), dict[str, int](), list[bytes]()
    for record in retained(chosen):
        one = told(record.value)
        if one is None:
            answers += [record.value] if record.value is not None and ANSWER in record.value else []
        elif chosen.wants(one) and (named(one, id) or id.startswith(one.key)):
            about.append(one)
            times_ms.setdefault(one.episode, record.time_ms)
    found = [one for one in about if named(one, id)]
    keys = list(dict.fromkeys(one.key for one in found))
    if len(keys) != 1:
        several = f"{len(keys)} begin so: {', '.join(keys[:5])}{' ...' if len(keys) > 5 else ''}"
        click.echo(printable(several if keys else f"no alert or incident {id} is retained"), err=True)
        sys.exit(EXIT_USAGE)
    episode = found[-1].episode
    records = list({one.id: one for one in about if one.episode == episode}.values())
    marks, why = (
        marks_of(chosen.config, records[-1].model, times_ms[episode], answers) if records[-1].model else ([], None)
    )
    if why is not None:
        click.echo(printable(f"what was deployed is known in part: {why}"), err=True)
    try:
        read = records[-1].kind == "incident" and (html is not None or chosen.format == "text")
        members = set(members_of(records[-1]) if read else ())
        inside = {one.episode: one for one in published(chosen) if one.episode in members} if members else {}
        if html is not None:
            from streamer.commands.alert_page import page

            html.write_text(page(story(records, marks, inside)), encoding="utf-8")
            click.echo(f"wrote {html}")
        elif chosen.format == "text":
            click.echo(account(story(records, marks, inside)))
        elif chosen.format == "json" and marks:
            last = records[-1].record
            click.echo(encoded({**last, "data": {**last["data"], "marks": marks}}))
        else:
            click.echo(chosen.written(records[-1], str) or "")
    except ODD:
        click.echo("it is not as Driftline's are: --format json shows it as it is", err=True)
        sys.exit(EXIT_USAGE)
    if fail_if_firing and not records[-1].over:
        sys.exit(EXIT_FIRING)


def silenced_by(config: cfg.Config) -> list[str]:
    """Fingerprints of alerts that Alertmanager has a silence for: they are those of our alerts."""
    from streamer.bridges.kinds import headers_of
    from streamer.service.delivery import Client

    there = config.bridges.alertmanager
    if there is None:
        raise click.UsageError("--silenced asks an Alertmanager: name it in bridges.alertmanager.url")
    client = Client(there.timeout_ms / 1000, there.ca)
    answer, body = client.get(f"{there.url}/api/v2/alerts{SILENCED}", headers_of(there.authorization, "text/plain"))
    try:
        found = orjson.loads(body) if answer.status == 200 else []
        marks = [str(one["fingerprint"]) for one in found if one["status"]["silencedBy"]]
    except (ValueError, KeyError, TypeError):
        answer, marks = answer._replace(status=0, words="what it says is no list of alerts"), []
    if answer.status != 200:
        raise click.ClickException(f"Alertmanager {there.url}: {answer.status or ''} {answer.words}")
    return marks


def named(one: Told, id: str) -> bool:
    return any(name.startswith(id) for name in (one.key, one.episode, one.id))


def topics_of(config: cfg.Config) -> list[str]:
    """Where alerts and incidents are, each once."""
    there = config.topics.published()
    return list(dict.fromkeys([there["alerts"], there["incidents"]]))


def published(chosen: Chosen) -> Iterator[Told]:
    """What is retained, of each key in the order in which it was told."""
    for record in retained(chosen):
        one = told(record.value)
        if one is not None:
            yield one


def retained(chosen: Chosen) -> Iterator[Record]:
    """Records of alerts and incidents, and what else is in their topics."""
    from streamer.kafka.topic_range import TopicRange

    begin = None if chosen.begin_ms is None else f"@{chosen.begin_ms / 1000}"
    for topic in topics_of(chosen.config):
        for _, records in TopicRange(chosen.config, topic, begin=begin):
            yield from records
