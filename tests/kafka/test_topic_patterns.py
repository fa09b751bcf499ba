"""Topics by pattern on a real broker: one that appears while the service runs is read from its beginning."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer

from schemas.events.batch import Record
from streamer.commands.cli import main
from streamer.config.topics import Topics
from tests.kafka.mock_cluster import MockCluster
from tests.kafka.service import produce, read_all
from tests.kafka.test_input_changes import create, delete, ends
from tests.kafka.test_outages import readyz
from tests.kafka.test_service import PARTITIONS, Setup
from tests.kafka.world import MakeTopics
from tests.waiting import until

SHIFT, LENGTH = 700, 900
REFRESH = "client: {topic.metadata.refresh.interval.ms: 1000, "


def shifted(seed: int, shift: float) -> list[Record]:
    draw, begin_ms = random.Random(seed), 1_700_000_000_000
    events = [
        {"model": "m", "time": begin_ms + 1000 * n, "features": {"a": draw.gauss(shift if n >= SHIFT else 0.0, 1.0)}}
        for n in range(LENGTH)
    ]
    return [Record(0, begin_ms + 1000 * n, b"m", json.dumps(event).encode()) for n, event in enumerate(events)]


def test_what_we_write_is_never_subscribed_to_and_what_is_only_called_alike_is() -> None:
    """On the mock: it is the client that leaves them out."""
    topics = Topics(events=["^.*"], alerts="drift.alerts")
    with MockCluster("a", "drift.alerts", "drift-alerts", "drift-state", "drift-state-2", "__internal") as cluster:
        settings = {"bootstrap.servers": cluster.brokers, "group.id": "g", "topic.blacklist": topics.never_read()}
        consumer = Consumer(settings)
        consumer.subscribe(topics.events)
        until(lambda: consumer.poll(0.05) or consumer.assignment(), "assigned")
        assert sorted(found.topic for found in consumer.assignment()) == ["a", "drift-alerts", "drift-state-2"]
        consumer.close()


@pytest.mark.broker
def test_a_topic_that_appears_is_read_from_its_beginning_and_one_that_goes_stops_nothing(
    broker: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    setup = Setup(broker, make_topics, tmp_path, 200)
    pattern, new = f"^{setup.events}(-new)?$", f"{setup.events}-new"
    text = setup.path.read_text().replace(f"[{setup.events}]", f'["{pattern}"]').replace("client: {", REFRESH)
    setup.path.write_text(text.replace("instance: worker-0,", "instance: worker-0, start: latest,"))
    planned = CliRunner().invoke(main, ["topics", "plan", "-c", str(setup.path)])
    assert f"{pattern}  matches {setup.events}; nothing is created of a pattern" in planned.output
    checked = CliRunner().invoke(main, ["doctor", "-c", str(setup.path)])
    assert f"{pattern} matches 1 topic: {setup.events}" in checked.output
    with setup.run() as service:
        until(lambda: len(service.lines("partition_ready")) == PARTITIONS, "all partitions")
        until(lambda: readyz(service)[0] == 200, "ready")
        assert service.lines("topics_matched")[0]["topics"] == setup.events
        produce(broker, setup.events, {0: shifted(1, 0.0)})
        create(setup, new, 1)
        produce(broker, new, {0: shifted(2, 5.0)})  # Before anybody can have seen it.
        new_only = Setup.__new__(Setup)
        new_only.__dict__ |= vars(setup) | {"events": new}
        ends(new_only, LENGTH, 1)
        [line] = [line for line in service.lines("partition_ready") if line["topic"] == new]
        assert line["offset"] == 0
        until(lambda: {a["topic"] for a in alerts(setup)} == {new}, "its shift is found")
        delete(setup, new)
        until(lambda: service.lines("topic_gone"), "said")
        produce(broker, setup.events, {1: shifted(3, 5.0)})
        until(lambda: {a["topic"] for a in alerts(setup)} == {new, setup.events}, "the other goes on")
        until(lambda: readyz(service)[0] == 200, "ready")
        assert service.stop() == 0
    assert [line["topic"] for line in service.lines("topic_appeared")] == [new]
    for alert in alerts(setup):
        partition = {new: 0, setup.events: 1}[alert["topic"]]
        assert alert["partition"] == partition
        assert SHIFT <= alert["offset"] < SHIFT + 60, alert


def alerts(setup: Setup) -> list[dict[str, Any]]:
    """Where those that fire were triggered, as published."""
    found = [json.loads(message.value()) for message in read_all(setup.broker, setup.alerts, PARTITIONS)]
    return [alert["data"]["trigger"] for alert in found if alert["type"] == "io.driftline.alert.firing.v1"]
