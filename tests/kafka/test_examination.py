"""`driftline doctor` and the rights on a real authorizer: with the table all works, without any of it doctor knows."""

from __future__ import annotations

import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from schemas.events.batch import Record
from streamer.commands.cli import main
from streamer.config.load import load_config
from streamer.config.model import Config
from streamer.kafka.client import Limits, Probe
from streamer.kafka.examination import missing_rights
from streamer.kafka.group_reader import GroupReader
from streamer.kafka.order import Answer, forbidden
from streamer.kafka.rights import Right, rights
from streamer.kafka.tail import Span, Tail
from streamer.port import LogDown
from tests.broker.secured import Rule, SecuredBroker
from tests.kafka.service import Service, produce, read_all, wait_committed
from tests.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("secured")]

EVENTS = 60
ROLES = ("alerts", "heartbeats", "state", "dead_letter", "windows")
NEEDED = [
    str(right)
    for right in rights(
        Config.model_validate(
            {
                "version": 1,
                "kafka": {"brokers": "b", "group": "g"},
                "topics": {"events": ["events"]} | {role: role for role in ROLES},
            }
        )
    )
]


@dataclass
class Secured:
    broker: SecuredBroker
    path: Path
    config: Config

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "-c", str(self.path)])

    @contextmanager
    def without(self, right: Right) -> Iterator[None]:
        self.broker.revoke(rule(right))
        try:
            yield
        finally:
            self.broker.grant(rule(right))


def events(count: int) -> list[Record]:
    event = '{"model": "m", "time": "2026-01-02T03:04:%02dZ", "features": {"a": %d}}'
    return [Record(0, -1, b"m", (event % (i % 60, i)).encode()) for i in range(count)]


def rule(right: Right) -> Rule:
    return right.resource, right.name + "*" * right.prefix, right.operation


def written(path: Path, brokers: str, client: dict[str, Any]) -> Path:
    topics = {"events": ["sec-events"]} | {role: f"sec-{role}" for role in ROLES}
    config = {
        "version": 1,
        "kafka": {"brokers": brokers, "group": "sec", "client": client},
        "topics": topics,
        "monitors": {
            "mean": {"signal": "features.*", "detect": {"kind": "adwin"}},
            "odd": {"signal": "anomaly", "window": {"events": 10}, "detect": {"kind": "fraction", "max": 0.9}},
        },
        "reference": {"warmup": 30},
        "heartbeat": {"interval": "1s"},
        "limits": {"unusable": 1},  # One record that is no JSON is all of its partition.
        "commit": {"interval": "200ms", "snapshot_interval": "1s"},
        "server": {"listen": "127.0.0.1:0"},
    }
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="module")
def world(secured: SecuredBroker, tmp_path_factory: pytest.TempPathFactory) -> Secured:
    """Topics made by the command, and a user who may do what the table says and nothing else."""
    folder = tmp_path_factory.mktemp("secured")
    free = written(folder / "admin.yaml", secured.bootstrap, {})
    made = CliRunner().invoke(
        main, ["topics", "apply", "--create-events", "--partitions", "2", "--replication-factor", "1", "-c", str(free)]
    )
    assert made.exit_code == 0, made.output
    path = written(folder / "drift.yaml", secured.at("SECURE"), secured.login())
    config = load_config(path, {})
    secured.grant(*map(rule, rights(config)))
    return Secured(secured, path, config)


def test_with_exactly_the_table_the_doctor_finds_nothing_wrong(world: Secured) -> None:
    done = world.run("doctor")
    assert done.exit_code == 0, done.output
    # Cluster, broker, event topic, own topics, rights, transactions, order.
    count = 1 + 1 + 1 + len(ROLES) + len(NEEDED) + 1 + 1
    # No event is there whose clock could be compared, and for the order of models there is no right.
    assert done.output.splitlines()[-1] == f"{count} ok, 0 wrong, 2 not known.", done.output
    lacking = "Read on topic sec-ordered, Write on topic sec-ordered, Read on group sec-ordered are missing"
    assert f"{lacking}, for kafka.order: model only" in done.output
    assert f"broker        {world.broker.at('SECURE')} answers" in done.output
    assert missing_rights(world.config, 10) is None
    assert world.run("topics", "plan", "--check").exit_code == 0


