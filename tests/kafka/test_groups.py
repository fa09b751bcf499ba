"""What a group looks like from outside, and that asking ends nobody."""

from __future__ import annotations

import struct
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from streamer.kafka.groups import UUID_CHARS, Group, assigned, group_of
from streamer.port import Partition
from tests.kafka.service import ROOT
from tests.kafka.world import MakeTopics
from tests.waiting import PATIENCE_S, until

UUID = "0b5f6b6e-0c0e-4d0e-9a55-6f9ad1b1a111"


def wire(*held: Partition) -> bytes:
    """An assignment as members get it."""
    topics = [(topic, [number for _, number in own]) for topic, own in groupby(held, lambda one: one[0])]
    data = struct.pack(">hi", 1, len(topics))
    for topic, numbers in topics:
        data += struct.pack(f">h{len(topic)}si{len(numbers)}i", len(topic), topic.encode(), len(numbers), *numbers)
    return data + struct.pack(">i", -1)


def test_an_assignment_is_read_as_it_is_on_the_wire() -> None:
    held = [("a", 0), ("a", 7), ("b-b", 2)]
    data = wire(*held)
    assert assigned(data) == held
    assert assigned(wire()) == []
    assert [assigned(data[:end]) for end in range(len(data) - 4)] == [[]] * (len(data) - 4), "what breaks off is none"


def test_a_group_that_cannot_be_seen_is_none() -> None:
    def client(**changes: Any) -> Any:
        there = {"id": "g", "error": None, "state": "Stable", "protocol_type": "consumer", "members": []} | changes
        return SimpleNamespace(list_groups=lambda name, timeout: [SimpleNamespace(**there)])

    assert group_of(client(), "g", 1.0) == Group("Stable", {})
    for changes in ({"id": "other"}, {"error": "no"}, {"protocol_type": "connect"}, {"protocol_type": ""}):
        assert group_of(client(**changes), "g", 1.0) is None


def test_no_service_asks_a_coordinator_by_the_admin_client() -> None:
    """Of three that did so while connections were lost, one ended by SIGABRT every four seconds (librdkafka#4605)."""
    asking = ("describe_consumer_groups", "list_consumer_group_offsets")
    found = {
        path.name: {word for word in asking if word in path.read_text()}
        for room in ("kafka", "service", "engine")
        for path in (ROOT / "streamer" / room).glob("*.py")
    }
    assert {name: words for name, words in found.items() if words} == {"admin.py": {"describe_consumer_groups"}}
    text = (ROOT / "streamer" / "kafka" / "examination.py").read_text()
    assert text.count("admin.group(") == 1, "of `doctor` alone"
    assert "admin.group(" not in text[text.index("def missing_rights") :]


@pytest.mark.broker
def test_a_broker_tells_who_has_what(broker: str, make_topics: MakeTopics) -> None:
    [topic] = make_topics("in", partitions=2)
    admin = AdminClient({"bootstrap.servers": broker, "log_level": 0})
    assert group_of(admin, f"g-{topic}", PATIENCE_S) is None
    member = {"group.id": f"g-{topic}", "group.instance.id": "w-0", "session.timeout.ms": 60_000}
    consumer = Consumer({"bootstrap.servers": broker, "log_level": 0, **member})
    consumer.subscribe([topic])
    until(lambda: len(consumer.assignment()) == 2, step=lambda: consumer.poll(0.1))
    found = group_of(admin, f"g-{topic}", PATIENCE_S)
    assert found is not None
    assert found.state == "Stable"
    assert {name[:-UUID_CHARS]: held for name, held in found.held.items()} == {"w-0": [(topic, 0), (topic, 1)]}
    consumer.close()
