"""From the binding's messages to columns: stretches of one partition, offsets with and without gaps, times."""

from __future__ import annotations

import itertools
import random

import pytest
from confluent_kafka import KafkaError, Message

from streamer.kafka.intake import stretches


def message(topic: str, partition: int, offset: int, kind: int = 1, failed: bool = False) -> Message:
    error = KafkaError(KafkaError._BAD_MSG) if failed else None
    place = {"topic": topic, "partition": partition, "offset": offset, "error": error}
    return Message(**place, value=b"%d" % offset, key=b"k", timestamp=(0, -1) if failed else (kind, 1000 + offset))


def times_of(messages: list[Message]) -> list[int]:
    stamps = [message.timestamp() for message in messages]
    return [time_ms if kind else -1 for kind, time_ms in stamps]


def test_stretches_are_consecutive_messages_of_one_partition_and_errors_alone() -> None:
    rng = random.Random(1)
    for _ in range(300):
        partitions, share = rng.choice((1, 1, 2, 3)), rng.choice((0.0, 0.0, 0.1))
        messages: list[Message] = []
        for _ in range(rng.randint(0, 4)):
            topic, partition = f"t{rng.randrange(partitions)}", rng.randrange(partitions)
            kind = rng.choice((0, 1))
            messages += [message(topic, partition, i, kind, rng.random() < share) for i in range(rng.randint(1, 9))]
        expected: list[tuple[object, list[Message]]] = []
        for i, one in enumerate(messages):
            before = messages[i - 1] if i else None
            place = one.topic(), one.partition()
            calm = before is not None and before.error() is None and one.error() is None
            if calm and before is not None and (before.topic(), before.partition()) == place:
                expected[-1][1].append(one)
            else:
                expected.append((place, [one]))
        found = stretches(messages)
        assert [stretch.partition for stretch in found] == [where for where, _ in expected]
        assert [stretch.error for stretch in found] == [part[0].error() for _, part in expected]
        for stretch, (_, part) in zip(found, expected, strict=True):
            assert stretch.columns.offsets.tolist() == [m.offset() for m in part]
            assert stretch.columns.times_ms.tolist() == times_of(part)
            assert stretch.columns.values == tuple(m.value() for m in part)


@pytest.mark.parametrize("offsets", [[5], [5, 6, 7], [5, 7, 8, 12]], ids=["one", "dense", "with gaps"])
def test_columns_say_what_the_messages_say(offsets: list[int]) -> None:
    kinds = itertools.cycle((1, 0, 2))
    messages = [message("t", 0, offset, kind) for offset, kind in zip(offsets, kinds, strict=False)]
    [(_, columns, _)] = stretches(messages)
    assert columns.offsets.tolist() == offsets
    assert columns.times_ms.tolist() == [1000 + m.offset() if m.timestamp()[0] else -1 for m in messages]
    assert columns.values == tuple(m.value() for m in messages)
    assert [record.offset for record in columns] == offsets
    assert columns[0].key == b"k"
