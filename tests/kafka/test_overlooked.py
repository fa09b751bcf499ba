"""Partitions that topics get while a named member is away are read by it when it is back."""

from __future__ import annotations

import json
from collections.abc import Callable
from logging import getLogger
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.kafka.overlooked import AGAIN_S, Overlooked, Subscription, read_by_nobody
from streamer.port import Surroundings
from tests.kafka.service import Service, produce, read_all, wait_committed
from tests.kafka.test_ordered import about
from tests.waiting import PATIENCE_S, until

CONFIG = """
version: 1
kafka: {{brokers: "{broker}", group: "{group}", instance: w0, order: {order}, client: {{session.timeout.ms: 20000}}}}
topics: {{events: [{events}], alerts: {al}, state: {st}, dead_letter: {dl}, heartbeats: {hb}{more}}}
heartbeat: {{interval: 1s}}
monitors: {{mean: {{signal: features.a, detect: {{kind: adwin}}}}}}
commit: {{interval: 200ms, snapshot_interval: 1s}}
server: {{listen: "127.0.0.1:0"}}
"""


@pytest.mark.broker
def test_a_member_that_comes_back_reads_what_its_topic_got_meanwhile(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    [inputs] = make_topics("in", partitions=2)
    names = dict(zip(("al", "st", "dl", "hb"), make_topics("al", "st", "dl", "hb", partitions=4), strict=True))
    path, log = tmp_path / "driftline.yaml", tmp_path / "service.log"
    path.write_text(CONFIG.format(broker=broker, group=f"g-{inputs}", events=inputs, order="topic", more="", **names))
    value = json.dumps({"model": "m", "time": 1_700_000_000, "features": {"a": 1.0}}).encode()
    sent = {number: [Record(0, 1_700_000_000_000, None, value)] * 3 for number in range(4)}
    with Service(path, log) as service:
        produce(broker, inputs, {number: sent[number] for number in (0, 1)})
        wait_committed(broker, f"g-{inputs}", inputs, {0: 3, 1: 3})
        assert service.stop() == 0
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_partitions([NewPartitions(inputs, 4)])[inputs].result(PATIENCE_S)
    with Service(path, log) as service:
        produce(broker, inputs, sent)
        wait_committed(broker, f"g-{inputs}", inputs, {0: 6, 1: 6, 2: 3, 3: 3})
        assert "nobody in the group reads" in log.read_text()
        assert service.stop() == 0


@pytest.mark.broker
def test_so_are_partitions_of_the_ordered_log(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Who reads it are another group's members. Once it was not looked for in theirs, and what a member was giving up
    when it was killed stayed nobody's for ever.
    """
    inputs, ordered, *own = make_topics("in", "or", "al", "st", "dl", "hb")
    path, log = tmp_path / "driftline.yaml", tmp_path / "service.log"
    names = dict(zip(("al", "st", "dl", "hb"), own, strict=True)) | {"more": f", ordered: {ordered}", "order": "model"}
    path.write_text(CONFIG.format(broker=broker, group=f"g-{inputs}", events=inputs, **names))

    def reads(number: int) -> None:
        until(lambda: (ordered, number) in {about(one) for one in read_all(broker, names["hb"], 1)}, log.read_text)

    with Service(path, log) as service:
        reads(0)
        assert service.stop() == 0
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_partitions([NewPartitions(ordered, 2)])[ordered].result(PATIENCE_S)
    with Service(path, log) as service:
        reads(1)
        assert f"nobody in the group reads {ordered}[1]" in log.read_text()
        assert service.stop() == 0


def answered(state: ConsumerGroupState, *held: tuple[str, int]) -> Any:
    member = SimpleNamespace(
        assignment=SimpleNamespace(topic_partitions=[SimpleNamespace(topic=t, partition=n) for t, n in held])
    )
    group = SimpleNamespace(state=state, members=[member])
    future = SimpleNamespace(result=lambda timeout: group)
    return SimpleNamespace(describe_consumer_groups=lambda groups, request_timeout: {groups[0]: future})


def test_of_a_settled_group_it_is_seen_what_nobody_has() -> None:
    settled, moving = ConsumerGroupState.STABLE, ConsumerGroupState.PREPARING_REBALANCING
    assert read_by_nobody(answered(settled, ("a", 0)), "g", {"a": 2, "b": 1}, 1.0) == {("a", 1), ("b", 0)}
    assert read_by_nobody(answered(settled, ("a", 0)), "g", {"a": 1}, 1.0) == frozenset()
    assert read_by_nobody(answered(moving, ("a", 0)), "g", {"a": 2}, 1.0) == frozenset()


def test_where_nobody_answers_nothing_is_seen() -> None:
    def refused(timeout: float) -> None:
        raise KafkaException("no")

    future = SimpleNamespace(result=refused)
    asked: Any = SimpleNamespace(describe_consumer_groups=lambda groups, request_timeout: {groups[0]: future})
    assert read_by_nobody(asked, "g", {"a": 2}, 1.0) == frozenset()


def named(ordered: bool, instance: str = "w0") -> Any:
    order, log = ("model", ", ordered: or") if ordered else ("topic", "")
    kafka = f"{{brokers: there, group: g, instance: {instance}, order: {order}}}"
    return load_text(f"version: 1\nkafka: {kafka}\ntopics: {{events: [in]{log}}}\n", "x", {})


def test_it_is_looked_for_in_the_group_of_each_stage() -> None:
    held = {"g": [("in", 0)], "g-ordered": [("or", 1)]}

    def ask(groups: list[str], request_timeout: float) -> Any:
        return answered(ConsumerGroupState.STABLE, *held[groups[0]]).describe_consumer_groups(groups, request_timeout)

    client, there = SimpleNamespace(describe_consumer_groups=ask), {"in": 2, "or": 2, "drift-alerts": 3}
    both, first, none = (Overlooked(one, 0.0) for one in (named(True), named(False), named(False, "null")))
    assert both.look(client, there, 1.0) == {("in", 1), ("or", 0)}
    assert first.look(client, there, 1.0) == {("in", 1)}
    assert none.look(client, there, 1.0) == frozenset(), "without a name it is shared out after a while"


def test_what_is_nobodys_for_a_moment_is_not_overlooked() -> None:
    now_s, there = 100.0, {"in": 2}
    some, all_of_it = (answered(ConsumerGroupState.STABLE, *held) for held in ([("in", 0)], [("in", 0), ("in", 1)]))
    one = Overlooked(named(False), 2.5, lambda: now_s)
    assert [one.look(some, there, 1.0) for _ in range(5)] == [frozenset()] * 5, "however often it is looked at"
    now_s += 2.0
    assert one.look(all_of_it, there, 1.0) == frozenset()
    now_s += 2.0
    assert one.look(some, there, 1.0) == frozenset()
    now_s += 2.5
    assert one.look(some, there, 1.0) == {("in", 1)}


def test_it_joins_once_more_for_topics_of_its_own_and_not_over_and_over() -> None:
    calls, now_s = list[str](), 100.0
    consumer: Any = SimpleNamespace(
        subscribe=lambda topics, **callbacks: calls.append("subscribe"), unsubscribe=lambda: calls.append("leave")
    )
    one = Subscription(consumer, ["a"], {}, getLogger(), lambda: now_s)
    one.look(Surroundings())
    one.look(Surroundings(overlooked=frozenset({("b", 0)})))
    assert calls == ["subscribe"]
    for _ in range(3):
        one.look(Surroundings(overlooked=frozenset({("a", 1)})))
    assert calls == ["subscribe", "leave", "subscribe"]
    now_s += AGAIN_S
    one.look(Surroundings(overlooked=frozenset({("a", 1)})))
    assert len(calls) == 5
    now_s += AGAIN_S
    one.look(Surroundings(overlooked=frozenset({("a", 1)})))
    assert len(calls) == 5, "and ever more seldom"
    matching = Subscription(consumer, ["^a.*"], {}, getLogger(), lambda: now_s)
    matching.look(Surroundings(overlooked=frozenset({("ab", 1)})))
    assert len(calls) == 8