def test_who_may_not_join_the_group_of_stage_2_does_not_come_to_the_order_of_models(world: Secured) -> None:
    """It would read nothing any more, of what it reads now."""
    told, right = Answer("model", "m is in 2 partitions"), Right("group", "sec-ordered", "Read", "it is read in")
    refused = forbidden(world.config, told)
    assert (refused.lacking, refused.fix) == (f"the right {right}", right.command(world.config.kafka.brokers))
    world.broker.grant(rule(right))
    until(lambda: forbidden(world.config, told) == told)
    world.broker.revoke(rule(right))


def test_who_may_do_everything_is_told_so_in_one_line(world: Secured) -> None:
    done = CliRunner().invoke(main, ["doctor", "-c", str(world.path.with_name("admin.yaml"))])
    assert done.exit_code == 0, done.output
    [line] = [line for line in done.output.splitlines() if " right" in line[:20]]
    assert line.startswith(f"ok     rights        all {len(NEEDED)} that are needed: our user may do everything")


def test_a_login_that_may_do_nothing_is_told_in_three_lines(world: Secured, tmp_path: Path) -> None:
    """Of topics, of the group, of transactions; with a command for each kind of right."""
    client = world.broker.login("stranger")
    path = written(tmp_path / "stranger.yaml", world.broker.at("SECURE"), client)
    done = CliRunner().invoke(main, ["doctor", "-c", str(path)])
    assert done.exit_code == 1
    wrong = [line for line in done.output.splitlines() if line.startswith("wrong")]
    assert [line.split()[1] for line in wrong] == ["topic", "right", "right"], done.output
    fixes = [line for line in done.output.splitlines() if "fix: kafka-acls " in line]
    assert [line.split("--operation ")[1].split()[0] for line in fixes] == ["Read", "Write", "Read", "Write"]
    assert client["sasl.password"] not in done.output
    plan = CliRunner().invoke(main, ["topics", "plan", "-c", str(path)])
    assert (plan.exit_code, plan.stderr.count("\n  fix: kafka-acls ")) == (69, 2), plan.output
    assert all(f"sec-{role}" in plan.stderr for role in ROLES)


def test_who_may_see_topics_and_not_make_them_is_told_which_right_that_is(world: Secured, tmp_path: Path) -> None:
    path = written(tmp_path / "stranger.yaml", world.broker.at("SECURE"), world.broker.login("stranger"))
    path.write_text(path.read_text().replace("sec-", "new-"))
    rule = ("topic", "new-*", "Describe")
    world.broker.grant(rule, user="stranger")
    done = CliRunner().invoke(main, ["topics", "apply", "--create-events", "-c", str(path)])
    world.broker.revoke(rule, user="stranger")
    assert done.exit_code == 1
    assert done.stderr.count(": our user lacks Create on it\n") == 1 + len(ROLES), done.output
    assert done.stderr.count("fix: kafka-acls ") == 1


@pytest.mark.parametrize("number", range(len(NEEDED)), ids=NEEDED)
def test_without_any_one_the_doctor_names_it_and_the_command(world: Secured, number: int) -> None:
    right = list(rights(world.config))[number]
    with world.without(right):
        done = world.run("doctor")
        told = missing_rights(world.config, 10)
    # Who may not even see a topic is told with the topic.
    told_as = f"{right} is missing", f"our user lacks {right}, or the topic does not exist"
    lines = [line for line in done.output.splitlines() if any(told in line for told in told_as)]
    assert [line.startswith(("wrong", "?")) for line in lines] == [True], done.output
    assert f"fix: {right.command(world.config.kafka.brokers)}\n" in done.output
    assert done.output.count("fix: NAME is our login: kafka.client sasl.username\n") == 1
    others = [other for other in rights(world.config) if other != right and f"{other} is missing" in done.output]
    assert others == [], done.output
    if right.verb == "run":
        assert done.exit_code == 1
        assert told is not None
        assert told.event == "not_authorized"
        assert str(right) in told.why
        assert right.command(world.config.kafka.brokers) in told.fix
    else:
        assert (done.exit_code, told) == (0, None)


