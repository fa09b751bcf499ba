"""Partitions that nobody in the group reads.

A member with a name (`kafka.instance`) that comes back in time gets what it had, and nothing is shared out: partitions
that topics got meanwhile are read by nobody until somebody else joins or leaves. So they are looked for, and who sees
any joins once more; with the leader of the group doing so all is shared out anew. To be nobody's for a while they need,
as in a rebalance some are for a moment.

The same happens to partitions that a member was about to give up, so that another gets them, when it was killed: back
under its name it has what it was to keep, and the rest waits for a rebalance that nobody asks for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from streamer.config.model import Config
from streamer.config.stages import stage_configs
from streamer.config.topic_patterns import is_topic_pattern
from streamer.port import Partition, Surroundings

AGAIN_S = 60.0
"""Until a member joins once more for the same reason; twice as long each time that it has not helped."""

NAMED_MAX = 6


def read_by_nobody(client: AdminClient, group: str, topics: Mapping[str, int], answer_s: float) -> frozenset[Partition]:
    """Of all partitions those that no member of a settled group has; none where that cannot be seen."""
    with suppress(KafkaException, TimeoutError):
        found = client.describe_consumer_groups([group], request_timeout=answer_s)[group].result(answer_s + 1)
        if found.state is ConsumerGroupState.STABLE and found.members:
            held = [one for member in found.members for one in member.assignment.topic_partitions]
            every = {(name, number) for name, count in topics.items() for number in range(count)}
            return frozenset(every - {(one.topic, one.partition) for one in held})
    return frozenset()


class Overlooked:
    """Of the groups of all stages, if their members have names: what nobody reads, for `apart_s` at least."""

    def __init__(self, config: Config, apart_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        stages = stage_configs(config) if config.kafka.instance else []
        self._read = {stage.kafka.group: stage.topics for stage in stages}
        self._apart_s, self._clock, self._since_s = apart_s, clock, dict[Partition, float]()

    def look(self, client: AdminClient, there: Mapping[str, int], answer_s: float) -> frozenset[Partition]:
        """there: how many partitions our topics have."""
        unread = set[Partition]()
        for group, topics in self._read.items():
            inputs = {name: there[name] for name in topics.resolved(there).named() if name in there}
            unread |= read_by_nobody(client, group, inputs, answer_s)
        now_s = self._clock()
        self._since_s = {partition: self._since_s.get(partition, now_s) for partition in unread}
        return frozenset(one for one, since_s in self._since_s.items() if now_s >= since_s + self._apart_s)


class Subscription:
    """Of a consumer, to these topics; it is made anew where partitions are read by nobody."""

    def __init__(
        self,
        consumer: Consumer,
        topics: list[str],
        callbacks: Mapping[str, Callable[..., Any]],
        logger: logging.Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.consumer, self.topics, self.callbacks, self.logger = consumer, topics, callbacks, logger
        self.clock, self.due_s, self.pause_s = clock, 0.0, AGAIN_S
        consumer.subscribe(topics, **callbacks)

    def look(self, seen: Surroundings) -> None:
        """Join once more if it helps."""
        if not seen.overlooked or self.clock() < self.due_s:
            return
        if any(name in self.topics for name, _ in seen.overlooked) or any(map(is_topic_pattern, self.topics)):
            self.due_s, self.pause_s = self.clock() + self.pause_s, 2 * self.pause_s
            some = ", ".join(f"{name}[{number}]" for name, number in sorted(seen.overlooked)[:NAMED_MAX])
            self.logger.warning("nobody in the group reads %s: it is shared out anew", some)
            self.consumer.unsubscribe()
            self.consumer.subscribe(self.topics, **self.callbacks)
