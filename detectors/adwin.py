"""ADWIN (Bifet & Gavalda, "Learning from time-changing data with adaptive windowing", 2007), bit-equal to river.

Bank of `river.drift.ADWIN` 0.26.1: the order of every floating-point operation is river's, and so are its habits: a
cut is looked for every `clock`-th value only, and the whole window is wiped at the value after a detection.

>>> import numpy as np
>>> bank = AdwinBank(Adwin(delta=0.002))
>>> bank.resize(1)
>>> values = np.r_[np.zeros(1000), np.ones(1000)]
>>> bank.update(np.zeros(2000, np.int64), values).index.tolist()
[1023]
"""

from __future__ import annotations

from math import log, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, Hits, State, arrays_of, check_values, hits_of, rows_of
from detectors.params import Adwin

LEVELS_MAX = 64
"""Level i holds buckets of 2^i values, so no window that fits into time has more."""


class Window:
    """One adaptive window. Level i: sums and variances of its buckets of 2^i values, oldest first."""

    __slots__ = ("detected", "sums", "tick", "total", "variance", "variances", "width")

    def __init__(self) -> None:
        self.sums: list[list[float]] = [[]]
        self.variances: list[list[float]] = [[]]
        self.total = 0.0
        self.variance = 0.0
        self.width = 0.0
        self.tick = 0
        self.detected = False


def insert(window: Window, value: float, max_buckets: int) -> None:
    """Add one value as the newest bucket of level 0 and merge where a level is over-full."""
    window.width += 1.0
    width = window.width
    if width > 1.0:
        before = width - 1.0
        away = value - window.total / before
        window.variance += before * away * away / width
    window.total += value
    level = window.sums[0]
    level.append(value)
    window.variances[0].append(0.0)
    if len(level) > max_buckets:
        compress(window, max_buckets)


def compress(window: Window, max_buckets: int) -> None:
    """Merge the two oldest buckets of every level that holds max_buckets + 1 into one of the next level."""
    sums, variances = window.sums, window.variances
    index, size = 0, 1.0
    while index < len(sums) and len(sums[index]) == max_buckets + 1:
        if index + 1 == len(sums):
            sums.append([])
            variances.append([])
        level, spread = sums[index], variances[index]
        away = level[0] / size - level[1] / size
        sums[index + 1].append(level[0] + level[1])
        variances[index + 1].append(spread[0] + spread[1] + size * size * away * away / (size + size))
        del level[:2], spread[:2]
        index, size = index + 1, size * 2.0


def delete_oldest(window: Window) -> float:
    """Forget the oldest bucket; the number of values it held."""
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
    return size


def find_cut(window: Window, params: Adwin) -> tuple[float, float] | None:
    """The first cut, oldest first, whose two sides differ: (difference of means new - old, epsilon)."""
    least = float(params.min_window_length)
    width = window.width
    before, after = 0.0, width
    sum_before, sum_after = 0.0, window.total
    delta_prime = log(2.0 * log(width) / params.delta)
    variance = window.variance / width
    for index in range(len(window.sums) - 1, -1, -1):
        level = window.sums[index]
        size = float(2**index)
        for k in range(len(level) if index else len(level) - 1):
            before += size
            after -= size
            sum_before += level[k]
            sum_after -= level[k]
            if after >= least and before >= least:
                recip = 1.0 / (before - least + 1.0) + 1.0 / (after - least + 1.0)
                spread = 2.0 * recip * variance * delta_prime
                # Rounding can leave a variance below zero: river's epsilon is then NaN, and nothing exceeds NaN.
                epsilon = (sqrt(spread) if spread >= 0.0 else nan) + 2.0 / 3.0 * delta_prime * recip
                moved = sum_before / before - sum_after / after
                if abs(moved) > epsilon:
                    return -moved, epsilon
    return None


