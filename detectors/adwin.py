"""ADWIN (Bifet & Gavalda, "Learning from time-changing data with adaptive windowing", 2007), bit-equal to river.

Bank of `river.drift.ADWIN` 0.26.1: the order of every floating-point operation is river's, and so are its habits: a
cut is looked for every `clock`-th value only, and the whole window is wiped at the value after a detection.

>>> import numpy as np
>>> bank = AdwinBank(Adwin(delta=0.002))
>>> bank.resize(1)
>>> values = np.r_[np.zeros(1000), np.ones(1000)]
>>> bank.update(np.zeros(2000, np.int64), values).place.tolist()
[1023]
"""

from __future__ import annotations

from itertools import chain
from math import log, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import DIRECTION, F64, I64, Hits, State, arrays_of, check_values, count_of, hits_of, rows_of
from detectors.params import Adwin

LEVELS_MAX = 53
"""Level i holds buckets of 2^i values and a width is a float, so no window has more."""

SCALARS = {"total": "f8", "variance": "f8", "width": "f8", "tick": "i8", "detected": "?", "levels": "i8"}


class Window:
    """One adaptive window. Level i: sums and variances of its buckets of 2^i values, oldest first.

    `pending` are the newest values, not yet inserted: nothing is decided before the next look for a cut, which comes
    with `room` values. Inserting them in one go does the same operations in the same order, so it gives the same bits.
    """

    __slots__ = ("detected", "pending", "room", "sums", "tick", "total", "variance", "variances", "width")

    def __init__(self, clock: int) -> None:
        self.sums: list[list[float]] = [[]]
        self.variances: list[list[float]] = [[]]
        self.total = 0.0
        self.variance = 0.0
        self.width = 0.0
        self.tick = 0
        self.detected = False
        self.pending: list[float] = []
        self.room = clock


def insert(window: Window, max_buckets: int) -> None:
    """Add the pending values, each as the newest bucket of level 0, merging where a level is over-full."""
    sums, variances = window.sums, window.variances
    level, spread = sums[0], variances[0]
    total, variance, width = window.total, window.variance, window.width
    for value in window.pending:
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
    window.tick += len(window.pending)
    window.room -= len(window.pending)
    window.pending.clear()


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


def find_cut(window: Window, params: Adwin) -> tuple[float, float] | None:
    """The first cut, oldest first, whose two sides differ: (difference of means new - old, epsilon)."""
    width = window.width
    if width < 2.0:
        return None  # One value has no two sides, and the logarithm of its delta' would have no value.
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
                moved = sum_before / before - sum_after / after
                spread = 2.0 * recip * variance * delta_prime
                # Rounding can leave a variance below zero: river's epsilon is then NaN, and nothing exceeds NaN.
                epsilon = (sqrt(spread) if spread >= 0.0 else nan) + slack * recip
                if abs(moved) > epsilon:
                    return -moved, epsilon
        size *= 0.5
    return None


def shrink(window: Window, params: Adwin) -> tuple[float, float] | None:
    """Drop the oldest buckets while the window can be cut; the last cut found, None when there was none."""
    if window.width <= params.grace_period:
        return None
    last, cut = None, find_cut(window, params)
    while cut is not None:
        delete_oldest(window)
        last, cut = cut, find_cut(window, params)
    window.detected = last is not None
    return last


class AdwinBank:
    """ADWIN for many series. Python state while it runs, flat arrays in snapshots.

    A hit's statistic is the difference of the means of the two sides of the last cut, its threshold that cut's
    epsilon, its direction the sign of (newer mean - older mean).
    """

    def __init__(self, params: Adwin) -> None:
        self.params = params
        self.rows = 0
        self.windows: list[Window] = []

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        self.windows += [Window(self.params.clock) for _ in range(rows - self.rows)]
        self.rows = len(self.windows)

    def update(self, rows: I64, values: F64) -> Hits:
        """Row rows[i] takes values[i], in order; AssertionError for a value that is not finite."""
        check_values(rows, values)
        found: list[tuple[int, int, float, float]] = []
        params, windows, wanted = self.params, self.windows, DIRECTION[self.params.direction]
        for i, (row, value) in enumerate(zip(rows.tolist(), values.tolist(), strict=True)):
            window = windows[row]
            if window.detected:
                window = windows[row] = Window(params.clock)
            pending = window.pending
            pending.append(value)
            if len(pending) < window.room:
                continue
            insert(window, params.max_buckets)
            window.room = params.clock
            cut = shrink(window, params)
            if cut is not None:
                direction = (cut[0] > 0) - (cut[0] < 0)
                if direction in wanted:
                    found.append((i, direction, abs(cut[0]), cut[1]))
        return hits_of(found)

    def settle(self) -> list[Window]:
        """All windows with nothing pending: what river would hold at this value."""
        for window in self.windows:
            if window.pending:
                insert(window, self.params.max_buckets)
        return self.windows

    def dump(self) -> dict[str, NDArray[Any]]:
        """Scalars per row, then `levels` counts into `buckets`, which count into the bucket arrays."""
        windows = self.settle()
        levels = [level for w in windows for level in w.sums]
        spreads = [level for w in windows for level in w.variances]
        counts = np.array([len(level) for level in levels], np.int64)
        total = int(counts.sum())
        return {
            "total": np.array([w.total for w in windows], np.float64),
            "variance": np.array([w.variance for w in windows], np.float64),
            "width": np.array([w.width for w in windows], np.float64),
            "tick": np.array([w.tick for w in windows], np.int64),
            "detected": np.array([w.detected for w in windows], np.bool_),
            "levels": np.array([len(w.sums) for w in windows], np.int64),
            "buckets": counts,
            "bucket_sums": np.fromiter(chain.from_iterable(levels), np.float64, total),
            "bucket_variances": np.fromiter(chain.from_iterable(spreads), np.float64, total),
        }

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for a state that cannot be, and then nothing is changed."""
        found = checked_state(state, self.params)
        flat = {name: array.tolist() for name, array in found.items()}
        counts, level, place = flat["buckets"], 0, 0
        windows = []
        for row in range(len(flat["total"])):
            window = Window(self.params.clock)
            for name in ("total", "variance", "width", "tick", "detected"):
                setattr(window, name, flat[name][row])
            own = counts[level : level + flat["levels"][row]]
            level += len(own)
            window.room -= window.tick % self.params.clock
            window.sums, window.variances = [], []
            for count in own:
                window.sums.append(flat["bucket_sums"][place : place + count])
                window.variances.append(flat["bucket_variances"][place : place + count])
                place += count
            windows.append(window)
        self.windows, self.rows = windows, len(windows)


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
    return {**scalars, "buckets": buckets, **ragged}
