"""What an examination means, line by line; and the command on the mock cluster and where nobody listens.

tests/kafka/test_examination.py has it on a real broker with an authorizer.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError

from schemas.events.batch import REASONS
from streamer.commands.cli import main
from streamer.commands.doctor import (
    ABSENT,
    CLOCK_REASONS,
    EVERYTHING,
    HIDDEN,
    MOCK,
    NO_SETTINGS,
    UNTOLD,
    Finding,
    clock_findings,
    findings,
    of_registry,
    text_of,
)
from streamer.commands.topic_settings import SETTINGS
from streamer.config.bridges import Bridges
from streamer.config.model import Config, Topics
from streamer.config.schema_registry import SchemaRegistry
from streamer.kafka.admin import Cluster, ExistingTopic, Shown
from streamer.kafka.connection_trouble import Trouble
from streamer.kafka.examination import Examination
from streamer.kafka.rights import rights
from tests.kafka.mock_cluster import MockCluster
from tests.kafka.registry import running

CONFIG = Config.model_validate(
    {"version": 1, "kafka": {"brokers": "b:1", "group": "g"}, "topics": {"events": ["events"]}}
)
NEEDED = list(rights(CONFIG))
OWN = CONFIG.topics.own()
ALL = frozenset({"Read", "Write", "Describe", "DescribeConfigs"})
REFUSED = Trouble("not_authorized", "our user lacks Write on transactional-id driftline-g-*", "x")


def good(role: str) -> dict[str, str]:
    return {one.name: one.value for one in SETTINGS[role]}  # type: ignore[index]


SETTINGS_OF = {name: good(role) for role, name in OWN.items()} | {"events": {}}


def examined(
    topics: dict[str, Shown] | None = None, configs: dict[str, dict[str, str] | None] | None = None, **changes: Any
) -> Examination:
    """All is well, but for the changes."""
    described = dict.fromkeys(["events", *OWN.values()], Shown(0, ALL, 4, 1)) | (topics or {})
    there = {name: one for name, one in described.items() if not one.code}
    settings = SETTINGS_OF | (configs or {})
    return Examination(
        Cluster("c1", ("b1:1", "b2:1"), {"events": 4}),
        {"b1:1": None, "b2:1": None},
        described,
        {name: ExistingTopic(one.number, 1, settings[name]) for name, one in there.items()},
        {"g": Shown(0, ALL, 3)},
        None,
    )._replace(**changes)


def wrong(found: Examination, mark: str = "wrong") -> list[tuple[str, str, str]]:
    return [(one.about, one.says, one.fix) for one in findings(CONFIG, found) if one.mark == mark]


def test_all_is_well() -> None:
    found = list(findings(CONFIG, examined()))
    assert {one.mark for one in found} == {"ok"}
    assert [one.about for one in found].count("right") == len(NEEDED)
    assert found[0].says == "b:1 let us in by PLAINTEXT; cluster c1, 2 brokers"
    assert found[-1].says == "one was begun and aborted"


def test_a_broker_that_cannot_be_reached_under_its_own_name() -> None:
    unknown = Trouble("unknown_host", "b2:1: no such host", "ask DNS")
    found = wrong(examined(brokers={"b1:1": None, "b2:1": unknown}))
    assert found == [("broker", "b2:1: no such host", "ask DNS")]


def test_a_topic_that_is_missing_has_the_command_that_makes_it() -> None:
    missing = Shown(KafkaError.UNKNOWN_TOPIC_OR_PART)
    [(_, says, fix)] = wrong(examined({"drift-state": missing}))
    assert (says, fix) == ("topic drift-state does not exist.", "driftline topics apply -c FILE makes it")
    found = examined({"events": missing}, cluster=Cluster("c1", ("b1:1",), {"event": 4, "drift-alerts": 4}))
    [(_, says, fix)] = wrong(found)
    assert says == "topic events does not exist. Did you mean 'event'?"
    assert "--create-events" in fix
    [(_, says, fix)] = wrong(found, "?")
    assert says == f"Read on topic events: {ABSENT}"
    assert "doctor" in fix


def test_of_a_new_cluster_there_is_a_line_for_each_cause() -> None:
    """No topic is made yet: who makes the events, what makes ours, and that no right on them is known."""
    gone = dict.fromkeys(["events", *OWN.values()], Shown(KafkaError.UNKNOWN_TOPIC_OR_PART))
    found = examined(gone)
    assert [says for _, says, _ in wrong(found)] == [
        "topic events does not exist.",
        f"topics {', '.join(OWN.values())} do not exist.",
    ]
    count = sum(right.resource == "topic" for right in NEEDED)
    assert [says for _, says, _ in wrong(found, "?")] == [f"{count} needed: {ABSENT}"]
    assert not wrong(found._replace(everything=True), "?"), "who may do everything may do it once they are there"


def test_where_nobody_decides_who_may_do_what_is_one_line() -> None:
    told = [one.says for one in findings(CONFIG, examined(everything=True)) if one.about in ("right", "rights")]
    assert told == [f"all {len(NEEDED)} that are needed: {EVERYTHING}"]
    refused = examined(everything=True, transactions=REFUSED)
    assert [about for about, _, _ in wrong(refused)] == ["right"], "what was refused is not talked away"


def test_one_address_of_several_that_nobody_answers_at() -> None:
    lost = Trouble("connection_refused", "b3:1: the connection is refused", "start it")
    assert wrong(examined(asked={"b3:1": lost, "b4:1": None})) == [("broker", lost.why, lost.fix)]


def test_a_topic_that_differs_has_the_commands_that_change_it() -> None:
    few = Shown(0, ALL, 2, 1)
    [(_, says, fix)] = wrong(
        examined({"drift-state": few}, {"drift-state": good("state") | {"cleanup.policy": "delete"}})
    )
    assert says.startswith("drift-state: partitions is 2, not at least 4: partition p")
    assert "cleanup.policy is delete, not compact: a snapshot that was deleted by age" in says
    alter = "kafka-topics --bootstrap-server b:1 --alter --topic drift-state --partitions 4"
    configs = "kafka-configs --bootstrap-server b:1 --alter --topic drift-state --add-config cleanup.policy=[compact]"
    assert fix == f"{alter}; {configs}"


@pytest.mark.parametrize("right", NEEDED, ids=str)
def test_each_right_that_is_missing_is_named_with_its_command(right: Any) -> None:
    less = Shown(0, ALL - {right.operation}, 4, 1)
    found = {
        "topic": lambda: examined({right.name: less}),
        "group": lambda: examined(groups={"g": less}),
        "transactional-id": lambda: examined(transactions=REFUSED),
    }[right.resource]()
    [(says, fix)] = [one[1:] for one in wrong(found) + wrong(found, "?") if one[0] == "right"]
    assert says.startswith(f"{right} is missing")
    assert right.why in says
    assert fix == f"{right.command('b:1')}; NAME is ANONYMOUS, for we have no login"
    assert bool(wrong(found)) == (right.verb == "run"), "doctor's own wishes are no findings"


def test_what_may_not_even_be_seen_is_missing() -> None:
    """With the topic, and not once more with each right on it."""
    hidden = dict.fromkeys(["events", "drift-alerts"], Shown(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    [(about, says, fix)] = wrong(examined(hidden))
    assert (about, says[:76]) == (
        "topic",
        "our user lacks Read on topic events, Write on topic drift-alerts, or these t",
    )
    assert [line.split(" --")[-1] for line in fix.split("; ")[:2]] == ["topic events", "topic drift-alerts"]
    [(_, says, _)] = wrong(examined(hidden), "?")
    assert says == f"Read on topic drift-alerts, DescribeConfigs on topic drift-alerts: {HIDDEN}"
    [(_, says_group, _)] = wrong(examined(groups={"g": Shown(KafkaError.GROUP_AUTHORIZATION_FAILED)}))
    assert says_group.startswith("Read on group g is missing")


def test_who_NAME_is_stands_once() -> None:
    less = dict.fromkeys(["events", "drift-alerts"], Shown(0, frozenset({"Describe"}), 4, 1))
    fixes = [fix for mark in ("wrong", "?") for _, _, fix in wrong(examined(less), mark)]
    assert len([fix for fix in fixes if "User:NAME" in fix]) > 2
    assert len([fix for fix in fixes if "NAME is " in fix]) == 1


def test_settings_that_may_not_be_read_are_one_line_for_all_topics() -> None:
    less = dict.fromkeys(OWN.values(), Shown(0, ALL - {"DescribeConfigs"}, 4, 1))
    found = examined(less, dict.fromkeys(OWN.values()))
    assert wrong(found) == []
    [(_, says, fix)] = wrong(found, "?")
    assert says.startswith(
        f"DescribeConfigs on topics {', '.join(OWN.values())} are missing, for topics, doctor only: "
    )
    assert len(fix.split("; ")) == 2, "one command, and who NAME is"


def test_a_broker_that_does_not_tell_is_no_finding() -> None:
    found = examined({name: Shown(0, None, 4, 1) for name in ["events", *OWN.values()]}, groups={"g": Shown(0)})
    assert wrong(found) == []
    [(_, says, fix)] = wrong(found, "?")
    assert says.endswith(f": {UNTOLD}")
    assert ", Read on group g, " in says
    assert "/readyz" in fix
    assert all(name in says for name in OWN.values())
    unreadable = examined(configs={"drift-state": None})
    assert ("topic", f"drift-state: 4 partitions; {NO_SETTINGS}", "") in wrong(unreadable, "?")


def test_transactions_that_do_not_work() -> None:
    [(about, says, fix)] = wrong(examined(transactions=Trouble("no_transactions", "_TIMED_OUT Timed out", "look")))
    assert (about, says, fix) == ("transactions", "_TIMED_OUT Timed out", "look")
    refused = examined(transactions=REFUSED)
    assert [about for about, _, _ in wrong(refused)] == ["right"], "said once"
    assert "transactions" not in [about for about, _, _ in wrong(refused, "?")]


def test_lines_are_for_a_person() -> None:
    found = [
        Finding("ok", "cluster", "there"),
        Finding("wrong", "right", "no", "a; b"),
        Finding("?", "right", "who knows"),
    ]
    assert text_of(found).splitlines() == [
        "ok     cluster       there",
        "wrong  right         no",
        "                     fix: a",
        "                     fix: b",
        "?      right         who knows",
        "1 ok, 1 wrong, 1 not known.",
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "drift.yaml"


def run(path: Path, brokers: str, *options: str) -> Any:
    path.write_text(f"version: 1\nkafka: {{brokers: '{brokers}'}}\ntopics: {{events: [events]}}\n")
    return CliRunner().invoke(main, ["doctor", "-c", str(path), *options])


def test_on_the_mock_cluster_it_says_what_cannot_be_asked(path: Path) -> None:
    with MockCluster("events") as cluster:
        done = run(path, cluster.brokers)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert any(line.startswith("ok     broker") and line.endswith(" answers") for line in lines)
    assert "ok     topic         events: 1 partition" in lines
    assert "?      topic         drift-alerts: the mock cluster makes it at its first use" in lines
    [rights] = [line for line in lines if MOCK in line and " rights " in line]
    assert rights.endswith(f" needed: {MOCK}")
    assert "ok     transactions  one was begun and aborted" in lines
    assert ", 0 wrong, " in lines[-1]


def test_where_nobody_listens_it_is_69_and_says_so(path: Path) -> None:
    done = run(path, "127.0.0.1:1", "--timeout", "1")
    assert done.exit_code == 69
    assert done.stderr.startswith("driftline: connection_refused: 127.0.0.1:1: ")
    assert "\n  fix: " in done.stderr
    assert done.stdout == ""


def test_a_bad_config_is_78(path: Path) -> None:
    path.write_text("version: 2\n")
    assert CliRunner().invoke(main, ["doctor", "-c", str(path)]).exit_code == 78


def test_a_pattern_is_told_with_what_it_matches_and_the_right_that_may_be_missing() -> None:
    config = CONFIG.model_copy(update={"topics": Topics(events=["^ev.*", "^zz-.*"])})
    told = {one.says: one for one in findings(config, examined())}
    assert told["^ev.* matches 1 topic: events"].mark == "ok"
    assert told["events: 4 partitions, as it should be"].mark == "ok"
    assert told["Read on topic events"].mark == "ok", "rights are asked of the topics that are there"
    nothing = told["^zz-.* matches no topic that we may see: there is none yet, or Read on topic zz-* is missing"]
    assert (nothing.mark, "--topic zz- --resource-pattern-type prefixed" in nothing.fix) == ("?", True)


def test_a_registry_that_answers_is_fine_whatever_it_has_and_one_that_does_not_has_a_fix() -> None:
    assert list(of_registry(CONFIG)) == []
    with running() as registry:
        config = CONFIG.model_copy(update={"schema_registry": SchemaRegistry.model_validate({"url": registry.url})})
        assert list(of_registry(config)) == [Finding("ok", "registry", f"{registry.url} answers")]
        registry.login = "me:only-me"
        [found] = of_registry(config)
        assert (found.mark, "401" in found.says, "schema_registry.password" in found.fix) == ("wrong", True, True)


def test_the_group_of_a_bridge_is_another_users() -> None:
    config = CONFIG.model_copy(update={"bridges": Bridges.model_validate({"webhook": {"url": "https://a/b"}})})
    about = [one for one in findings(config, examined()) if "g-webhook" in one.says]
    assert [(one.mark, one.says) for one in about] == [
        ("?", "Read on group g-webhook: it is for bridge webhook only, and not asked")
    ]


def clocks(newest_ms: int | None, **reasons: int) -> list[tuple[str, str]]:
    found = clock_findings(newest_ms, Counter(reasons), 20, 1_000_000)
    return [(one.mark, one.says) for one in found if (one.mark == "wrong") == bool(one.fix)]


def test_a_clock_that_is_ahead_is_wrong_and_an_old_record_is_not() -> None:
    assert clocks(None) == [
        ("?", "there is no record yet whose time could be compared: run doctor again once events come")
    ]
    assert clocks(990_000) == [("ok", "the newest record is 10 s old by this machine's clock")]
    assert clocks(1_004_000)[0][0] == "ok"
    assert clocks(8_200_000) == [("wrong", "the newest record is 7,200 s ahead of this machine's clock")]
    [_, (mark, says)] = clocks(990_000, no_zone=7)
    assert mark == "wrong"
    assert says.startswith("of the newest 20 events 7 have a time that is not used: no_zone, the event")
    assert set(CLOCK_REASONS) <= set(REASONS)
