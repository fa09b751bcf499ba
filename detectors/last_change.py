"""Where a series changed last, and what it was before that and since: from sums of pieces of it, oldest first.

Every piece may be where the newest stretch begins, and every one before that where the stretch before it does: a series
that rose and fell again is compared with what it fell from, not with its first values. Of all pairs of stretches the
one counts whose likelihood is the greatest (Hinkley 1970) among those that moved the way the detector says.

The pieces at the change itself are mostly mixed: they belong to neither stretch where there are others.

>>> calm, high = [piece_of(at, [0.0, 1.0] * 4) for at in range(0, 80, 8)], [piece_of(at, [8.0] * 8) for at in (80, 88)]
>>> found = last_change(calm + high, (95, 950), Asked(way=1))
>>> found.before.mean, found.after.mean, found.onset
(0.5, 8.0, (80, 800))
>>> last_change(calm + high + calm[:3], (119, 1190), Asked(way=-1)).before.mean
8.0
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import sqrt
from typing import NamedTuple

SURE = 16.0
"""A split counts when its gain is so many times the variance within: four deviations, for it is the best of many."""
ALIKE = 9.0
"""A stretch is like what the series is compared with while it is fewer deviations from it, squared."""
LEAST = 4
"""Values of the newest stretch, unless its age is known; and so many must be left where a mixed piece is left out."""


class Recent(NamedTuple):
    """Values of a row that came one after another: mean and standard deviation in the units given, where they stand."""

    n: int
    mean: float
    std: float
    first_offset: int
    last_offset: int
    first_time_ms: int
    last_time_ms: int


class Piece(NamedTuple):
    """Values that came one after another, as sums."""

    n: int
    total: float
    squares: float
    first_offset: int
    first_time_ms: int


class Asked(NamedTuple):
    """What a detector says of a change: `way` 1 is up, -1 down, 0 unknown; `age`: how many values ago it began, 0
    unknown. And what the series is compared with: `n` values, their mean and deviation; 0 where there is nothing.
    """

    way: int = 0
    age: int = 0
    n: int = 0
    mean: float = 0.0
    std: float = 0.0


class Change(NamedTuple):
    """Before and after. `before` is None where it is what the series is compared with (`usual`), or where nothing that
    is known of it lies on the other side. `onset`: offset and time of the first value that may be of the new level.
    """

    before: Recent | None
    usual: bool
    after: Recent
    onset: tuple[int, int] | None


class Held:
    """Sums of all values before each piece, and where each begins."""

    def __init__(self, pieces: Sequence[Piece], end: tuple[int, int]) -> None:
        self.count = len(pieces)
        self.n = [*accumulate((piece.n for piece in pieces), initial=0)]
        self.total = [*accumulate((piece.total for piece in pieces), initial=0.0)]
        self.squares = [*accumulate((piece.squares for piece in pieces), initial=0.0)]
        self.places = [(piece.first_offset, piece.first_time_ms) for piece in pieces]
        self.end = end

    def values(self, begin: int, end: int) -> int:
        return self.n[end] - self.n[begin]

    def mean(self, begin: int, end: int) -> float:
        return (self.total[end] - self.total[begin]) / self.values(begin, end)

    def gain(self, begin: int, middle: int, end: int) -> float:
        """How much better two means fit than one; in squares of the values."""
        apart = self.mean(middle, end) - self.mean(begin, middle)
        one, two = self.values(begin, middle), self.values(middle, end)
        return one * two / (one + two) * (apart * apart)

    def variance(self, begin: int, end: int) -> float:
        mean = self.mean(begin, end)
        return max((self.squares[end] - self.squares[begin]) / self.values(begin, end) - mean * mean, 0.0)

    def within(self, begin: int, middle: int, end: int) -> float:
        """The variance that is left when each side has its own mean."""
        one, two = self.values(begin, middle), self.values(middle, end)
        return (one * self.variance(begin, middle) + two * self.variance(middle, end)) / (one + two)

    def told(self, begin: int, end: int) -> Recent:
        """Behind the last value of a piece nothing of the series came before the next piece's first."""
        first, last = self.places[begin], self.end
        if end < self.count:
            last = self.places[end][0] - 1, self.places[end][1]
        mean, std = self.mean(begin, end), sqrt(self.variance(begin, end))
        return Recent(self.values(begin, end), mean, std, first[0], last[0], first[1], last[1])


def last_change(pieces: Sequence[Piece], end: tuple[int, int], asked: Asked, whole: bool = True) -> Change:
    """What the pieces (at least one) say of the change that a detector found right behind them; `end`: offset and time
    of the last value; `whole`: nothing came before them but what the series is compared with.
    """
    held = Held(pieces, end)
    begins = begins_of(held, asked)
    split = best_split(held, begins, asked.way)
    sure = split is not None and held.gain(*split, held.count) > SURE * held.within(*split, held.count)
    sure = sure and not went_on(held, begins, split, asked)
    if asked.n and not sure:
        begin = departure(held, begins, asked)
        if begin is not None:
            onset = held.places[begin] if begin or whole else None
            return Change(None, True, held.told(after_of(held, begin, asked.way, asked.mean), held.count), onset)
    if split is None:
        return Change(None, False, held.told(begins[0], held.count), None)
    return told_apart(held, *split, asked)


