"""What of a transaction is sent at a time: of no partition more than goes out without waiting for an answer.

Of an idempotent producer librdkafka sends nothing more of a partition while five records or more are on their way. When
more of it waits by then, the connection's thread does not sleep until the answer is there but asks again and again,
which took a tenth of the processor's time of both stages. So what one request takes is awaited before there is more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streamer.kafka.state_topic import Outgoing

BYTES = 900_000
"""Of a request, below `batch.size` as librdkafka has it by itself."""
RECORD_BYTES = 150
"""What a record takes beside key and value, headers included, at most."""
ON_THEIR_WAY = 5
"""So many records of a partition are sent whatever their size, as chunks of snapshots are."""


def in_requests(records: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """The records in their order, cut where others must have arrived before. Of a topic where keys say which partition
    it is, all count as of one.
    """
    some: list[Outgoing] = []
    held: dict[tuple[str, int], tuple[int, int]] = {}
    for record in records:
        topic, key, value, _, partition, _ = record
        size = len(key or b"") + len(value or b"") + RECORD_BYTES
        count, total = held.get((topic, partition), (0, 0))
        if count >= ON_THEIR_WAY and total + size > BYTES:
            yield some
            some, held, count, total = [], {}, 0, 0
        some.append(record)
        held[topic, partition] = count + 1, total + size
    if some:
        yield some
