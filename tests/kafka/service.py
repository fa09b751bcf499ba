"""Helpers for tests that run the real service against the real broker."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.events.batch import Record
from streamer.config.stages import SECOND
from streamer.port import Out
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).resolve().parents[2]


class Service:
    """`driftline run` as a process; its log lines are in `log`."""

    def __init__(self, config: Path, log: Path, data_bytes: int | None = None) -> None:
        """`data_bytes`: how much memory of its own it may have."""
        self.config, self.log = config, log
        bound = None if data_bytes is None else partial(resource.setrlimit, resource.RLIMIT_DATA, (data_bytes,) * 2)
        with log.open("ab") as out:
            command = [sys.executable, "-m", "streamer", "run", "-c", str(config)]
            pipes: Any = {"stdout": out, "stderr": subprocess.STDOUT, "env": {**os.environ}}
            self.process = subprocess.Popen(command, cwd=ROOT, preexec_fn=bound, **pipes)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def lines(self, event: str) -> list[dict[str, Any]]:
        whole = self.log.read_text().rpartition("\n")[0]  # The last line may still be being written.
        found = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *details: object) -> None:
        if details[0] is not None:
            print(f"{self.config}:\n{self.log.read_text()[-6000:]}")  # Shown with the failure.
        if self.process.poll() is None:
            self.kill()


def first_ends(folder: Path) -> dict[int, int]:
    """Where the retained history of each partition ended at the first start, as the log lines of all services there
    say it; none of those that had none. Who was killed before anything was committed has said another one before.
    """
    texts = [path.read_text().rpartition("\n")[0].splitlines() for path in folder.glob("*.log")]
    found = [json.loads(line) for text in texts for line in text if '"event": "history_begins"' in line]
    return {line["partition"]: line["first_end"] for line in sorted(found, key=lambda line: line["time"])}


def produce(broker: str, topic: str, records: Mapping[int, Iterable[Record]]) -> None:
    """Records per partition, with their keys, headers and timestamps. To a partition that the broker does not know yet,
    as it was added just now, a producer would send nothing, and its flush would not say so.
    """
    producer, refused = Producer({"bootstrap.servers": broker, "linger.ms": 20, "log_level": 0}), list[str]()

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            refused.append(f"{message.topic()}[{message.partition()}]: {error.str()}")

    until(lambda: len(producer.list_topics(topic, PATIENCE_S).topics[topic].partitions) > max(records, default=-1))
    for partition, chosen in records.items():
        for record in chosen:
            kept: Any = {"timestamp": max(record.time_ms, 0), "headers": list(record.headers)}
            producer.produce(topic, record.value, record.key, partition, delivered, **kept)
            producer.poll(0)
    assert producer.flush(PATIENCE_S) == 0
    assert not refused, refused[0]


def committed(broker: str, group: str, topic: str, partitions: int) -> dict[int, tuple[int, str]]:
    """Committed offset and metadata per partition."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": group, "log_level": 0})
    found = consumer.committed([TopicPartition(topic, n) for n in range(partitions)], timeout=PATIENCE_S)
    consumer.close()
    return {p.partition: (p.offset, p.metadata or "") for p in found}


def wait_committed(broker: str, group: str, topic: str, ends: Mapping[int, int], seconds: float = PATIENCE_S) -> None:
    """Until the group has committed the end of every partition."""
    at: dict[int, int] = {}

    def all_are() -> bool:
        with contextlib.suppress(KafkaException):  # The group's coordinator may still be electing itself.
            at.update((number, offset) for number, (offset, _) in committed(broker, group, topic, len(ends)).items())
        return {number: at.get(number) for number in ends} == dict(ends)

    until(all_are, lambda: f"committed {at}, wanted {dict(ends)}", seconds=seconds)


def beats_of(broker: str, topic: str, partitions: int) -> dict[int, list[Out]]:
    """The signs of life of each input partition, in the order they were told: they lie in several partitions."""
    told = [(json.loads(m.value())["data"], m) for m in read_all(broker, topic, partitions)]
    told.sort(key=lambda one: one[0]["tick"]["number"])
    found: dict[int, list[Out]] = {number: [] for number in range(partitions)}
    for data, message in told:
        found[data["partition"]].append(Out("heartbeats", message.key(), message.value()))
    return found


def wait_ordered(broker: str, group: str, topic: str, partitions: int) -> None:
    """Until stage 2 has committed the end of all that stage 1 has written."""
    ends = {message.partition(): message.offset() + 1 for message in read_all(broker, topic, partitions)}
    at = {number: ends.get(number, 0) for number in range(partitions)}

    def all_are() -> bool:
        found = committed(broker, group + SECOND, topic, partitions)
        return all(found[number][0] >= end for number, end in at.items())

    until(all_are, lambda: f"wanted {at} of {topic}")


def read_all(broker: str, topic: str, partitions: int) -> list[Any]:
    """Every committed record of a topic, as any read_committed consumer gets them."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in range(partitions)])
    found, ended = [], set()
    while len(ended) < partitions:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error() is None:
            found.append(message)
        else:
            ended.add(message.partition())
    consumer.close()
    return found
