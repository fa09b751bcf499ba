"""`driftline alerts ack` and the like: what they write and say. With a service: tests/kafka/test_control.py."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streamer.alerts.commands import VERBS
from streamer.commands.cli import main
from streamer.commands.control import alerts, answered
from streamer.config.load import load_text
from streamer.kafka.one_record import send
from streamer.kafka.topic_range import TopicRange
from tests.kafka.mock_cluster import MockCluster, fill
from tests.waiting import PATIENCE_S

TEXT = 'version: 1\nkafka: {{brokers: "{}"}}\ntopics: {{events: [in]}}\n{}'
CONTROL = "control: {topic: drift-control}\n"
WHO = ("--by", "ada", "--why", "known")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "x.yaml"
    found.write_text(TEXT.format("127.0.0.1:1", CONTROL))
    return found


def test_there_is_a_verb_for_each_command_and_its_help_has_examples() -> None:
    assert set(VERBS) - {"learn"} <= set(alerts.commands)
    for verb in set(VERBS) - {"learn"}:
        shown = CliRunner().invoke(main, ["alerts", verb, "--help"]).output
        assert shown.count("-c driftline.yaml") == (2 if verb == "deploy" else 5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["ack"], "either an alert's ID or --monitor"),
        (["ack", "a-b", "--monitor", "m", "--model", "x"], "either an alert's ID or --monitor"),
        (["mute", "--monitor", "m"], "--monitor needs --model"),
        (["mute", "a-b", "--for", "soon"], "is not a duration"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_written(path: Path, given: list[str], said: str) -> None:
    told = CliRunner().invoke(main, ["alerts", *given, "-c", str(path), *WHO])
    assert (told.exit_code, said in told.output) == (2, True), told.output


def test_a_config_without_a_control_topic_is_told_what_to_add(tmp_path: Path) -> None:
    path = tmp_path / "y.yaml"
    path.write_text(TEXT.format("127.0.0.1:1", ""))
    told = CliRunner().invoke(main, ["alerts", "ack", "a-b", "--model", "m", "-c", str(path), *WHO])
    assert (told.exit_code, "control: {topic: drift-control}" in told.output) == (2, True)


def test_a_command_is_written_as_it_was_given(path: Path) -> None:
    with MockCluster("drift-control", "drift-alerts") as cluster:
        path.write_text(TEXT.format(cluster.brokers, CONTROL))
        given = ["--model", "fraud", "--monitor", "mean", "--segment", "version=3", "--for", "2h", "--id", "c7"]
        told = CliRunner().invoke(main, ["alerts", "mute", *given, "-c", str(path), *WHO, "--timeout", "0"])
        assert (told.exit_code, told.stdout) == (0, ""), told.output
        config = load_text(path.read_text(), "x", {})
        [record] = [record for _, records in TopicRange(config, "drift-control") for record in records]
        fill(cluster.brokers, "drift-alerts", 1)
    command = json.loads(record.value or b"")
    assert abs(command.pop("time") - time.time()) < 60
    assert (record.key, command) == (b"fraud", {
        "id": "c7", "type": "mute", "model": "fraud", "by": "ada", "why": "known",
        "data": {"monitor": "mean", "segment": "version=3", "for": "2h"},
    })  # fmt: skip


def test_a_fingerprint_or_its_beginning_is_the_newest_episode(path: Path) -> None:
    """`alerts list` has nothing else of an alert; the service knows episodes, and called the others over."""
    with MockCluster("drift-control", "drift-alerts") as cluster:
        path.write_text(TEXT.format(cluster.brokers, CONTROL))
        config = load_text(path.read_text(), "x", {})
        for key, episode in ((b"a1f", "a1f-in-0-9"), (b"a1f", "a1f-in-0-20"), (b"a2f", "a2f-in-0-3")):
            alert = {"correlationid": episode, "data": {"alert": {"labels": {"model": "fraud"}}}}
            send(config, "drift-alerts", key, json.dumps(alert).encode())
        send(config, "drift-alerts", b"a3-control", b'{"data": {}}')

        def ack(*given: str) -> Any:
            return CliRunner().invoke(main, ["alerts", "ack", *given, "-c", str(path), *WHO, "--timeout", "0"])

        assert [ack(*given).exit_code for given in (("a1f",), ("a2",), ("a1f-in-0-9",), ("x", "--model", "m"))] == [
            0
        ] * 4
        several, none = ack("a"), ack("a3")
        records = [record for _, found in TopicRange(config, "drift-control") for record in found]
    given = sorted(json.loads(record.value or b"")["data"]["alert"] for record in records)
    assert given == ["a1f-in-0-20", "a1f-in-0-9", "a2f-in-0-3", "x"]
    assert "2 alerts begin with a: say more of it." in several.output
    assert "no alert a3 is in drift-alerts" in none.output


class Reading:
    def __init__(self, *values: dict[str, Any]) -> None:
        self.batches = [[], [json.dumps(value).encode() for value in values]]

    def values(self) -> list[bytes]:
        return self.batches.pop(0) if self.batches else []


def test_the_answer_is_that_to_the_command() -> None:
    said = [
        {"type": "io.driftline.alert.firing.v1", "correlationid": "c7"},
        {"type": "io.driftline.control.applied.v1", "correlationid": "other", "data": {"sentence": "no"}},
        {"type": "io.driftline.control.refused.v1", "correlationid": "c7", "data": {"sentence": "yes"}},
    ]
    assert answered(Reading(*said), "c7", time.monotonic() + PATIENCE_S) == {"sentence": "yes"}
    assert answered(Reading(), "c7", time.monotonic() + 0.05) is None


def test_without_a_broker_it_says_so(path: Path) -> None:
    told = CliRunner().invoke(main, ["alerts", "ack", "a-b", "--model", "m", "-c", str(path), *WHO, "--timeout", "0.5"])
    assert told.exit_code == 69


def test_a_verdict_goes_to_the_topic_of_verdicts_with_the_model_of_its_alert(path: Path) -> None:
    verdicts = CONTROL + "verdicts: {topic: said}\n"
    with MockCluster("said", "drift-alerts") as cluster:
        path.write_text(TEXT.format(cluster.brokers, verdicts))
        config = load_text(path.read_text(), "x", {})
        alert = json.dumps({"data": {"alert": {"labels": {"model": "fraud"}}}}).encode()
        send(config, "drift-alerts", b"a1", alert)
        told = CliRunner().invoke(
            main, ["alerts", "verdict", "a1-in-0-9", "noise", "-c", str(path), "--by", "ada", "--reason", "expected"]
        )
        assert told.stdout == "not_useful: said[0]@0\n", told.output
        [record] = [record for _, records in TopicRange(config, "said") for record in records]
        lost = CliRunner().invoke(main, ["alerts", "verdict", "b2-in-0-9", "useful", "-c", str(path), "--by", "ada"])
    said = json.loads(record.value or b"")
    assert {name: said[name] for name in ("model", "alert_id", "reviewer", "verdict", "reason")} == {
        "model": "fraud", "alert_id": "a1-in-0-9", "reviewer": "ada", "verdict": "not_useful", "reason": "expected"
    }  # fmt: skip
    assert (lost.exit_code, "--model says whose it is" in lost.output) == (2, True)
    assert "verdicts on alerts change nothing" in told.stderr, "where false_alarms.learn is off"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a-b", "perhaps"], "is no verdict on an alert"),
        (["a-b", "useful", "--reason", "expected"], "why an alert was not useful"),
    ],
)
def test_verdicts_that_are_none(path: Path, given: list[str], said: str) -> None:
    path.write_text(TEXT.format("127.0.0.1:1", CONTROL + "verdicts: {topic: said}\n"))
    told = CliRunner().invoke(main, ["alerts", "verdict", *given, "-c", str(path), "--by", "ada"])
    assert (told.exit_code, said in told.output) == (2, True), told.output
