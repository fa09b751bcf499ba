"""Offsets asked for by who reads nothing: those that a group has committed, with what is written down beside them, and
where partitions begin or end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from streamer.config.model import Config
from streamer.kafka.client import MOCK_CLUSTER, Limits, connection_settings, make_consumer, metadata, unreachable
from streamer.kafka.diagnosis import silent_logger
from streamer.kafka.offset_metadata import from_text
from streamer.port import Committed, Partition, Parts


class Commits:
    """What a group has committed, as a client knows that is no member of it. No admin client asks: one that is told
    that another broker is the coordinator by now, or that none is yet, ends the process (librdkafka#5040).
    """

    def __init__(self, config: Config, group: str) -> None:
        self._config, self._group = config, group
        self._consumer: Consumer | None = None

    def of(self, wanted: Iterable[Partition], answer_s: float) -> dict[Partition, tuple[int, str]]:
        """Offset and metadata of those of the partitions that the group has committed. KafkaException where nobody
        answers.
        """
        places = [TopicPartition(*partition) for partition in wanted]
        if not places:
            return {}
        if self._consumer is None:
            fixed = {"group.id": self._group, "isolation.level": "read_uncommitted"}  # It waits for no transaction.
            self._consumer = make_consumer(self._config, silent_logger(), fixed)
        found = self._consumer.committed(places, timeout=answer_s)
        return {
            (one.topic, one.partition): (one.offset, one.metadata or "")
            for one in found
            if one.error is None and one.offset >= 0
        }

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def committed(
    config: Config, group: str, wanted: Iterable[Partition], answer_s: float
) -> dict[Partition, tuple[int, str]]:
    """See `Commits.of`; for who asks once."""
    commits = Commits(config, group)
    try:
        return commits.of(wanted, answer_s)
    finally:
        commits.close()


def numbered(topics: Mapping[str, int]) -> list[Partition]:
    """All partitions of topics that have so many."""
    return [(name, number) for name, count in topics.items() for number in range(count)]


def asking(config: Config) -> AdminClient:
    """A client that says nothing by itself."""
    return AdminClient(connection_settings(config), logger=silent_logger())


def roots_of(config: Config, wanted: Sequence[Partition]) -> dict[Partition, Committed]:
    """What the group of a config has committed of some partitions. Raises LogDown."""
    limits = Limits()
    try:
        found = committed(config, config.kafka.group, wanted, limits.metadata)
    except KafkaException as exception:
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
    return settled(roots_of(config, inputs).values())


def settled(roots: Iterable[Committed]) -> Parts | None:
    """What commits say of the parts, the newest of it."""
    return max((root.parts for root in roots if root.parts is not None), default=None)


def listed(client: AdminClient, wanted: Iterable[Partition], spec: OffsetSpec, answer_s: float) -> dict[Partition, int]:
    """Where the partitions begin or end for readers of what is committed. KafkaException or TimeoutError
    where nobody answers.
    """
    asked = dict.fromkeys((TopicPartition(*partition) for partition in wanted), spec)
    futures = client.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=answer_s)
    return {(p.topic, p.partition): future.result(answer_s + 1).offset for p, future in futures.items()}
