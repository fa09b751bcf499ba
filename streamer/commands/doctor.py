"""`driftline doctor`: everything the service needs of Kafka, one line each: fine, or what is wrong and the fix."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from schemas.events.batch import REASONS
from streamer.commands.broker_down import exit_unreachable
from streamer.commands.options import config_option
from streamer.commands.topics import Step, changes, plan_topics, timeout_option, wanted_topics
from streamer.config.model import Config
from streamer.config.stages import in_order_of_models, prepared, undecided
from streamer.port import LogDown
from streamer.service.run import load_or_exit

if TYPE_CHECKING:
    from streamer.kafka.examination import Examination
    from streamer.kafka.rights import Right

EXIT_FINDINGS = 1
CLOCK_RECORDS = 20
"""Newest records of each partition whose times are looked at."""
CLOCK_AHEAD_S = 5.0
CLOCK_REASONS = {
    "clock_ahead": "set the clock of who makes the events, or write their times in UTC",
    "no_zone": "time_zone: Europe/Amsterdam in the config, or times that end in Z",
    "bad_time": "fields.time: where the time is; driftline explain -c FILE --topic TOPIC --record 1 shows it",
}
MOCK = "cannot be asked: librdkafka's mock cluster knows nothing of it"
EVERYTHING = "our user may do everything; the brokers have no authorizer, or one that takes it for a super user"
ABSENT = "not known before the topics above are made"
HIDDEN = "not known before the topics above may be seen"
UNTOLD = "the broker does not tell"
UNLISTED = {MOCK, ABSENT}
"""Of these it is all that there is, or nearly."""
AGAIN = "see to the topics, then run driftline doctor -c FILE again"
NO_SETTINGS = "its settings may not be read"
IN_ORDER = "kafka.order: model only, which auto turns to where models are in several partitions"
ORDERS = {
    "topic": "each partition by itself",
    "model": "in the order of models",
    None: "each partition by itself until it shows that models are in several",
}

EPILOG = """\b
Examples:
  driftline doctor -c driftline.yaml
  driftline doctor -c driftline.yaml --timeout 3  # seconds for each answer
