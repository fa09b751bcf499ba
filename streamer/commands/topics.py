"""`driftline topics`: what the config's topics should be, what they are, and making the ones that are missing.

Nothing that exists is ever changed: partitions, retention and compaction of a topic in use are its owner's decision.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import click

from streamer.commands.broker_down import exit_unreachable
from streamer.commands.options import config_option
from streamer.commands.topic_settings import (
    DURABLE_INSYNC,
    DURABLE_REPLICAS,
    MIN_INSYNC,
    SETTINGS,
    Difference,
    Role,
    Setting,
    differing,
)
from streamer.config import model as cfg
from streamer.config.stages import prepared
from streamer.port import LogDown
from streamer.service.run import load_or_exit

if TYPE_CHECKING:
    from streamer.kafka.admin import ExistingTopic, TopicAdmin

EXIT_CHANGES = 1
TIMEOUT_S = 10.0
PARTITIONS = 6
"""Of an event topic made by --create-events: room to grow to six instances."""
LISTS = {"cleanup.policy"}
"""Settings whose value `kafka-configs` wants in brackets."""

EPILOG = """\b
Examples:
  driftline topics plan -c driftline.yaml          # what there should be
  driftline topics apply -c driftline.yaml         # makes what is missing
"""
PLAN_EPILOG = """\b
Examples:
  driftline topics plan -c driftline.yaml          # exit 1 when there is something to do
"""
APPLY_EPILOG = """\b
Examples:
  driftline topics apply -c driftline.yaml
  driftline topics apply -c driftline.yaml --create-events   # the topic of events, too
"""


OWNED: tuple[Role, ...] = ("control",)
"""Read as events are, and ours to make: who writes there are people, by our own commands."""


class Wanted(NamedTuple):
    """A topic the config names. `partitions` is what it is created with, `partitions_least` what is needed."""

    role: Role
    name: str
    partitions: int
    partitions_least: int
    create: bool
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What there is to do about one topic."""

    topic: Wanted
    action: Literal["ok", "create", "missing", "differs"]
    partitions: int  # as it is, or will be
    differences: tuple[Difference, ...] = field(default=())


def wanted_topics(
    config: cfg.Config, found: Mapping[str, ExistingTopic], partitions: int | None = None, create_events: bool = False
) -> list[Wanted]:
    """Every topic of the config, in its order.

    found: the topics that exist. partitions: of topics to be made, where the state topic does not need more; by
    default as many as the widest event topic has. Partition p of every event topic keeps its state in partition p.
    """
    names = config.topics
    read = names.resolved(found).events
    events = [Wanted("events", name, partitions or PARTITIONS, 1, create_events, ()) for name in read]
    events += [
        Wanted(cast("Role", section), name, partitions or PARTITIONS, 1, create_events, ())
        for section, name in names.sides.items()
        if section not in OWNED
    ]
    read = [one.name for one in events]
    there = [found[name].partitions for name in read if name in found]
    made = [partitions or PARTITIONS] * (create_events and len(there) < len(events))
    owned = [
        Wanted(section, names.sides[section], 1, 1, True, SETTINGS[section])
        for section in OWNED
        if section in names.sides
    ]
    there += [found[one.name].partitions for one in owned if one.name in found]
    events += owned
    if names.ordered is not None and names.ordered in found:  # It is an input, too.
        there.append(found[names.ordered].partitions)
    least = max([*there, *made], default=1)  # Of event topics that nobody has seen yet no width is known.
    widest = max([*there, *made], default=partitions or PARTITIONS)
    return events + [
        Wanted(role, name, widest, least, True, SETTINGS[role])
        if role == "state"
        else Wanted(role, name, partitions or widest, 1, True, SETTINGS[role])
        for role, name in cast("dict[Role, str]", names.own()).items()
    ]


def plan_topics(wanted: Sequence[Wanted], found: Mapping[str, ExistingTopic]) -> list[Step]:
    """One step per topic wanted, in order."""
    return [_step(topic, found.get(topic.name)) for topic in wanted]


