"""ADWIN (Bifet & Gavalda, "Learning from time-changing data with adaptive windowing", 2007), which is river's own.

Bank of `river.drift.ADWIN` 0.26.1. Each row is the object of river's core that its ADWIN wraps, and the values of a
batch go to it row by row. River only says that it found a change. What changed is found out here for the few that did,
from the state before: the order of every floating-point operation is river's, and so are its habits: a cut is looked
for every `clock`-th value only, and the whole window is wiped at the value after a detection.

>>> import numpy as np
>>> bank = AdwinBank(Adwin(delta=0.002))
>>> bank.resize(1)
>>> values = np.r_[np.zeros(1000), np.ones(1000)]
>>> bank.update(np.zeros(2000, np.int64), values).place.tolist()
[1023]
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import chain
from math import log, nan, sqrt
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import DIRECTION, F64, I64, Hits, State, arrays_of, by_row, check_values, count_of, hits_of, rows_of
from detectors.params import Adwin

LEVELS_MAX = 53
"""Level i holds buckets of 2^i values and a width is a float, so no window has more."""

SCALARS = {"total": "f8", "variance": "f8", "width": "f8", "tick": "i8", "detected": "?", "levels": "i8"}

HEAD = Struct("<diQdddddd4iQ")
TAIL = Struct("<diQii")
"""What river's core saves itself as: parameters, total, variance, width, a sum of widths; how many buckets there are
and were at most, ticks, detections; how many levels follow; and behind them the parameters again."""

TICKS_MAX = 1 << 29
"""River counts values and buckets in 32 bits: after so many values its counts start over."""


class Window:
    """One adaptive window. Level i: sums and variances of its buckets of 2^i values, oldest first."""

    __slots__ = ("sums", "total", "variance", "variances", "width")

    def __init__(self, total: float, variance: float, width: float) -> None:
        self.sums: list[list[float]] = []
        self.variances: list[list[float]] = []
        self.total, self.variance, self.width = total, variance, width


@cache
def level_of(max_buckets: int) -> Struct:
    """A level as river saves it: most buckets, buckets, sums and variances with their number before them."""
    return Struct(f"<3Q{max_buckets + 1}dQ{max_buckets + 1}d")


def window_of(saved: bytes, max_buckets: int) -> Window:
    """The window that river's core saved."""
    *_, total, variance, width, _, _, _, _, _, levels = HEAD.unpack_from(saved)
    window, level = Window(total, variance, width), level_of(max_buckets)
    for number in range(levels):
        _, held, _, *cells = level.unpack_from(saved, HEAD.size + number * level.size)
        window.sums.append(cells[:held])
        window.variances.append(cells[max_buckets + 2 :][:held])
    return window


def given_to_river(params: Adwin) -> tuple[float, int, int, int, int]:
    """The parameters in the order of its core."""
    return params.delta, params.clock, params.max_buckets, params.min_window_length, params.grace_period


def saved_of(window: Window, params: Adwin, tick: int) -> bytes:
    """The same for river's core to go on from. What it counts for its user only is left out."""
    most, level, given = params.max_buckets, level_of(params.max_buckets), given_to_river(params)
    counts = 0, 0, tick % params.clock, 0
    head = HEAD.pack(*given, window.total, window.variance, window.width, 0.0, *counts, len(window.sums))
    full = [
        (most, len(sums), most + 1, *padded(sums, most + 1), most + 1, *padded(variances, most + 1))
        for sums, variances in zip(window.sums, window.variances, strict=True)
    ]
    return head + b"".join(level.pack(*cells) for cells in full) + TAIL.pack(*given)


def padded(cells: list[float], length: int) -> list[float]:
    return cells + [0.0] * (length - len(cells))


def insert(window: Window, values: list[float], max_buckets: int) -> None:
    """Add the values, each as the newest bucket of level 0, merging where a level is over-full."""
    sums, variances = window.sums, window.variances
    level, spread = sums[0], variances[0]
    total, variance, width = window.total, window.variance, window.width
    for value in values:
        if width > 0.0:
            away = value - total / width
            variance += width * away * away / (width + 1.0)
        width += 1.0
        total += value
        level.append(value)
        spread.append(0.0)
        if len(level) > max_buckets:
            merge(sums, variances, max_buckets)
    window.total, window.variance, window.width = total, variance, width


def merge(sums: list[list[float]], variances: list[list[float]], max_buckets: int) -> None:
    """Merge the two oldest buckets of every over-full level, from level 0 up, into one of the next level."""
    index, size = 0, 1.0
    while len(sums[index]) > max_buckets:
        level, spread = sums[index], variances[index]
        one, two = level[0], level[1]
        away = one / size - two / size
        variance = spread[0] + spread[1] + size * 0.5 * away * away
        del level[:2], spread[:2]
        index, size = index + 1, size * 2.0
        if index == len(sums):
            sums.append([])
            variances.append([])
        sums[index].append(one + two)
        variances[index].append(variance)


