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
from streamer.kafka.overlooked import AGAIN_S, Subscription, read_by_nobody
from streamer.port import Surroundings
from tests.kafka.service import Service, produce, wait_committed
from tests.waiting import PATIENCE_S

CONFIG = """
version: 1
kafka: {{brokers: "{broker}", group: "{group}", instance: w0, order: topic, client: {{session.timeout.ms: 20000}}}}
topics: {{events: [{events}], alerts: {al}, state: {st}, dead_letter: {dl}, heartbeats: {hb}}}
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
    path.write_text(CONFIG.format(broker=broker, group=f"g-{inputs}", events=inputs, **names))
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