"""


class Finding(NamedTuple):
    """One line. mark: ? = nobody could be asked, or asking needs a right that the service does not."""

    mark: Literal["ok", "wrong", "?"]
    about: str
    says: str
    fix: str = ""


def findings(config: Config, found: Examination) -> Iterator[Finding]:
    """What an examination means, in the order in which things depend on each other. What has one cause is one line."""
    from streamer.kafka.rights import NAME, user_of

    explained = False
    for one in _findings(config, found):
        if NAME in one.fix and not explained:
            explained = True
            who = f"NAME is {user_of(config)}"
            yield one if who in one.fix else one._replace(fix=f"{one.fix}; {who}")
        else:
            yield one


def _findings(config: Config, found: Examination) -> Iterator[Finding]:
    protocol = config.kafka.client.get("security.protocol", "PLAINTEXT")
    there = f"cluster {found.cluster.id}, {_count(len(found.brokers), 'broker')}"
    yield Finding("ok", "cluster", f"{config.kafka.brokers} let us in by {protocol}; {there}")
    for lost in filter(None, found.asked.values()):
        yield Finding("wrong", "broker", lost.why, lost.fix)
    for address, trouble in found.brokers.items():
        if trouble is None:
            yield Finding("ok", "broker", f"{address} answers")
        else:
            yield Finding("wrong", "broker", trouble.why, trouble.fix)
    yield from _topics(config, found)
    yield from _rights(config, found)
    if found.transactions is None:
        yield Finding("ok", "transactions", "one was begun and aborted")
    elif found.transactions.event != "not_authorized":  # That is said where rights are.
        yield Finding("wrong", "transactions", found.transactions.why, found.transactions.fix)


def _topics(config: Config, found: Examination) -> Iterator[Finding]:
    from streamer.kafka.rights import missing_topics, read_by_pattern

    for pattern in config.topics.patterns():
        names = config.topics.matched(pattern, found.cluster.topics)
        if names:
            yield Finding("ok", "pattern", f"{pattern} matches {_count(len(names), 'topic')}: {', '.join(names)}")
        else:
            right = read_by_pattern(pattern)
            told = f"{pattern} matches no topic that we may see: there is none yet, or {right} is missing"
            yield Finding("?", "pattern", told, right.command(config.kafka.brokers))
    config = config.reading(found.cluster.topics)
    steps = plan_topics(wanted_topics(config, found.existing), found.existing)
    if found.shown is not None:
        shown = ((step.topic.name, found.shown[step.topic.name].code) for step in steps)
        lost = {name: code for name, code in shown if code}
        for trouble in missing_topics(config, lost, found.cluster.topics):
            yield Finding("wrong", "topic", trouble.why, trouble.fix)
    for step in steps:
        name = step.topic.name
        if found.shown is None:
            number = found.cluster.topics.get(name)
            told = "the mock cluster makes it at its first use" if number is None else _count(number, "partition")
            yield Finding("?" if number is None else "ok", "topic", f"{name}: {told}")
        elif found.shown[name].code:
            continue
        elif [d.setting for d in step.differences] == ["settings"]:
            yield _unread(name, step.partitions, found)
        elif step.differences:
            yield _differing(step, config.kafka.brokers)
        else:
            yield Finding("ok", "topic", f"{name}: {_count(step.partitions, 'partition')}, as it should be")


def _unread(name: str, partitions: int, found: Examination) -> Finding:
    """A topic whose settings were not told; where that is for want of a right, that is a line of its own."""
    allowed = (found.shown or {})[name].allowed
    known = allowed is not None and "DescribeConfigs" not in allowed
    return Finding("ok" if known else "?", "topic", f"{name}: {_count(partitions, 'partition')}; {NO_SETTINGS}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _differing(step: Step, brokers: str) -> Finding:
    """A topic that is there and is not as it should be, and the commands that change it."""
    told = "; ".join(f"{d.setting} is {d.has}, not {d.wants}: {d.why}" for d in step.differences)
    return Finding("wrong", "topic", f"{step.topic.name}: {told}", "; ".join(changes(step, brokers)))


def _rights(config: Config, found: Examination) -> Iterator[Finding]:
    """Each that we have or lack; those that only a command lacks and those that are not known by their reason."""
    from streamer.kafka.examination import verdicts
    from streamer.kafka.rights import commands, listed, rights

    config = config.reading(found.cluster.topics)
    needed = list(rights(config))
    judged = list(verdicts(prepared(config, found.cluster.topics), found))
    if found.everything and not any(has is False for _, has in judged):
        yield Finding("ok", "rights", f"all {len(needed)} that are needed: {EVERYTHING}")
        return
    lacking: dict[str, list[Right]] = {}
    unknown: dict[tuple[str, str], list[Right]] = {}
    for right, has in judged:
        if right not in needed:  # It may come to the order of models, and then to a topic and a group more.
            if has is False:
                lacking.setdefault(IN_ORDER, []).append(right)
        elif has:
            yield Finding("ok", "right", str(right))
        elif has is None:
            unknown.setdefault(_why_unknown(right, found), []).append(right)
        elif right.verb != "run":
            lacking.setdefault(f"{right.verb} only", []).append(right)
        elif not _hidden(right, found):  # Else its topic has a line, which names it.
            told = f"{right} is missing: {right.why}"
            yield Finding("wrong", "right", told, right.command(config.kafka.brokers))
    for verb, missing in lacking.items():
        told = f"{listed(missing)} {'are' if missing[1:] else 'is'} missing, for {verb}: "
        told += ", ".join(dict.fromkeys(right.why for right in missing))
        yield Finding("?", "right", told, "; ".join(commands(missing, config.kafka.brokers)))
    for (why, fix), these in unknown.items():
        said = f"{len(these)} needed" if why in UNLISTED and these[1:] else listed(these)
        yield Finding("?", "rights" if these[1:] else "right", f"{said}: {why}", fix)


def _hidden(right: Right, found: Examination) -> bool:
    """Whether it is about a topic that we may not even see."""
    from streamer.kafka.rights import REFUSALS

    shown = (found.shown or {}).get(right.name) if right.resource == "topic" else None
    return shown is not None and shown.code in REFUSALS


def _why_unknown(right: Right, found: Examination) -> tuple[str, str]:
    """The reason, and what to do about it."""
    if found.shown is None:
        return MOCK, ""
    if right.resource == "group" and right.verb != "run":
        return f"it is for {right.verb} only, and not asked", f"driftline {right.verb} says so where it is missing"
    if right.resource == "transactional-id":
        return "no transaction could be tried", "see transactions below"
    if _hidden(right, found):
        return HIDDEN, AGAIN
    missing = right.resource == "topic" and right.name not in found.existing
    return (ABSENT, AGAIN) if missing else (UNTOLD, "start the service: /readyz names what it is refused")


def of_registry(config: Config) -> Iterator[Finding]:
    """Whether the schema registry answers, also if only that it has no such schema."""
    if config.schema_registry is None:
        return
    from streamer.kafka.schema_registry import Client, NoSchema

    try:
        Client(config.schema_registry).schema(1)
    except NoSchema:
        pass
    except LogDown as down:
        yield Finding("wrong", "registry", str(down), down.fix)
        return
    yield Finding("ok", "registry", f"{config.schema_registry.url} answers")


def of_order(config: Config) -> Iterator[Finding]:
    """How the topics are read, where the config leaves it to what is found in them."""
    from streamer.kafka.order import ask

    if not undecided(config):
        return
    found = ask(config)
    lacks = f"; until there is {found.lacking} each partition is read by itself" if found.lacking else ""
    yield Finding("wrong" if lacks else "ok", "order", f"{ORDERS[found.order]}: {found.why}{lacks}", found.fix)


def of_parts(config: Config, found: Examination) -> Iterator[Finding]:
    """Whether models are where the number of partitions of the ordered log has them."""
    from streamer.kafka.offsets import parts_of

    name = str(in_order_of_models(config).topics.ordered)
    there = found.cluster.topics.get(name)
    parts = parts_of(config) if there is not None else None
    if parts is not None and parts.there != there:
        told = f"{name}: {_count(there or 0, 'partition')}, models are in {parts.used} and stay there"
        yield Finding("wrong", "parts", told, f"driftline topics repartition -c FILE --partitions {there}")
    elif parts is not None:
        yield Finding("ok", "parts", f"{name}: models are in {parts.used} of {_count(parts.there, 'partition')}")


def of_clocks(config: Config, found: Examination, now_ms: int) -> Iterator[Finding]:
    """Whether the newest records and events are of a time that this machine has had."""
    from streamer.config.decoder_fields import fields_of
    from streamer.engine.engines import ENGINE
    from streamer.kafka.order import newest

    if found.shown is None:
        yield Finding("?", "clocks", MOCK)
        return
    there = config.reading(found.cluster.topics).topics.events
    readable = {name: one.number for name in there if "Read" in ((one := found.shown[name]).allowed or ())}
    decode, stamped, clocks = ENGINE.decoder(fields_of(config)), list[int](), Counter[str]()
    for (topic, _), records in newest(config, readable, CLOCK_RECORDS).items():
        batch = decode(records, topic)
        clocks.update(odd.reason for odd in batch.odd if odd.reason in CLOCK_REASONS)
        stamped += [record.time_ms for record in records if record.time_ms >= 0]
    yield from clock_findings(max(stamped, default=None), clocks, len(stamped), now_ms)


def clock_findings(newest_ms: int | None, clocks: Counter[str], count: int, now_ms: int) -> Iterator[Finding]:
    """newest_ms: the newest record's; clocks: of `count` events what is wrong with their times, by reason."""
    if newest_ms is None:
        yield Finding(
            "?", "clocks", "there is no record yet whose time could be compared: run doctor again once events come"
        )
        return
    ahead_s = (newest_ms - now_ms) / 1000
    if ahead_s > CLOCK_AHEAD_S:
        told = f"the newest record is {ahead_s:,.0f} s ahead of this machine's clock"
        yield Finding("wrong", "clocks", told, "set this machine's clock, or that of who writes: timedatectl status")
    else:
        yield Finding("ok", "clocks", f"the newest record is {max(-ahead_s, 0):,.0f} s old by this machine's clock")
    for reason, number in sorted(clocks.items()):
        told = f"of the newest {count:,} events {number:,} have a time that is not used: {reason}, {REASONS[reason]}"
        yield Finding("wrong", "clocks", told, CLOCK_REASONS[reason])


