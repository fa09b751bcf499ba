"""The topic plan as a pure function, and the command line around it without a broker."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from streamer.commands import topics as under_test
from streamer.commands.topic_settings import SETTINGS
from streamer.commands.topics import Step, pattern_text, plan_text, plan_topics, wanted_topics
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.kafka.rights import NO_CREATE
from streamer.port import LogDown

MISSING_PORT = "127.0.0.1:1"


class ExistingTopic(NamedTuple):
    """As `streamer.kafka.admin.Found`, which needs confluent_kafka."""

    partitions: int
    replicas: int = 1
    config: dict[str, str] | None = {}  # noqa: RUF012


def config(*events: str, order: str = "topic") -> Config:
    kafka = {"brokers": MISSING_PORT, "order": order}
    return Config.model_validate({"version": 1, "kafka": kafka, "topics": {"events": list(events or ("events",))}})


def good(role: str, partitions: int = 6, **changes: str) -> ExistingTopic:
    """A topic as this service would make it, but for the changes (`_` for `.`)."""
    settings = {s.name: s.value for s in SETTINGS[role]}  # type: ignore[index]
    return ExistingTopic(partitions, 1, settings | {name.replace("_", "."): value for name, value in changes.items()})


ALL = {
    "events": ExistingTopic(6),
    "drift-alerts": good("alerts", 1),
    "drift-state": good("state"),
    "drift-heartbeats": good("heartbeats", 1),
    "drift-dead-letter": good("dead_letter", 1),
}


def steps(
    found: dict[str, ExistingTopic], *events: str, partitions: int | None = None, create: bool = False
) -> dict[str, Step]:
    wanted = wanted_topics(config(*events), found, partitions, create)  # type: ignore[arg-type]
    return {step.topic.name: step for step in plan_topics(wanted, found)}  # type: ignore[arg-type]


def test_everything_as_it_should_be() -> None:
    assert {name: step.action for name, step in steps(ALL).items()} == dict.fromkeys(ALL, "ok")


@pytest.mark.parametrize(
    ("there", "partitions", "create", "actions", "made"),
    [
        # what is there, --partitions, --create-events -> actions of events and the others; partitions of events,
        # alerts, state and the others
        ({}, None, False, ("missing", "create", "create", "create"), (6, 6, 6, 6)),
        ({}, None, True, ("create", "create", "create", "create"), (6, 6, 6, 6)),
        ({}, 3, True, ("create", "create", "create", "create"), (3, 3, 3, 3)),
        ({"events": 12}, None, False, ("ok", "create", "create", "create"), (12, 12, 12, 12)),
        ({"events": 12}, 2, False, ("ok", "create", "create", "create"), (12, 2, 12, 2)),
        ({"events": 12}, 2, True, ("ok", "create", "create", "create"), (12, 2, 12, 2)),
        ({"events": 1}, None, True, ("ok", "create", "create", "create"), (1, 1, 1, 1)),
    ],
)
def test_what_is_missing_is_made_with_the_right_partitions(
    there: dict[str, int], partitions: int | None, create: bool, actions: tuple[str, ...], made: tuple[int, ...]
) -> None:
    found = {name: ExistingTopic(count) for name, count in there.items()}
    plan = list(steps(found, partitions=partitions, create=create).values())
    assert tuple(step.action for step in plan) == (*actions, "create")
    assert tuple(step.partitions for step in plan) == (*made, made[3])


def test_the_state_topic_follows_the_widest_of_several_event_topics() -> None:
    found = {"a": ExistingTopic(3), "b": ExistingTopic(9)}
    assert steps(found, "a", "b")["drift-state"].partitions == 9
    assert steps({"a": ExistingTopic(3)}, "a", "b")["drift-state"].partitions == 3
    assert steps({"a": ExistingTopic(3)}, "a", "b", create=True)["drift-state"].partitions == 6
    assert steps({"a": ExistingTopic(3)}, "a", "b", create=True, partitions=20)["drift-state"].partitions == 20


def test_without_any_event_topic_no_width_is_asked_of_the_state_topic() -> None:
    found = {"drift-state": good("state", 2)}
    assert steps(found)["drift-state"].action == "ok"
    assert steps(found, create=True)["drift-state"].action == "differs"


def test_a_topic_of_its_own_is_its_producers_and_its_state_has_a_place() -> None:
    text = "version: 1\nkafka: {brokers: b}\ntopics: {events: [in]}\nfeedback: {topic: clicks}\n"
    config = load_text(text, "x", {})
    found: Any = {"in": ExistingTopic(3), "clicks": ExistingTopic(9)}
    plan = {step.topic.name: step for step in plan_topics(wanted_topics(config, found), found)}
    told = {name: (plan[name].topic.role, plan[name].action) for name in found}
    assert told == {"in": ("events", "ok"), "clicks": ("feedback", "ok")}
    assert (plan["drift-state"].partitions, plan["drift-ordered"].action) == (9, "create")
    lacking = plan_topics(wanted_topics(config, {}), {})
    assert {step.topic.name: step.action for step in lacking}["clicks"] == "missing"
    made = plan_topics(wanted_topics(config, {}, create_events=True), {})
    assert {step.topic.name: step.action for step in made}["clicks"] == "create"
    assert "feedback    clicks" in plan_text(lacking, "b:1")


DAY = 86_400_000


@pytest.mark.parametrize(
    ("name", "topic", "differing"),
    [
        ("drift-state", good("state", 5), {"partitions"}),
        ("drift-state", good("state", 60), set()),
        ("drift-state", good("state", cleanup_policy="delete"), {"cleanup.policy"}),
        ("drift-state", good("state", cleanup_policy="compact,delete"), {"cleanup.policy"}),
        ("drift-state", good("state", segment_bytes=str(1 << 30)), {"segment.bytes"}),
        ("drift-state", good("state", segment_bytes=str(16 << 20)), set()),
        ("drift-state", good("state", segment_ms=str(7 * DAY)), {"segment.ms"}),
        ("drift-state", good("state", min_cleanable_dirty_ratio="0.5"), {"min.cleanable.dirty.ratio"}),
        ("drift-state", good("state", min_cleanable_dirty_ratio="0.10"), set()),
        ("drift-state", good("state", min_compaction_lag_ms="0"), {"min.compaction.lag.ms"}),
        ("drift-state", good("state", max_compaction_lag_ms=str(2**63 - 1)), {"max.compaction.lag.ms"}),
        ("drift-state", ExistingTopic(6, 1, {}), {s.name for s in SETTINGS["state"]}),
        ("drift-state", ExistingTopic(6, 1, None), {"settings"}),
        ("drift-state", ExistingTopic(2, 1, None), {"partitions", "settings"}),
        ("drift-alerts", good("alerts", cleanup_policy="delete, compact"), set()),
        ("drift-alerts", good("alerts", cleanup_policy="delete"), {"cleanup.policy"}),
        ("drift-alerts", good("alerts", retention_ms="-1"), set()),
        ("drift-alerts", good("alerts", retention_ms=str(7 * DAY)), {"retention.ms"}),
        ("drift-alerts", good("alerts", min_compaction_lag_ms=str(8 * DAY)), set()),
        ("drift-dead-letter", good("dead_letter", cleanup_policy="compact"), {"cleanup.policy"}),
        ("drift-dead-letter", good("dead_letter", retention_ms=str(15 * DAY)), set()),
        ("drift-dead-letter", good("dead_letter", retention_ms="soon"), {"retention.ms"}),
        ("events", ExistingTopic(6, 1, {"cleanup.policy": "compact"}), set()),
        ("events", ExistingTopic(6, 1, None), set()),
    ],
)
def test_differences(name: str, topic: ExistingTopic, differing: set[str]) -> None:
    step = steps(ALL | {name: topic})[name]
    assert {difference.setting for difference in step.differences} == differing
    assert step.action == ("differs" if differing else "ok")


def test_the_plan_reads_like_a_diff() -> None:
    found = {"events": ExistingTopic(2), "drift-state": good("state", 1), "drift-dead-letter": good("dead_letter", 1)}
    found["drift-heartbeats"] = good("heartbeats", 1)
    text = plan_text(list(steps(found, "events", "other").values()), "b:1")
    assert text.splitlines() == [
        "  events      events             ok, 2 partitions",
        "! events      other              missing: its producers own it; --create-events makes it",
        "+ alerts      drift-alerts       create, 2 partitions",
        "    + cleanup.policy = compact,delete  # the last record of each alert outlives its history",
        "    + min.compaction.lag.ms = 604800000  # every transition stays readable for a week",
        "    + retention.ms = 2592000000  # an alert can be looked up for a month",
        "~ state       drift-state        differs, 1 partition",
        "    ~ partitions: 1 -> at least 2  # partition p of every event topic keeps its state in partition p",
        "    fix: kafka-topics --bootstrap-server b:1 --alter --topic drift-state --partitions 2",
        "  heartbeats  drift-heartbeats   ok, 1 partition",
        "  dead_letter drift-dead-letter  ok, 1 partition",
        "  How many partitions other will have is not known: 2 are enough for as many;",
        "  the state topic needs those of the widest. Make the topics of events first, or give --partitions N.",
        "3 ok, 1 to create, 1 missing, 1 different.",
    ]


# The command line


class Admin:
    """Stands in for the broker; remembers what was asked of it."""

    found: dict[str, ExistingTopic]
    down: str
    failing: dict[str, str]
    created: list[tuple[str, int, int, dict[str, str]]]

    def __init__(self, config: Config, timeout_s: float) -> None:
        if Admin.down:
            raise LogDown(Admin.down)

    hidden = ""

    def may_see(self, name: str) -> bool:
        return name != Admin.hidden

    def cluster(self) -> Any:
        return types.SimpleNamespace(topics={name: one.partitions for name, one in Admin.found.items()})

    def find(self, names: Iterable[str]) -> dict[str, ExistingTopic]:
        return {name: Admin.found[name] for name in names if name in Admin.found}

    def create(self, new: list[tuple[str, int, int, dict[str, str]]]) -> dict[str, str | None]:
        Admin.created = new
        return {creation[0]: Admin.failing.get(creation[0]) for creation in new}


@pytest.fixture(autouse=True)
def _no_broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_admin" in request.fixturenames:
        return
    fake = types.ModuleType("streamer.kafka.admin")
    fake.TopicAdmin = Admin  # type: ignore[attr-defined]
    fake.Creation = lambda *parts: parts  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "streamer.kafka.admin", fake)
    monkeypatch.setattr(under_test, "load_or_exit", lambda path: config())
    Admin.found, Admin.down, Admin.failing, Admin.created = dict(ALL), "", {}, []


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(under_test.topics, [arguments[0], "-c", "x.yaml", *arguments[1:]])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("missing", "options", "status"),
    [
        ((), (), 0),
        ((), ("--check",), 0),
        (("drift-state",), (), 1),
        (("drift-state",), ("--check",), 1),
        (("events",), (), 1),
        (("events",), ("--check",), 1),
    ],
)
def test_plan_exits_1_where_a_topic_is_missing(missing: tuple[str, ...], options: tuple[str, ...], status: int) -> None:
    Admin.found = {name: topic for name, topic in ALL.items() if name not in missing}
    code, out, _ = run("plan", *options)
    assert code == status
    assert f"{5 - len(missing)} ok" in out
    assert Admin.created == []


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--check",), 1)])
def test_what_only_differs_is_1_with_check(options: tuple[str, ...], status: int) -> None:
    Admin.found = ALL | {"drift-alerts": good("alerts", cleanup_policy="delete")}
    code, out, _ = run("plan", *options)
    assert (code, "1 different" in out) == (status, True)


def test_apply_creates_what_is_missing_and_leaves_the_rest_alone() -> None:
    Admin.found = {"events": ExistingTopic(4), "drift-alerts": good("alerts", cleanup_policy="delete")}
    code, out, _ = run("apply")
    assert code == 0
    assert [(name, partitions, replicas) for name, partitions, replicas, _ in Admin.created] == [
        ("drift-state", 4, -1),
        ("drift-heartbeats", 4, -1),
        ("drift-dead-letter", 4, -1),
    ]
    assert Admin.created[0][3] == {s.name: s.value for s in SETTINGS["state"]}
    assert "~ cleanup.policy: delete -> compact,delete" in out
    assert out.endswith("created drift-state\ncreated drift-heartbeats\ncreated drift-dead-letter\n")


@pytest.mark.parametrize(("replicas", "durable"), [("1", None), ("2", None), ("3", "2")])
def test_replication_factor(replicas: str, durable: str | None) -> None:
    Admin.found = {"events": ExistingTopic(4)}
    assert run("apply", "--replication-factor", replicas, "--partitions", "2")[0] == 0
    assert [(c[0], c[1], c[2]) for c in Admin.created] == [
        ("drift-alerts", 2, int(replicas)),
        ("drift-state", 4, int(replicas)),
        ("drift-heartbeats", 2, int(replicas)),
        ("drift-dead-letter", 2, int(replicas)),
    ]
    assert {c[3].get("min.insync.replicas") for c in Admin.created} == {durable}


def test_apply_exits_1_while_events_are_missing_and_makes_them_when_told_to() -> None:
    Admin.found = {}
    assert run("apply")[0] == 1
    assert [c[0] for c in Admin.created] == ["drift-alerts", "drift-state", "drift-heartbeats", "drift-dead-letter"]
    assert run("apply", "--create-events", "--partitions", "3")[0] == 0
    assert Admin.created[0] == ("events", 3, -1, {})


def test_the_topic_for_the_order_of_models_is_made_where_models_may_be_in_several_partitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(under_test, "load_or_exit", lambda path: config(order="auto"))
    Admin.found = {"events": ExistingTopic(1)}
    run("apply")
    assert "drift-ordered" not in [c[0] for c in Admin.created]
    Admin.found = {"events": ExistingTopic(3)}
    run("apply")
    assert ("drift-ordered", 3, -1, {s.name: s.value for s in SETTINGS["ordered"]}) in Admin.created
    Admin.found = {}
    run("apply")
    assert "drift-ordered" not in [c[0] for c in Admin.created]
    run("apply", "--create-events")
    assert ("drift-ordered", 6) in [c[:2] for c in Admin.created], "with the events, at once"
    Admin.found = {"events": ExistingTopic(3)}
    monkeypatch.setattr(Admin, "hidden", "drift-ordered")
    assert "drift-ordered  we may not see it: each partition is watched by itself" in run("apply")[1]
    assert "drift-ordered" not in [c[0] for c in Admin.created]


def test_a_topic_that_cannot_be_made_is_named() -> None:
    Admin.found, Admin.failing = {"events": ExistingTopic(4)}, {"drift-state": "Cluster authorization failed"}
    code, out, err = run("apply")
    assert code == 1
    assert err == "could not create drift-state: Cluster authorization failed\n"
    assert "created drift-alerts" in out


def test_who_may_not_make_topics_is_told_the_right_and_that_the_service_does_without() -> None:
    Admin.found = {"events": ExistingTopic(4), "drift-alerts": good("alerts")}
    Admin.failing = dict.fromkeys(["drift-state", "drift-heartbeats"], NO_CREATE)
    code, _, err = run("apply")
    assert code == 1
    *refused, command, other = err.splitlines()
    assert refused == [f"could not create {name}: our user lacks Create on it" for name in Admin.failing]
    assert command.endswith("--operation Create --topic drift-state --topic drift-heartbeats")
    assert "the service itself never needs Create" in other


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_an_unreachable_broker_is_69_and_one_line(verb: str) -> None:
    Admin.down = "no broker of x answered within 10 s: refused"
    assert run(verb) == (69, "", f"driftline: broker_unreachable: {Admin.down}\n")


@pytest.fixture
def real_admin() -> None:
    """Switches the stand-in off."""


@pytest.mark.usefixtures("real_admin")
def test_nobody_listens_there(tmp_path: Path) -> None:
    path = tmp_path / "drift.yaml"
    path.write_text(f"version: 1\nkafka: {{brokers: '{MISSING_PORT}'}}\ntopics: {{events: [events]}}\n")
    result = CliRunner().invoke(under_test.topics, ["plan", "-c", os.fspath(path), "--timeout", "1"])
    assert result.exit_code == 69
    line, fix = result.stderr.splitlines()
    assert line == f"driftline: connection_refused: {MISSING_PORT}: the connection is refused: nothing listens there"
    assert fix.startswith("  fix: start the broker")


@pytest.mark.usefixtures("real_admin")
def test_a_bad_config_is_78(tmp_path: Path) -> None:
    path = tmp_path / "drift.yaml"
    path.write_text("version: 1\nkafka: {brokers: x}\n")
    result = CliRunner().invoke(under_test.topics, ["plan", "-c", os.fspath(path)])
    assert result.exit_code == 78
    assert "topics" in result.stderr


def test_of_a_pattern_nothing_is_made_and_what_it_matches_is_planned() -> None:
    read = {step.topic.name: step.action for step in plan_topics(wanted_topics(config("^ev.*"), ALL), ALL)}  # type: ignore[arg-type]
    assert read == dict.fromkeys(ALL, "ok")
    made = [topic.name for topic in wanted_topics(config("^zz.*"), {}, create_events=True)]
    assert made == list(config("^zz.*").topics.own().values())
    assert pattern_text("^ev.*", ["events"]) == "  pattern     ^ev.*  matches events; nothing is created of a pattern"
    assert "matches no topic that we may see; nothing is created" in pattern_text("^zz.*", [])
