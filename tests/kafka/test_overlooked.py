"""Partitions that topics get while a named member is away are read by it when it is back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from logging import getLogger
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.kafka.overlooked import AGAIN_S, NAMED_MAX, TURN_S, Overlooked, Seen, Subscription, named, seen_of
from streamer.port import Partition, Surroundings, Topic
from tests.kafka.service import Service, produce, read_all, wait_committed
from tests.kafka.test_groups import UUID, wire
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
        assert f"nobody in the group g-{inputs} reads {inputs}[2], {inputs}[3]" in log.read_text()
        assert service.stop() == 0


DIES = """
import os, signal, sys
from confluent_kafka import Consumer
broker, group, topic = sys.argv[1:]
member = {"group.id": group, "group.instance.id": "w0", "partition.assignment.strategy": "cooperative-sticky"}
consumer = Consumer({"bootstrap.servers": broker, "session.timeout.ms": 60000, **member})
consumer.subscribe(
    [topic],
    on_assign=lambda consumer, partitions: print(len(partitions), flush=True),
    on_revoke=lambda consumer, partitions: os.kill(os.getpid(), signal.SIGKILL),
)
while True:
    consumer.poll(0.1)
"""


@pytest.mark.broker
def test_so_is_what_a_member_gave_up_when_it_was_killed_whichever_stage_it_is_of(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Who reads the ordered log are members of another group. Once it was not looked for in theirs, and what a member
    was giving up when it was killed stayed nobody's for ever.
    """
    inputs, *own = make_topics("in", "al", "st", "dl", "hb")
    [ordered] = make_topics("or", partitions=2)
    names = dict(zip(("al", "st", "dl", "hb"), own, strict=True)) | {"more": f", ordered: {ordered}", "order": "model"}
    text = CONFIG.format(broker=broker, group=f"g-{inputs}", events=inputs, **names).replace("20000", "60000")
    paths = {name: tmp_path / f"{name}.yaml" for name in ("w0", "w1")}
    for name, path in paths.items():
        path.write_text(text.replace("instance: w0", f"instance: {name}"))
    log = tmp_path / "service.log"
    command = [sys.executable, "-c", DIES, broker, f"g-{inputs}-ordered", ordered]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == "2\n", "all of the ordered log is its"
        with Service(paths["w1"], log):
            assert dying.wait(PATIENCE_S) == -signal.SIGKILL, "it is to give one up"
            with Service(paths["w0"], log):  # Back under its name in time.
                until(
                    lambda: {(ordered, 0), (ordered, 1)} <= {about(one) for one in read_all(broker, names["hb"], 1)},
                    log.read_text,
                )
                assert f"nobody in the group g-{inputs}-ordered reads {ordered}[" in log.read_text()


def answered(state: str, **members: list[Partition]) -> Any:
    """A client whose groups all look like this: by name of a member what it has."""
    there = [SimpleNamespace(id=f"{name}-{UUID}", assignment=wire(*held)) for name, held in members.items()]
    group = {"error": None, "state": state, "protocol_type": "consumer", "members": there}
    return SimpleNamespace(list_groups=lambda name, timeout: [SimpleNamespace(id=name, **group)])


def failing(name: str, timeout: float) -> None:
    raise KafkaException(KafkaError(KafkaError._TRANSPORT))


def test_of_a_settled_group_it_is_seen_what_nobody_has() -> None:
    some = answered("Stable", w0=[("a", 0)], w2=[])
    assert seen_of(some, "g", {"a": 2, "b": 1}, 1.0) == Seen(frozenset({("a", 1), ("b", 0)}), ("w2", "w0"))
    assert seen_of(some, "g", {"a": 1}, 1.0) == Seen(frozenset(), ("w2", "w0"))
    assert seen_of(answered("PreparingRebalance", w0=[("a", 0)]), "g", {"a": 2}, 1.0) is None


def test_a_group_that_all_have_left_reads_nothing() -> None:
    assert seen_of(answered("Empty"), "g", {"a": 2}, 1.0) == Seen(frozenset({("a", 0), ("a", 1)}))
    assert seen_of(answered("Dead"), "g", {"a": 2}, 1.0) is None, "as the broker shows what is another kind of group"


def test_where_nobody_answers_nothing_is_seen() -> None:
    client: Any = SimpleNamespace(list_groups=failing)
    assert seen_of(client, "g", {"a": 2}, 1.0) is None
    unseen: Any = SimpleNamespace(list_groups=lambda name, timeout: [])
    assert seen_of(unseen, "g", {"a": 2}, 1.0) is None


def of(ordered: bool, instance: str = "w0") -> Any:
    order, log = ("model", ", ordered: or") if ordered else ("topic", "")
    kafka = f"{{brokers: there, group: g, instance: {instance}, order: {order}}}"
    return load_text(f"version: 1\nkafka: {kafka}\ntopics: {{events: [in]{log}}}\n", "x", {})


