"""A multi-scale control chart whose limits are what healthy days have shown: the detector for traffic that breathes.

The values of a series are averaged in blocks of 8, 32, 128 ... 32,768, and so are their distances from the centre. Each
average is held against the daily extremes of averages of just as many (`extremes.py`): a daily cycle, a weekend, an
autocorrelation or a heavy tail is in those, at every scale, so none of them has to be known or modelled. A change shows
in the shortest blocks that tell it from them: a large one at once, a small one by the longest. It is a Shewhart chart
(1931) at several scales, with limits by block maxima of days instead of deviations of values.

As long as there is no limit, in the first week, only what is unmistakable is told: an average far outside of all
that was seen so far, and far from what is usual under the load of its values (`loads.py`): a first night or weekend is
a load that nobody has seen, and so no news.

>>> import numpy as np
>>> bank = EnvelopeBank(Envelope())
>>> bank.resize(1)
>>> noise = np.random.default_rng(0).standard_normal(17_280)
>>> minutes = np.arange(17_280) * 60_000
>>> bank.update(np.zeros(17_280, np.int64), noise + 0.3 * np.sin(minutes / 1.375e7), minutes).place.tolist()
[]
>>> bank.update(np.zeros(200, np.int64), noise[:200] + 1.5, minutes[:200] + 17_280 * 60_000).place.tolist()[:1]
[31]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, Hits, State, by_row, check_values
from detectors.cusum import Cusums
from detectors.envelope_state import (
    CHANNELS,
    FACTOR,
    FIRST,
    LEVELS,
    MOMENTS,
    SHAPES,
    SIZES,
    SMALL,
    SUMS,
    packed,
    unpacked,
)
from detectors.extremes import DAY_MS, DailyExtremes, odds, odds_of
from detectors.loads import Loads
from detectors.params import DIRECTIONS, OF_THE_BUDGET, OF_THE_SIGNAL, WHICH_WAY, Direction, Params
from detectors.scales import KNEE, drawn_in, level_of, moments, share_at, slope_of

TESTS = 12.0
"""What shares the rate of a series: all channels have 28 sides, but what one shows its neighbours show, too."""

SEEN_LEAST = 200
"""Values before which nothing is unmistakable."""
GROSS, NOISE = 3.0, 10.0
"""Unmistakable is an average more than GROSS deviations of the values away, and NOISE of its own error."""
FAR = 8.0
"""In place of GROSS under whatever load: no night is that far away. What the reference itself showed is not far,
though: it may be of a weekend, and so like the night after the first busy day.
"""
GROSS_SHARE = 0.15
"""The same of shares, in the units of `level_of`: from 0 to 2.5 %, from 2 to 7 %, from 8 to 16 %."""
LONG = 128
"""In shorter blocks a few odd values are not that odd."""
MORE = 1.6
"""Unmistakable is so many times as far away as what was seen."""
TAUGHT = 0.78
"""A block that is not told while there is no limit teaches no more than so much of the way to what is unmistakable: the
one in which a fault begins is half of the fault, and would excuse the rest. What was told is known, and learned whole.
"""
BLOCKS, STEADY = 16, 6.0
"""Once there were BLOCKS averages of a level, unmistakable is also what is STEADY times as far away as they were among
themselves ..
"""
KNOWN = 0.9
""".. and not so little that a night could do it, which nobody has seen yet; and only of a block that took as long as
those before it: what is a third busier than any hour so far may be Monday.
"""
COUNTS = 3.5
"""A limit is never nearer than so many values of a block, each as large as those that make up most of it."""

RUN, RUNS, LONGER = 48, 100, 4
"""A value is stuck that came so many times in a row, after so many runs of which none was a LONGER part as long."""
OFTEN, ALIKE = 30.0, 1.5
"""A scale that was seen OFTEN has averages whose variance is less than ALIKE times that of independent values."""


Block = tuple[float, float, float, float, float]
"""Sums of a block's values, see SUMS."""
Told = tuple[int, float, float, int]
"""Direction, statistic, threshold and how many values ago it began."""