def went_on(held: Held, begins: Sequence[int], split: tuple[int, int] | None, asked: Asked) -> bool:
    """Whether a split is but a way back to what the series is compared with, and its newest values are beyond that: by
    half of the way back, or a whole deviation. Then that is the change, though it is the smaller one by now.
    """
    if split is None or asked.way == 0 or asked.n == 0:
        return False
    was = (held.mean(*split) - asked.mean) * asked.way
    now = (held.mean(split[1], held.count) - asked.mean) * asked.way
    back = max(0.0, -was) / 2.0
    newest = departure(held, begins, asked) if now <= back else None
    if newest is None:
        return False
    n, apart = held.values(newest, held.count), (held.mean(newest, held.count) - asked.mean) * asked.way
    gain, varies = (
        n * asked.n / (n + asked.n) * (apart * apart),
        max(held.variance(newest, held.count), asked.std * asked.std),
    )
    return apart > min(back, asked.std) and gain > SURE * varies


def begins_of(held: Held, asked: Asked) -> list[int]:
    """Where the newest stretch may begin, newest first: what a detector knows of its age is known by and large."""
    least = 1 if asked.age else LEAST
    every = [b for b in range(held.count - 1, -1, -1) if b == 0 or held.values(b, held.count) >= least]
    if asked.age == 0:
        return every
    if asked.way == 0:  # It is no mean that moved, so none can tell.
        return [min(every, key=lambda begin: abs(held.values(begin, held.count) - asked.age))]
    return [b for b in every if asked.age <= 4 * held.values(b, held.count) <= 8 * asked.age] or every


def best_split(held: Held, begins: Sequence[int], way: int) -> tuple[int, int] | None:
    """Where the stretch before begins, and where the newest one does; None where nothing moved that way. A stretch
    whose own values vary more than all together was moved by a few of them.
    """
    best, most, usual = None, -1.0, held.variance(0, held.count)
    for middle in begins:
        now, varies = held.mean(middle, held.count), max(held.variance(middle, held.count), usual)
        for begin in range(middle - 1, -1, -1):
            if way and not (now - held.mean(begin, middle)) * way > 0.0:
                continue
            gain, varied = held.gain(begin, middle, held.count), max(held.variance(begin, middle), varies)
            gain = gain / varied if varied > 0.0 else gain
            if gain > most:
                best, most = (begin, middle), gain
    return best


def departure(held: Held, begins: Sequence[int], asked: Asked) -> int | None:
    """Where the newest stretch begins if its mean was a known one before (Lorden 1971)."""
    best, most, usual = None, -1.0, held.variance(0, held.count)
    for begin in begins:
        apart = held.mean(begin, held.count) - asked.mean
        gain, varies = held.values(begin, held.count) * (apart * apart), max(held.variance(begin, held.count), usual)
        gain = gain / varies if varies > 0.0 else gain
        if gain > most and not (asked.way and not apart * asked.way > 0.0):
            best, most = begin, gain
    return best


def after_of(held: Held, begin: int, way: int, before: float) -> int:
    """The same without a mixed piece."""
    later = begin + 1
    if begin == 0 or held.values(later, held.count) < LEAST:
        return begin
    return begin if way and not (held.mean(later, held.count) - before) * way > 0.0 else later


def told_apart(held: Held, begin: int, middle: int, asked: Asked) -> Change:
    """The change at `middle`."""
    end = held.count
    way = asked.way or sign(held.mean(middle, end) - held.mean(begin, middle))
    noise = held.within(begin, middle, end)

    def moved(first: int, last: int, after: int, until: int = end) -> bool:
        return sign(held.mean(after, until) - held.mean(first, last)) == way

    # The stretch that tells the most of the change is a part of the whole one.
    begin = next((b for b in range(begin) if even(held, b, middle) and moved(b, middle, middle)), begin)
    last = middle
    if middle - begin > 1 and held.values(begin, middle - 1) >= LEAST and moved(begin, middle - 1, middle):
        last -= held.gain(begin, middle - 1, middle) > noise and moved(begin, middle - 1, middle - 1, middle)
    after = after_of(held, middle, way, held.mean(begin, last))
    if way == 0 and not moved(begin, last, after):
        last, after = middle, middle
    before = held.told(begin, last)
    usual = False
    if asked.n:
        apart = before.mean - asked.mean
        alike = apart * apart <= ALIKE * (noise / before.n + asked.std * asked.std / asked.n)
        usual = alike and sign(held.mean(after, end) - asked.mean) == way
    return Change(None if usual else before, usual, held.told(after, end), held.places[middle])


def even(held: Held, begin: int, end: int) -> bool:
    """Whether nothing within a stretch tells one part of it from the other."""
    most = SURE * held.variance(begin, end)
    return all(held.gain(begin, middle, end) <= most for middle in range(begin + 1, end))


def sign(value: float) -> int:
    return (value > 0.0) - (value < 0.0)


def piece_of(first: int, values: Sequence[float]) -> Piece:
    """Of values of the offsets from `first` on, ten milliseconds apart; for trying."""
    return Piece(len(values), sum(values), sum(value * value for value in values), first, 10 * first)
