"""Offsets of a stored batch that cannot be unpacked: how often they are tried, and when they are given up.

It imports little, for `lookout`.
"""

from __future__ import annotations

from confluent_kafka import KafkaError

UNREADABLE = {KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG, KafkaError.INVALID_MSG}
"""A stored batch that cannot be unpacked; librdkafka would fetch it again for ever."""


class BadOffsets:
    """Decides when a partition's next offset counts as unreadable.

    A broken fetch is repeated, because the network may have broken it; after `PATIENCE` failures at one offset the
    offset is given up. The offsets right behind it share its batch and get no second chance. The length of a batch
    that cannot be unpacked is unknown, hence steps of one.
    """

    PATIENCE = 3

    def __init__(self) -> None:
        self._strikes: dict[tuple[str, int], tuple[int, int]] = {}
        self._given_up: dict[tuple[str, int], int] = {}

    def struck(self, partition: tuple[str, int], offset: int) -> bool:
        """Another failure at `offset`; True when the caller is to skip it."""
        at, count = self._strikes.get(partition, (offset, 0))
        count = count + 1 if at == offset else 1
        self._strikes[partition] = offset, count
        if count < self.PATIENCE and self._given_up.get(partition) != offset - 1:
            return False
        self._given_up[partition] = offset
        return True