def detect(window: Window, params: Adwin) -> tuple[float, float] | None:
    """Shrink the window while it can be cut; the first cut found, or None."""
    window.tick += 1
    if window.tick % params.clock or window.width <= params.grace_period:
        return None
    first = cut = find_cut(window, params)
    while cut is not None:
        delete_oldest(window)
        cut = find_cut(window, params)
    window.detected = first is not None
    return first


class AdwinBank:
    """ADWIN for many series. Python state while it runs, flat arrays in snapshots."""

    def __init__(self, params: Adwin) -> None:
        self.params = params
        self.rows = 0
        self.windows: list[Window] = []
        self.wanted = {"up": (1,), "down": (-1,)}.get(params.direction, (1, 0, -1))

    def resize(self, rows: int) -> None:
        self.windows += [Window() for _ in range(rows - self.rows)]
        self.rows = len(self.windows)

    def update(self, rows: I64, values: F64) -> Hits:
        check_values(rows, values)
        found: list[tuple[int, int, float, float]] = []
        params, windows, most, clock = self.params, self.windows, self.params.max_buckets, self.params.clock
        for i, (row, value) in enumerate(zip(rows.tolist(), values.tolist(), strict=True)):
            window = windows[row]
            if window.detected:
                window = windows[row] = Window()
            insert(window, value, most)
            if (window.tick + 1) % clock:
                window.tick += 1  # Most values end here: no cut is looked for.
                continue
            cut = detect(window, params)
            if cut is not None:
                direction = (cut[0] > 0) - (cut[0] < 0)
                if direction in self.wanted:
                    found.append((i, direction, abs(cut[0]), cut[1]))
        return hits_of(found)

    def dump(self) -> dict[str, NDArray[Any]]:
        windows = self.windows
        levels = [level for w in windows for level in w.sums]
        spreads = [level for w in windows for level in w.variances]
        return {
            "total": np.array([w.total for w in windows], np.float64),
            "variance": np.array([w.variance for w in windows], np.float64),
            "width": np.array([w.width for w in windows], np.float64),
            "tick": np.array([w.tick for w in windows], np.int64),
            "detected": np.array([w.detected for w in windows], np.bool_),
            "levels": np.array([len(w.sums) for w in windows], np.int64),
            "buckets": np.array([len(level) for level in levels], np.int64),
            "bucket_sums": np.array([v for level in levels for v in level], np.float64),
            "bucket_variances": np.array([v for level in spreads for v in level], np.float64),
        }

    def load(self, state: State) -> None:
        rows = rows_of(state, "total")
        names = {"total": "f8", "variance": "f8", "width": "f8", "tick": "i8", "detected": "?", "levels": "i8"}
        flat = {name: array.tolist() for name, array in arrays_of(state, rows, names).items()}
        if any(not 1 <= n <= LEVELS_MAX for n in flat["levels"]):
            raise ValueError("a window with an impossible number of levels")
        buckets = arrays_of(state, sum(flat["levels"]), {"buckets": "i8"})["buckets"].tolist()
        if any(not 0 <= n <= self.params.max_buckets for n in buckets):
            raise ValueError("a level with an impossible number of buckets")
        names = {"bucket_sums": "f8", "bucket_variances": "f8"}
        ragged = {name: array.tolist() for name, array in arrays_of(state, sum(buckets), names).items()}
        if not all(np.isfinite(array).all() for name, array in state.items() if array.dtype.kind == "f"):
            raise ValueError("a number that is not finite")
        level = place = 0
        windows = []
        for row in range(rows):
            window = Window()
            for name in ("total", "variance", "width", "tick", "detected"):
                setattr(window, name, flat[name][row])
            counts = buckets[level : level + flat["levels"][row]]
            level += len(counts)
            window.sums, window.variances = [], []
            for count in counts:
                window.sums.append(ragged["bucket_sums"][place : place + count])
                window.variances.append(ragged["bucket_variances"][place : place + count])
                place += count
            windows.append(window)
        self.windows, self.rows = windows, rows
