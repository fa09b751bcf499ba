"""What every Kafka client here shares: settings, deadlines, error tables, preflight, conversion to records."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition, libversion
from confluent_kafka.admin import AdminClient

from schemas.events.batch import Record
from streamer.config.model import Config
from streamer.kafka.connection_trouble import Trouble, together
from streamer.kafka.diagnosis import advertised, bad_settings, diagnose, reached, unseen
from streamer.kafka.offset_metadata import from_text
from streamer.kafka.rights import missing_topic, missing_topics, refusal
from streamer.port import Committed, LogDown, Partition

DETAIL_MAX = 80
"""Characters of what is said of a reject."""
MOCK_CLUSTER = "mockCluster"
"""librdkafka's embedded mock cluster calls itself so; topics appear there on first use and never beforehand."""

PRODUCER_ONLY = (
    "acks",
    "batch.",
    "compression.",
    "linger.",
    "partitioner",
    "queue.buffering.",
    "sticky.",
    "transaction",
)
CONSUMER_ONLY = (
    "allow.auto",
    "auto.",
    "check.",
    "enable.auto",
    "enable.partition",
    "fetch.",
    "group.",
    "heartbeat.",
    "isolation.",
    "max.partition",
    "max.poll",
    "partition.assignment",
    "queued.",
    "session.",
)
CLASSIC_ONLY = ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy")
"""librdkafka refuses these together with group.protocol=consumer; the broker decides them there."""

CONSUMER_DEFAULTS: dict[str, Any] = {
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 3_000,
    "max.poll.interval.ms": 300_000,
    "socket.timeout.ms": 20_000,  # with the default of 60 s a member whose broker stood still is back minutes later
    "check.crcs": True,
    "queued.max.messages.kbytes": 32_768,
    "fetch.max.bytes": 16 << 20,
    "fetch.wait.max.ms": 100,  # also the delay of a start: a fetch already waiting at the broker is waited out
    "fetch.queue.backoff.ms": 20,  # with 100, or the default of 1000, a fast consumer waits half of its time
    "fetch.error.backoff.ms": 100,
    "topic.metadata.refresh.interval.ms": 20_000,  # also how soon a partition or a topic that is new is seen
}
CONSUMER_FIXED: dict[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
}

SETUP_MS = 10_000
"""As Java's clients have it; by default it is 30 s. A connection that was begun while a broker stood still may wait so
long for an answer that does not come, though the broker is back.
"""
RECONNECT_MS = 2_000
"""The longest pause between two attempts to connect: how soon the return of a broker is seen. By default it is 10 s."""

GAPS = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION}
"""The offset asked for is not there. librdkafka reports the first, because auto.offset.reset is "error"."""
REFUSED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.INVALID_TRANSACTION_TIMEOUT,
    KafkaError.UNSUPPORTED_VERSION,
}
"""Waiting does not help: somebody has to change something."""

GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}
"""The topic does not exist, or not any more."""
UNANSWERED = {
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._AUTHENTICATION,
    KafkaError._SSL,
    KafkaError._RESOLVE,
}
"""No broker was there to answer; why, librdkafka only tells its log."""


UNKNOWN = {KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART}


class Limits(NamedTuple):
    """Seconds. Nothing here waits without one of them."""

    slice: float = 2.0  # the longest single call into librdkafka that waits for a broker
    commit: float = 12.0  # one transaction, begin to end; below transaction.timeout.ms (15 s)
    recover: float = 10.0  # a new producer, until its transactions are initialised
    committed: float = 2.0
    metadata: float = 10.0
    diagnosis: float = 5.0  # after no answer: to find out why
    stalled: float = 60.0  # a bounded read that makes no progress; open transactions end after 15 s + scan


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._end_s = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._end_s - time.monotonic())

    def over(self) -> bool:
        return self.left() == 0.0

    def slice(self, longest: float) -> float:
        """How long the next call may wait; never 0, which some calls take for "do not even try"."""
        return max(0.05, min(longest, self.left()))


class Complaints:
    """Logs an error that keeps coming once a minute instead of a hundred times a second."""

    def __init__(self, logger: logging.Logger, every_s: float = 60.0) -> None:
        self._logger, self._every_s = logger, every_s
        self._said: dict[tuple[object, ...], float] = {}

    def say(self, error: KafkaError, *where: object) -> None:
        key, now_s = (error.code(), *where), time.monotonic()
        if now_s - self._said.get(key, -self._every_s) >= self._every_s:
            self._said[key] = now_s
            self._logger.warning("kafka %s: %s %s", " ".join(map(str, where)), error.name(), error.str())


