"""From the messages of confluent-kafka's binding to records and columns.

Each question to a message costs as much as a detector's step, so none is asked whose answer is known.
"""

from __future__ import annotations

from itertools import accumulate, groupby, pairwise, repeat
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
    values = tuple(map(Message.value, messages))
    return RecordColumns(values, offsets, times_ms, lambda place: record_of(messages[place]))


def stretches(messages: list[Message], only: str = "") -> list[Stretch]:
    """All messages, in order. `only`: the topic, where there is but one."""
    begins, times_ms = _runs(messages, only)
    # What stands for an error has no time. It stands alone.
    if messages and times_ms.min() < 0:
        wrong = [place for place, message in enumerate(messages) if message.error() is not None]
        begins = sorted({*begins, *wrong, *(place + 1 for place in wrong)} - {len(messages)})
    spans = pairwise([*begins, len(messages)])
    return [Stretch(_partition(messages[a], only), messages[a:b], times_ms[a:b]) for a, b in spans]


def _partition(message: Message, only: str) -> Partition:
    number = message.partition()
    return only or message.topic() or "", -1 if number is None else number


def _runs(messages: list[Message], only: str) -> tuple[list[int], I64]:
    """Where each run of messages of one partition begins, and the record timestamps, -1 where there is none."""
    numbers, stamps = map(Message.partition, messages), map(Message.timestamp, messages)
    topics = None if only else map(Message.topic, messages)
    if native is not None:
        begins: list[int]
        begins, times_ms = native.runs(topics, numbers, stamps)
        return begins, times_ms
    times_ms = np.array([time_ms if kind else -1 for kind, time_ms in stamps], np.int64)
    lengths = [len(list(run)) for _, run in groupby(zip(topics or repeat(only), numbers, strict=False))]
    return list(accumulate(lengths[:-1], initial=0)) if lengths else [], times_ms
