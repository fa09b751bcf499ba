"""What a bridge knows of one partition of the alerts topic: what it was told already, and what still fires.

It is a function of the partition's records, read from the oldest that is retained: those before the committed offset
were delivered by a run before, and are only remembered. So a restart knows what fires without a state of its own, and
what the service publishes twice, with equal ids, is delivered once.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from streamer.bridges.told import Told, told, told_again_within_ms

SEEN_MAX = 50_000
"""Ids that are remembered, some 100 bytes each."""
OPEN_MAX = 20_000
"""Alerts and incidents that fire; of more than these the oldest is told no more, and counted."""


class Start(NamedTuple):
    """Where the reading of a partition begins to be news: the offset."""

    news: int
    fresh: bool  # no run before: of what is older that counts which is not over


class Firing(NamedTuple):
    told: Told
    heard_ms: int  # timestamp of its newest record
    offset: int


class News(NamedTuple):
    """A record that is to be told. `again`: it fired before, and nothing has changed but that time passed."""

    told: Told
    again: bool


class Ledger:
    """Of one partition."""

    def __init__(self, start: Start, open_max: int = OPEN_MAX, seen_max: int = SEEN_MAX) -> None:
        self.start = start
        self.caught_up = False
        self.firing: OrderedDict[str, Firing] = OrderedDict()  # by key, in the order in which it began
        self.unread = self.repeated = self.hidden = 0
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._open_max, self._seen_max = open_max, seen_max

    def take(self, offset: int, time_ms: int, value: bytes | None) -> News | None:
        """The next record; what is to be told of it, if anything."""
        one = told(value)
        if one is None:
            self.unread += value is not None
            return None
        if self._repeats(one):
            self.repeated += offset >= self.start.news
            return None
        again = self._fires_on(one)
        if one.over:
            self.firing.pop(one.key, None)
        else:
            self.firing[one.key] = Firing(one, time_ms, offset)
            if len(self.firing) > self._open_max:
                self.firing.popitem(last=False)
                self.hidden += 1
        return News(one, again) if offset >= self.start.news else None

    def _fires_on(self, one: Told) -> bool:
        """Whether it fired before, and nothing is new of it. Of another episode the key begins anew."""
        known = self.firing.get(one.key)
        if known is not None and known.told.episode != one.episode:
            del self.firing[one.key]
            return False
        return known is not None and not one.over and same_to_people(known.told, one)

    def history_over(self) -> list[News]:
        """All before the news was read. At a first start: what fires is told, and what is over is not."""
        if self.caught_up:
            return []
        self.caught_up = True
        if not self.start.fresh:
            return []
        return [News(one.told, False) for one in self.firing.values() if one.offset < self.start.news]

    def forgotten(self, now_ms: int, after_ms: int) -> list[Told]:
        """Alerts that no record told of for so long, nor for as long as they said themselves: they fire no more."""
        gone = [
            one.told
            for one in self.firing.values()
            if now_ms - one.heard_ms > max(after_ms, told_again_within_ms(one.told))
        ]
        for one in gone:
            del self.firing[one.key]
        return gone

    def _repeats(self, one: Told) -> bool:
        """Whether its id was seen; ids are remembered by their hash."""
        mark = xxh3_64_intdigest(one.id.encode())
        if mark in self._seen:
            return True
        self._seen[mark] = None
        if len(self._seen) > self._seen_max:
            self._seen.popitem(last=False)
        return False


def same_to_people(before: Told, after: Told) -> bool:
    """Whether a record of what fires already tells a person nothing new: an incident may have grown, or be worse."""
    if before.severity != after.severity:
        return False
    return before.kind == "alert" or before.sentence == after.sentence
