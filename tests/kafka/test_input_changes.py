"""What happens to the topics and the group under a service that runs, or between two runs of it."""

from __future__ import annotations

import contextlib
import functools
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from schemas.events.batch import Record
from tests.kafka.service import ROOT, Service, committed, first_ends, produce, read_all, wait_committed
from tests.kafka.test_outages import STATIC, readyz
from tests.kafka.test_service import MORE, PARTITIONS, Setup, Topics, check_against_oracle
from tests.sim.campaign import make_log
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker

LENGTH = 1_500


@pytest.fixture
def setup(broker: str, make_topics: Topics, tmp_path: Path) -> Setup:
    return Setup(broker, make_topics, tmp_path, 40, MORE)


def no_member_stays(setup: Setup) -> None:
    """A static one stays in the group until its session ends."""
    assert STATIC in setup.path.read_text()
    setup.path.write_text(setup.path.read_text().replace(STATIC, ""))


def logs(count: int = PARTITIONS, length: int = LENGTH, seed: int = 0) -> dict[int, list[Record]]:
    return {n: make_log(random.Random(seed + n), n, length) for n in range(count)}


def part(found: dict[int, list[Record]], begin: int, end: int) -> dict[int, list[Record]]:
    return {n: records[begin:end] for n, records in found.items()}


def ends(setup: Setup, at: int, count: int = PARTITIONS) -> None:
    wait_committed(setup.broker, setup.group, setup.events, dict.fromkeys(range(count), at))


@functools.cache
def client_of(broker: str) -> Any:
    """Kept: the answers of one that is gone never come."""
    return AdminClient({"bootstrap.servers": broker, "log_level": 0})


def admin(setup: Setup) -> Any:
    return client_of(setup.broker)


def delete(setup: Setup, topic: str) -> None:
    client = admin(setup)
    client.delete_topics([topic])[topic].result(PATIENCE_S)
    until(lambda: topic not in client.list_topics(timeout=PATIENCE_S).topics, f"{topic} is gone")


def create(setup: Setup, topic: str, partitions: int = PARTITIONS) -> None:
    def made() -> bool:
        with contextlib.suppress(KafkaException):  # Its name is free a little after it is gone.
            admin(setup).create_topics([NewTopic(topic, partitions, 1)])[topic].result(PATIENCE_S)
            return True
        return False

    until(made, f"{topic} is made")


def partitions_of(setup: Setup) -> int:
    return len(admin(setup).list_topics(setup.events, timeout=PATIENCE_S).topics[setup.events].partitions)


def told(service: Service, event: str) -> dict[str, Any]:
    until(lambda: service.lines(event), event)
    return service.lines(event)[-1]


def begun(service: Service) -> int:
    """How often a partition was begun at its beginning."""
    return sum(line["offset"] == 0 for line in service.lines("partition_ready"))


LETTER = "topic", "partition", "offset", "generation"


def names(setup: Setup) -> dict[str, list[Any]]:
    """What names each published record, by topic: its id, and of a dead letter where its record stood."""
    found: dict[str, list[Any]] = {}
    for role in ("alerts", "windows", "beats"):
        messages = read_all(setup.broker, getattr(setup, role), PARTITIONS)
        found[role] = [json.loads(message.value())["id"] for message in messages]
    letters = [dict(message.headers()) for message in read_all(setup.broker, setup.dead, PARTITIONS)]
    found["dead"] = [tuple(letter.get(f"driftline.error.{name}") for name in LETTER) for letter in letters]
    return found


def alive(setup: Setup, generation: int) -> bool:
    begin = f"{setup.events}~{generation}-" if generation else f"{setup.events}-"
    return any(name.startswith(begin) for name in names(setup)["beats"])


def replayed(setup: Setup, generation: int) -> list[bytes]:
    """What was there before the first start is school; what came with a topic that was made anew is not."""
    command = [sys.executable, "-m", "streamer", "replay", "-c", str(setup.path), "--topic", setup.events]
    if generation:
        flags = [["--generation", str(generation)]]
    else:
        flags = [["--partition", str(n), "--first-end", str(end)] for n, end in first_ends(setup.log.parent).items()]
    runs = [subprocess.run([*command, *more], cwd=ROOT, capture_output=True, check=True) for more in flags]
    return [line for run in runs for line in run.stdout.splitlines()]


