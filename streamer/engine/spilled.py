"""Halves of pairs that wait for long: in the store that labels and inferences wait in, `series/pending.py`, as bytes
beside numbers. A full block of it never changes but for its marks, so a snapshot has it as the same bytes every time.

Only who is among the oldest of many that wait comes here, in the order in which they came to their model. The clock is
the newest event time of the partition that is believed, see `event_clock.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgpack
import numpy as np

from streamer.engine.event_clock import STATE, EventClock
from streamer.series.pending import CAME, ID, Layout, Pending
from streamer.series.predictions import model_hash

LAYOUT: Layout = (("time_ms", "<i8"), ("offset", "<i8"))
MET = 1
"""The mark of a half whose other half came, or that went alone."""


class Half(NamedTuple):
    """An event that waits. Names and texts are themselves, not codes."""

    model: str
    version: str | None
    event_id: int
    row: int
    time_ms: int
    offset: int
    numbers: tuple[tuple[str, float], ...]
    texts: tuple[tuple[str, str], ...]
    nulls: tuple[str, ...]
    odd: tuple[tuple[str, str], ...] = ()  # fields that could not be used, with the reason
    origin: tuple[str, int, int, int] | None = None  # of the ordered log: see `batch.origin_of`


def plain(half: Half) -> list[Any]:
    """As a snapshot has it."""
    parts = ([list(one) if isinstance(one, tuple) else one for one in part] for part in half[6:10])
    return [*half[:6], *parts, half.origin]


def half_of(state: Iterable[Any]) -> Half:
    """Of what `plain` made. Raises ValueError and its like."""
    model, version, event_id, row, time_ms, offset, numbers, texts, nulls, odd, *more = state
    origin = more[0] if more else None  # Older snapshots have none.
    return Half(
        str(model), None if version is None else str(version), int(event_id), int(row), int(time_ms),
        int(offset), tuple((str(name), float(value)) for name, value in numbers),
        tuple((str(name), str(text)) for name, text in texts), tuple(map(str, nulls)),
        tuple((str(name), str(reason)) for name, reason in odd),
        None if origin is None else (str(origin[0]), int(origin[1]), int(origin[2]), int(origin[3])),
    )  # fmt: skip


def id_of(model: str, event_id: int) -> int:
    """What a half is found by."""
    return event_id ^ model_hash(model)


class Spilled:
    """Those of one partition, at most `most`, and not for longer than `within_ms`."""

    def __init__(self, within_ms: int, most: int, ahead_ms: int) -> None:
        self.within_ms, self.most, self.ahead_ms = within_ms, most, ahead_ms
        self.clock = EventClock(0)
        self._empty()

    def _empty(self) -> None:
        self.store = Pending(LAYOUT, self.within_ms, max(self.most, 1), worded=True)
        self.settled, self.waiting = 0, 0  # those before this number went alone, or met; how many wait
        self.looked = 0, 0  # clock and end of the store when it was last seen who is over

    def pass_time(self, time_ms: int) -> None:
        """An event of this time."""
        if self.clock.time_ms:
            self.clock.hear(time_ms, self.within_ms, self.ahead_ms)
        else:
            self.clock = EventClock(time_ms)

    @property
    def clock_ms(self) -> int:
        """What time it is."""
        return self.clock.now_ms

    def put(self, half: Half) -> None:
        """One more that waits; those before it came before."""
        store = self.store
        last = store.blocks[-1]
        before = last.came.item(last.rows - 1) if last.rows else 0
        if not last.rows and len(store.blocks) > 1:
            before = store.blocks[-2].came.item(-1)
        words = msgpack.packb([*half[:4], *plain(half)[6:]])
        columns = {
            ID: id_of(half.model, half.event_id),
            CAME: max(before, min(half.time_ms, self.clock_ms)),
            "time_ms": half.time_ms,
            "offset": half.offset,
        }
        number = store.add(columns, 1, words)
        store.places[columns[ID]] = number
        self.waiting += 1
        if store.room == 0:
            store.seal()

    def take(self, model: str, event_id: int) -> Half | None:
        """The half of this id that waits, which waits no more; None where there is none."""
        if not self.waiting:
            return None
        wanted, store = id_of(model, event_id), self.store
        number = store.places.get(wanted, -1)
        if number < 0:
            number = store.find(np.array([wanted], np.uint64)).item()
        if number < self.settled or store.at(number)[0].marks[store.at(number)[1]]:
            return None
        return self._out(number)

    def over(self) -> Iterator[Half]:
        """Those whose time is over, or that too many came behind, in the order in which they came."""
        end = self.store.end
        if not self.waiting or self.looked == (self.clock_ms, end):
            return
        self.looked = self.clock_ms, end
        border = self.store.border(self.clock_ms, self.settled)
        yield from self._until(border)
        self.settled = border
        self.store.closed(self.clock_ms)

    def oldest(self) -> Half | None:
        """The first that waits, which waits no more."""
        return next(self._until(self.store.end), None) if self.waiting else None

    def _until(self, end: int) -> Iterator[Half]:
        """Those before this number that wait. Whoever is told was the first of them."""
        while self.settled < end and self.waiting:
            block, place = self.store.at(self.settled)
            left = np.flatnonzero(block.marks[place : min(end - block.first, block.rows)] == 0)
            number = self.settled + int(left[0]) if len(left) else -1
            self.settled = number + 1 if len(left) else min(end, block.first + block.rows)
            if len(left):
                yield self._out(number)

    def _out(self, number: int) -> Half:
        block, place = self.store.at(number)
        block.marks[place] = MET
        self.waiting -= 1
        return self._half(number)

    def _half(self, number: int) -> Half:
        block, place = self.store.at(number)
        model, version, event_id, row, *rest = msgpack.unpackb(block.words_at(place))
        numbers = block.columns["time_ms"].item(place), block.columns["offset"].item(place)
        return half_of([model, version, event_id, row, *numbers, *rest])

    def all_out(self) -> list[Half]:
        """All that wait, in their order, and none afterwards."""
        found = list(self._until(self.store.end))
        self._empty()
        return found

    def erase(self, event_id: int, models: Collection[str]) -> int:
        """Halves of this id, of any of these models, wait no longer; how many there were."""
        ids = np.array([id_of(model, event_id) for model in models], np.uint64)
        left, _ = self.store.erase(ids, self.settled)
        self.waiting -= left
        return left

    def dump(self) -> dict[str, Any] | None:
        """None where nobody ever waited for long."""
        if not self.store.end:
            return {"clock": self.clock.dump()} if self.clock_ms else None
        known = {"settled": self.settled, "waiting": self.waiting, "looked": list(self.looked)}
        return {"clock": self.clock.dump(), "store": self.store.dump(), **known}

    def load(self, state: Mapping[str, Any] | None) -> None:
        """Into an empty one. Raises ValueError and its like."""
        if state is None:
            return  # Older snapshots have none.
        clock = state["clock"]
        # Older snapshots have its time, and how many events were ahead of it.
        self.clock = EventClock.load(clock) if len(clock) == len(STATE) else EventClock(int(clock[0]), known=True)
        if "store" not in state:
            return
        self.store.load(state["store"])
        self.settled, self.waiting = int(state["settled"]), int(state["waiting"])
        self.looked = int(state["looked"][0]), int(state["looked"][1])
        there = self.store.first <= self.settled <= self.store.end
        if not there or self.store.unanswered(self.settled, self.store.end) != self.waiting:
            raise ValueError("more or fewer halves wait than there are")
