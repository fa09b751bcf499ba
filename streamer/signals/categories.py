"""Texts as numbers: each row's categories by order of appearance in its warm-up, and one number for all others: those
that come too late for a number of their own, and where there are many those that came once, whose share is chance.

What a row's warm-up has not shown is unseen for ever, as every reference is frozen. So it matters how much of a healthy
stream a warm-up cannot show: an id, a free text and five hundred cities go on to bring texts of which nobody has heard.
How often is what the warm-up itself tells (Good 1953): a share of new texts as large as that of the texts it saw once.
Texts of which too many are new are no categories, and nothing is said of them any more.

>>> known = Known()
>>> for i in range(100):
...     known.learn(f"id{i}", warmup=100)
>>> known.is_category(SHARE_UNSEEN)
False
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from schemas.events.batch import Batch
from streamer.signals.by_day import ByDay, by_day_of
from streamer.signals.columns import F64, I64, Bool, Groups, dense
from streamer.signals.grammar import Signal
from streamer.signals.observe import one_text

CODES = 63
"""Categories with a number of their own, and a bin in a histogram. CODES is all others that the warm-up had."""
UNSEEN = CODES + 1
"""The number of what the warm-up had not."""
NAMES_MAX = 4096
"""Texts remembered per row. What has more is no category."""
SHARE_UNSEEN = 0.02
"""Of a healthy stream: with a larger share of new texts an unseen one is no news ..."""
SHARE_OTHER = 0.1
"""... and with one larger than this the most frequent ones and all others have no shares that stay."""
FEW = 5
"""So many may always be new, however short the warm-up is."""


class Known:
    """The texts of one row. While it learns it has `counts`; behind the warm-up only what it keeps."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.counts: array[int] | None = array("q")
        self.n = 0
        self.late = 0  # texts that came first in the last quarter of the warm-up
        self.once = 0  # texts that came once in it
        self.more = False  # there were more than NAMES_MAX
        self.several = 0  # texts with a share to speak of, which are the first of the names behind the warm-up
        self.by_day: ByDay | None = None  # as long as it may be one text a day
        self.moved: list[int] = []  # for each number of the warm-up the one behind it; for the sample, not state

    def learn(self, text: str, warmup: int) -> None:
        """One value of the warm-up."""
        assert self.counts is not None
        number = self.names.get(text)
        if number is not None:
            self.counts[number] += 1
        elif len(self.names) < NAMES_MAX:
            self.names[text] = len(self.names)
            self.counts.append(1)
            self.late += self.n >= warmup - warmup // 4
        else:
            self.more = True
        self.n += 1
        if self.n >= warmup:
            self.settle()

    def met(self, text: str, time_ms: int) -> None:
        """A text comes at this time: one that is expected of the day is known from then on."""
        if self.by_day is None:
            return
        if not self.by_day.take(text, time_ms):
            self.by_day = None
        elif self.counts is None and text not in self.names and len(self.names) < NAMES_MAX and self.by_day.expected():
            self.names[text] = len(self.names)

    @property
    def daily(self) -> bool:
        """Whether it has changed, and with the day alone: of such there is no share that stays."""
        return self.by_day is not None and self.by_day.changes > 0

    def add(self, other: Known) -> None:
        """The values that another one learned from, behind those of this one."""
        assert self.counts is not None
        assert other.counts is not None
        for name, count in zip(other.names, other.counts, strict=True):
            number = self.names.get(name)
            if number is not None:
                self.counts[number] += count
            elif len(self.names) < NAMES_MAX:
                self.names[name] = len(self.names)
                self.counts.append(count)
            else:
                self.more = True
        self.n, self.more = self.n + other.n, self.more or other.more

    def settle(self) -> None:
        """The warm-up is over."""
        if self.counts is None:
            return
        counts, self.counts = self.counts, None
        self.once = counts.count(1)
        many = self.once > max(FEW, SHARE_UNSEEN * self.n)
        ordered = sorted(self.names, key=lambda name: many and counts[self.names[name]] == 1)
        self.several = len(ordered) - self.once * many
        places = {name: i for i, name in enumerate(ordered)}
        self.moved = [self.number(places[name]) for name in list(self.names)[:CODES]]
        # Texts that mean nothing are not worth their place.
        self.names = places if self.is_category(SHARE_OTHER) else {}

    def number(self, place: int) -> int:
        """Of the name at a place behind the warm-up."""
        return place if place < min(self.several, CODES) else CODES

    def is_category(self, share: float) -> bool:
        """Whether no larger share than this of what comes is new, as far as the warm-up tells.

        A name that comes for a while and never again, as that of a session, is seen more than once: there new ones come
        up to the end.
        """
        visits = self.late > max(2, self.n // 200) and self.late > self.once
        many = max(self.once / max(FEW, share * self.n), self.late / max(FEW, share * self.n / 4)) > 1.0
        return not (self.more or visits or many)

    def dump(self) -> list[Any]:
        counts = None if self.counts is None else np.array(self.counts, np.int64)
        by_day = [] if self.by_day is None else [self.by_day.dump()]
        return [list(self.names), counts, self.n, self.late, self.once, self.more, self.several, *by_day]

    @classmethod
    def of_file(cls, names: Sequence[str], category: bool) -> Known:
        """What a file of references says: that many values were seen."""
        known = cls()
        known.names, known.counts = {name: i for i, name in enumerate(names)}, None
        known.more, known.several = not category, len(names)
        return known

    @classmethod
    def load(cls, state: Any) -> Known:
        """ValueError for an invalid state. One of an older version has the names alone, and no more than the first."""
        if state and isinstance(state[0], str):
            state = [state, None, 0, 0, 0, len(state) >= CODES, len(state)]
        known = cls()
        names, counts, n, late, once, more, several, *by_day = state or known.dump()
        known.by_day = by_day_of(by_day[0]) if by_day else None  # Older snapshots have none.
        known.names = {str(name): i for i, name in enumerate(names)}
        known.counts = None if counts is None else array("q", counts.tolist())
        known.n, known.late, known.once = int(n), int(late), int(once)
        known.more, known.several = bool(more), int(several)
        if len(names) > NAMES_MAX or len(known.names) != len(names):
            raise ValueError("invalid categories")
        if known.counts is not None and (len(known.counts) != len(names) or sum(known.counts) > known.n):
            raise ValueError("counts that do not fit the categories")
        return known


class Categories:
    """The texts of rows 0..rows-1, of which at most so large a `share` may be new. `mix`: it is about their shares."""

    def __init__(self, warmup: int, share: float, mix: bool = False) -> None:
        self.warmup, self.share, self.mix = warmup, share, mix
        self.rows: list[Known] = []

    def resize(self, rows: int) -> None:
        for _ in range(rows - len(self.rows)):
            self.rows.append(Known())
            self.rows[-1].by_day = ByDay()

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.rows = [self.rows[row] for row in rows.tolist()]

    def encode(self, rows: I64, texts: I64, strings: tuple[str, ...], times_ms: I64) -> tuple[F64, Bool]:
        """The number of each text (a code into `strings`) for its row, and whether anything is said of it at all."""
        inverse, first = dense(rows * (len(strings) + 1) + texts)
        numbers = np.empty(len(rows), np.float64)
        row_of = rows[first].tolist()
        single = np.array([self.rows[row].counts is not None for row in row_of], bool)
        single |= self._turning(row_of, [strings[text] for text in texts[first].tolist()], inverse, times_ms)
        chosen = single[inverse]
        for i in np.flatnonzero(chosen).tolist():  # One by one: a warm-up or a day may end among them.
            numbers[i] = self._learned(int(rows[i]), strings[texts[i]], int(times_ms[i]))
        found = np.array([self._number(int(rows[i]), strings[texts[i]]) for i in first.tolist()], np.float64)
        numbers = np.where(chosen, numbers, found[inverse])
        return numbers, numbers >= 0.0

    def _turning(self, row_of: Sequence[int], text_of: Sequence[str], inverse: I64, times_ms: I64) -> Bool:
        """Of pairs of a row and a text those whose row may have one a day and has another one here. The others of such
        rows are taken.
        """
        found = np.zeros(len(row_of), bool)
        daily = [i for i, row in enumerate(row_of) if self.rows[row].by_day is not None]
        if not daily:
            return found
        earliest, newest = np.full(len(row_of), times_ms.max()), np.full(len(row_of), times_ms.min())
        some = np.isin(inverse, daily) if len(daily) < len(row_of) else slice(None)
        np.minimum.at(earliest, inverse[some], times_ms[some])
        np.maximum.at(newest, inverse[some], times_ms[some])
        others = {row_of[i] for i in daily if not self._goes_on(row_of[i], text_of[i], int(earliest[i]))}
        for i in daily:
            known = self.rows[row_of[i]]
            if row_of[i] in others or known.counts is not None:
                found[i] = True
            else:
                known.met(text_of[i], int(newest[i]))
        return found

    def _goes_on(self, row: int, text: str, earliest_ms: int) -> bool:
        """Whether it is the text of the day, from this time on."""
        by_day = self.rows[row].by_day
        return by_day is not None and text == by_day.text and earliest_ms >= by_day.by_ms

    def _learned(self, row: int, text: str, time_ms: int) -> int:
        known = self.rows[row]
        known.met(text, time_ms)
        if known.counts is None:
            return self._number(row, text)
        number = known.names.get(text, len(known.names))
        known.learn(text, self.warmup)
        return min(number, CODES)

    def _number(self, row: int, text: str) -> int:
        """-1 where nothing is said."""
        known = self.rows[row]
        if known.counts is None and (not known.is_category(self.share) or (self.mix and known.daily)):
            return -1
        place = known.names.get(text)
        return UNSEEN if place is None else known.number(place)

    def is_category(self, row: int) -> bool:
        """Whether it is watched, or will be as far as is known yet."""
        known = self.rows[row]
        return known.counts is not None or known.is_category(self.share)

    def beyond(self, row: int) -> int:
        """How many categories with a share to speak of have no number of their own."""
        return max(self.rows[row].several - CODES, 0)

    def settled(self, row: int, values: F64) -> F64:
        """The sample of a warm-up that has just ended, by the numbers that hold from now on."""
        moved = np.array([*self.rows[row].moved, *[CODES] * (CODES + 1 - len(self.rows[row].moved))], np.float64)
        return moved[values.astype(np.int64)]

    def names(self, row: int) -> list[str]:
        """The categories of a row, by number; the last stands for all others."""
        known = list(self.rows[row].names)[: min(self.rows[row].several, CODES)]
        return known + [""] * (CODES - len(known)) + ["other"]

    def dump(self) -> list[Any]:
        return [known.dump() for known in self.rows]

    def load(self, state: Any, rows: int) -> None:
        """ValueError for an invalid state."""
        if len(state) != rows:
            raise ValueError("categories that do not fit the rows")
        self.rows = [Known.load(one) for one in state]


def texts_under(batch: Batch, groups: Groups, signal: Signal) -> tuple[I64, I64, I64]:
    """(event, name, text) of the texts the signal is about, of used events; of a signal of one name the name is 0."""
    if not signal.every:
        event, code = one_text(batch, groups, signal.path)
        return event, np.zeros_like(event), code
    wanted = np.array([signal.takes(name) for name in batch.names], bool)
    texts = batch.texts
    keep = wanted[texts.name] & (groups.of_event[texts.event] >= 0) if len(wanted) else np.zeros(0, bool)
    return texts.event[keep].astype(np.int64), texts.name[keep].astype(np.int64), texts.text[keep].astype(np.int64)
