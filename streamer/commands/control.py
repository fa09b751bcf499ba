"""`driftline alerts ack|unack|mute|unmute|accept`: commands, written to the control topic. What became of each is an
event on the alerts topic, which is waited for.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import orjson

from streamer.alerts.commands import command_record
from streamer.alerts.learning import OFF
from streamer.commands.alerts import alerts
from streamer.commands.options import config_option
from streamer.commands.review import write_verdict
from streamer.commands.sources import said_in_words
from streamer.config import model as cfg
from streamer.config.units import parse_duration
from streamer.service.run import load_or_exit
from streamer.signals.verdicts import ALERT, NOT_USEFUL, REASONS, plain

EXIT_REFUSED = 1
TIMEOUT_S = 10.0
PAST_MS, PAST_RECORDS = 60_000, 10_000
"""How much of the past is looked at for an answer."""
EPILOG = """\b
Examples:
  driftline alerts ack 26e7b515b121c3de-inferences-0-6035-1 -c driftline.yaml --by ada --why "on it"
  driftline alerts mute -c driftline.yaml --model fraud --monitor amount-mean --for 2h --by ada --why deploy
  driftline alerts accept 26e7b515b121c3de-inferences-0-6035 -c driftline.yaml --by ada --why "new price list"
  driftline alerts unack 26e7b515b121c3de-inferences-0-6035-1 -c driftline.yaml --by ada --why "handed over"
  driftline alerts unmute -c driftline.yaml --model fraud --monitor amount-mean --by ada --why "deploy is over"
"""
DEPLOY_EPILOG = """\b
Examples:
  driftline alerts deploy -c driftline.yaml --model fraud --by ci --why "version 7"
  driftline alerts deploy -c driftline.yaml --model fraud --by ada --why "currency table" --timeout 0
"""
VERDICT_EPILOG = """\b
Examples:
  driftline alerts verdict 26e7b515b121c3de-inferences-0-6035-1 useful -c driftline.yaml --by ada
  driftline alerts verdict 26e7b515b121c3de-inferences-0-6035 not_useful -c driftline.yaml --by ada --reason expected
