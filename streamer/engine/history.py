"""What the topic held before the group first came to it: school, not news.

It is read to learn from. What went wrong in it is over, so its alerts are told low, except for what still holds where
it ends: that is told there as it is. It ends at an offset that is known from the start on; or before, where nothing
more comes, since the last offsets of a partition may hold no records but the marks of transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from schemas.events.batch import Batch, part_of
from streamer.alerts.alert import Notice
from streamer.alerts.alert_record import labels_of
from streamer.alerts.lifecycle import AlertBook
from streamer.engine.admission import Admission
from streamer.monitors.base import Monitor
from streamer.port import Tick

Tell = Callable[[Sequence[Notice]], None]
"""Publishes notices."""

NOBODY_KNOWS = 1 << 62
"""Where the history of the ordered log ends, as long as it is read."""
HOLDING_MAX = 20
"""Alerts that are named of those that still hold."""


class RetainedHistory:
    """Of one partition. `end`: everything before it was there already."""

    def __init__(self, end: int, position: int, book: AlertBook, admission: Admission, tell: Tell) -> None:
        self.book, self.admission, self.tell = book, admission, tell
        self.over = end <= position
        self.end = book.news_from = 0 if self.over else end
        self.held: list[tuple[str, int]] = []  # monitor and row of what still held where it ended; not state

    def parts(self, batch: Batch, position: int) -> Iterator[Batch]:
        """The batch cut where the history ends, which it does when the part before was taken. In the ordered log that
        is where the first event stands that was sent since: by then most of what was there has been put in order.
        """
        if not self.over and batch.news_at is not None:
            self.end = batch.news_at if batch.news_at < batch.next_offset else NOBODY_KNOWS
        if self.over or batch.next_offset < self.end:
            yield batch
            return
        found = np.concatenate([batch.offsets, np.array([one.record.offset for one in batch.rejects], np.int64)])
        before = found[found < self.end]
        if len(before):
            position = int(before.max()) + 1
            yield part_of(batch, 0, position)
        self._end(position)
        if len(before) < len(found):
            yield part_of(batch, self.end, batch.next_offset)

    def tick(self, tick: Tick, position: int) -> None:
        """It is over as well where something was read, and nothing more comes."""
        heard = tick.caught_up and any(self.admission.counts.values())
        if not self.over and (heard or tick.offset >= self.end):
            self._end(position)

    def _end(self, position: int) -> None:
        """It is over at this position: its last record stands before. Alerts that still hold are told as they are."""
        self.over, self.end = True, position
        notices = self.book.end_history(position, self.admission.models())
        self.held = [(one.monitor, one.row) for one in notices if one.status == "firing"]
        self.tell(notices)

    def holding(self, monitors: Mapping[str, Monitor]) -> list[str]:
        """What still held where it ended, in words; the rows are those of then."""
        named = [labels_of(monitors[name], row) for name, row in self.held[:HOLDING_MAX]]
        more = [f"and {len(self.held) - HOLDING_MAX:,} more"] if len(self.held) > HOLDING_MAX else []
        return [f"{one['model']}: {one['monitor']} of {one['signal']}" for one in named] + more

    def dump(self) -> list[Any]:
        return [self.end, self.over]

    def load(self, state: Any) -> None:
        """What was dumped; of older snapshots nothing."""
        if state is not None:
            self.end, self.over = int(state[0]), bool(state[1])
            self.book.news_from = self.end
