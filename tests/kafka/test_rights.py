"""The table of rights, and the words for one that is missing."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from confluent_kafka import KafkaError

from streamer.config.model import Config
from streamer.kafka.connection_trouble import together
from streamer.kafka.rights import REFUSALS, Right, listed, missing_topic, missing_topics, refusal, rights
from streamer.kafka.transactions import transactional_id

MISSING, UNSEEN = KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED


BASE = {"kafka": {"brokers": "b:9092", "group": "fraud"}, "topics": {"events": ["scores", "clicks"]}}


def config(**topics: object) -> Config:
    return Config.model_validate(
        {
            "version": 1,
            "kafka": {"brokers": "b:9092", "group": "fraud"},
            "topics": {"events": ["scores", "clicks"], **topics},
        }
    )


def test_each_role_of_the_config_brings_its_rights() -> None:
    assert [str(right) for right in rights(config()) if right.verb == "run"] == [
        "Read on topic scores",
        "Read on topic clicks",
        "Write on topic drift-alerts",
        "Read on topic drift-state",
        "Write on topic drift-state",
        "Write on topic drift-heartbeats",
        "Write on topic drift-dead-letter",
        "Read on group fraud",
        "Write on transactional-id driftline-fraud-*",
    ]
    more = {str(right) for right in rights(config(windows="wins"))} - {str(right) for right in rights(config())}
    assert more == {"Write on topic wins", "DescribeConfigs on topic wins", "Read on topic wins"}
    shown = {str(right) for right in rights(config()) if right.verb == "the page"}
    assert shown == {"Read on topic drift-heartbeats", "Read on topic drift-alerts", "Read on topic drift-dead-letter"}


def test_a_topic_of_its_own_is_read_and_nothing_else() -> None:
    own = {"feedback": {"topic": "taps"}, "labels": {"topic": "truths"}}
    given = Config.model_validate({"version": 1, **own, **BASE})
    read = {right.name: right.why for right in rights(given) if right.operation == "Read" and right.resource == "topic"}
    assert (read["taps"], read["truths"], read["scores"]) == ("feedback is read", "labels are read", "events are read")
    assert not [right for right in rights(given) if right.name in ("taps", "truths") and right.operation != "Read"]
    assert missing_topic(given, "taps", MISSING).fix.startswith("correct feedback.topic, or make it")


def test_the_transactional_id_begins_as_the_right_says() -> None:
    [prefix] = [right.name for right in rights(config()) if right.prefix]
    assert transactional_id(config()).startswith(prefix)


def test_the_command_is_what_an_administrator_types() -> None:
    by_name = {str(right): right.command("b:9092") for right in rights(config())}
    assert by_name["Write on topic drift-heartbeats"] == (
        "kafka-acls --bootstrap-server b:9092 --add --allow-principal User:NAME"
        " --operation Write --topic drift-heartbeats"
    )
    assert by_name["Write on transactional-id driftline-fraud-*"].endswith(
        "--operation Write --transactional-id driftline-fraud- --resource-pattern-type prefixed"
    )


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_names_resource_operation_and_command(code: int) -> None:
    found = refusal(config(), code)
    assert found is not None
    assert found.event == "not_authorized"
    needed = [right for right in rights(config()) if right.verb == "run"]
    concerned = [right for right in needed if right.resource == REFUSALS[code]]
    assert found.why == f"our user lacks {listed(concerned)}"
    typed = [right for right in needed for one in found.fix.split("; ") if allows(one, right)]
    assert sorted(typed) == sorted(concerned)


def allows(command: str, right: Right) -> bool:
    words = command.split()
    names = [name for option, name in pairwise(words) if option == f"--{right.resource}"]
    return right.name in names and right.operation in words


def test_rights_that_differ_in_their_names_only_are_told_together() -> None:
    some = [Right("topic", "a", "Read", "x"), Right("group", "g", "Read", "x"), Right("topic", "b", "Read", "x")]
    assert listed(some) == "Read on topics a, b, Read on group g"


def test_what_has_one_cause_is_one_trouble() -> None:
    """Of a new cluster: topics that are not made yet, and a login that may do nothing."""
    given = config()
    own = list(given.topics.own().values())
    gone, wrong = missing_topics(given, dict.fromkeys([*own, "scores"], MISSING), ["score", "__consumer_offsets"])
    assert gone.why == f"topics {', '.join(own)} do not exist."
    assert gone.fix == "driftline topics apply -c FILE makes them"
    assert wrong.why == "topic scores does not exist. Did you mean 'score'?"
    [told] = missing_topics(given, dict.fromkeys([*own, "scores"], KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert told.why.startswith("our user lacks Read on topics scores, drift-state, Write on topics drift-alerts, ")
    assert told.why.endswith("or these topics do not exist: which, Kafka tells only those who may see them")
    reads, writes, name = told.fix.split("; ")
    assert reads.endswith("--operation Read --topic scores --topic drift-state")
    assert writes.endswith("--operation Write" + "".join(f" --topic {topic}" for topic in own))
    assert name.startswith("NAME is ")
    both = together([gone, wrong])
    assert (both.event, both.why) == ("topic_missing", f"{gone.why}; {wrong.why}")


def test_the_topic_that_is_known_is_the_only_one_named() -> None:
    found = refusal(config(), KafkaError.TOPIC_AUTHORIZATION_FAILED, "drift-state")
    assert found is not None
    assert found.why == "our user lacks Read on topic drift-state, Write on topic drift-state"
    other = refusal(config(), KafkaError.TOPIC_AUTHORIZATION_FAILED, "elsewhere")
    assert other is not None
    assert "Read on topic elsewhere" in other.why, "replay --topic reads what the config does not name"
    assert refusal(config(), KafkaError._TRANSPORT) is None


@pytest.mark.parametrize(
    ("topic", "code", "event", "words", "fix"),
    [
        (
            "drift-state",
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            "topic_missing",
            "does not exist",
            r"^driftline topics apply -c",
        ),
        (
            "scores",
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            "topic_missing",
            "does not exist.",
            r"topics apply --create-events",
        ),
        ("other", MISSING, "topic_missing", "does not exist", r"^correct its name$"),
        (
            "scores",
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            "not_authorized",
            "or the topic does not exist",
            "--topic scores",
        ),
        ("scores", KafkaError._TIMED_OUT, "topic_unavailable", "Timed out", "log"),
    ],
)
def test_a_topic_that_is_not_seen(topic: str, code: int, event: str, words: str, fix: str) -> None:
    found = missing_topic(config(), topic, code, " Did you mean 'score'?" if topic == "scores" else "")
    assert found.event == event
    assert words in found.why
    assert re.search(fix, found.fix)
    assert topic in found.why


def test_a_right_is_a_rule_of_kafka_acls() -> None:
    assert {right.resource for right in rights(config())} == {"topic", "group", "transactional-id"}
    assert str(Right("topic", "a-", "Read", "x", prefix=True)) == "Read on topic a-*"


@pytest.mark.parametrize(
    ("client", "who"),
    [
        ({"security.protocol": "sasl_ssl", "sasl.username": "u"}, "our login: kafka.client sasl.username"),
        ({"security.protocol": "SASL_SSL", "sasl.mechanisms": "OAUTHBEARER"}, "who our login is of"),
        ({"ssl.certificate.location": "/c"}, "the subject of our certificate, such as CN=driftline"),
        ({}, "ANONYMOUS, for we have no login"),
    ],
)
def test_whose_right_it_is(client: dict[str, str], who: str) -> None:
    """By its place, not its name: that counts as a secret."""
    plain = config()
    with_login = plain.model_copy(update={"kafka": plain.kafka.model_copy(update={"client": client})})
    found = refusal(with_login, KafkaError.GROUP_AUTHORIZATION_FAILED)
    assert found is not None
    assert found.fix.endswith(f"--group fraud; NAME is {who}")


def test_a_pattern_needs_a_right_on_all_that_it_may_match() -> None:
    found = {str(right): right.command("b:1") for right in rights(config(events=["scores", "^in-.*", "^.*-x"]))}
    assert list(found)[:3] == ["Read on topic scores", "Read on topic in-*", "Read on topic *"]
    assert found["Read on topic in-*"].endswith("--operation Read --topic in- --resource-pattern-type prefixed")
    assert found["Read on topic *"].endswith("--operation Read --topic '*'")
    deleted = missing_topic(config(events=["^in-.*"]), "in-a", MISSING)
    assert deleted.fix == "it was deleted: a pattern of topics.events finds it again once it is back"


def test_a_bridge_reads_what_it_tells_of_and_commits_in_a_group_of_its_own() -> None:
    told = {"slack": {"url": "https://s.example/x", "tell": "incidents", "group": "own"}}
    given = Config.model_validate(
        {"version": 1, **BASE, "topics": {**BASE["topics"], "incidents": "inc"}}
        | {"bridges": {**told, "alertmanager": {"url": "http://am:9093"}}}
    )
    rows = [(str(right), right.verb) for right in rights(given) if right.verb.startswith("bridge")]
    assert rows == [
        ("Read on topic drift-alerts", "bridge alertmanager"),
        ("Read on group fraud-alertmanager", "bridge alertmanager"),
        ("Read on topic drift-alerts", "bridge slack"),
        ("Read on topic inc", "bridge slack"),
        ("Read on group own", "bridge slack"),
    ]