def librdkafka_version() -> str:
    """Of the library itself: the binding has versions of its own."""
    text, _ = libversion()
    return str(text)


def unreadable(offset: int, error: KafkaError) -> Record:
    """What stands for a record of a stored batch that cannot be unpacked."""
    return Record(offset, -1, None, None, unreadable=error.str()[:DETAIL_MAX])


def error_of(exception: KafkaException) -> KafkaError:
    error = exception.args[0]
    assert isinstance(error, KafkaError)
    return error


def settings(config: Config, *drop: str) -> dict[str, Any]:
    """Common settings; the user's `kafka.client` wins over ours, except for what a client fixes afterwards."""
    user = {name: value for name, value in config.kafka.client.items() if not name.startswith(drop)}
    own = {"bootstrap.servers": config.kafka.brokers, "client.id": "driftline"}
    waits = {"reconnect.backoff.max.ms": RECONNECT_MS, "socket.connection.setup.timeout.ms": SETUP_MS}
    return own | waits | user


def consumer_settings(config: Config, fixed: dict[str, Any]) -> dict[str, Any]:
    """Our defaults, the user's settings and then what must hold, in rising order of force.

    Readers outside the group get the group's id, too: the binding demands one, and it is the one ACLs allow.
    """
    merged = CONSUMER_DEFAULTS | settings(config, *PRODUCER_ONLY) | CONSUMER_FIXED | {"group.id": config.kafka.group}
    merged |= fixed
    if merged.get("group.protocol") == "consumer":
        merged = {name: value for name, value in merged.items() if name not in CLASSIC_ONLY}
    return merged


def make_consumer(config: Config, logger: Any, fixed: dict[str, Any]) -> Consumer:
    """A consumer with these settings."""
    try:
        return Consumer(consumer_settings(config, fixed), logger=logger)
    except KafkaException as exception:
        raise bad_settings(exception).down() from exception


def connection_settings(config: Config) -> dict[str, Any]:
    """What any client takes: no more than how to connect."""
    return settings(config, *PRODUCER_ONLY, *CONSUMER_ONLY)


def unreachable(config: Config, seconds: float) -> Trouble:
    """Why no broker answered, after some looks of at most `seconds` each."""
    common = connection_settings(config)
    found = diagnose(common, seconds)
    if found is None:
        found = next(filter(None, reached(common, advertised(common, seconds), seconds).values()), None)
    late = f"no broker of {config.kafka.brokers} answered in time, though all do by now"
    return found or Trouble("unreachable", late, "look at the brokers' load and at the network")


def down(config: Config, error: KafkaError, doing: str, topic: str = "") -> LogDown:
    """What was being done, and why it does not work, with the fix where one is known. It may take some seconds."""
    trouble = refusal(config, error.code(), topic)
    if topic and error.code() in GONE:
        trouble = missing_topic(config, topic, KafkaError.UNKNOWN_TOPIC_OR_PART)
    elif error.code() in UNANSWERED:
        trouble = unreachable(config, Limits().diagnosis)
    if trouble is None:
        return LogDown(f"{doing}: {error.name()} {error.str()}")
    return trouble._replace(why=f"{doing}: {trouble.why}").down()


def committed_of(
    consumer: Consumer, config: Config, partitions: Sequence[Partition], timeout_s: float
) -> dict[Partition, Committed | None]:
    """What the consumer's group has committed of partitions; None where nobody knows yet. librdkafka asks for stable
    offsets and repeats until the timeout. LogDown for what waiting does not help.
    """
    try:
        found = consumer.committed([TopicPartition(*partition) for partition in partitions], timeout=timeout_s)
        answers = [((one.topic, one.partition), one, one.error) for one in found]
    except KafkaException as exception:
        answers = [(partition, TopicPartition(*partition), error_of(exception)) for partition in partitions]
    return {partition: _committed(config, partition, one, error) for partition, one, error in answers}


