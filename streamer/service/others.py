"""Partitions that other processes of the group read, for those who want to be in step with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor, Future

from streamer.kafka.progress import Reached
from streamer.port import LogDown, Partition

EVERY_S = 0.05
PAUSE_S = 10.0
"""After a question that nobody answered. Until the next one nobody is waited for."""
STUCK_S = 20.0
"""Who gets nowhere for so long is waited for no longer. It takes about that to take over what a dead process had."""

Ask = Callable[[], Mapping[Partition, Reached]]


class Others:
    """What is known of them is asked for beside the loop, and only while somebody wants to know."""

    def __init__(
        self,
        ask: Callable[[], Mapping[Partition, Reached]],
        pool: Executor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._pool, self._clock = ask, pool, clock
        self._asked: Future[Mapping[Partition, Reached]] | None = None
        self._known: Mapping[Partition, Reached] | None = None
        self._moved: dict[Partition, tuple[int, float]] = {}  # where each was, and since when
        self._due_s = 0.0

    def waited_for(self, ours: Collection[Partition]) -> dict[Partition, int] | None:
        """Those that have something left and get on, with the time that they have reached, 0 where that is not known.
        None while the first answer is still to come.
        """
        now_s = self._clock()
        if self._asked is not None and self._asked.done():
            asked, self._asked = self._asked, None
            self._take(asked, now_s)
        if self._asked is None and now_s >= self._due_s:
            self._asked = self._pool.submit(self._ask)
            if self._asked.done():
                return self.waited_for(ours)
        if self._known is None:
            return None
        return {
            partition: reached.time_ms
            for partition, reached in self._known.items()
            if partition not in ours and reached.left and now_s - self._moved[partition][1] < STUCK_S
        }

    def _take(self, asked: Future[Mapping[Partition, Reached]], now_s: float) -> None:
        self._due_s = now_s + EVERY_S
        if isinstance(asked.exception(), LogDown):
            self._known, self._due_s = {}, now_s + PAUSE_S
            return
        self._known = asked.result()
        for partition, reached in self._known.items():
            if self._moved.get(partition, (None,))[0] != reached.offset:
                self._moved[partition] = reached.offset, now_s
