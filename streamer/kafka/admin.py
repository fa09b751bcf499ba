"""Topics as the broker has them: look, and create. What they should be is decided in `commands/topics.py`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented names, not re-exported for mypy
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from streamer.config.model import Config
from streamer.kafka.client import CONSUMER_ONLY, PRODUCER_ONLY, Deadline, error_of, settings
from streamer.port import LogDown

UNREACHABLE = {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION}


class ExistingTopic(NamedTuple):
    """A topic that exists. `config` is None when this user may not read it."""

    partitions: int
    replicas: int
    config: Mapping[str, str] | None


class Creation(NamedTuple):
    """A topic to be made. `replicas` -1 = the broker's default."""

    name: str
    partitions: int
    replicas: int
    config: Mapping[str, str]


class TopicAdmin:
    """Raises LogDown when no broker answers within `timeout_s`, or when it refuses to talk to us."""

    def __init__(self, config: Config, timeout_s: float) -> None:
        self._brokers, self._timeout_s = config.kafka.brokers, timeout_s
        self._said = ""
        quiet = logging.Logger("librdkafka-admin", logging.CRITICAL + 1)  # Its complaints become one message of ours.
        try:
            # The callback keeps the reason; a timeout by itself would only say that time has passed.
            merged = settings(config, *PRODUCER_ONLY, *CONSUMER_ONLY) | {"error_cb": self._note}
            self._client = AdminClient(merged, logger=quiet)
        except KafkaException as exception:
            raise LogDown(f"kafka.client: {error_of(exception).str()}") from exception

    def _note(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN or not self._said:
            self._said = error.str()

    def _result(self, future: Any, deadline: Deadline) -> Any:
        """The future's value. LogDown where the cluster is not there; any other KafkaException is the caller's."""
        try:
            # The request has its own, equal deadline; the second more lets that one speak first.
            return future.result(deadline.left() + 1)
        except TimeoutError as late:
            raise self._down("no answer") from late
        except KafkaException as exception:
            error = error_of(exception)
            if error.code() in UNREACHABLE:
                raise self._down(error.str()) from exception
            raise

    def _down(self, why: str) -> LogDown:
        self._client.poll(0)  # serves the error callback
        reason = self._said or why
        return LogDown(f"no broker of {self._brokers} answered within {self._timeout_s:g} s: {reason}")

    def find(self, names: Iterable[str]) -> dict[str, ExistingTopic]:
        """Those of the topics that exist. LogDown, too, where a topic may not be described."""
        deadline = Deadline(self._timeout_s)
        wanted = list(dict.fromkeys(names))
        futures = self._client.describe_topics(TopicCollection(wanted), request_timeout=self._timeout_s)
        shapes: dict[str, tuple[int, int]] = {}
        for name, future in futures.items():
            try:
                topic = self._result(future, deadline)
            except KafkaException as exception:
                error = error_of(exception)
                if error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise LogDown(f"topic {name}: {error.str()}") from exception
                continue
            shapes[name] = len(topic.partitions), min((len(p.replicas) for p in topic.partitions), default=0)
        configs = self._configs(list(shapes)) if shapes else {}
        return {name: ExistingTopic(*shape, configs.get(name)) for name, shape in shapes.items()}

    def _configs(self, names: list[str]) -> dict[str, dict[str, str]]:
        deadline = Deadline(self._timeout_s)
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        found: dict[str, dict[str, str]] = {}
        for resource, future in self._client.describe_configs(resources, request_timeout=self._timeout_s).items():
            try:
                entries = self._result(future, deadline)
            except KafkaException:  # Not allowed, or not known to this kind of broker: the plan says "not readable".
                continue
            found[resource.name] = {name: entry.value for name, entry in entries.items() if entry.value is not None}
        return found

    def create(self, topics: Iterable[Creation]) -> dict[str, str | None]:
        """Topic -> why it was not created, None where it was. One that somebody else has just made counts as made."""
        deadline = Deadline(self._timeout_s)
        wanted = [NewTopic(t.name, t.partitions, t.replicas, config=dict(t.config)) for t in topics]
        if not wanted:
            return {}
        outcome: dict[str, str | None] = {}
        futures = self._client.create_topics(wanted, operation_timeout=self._timeout_s, request_timeout=self._timeout_s)
        for name, future in futures.items():
            outcome[name] = None
            try:
                self._result(future, deadline)
            except KafkaException as exception:
                error = error_of(exception)
                if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    outcome[name] = error.str()
        return outcome
