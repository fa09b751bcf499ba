"""The reference of each series: what it looked like when it was healthy, learned from its first values, then frozen.

Values are standardised against it, z = (value - centre) / scale, so that a detector's `delta` and `threshold` mean
the same for every feature. Centre and scale are the median and the median absolute deviation (Hampel 1974): up to
half of the warm-up may be outliers. Everything is equivariant: multiplying a series or adding a constant to it
changes no z.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, State, arrays_of, rows_of

CLIP = 4.0
"""|z| is cut here: one absurd value must not decide, and ADWIN's bound assumes a bounded range."""

MAD_TO_SIGMA = 1.4826
"""Makes the median absolute deviation estimate the standard deviation of normal data."""

TAIL = 0.99
TAIL_SIGMAS = 2.3263478740408408
"""The 99 % quantile of the standard normal: a tail's own deviation is its 1 % quantile in these units."""

STATS = ("centre", "scale", "mean", "std", "below", "above")
PLACES = ("first_offset", "last_offset", "first_time_ms", "last_time_ms")

Bool = NDArray[np.bool_]


def robust_scale(values: F64, centre: float) -> float:
    """1.4826 MAD; for values of which most are equal the deviation of the middle 98 %; 0 when those are equal too."""
    away = np.abs(values - centre)
    scale = MAD_TO_SIGMA * float(np.median(away))
    if scale > 0.0:
        return scale
    ordered = np.sort(values)
    cut = -(-len(ordered) // 100)
    return float(np.std(ordered[cut:-cut]))


def tail_scales(values: F64, centre: float, scale: float) -> tuple[float, float]:
    """Deviation of the lower and the upper tail: at least `scale`, more where the tail itself is longer.

    A skewed feature would otherwise call its own healthy tail anomalous.
    """
    low, high = np.quantile(values, [1.0 - TAIL, TAIL])
    return max(scale, (centre - float(low)) / TAIL_SIGMAS), max(scale, (float(high) - centre) / TAIL_SIGMAS)


class Reference:
    """References of rows 0..rows-1. With `scale=False` values pass as they are (0/1 indicators), and are only noted."""

    def __init__(self, warmup: int, scale: bool = True) -> None:
        self.warmup = warmup
        self.standardise = scale
        self.rows = 0
        self.n = np.zeros(0, np.int64)  # values seen, up to `warmup`
        self.waiting: list[list[float] | None] = []  # the warm-up's values; None once frozen
        for name in STATS:
            setattr(self, name, np.zeros(0))
        for name in PLACES:
            setattr(self, name, np.zeros(0, np.int64))

    centre: F64
    scale: F64
    mean: F64
    std: F64
    below: F64
    above: F64
    first_offset: I64
    last_offset: I64
    first_time_ms: I64
    last_time_ms: I64

    def is_ready(self, row: int) -> bool:
        return self.waiting[row] is None

    def resize(self, rows: int) -> None:
        if rows <= self.rows:
            return
        for name in ("n", *STATS, *PLACES):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros(rows - len(old), old.dtype)]))
        self.waiting += [[] for _ in range(rows - self.rows)]
        self.rows = rows

    def update(self, rows: I64, values: F64, offsets: I64, times_ms: I64) -> tuple[Bool, F64]:
        """Which values come after their row's warm-up, and z of those (0 for the others); all arrays of length m."""
        ready = self.n[rows] >= self.warmup
        if not ready.all():
            self._learn(rows, values, offsets, times_ms, ready)
        z = np.zeros(len(values))
        if not self.standardise:
            z[ready] = values[ready]
            return ready, z
        chosen = rows[ready]
        away, scale = values[ready] - self.centre[chosen], self.scale[chosen]
        # A constant reference has no scale: any other value is then one deviation away, whatever its size.
        z[ready] = np.where(scale > 0.0, away / np.where(scale > 0.0, scale, 1.0), np.sign(away))
        return ready, np.clip(z, -CLIP, CLIP)

    def _learn(self, rows: I64, values: F64, offsets: I64, times_ms: I64, ready: Bool) -> None:
        for i in np.flatnonzero(~ready).tolist():
            row = int(rows[i])
            waiting = self.waiting[row]
            if waiting is None:  # Frozen by an earlier value of this very batch.
                ready[i] = True
                continue
            if not waiting:
                self.first_offset[row], self.first_time_ms[row] = offsets[i], times_ms[i]
            waiting.append(float(values[i]))
            self.n[row] += 1
            self.last_offset[row], self.last_time_ms[row] = offsets[i], times_ms[i]
            if len(waiting) == self.warmup:
                self._freeze(row, np.array(waiting))

    def _freeze(self, row: int, values: F64) -> None:
        centre = float(np.median(values)) if self.standardise else 0.0
        self.centre[row] = centre
        self.scale[row] = robust_scale(values, centre)
        # The mean of differences from the centre keeps its digits where the values are large and close together.
        self.mean[row] = centre + float(np.mean(values - centre))
        self.std[row] = float(np.std(values - centre))
        self.below[row], self.above[row] = tail_scales(values, centre, float(self.scale[row]))
        self.waiting[row] = None

    def dump(self) -> dict[str, NDArray[Any]]:
        waiting = [values or [] for values in self.waiting]
        return {
            **{name: getattr(self, name).copy() for name in ("n", *STATS, *PLACES)},
            "waiting": np.array([v for values in waiting for v in values], np.float64),
        }

    def load(self, state: State) -> None:
        rows = rows_of(state, "n")
        names = {"n": "i8", **dict.fromkeys(STATS, "f8"), **dict.fromkeys(PLACES, "i8")}
        found = arrays_of(state, rows, names)
        counts = found["n"].tolist()
        if any(not 0 <= n <= self.warmup for n in counts):
            raise ValueError("a reference of more values than its warm-up")
        left = [n if n < self.warmup else 0 for n in counts]
        values = arrays_of(state, sum(left), {"waiting": "f8"})["waiting"].tolist()
        if not all(np.isfinite(array).all() for name, array in found.items() if name in STATS):
            raise ValueError("a reference that is not finite")
        self.waiting, place = [], 0
        for n, count in zip(counts, left, strict=True):
            self.waiting.append(None if n == self.warmup else values[place : place + count])
            place += count
        for name, array in found.items():
            setattr(self, name, array.copy())
        self.rows = rows