@dataclass(frozen=True)
class Envelope(Params):
    """Limits by the daily extremes of averages; how wide they are follows from `false_alarms`."""

    rate: float = field(default=0.002, metadata=OF_THE_BUDGET)
    direction: Direction = field(default="both", metadata=WHICH_WAY)
    shares: bool = field(default=False, metadata=OF_THE_SIGNAL)

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1.0:
            raise ValueError("rate must be between 0 and 1")
        if self.direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}")


def floors_of(params: Envelope) -> F64:
    """By channel the least distance of a limit from what days show on average."""
    size = np.array(SIZES, np.float64)
    return np.repeat(sqrt(COUNTS) / np.sqrt(size) if params.shares else COUNTS / size, 2)


def around(mean: float, apart: float, size: int, block: Block) -> tuple[float, float]:
    """So far from a mean. One odd value must not decide: several must have had a part in it."""
    away, spread = block[0] - size * mean, block[2] - 2.0 * mean * block[0] + size * mean * mean
    return (-inf, inf) if away * away < COUNTS * spread else (mean - apart, mean + apart)


class EnvelopeBank:
    """Blocks and days of rows 0..rows-1."""

    def __init__(self, params: Envelope) -> None:
        self.params, self.shares = params, params.shares
        self.odds, self.floors = np.zeros(0), floors_of(params)  # by row how unlikely a healthy day is to go beyond
        self.up, self.down = params.direction != "down", params.direction != "up"
        self.both = self.up and self.down
        self.fill = np.zeros((0, LEVELS), np.int64)  # values of the first level, blocks of the others
        self.sums = np.zeros((0, LEVELS, SUMS))
        self.seen = np.zeros((0, MOMENTS))  # count, sum and squares of all values in closed blocks
        self.runs = np.zeros((0, 4))  # the last value, how often in a row, the longest run before, how many ended
        self.earlier = np.zeros((0, LEVELS, MOMENTS))  # of the averages of each level: count, sum, squares
        self.spans = np.zeros((0, LEVELS, 2))  # of the blocks of each level: the shortest and the longest, in ms
        self.loads, self.rare = Loads(), Cusums(params.rate)
        self.days = DailyExtremes(CHANNELS)

    @property
    def rows(self) -> int:
        return len(self.fill)

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = rows - self.rows
        if more > 0:
            for name, known in self._arrays().items():
                setattr(self, name, np.concatenate([known, np.zeros((more, *known.shape[1:]), known.dtype)]))
            self.odds = np.concatenate([self.odds, np.full(more, odds(self.params.rate, TESTS))])
            self.loads.resize(rows)
            self.days.resize(rows)
            self.rare.resize(rows)

    def share(self, rates: F64) -> None:
        """So many false alarms a day each row may have from now on; that is no part of a dump."""
        self.odds = odds_of(rates, TESTS)
        self.rare.share(rates)

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        for name, known in self._arrays().items():
            setattr(self, name, known[rows])
        self.odds = self.odds[rows]
        self.loads.retain(rows)
        self.days.retain(rows)
        self.rare.retain(rows)

    def forget(self, row: int) -> None:
        """The row begins anew, with values that come from now on."""
        for known in self._arrays().values():
            known[row] = 0
        self.loads.forget(row)
        self.days.forget(row)
        self.rare.forget(row)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in ("fill", "sums", "seen", "runs", "earlier", "spans")}

    def update(self, rows: I64, values: F64, times_ms: I64 | None = None) -> Hits:
        """Row rows[i] takes values[i], in deviations from its centre, at times_ms[i] (without times no day ever ends);
        AssertionError for a value that is not finite.
        """
        check_values(rows, values)
        order, _, spans = by_row(rows, values)
        drawn = (values if self.shares else drawn_in(values))[order].tolist()
        times = [0] * len(rows) if times_ms is None else times_ms[order].tolist()
        found: list[tuple[int, int, float, float, int, int]] = []
        for row, begin, end in spans:
            fill, (total, apart, squares, ones) = int(self.fill[row, 0]), self.sums[row, 0, :4].tolist()
            last, length, longest, ended = self.runs[row].tolist()
            for i in range(begin, end):
                value = drawn[i]
                total += value
                apart += abs(value)
                squares += value * value
                ones += value != 0.0
                fill += 1
                said = None
                if value == last:
                    length += 1.0
                    if length >= RUN and ended >= RUNS and length == max(RUN, LONGER * longest) and self.both:
                        said = 0, length, LONGER * longest, RUN
                else:
                    last, length, longest, ended = value, 1.0, max(longest, length), ended + 1.0
                if fill == FIRST:
                    said = self._close(row, times[i], (total, apart, squares), ones) or said
                    fill, total, apart, squares, ones = 0, 0.0, 0.0, 0.0, 0.0
                if said is not None:
                    found.append((order.item(i), *said, self._tier(row)))
            self.fill[row, 0], self.sums[row, 0, :4] = fill, (total, apart, squares, ones)
            self.runs[row] = last, length, longest, ended
        columns = list(zip(*sorted(found), strict=True)) or [()] * 6
        kinds = (np.int64, np.int8, np.float64, np.float64, np.int64, np.int8)
        return Hits(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))

    def _close(self, row: int, time_ms: int, sums: tuple[float, float, float], ones: float) -> Told | None:
        """A block of the first level, and those of others that it fills; what the shortest says that says something."""
        self.days.turn(row, time_ms // DAY_MS, self.odds.item(row), self.floors)
        self.rare.turn(row, time_ms // DAY_MS)
        self.seen[row] += (FIRST, sums[0], sums[2])
        said = None
        for level, block in self._blocks(row, (*sums, *self.loads.take(row, time_ms, FIRST, sums[0]))):
            for channel, value in self._shown(level, block):
                low, high, least, most = self._limits(row, level, channel, block)
                if said is None:
                    said = self._beyond(channel, value, low, high)
                if channel % 2 == 0:
                    self.earlier[row, level] += (1.0, value, value * value)
                if low <= value <= high:
                    value = most if value > most else least if value < least else value
                self.days.take(row, channel, value)
            shortest, longest = self.spans[row, level].tolist()
            self.spans[row, level] = min(shortest or block[4], block[4]), max(longest, block[4])
        told = self._ones(row, sums, ones)
        return said or told

    def _ones(self, row: int, sums: tuple[float, float, float], ones: float) -> Told | None:
        """What the values away from the centre say, by how many they are. Where all of them are of one size it is known
        how many come under this load.
        """
        (_, whole, squares), load, seen = self.seen[row].tolist(), (0.0, 0.0), (0.0, 0.0)
        if not self.rare.mixed(row, ones, *sums[1:]) and whole != 0.0:
            one, (count, usual) = squares / whole, self.loads.lately(row, FIRST, sums[0])
            load, seen = (count, usual / one), (self.seen.item(row, 0), whole / one)
        told = self.rare.take(row, ones, load, seen, self.shares)
        if told is None:
            return None
        way = -told[0] if whole < 0.0 else told[0]
        return (way, *told[1:]) if (self.up if way > 0 else self.down) else None

    def _blocks(self, row: int, sums: Block) -> Iterator[tuple[int, Block]]:
        """The blocks that are full by now, with their level."""
        yield 0, sums
        for level in range(1, LEVELS):
            own = self.sums[row, level]
            own += sums
            self.fill[row, level] += 1
            if self.fill[row, level] < FACTOR:
                return
            total, apart, squares, usual, took_ms = own.tolist()
            sums = total, apart, squares, usual, took_ms
            own[:], self.fill[row, level] = 0.0, 0
            yield level, sums

    def _shown(self, level: int, block: Block) -> list[tuple[int, float]]:
        """Channels and what they show."""
        size = SIZES[level]
        if self.shares:
            return [(2 * level, level_of(block[0] / size))]
        return [(2 * level, block[0] / size), (2 * level + 1, block[1] / size)]

    def _limits(self, row: int, level: int, channel: int, block: Block) -> tuple[float, float, float, float]:
        """Lowest and highest that is no alarm, and that is learned."""
        low, high = self.days.limits(row, channel)
        if high < inf or low > -inf or channel % 2 == 1:
            # Where most values are nought days show two or three odd ones in a block, and hardly vary: four are chance.
            apart = 0.0 if self.shares or block[1] == 0.0 else COUNTS * block[2] / (block[1] * SIZES[level])
            least, most = self.days.usual(row, channel)
            return min(low, least - apart), max(high, most + apart), -inf, inf
        low, high = self._unmistakable(row, level, block)
        usual = moments(self.earlier[row, level], 0.0)[1]
        least, most = self.days.seen(row, channel)
        low, high = min(low, usual - MORE * (usual - least)), max(high, usual + MORE * (most - usual))
        return low, high, usual - TAUGHT * (usual - low), usual + TAUGHT * (high - usual)

    def _beyond(self, channel: int, value: float, low: float, high: float) -> Told | None:
        """Direction, statistic, threshold and how many values ago it began."""
        level, spread = divmod(channel, 2)
        if spread and not self.both:
            return None
        above, below = value > high and self.up, value < low and self.down
        if not (above or below):
            return None
        limit = high if above else low
        if self.shares:  # Who reads an alert, or asks how many times its limit it is, knows shares.
            value, limit = share_at(value), share_at(limit)
        return 0 if spread else 1 if above else -1, value, limit, SIZES[level]

    def _unmistakable(self, row: int, level: int, block: Block) -> tuple[float, float]:
        """What an average would have to be beyond while there is no limit, by what was seen before and its loads."""
        size, earlier = SIZES[level], self.seen[row] - (SIZES[level], block[0], block[2])
        (count, whole, deviation), mean = moments(earlier, 1.0), block[3] / size
        if count < max(SEEN_LEAST, FACTOR * size):
            return -inf, inf
        blocks, _, between = moments(self.earlier[row, level], 0.0)
        shortest, longest = self.spans[row, level].tolist()
        known = blocks >= BLOCKS and size >= LONG and shortest <= block[4] <= longest
        if self.shares:
            deviation = sqrt(max(mean * (1.0 - mean), 0.0) + 1.0 / count)
            chance, usual = STEADY * deviation / sqrt(size) + COUNTS / size, level_of(mean)
            low = min(level_of(mean - chance), usual - GROSS_SHARE) if mean - chance > 0.0 else -inf
            high = max(level_of(mean + chance), usual + GROSS_SHARE) if mean + chance < 1.0 else inf
            apart = max(GROSS_SHARE, STEADY * between, self.floors.item(2 * level))
            return (max(low, usual - apart), min(high, usual + apart)) if known else (low, high)
        apart = max((GROSS + NOISE / sqrt(size)) * deviation, COUNTS / size)
        if known:
            apart = min(apart, max(KNOWN * deviation, STEADY * between))
        low, high = around(mean, apart, size, block)
        least, most = around(whole, max((FAR + NOISE / sqrt(size)) * deviation, COUNTS / size), size, block)
        return max(low, min(least, -KNEE)), min(high, max(most, KNEE))

    def dump(self) -> dict[str, NDArray[Any]]:
        arrays = {**self._arrays(), **self.days.dump(), **self.loads.dump(), "rare": self.rare.dump()}
        plain = {name: arrays[name].astype(np.uint8 if name in SMALL else arrays[name].dtype) for name in SHAPES}
        return packed(plain, self.shares)

    def in_school(self, row: int) -> bool:
        """Whether it has no limits yet."""
        return self.days.in_school(row)

    def days_left(self) -> I64:
        """See `DailyExtremes.days_left`."""
        return self.days.days_left()

    def tiers(self) -> NDArray[np.int8]:
        """Of each row its place in TIERS."""
        return np.array([self._tier(row) for row in range(self.rows)], np.int8)

    def _tier(self, row: int) -> int:
        if self.days.in_school(row):
            return 0
        _, mean, deviation = moments(self.seen[row], 0.0)
        own = deviation * deviation * (slope_of(mean) if self.shares else 1.0)
        for level, size in enumerate(SIZES):
            count, _, between = moments(self.earlier[row, level], 0.0)
            if count >= OFTEN and between * between * size > ALIKE * own:
                return 1
        return 2

    def load(self, state: State) -> None:
        """Replace the state of all rows; ValueError for an invalid one, which changes nothing."""
        found = unpacked(state, self.shares)
        self.days.load(found)
        self.loads.load(found)
        self.odds = np.full(len(found["day"]), odds(self.params.rate, TESTS))
        self.rare.load(found["rare"], found["day"])
        for name in self._arrays():
            setattr(self, name, found[name].astype(np.int64 if name == "fill" else np.float64))
