"""Topics and the group as the broker has them: look, and create. What topics should be `commands/topics.py` decides."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented names, not re-exported for mypy
    AdminClient,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from streamer.config.model import Config
from streamer.kafka.client import UNANSWERED, Deadline, Limits, connection_settings, error_of, unreachable
from streamer.kafka.connection_trouble import together
from streamer.kafka.diagnosis import bad_settings, diagnose, silent_logger
from streamer.kafka.rights import NO_CREATE, REFUSALS, missing_topics
from streamer.port import LogDown

NO_COORDINATOR_YET = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}

REFUSED_TO_CREATE = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)
SEEN = (0, KafkaError.GROUP_ID_NOT_FOUND)
"""Codes of a group of which it is known how many members it has."""


class ExistingTopic(NamedTuple):
    """A topic that exists. `config` is None when this user may not read it."""

    partitions: int
    replicas: int
    config: Mapping[str, str] | None


class Shown(NamedTuple):
    """What a description of a topic or of the group came to: an error's code, or 0, and what we are allowed to do.

    allowed: operations as kafka-acls calls them, None where the broker does not tell. number: partitions or members.
    """

    code: int
    allowed: frozenset[str] | None = None
    number: int = 0
    replicas: int = 0


class Cluster(NamedTuple):
    id: str
    brokers: tuple[str, ...]
    topics: Mapping[str, int]  # those we may see, and their partitions


class Creation(NamedTuple):
    """A topic to be made. `replicas` -1 = the broker's default."""

    name: str
    partitions: int
    replicas: int
    config: Mapping[str, str]


