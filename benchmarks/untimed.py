"""The first part of every partition, read before the clock starts: a service that runs for months is past its warm-ups.

A consumer is handed one partition for long before the next: when half of all events are read, a third of the partitions
may not have been begun. So each is paused where its untimed part ends; when all are there, the clock starts.
"""

from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition

from benchmarks.measure import Clock, Job

Place = tuple[str, int]


class Untimed:
    """`open` holds the partitions that are not through their untimed part, each with the offset where it ends."""

    def __init__(self, job: Job, consumer: Consumer) -> None:
        """`consumer` answers for the sizes only; it need not be the one that reads."""
        self.open: dict[Place, int] = {}
        if job.timed_share < 1.0:
            for place in ((topic, partition) for topic in job.topics for partition in range(job.partitions)):
                size = consumer.get_watermark_offsets(TopicPartition(*place), 30)[1]
                if size:
                    self.open[place] = int(size * (1.0 - job.timed_share))
        self.paused: list[TopicPartition] = []

    def reached(self, consumer: Consumer, place: Place, position: int) -> bool:
        """Note the next offset of a partition; True when now all were read so far and stand still."""
        if position < self.open.get(place, position + 1):
            return False
        del self.open[place]
        self.paused.append(TopicPartition(*place))
        consumer.pause(self.paused[-1:])
        return not self.open

    def start(self, consumer: Consumer, seen: int) -> Clock:
        """The clock, of the timed part, which begins to be fetched."""
        clock = Clock(seen)
        consumer.resume(self.paused)
        return clock