UNSEEN = [
    *(name for name in NEEDED if name.startswith("Write on topic") and not name.endswith(" state")),
    "Read on topic events",
]


@pytest.mark.parametrize("number", [NEEDED.index(name) for name in UNSEEN], ids=UNSEEN)
def test_without_any_right_a_topic_is_missed_at_the_start(world: Secured, number: int) -> None:
    right = list(rights(world.config))[number]
    probe = Probe(world.config, logging.getLogger("test"), Limits())
    try:
        assert probe.partitions([right.name]) == {right.name: 2}
        with ExitStack() as stack:
            for other in rights(world.config):
                if other.name == right.name and other.operation in ("Read", "Write"):
                    stack.enter_context(world.without(other))
            refused = stack.enter_context(pytest.raises(LogDown, match=f"our user lacks {right}, or the topic"))
            probe.partitions([right.name])
        command = right.command(world.config.kafka.brokers)
        assert refused.value.event == "not_authorized"
        assert refused.value.fix == f"{command}; NAME is our login: kafka.client sasl.username"
    finally:
        probe.close()


LANDED = {"sec-heartbeats": 2, "sec-state": 1}
"""What there is to be of each in a start."""


def test_the_service_works_with_no_more_than_it_needs(world: Secured, tmp_path: Path) -> None:
    for right in rights(world.config):
        if right.verb != "run":
            world.broker.revoke(rule(right))
    produce(world.broker.bootstrap, "sec-events", {0: events(EVENTS), 1: [Record(0, -1, b"m", b"no JSON")]})
    for attempt in range(2):
        with Service(world.path, tmp_path / "log") as service:
            wait_committed(world.broker.bootstrap, "sec", "sec-events", {0: EVENTS, 1: 1})
            assert world.run("doctor").exit_code == 0, "it may look while the service runs"
            for topic, least in LANDED.items():
                wanted = least * (1 + attempt)
                until(lambda t=topic, n=wanted: len(read_all(world.broker.bootstrap, t, 2)) >= n, topic)
            assert service.stop() == 0, service.log.read_text()
            errors = [line for line in service.log.read_text().splitlines() if '"level": "info"' not in line]
            assert errors == []
        assert not service.lines("state_lost"), attempt
    assert read_all(world.broker.bootstrap, "sec-dead_letter", 2)
    assert read_all(world.broker.bootstrap, "sec-windows", 2)


def page(service: Service) -> str:
    address = service.lines("starting")[0]["listen"]
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


def wait_page(service: Service, said: Callable[[str], bool]) -> str:
    until(lambda: service.lines("starting"), lambda: service.log.read_text())
    until(lambda: said(page(service)), lambda: page(service) + service.log.read_text())
    return page(service)


def named(world: Secured, found: str, *lacking: Right) -> bool:
    """Whether the page names these rights and no others, each with the command."""
    [told] = [line for line in found.splitlines() if line.startswith("[-] rights: ")] or [""]
    commands = [right.command(world.config.kafka.brokers) in told for right in lacking]
    return all(commands) and f"our user lacks {', '.join(map(str, lacking))};" in told