def delete_oldest(window: Window) -> None:
    """Forget the oldest bucket."""
    size = float(2 ** (len(window.sums) - 1))
    total = window.sums[-1].pop(0)
    variance = window.variances[-1].pop(0)
    window.width -= size
    window.total -= total
    away = total / size - window.total / window.width
    window.variance -= variance + size * window.width * away * away / (size + window.width)
    if not window.sums[-1]:
        window.sums.pop()
        window.variances.pop()


def cuts(window: Window, params: Adwin, times: float = 1.0) -> Iterator[tuple[float, float]]:
    """Where a window can be cut, oldest first: difference of means old - new, and so many `times` epsilon of both."""
    width = window.width
    if width < 2.0:
        return  # One value has no two sides, and the logarithm of its delta' would have no value.
    least = float(params.min_window_length)
    before, after = 0.0, width
    sum_before, sum_after = 0.0, window.total
    delta_prime = log(2.0 * log(width) / params.delta)
    variance = window.variance / width
    slack = 2.0 / 3.0 * delta_prime
    size = float(2 ** (len(window.sums) - 1))
    for level in reversed(window.sums):
        for total in level:
            before += size
            after -= size
            sum_before += total
            sum_after -= total
            if after >= least and before >= least:
                recip = 1.0 / (before - least + 1.0) + 1.0 / (after - least + 1.0)
                spread = 2.0 * recip * variance * delta_prime
                # Rounding can leave a variance below zero: river's epsilon is then NaN, and nothing exceeds NaN.
                epsilon = ((sqrt(spread) if spread >= 0.0 else nan) + slack * recip) * times
                yield sum_before / before - sum_after / after, epsilon
        size *= 0.5


def find_cut(window: Window, params: Adwin, times: float = 1.0) -> tuple[float, float] | None:
    """The first cut, oldest first, whose two sides differ by so many `times` epsilon: (difference of means new - old,
    that bound).
    """
    return next(((-moved, bound) for moved, bound in cuts(window, params, times) if abs(moved) > bound), None)


def shrink(window: Window, params: Adwin, times: float = 1.0) -> tuple[float, float] | None:
    """Drop the oldest buckets while the window can be cut; the last cut found."""
    last, cut = None, find_cut(window, params, times)
    while cut is not None:
        delete_oldest(window)
        last, cut = cut, find_cut(window, params, times)
    return last


class Row:
    """The object of river's core of one series. It is imported for the first: the compiled bank needs none of it."""

    __slots__ = ("core", "detected", "tick")

    def __init__(self, params: Adwin, saved: bytes | None = None, tick: int = 0, detected: bool = False) -> None:
        from river._river_rust.drift import AdaptiveWindowing

        self.core = AdaptiveWindowing(*given_to_river(params))
        if saved is not None:
            self.core.__setstate__(saved)
        self.tick, self.detected = tick, detected


