"""Wakes the thread of a consumer that fetches from a partition's leader: by any request, whose answer nobody needs.

The thread sleeps for a second while nothing is to be fetched there, and neither a seek nor a resume wakes it
(librdkafka 2.16): measured, the first record came 0.98 s after the start. The binding has only requests that wait for
their answer, which stands in line behind a fetch that waits at the broker. Not to wait for it by a deadline of a
millisecond is no way: once a second librdkafka looks for requests past their deadline, and for a single one it warns of
a timeout and closes the connection, with the fetches on it. Hence threads that wait.

The binding lets one call at a time use a consumer: while such an answer is waited for, a seek, the member id and
committed offsets wait, too. A wake for each of many partitions took most of the time that their restores did.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streamer.port import Partition

AT_ONCE = 4
"""So that a leader that is slow holds up no other. Neighbours among partitions mostly have different leaders."""


class Waker:
    """`wake` never waits. `answer_s` is how long an answer may take, and hence `close`."""

    def __init__(self, consumer: Consumer, answer_s: float) -> None:
        self._consumer, self._answer_s = consumer, answer_s
        self._pool = ThreadPoolExecutor(AT_ONCE, "driftline-wake")
        self._started = deque[Partition](maxlen=AT_ONCE)

    def wake(self, partition: Partition, more: bool = False) -> None:
        """`more`: others are to be started soon; then the last of them is the time to ask, and a second at the latest
        goes by for this one.
        """
        self._started.append(partition)
        while self._started and not more:
            self._pool.submit(self._ask, self._started.popleft())

    def close(self) -> None:
        """To be called before the consumer is closed: afterwards nobody asks it any more."""
        self._pool.shutdown(cancel_futures=True)

    def _ask(self, partition: Partition) -> None:
        with suppress(KafkaException):
            self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=self._answer_s, cached=False)