def _step(topic: Wanted, found: ExistingTopic | None) -> Step:
    if found is None:
        return Step(topic, "create" if topic.create else "missing", topic.partitions)
    differences = []
    if found.partitions < topic.partitions_least:
        why = "partition p of every event topic keeps its state in partition p"
        differences.append(Difference("partitions", str(found.partitions), f"at least {topic.partitions_least}", why))
    if topic.settings and found.config is None:
        differences.append(Difference("settings", "not readable", "DescribeConfigs", "this user may not look at them"))
    if topic.settings and found.config is not None:
        differences += differing(topic.settings, found.config, found.replicas)
    return Step(topic, "differs" if differences else "ok", found.partitions, tuple(differences))


MARKS = {"ok": " ", "create": "+", "missing": "!", "differs": "~"}


def changes(step: Step, brokers: str) -> list[str]:
    """The commands that make a topic what it should be."""
    values = {d.setting: d.wants.rpartition(" ")[2] for d in step.differences if d.setting != "settings"}
    partitions, found = values.pop("partitions", None), []
    at = f"--bootstrap-server {brokers} --alter --topic {step.topic.name}"
    if partitions:
        found.append(f"kafka-topics {at} --partitions {partitions}")
    if values:
        pairs = ",".join(f"{key}=[{value}]" if key in LISTS else f"{key}={value}" for key, value in values.items())
        found.append(f"kafka-configs {at} --add-config {pairs}")
    return found


def plan_text(steps: Sequence[Step], brokers: str) -> str:
    """The plan as lines: a mark, role, topic, what is to be done, and below it each setting concerned, and the commands
    for what this command leaves alone.
    """
    width = max(len(step.topic.name) for step in steps)
    lines = []
    for step in steps:
        head = f"{MARKS[step.action]} {step.topic.role:<11} {step.topic.name:<{width}}"
        count = f"{step.partitions} partition{'' if step.partitions == 1 else 's'}"
        match step.action:
            case "ok":
                lines.append(f"{head}  ok, {count}")
            case "missing":
                lines.append(f"{head}  missing: its producers own it; --create-events makes it")
            case "create":
                lines.append(f"{head}  create, {count}")
                lines += [f"    + {s.name} = {s.value}  # {s.why}" for s in step.topic.settings]
            case "differs":
                lines.append(f"{head}  differs, {count}")
                lines += [f"    ~ {d.setting}: {d.has} -> {d.wants}  # {d.why}" for d in step.differences]
                lines += [f"    fix: {command}" for command in changes(step, brokers)]
    unknown = [step.topic.name for step in steps if step.action == "missing"]
    if unknown and any(step.action == "create" for step in steps):
        widest = max(step.partitions for step in steps if step.action == "create")
        lines.append(
            f"  How many partitions {', '.join(unknown)} will have is not known: {widest} are enough for as many;"
        )
        lines.append(
            "  the state topic needs those of the widest. Make the topics of events first, or give --partitions N."
        )
    return "\n".join([*lines, summary(steps)])


def summary(steps: Sequence[Step]) -> str:
    """`2 ok, 1 to create, 0 missing, 1 different`"""
    words = {"ok": "ok", "create": "to create", "missing": "missing", "differs": "different"}
    count = {action: sum(step.action == action for step in steps) for action in words}
    return ", ".join(f"{count[action]} {word}" for action, word in words.items()) + "."