class TopicAdmin:
    """Raises LogDown when no broker answers within `timeout_s`, or when it refuses to talk to us: when it is made,
    before anything is waited for, and later on.
    """

    def __init__(self, config: Config, timeout_s: float) -> None:
        self._config, self._timeout_s = config, timeout_s
        trouble = diagnose(connection_settings(config), timeout_s)
        if trouble is not None:
            raise trouble.down()
        try:
            self._client = AdminClient(connection_settings(config), logger=silent_logger())
        except KafkaException as exception:
            raise bad_settings(exception).down() from exception

    def _result(self, future: Any) -> Any:
        """The future's value. LogDown where the cluster is not there; any other KafkaException is the caller's."""
        try:
            # The request has its own, equal deadline; the second more lets that one speak first.
            return future.result(self._timeout_s + 1)
        except TimeoutError as late:
            raise self._down() from late
        except KafkaException as exception:
            if error_of(exception).code() in UNANSWERED:
                raise self._down() from exception
            raise

    def _down(self) -> LogDown:
        return unreachable(self._config, Limits().diagnosis).down()

    def cluster(self) -> Cluster:
        """Who is there. It is the one question that every kind of broker answers."""
        try:
            found = self._client.list_topics(timeout=self._timeout_s)
        except KafkaException as exception:
            raise self._down() from exception
        brokers = tuple(f"{broker.host}:{broker.port}" for _, broker in sorted(found.brokers.items()))
        topics = {name: len(topic.partitions) for name, topic in found.topics.items()}
        return Cluster(found.cluster_id or "", brokers, topics)

    def topics(self, names: Iterable[str]) -> dict[str, Shown]:
        """Each of the topics as it shows itself to us."""
        wanted = TopicCollection(list(dict.fromkeys(names)))
        futures = self._client.describe_topics(
            wanted, include_authorized_operations=True, request_timeout=self._timeout_s
        )
        shown: dict[str, Shown] = {}
        for name, future in futures.items():
            try:
                topic = self._result(future)
            except KafkaException as exception:
                shown[name] = Shown(error_of(exception).code())
                continue
            replicas = min((len(partition.replicas) for partition in topic.partitions), default=0)
            shown[name] = Shown(0, operations_of(topic), len(topic.partitions), replicas)
        return shown

    def group(self, name: str) -> Shown:
        """The group, and how many members it has. One that does not exist yet is one without members. For commands: see
        `streamer.kafka.groups` for what a service asks.

        The first group of a cluster has no coordinator for a moment: the question is asked again.
        """
        deadline = Deadline(self._timeout_s)
        while True:
            [future] = self._client.describe_consumer_groups(
                [name], include_authorized_operations=True, request_timeout=self._timeout_s
            ).values()
            try:
                group = self._result(future)
                return Shown(0, operations_of(group), len(group.members))
            except KafkaException as exception:
                code = error_of(exception).code()
                if code not in NO_COORDINATOR_YET or deadline.over():
                    return Shown(code)
                time.sleep(deadline.slice(0.2))

    def may_do_everything(self) -> bool:
        """Whether there is no authorizer, or one that takes us for a super user: we might even be a broker."""
        future = self._client.describe_cluster(include_authorized_operations=True, request_timeout=self._timeout_s)
        try:
            return "ClusterAction" in (operations_of(self._result(future)) or ())
        except KafkaException:
            return False

    def may_see(self, name: str) -> bool:
        """Whether we are allowed to know of a topic."""
        return self.topics([name])[name].code not in REFUSALS

    def find(self, names: Iterable[str]) -> dict[str, ExistingTopic]:
        """Those of the topics that exist. LogDown, too, where a topic may not be described."""
        shown = self.topics(names)
        lost = {name: topic.code for name, topic in shown.items()}
        lost = {name: code for name, code in lost.items() if code not in (0, KafkaError.UNKNOWN_TOPIC_OR_PART)}
        if lost:
            raise together(missing_topics(self._config, lost)).down()
        return self.existing(shown)

    def existing(self, shown: Mapping[str, Shown]) -> dict[str, ExistingTopic]:
        """Those that were described, with their settings."""
        there = {name: topic for name, topic in shown.items() if not topic.code}
        configs = self._configs(list(there)) if there else {}
        return {name: ExistingTopic(t.number, t.replicas, configs.get(name)) for name, t in there.items()}

    def _configs(self, names: list[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        found: dict[str, dict[str, str]] = {}
        for resource, future in self._client.describe_configs(resources, request_timeout=self._timeout_s).items():
            try:
                entries = self._result(future)
            except KafkaException:  # Not allowed, or not known to this kind of broker: the plan says "not readable".
                continue
            found[resource.name] = {name: entry.value for name, entry in entries.items() if entry.value is not None}
        return found

    def widen(self, name: str, partitions: int) -> str | None:
        """Give a topic so many partitions; why it was not, None where it was."""
        futures = self._client.create_partitions(
            [NewPartitions(name, partitions)],
            operation_timeout=self._timeout_s,
            request_timeout=self._timeout_s,
        )
        try:
            self._result(futures[name])
        except KafkaException as exception:
            return error_of(exception).str()
        return None

    def create(self, topics: Iterable[Creation]) -> dict[str, str | None]:
        """Topic -> why it was not created, None where it was. One that somebody else has just made counts as made."""
        wanted = [NewTopic(t.name, t.partitions, t.replicas, config=dict(t.config)) for t in topics]
        if not wanted:
            return {}
        outcome: dict[str, str | None] = {}
        futures = self._client.create_topics(wanted, operation_timeout=self._timeout_s, request_timeout=self._timeout_s)
        for name, future in futures.items():
            outcome[name] = None
            try:
                self._result(future)
            except KafkaException as exception:
                error = error_of(exception)
                if error.code() in REFUSED_TO_CREATE:
                    outcome[name] = NO_CREATE
                elif error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    outcome[name] = error.str()
        return outcome


def operations_of(described: Any) -> frozenset[str] | None:
    """`frozenset({"Read", "DescribeConfigs"})`."""
    found = described.authorized_operations
    return None if found is None else frozenset(one.name.title().replace("_", "") for one in found)
