"""How the groups of all stages stand, as anybody sees it: what is left of each partition, and its snapshot's age."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from streamer.config.model import Config
from streamer.config.stages import in_order_of_models, stage_configs, undecided
from streamer.kafka.client import MOCK_CLUSTER, Limits, metadata
from streamer.kafka.dead_letters import DeadLetters
from streamer.kafka.offset_metadata import from_text
from streamer.kafka.offsets import Commits, asking, listed, numbered
from streamer.port import LogDown, Partition

ANSWER_S = 3.0


class Stand(NamedTuple):
    """Of one partition."""

    stage: int  # that reads it, from 1
    lag: int  # records behind the committed offset, or all of them before the first commit
    replayed: int | None  # records that a restart would read again: those since the snapshot; None without one
    snapshot_s: float | None  # how old it is at most


def stand_of(root: tuple[int, str] | None, end: int, stage: int, tick_s: float, now_ms: int) -> Stand:
    """From the committed offset and its metadata, and where the partition ends. tick_s: from tick to tick."""
    if root is None:
        return Stand(stage, end, None, None)
    known, offset = from_text(*root), root[0]
    lag = max(end - offset, 0)
    if known.pointer is None:
        return Stand(stage, lag, None, None)
    # Those that it has not seen came after it; the one before them, a tick earlier, did not.
    first_ms = known.ticks[0].time_ms if known.ticks else now_ms
    age_s = max(now_ms - first_ms, 0) / 1000 + tick_s
    return Stand(stage, lag, max(offset - known.pointer.position, 0), age_s)


class Standing:
    """Asks one question again and again, as a member of no group. `clock`: Unix time in seconds."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.time) -> None:
        self._config, self._clock = config, clock
        self._client: Any = None
        self._commits: dict[str, Commits] = {}
        self._letters = DeadLetters(config)

    def ask(self, heard: Collection[str]) -> dict[Partition, Stand]:
        """Of all partitions that are read. heard: topics that somebody is known to read: where the file leaves it to
        what is found whether events are put in order, they tell. Nothing of a mock cluster, which knows no groups.
        LogDown where nobody answers.
        """
        ordered = in_order_of_models(self._config)
        config = ordered if undecided(self._config) and ordered.topics.ordered in heard else self._config
        try:
            if self._client is None:
                self._client = asking(config)
            cluster = metadata(self._client, config, Limits(metadata=ANSWER_S))
            if (cluster.cluster_id or "").startswith(MOCK_CLUSTER):
                return {}
            there = {name: len(topic.partitions) for name, topic in cluster.topics.items()}
            stages = [self._stage(number, one, there) for number, one in enumerate(stage_configs(config), 1)]
        except (KafkaException, TimeoutError) as error:
            raise LogDown(f"how far the group is cannot be had: {error}") from error
        return {partition: stand for stage in stages for partition, stand in stage.items()}

    def letters(self) -> dict[str, Any]:
        """See `DeadLetters.newest`."""
        return self._letters.newest()

    def _stage(self, number: int, config: Config, there: Mapping[str, int]) -> dict[Partition, Stand]:
        topics = {name: there[name] for name in config.topics.resolved(there).named() if name in there}
        group, partitions = config.kafka.group, numbered(topics)
        roots = self._commits.setdefault(group, Commits(self._config, group)).of(partitions, ANSWER_S)
        ends = listed(self._client, partitions, OffsetSpec.latest(), ANSWER_S)  # type: ignore[no-untyped-call]
        tick_s, now_ms = config.heartbeat.interval_ms / 1000, int(1000 * self._clock())
        return {at: stand_of(roots.get(at), end, number, tick_s, now_ms) for at, end in ends.items()}

    def close(self) -> None:
        for one in self._commits.values():
            one.close()
        self._commits = {}
        self._letters.close()
