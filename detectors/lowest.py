"""The lowest of a stream by a number each, in one pass, in bounded memory: the least confident, or a random sample.

Of all that was offered the CAPACITY lowest are kept, ordered by their number, then by offset and row in the log. So the
outcome does not depend on how the stream was cut, and ties are decided by the log.

A random sample is the lowest by a number that means nothing: SplitMix64 of the event's hash and a salt (bottom-k
sampling, Cohen & Kaplan 2007). Every set of k events is equally likely, so it is a simple random sample of exactly k,
and a replay chooses the same one.

>>> kept = Lowest(2)
>>> ids = np.arange(4, dtype=np.uint64)
>>> rows = notes = np.zeros(4, np.int64)
>>> kept.offer(Offered(np.array([0.9, 0.4, 0.7, 0.4]), np.arange(4), rows, ids, notes))
>>> kept.seen, kept.items().offset.tolist()
(4, [1, 3])
>>> chances(np.arange(3, dtype=np.uint64), salt=1).round(3).tolist()
[0.863, 0.87, 0.032]
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, State, array_of
from detectors.shiryaev_roberts import SEED, U64, mixed

CAPACITY_MAX = 1 << 20


class Offered(NamedTuple):
    """Parallel arrays of events in the order of the log."""

    number: F64  # by which they are ordered; finite
    offset: I64
    row: I64  # of the event within its record
    id: U64  # the hash of the event's id
    note: I64  # whatever whoever offers it wants to have back with it

    def take(self, places: NDArray[Any]) -> Offered:
        return Offered._make(column[places] for column in self)


NOTHING = Offered._make([np.zeros(0), *(np.zeros(0, dtype) for dtype in (np.int64, np.int64, np.uint64, np.int64))])


def chances(ids: U64, salt: int) -> F64:
    """A number in [0, 1) of each hash, as good as random, and another one for each salt (0 to 2^63)."""
    spread = mixed(ids + mixed(np.full(1, salt, np.uint64) + np.uint64(SEED)))
    return (spread >> np.uint64(11)).astype(np.float64) * 2.0**-53


def joined(parts: list[Offered]) -> Offered:
    return Offered._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


class Lowest:
    """The `capacity` lowest of `seen` events."""

    def __init__(self, capacity: int) -> None:
        assert 0 < capacity <= CAPACITY_MAX
        self.capacity = capacity
        self.seen = 0
        self.limit = np.inf  # nobody above it is among them
        self.held = [NOTHING]
        self.size = 0

    def offer(self, events: Offered) -> None:
        """AssertionError for a number that is not finite."""
        assert bool(np.isfinite(events.number).all())
        self.seen += len(events.number)
        below = events.take(np.flatnonzero(events.number <= self.limit))
        self.held.append(below)
        self.size += len(below.number)
        if self.size > 2 * self.capacity:
            self._settle()

    def _settle(self) -> None:
        """Keep what is among the lowest, in order."""
        events = joined(self.held)
        order = np.lexsort((events.row, events.offset, events.number))[: self.capacity]
        kept = events.take(order)
        self.held, self.size = [kept], len(order)
        if len(order) == self.capacity:
            self.limit = kept.number[-1].item()

    def items(self) -> Offered:
        """Them, the lowest first."""
        self._settle()
        return self.held[0]

    def blank(self, ids: U64) -> bool:
        """Know no more of the ids of these than that there were some: theirs are 0. Whether there were any."""
        events = self.items()
        mine = np.isin(events.id, ids)
        self.held = [events._replace(id=np.where(mine, np.uint64(0), events.id))]
        return bool(mine.any())

    def dump(self) -> dict[str, NDArray[Any]]:
        """Arrays; equal histories give equal ones."""
        return {"seen": np.array([self.seen]), **{n: c.copy() for n, c in self.items()._asdict().items()}}

    def load(self, state: State) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        seen = int(array_of(state, "seen", "i8", (1,))[0])
        size = min(max(seen, 0), self.capacity)
        dtypes = {"number": "f8", "offset": "i8", "row": "i8", "id": "u8", "note": "i8"}
        events = Offered._make(array_of(state, name, dtype, (size,)) for name, dtype in dtypes.items())
        order = np.lexsort((events.row, events.offset, events.number))
        if seen < 0 or not np.isfinite(events.number).all() or (order != np.arange(size)).any():
            raise ValueError("events that are not in their order")
        self.seen, self.held, self.size = seen, [events.take(order)], size
        self.limit = events.number[-1].item() if size == self.capacity else np.inf
