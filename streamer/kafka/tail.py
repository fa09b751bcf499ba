"""Reads what the service publishes, from some time on and then as it comes, as a member of no group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from streamer.config.model import Config
from streamer.kafka.client import Complaints, down, error_of, make_consumer
from streamer.port import LogDown, Partition

BATCH, WAIT_S = 500, 0.5
LOOK_S = 10.0
AGAIN_S = 5.0
"""How often it is looked whether there are topics or partitions that were not there."""
SETTINGS = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "auto.offset.reset": "latest",
    "check.crcs": False,  # The mock cluster of the demo writes the marks of transactions without any.
    "fetch.message.max.bytes": 1 << 20,
    "queued.max.messages.kbytes": 16 << 10,
}


class Tail:
    """Values of all partitions of some topics. `since_ms`: of records from then on. LogDown where no broker answers."""

    def __init__(self, config: Config, logger: Any, topics: Sequence[str], since_ms: int) -> None:
        self._config, self._complaints, self._topics = config, Complaints(logger), topics
        self._consumer: Consumer = make_consumer(config, logger, SETTINGS)
        self._known: set[Partition] = set()
        self.missing: list[str] = []
        try:
            self._look(since_ms)
        except LogDown:
            self.close()
            raise

    def _look(self, since_ms: int | None = None) -> None:
        """Read what has appeared as well: of what was there already from a time on, of what is new everything."""
        try:
            there = self._consumer.list_topics(timeout=LOOK_S).topics
            self.missing = [name for name in self._topics if name not in there]
            found = {(name, n) for name in self._topics if name in there for n in there[name].partitions}
            fresh = [TopicPartition(*partition, since_ms or 0) for partition in sorted(found - self._known)]
            if since_ms is not None and fresh:
                fresh = self._consumer.offsets_for_times(fresh, timeout=LOOK_S)
            for one in fresh:
                one.offset = OFFSET_BEGINNING if since_ms is None else one.offset if one.offset >= 0 else OFFSET_END
            self._consumer.incremental_assign(fresh)
        except KafkaException as exception:
            raise down(self._config, error_of(exception), "what is shown on the page") from exception
        self._known |= found
        self._looked_s = time.monotonic()

    def values(self) -> Iterator[bytes | None]:
        """What has come by now; waits a little where nothing has. LogDown where a topic is gone or forbidden."""
        if time.monotonic() - self._looked_s > AGAIN_S:
            self._look()
        for message in self._consumer.consume(BATCH, WAIT_S):
            error = message.error()
            if error is None:
                yield message.value()
            elif error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART):
                raise LogDown(f"{message.topic()}: {error.str()}")
            else:
                self._complaints.say(error, "page")

    def close(self) -> None:
        self._consumer.close()
