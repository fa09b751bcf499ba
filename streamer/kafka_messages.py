"""From the messages of confluent-kafka's binding to records and columns.

Each question to a message costs as much as a detector's step, so none is asked whose answer is known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from confluent_kafka import Message

from schemas.batch import I64, Record, RecordColumns
from schemas.compiled import native
from streamer.log import Partition


class Stretch(NamedTuple):
    """Consecutive messages of one partition without an error, or one with it."""

    partition: Partition
    messages: list[Message]
    times_ms: I64  # record timestamps, -1 where there is none


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


def record_columns(messages: list[Message], times_ms: I64) -> RecordColumns:
    """Messages of one partition without errors. Keys and headers stay with the messages until a Record is wanted."""
    first, last = messages[0].offset(), messages[-1].offset()
    if first is not None and last is not None and last - first == len(messages) - 1:
        offsets = np.arange(first, last + 1)  # They ascend, so there is no gap.
    else:
        offsets = np.fromiter(map(Message.offset, messages), np.int64, len(messages))
    values = list(map(Message.value, messages))
    return RecordColumns(values, offsets, times_ms, lambda place: record_of(messages[place]))


def times_of(messages: list[Message]) -> I64:
    """Record timestamps, -1 where there is none."""
    stamps = list(map(Message.timestamp, messages))
    if native is not None:
        found: I64 = native.times(stamps)
        return found
    return np.array([time_ms if kind else -1 for kind, time_ms in stamps], np.int64)


def stretches(messages: list[Message], only: str = "") -> list[Stretch]:
    """All messages, in order. `only`: the topic, where there is but one."""
    if not messages:
        return []
    topics: list[str | None] = [only] * len(messages) if only else list(map(Message.topic, messages))
    numbers, times_ms = list(map(Message.partition, messages)), times_of(messages)
    # What stands for an error has no time. Without one the messages nearly always are of one partition or two, which is
    # seen without a step of Python for each.
    if times_ms.min() >= 0 or not any(map(Message.error, messages)):
        one = numbers.count(numbers[0]) == len(numbers)
        ends = [*([] if one else (np.flatnonzero(np.diff(np.array(numbers))) + 1).tolist()), len(numbers)]
        spans = list(zip([0, *ends], ends, strict=False))
        if all(topics[begin:end].count(topics[begin]) == end - begin for begin, end in spans):
            named = [((topics[begin] or "", numbers[begin] or 0), begin, end) for begin, end in spans]
            return [Stretch(name, messages[begin:end], times_ms[begin:end]) for name, begin, end in named]
    return _one_by_one(messages, topics, numbers, times_ms)


def _one_by_one(
    messages: list[Message], topics: list[str | None], numbers: list[int | None], times_ms: I64
) -> list[Stretch]:
    begins: list[tuple[Partition, int]] = []
    before = None
    for place, (message, topic, number) in enumerate(zip(messages, topics, numbers, strict=True)):
        partition = topic or "", -1 if number is None else number
        # An error must not be compared: the binding's errors raise when they are.
        fine = message.error() is None
        if not fine or partition != before:
            begins.append((partition, place))
        before = partition if fine else None
    ends = [*(place for _, place in begins[1:]), len(messages)]
    spans = zip(begins, ends, strict=True)
    return [Stretch(partition, messages[begin:end], times_ms[begin:end]) for (partition, begin), end in spans]
