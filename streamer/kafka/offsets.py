"""Offsets asked for by an admin client: those that a group has committed, and where partitions begin or end."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from streamer.port import Partition


def committed(
    client: AdminClient, group: str, wanted: Iterable[Partition], answer_s: float
) -> dict[Partition, tuple[int, str]]:
    """Offset and metadata of those of the partitions that the group has committed. KafkaException or TimeoutError where
    nobody answers.
    """
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(*partition) for partition in wanted])
    [future] = client.list_consumer_group_offsets([asked], request_timeout=answer_s).values()
    found = future.result(answer_s + 1).topic_partitions
    return {
        (one.topic, one.partition): (one.offset, one.metadata or "")
        for one in found
        if one.error is None and one.offset >= 0
    }


def listed(client: AdminClient, wanted: Iterable[Partition], spec: OffsetSpec, answer_s: float) -> dict[Partition, int]:
    """Where the partitions begin or end for readers of what is committed. Raises as `committed`."""
    asked = dict.fromkeys((TopicPartition(*partition) for partition in wanted), spec)
    futures = client.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=answer_s)
    return {(p.topic, p.partition): future.result(answer_s + 1).offset for p, future in futures.items()}
