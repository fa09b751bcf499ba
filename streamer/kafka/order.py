"""Whether topics are keyed by model, found out by a look at their newest records, for configs that do not say."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from schemas.events.batch import Record
from streamer.config.decoder_fields import fields_of
from streamer.config.model import Config
from streamer.config.stages import SECOND, in_order_of_models
from streamer.engine.engines import ENGINE
from streamer.engine.scattered import Seen, in_words, scattered
from streamer.kafka.client import MOCK_CLUSTER, Limits, connection_settings, make_consumer, metadata
from streamer.kafka.diagnosis import bad_settings, silent_logger
from streamer.kafka.groups import refused
from streamer.kafka.intake import record_of
from streamer.kafka.offsets import committed, listed, numbered
from streamer.kafka.rights import Right
from streamer.kafka.schema_registry import Client, learned
from streamer.port import LogDown, Partition

TAIL = 200
"""Records looked at of a partition: the newest."""
PARTITIONS_MAX = 48
"""Looked at of a topic, evenly spaced: two of them are enough to meet a model twice."""
ENOUGH = 200
"""Events after which a topic counts as keyed when no model was met in two of its partitions."""
ANSWER_S = 3.0
READ_S = 10.0
READ_BYTES = 64 << 20
FROM_TAIL = -2000
"""librdkafka: so much less than this as an offset is that many records before the end."""
SETTINGS = {
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 20,
    "fetch.message.max.bytes": 1 << 20,
}


class Answer(NamedTuple):
    """`order` None: there is too little to see yet. `lacking`: what lacks for the order of models, and what to do."""

    order: Literal["topic", "model"] | None
    why: str
    lacking: str | None = None
    fix: str = ""


def answer(events: Sequence[Seen]) -> Answer:
    """What a sample shows."""
    several = scattered(events)
    if several:
        return Answer("model", in_words(several))
    if len(events) >= ENOUGH:
        return Answer("topic", f"of the newest {len(events):,} events each model's are in one partition")
    return Answer(None, f"only {len(events)} events are there to see how they are keyed")


def ask(config: Config, decided: bool = False, again: bool = False) -> Answer:
    """A look at the cluster. LogDown where no broker answers.

    decided: it was, for partitions; then it is only looked whether another process of the group reads in order by now.
    again: this process has asked before. Else what the group has watched for long stays as it is, unseen: all that it
    has learned would be lost, and what it reads may be what nobody survives to read.
    """
    try:
        client = AdminClient(connection_settings(config), logger=silent_logger())
    except KafkaException as exception:
        raise bad_settings(exception).down() from exception
    found = metadata(client, config, Limits())
    if (found.cluster_id or "").startswith(MOCK_CLUSTER):
        return Answer("topic", "an embedded broker keeps nothing that could tell")
    partitions = {name: len(topic.partitions) for name, topic in found.topics.items()}
    ordered = str(in_order_of_models(config).topics.ordered)
    if known(config, config.kafka.group + SECOND, numbered({ordered: partitions.get(ordered, 0)})):
        return Answer("model", "the group has read these topics so until now")
    inputs = {name: partitions[name] for name in config.reading(partitions).topics.events if name in partitions}
    several = {name: count for name, count in inputs.items() if count > 1}
    if decided or (inputs and not several):
        return Answer("topic", "each topic has one partition")
    if not again and read(client, known(config, config.kafka.group, numbered(several))) >= ENOUGH:
        return Answer("topic", "the group has read these topics by partition until now")
    told = answer(seen(config, newest(config, several)))
    if told.order == "model" and ordered not in partitions:
        return told._replace(lacking=f"a topic {ordered}", fix="driftline topics apply -c FILE")
    return forbidden(config, told) if told.order == "model" else told


def forbidden(config: Config, told: Answer) -> Answer:
    """Who may not join the group of stage 2 would read nothing any more."""
    right = Right("group", config.kafka.group + SECOND, "Read", "the second stage reads in it")
    if refused(config, right.name, str(in_order_of_models(config).topics.ordered), ANSWER_S):
        return told._replace(lacking=f"the right {right}", fix=right.command(config.kafka.brokers))
    return told


def known(config: Config, group: str, partitions: list[Partition]) -> dict[Partition, int]:
    """How far a group has read; nothing of one that we may not see."""
    with suppress(KafkaException):
        found = committed(config, group, partitions, ANSWER_S)
        return {partition: offset for partition, (offset, _) in found.items()}
    return {}


def read(client: AdminClient, at: Mapping[Partition, int]) -> int:
    """How many of the records that are retained a group has behind it, at most."""
    with suppress(KafkaException, TimeoutError):
        begins = listed(client, at, OffsetSpec.earliest(), ANSWER_S) if at else {}  # type: ignore[no-untyped-call]
        return sum(max(at[partition] - begin, 0) for partition, begin in begins.items())
    return 0


def newest(config: Config, topics: Mapping[str, int], tail: int = TAIL) -> dict[Partition, list[Record]]:
    """The newest records, so many, of some partitions of each topic, as far as they come in good time."""
    chosen = [(name, number) for name, count in topics.items() for number in spaced(count)]
    found: dict[Partition, list[Record]] = {partition: [] for partition in chosen}
    if not chosen:
        return found
    consumer = make_consumer(config, silent_logger(), SETTINGS)
    try:
        consumer.assign([TopicPartition(*partition, FROM_TAIL - tail) for partition in chosen])
        left, size, end_s = set(chosen), 0, time.monotonic() + READ_S
        while left and size < READ_BYTES and time.monotonic() < end_s:
            for message in consumer.consume(500, 0.05):
                partition = str(message.topic()), message.partition() or 0
                error = message.error()
                if error is None:
                    found[partition].append(record_of(message))
                    size += len(message.value() or b"")
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(partition)
    finally:
        consumer.close()
    return found


def spaced(count: int) -> list[int]:
    """Numbers below `count`, at most PARTITIONS_MAX, evenly spaced."""
    chosen = min(count, PARTITIONS_MAX)
    return [count * place // chosen for place in range(chosen)]


def seen(config: Config, records: Mapping[Partition, list[Record]]) -> list[Seen]:
    """The events of a sample. A registry that does not answer shows none."""
    decode = ENGINE.decoder(fields_of(config))
    source: Iterable[tuple[Partition, list[Record]]] = records.items()
    if config.schema_registry is not None and config.schemas is not None:
        source = learned(config.schemas, source, Client(config.schema_registry).schema)
    events: list[Seen] = []
    with suppress(LogDown):
        for (topic, number), mine in source:
            batch, time_ms = decode(mine, topic), {record.offset: record.time_ms for record in mine}
            for offset, code in zip(batch.offsets.tolist(), batch.model.tolist(), strict=True):
                if batch.strings[code]:  # A half of a pair may name no model.
                    events.append(Seen(topic, number, offset, time_ms[offset], batch.strings[code]))
    return events