def test_offsets_that_kafka_forgot_are_found_in_the_state_topic(setup: Setup) -> None:
    no_member_stays(setup)
    records = logs()
    produce(setup.broker, setup.events, part(records, 0, 900))
    with setup.run() as service:
        ends(setup, 900)
        assert service.stop() == 0
    admin(setup).delete_consumer_groups([setup.group])[setup.group].result(PATIENCE_S)
    assert committed(setup.broker, setup.group, setup.events, PARTITIONS)[0][0] < 0
    produce(setup.broker, setup.events, part(records, 900, LENGTH))
    with setup.run() as service:
        ends(setup, LENGTH)
        line = told(service, "offsets_forgotten")
        assert (line["level"], line["offset"]) == ("warning", 900)
        assert service.stop() == 0
    check_against_oracle(setup, records, LENGTH)


def test_partitions_that_are_added_are_read_from_their_beginning(setup: Setup) -> None:
    setup.path.write_text(setup.path.read_text().replace("instance: worker-0,", "instance: worker-0, start: latest,"))
    more = PARTITIONS + 2
    with setup.run() as service:
        until(lambda: len(service.lines("partition_ready")) == PARTITIONS, "all partitions")
        until(lambda: readyz(service)[0] == 200, "ready")
        admin(setup).create_partitions([NewPartitions(setup.events, more)])[setup.events].result(PATIENCE_S)
        until(lambda: partitions_of(setup) == more)
        produce(setup.broker, setup.events, logs(more, 300))
        ends(setup, 300, more)
        assert {line["partition"] for line in service.lines("partition_added")} == {PARTITIONS, PARTITIONS + 1}
        until(lambda: len(service.lines("keys_may_have_moved")) > 0, "that keys may have moved")
        assert service.stop() == 0


def test_a_topic_that_is_made_anew_under_a_running_service_is_read_from_its_beginning(setup: Setup) -> None:
    produce(setup.broker, setup.events, logs(length=600))
    with setup.run() as service:
        ends(setup, 600)
        delete(setup, setup.events)
        create(setup, setup.events)
        produce(setup.broker, setup.events, logs(length=900, seed=9))

        def lost() -> dict[int, str]:
            return {line["partition"]: line["why"] for line in service.lines("state_lost")}

        until(lambda: len(lost()) == PARTITIONS, "every partition is begun anew")
        assert all("created anew" in why or "recreated" in why for why in lost().values())
        assert all("created anew" in line["why"] or "not there" in line["why"] for line in service.lines("input_gone"))
        until(lambda: begun(service) == 2 * PARTITIONS, "from nothing, and from nothing once more")
        ends(setup, 900)
        assert service.stop() == 0
    for role, found in names(setup).items():
        assert len(set(found)) == len(found), role
    assert {f"{setup.events}~1" in name for name in names(setup)["alerts"]} == {True, False}


def test_a_topic_that_was_made_anew_between_two_runs_is_another_one_however_long_it_is(setup: Setup) -> None:
    """Also the second time, when the longest of its snapshots is of the first; and no id comes again."""
    setup.path.write_text(setup.path.read_text() + "heartbeat: {interval: 1s}\n")
    before: list[bytes] = []
    for generation, length in enumerate((1200, 700, 900)):
        if generation:
            delete(setup, setup.events)
            create(setup, setup.events)
        produce(setup.broker, setup.events, logs(length=length, seed=9))
        with setup.run() as service:
            ends(setup, length)
            lost = service.lines("state_lost")
            assert len(lost) == generation * PARTITIONS
            assert all("deleted and created anew" in line["why"] for line in lost)
            assert [line["offset"] for line in service.lines("partition_ready")][-PARTITIONS:] == [0] * PARTITIONS
            until(functools.partial(alive, setup, generation), "a sign of life")
            assert service.stop() == 0
        published = sorted(setup.published())
        assert published == sorted(before + replayed(setup, generation))
        assert len(published) > len(before) + 20
        before = published
    for role, found in names(setup).items():
        assert len(set(found)) == len(found) > 0, role


@pytest.mark.parametrize("role", ["alerts", "state"])
def test_a_topic_of_ours_that_is_deleted_is_named_and_all_goes_on_once_it_is_back(setup: Setup, role: str) -> None:
    records = logs()
    topic = getattr(setup, role)
    produce(setup.broker, setup.events, part(records, 0, 600))
    with setup.run() as service:
        ends(setup, 600)
        delete(setup, topic)
        produce(setup.broker, setup.events, part(records, 600, 900))
        until(lambda: f"no topic {topic}" in readyz(service)[1], "said on /readyz")
        assert f"(topics.{role})" in readyz(service)[1]
        assert told(service, "waiting")["level"] == "warning"
        create(setup, topic)
        produce(setup.broker, setup.events, part(records, 900, LENGTH))
        ends(setup, LENGTH)
        until(lambda: readyz(service)[0] == 200, "ready again")
        assert service.stop() == 0
