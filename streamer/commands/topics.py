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
MINUTE_MS, DAY_MS = 60_000, 86_400_000
DURABLE_REPLICAS = 3

Role = Literal[
    "events", "feedback", "labels", "verdicts", "control",
    "alerts", "heartbeats", "state", "dead_letter", "windows", "incidents", "shadow", "ordered", "review",
]  # fmt: skip
Rule = Literal["is", "at least", "at most"]

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


class Setting(NamedTuple):
    """A topic setting: the value it is created with, which others do as well, and what it is for."""

    name: str
    value: str
    rule: Rule
    why: str


ALERTS = (
    Setting("cleanup.policy", "compact,delete", "is", "the last record of each alert outlives its history"),
    Setting("min.compaction.lag.ms", str(7 * DAY_MS), "at least", "every transition stays readable for a week"),
    Setting("retention.ms", str(30 * DAY_MS), "at least", "an alert can be looked up for a month"),
)
SETTINGS: dict[Role, tuple[Setting, ...]] = {
    "events": (),
    "feedback": (),
    "labels": (),
    "verdicts": (),
    "control": (
        Setting("cleanup.policy", "delete", "is", "every command counts, and none has a key"),
        Setting("retention.ms", str(30 * DAY_MS), "at least", "who did what can be looked up for a month"),
    ),
    "alerts": ALERTS,
    "incidents": ALERTS,
    "shadow": ALERTS,
    "heartbeats": (
        Setting("cleanup.policy", "compact,delete", "is", "the last sign of life outlives the others"),
        Setting("retention.ms", str(7 * DAY_MS), "at least", "a week of ticks to replay silence from"),
    ),
    "state": (
        Setting("cleanup.policy", "compact", "is", "a snapshot that was deleted by age is a lost baseline"),
        Setting("segment.bytes", str(32 << 20), "at most", "the active segment is never compacted, a restore reads it"),
        Setting("segment.ms", str(10 * MINUTE_MS), "at most", "likewise where there is little traffic"),
        Setting("min.cleanable.dirty.ratio", "0.3", "at most", "compact before the topic has doubled"),
        Setting("min.compaction.lag.ms", str(2 * MINUTE_MS), "at least", "earlier snapshots remain as a fallback"),
        Setting("max.compaction.lag.ms", str(60 * MINUTE_MS), "at most", "a restore never reads more than an hour"),
    ),
    "dead_letter": (
        Setting("cleanup.policy", "delete", "is", "rejected records may have equal keys, or none"),
        Setting("retention.ms", str(14 * DAY_MS), "at least", "two weeks to look at them and feed them back"),
    ),
    "ordered": (
        Setting("cleanup.policy", "delete", "is", "every record counts, and none has a key"),
        Setting("retention.ms", str(7 * DAY_MS), "at least", "a week of alerts can be replayed exactly"),
    ),
    "review": (
        Setting("cleanup.policy", "compact,delete", "is", "an item whose event was erased is gone, too"),
        Setting("retention.ms", str(30 * DAY_MS), "at least", "a month to answer"),
    ),
    "windows": (
        Setting("cleanup.policy", "delete", "is", "every window has a key of its own"),
        Setting("retention.ms", str(30 * DAY_MS), "at least", "a month to compare with"),
    ),
}


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


class Difference(NamedTuple):
    setting: str
    has: str
    wants: str
    why: str


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
    for setting in topic.settings if found.config is not None else ():
        has = (found.config or {}).get(setting.name, "unknown")
        if not _satisfies(has, setting):
            relation = "" if setting.rule == "is" else f"{setting.rule} "
            differences.append(Difference(setting.name, has, f"{relation}{setting.value}", setting.why))
    return Step(topic, "differs" if differences else "ok", found.partitions, tuple(differences))


def _satisfies(has: str, setting: Setting) -> bool:
    if setting.rule == "is":
        return {part.strip() for part in has.split(",")} == set(setting.value.split(","))
    try:
        value, limit = float(has), float(setting.value)
    except ValueError:
        return False
    if value == -1:  # Kafka's "no limit", for retention
        value = float("inf")
    return value >= limit if setting.rule == "at least" else value <= limit


MARKS = {"ok": " ", "create": "+", "missing": "!", "differs": "~"}


def plan_text(steps: Sequence[Step]) -> str:
    """The plan as lines: a mark, role, topic, what is to be done, and below it each setting concerned."""
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
    _, steps = _look(config_path, partitions, create_events, timeout_s)
    click.echo(plan_text(steps))
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

    admin, steps = _look(config_path, partitions, create_events, timeout_s)
    click.echo(plan_text(steps))
    # With three replicas a record must be on two before it counts, or the exactly-once promise ends with one disk.
    durable = {"min.insync.replicas": "2"} if (replicas or 0) >= DURABLE_REPLICAS else {}
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
    if any(outcome.values()) or any(step.action == "missing" for step in steps):
        sys.exit(EXIT_CHANGES)


def _look(
    config_path: Path, partitions: int | None, create_events: bool, timeout_s: float
) -> tuple[TopicAdmin, list[Step]]:
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
    return admin, plan_topics(wanted_topics(config, found, partitions, create_events), found)


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
