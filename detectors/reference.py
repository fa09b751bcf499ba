"""The reference of each series: what it looked like when it was healthy, learned from its first values, then frozen.

Values are standardised against it, z = (value - centre) / scale, so that a detector's `delta` and `threshold` mean
the same for every feature. Centre and scale are the median and the median absolute deviation (Hampel 1974): up to
half of the warm-up may be outliers. Everything is equivariant: multiplying a series or adding a constant to it
changes no z.

>>> import numpy as np
>>> reference = Reference(warmup=5)
>>> reference.resize(1)
>>> at = np.arange(7)
>>> ready, z = reference.update(np.zeros(7, np.int64), np.array([1.0, 2, 3, 4, 100, 3, 3 + 1.4826]), at, at)
>>> np.flatnonzero(ready).tolist(), z[ready].round(9).tolist()
([5, 6], [0.0, 1.0])
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, HUGE, I64, Bool, State, arrays_of, count_of, ranks, rows_of

CLIP = 3.0
"""|z| is cut here: one absurd value must not decide, and ADWIN's bound assumes a bounded range.

At 4 the tail of a lognormal feature alone makes Page-Hinkley alarm several times as often, see `params.py`.
"""

MAD_TO_SIGMA = 1.4826
"""Makes the median absolute deviation estimate the standard deviation of normal data."""

TAIL = 0.99
TAIL_SIGMAS = 2.3263478740408408
"""The 99 % quantile of the standard normal: a tail's own deviation is its 1 % quantile in these units."""

STATS = ("centre", "scale", "mean", "std", "below", "above")
PLACES = ("first_offset", "last_offset", "first_time_ms", "last_time_ms")


def robust_scale(values: F64, centre: float) -> float:
    """1.4826 MAD; where most values are equal the deviation of the middle 98 %; 0 where those are equal too.

    The deviation is taken around `centre`, as z is, not around the mean.
    """
    away = np.abs(values - centre)
    scale = MAD_TO_SIGMA * float(np.median(away))
    if scale > 0.0:
        return scale
    ordered = np.sort(values)
    cut = -(-len(ordered) // 100)
    middle = ordered[cut : len(ordered) - cut] - centre
    return float(np.sqrt(np.mean(middle * middle))) if len(middle) else 0.0


def tail_scales(values: F64, centre: float, scale: float) -> tuple[float, float]:
    """Deviation of the lower and the upper tail: at least `scale`, more where the tail itself is longer.

    A skewed feature would otherwise call its own healthy tail anomalous.
    """
    low, high = np.quantile(values, [1.0 - TAIL, TAIL])
    return max(scale, (centre - float(low)) / TAIL_SIGMAS), max(scale, (float(high) - centre) / TAIL_SIGMAS)


class Reference:
    """References of rows 0..rows-1: what each was like, from where to where; arrays of one element per row.

    `n` values were seen, at most `warmup`. Of the frozen ones: `centre` and `scale` as above, `mean` and `std` of the
    whole warm-up, `below` and `above` see `tail_scales`; all in the signal's own units. With `scale=False` values
    pass as they are (0/1 indicators, raw values), centre is 0 and the rest is only noted.
    """

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

    def __init__(self, warmup: int, scale: bool = True) -> None:
        if warmup < 1:
            raise ValueError("a reference of no values")
        self.warmup = warmup
        self.standardise = scale
        self.rows = 0
        self.n = np.zeros(0, np.int64)
        self.waiting: list[array[float] | None] = []  # the warm-up's values; None once frozen
        for name in STATS:
            setattr(self, name, np.zeros(0))
        for name in PLACES:
            setattr(self, name, np.zeros(0, np.int64))

    def is_ready(self, row: int) -> bool:
        """Whether the row's reference is frozen."""
        return self.waiting[row] is None

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        if rows <= self.rows:
            return
        for name in ("n", *STATS, *PLACES):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros(rows - len(old), old.dtype)]))
        self.waiting += [array("d") for _ in range(rows - self.rows)]
        self.rows = rows

    def update(self, rows: I64, values: F64, offsets: I64, times_ms: I64) -> tuple[Bool, F64]:
        """Which values come after their row's warm-up, and z of those (0 for the others); all arrays of length m.

        A row may become ready in the middle: its warm-up is its first `warmup` values, wherever the batches are cut.
        """
        values = np.clip(values, -HUGE, HUGE)
        ready: Bool = self.n[rows] >= self.warmup
        if not ready.all():
            ready = self._learn(rows, values, offsets, times_ms)
        if not self.standardise:
            return ready, np.where(ready, values, 0.0)
        z = np.zeros(len(values))
        chosen = rows[ready]
        away, scale = values[ready] - self.centre[chosen], self.scale[chosen]
        # A quotient too large for a float is clipped like any other; the scale of a constant is not divided by.
        with np.errstate(over="ignore"):
            z[ready] = away / np.where(scale > 0.0, scale, 1.0)
        # A constant reference has no scale: any other value is then one deviation away, whatever its size.
        z[ready] = np.where(scale > 0.0, z[ready], np.sign(away))
        return ready, np.clip(z, -CLIP, CLIP)

    def _learn(self, rows: I64, values: F64, offsets: I64, times_ms: I64) -> Bool:
        place = self.n[rows] + ranks(rows)
        ready: Bool = place >= self.warmup
        early = np.flatnonzero(~ready)
        chosen = rows[early]
        begins = early[place[early] == 0]
        self.first_offset[rows[begins]] = offsets[begins]
        self.first_time_ms[rows[begins]] = times_ms[begins]
        np.add.at(self.n, chosen, 1)
        self.last_offset[chosen] = offsets[early]  # With repeated rows the last assignment holds, the newest value.
        self.last_time_ms[chosen] = times_ms[early]
        for row, value in zip(chosen.tolist(), values[early].tolist(), strict=True):
            waiting = self.waiting[row]
            assert waiting is not None
            waiting.append(value)
            if len(waiting) == self.warmup:
                self._freeze(row, np.array(waiting))
        return ready

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
        """Arrays per row, and `waiting`: the values of unfrozen rows one after another, n of each."""
        waiting = b"".join(values.tobytes() for values in self.waiting if values is not None)
        return {
            **{name: getattr(self, name).copy() for name in ("n", *STATS, *PLACES)},
            "waiting": np.frombuffer(waiting, np.float64).copy(),
        }

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for a state that cannot be, and then nothing is changed."""
        rows = rows_of(state, "n")
        names = {"n": "i8", **dict.fromkeys(STATS, "f8"), **dict.fromkeys(PLACES, "i8")}
        found = arrays_of(state, rows, names)
        count_of(found["n"], self.warmup)
        left = np.where(found["n"] < self.warmup, found["n"], 0)
        values = arrays_of(state, int(left.sum()), {"waiting": "f8"})["waiting"]
        if not all(np.isfinite(a).all() for a in (values, *(found[name] for name in STATS))):
            raise ValueError("a reference that is not finite")
        if any((found[name] < 0.0).any() for name in ("scale", "std", "below", "above")):
            raise ValueError("a negative deviation")
        waiting: list[array[float] | None] = []
        ends = np.cumsum(left).tolist()
        for n, count, end in zip(found["n"].tolist(), left.tolist(), ends, strict=True):
            waiting.append(None if n == self.warmup else array("d", values[end - count : end].tobytes()))
        for name, column in found.items():
            setattr(self, name, column.copy())
        self.waiting, self.rows = waiting, rows
