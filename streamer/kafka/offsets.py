"""Offsets asked for by an admin client: those that a group has committed, with what is written down beside them, and
where partitions begin or end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from streamer.config.model import Config
from streamer.kafka.client import MOCK_CLUSTER, Limits, connection_settings, metadata, unreachable
from streamer.kafka.diagnosis import silent_logger
from streamer.kafka.offset_metadata import from_text
from streamer.port import Committed, Partition, Parts


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


def numbered(topics: Mapping[str, int]) -> list[Partition]:
    """All partitions of topics that have so many."""
    return [(name, number) for name, count in topics.items() for number in range(count)]


def asking(config: Config) -> AdminClient:
    """A client that says nothing by itself."""
    return AdminClient(connection_settings(config), logger=silent_logger())


def roots_of(
    config: Config, wanted: Sequence[Partition], client: AdminClient | None = None
) -> dict[Partition, Committed]:
    """What the group of a config has committed of some partitions. `client`: one that is there already. Raises
    LogDown.
    """
    client, limits = client or asking(config), Limits()
    try:
        found = committed(client, config.kafka.group, wanted, limits.metadata) if wanted else {}
    except (KafkaException, TimeoutError) as exception:
        raise unreachable(config, limits.diagnosis).down() from exception
    return {partition: from_text(*root) for partition, root in found.items()}


def parts_of(config: Config) -> Parts | None:
    """Over which parts of the ordered log the group shares models out, by its commits; None where none says it. Raises
    LogDown.
    """
    client = asking(config)
    cluster = metadata(client, config, Limits())
    if (cluster.cluster_id or "").startswith(MOCK_CLUSTER):
        return None
    there = {name: len(topic.partitions) for name, topic in cluster.topics.items()}
    inputs = numbered({name: there.get(name, 0) for name in config.topics.resolved(there).events})
    return settled(roots_of(config, inputs, client).values())


def settled(roots: Iterable[Committed]) -> Parts | None:
    """What commits say of the parts, the newest of it."""
    return max((root.parts for root in roots if root.parts is not None), default=None)


def listed(client: AdminClient, wanted: Iterable[Partition], spec: OffsetSpec, answer_s: float) -> dict[Partition, int]:
    """Where the partitions begin or end for readers of what is committed. Raises as `committed`."""
    asked = dict.fromkeys((TopicPartition(*partition) for partition in wanted), spec)
    futures = client.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=answer_s)
    return {(p.topic, p.partition): future.result(answer_s + 1).offset for p, future in futures.items()}
