"""What a reader in a process of its own says, and how it ends, on a real broker."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from types import SimpleNamespace
from typing import Any

import msgpack
import pytest
from confluent_kafka import Producer

from streamer.kafka.client import consumer_settings
from streamer.kafka.killer_batch import COMMAND, ONE_BATCH, ours
from streamer.kafka.lookout import CANNOT, DONE, NO_MEMORY, READY, RECORD
from tests.broker.topics import topic_maker
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker

MB = 1_000_000
LARGE = 200 * MB


def looked(broker: str, topic: str, **more: Any) -> tuple[int, list[list[Any]]]:
    """The exit code and the frames."""
    config: Any = SimpleNamespace(kafka=SimpleNamespace(brokers=broker, group="g", client={"log_level": 0}))
    order = {
        "settings": consumer_settings(config, {"enable.partition.eof": True} | ONE_BATCH),
        "topic": topic,
        "partition": 0,
        "start": 0,
        "records": 10,
        "bytes": MB,
        "told": True,
        "value_bytes": 100,
        "memory": 64 * MB,
        "silent_s": PATIENCE_S,  # 200 MB are unpacked and copied between two answers.
    }
    text = json.dumps(order | more).encode() + b"\n"
    done = subprocess.run(COMMAND, input=text, env=ours(), capture_output=True, check=False)
    frames = msgpack.Unpacker()
    frames.feed(done.stdout)
    return done.returncode, list(frames)


@pytest.fixture(scope="module")
def topic(broker: str) -> str:
    [name] = topic_maker(broker)("in")
    producer = Producer({"bootstrap.servers": broker, "compression.type": "gzip", "message.max.bytes": 10**9})
    producer.produce(name, b"v" * 101, b"k", partition=0, headers=[("h", b"1")], timestamp=7)
    assert producer.flush(PATIENCE_S) == 0
    producer.produce(name, bytes(LARGE), partition=0)
    assert producer.flush(PATIENCE_S) == 0
    return str(name)


def test_it_tells_what_it_reads_and_that_it_is_done(broker: str, topic: str) -> None:
    whole = [101, hashlib.sha256(b"v" * 101).hexdigest()]
    record = [RECORD, 0, 7, b"k", b"v" * 100, [["h", b"1"]], whole, ""]
    assert looked(broker, topic, records=1) == (0, [[READY], record, [DONE]])
    assert looked(broker, topic, records=1, told=False) == (0, [[READY], [DONE]])
    code, frames = looked(broker, topic, memory=3 * LARGE, bytes=10**9)
    assert (code, [frame[:2] for frame in frames]) == (0, [[READY], [RECORD, 0], [RECORD, 1], [DONE]])


def test_where_there_is_no_memory_it_dies_and_says_so_by_how(broker: str, topic: str) -> None:
    code, frames = looked(broker, topic, start=1)
    assert (code, frames) == (-signal.SIGABRT, [[READY]])  # librdkafka, unpacking
    code, frames = looked(broker, topic, start=1, memory=int(1.5 * LARGE))
    assert (code, frames) == (NO_MEMORY, [[READY]])  # the binding, copying


def test_no_answer_is_no_death(broker: str, topic: str) -> None:
    code, [[kind, why]] = looked("127.0.0.1:1", topic, silent_s=1)
    assert (code, kind) == (0, CANNOT)
    assert "Failed to get metadata" in why

    def connected() -> list[tuple[int, list[list[Any]]]]:
        return [told for told in [looked(broker, topic, start=99, silent_s=1)] if told[1][0] == [READY]]

    [(code, frames)] = until(connected)
    assert (code, frames[0][0], frames[-1][0]) == (0, READY, CANNOT)
    assert "nothing for 1 s" in frames[-1][1]
