"""How far a group is in its topics: what each partition's reader has committed, and what is left there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from streamer.config.model import Config
from streamer.kafka.client import Limits, metadata
from streamer.kafka.offset_metadata import from_text
from streamer.kafka.offsets import Commits, asking, listed, numbered
from streamer.port import LogDown, Partition

ANSWER_S = 3.0


class Reached(NamedTuple):
    """Where a partition's reader is."""

    offset: int  # the next one it reads, -1 before its first commit
    left: int  # records behind that
    time_ms: int  # about when the events before it were, 0 where it does not say


class Progress:
    """Asks one question again and again. `config`: as the stage that reads has it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._client: AdminClient | None = None
        self._commits = Commits(config, config.kafka.group)
        self._partitions: list[Partition] = []

    def ask(self) -> Mapping[Partition, Reached]:
        """Of all partitions of the topics. LogDown where nobody answers."""
        try:
            if self._client is None:
                self._client = asking(self._config)
            if not self._partitions:
                topics = metadata(self._client, self._config, Limits()).topics
                there = {name: len(topic.partitions) for name, topic in topics.items()}
                names = self._config.reading(there).topics.events
                self._partitions = numbered({name: there.get(name, 0) for name in names})
            stand = self._commits.of(self._partitions, ANSWER_S)
            ends = listed(self._client, self._partitions, OffsetSpec.latest(), ANSWER_S)  # type: ignore[no-untyped-call]
        except (KafkaException, TimeoutError) as error:
            raise LogDown(f"how far the group is cannot be had: {error}") from error
        return {at: reached(stand.get(at), end) for at, end in ends.items()}


def reached(stand: tuple[int, str] | None, end: int) -> Reached:
    """From the committed offset and its metadata, and where the partition ends."""
    if stand is None:
        return Reached(-1, end, 0)
    offset, text = stand
    return Reached(offset, max(end - offset, 0), from_text(offset, text).reached_ms)
