"""Reads a partition in a process of its own, with a limit on its memory, and dies of what others would die of.

`python -m streamer.kafka.lookout`: the order is one line of JSON on stdin, see `Order`; what is read goes to stdout as
it comes, in frames of msgpack. It imports little: a search starts it some dozen times.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from contextlib import suppress
from typing import Any, TypedDict

import msgpack
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streamer.kafka.bad_offsets import UNREADABLE, BadOffsets
from streamer.kafka.memory import used

READY, RECORD, DONE, CANNOT = range(4)
"""What a frame says first: the limit holds, reading begins; a record; all was read; it cannot be read, and why."""
NO_MEMORY = 77
"""Exit code where it was Python that had none."""


class Order(TypedDict):
    """What is to be read: up to so many records or bytes, or to the end of the partition."""

    settings: dict[str, Any]
    topic: str
    partition: int
    start: int
    records: int
    bytes: int
    told: bool  # or nothing is told but that all was read
    value_bytes: int  # more of a value is not told, but its size and hash
    memory: int  # what may be used beyond what a client needs anyway
    silent_s: float  # no answer for that long is none


def tell(*frame: object) -> None:
    sys.stdout.buffer.write(msgpack.packb(frame))
    sys.stdout.buffer.flush()


def limit(more: int) -> None:
    """Not beyond a limit that holds already. The system, when it runs out of memory, shall choose us; and our death
    leaves no core behind.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    now = used("VmData")
    if now is not None:
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        bounds = [bound for bound in (soft, hard, now + more) if bound != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))


def tell_record(message: Message, most: int) -> None:
    kind, time_ms = message.timestamp()
    key, value, headers = message.key(), message.value(), message.headers()
    whole = None
    if value is not None and len(value) > most:
        whole = len(value), hashlib.sha256(value).hexdigest()
        value = value[:most]
    tell(RECORD, message.offset(), time_ms if kind else -1, key, value, headers or (), whole, "")


def read(order: Order, consumer: Consumer) -> None:
    topic, number, at = order["topic"], order["partition"], order["start"]
    consumer.assign([TopicPartition(topic, number, at)])
    records = size = 0
    bad = BadOffsets()
    heard_s, why = time.monotonic(), "no answer"
    while records < order["records"] and size < order["bytes"]:
        message = consumer.poll(0.5)
        if message is None:
            if time.monotonic() - heard_s > order["silent_s"]:
                return tell(CANNOT, f"nothing for {order['silent_s']:g} s: {why}")
            continue
        error = message.error()
        if error is None:
            heard_s = time.monotonic()
            at = (message.offset() or 0) + 1
            records, size = records + 1, size + len(message.key() or b"") + len(message.value() or b"")
            if order["told"]:
                tell_record(message, order["value_bytes"])
        elif error.code() == KafkaError._PARTITION_EOF:
            break
        elif error.code() in UNREADABLE:
            at = max(at, message.offset() or 0)
            if bad.struck((topic, number), at):
                if order["told"]:
                    tell(RECORD, at, -1, None, None, (), None, error.str())
                records, at, heard_s = records + 1, at + 1, time.monotonic()
                consumer.seek(TopicPartition(topic, number, at))
        else:
            why = error.str()
            if error.fatal():
                return tell(CANNOT, why)
    return tell(DONE)


def main() -> None:
    order: Order = json.loads(sys.stdin.readline())
    try:
        consumer = Consumer(order["settings"])
        # Who is connected has made most of what a client needs.
        consumer.list_topics(order["topic"], timeout=order["silent_s"])
        limit(order["memory"])
        tell(READY)
        read(order, consumer)
    except KafkaException as exception:
        tell(CANNOT, str(exception.args[0]))
    except (MemoryError, SystemError) as error:
        # The binding leaves the exception pending when there is no room for its copy of a value.
        if not isinstance(error, MemoryError) and not isinstance(error.__cause__, MemoryError):
            raise
        os._exit(NO_MEMORY)
    os._exit(0)  # A close can wait for ever, and nobody needs it.


if __name__ == "__main__":
    main()