def test_it_is_looked_for_in_the_group_of_each_stage() -> None:
    held = {"g": [("in", 0)], "g-ordered": [("or", 1)]}

    def ask(name: str, timeout: float) -> Any:
        return answered("Stable", w0=held[name]).list_groups(name, timeout)

    client: Any = SimpleNamespace(list_groups=ask)
    there = {"in": 2, "or": 2, "drift-alerts": 3}
    unread, ours = Overlooked(of(True), 0.0).look(client, there, 1.0)
    assert {group: set(found) for group, found in unread.items()} == {"g": {("in", 1)}, "g-ordered": {("or", 0)}}
    assert ours == {"g": {("in", 1)}, "g-ordered": {("or", 0)}}
    assert set(Overlooked(of(False), 0.0).look(client, there, 1.0)[0]) == {"g"}


def test_of_members_without_names_it_is_told_and_no_more() -> None:
    """Nothing of theirs waits for a member to be back: it is shared out as soon as one is missed."""
    unread, ours = Overlooked(of(False, "null"), 0.0).look(answered("Stable", driftline=[("in", 0)]), {"in": 2}, 1.0)
    assert (unread, ours) == ({"g": {("in", 1): 0.0}}, {})


def test_what_is_nobodys_for_a_moment_is_not_to_be_shared_out() -> None:
    now_s, there = 100.0, {"in": 2}
    some, all_of_it = (answered("Stable", w0=held) for held in ([("in", 0)], [("in", 0), ("in", 1)]))
    moving = answered("CompletingRebalance", w0=[])
    one = Overlooked(of(False), 2.5, lambda: now_s)

    def ours(client: Any) -> Any:
        return one.look(client, there, 1.0)[1].get("g")

    assert [ours(some) for _ in range(5)] == [frozenset()] * 5, "however often it is looked at"
    now_s += 2.0
    assert ours(all_of_it) == frozenset()
    now_s += 2.0
    assert ours(some) == frozenset()
    now_s += 2.0
    assert ours(moving) is None
    assert one.look(moving, there, 1.0)[0] == {"g": {("in", 1): 2.0}}, "but told it is all the while"
    now_s += 0.5
    assert ours(some) == {("in", 1)}


def test_members_have_their_turn_one_after_the_other_who_has_little_first() -> None:
    """All of them leaving at once would have every partition restored anew."""
    now_s, client = 100.0, answered("Stable", w0=[("in", 0), ("in", 1)], w1=[("in", 2)], w2=[("in", 3)])
    ways = {name: Overlooked(of(False, name), 2.5, lambda: now_s) for name in ("w0", "w1", "w2", "gone")}

    def due() -> list[str]:
        return [name for name, one in ways.items() if one.look(client, {"in": 5}, 1.0)[1].get("g")]

    assert due() == []
    now_s += 2.5
    assert due() == ["w1"]
    now_s += TURN_S
    assert due() == ["w1", "w2"]
    now_s += TURN_S
    assert due() == ["w0", "w1", "w2"], "and who is no member never"


def test_what_is_named_is_bounded() -> None:
    assert named({("a", number) for number in range(NAMED_MAX + 2)}) == "a[0], a[1], a[2], a[3], a[4], a[5] and 2 more"


def test_it_joins_once_more_for_its_own_group_and_not_over_and_over() -> None:
    calls, now_s = list[str](), 100.0
    consumer: Any = SimpleNamespace(
        subscribe=lambda topics, **callbacks: calls.append("subscribe"), unsubscribe=lambda: calls.append("leave")
    )
    one = Subscription(consumer, ["^a.*"], {}, getLogger(), "g", lambda: now_s)
    ours = Surroundings(to_share={"g": frozenset({("a", 1)})})

    def joins(seen: Surroundings, passed_s: float = 0.0) -> int:
        nonlocal now_s
        now_s += passed_s
        before = calls.count("leave")
        one.look(seen)
        return calls.count("leave") - before

    assert joins(Surroundings(to_share={"g-ordered": frozenset({("or", 0)})})) == 0, "that is the other stage's"
    assert joins(ours._replace(down="nobody answers")) == 0, "what was seen is old"
    assert [joins(ours) for _ in range(3)] == [1, 0, 0]
    assert calls == ["subscribe", "leave", "subscribe"]
    assert [joins(ours, AGAIN_S) for _ in range(3)] == [1, 0, 1], "ever more seldom while it does not help"
    assert joins(Surroundings(), 4 * AGAIN_S) == 0, "and once it has helped"
    assert [joins(ours), joins(ours, AGAIN_S)] == [1, 1], "the next time is a first time again"


def test_it_joins_once_more_for_partitions_that_two_looks_did_not_find() -> None:
    given, calls = [TopicPartition("a", 0), TopicPartition("a", 1), TopicPartition("b", 7)], list[str]()
    consumer: Any = SimpleNamespace(
        subscribe=lambda topics, **callbacks: None, unsubscribe=lambda: calls.append("leave"), assignment=lambda: given
    )
    one = Subscription(consumer, ["a", "b"], {}, getLogger(), "g", lambda: 100.0)

    def joins(*found: int) -> int:
        """found: partitions of `a`, a look each; of `b` nothing is known."""
        for count in found:
            seen = Surroundings(topics={"a": Topic(count, "")})
            for _ in range(3):  # What one look has seen is no second one.
                one.look(seen)
        return len(calls)

    assert joins(2, 1, 2, 2, 1) == 0
    assert joins(1) == 1
