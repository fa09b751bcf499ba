"""Reads what the service publishes, from some time on and then as it comes, as a member of no group."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.events.batch import Record
from streamer.config.model import Config
from streamer.kafka.client import Complaints, down, error_of, make_consumer
from streamer.kafka.intake import record_of
from streamer.port import LogDown, Partition

BATCH, WAIT_S = 5_000, 0.5
STORM = 500
"""Records that came at the same time, of topics of which the newest of a key is what counts."""
LOOK_S = 10.0
AGAIN_S = 5.0
"""How often it is looked whether there are topics or partitions that were not there."""
REFUSED_S = 60.0
"""For so long a topic that may not be read, or is gone, is left alone."""
SETTINGS = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "auto.offset.reset": "latest",
    "check.crcs": False,  # The mock cluster of the demo writes the marks of transactions without any.
    "fetch.message.max.bytes": 1 << 20,
    "queued.max.messages.kbytes": 16 << 10,
}


class Span(NamedTuple):
    """How much of a topic's past is read: what came in that time, but of all its partitions together no more records
    than that. `newest`: in a storm only
    the last of each key that came at the same time is wanted.
    """

    past_ms: int
    records: int
    newest: bool = False


class Tail:
    """Values of all partitions of some topics, from so long before `now_ms` on. LogDown where no broker answers."""

    def __init__(
        self, config: Config, logger: Any, spans: Mapping[str, Span], now_ms: int, what: str = "what the page shows"
    ) -> None:
        self._config, self._complaints, self._spans, self._what = config, Complaints(logger), spans, what
        self._consumer: Consumer = make_consumer(config, logger, SETTINGS)
        self._known: set[Partition] = set()
        self._refused: dict[str, tuple[str, float]] = {}  # why, and when
        self.missing: dict[str, str] = {}  # by topic why nothing of it is read
        self.skipped = 0  # records, since newer ones of their key came at the same time
        try:
            self._look(now_ms)
        except LogDown:
            self.close()
            raise

    def _look(self, now_ms: int | None = None) -> None:
        """Read what has appeared as well. now_ms: at the start, where of what is there a part is read; of what is new
        everything is.
        """
        try:
            there = self._consumer.list_topics(timeout=LOOK_S).topics
            now_s = time.monotonic()
            self._refused = {name: one for name, one in self._refused.items() if now_s - one[1] < REFUSED_S}
            refused = {name: why for name, (why, _) in self._refused.items()}
            self.missing = {name: "there is no such topic" for name in self._spans if name not in there} | refused
            names = [name for name in self._spans if name not in self.missing]
            found = {(name, n) for name in names for n in there[name].partitions}
            fresh = [TopicPartition(*partition, OFFSET_BEGINNING) for partition in sorted(found - self._known)]
            if now_ms is not None and fresh:
                fresh = self._begins(fresh, now_ms)
            self._consumer.incremental_assign(fresh)
        except KafkaException as exception:
            raise down(self._config, error_of(exception), self._what) from exception
        self._known |= found
        self._looked_s = time.monotonic()

    def _begins(self, places: list[TopicPartition], now_ms: int) -> list[TopicPartition]:
        """Where reading begins in each of them."""
        for one in places:
            one.offset = now_ms - self._spans[one.topic].past_ms  # It takes a time there.
        found = self._consumer.offsets_for_times(places, timeout=LOOK_S)
        counts = Counter(one.topic for one in found)
        for one in found:
            if one.offset < 0:
                one.offset = OFFSET_END
                continue
            marks = self._consumer.get_watermark_offsets(one, timeout=LOOK_S)
            if marks is not None:
                one.offset = max(one.offset, marks[1] - self._spans[one.topic].records // counts[one.topic])
        return found

    def values(self) -> Iterator[bytes | None]:
        """What has come by now; waits a little where nothing has. A topic that is gone or forbidden is `missing`."""
        for message in self._messages():
            yield message.value()

    def records(self) -> Iterator[tuple[Partition, Record]]:
        """As `values`, with keys and headers, and where each stands."""
        for message in self._messages():
            yield (str(message.topic()), message.partition() or 0), record_of(message)

    def _messages(self) -> Iterator[Message]:
        if time.monotonic() - self._looked_s > AGAIN_S:
            self._look()
        for message in self._wanted(self._consumer.consume(BATCH, WAIT_S)):
            error = message.error()
            if error is None:
                yield message
            elif error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART):
                self._leave(str(message.topic()), error.str())
            else:
                self._complaints.say(error, self._what)

    def _wanted(self, messages: list[Message]) -> list[Message]:
        """In a storm of alerts most of them are over by the time they are read, and reading them would take a tenth of
        the service. What is not one is left as it is: what is over is worth seeing.
        """
        newest = {name for name, span in self._spans.items() if span.newest}
        keys = {
            place: (one.topic(), one.partition(), one.key())
            for place, one in enumerate(messages)
            if one.topic() in newest and one.error() is None
        }
        if len(keys) <= STORM:
            return messages
        last = {key: place for place, key in keys.items()}
        gone = keys.keys() - last.values()
        self.skipped += len(gone)
        return [one for place, one in enumerate(messages) if place not in gone]

    def _leave(self, topic: str, why: str) -> None:
        """Read no more of it for a while: the other topics say what they have."""
        gone = sorted(partition for partition in self._known if partition[0] == topic)
        if gone:
            self._consumer.incremental_unassign([TopicPartition(*partition) for partition in gone])
        self._known -= set(gone)
        self._refused[topic] = why, time.monotonic()
        self.missing[topic] = why

    def close(self) -> None:
        self._consumer.close()
