"""From the messages of a consumer to records and columns, past the binding where the compiled core can take them.

The binding makes an object of every message; what it says of itself it has to be asked, each question for as much time
as a detector's step. The core takes them from librdkafka as they are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from itertools import compress, count, pairwise
from operator import ne
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition, cimpl

from schemas.core import native
from schemas.events.batch import I64, Record, RecordColumns, Whole
from schemas.records.dead_letter import RECORD_BYTES_MAX
from streamer.kafka.client import Deadline, Limits, error_of
from streamer.port import LogDown, Partition

NO_LIMIT = 1 << 40


class Stretch(NamedTuple):
    """Consecutive messages of one partition without an error, or one with it."""

    partition: Partition
    columns: RecordColumns
    error: KafkaError | None = None


class Intake(Protocol):
    """How messages of a consumer in a group are taken."""

    def follow(self, partition: Partition) -> None:
        """To be called once a partition is assigned and sought, before it is resumed."""
        ...

    def take(self, limit: int, timeout_s: float) -> list[Stretch]:
        """Serve the callbacks and take up to `limit` messages, as soon as there is one. What a message holds is there
        until `close`. KafkaException: the consumer cannot go on.
        """
        ...

    def close(self) -> None:
        """To be called before the consumer is closed."""
        ...


class ByBinding:
    """See `Intake`."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def follow(self, partition: Partition) -> None:
        pass

    def take(self, limit: int, timeout_s: float) -> list[Stretch]:
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        return stretches([first, *self._consumer.consume(limit - 1, 0)] if limit > 1 else [first])

    def close(self) -> None:
        pass


class ByCore:
    """See `Intake`. The partitions' messages have a queue of their own; the consumer's has callbacks and errors."""

    def __init__(self, consumer: Consumer, most: int) -> None:
        assert native is not None
        self._consumer, self._core, self._most = consumer, native.Intake(consumer), most

    def follow(self, partition: Partition) -> None:
        self._core.follow(*partition)

    def take(self, limit: int, timeout_s: float) -> list[Stretch]:
        found: list[Stretch] = []
        while (message := self._consumer.poll(0)) is not None:
            found += stretches([message])
        for topic, number, offsets, times_ms, messages, error in self._core.take(limit, round(timeout_s * 1000)):
            values, make = cast("Sequence[bytes | None]", messages), _maker(messages, self._most)
            columns = RecordColumns(values, offsets, times_ms, make, messages.keys)
            found.append(Stretch((topic, number), columns, error and KafkaError(*error)))
        return found

    def close(self) -> None:
        self._core.close()


def connect(
    make: Callable[[dict[str, Any]], Consumer], logger: logging.Logger, plugins: str = "", message_bytes: int = NO_LIMIT
) -> tuple[Consumer, Intake]:
    """A consumer, made from further settings, and how its messages are taken. `plugins`: those it has already. What is
    longer than `message_bytes` and no dead letter either is not copied as a whole, where the core takes it. There
    an `error_cb` would not be called: what ends a consumer comes with its messages.
    """
    if native is not None:
        try:
            native.use_librdkafka_of(cimpl.__file__)
            consumer = make({"plugin.library.paths": f"{plugins};{native.__file__}".lstrip(";")})
            return consumer, ByCore(consumer, max(message_bytes, RECORD_BYTES_MAX) + 1)
        except (OSError, RuntimeError, LogDown) as error:
            # Another build of librdkafka; or the fault is not the plugin's, which the next attempt tells.
            logger.info("kafka client without plugin, messages take more time: %s", error)
    consumer = make({})
    return consumer, ByBinding(consumer)


def resume(consumer: Consumer, intake: Intake, partition: Partition, offset: int, limits: Limits) -> None:
    """A partition that is assigned and paused goes on at this offset."""
    deadline, patience = Deadline(limits.metadata), Deadline(limits.metadata / 5)
    while True:
        try:
            consumer.seek(TopicPartition(*partition, offset))
            intake.follow(partition)
            consumer.resume([TopicPartition(*partition)])
            break
        except KafkaException as exception:
            # _STATE: librdkafka's main thread has not served the assignment yet.
            error = error_of(exception)
            if error.code() != KafkaError._STATE or deadline.over():
                raise LogDown(f"cannot start {partition[0]}[{partition[1]}]: {error.str()}") from exception
            if patience.over():
                # Or it has given the partition up, which it does when its topic was deleted, and never takes it back by
                # itself though the topic is there again.
                patience = Deadline(limits.metadata / 5)
                consumer.incremental_unassign([TopicPartition(*partition)])
                consumer.incremental_assign([TopicPartition(*partition, offset)])
                consumer.pause([TopicPartition(*partition)])
            time.sleep(0.02)


def record_of(message: Message) -> Record:
    kind, time_ms = message.timestamp()
    headers = message.headers()
    offset = message.offset()
    assert offset is not None
    return Record(
        offset,
        time_ms if kind else -1,
        message.key(),
        message.value(),
        tuple(headers) if headers else (),  # type: ignore[arg-type]  # the binding hands out str and bytes pairs
    )


def stretches(messages: list[Message]) -> list[Stretch]:
    """All messages, in order."""
    stamps = map(Message.timestamp, messages)
    times_ms = np.array([time_ms if kind else -1 for kind, time_ms in stamps], np.int64)
    begins = {0}
    for place in (Message.topic, Message.partition):
        places = list(map(place, messages))
        begins.update(compress(count(1), map(ne, places, places[1:])))
    # What stands for an error has no time. It stands alone.
    if messages and times_ms.min() < 0:
        wrong = {place for place, message in enumerate(messages) if message.error() is not None}
        begins |= wrong | {place + 1 for place in wrong}
    spans = pairwise(sorted((begins if messages else set()) | {len(messages)}))
    return [_stretch(messages[a:b], times_ms[a:b]) for a, b in spans]


def _stretch(messages: list[Message], times_ms: I64) -> Stretch:
    first, last = messages[0].offset(), messages[-1].offset()
    if first is not None and last is not None and last - first == len(messages) - 1:
        offsets = np.arange(first, last + 1)  # They ascend, so there is no gap.
    else:
        offsets = np.array([-1 if offset is None else offset for offset in map(Message.offset, messages)], np.int64)
    values = tuple(map(Message.value, messages))
    topic, number = messages[0].topic(), messages[0].partition()
    # Keys and headers stay with the messages until a Record is wanted.
    columns = RecordColumns(values, offsets, times_ms, lambda place: record_of(messages[place]))
    return Stretch((topic or "", -1 if number is None else number), columns, messages[0].error())


def _maker(messages: Any, most: int) -> Callable[[int], Record]:
    def record(place: int) -> Record:
        offset, time_ms, key, value, headers, whole = messages.record(place, most)
        return Record(offset, time_ms, key, value, headers, whole and Whole(*whole))

    return record
