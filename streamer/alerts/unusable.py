"""When too many records of a partition cannot be used: rejected, late or repeated. What is not used is watched by no
monitor.

Theory of operation. The clock is that of the ticks, which are data: a window lasts a minute of them, and the tick that
ends it holds the shares of its records against the bound. Above it an alert opens; it is over when there was none such
in a window, or in two running at most half as many as the bound has, since what lies at the bound is above it now and
then. A window goes on while it has too few records for a share to mean something, unless one thing became of them all.
An empty one says nothing: silence is told elsewhere. Where nothing at all was used, neither in this window nor in the
one before, no tick is waited for: the alert opens at the record that shows it, which is a matter of the log alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from schemas.events.batch import Batch, Reject
from schemas.events.convert import TIME_MAX_MS
from schemas.events.guess import guess
from schemas.records.alert import rfc3339
from streamer.alerts.alert import FIRING
from streamer.alerts.lifecycle import REPEATS_KEPT
from streamer.signals.columns import I64, Bool

WINDOW_MS = 60_000
AT_ONCE = 20
"""Records of which a share means something; and so many of which not one is used are a wrong format or pointer."""
BACK = 0.5
"""Of the bound: no alert is over above it, unless the bound is 1, beyond which there is nothing."""
MONITOR = "limits.unusable"
"""What stands for a monitor: the config key that has the bound, which no monitor can be called."""
REJECTED, LATE, DUPLICATE = "rejected", "late", "duplicate"
WHAT = (REJECTED, LATE, DUPLICATE)
UNUSED = (LATE, DUPLICATE)
Unused = Mapping[str, I64]
"""Which events of a batch were read and not used, by each of `UNUSED`."""


class Account(NamedTuple):
    """What became of records."""

    consumed: int
    used: int
    rejected: int
    late: int
    duplicate: int = 0  # Older snapshots have no count of them.

    def plus(self, other: Account) -> Account:
        return Account(*(one + two for one, two in zip(self, other, strict=True)))

    def of(self, what: str) -> int:
        return {REJECTED: self.rejected, LATE: self.late, DUPLICATE: self.duplicate}[what]

    def share(self, what: str) -> float:
        """Of all that was consumed."""
        return self.of(what) / max(self.consumed, 1)

    @property
    def tells(self) -> bool:
        """Whether a share of it means something."""
        alike = self.consumed in (self.used, self.rejected, self.late, self.duplicate)
        return self.consumed >= AT_ONCE or (self.consumed > 0 and alike)


NOTHING = Account(0, 0, 0, 0)


class First(NamedTuple):
    """The first record of a window that could not be used. Never a value of it."""

    offset: int
    reason: str
    detail: str
    hint: str  # what its bytes look like, and what to do


class Found(NamedTuple):
    """What opened an alert."""

    offset: int
    time_ms: int
    bad: int  # of so many
    consumed: int
    reasons: tuple[tuple[str, int], ...]
    span: tuple[int, int, int, int]  # first and last offset and time of the records that were counted
    first: First


@dataclass(slots=True)
class Window:
    """The records since the last judgement."""

    elapsed_ms: int = 0
    account: Account = NOTHING
    reasons: dict[str, int] = field(default_factory=dict)
    begin: tuple[int, int] | None = None  # offset and time of its first record
    firsts: dict[str, First] = field(default_factory=dict)  # by what became of it


@dataclass(slots=True)
class Episode:
    """An alert of one kind: the open one, or how many there were."""

    number: int = 0
    found: Found | None = None  # None: it is not open
    detections: int = 0
    open_ms: int = 0  # by ticks
    told: int = 0  # sequence of its newest record
    now: tuple[int, int] = (0, 0)  # how many of how many in the newest window that was judged


class Told(NamedTuple):
    """An alert that opened, is told again, or is over, and all that its record says."""

    status: str  # "firing", "renewed" or "resolved"
    what: str
    number: int
    detections: int
    found: Found
    now: tuple[int, int]
    offset: int
    time_ms: int
    sequence: int
    ends_ms: int


def valid_time(time_ms: int) -> int:
    """A timestamp as a time that can be written, whatever a producer put there."""
    return min(max(time_ms, 0), TIME_MAX_MS - 1)


def counted(reasons: Mapping[str, int], rejects: Iterable[Reject]) -> dict[str, int]:
    """Those, and more of them."""
    found = dict(reasons)
    for reject in rejects:
        found[reject.reason] = found.get(reject.reason, 0) + reject.records
    return found


class Unusable:
    """The account of one partition, and its alerts. `bound` 1: never."""

    def __init__(self, bound: float, repeat_ms: int) -> None:
        self.bound, self.repeat_ms = bound, repeat_ms
        self.window, self.before = Window(), NOTHING
        self.last = 0, 0  # offset and time of the newest record
        self.episodes = {what: Episode() for what in WHAT}

    @property
    def recent(self) -> Account:
        """This window and the one before."""
        return self.before.plus(self.window.account)

    @property
    def open(self) -> dict[str, Episode]:
        """The alerts that are open."""
        return {what: episode for what, episode in self.episodes.items() if episode.found is not None}

    def take(self, batch: Batch, used: Bool, unused: Unused, clock_ms: int) -> list[Told]:
        """What became of the records of a batch. `clock_ms`: the time of the last tick."""
        rejected = sum(reject.records for reject in batch.rejects)
        records = len(used) + rejected
        if not records:
            return []
        window, places = self.window, self._ends(batch)
        window.begin = window.begin or places[0]
        if batch.rejects and REJECTED not in window.firsts:
            one = batch.rejects[0]
            hint = guess(one.record.value or b"", one.reason)
            window.firsts[REJECTED] = First(one.record.first_offset, one.reason, one.detail, hint)
        for what, events in unused.items():
            if len(events) and what not in window.firsts:
                event = events.item(0)
                window.firsts[what] = First(batch.offsets.item(event), what, rfc3339(batch.times_ms.item(event)), "")
        told = self._at_once(batch, used, unused, clock_ms)
        window.reasons = counted(window.reasons, batch.rejects)
        more = Account(records, int(np.count_nonzero(used)), rejected, *(len(unused[what]) for what in UNUSED))
        window.account = window.account.plus(more)
        self.last = places[1]
        return told

    @staticmethod
    def _ends(batch: Batch) -> tuple[tuple[int, int], tuple[int, int]]:
        """Offset and time of the first and of the last record; of one of several events those of its first and last,
        however late they are.
        """
        first, last = ([(batch.offsets.item(i), batch.times_ms.item(i))] if len(batch.offsets) else [] for i in (0, -1))
        for reject in batch.rejects[:1] + batch.rejects[-1:]:
            time_ms = valid_time(reject.record.time_ms)
            first.append((reject.record.first_offset, time_ms))
            last.append((reject.record.offset, time_ms))
        return min(first, key=itemgetter(0)), max(last, key=itemgetter(0))

    def _at_once(self, batch: Batch, used: Bool, unused: Unused, clock_ms: int) -> list[Told]:
        """Alerts that open at a record of this batch, since nothing at all is used."""
        account, told = self.window.account, list[tuple[int, Told]]()
        standing = np.array([reject.records for reject in batch.rejects], np.int64)  # Each for so many records.
        if account.used or self.before.used or account.consumed + len(used) + int(standing.sum()) < AT_ONCE:
            return []
        end = batch.offsets.item(int(np.argmax(used))) if used.any() else batch.next_offset
        rejects = np.array([reject.record.offset for reject in batch.rejects], np.int64)
        every = np.concatenate([batch.offsets, rejects])
        order = np.argsort(every)
        until = np.cumsum(np.concatenate([np.ones(len(used), np.int64), standing])[order])
        events = [(what, batch.offsets[unused[what]], np.ones_like(unused[what])) for what in UNUSED]
        for what, offsets, number in ((REJECTED, rejects, standing), *events):
            bad = offsets[offsets < end]
            counts = account.of(what) + np.cumsum(number[: len(bad)])
            consumed = account.consumed + until[np.searchsorted(every[order], bad)]
            shown = np.flatnonzero((counts >= AT_ONCE) & (counts > self.bound * consumed))
            if not len(shown) or self.episodes[what].found is not None:
                continue
            place = shown.item(0)
            given = batch.rejects[: place + 1] if what == REJECTED else ()
            time_ms = given[-1].record.time_ms if given else batch.times_ms.item(unused[what].item(place))
            at = bad.item(place), max(valid_time(time_ms), clock_ms)
            reasons = counted(self.window.reasons, given)
            told.append((at[0], self._fire(what, at, (counts.item(place), consumed.item(place)), reasons)))
        return [one for _, one in sorted(told, key=lambda item: item[0])]

    def tick(self, passed_ms: int, time_ms: int, interval_ms: int) -> list[Told]:
        """A tick of this time, so long after the one before; ticks come every `interval_ms`."""
        told, window = list[Told](), self.window
        window.elapsed_ms += passed_ms
        for episode in self.open.values():
            episode.open_ms += passed_ms
        # The tick that is nearest to a minute ends it.
        over = window.elapsed_ms + min(interval_ms, WINDOW_MS) // 2 >= WINDOW_MS
        if over and (window.account.tells or not window.account.consumed):
            if window.account.consumed:
                told = [one for what in WHAT if (one := self._judge(what, time_ms)) is not None]
            self.window, self.before = Window(), window.account
        for what, episode in self.open.items():
            if 1 + episode.open_ms // self.repeat_ms > episode.told:
                told.append(self._told("renewed", what, (self.last[0], time_ms)))
        return told

    def _judge(self, what: str, time_ms: int) -> Told | None:
        """The window is over."""
        window, episode = self.window, self.episodes[what]
        now = window.account.of(what), window.account.consumed
        if window.account.share(what) > self.bound:
            if episode.found is None:
                return self._fire(what, (self.last[0], time_ms), now, window.reasons)
            episode.detections, episode.now = episode.detections + 1, now
        elif episode.found is not None:
            episode.now = now
            share = max(window.account.share(what), self.before.share(what))
            if now[0] and share > BACK * self.bound and self.bound < 1:
                return None
            told = self._told("resolved", what, (self.last[0], time_ms))
            episode.found = None
            return told
        return None

    def _fire(self, what: str, at: tuple[int, int], now: tuple[int, int], reasons: dict[str, int]) -> Told:
        window, episode = self.window, self.episodes[what]
        assert window.begin is not None
        by_reason = reasons if what == REJECTED else {what: now[0]}
        why = tuple(sorted(by_reason.items(), key=lambda item: (-item[1], item[0])))
        span = window.begin[0], at[0], window.begin[1], at[1]
        found = Found(*at, *now, why, span, window.firsts[what])
        self.episodes[what] = Episode(episode.number + 1, found, 1, 0, 0, now)
        return self._told("firing", what, at)

    def _told(self, status: str, what: str, at: tuple[int, int]) -> Told:
        """The alert as it is told now. Its sequence is a matter of the time since it opened, as in the book."""
        episode, every_ms = self.episodes[what], self.repeat_ms
        found = episode.found
        assert found is not None
        episode.told = max(1 + episode.open_ms // every_ms + (status == "resolved"), episode.told + 1)
        lasts_ms = found.time_ms + episode.open_ms + REPEATS_KEPT * every_ms
        ends_ms = max(at[1], found.time_ms) if status == "resolved" else lasts_ms
        return Told(status, what, episode.number, episode.detections, found, episode.now, *at, episode.told, ends_ms)

    def counts(self) -> dict[tuple[str, str, str], int]:
        """How many alerts are open, as `AlertBook.counts`; of no model."""
        return {(MONITOR, "", FIRING): len(self.open)} if self.open else {}

    def dump(self) -> dict[str, Any]:
        window = self.window
        episodes = {
            what: [one.number, _plain(one.found), one.detections, one.open_ms, one.told, list(one.now)]
            for what, one in self.episodes.items()
        }
        return {
            "window": [window.elapsed_ms, list(window.account), list(window.reasons.items()), window.begin],
            "firsts": [[what, list(window.firsts[what])] for what in WHAT if what in window.firsts],
            "before": list(self.before),
            "last": list(self.last),
            "episodes": episodes,
        }

    def load(self, state: dict[str, Any] | None) -> None:
        """What `dump` gave, or nothing. Raises ValueError and its like."""
        if state is None:
            return
        elapsed_ms, account, reasons, begin = state["window"]
        firsts = {str(what): _first(first) for what, first in state["firsts"]}
        counts = {str(reason): int(count) for reason, count in reasons}
        place = None if begin is None else (int(begin[0]), int(begin[1]))
        self.window = Window(int(elapsed_ms), Account(*map(int, account)), counts, place, firsts)
        self.before, self.last = Account(*map(int, state["before"])), (int(state["last"][0]), int(state["last"][1]))
        known = self.window.account
        unnamed = any(known.of(what) and what not in firsts for what in WHAT)
        if unnamed or (known.consumed > 0) != (place is not None) or sum(counts.values()) != known.rejected:
            raise ValueError("an invalid account of records")
        for what in WHAT:
            if what == DUPLICATE and what not in state["episodes"]:
                continue  # Older snapshots have none.
            number, found, detections, open_ms, told, now = state["episodes"][what]
            counted = int(now[0]), int(now[1])
            self.episodes[what] = Episode(int(number), _found(found), int(detections), int(open_ms), int(told), counted)


def _plain(found: Found | None) -> list[Any] | None:
    if found is None:
        return None
    *counts, reasons, span, first = found
    return [*counts, [list(reason) for reason in reasons], list(span), list(first)]


def _first(state: list[Any]) -> First:
    offset, reason, detail, hint = state
    return First(int(offset), str(reason), str(detail), str(hint))


def _found(state: list[Any] | None) -> Found | None:
    if state is None:
        return None
    offset, time_ms, bad, consumed, reasons, span, first = state
    first_offset, last_offset, from_ms, to_ms = map(int, span)
    why = tuple((str(reason), int(number)) for reason, number in reasons)
    if not 0 < bad <= consumed:
        raise ValueError("an alert of records without records")
    places = first_offset, last_offset, from_ms, to_ms
    return Found(int(offset), int(time_ms), int(bad), int(consumed), why, places, _first(first))