def text_of(found: list[Finding]) -> str:
    """Lines for a person, and the account of them last."""
    lines = []
    for one in found:
        lines.append(f"{one.mark:<5}  {one.about:<12}  {one.says}")
        lines += [f"{'':21}fix: {fix}" for fix in one.fix.split("; ") if fix]
    marks = Counter(one.mark for one in found)
    return "\n".join([*lines, f"{marks['ok']} ok, {marks['wrong']} wrong, {marks['?']} not known."])


@click.command("doctor", epilog=EPILOG)
@config_option
@timeout_option("each answer")
def doctor(config_path: Path, timeout_s: float) -> None:
    """Check brokers, login, topics, every right, transactions, registry and clocks, one line each with the fix. It
    writes nothing.

    Exit 1 when something is wrong, 69 when no broker lets us in.
    """
    config = load_or_exit(config_path)
    from streamer.kafka.examination import examine

    try:
        seen = examine(config, timeout_s)
        found = [*findings(config, seen), *of_order(config), *of_parts(config, seen), *of_registry(config)]
        found += of_clocks(config, seen, time.time_ns() // 1_000_000)
    except LogDown as error:
        exit_unreachable(error)
    click.echo(text_of(found))
    if any(one.mark == "wrong" for one in found):
        sys.exit(EXIT_FINDINGS)