"""


def common_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--timeout", "timeout_s", type=click.FloatRange(0, 300), default=TIMEOUT_S, show_default=True,
            help="Seconds to wait for the broker, and then for what the service says; 0: do not wait for that.",
        ),
        click.option("--id", "command_id", help="Of the command: given twice it is obeyed once."),
        click.option("--why", required=True, help="Why: whoever looks at the alert reads it."),
        click.option("--by", required=True, help="Who you are."),
        config_option,
    ):  # fmt: skip
        command = option(command)
    return command


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--segment", help="Of these only those with such labels: segment_country=NL,version=3."),
        click.option("--monitor", help="All alerts of this monitor, instead of an ID."),
        click.option("--model", help="Whose alerts; with an ID it need not be said."),
        click.argument("alert_id", metavar="[ID]", required=False),
    ):
        command = option(command)
    return command


def duration(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    try:
        return text if text is None or parse_duration(text) else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _add(name: str, words: str, more: Callable[[Callable[..., None]], Callable[..., None]] = lambda one: one) -> None:
    @alerts.command(name, epilog=EPILOG, help=words)
    @target_options
    @more
    @common_options
    def verb(
        alert_id: str | None,
        model: str | None,
        monitor: str | None,
        segment: str | None,
        config_path: Path,
        by: str,
        why: str,
        command_id: str | None,
        timeout_s: float,
        **ends: str | None,
    ) -> None:
        if bool(alert_id) == bool(monitor):
            raise click.UsageError("Give either an alert's ID or --monitor.")
        if monitor and not model:
            raise click.UsageError("--monitor needs --model: whose alerts?")
        config = with_control(config_path)
        with said_in_words():
            whose, alert_id = whole(config, model, alert_id) if alert_id else (str(model), None)
            data = {"alert": alert_id, "monitor": monitor, "segment": segment, **ends}
            given = {name: text for name, text in data.items() if text}
            id = command_id or uuid.uuid4().hex
            say(config, id, command_record(id, name, whose, by, why, time.time(), **given), timeout_s)


def with_control(config_path: Path) -> cfg.Config:
    """Exit 2 where the config reads no commands."""
    config = load_or_exit(config_path)
    if config.control is None:
        raise click.UsageError(f"{config_path} reads no commands: add control: {{topic: drift-control}}")
    return config


def whole(config: cfg.Config, model: str | None, alert_id: str) -> tuple[str, str]:
    """Whose alert it is, and which, by what is published of it: a fingerprint, as `alerts list` has it, or its
    beginning stands for its newest episode. With a model and an episode nothing has to be looked up.
    """
    from streamer.kafka.topic_range import TopicRange

    fingerprint, several, _ = alert_id.partition("-")
    if model and several:
        return model, alert_id
    found: dict[bytes, tuple[str, str]] = {}
    for _, records in TopicRange(config, config.topics.alerts):
        for record in records:
            own = (record.key or b"").decode(errors="replace")
            if record.value and (own == fingerprint if several else own.startswith(fingerprint)):
                told = orjson.loads(record.value)
                whose = told["data"].get("alert", {}).get("labels", {}).get("model")
                if whose is not None and model in (None, whose):
                    found[own.encode()] = str(whose), alert_id if several else str(told["correlationid"])
    if len(found) > 1:
        raise click.UsageError(f"{len(found)} alerts begin with {alert_id}: say more of it.")
    if not found and not model:
        raise click.UsageError(f"no alert {alert_id} is in {config.topics.alerts}; --model says whose it is.")
    return found.popitem()[1] if found else (str(model), alert_id)


def say(config: cfg.Config, id: str, command: tuple[bytes, bytes], timeout_s: float) -> None:
    """Write a command, and print what becomes of it. Exit 1 where it is refused."""
    from streamer.kafka.diagnosis import silent_logger
    from streamer.kafka.one_record import send
    from streamer.kafka.tail import Span, Tail

    assert config.control is not None
    topic = config.control.topic
    partition, offset = send(config, topic, *command, wait_s=timeout_s or TIMEOUT_S)
    click.echo(f"command {id} is {topic}[{partition}]@{offset}", err=True)
    if not timeout_s:
        return
    end_s, past = time.monotonic() + timeout_s, {config.topics.alerts: Span(PAST_MS, PAST_RECORDS)}
    reading = Tail(config, silent_logger(), past, int(1000 * time.time()))
    try:
        answer = answered(reading, id, end_s)
    finally:
        reading.close()
    if answer is None:
        click.echo(f"the service has not answered within {timeout_s:g} s; it will when it gets there", err=True)
        return
    click.echo(answer["sentence"])
    if answer["status"] != "applied":
        sys.exit(EXIT_REFUSED)


def answered(reading: Any, id: str, end_s: float) -> dict[str, Any] | None:
    """What the service says of the command, if it does in time."""
    while time.monotonic() < end_s:
        for value in reading.values():
            record = orjson.loads(value or b"{}")
            kind = str(record.get("type", ""))
            if kind.startswith("io.driftline.control.") and record["correlationid"] == id:
                data: dict[str, Any] = record["data"]
                return data
    return None


def _with_end(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--until", help="When the mute ends, by the events' time (RFC 3339)."),
        click.option("--for", "for", callback=duration, help="So long from the model's newest event on: 2h, 30m."),
    ):
        command = option(command)
    return command


@alerts.command("deploy", epilog=DEPLOY_EPILOG)
@click.option("--model", required=True, help="What was deployed, or whose data or callers changed.")
@common_options
def deploy(model: str, config_path: Path, by: str, why: str, command_id: str | None, timeout_s: float) -> None:
    """Say that something was deployed: charts and incidents of the model are marked with it. New versions in its events
    are marked by themselves.
    """
    config, id = with_control(config_path), command_id or uuid.uuid4().hex
    with said_in_words():
        say(config, id, command_record(id, "deploy", model, by, why, time.time()), timeout_s)


_add("ack", "Say that somebody knows of an alert: it is told on with who and why, until it is over or gets worse.")
_add("unack", "Take that back.")
_add("mute", "Hold alerts back until a time; what still holds is told then.", _with_end)
_add("unmute", "End mutes of exactly that, or of a part of it; what holds is told.")
_add("accept", "Where the series of an alert is now is the normal from here on; what comes on top is found.")


@alerts.command("verdict", epilog=VERDICT_EPILOG)
@click.argument("alert_id", metavar="ID")
@click.argument("said", metavar="useful|not_useful")
@config_option
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", type=click.Choice([*REASONS]), help="Why it was not useful: the first that holds.")
@click.option("--model", help="Whose alert; it need not be said.")
def verdict(alert_id: str, said: str, config_path: Path, by: str, reason: str | None, model: str | None) -> None:
    """Say whether an alert was of use. By what people say monitors are told less, see `false_alarms.learn`."""
    config, word = load_or_exit(config_path), ALERT.get(plain(said))
    if config.verdicts is None:
        raise click.UsageError(f"{config_path} reads no verdicts: add verdicts: {{topic: drift-verdicts}}")
    if word is None:
        raise click.UsageError(f"{said!r} is no verdict on an alert: say useful or not_useful.")
    if reason is not None and word != NOT_USEFUL:
        raise click.UsageError("--reason is why an alert was not useful.")
    with said_in_words():
        whose, alert_id = whole(config, model, alert_id)
        told = {"model": whose, "alert_id": alert_id, "reviewer": by, "verdict": word}
        write_verdict(config, told | ({"reason": reason} if reason is not None else {}))
    if config.false_alarms.learn == OFF:
        click.echo(f"false_alarms.learn is off in {config_path}: verdicts on alerts change nothing.", err=True)