def timeout_option(of: str) -> Callable[[Any], Any]:
    """How long a verb waits of that."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(0.1, 300),
        default=TIMEOUT_S,
        show_default=True,
        help=f"Seconds to wait for {of}.",
    )


def common_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        timeout_option("the broker"),
        click.option("--create-events", is_flag=True, help="Event topics, too, are Driftline's to make."),
        click.option(
            "--replication-factor",
            "replicas",
            type=click.IntRange(1, 100),
            help="Of topics to be made. Default: the broker's.",
        ),
        click.option(
            "--partitions",
            type=click.IntRange(1, 10_000),
            help="Of topics to be made. Default: as the widest event topic.",
        ),
        config_option,
    ):
        command = option(command)
    return command


@click.group("topics", epilog=EPILOG)
def topics() -> None:
    """Plan or create the topics a config needs; move models to another number of partitions of the ordered log."""


@topics.command("plan", epilog=PLAN_EPILOG)
@common_options
@click.option("--check", is_flag=True, help="Exit 1 as well when a topic is not as it should be.")
def plan(
    config_path: Path, partitions: int | None, replicas: int | None, create_events: bool, timeout_s: float, check: bool
) -> None:
    """Show what `apply` would do. Changes nothing. Exit 1 when a topic does not exist."""
    _, steps, brokers = _look(config_path, partitions, create_events, timeout_s)
    click.echo(plan_text(steps, brokers))
    if any(step.action in ("create", "missing") or (check and step.action == "differs") for step in steps):
        sys.exit(EXIT_CHANGES)


@topics.command("apply", epilog=APPLY_EPILOG)
@common_options
def apply(
    config_path: Path, partitions: int | None, replicas: int | None, create_events: bool, timeout_s: float
) -> None:
    """Create what is missing; what exists but differs is reported and left alone.

    Exit 1 when an event topic is still missing or a topic could not be made.
    """
    from streamer.kafka.admin import Creation

    admin, steps, brokers = _look(config_path, partitions, create_events, timeout_s)
    click.echo(plan_text(steps, brokers))
    durable = {MIN_INSYNC: str(DURABLE_INSYNC)} if (replicas or 0) >= DURABLE_REPLICAS else {}
    new = [
        Creation(s.topic.name, s.partitions, replicas or -1, {x.name: x.value for x in s.topic.settings} | durable)
        for s in steps
        if s.action == "create"
    ]
    try:
        outcome = admin.create(new)
    except LogDown as error:
        exit_unreachable(error)
    for name, why in outcome.items():
        click.echo(f"created {name}" if why is None else f"could not create {name}: {why}", err=why is not None)
    for fix in create_fixes(outcome, brokers):
        click.echo(f"  fix: {fix}", err=True)
    if any(outcome.values()) or any(step.action == "missing" for step in steps):
        sys.exit(EXIT_CHANGES)


def _look(
    config_path: Path, partitions: int | None, create_events: bool, timeout_s: float
) -> tuple[TopicAdmin, list[Step], str]:
    """The brokers, what there is to do, and where they are."""
    config = load_or_exit(config_path)
    from streamer.kafka.admin import TopicAdmin

    try:
        admin = TopicAdmin(config, timeout_s)
        there = admin.cluster().topics
        made = dict.fromkeys(config.topics.named(), partitions or PARTITIONS) if create_events else {}
        config = _prepared(config, admin, made | dict(there))
        asked = config.reading(there) if config.topics.patterns() else config
        found = admin.find(asked.topics.names())
    except LogDown as error:
        exit_unreachable(error)
    for pattern in config.topics.patterns():
        click.echo(pattern_text(pattern, config.topics.matched(pattern, found)))
    steps = plan_topics(wanted_topics(config, found, partitions, create_events), found)
    return admin, steps, config.kafka.brokers


def create_fixes(outcome: Mapping[str, str | None], brokers: str) -> list[str]:
    """What to do where we may not make topics; outcome: by topic why it was not made."""
    from streamer.kafka.rights import NO_CREATE, Right, commands

    refused = [Right("topic", name, "Create", "it is made") for name, why in outcome.items() if why == NO_CREATE]
    other = "or let somebody make them who may, as the plan has them: the service itself never needs Create"
    return [*commands(refused, brokers), other] if refused else []


def _prepared(config: cfg.Config, admin: TopicAdmin, there: Mapping[str, int]) -> cfg.Config:
    """With the topic for the order of models where it may come to that, unless we are not allowed to know of it."""
    chosen = prepared(config, there)
    name = str(chosen.topics.ordered)
    if chosen is config or admin.may_see(name):
        return chosen
    click.echo(f"  {'ordered':<11} {name}  we may not see it: each partition is watched by itself, kafka.order: topic")
    return config


def pattern_text(pattern: str, names: list[str]) -> str:
    """The line of a pattern: it is none of the topics to be made."""
    told = f"matches {', '.join(names)}" if names else "matches no topic that we may see"
    return f"  {'pattern':<11} {pattern}  {told}; nothing is created of a pattern"
