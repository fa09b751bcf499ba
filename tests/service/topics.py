"""What a page reads, as a tail of topics gives it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from schemas.events.batch import Record
from streamer.port import LogDown, Partition


class Topics:
    """What a tail reads: what is put. `fails`: so often no broker answers at first."""

    def __init__(self) -> None:
        self.missing = {"gone": "there is no such topic"}
        self.skipped = 0
        self.put: list[bytes | None] = []
        self.asked_ms: list[int] = []
        self.fails, self.closed = 0, 0

    def __call__(self, now_ms: int) -> Topics:
        self.asked_ms.append(now_ms)
        if len(self.asked_ms) <= self.fails:
            raise LogDown("no broker")
        return self

    def records(self) -> Iterator[tuple[Partition, Record]]:
        time.sleep(0.01)
        found, self.put = self.put, []
        yield from ((("t", 0), Record(0, 0, None, value)) for value in found)

    def close(self) -> None:
        self.closed += 1
