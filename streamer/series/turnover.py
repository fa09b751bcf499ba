"""Whose place may be given to another, where there are only so many.

Nobody leaves before there is need: from seven eighths of the places on, whoever has been silent for long goes, the
longest silent by event time first, until a quarter is free. Silent for long means: without a value while all together
took `PATIENCE` of the values that every place needs to learn its reference. So whoever speaks in turn with no more than
`PATIENCE` x warm-up times as many others as there are places stays and learns, and what comes beyond the places is
refused and counted; those who would only push each other out before any has learned are never let in at all.

Looked at is only at turns of the log (`streamer/engine/room.py`), so that no cutting into batches changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from schemas.events.batch import Batch
from streamer.signals.columns import I64, Bool, Groups, dense

PATIENCE = 1 / 8
MARKS = 8
"""Places in the log that are remembered within the patience."""

K = TypeVar("K", bound=Hashable)


class Turnover:
    """Of so many places, when somebody may have to leave, and who."""

    def __init__(self, places: int, warmup: int) -> None:
        self.places = places
        self.patience = max(int(places * warmup * PATIENCE), 1)
        self.crowded = places - places // 8
        self.enough = places - max(places // 4, 1)
        self.marks: list[tuple[int, int]] = []  # offset, and how many values there had been by then; oldest first

    def calm(self, most: int) -> bool:
        """Whether so many used places are so few that no turn of the log means anything."""
        return 2 * most < self.places

    def rest(self) -> None:
        """A turn of the log was passed in calm."""
        self.marks.clear()

    def turn(self, offset: int, clock: int, used: int) -> bool:
        """A turn of the log at which there had been `clock` values: whether somebody may have to leave."""
        if self.calm(used):
            self.rest()
            return False
        if self.marks and clock - self.marks[-1][1] < max(self.patience // MARKS, 1):
            return False  # Whoever could leave now could before.
        self.marks.append((offset, clock))
        while len(self.marks) > 1 and clock - self.marks[1][1] >= self.patience:
            del self.marks[0]
        return used >= self.crowded and clock - self.marks[0][1] >= self.patience

    def leaving(self, times_ms: I64, offsets: I64, last: Bool, never: Bool, used: int) -> I64:
        """Who leaves, ascending; for each when it spoke last, and whether it leaves only after the others, or never."""
        may = np.flatnonzero((offsets < self.marks[0][0]) & ~never)
        order = may[np.lexsort((may, times_ms[may], last[may]))]
        return np.sort(order[: -(-len(offsets) * (used - self.enough) // used)])

    def dump(self) -> list[list[int]]:
        return [list(mark) for mark in self.marks]

    def load(self, state: Any) -> None:
        self.marks = [(int(offset), int(clock)) for offset, clock in state]


def nobody(key: Any) -> bool:
    return False


class Places(Generic[K]):
    """Keys that something is remembered of beside the rows of a table, and when each was heard last."""

    def __init__(self, places: int, warmup: int) -> None:
        self.turnover = Turnover(places, warmup)
        self.heard: dict[K, tuple[int, int]] = {}  # event time and offset of the last event, in order of the first
        self.clock, self.evicted = 0, 0

    @property
    def full(self) -> bool:
        return len(self.heard) >= self.turnover.places

    def hear(self, key: K, time_ms: int, offset: int) -> bool:
        """Note an event of a key; false when it is new and there is no place left."""
        known = key in self.heard or not self.full
        if known:
            self.heard[key] = time_ms, offset
        return known

    def turn(
        self,
        offset: int,
        used: int | None = None,
        last: Callable[[K], bool] = nobody,
        never: Callable[[K], bool] = nobody,
    ) -> list[K]:
        """Who leaves at a turn of the log, and is forgotten here; `used`: places, where keys take more than one."""
        used = len(self.heard) if used is None else used
        if not self.turnover.turn(offset, self.clock, used):
            return []
        keys, heard = list(self.heard), np.array(list(self.heard.values()), np.int64).reshape(-1, 2)
        after, not_at_all = (np.array(list(map(says, keys)), bool) for says in (last, never))
        leaving = self.turnover.leaving(heard[:, 0], heard[:, 1], after, not_at_all, used)
        gone = [keys[i] for i in leaving.tolist()]
        self.forget(gone)
        self.evicted += len(gone)
        return gone

    def forget(self, keys: list[K]) -> None:
        for key in keys:
            self.heard.pop(key, None)

    def dump(self) -> dict[str, Any]:
        """Beside the keys, which whoever remembers something of them has."""
        heard = np.array(list(self.heard.values()), np.int64).reshape(-1, 2)
        return {"heard": heard, "counts": [self.clock, self.evicted], "marks": self.turnover.dump()}

    def load(self, state: Mapping[str, Any], keys: list[K]) -> None:
        heard = [(int(time_ms), int(offset)) for time_ms, offset in state["heard"].tolist()]
        self.heard = dict(zip(keys, heard, strict=True))
        if len(self.heard) != len(keys):
            raise ValueError("the same key twice")
        self.clock, self.evicted = map(int, state["counts"])
        self.turnover.load(state["marks"])


def newest_of_groups(batch: Batch, groups: Groups, events: I64) -> list[tuple[int, int, int]]:
    """The groups of these ascending events in order of their first ones: group, event time and offset of the last."""
    codes = groups.of_event[events]
    last = np.zeros(len(groups.keys), np.int64)
    last[codes] = events  # With repeated codes the last assignment holds.
    found = codes[dense(codes)[1]] if len(codes) else codes
    at = last[found]
    return list(zip(found.tolist(), batch.times_ms[at].tolist(), batch.offsets[at].tolist(), strict=True))