def _committed(
    config: Config, partition: Partition, found: TopicPartition, error: KafkaError | None
) -> Committed | None:
    if error is not None:
        if error.fatal() or error.code() in REFUSED:
            raise down(config, error, f"committed offset of {partition[0]}[{partition[1]}]")
        return None
    return Committed(None, None) if found.offset < 0 else from_text(found.offset, found.metadata)


def partition_counts(
    client: Producer | Consumer | AdminClient, config: Config, limits: Limits, topics: Iterable[str]
) -> dict[str, int]:
    """Partition count of each topic, also where one has several parts to play, as the topic of alerts. LogDown when no
    broker answers or a topic is missing, with the reason.
    """
    topics = list(dict.fromkeys(topics))
    found = metadata(client, config, limits)
    if (found.cluster_id or "").startswith(MOCK_CLUSTER):
        owner = Producer({"bootstrap.servers": config.kafka.brokers, "log_level": 0})
        for topic in topics:
            metadata(owner, config, limits, topic)
        found = metadata(client, config, limits)
    counts = {topic: len(found.topics[topic].partitions) for topic in topics if topic in found.topics}
    missing = [topic for topic in topics if not counts.get(topic)]
    if missing:
        raise absent(config, missing, list(found.topics), limits.metadata).down()
    return counts


def metadata(
    client: Producer | Consumer | AdminClient, config: Config, limits: Limits, topic: str | None = None
) -> Any:
    """Of one topic or of all. LogDown after the deadline, or as soon as it is known why nobody answers."""
    deadline = Deadline(limits.metadata)
    while True:
        try:
            return client.list_topics(topic, timeout=deadline.slice(limits.slice))
        except KafkaException as exception:
            trouble = unreachable(config, deadline.slice(limits.diagnosis))
            if trouble.event != "unreachable" or deadline.over():
                raise trouble.down() from exception


def absent(config: Config, missing: list[str], there: Iterable[str], seconds: float) -> Trouble:
    """Why these topics are not seen: each does not exist, or we may not see it."""
    codes = unseen(connection_settings(config), missing, seconds)
    found = {topic: codes.get(topic, KafkaError.UNKNOWN_TOPIC_OR_PART) for topic in missing}
    return together(missing_topics(config, found, there))


class Probe:
    """Topics and watermarks. It reads uncommitted: only so does librdkafka report the high watermark and not the
    last stable offset, and a restore bounded by the latter misses committed snapshots.
    """

    def __init__(self, config: Config, logger: Any, limits: Limits) -> None:
        self._config, self._limits = config, limits
        self._consumer = make_consumer(config, logger, {"isolation.level": "read_uncommitted"})

    def partitions(self, topics: Iterable[str]) -> dict[str, int]:
        """See `partition_counts`. The first answer takes a connection, the others find it."""
        return partition_counts(self._consumer, self._config, self._limits, topics)

    def begin_end(self, partition: Partition) -> tuple[int, int]:
        """Low and high watermark. LogDown when they cannot be had within the metadata limit."""
        deadline = Deadline(self._limits.metadata)
        doing = f"{partition[0]}[{partition[1]}]: no watermarks"
        last = KafkaError(KafkaError._TIMED_OUT)
        while not deadline.over():
            try:
                marks = self._consumer.get_watermark_offsets(
                    TopicPartition(*partition), timeout=deadline.slice(self._limits.slice), cached=False
                )
                if marks is not None:
                    return marks
            except KafkaException as exception:
                last = error_of(exception)
                if last.code() in REFUSED:
                    break
                if last.code() in UNKNOWN:
                    # Added since this client looked last, which it does every now and then; or it is gone.
                    with suppress(KafkaException):
                        self._consumer.list_topics(timeout=deadline.slice(self._limits.slice))
                time.sleep(deadline.slice(0.1))
        raise down(self._config, last, doing, partition[0])

    def offset_at(self, partition: Partition, time_ms: int) -> int | None:
        """First offset with a timestamp at or after `time_ms`; None when all are older."""
        try:
            [found] = self._consumer.offsets_for_times(
                [TopicPartition(*partition, time_ms)], timeout=self._limits.metadata
            )
        except KafkaException as exception:
            doing = f"{partition[0]}[{partition[1]}]: no offset of that time"
            raise down(self._config, error_of(exception), doing, partition[0]) from exception
        return found.offset if found.offset >= 0 else None

    def close(self) -> None:
        self._consumer.close()