class AdwinBank:
    """ADWIN for many series. Objects of river while it runs, flat arrays in snapshots.

    A hit's statistic is the difference of the means of the two sides of the last cut, its threshold that cut's
    epsilon, its direction the sign of (newer mean - older mean).
    """

    def __init__(self, params: Adwin) -> None:
        self.params = params
        self.rows = 0
        self.state: list[Row] = []
        self.times: list[float] = []  # by row how many times epsilon two sides must differ by; no state

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        self.state += [Row(self.params) for _ in range(rows - self.rows)]
        self.times += [1.0] * (rows - self.rows)
        self.rows = len(self.state)

    def raise_thresholds(self, times: F64) -> None:
        """Two sides of a window of each row must differ by so many times epsilon from now on, at least once it. With
        once, alarms are those of river.
        """
        self.times = times.tolist()

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.state = [self.state[row] for row in rows.tolist()]
        self.times = [self.times[row] for row in rows.tolist()]
        self.rows = len(self.state)

    def forget(self, row: int) -> None:
        """The row begins anew, with values that come from now on."""
        self.state[row] = Row(self.params)

    def update(self, rows: I64, values: F64) -> Hits:
        """Row rows[i] takes values[i], in order; AssertionError for a value that is not finite."""
        check_values(rows, values)
        found: list[tuple[int, int, float, float]] = []
        clock, wanted = self.params.clock, DIRECTION[self.params.direction]
        order, sorted_values, spans = by_row(rows, values)
        for number, first, last in spans:
            taken, begin = sorted_values[first:last], 0
            while begin < len(taken):
                row = self.state[number]
                if row.detected:
                    row = self.state[number] = Row(self.params)
                end = begin + clock - row.tick % clock
                row.tick += min(end, len(taken)) - begin
                if end > len(taken):  # Nothing is decided before the next look for a cut.
                    for value in taken[begin:]:
                        row.core.update(value)
                    break
                cut = self._look(row, taken[begin:end], self.times[number])
                if cut is not None:
                    direction = (cut[0] > 0) - (cut[0] < 0)
                    if direction in wanted:
                        found.append((order.item(first + end - 1), direction, abs(cut[0]), cut[1]))
                begin = end
        return hits_of(sorted(found))

    def _look(self, row: Row, values: list[float], times: float) -> tuple[float, float] | None:
        """Give a row its values up to one where a cut is looked for; the cut that was made."""
        before, most = row.core.__getstate__(), self.params.max_buckets
        if times > 1.0:  # Of a higher threshold river does not know.
            return self._look_higher(row, window_of(before, most), values, times)
        row.detected = any(map(row.core.update, values))  # Only the last of them can be said to have made a cut.
        if row.detected:
            window = window_of(before, most)
            insert(window, values, most)
            cut = shrink(window, self.params)
            assert cut is not None, "river found a cut where there is none"
            return cut
        if row.tick % TICKS_MAX < self.params.clock:
            row.core.__setstate__(saved_of(window_of(row.core.__getstate__(), most), self.params, row.tick))
        return None

    def _look_higher(self, row: Row, window: Window, values: list[float], times: float) -> tuple[float, float] | None:
        insert(window, values, self.params.max_buckets)
        cut = shrink(window, self.params, times) if window.width > self.params.grace_period else None
        row.detected = cut is not None
        row.core.__setstate__(saved_of(window, self.params, row.tick))
        return cut

    def windows(self) -> list[Window]:
        """What the rows hold."""
        return [window_of(row.core.__getstate__(), self.params.max_buckets) for row in self.state]

    def dump(self) -> dict[str, NDArray[Any]]:
        """Scalars per row, then `levels` counts into `buckets`, which count into the bucket arrays."""
        windows = self.windows()
        levels = [level for w in windows for level in w.sums]
        spreads = [level for w in windows for level in w.variances]
        counts = np.array([len(level) for level in levels], np.int64)
        total = int(counts.sum())
        return {
            "total": np.array([w.total for w in windows], np.float64),
            "variance": np.array([w.variance for w in windows], np.float64),
            "width": np.array([w.width for w in windows], np.float64),
            "tick": np.array([row.tick for row in self.state], np.int64),
            "detected": np.array([row.detected for row in self.state], np.bool_),
            "levels": np.array([len(w.sums) for w in windows], np.int64),
            "buckets": counts,
            "bucket_sums": np.fromiter(chain.from_iterable(levels), np.float64, total),
            "bucket_variances": np.fromiter(chain.from_iterable(spreads), np.float64, total),
        }

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state, and then nothing is changed."""
        found = checked_state(state, self.params)
        each = zip(windows_in(found), found["tick"].tolist(), found["detected"].tolist(), strict=True)
        rows = [
            Row(self.params, saved_of(window, self.params, tick), tick, detected) for window, tick, detected in each
        ]
        self.state, self.rows, self.times = rows, len(rows), [1.0] * len(rows)


def windows_in(state: State) -> list[Window]:
    """Those of a dump."""
    flat = {name: array.tolist() for name, array in state.items()}
    counts, level, place = flat["buckets"], 0, 0
    windows = []
    for row in range(len(flat["total"])):
        window = Window(*(flat[name][row] for name in ("total", "variance", "width")))
        own = counts[level : level + flat["levels"][row]]
        level += len(own)
        for count in own:
            window.sums.append(flat["bucket_sums"][place : place + count])
            window.variances.append(flat["bucket_variances"][place : place + count])
            place += count
        windows.append(window)
    return windows


def checked_state(state: State, params: Adwin) -> dict[str, NDArray[Any]]:
    """The arrays of a dump. Sums may be infinite (huge raw values overflow), counts must add up: else ValueError."""
    rows = rows_of(state, "total")
    scalars = arrays_of(state, rows, SCALARS)
    levels = scalars["levels"]
    if rows and int(levels.min()) < 1:
        raise ValueError("a window without levels")
    buckets = arrays_of(state, count_of(levels, LEVELS_MAX), {"buckets": "i8"})["buckets"]
    ragged = arrays_of(state, count_of(buckets, params.max_buckets), {"bucket_sums": "f8", "bucket_variances": "f8"})
    if rows:
        starts = np.cumsum(levels) - levels
        exponent = np.arange(len(buckets)) - np.repeat(starts, levels)
        held = np.add.reduceat(np.ldexp(buckets.astype(np.float64), exponent), starts)
        empty = np.minimum.reduceat(buckets, starts) == 0
        # Only an empty window may have an empty level: merging leaves at least one bucket behind.
        whole = ~empty | ((levels == 1) & (scalars["tick"] == 0))
        if not ((scalars["width"] == held) & (scalars["tick"] >= held) & whole).all():
            raise ValueError("a window whose buckets do not add up to its width")
        # Not even zeros of the other sign: river adds to them where the compiled bank begins with its own.
        if any(scalars[name].view(np.int64)[empty].any() for name in ("total", "variance", "width")):
            raise ValueError("an empty window that holds something")
    return {**scalars, "buckets": buckets, **ragged}
