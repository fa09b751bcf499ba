"""`driftline topics` on a real broker: what it makes is what it then finds right."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamer.commands.topics import topics
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker


@pytest.fixture
def driftline(broker: str, tmp_path: Path) -> Callable[..., Result]:
    """`driftline("plan", events, "--check")` runs the verb for topics nobody else uses."""

    def run(verb: str, events: str, *options: str) -> Result:
        path = tmp_path / "drift.yaml"
        others = "".join(f"  {role}: {events}-{role}\n" for role in ("alerts", "heartbeats", "state", "dead_letter"))
        path.write_text(
            f"version: 1\nkafka: {{brokers: '{broker}', group: '{events}'}}\ntopics:\n  events: [{events}]\n{others}"
        )
        return CliRunner().invoke(topics, [verb, "-c", os.fspath(path), *options])

    return run


def test_plan_apply_plan(driftline: Callable[..., Result], make_topics: Callable[..., list[str]], broker: str) -> None:
    [events] = make_topics("plan-events", partitions=3)
    first = driftline("plan", events, "--check")
    assert (first.exit_code, first.stdout.splitlines()[-1]) == (1, "1 ok, 5 to create, 0 missing, 0 different.")
    made = driftline("apply", events, "--replication-factor", "1")
    assert made.exit_code == 0, made.output
    assert made.stdout.count("created ") == 5
    again = driftline("plan", events, "--check")
    assert again.exit_code == 0, again.output
    assert f"  state       {events}-state        ok, 3 partitions" in again.stdout
    assert f"  ordered     {events}-ordered      ok, 3 partitions" in again.stdout, "for models in several of them"
    assert driftline("apply", events).stdout == again.stdout


def test_events_are_made_only_when_told_to(driftline: Callable[..., Result]) -> None:
    events = f"nobody-made-{os.getpid()}"
    missing = driftline("plan", events, "--check")
    assert missing.exit_code == 1
    assert f"! events      {events}" in missing.stdout
    made = driftline("apply", events, "--create-events", "--partitions", "2")
    assert made.exit_code == 0, made.output
    assert "ok, 2 partitions" in driftline("plan", events, "--check").stdout


def test_what_differs_is_reported_and_left_alone(
    driftline: Callable[..., Result], make_topics: Callable[..., list[str]], broker: str
) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    [events] = make_topics("differs-events", partitions=3)
    admin: Any = AdminClient({"bootstrap.servers": broker})
    new = NewTopic(f"{events}-state", 1, 1, config={"cleanup.policy": "delete"})
    for future in admin.create_topics([new]).values():
        future.result(PATIENCE_S)
    until(lambda: new.topic in admin.list_topics(timeout=PATIENCE_S).topics)  # As in `topic_maker`.
    for verb in ("apply", "plan"):
        result = driftline(verb, events)
        assert result.exit_code == 0, result.output
        assert "~ partitions: 1 -> at least 3" in result.stdout
        assert "~ cleanup.policy: delete -> compact" in result.stdout


def test_what_the_broker_refuses_is_named(
    driftline: Callable[..., Result], make_topics: Callable[..., list[str]]
) -> None:
    [events] = make_topics("refused-events")
    result = driftline("apply", events, "--replication-factor", "3")  # the tests' cluster is one broker
    assert result.exit_code == 1
    assert result.stderr.count("could not create ") == 4
    assert "replication factor" in result.stderr
