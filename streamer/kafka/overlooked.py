"""Partitions that nobody in the group reads, and such as are read though they are no more.

A member with a name (`kafka.instance`) that comes back in time gets what it had, and nothing is shared out: partitions
that topics got meanwhile are read by nobody until somebody else joins or leaves. The same happens to partitions that a
member was about to give up, so that another gets them, when it was killed: back under its name it has what it was to
keep, and the rest waits for a rebalance that nobody asks for.

So they are looked for, and a member leaves and joins once more: then all is shared out anew. To be nobody's for a while
they need, as in a rebalance some are for a moment. What the member has is restored by others meanwhile, so it is one
that has little, and the others have their turn when that has not helped. Whether members have names or not, it is told
for how long which are read by nobody.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from streamer.config.model import Config
from streamer.config.stages import stage_configs
from streamer.kafka.groups import UUID_CHARS, group_of
from streamer.port import Partition, Surroundings, Topic, Unread

AGAIN_S = 60.0
"""Until a member joins once more for the same reason; twice as long each time that it has not helped."""
TURN_S = 15.0
"""So long after one the next member has its turn: a group has settled by then, most times."""
NAMED_MAX = 6
"""Partitions named in one sentence."""


class Seen(NamedTuple):
    """Of a group that is settled."""

    unread: frozenset[Partition]
    names: tuple[str, ...] = ()  # of its members, those that have few partitions first


def seen_of(client: AdminClient, group: str, topics: Mapping[str, int], answer_s: float) -> Seen | None:
    """What no member has of all partitions, of a group without members all; None where that cannot be seen."""
    every = frozenset((name, number) for name, count in topics.items() for number in range(count))
    try:
        found = group_of(client, group, answer_s)
    except KafkaException:
        return None
    if found is None or found.state not in ("Stable", "Empty"):
        return None
    names = sorted((len(partitions), member[:-UUID_CHARS]) for member, partitions in found.held.items())
    return Seen(every.difference(*found.held.values()), tuple(name for _, name in names))


class Overlooked:
    """Looks at the groups of all stages. What nobody has had for `apart_s` is to be shared out anew."""

    def __init__(self, config: Config, apart_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = {stage.kafka.group: stage.topics for stage in stage_configs(config)}
        self._name, self._apart_s, self._clock = config.kafka.instance, apart_s, clock
        self._since_s: dict[str, dict[Partition, float]] = {}

    def look(
        self, client: AdminClient, there: Mapping[str, int], answer_s: float
    ) -> tuple[Unread, Mapping[str, frozenset[Partition]]]:
        """What nobody reads, and what of it is for us to have shared out. there: how many partitions a topic has."""
        told, ours = dict[str, Mapping[Partition, float]](), dict[str, frozenset[Partition]]()
        for group, topics in self._read.items():
            inputs = {name: there[name] for name in topics.resolved(there).named() if name in there}
            seen, now_s = seen_of(client, group, inputs, answer_s), self._clock()
            if seen is not None:  # In a rebalance what nobody had may still be nobody's.
                before_s = self._since_s.get(group, {})
                self._since_s[group] = {one: before_s.get(one, now_s) for one in seen.unread}
            told[group] = {one: now_s - since_s for one, since_s in self._since_s.get(group, {}).items()}
            if seen is not None and self._name in seen.names:
                turn_s = self._apart_s + TURN_S * seen.names.index(self._name)
                ours[group] = frozenset(one for one, seconds in told[group].items() if seconds >= turn_s)
        return {group: unread for group, unread in told.items() if unread}, ours


def named(partitions: Collection[Partition]) -> str:
    """Some of them, in words."""
    some = ", ".join(f"{name}[{number}]" for name, number in sorted(partitions)[:NAMED_MAX])
    return f"{some} and {len(partitions) - NAMED_MAX} more" if len(partitions) > NAMED_MAX else some


class Subscription:
    """Of a consumer, to these topics; it is made anew where partitions are read by nobody, or are no more."""

    def __init__(
        self,
        consumer: Consumer,
        topics: list[str],
        callbacks: Mapping[str, Callable[..., Any]],
        logger: logging.Logger,
        group: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.consumer, self.topics, self.callbacks, self.logger = consumer, topics, callbacks, logger
        self.group, self.clock, self.due_s, self.pause_s = group, clock, 0.0, AGAIN_S
        self._looked: Mapping[str, Topic] | None = None
        self._missed, self._gone = frozenset[Partition](), frozenset[Partition]()
        consumer.subscribe(topics, **callbacks)

    def look(self, seen: Surroundings) -> None:
        """Join once more if it helps."""
        if self.clock() < self.due_s or seen.down is not None:
            return
        unread, gone = seen.to_share.get(self.group), self._not_there(seen.topics)
        if not unread and not gone:
            self.pause_s = AGAIN_S  # It has helped.
            return
        self.due_s, self.pause_s = self.clock() + self.pause_s, 2 * self.pause_s
        why = f"nobody in the group {self.group} reads {named(unread)}" if unread else f"{named(gone)} are no more"
        self.logger.warning("%s: it is shared out anew", why)
        self.consumer.unsubscribe()
        self.consumer.subscribe(self.topics, **self.callbacks)

    def _not_there(self, topics: Mapping[str, Topic] | None) -> frozenset[Partition]:
        """What we were given of topics that have fewer partitions, by two looks: one may be older than a partition that
        was added. Where a topic is made anew with fewer, librdkafka keeps the others, and they are restored for ever.
        """
        if topics is not None and topics is not self._looked:
            self._looked, before = topics, self._missed
            given = [(one.topic, one.partition) for one in self.consumer.assignment()]
            self._missed = frozenset(one for one in given if one[0] in topics and one[1] >= topics[one[0]].partitions)
            self._gone = self._missed & before
        return self._gone