@pytest.mark.parametrize(
    ("names", "waits"),
    [
        (["Write on topic sec-state"], "[-] commits: nothing is published: "),  # We see it all the same.
        (["Write on topic sec-alerts"], ""),  # Nothing waits for it before the first alert, and then it is late.
        (["Write on transactional-id driftline-sec-*"], "[-] commits: nothing is published: "),
        (["Read on group sec", "Write on topic sec-heartbeats"], ""),  # This one we do not see any more.
    ],
    ids=lambda given: ", ".join(given) if isinstance(given, list) else "",
)
def test_a_right_that_is_taken_away_is_named_while_it_runs_and_given_back_it_works(
    names: list[str], waits: str, world: Secured, tmp_path: Path
) -> None:
    taken = sorted((right for right in rights(world.config) if str(right) in names), key=lambda r: "beats" in r.name)
    with Service(world.path, tmp_path / "log") as service:
        wait_page(service, "ok\n".__eq__)
        with ExitStack() as stack:
            for right in taken:
                stack.enter_context(world.without(right))
            produce(world.broker.bootstrap, "sec-events", {0: events(2)})  # Little to commit; no window ends.
            in_order = [right for right in rights(world.config) if right in taken]
            found = wait_page(service, lambda told: named(world, told, *in_order) and waits in told)
            assert "NAME is our login: kafka.client sasl.username" in found
            assert "no topic" not in found, "it is there, only hidden"
        wait_page(service, "ok\n".__eq__)
        assert service.lines("not_authorized")
        assert service.stop() == 0, service.log.read_text()


def test_without_the_right_to_its_group_it_starts_and_says_so(world: Secured, tmp_path: Path) -> None:
    [right] = [right for right in rights(world.config) if right.resource == "group"]
    with Service(world.path, tmp_path / "log") as service:
        with world.without(right):
            found = wait_page(service, lambda told: named(world, told, right))
            assert "[-] assigned: the group sec does not let us in" in found
        wait_page(service, "ok\n".__eq__)
        assert service.stop() == 0


def test_the_page_reads_what_it_may(world: Secured) -> None:
    """One topic that is forbidden takes no other one away."""
    world.broker.grant(*map(rule, rights(world.config)))  # Other tests do without what is not needed to run.
    spans = {f"sec-{role}": Span(60_000, 100) for role in ("alerts", "windows")}
    tail, read = Tail(world.config, logging.getLogger("x"), spans, int(1000 * time.time())), list[bytes | None]()
    assert tail.missing == {}
    [right] = [one for one in rights(world.config) if (one.operation, one.name) == ("Read", "sec-windows")]
    with world.without(right):
        until(lambda: tail.missing, step=lambda: read.extend(tail.values()))
        assert read == []
        assert list(tail.missing) == ["sec-windows"]
        produce(world.broker.bootstrap, "sec-alerts", {0: [Record(0, -1, b"k", b"told")]})
        until(lambda: read, step=lambda: read.extend(tail.values()))
        assert read == [b"told"]
    tail.close()


def test_a_bridge_is_another_user_who_may_do_no_more_than_its_rows_say(world: Secured, tmp_path: Path) -> None:
    path = written(tmp_path / "bridge.yaml", world.broker.at("SECURE"), world.broker.login("stranger"))
    path.write_text(path.read_text() + "bridges: {slack: {url: 'https://slack.example/T/B/x'}}\n")
    config = load_config(path, {})
    rules = [rule(right) for right in rights(config) if right.verb == "bridge slack"]
    assert rules == [("topic", "sec-alerts", "Read"), ("group", "sec-slack", "Read")]
    produce(world.broker.bootstrap, "sec-alerts", {0: [Record(0, -1, b"k", b"x")]})
    world.broker.grant(*rules, user="stranger")
    reader = GroupReader(config, "sec-slack", ["sec-alerts"], logging.getLogger("x"))
    try:
        (topic, number), record = until(lambda: reader.poll(1000, 0.2).records)[-1]
        reader.done((topic, number), record.offset + 1)
        reader.commit()
        assert reader.trouble is None
    finally:
        reader.close()
        world.broker.revoke(*rules, user="stranger")
