"""The reference of each series: what it looked like when it was healthy, learned from its first values, then frozen.

Values are standardised against it, z = (value - centre) / scale, so that a detector's `delta` and `threshold` mean
the same for every feature. Centre and scale are the median and the median absolute deviation (Hampel 1974): up to
half of the warm-up may be outliers. Everything is equivariant: multiplying a series or adding a constant to it
changes no z.

>>> import numpy as np
>>> reference = Reference(warmup=5)
>>> reference.resize(1)
>>> at = np.arange(7)
>>> ready, z, _ = reference.update(np.zeros(7, np.int64), np.array([1.0, 2, 3, 4, 100, 3, 3 + 1.4826]), at, at, at)
>>> np.flatnonzero(ready).tolist(), z[ready].round(9).tolist()
([5, 6], [0.0, 1.0])
"""

from __future__ import annotations

from array import array
from math import log, sqrt
from operator import itemgetter
from typing import Any, NamedTuple

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
RARE, OFTEN = 0.03, 0.2
"""Shares of values beyond which a tail's law is found: where it is the tail's, and where one odd value in a hundred
moves little.
"""

STATS = ("centre", "scale", "mean", "std", "below", "above")
PLACES = ("first_offset", "last_offset", "first_time_ms", "last_time_ms")
COLUMNS = {"n": "i8", **dict.fromkeys(STATS, "f8"), **dict.fromkeys(PLACES, "i8")}
"""Arrays of one element per row, in the order of `Learned`."""


def middle(ordered: F64) -> float:
    """The median of ascending values."""
    half = len(ordered) // 2
    return float(ordered[half]) if len(ordered) % 2 else (float(ordered[half - 1]) + float(ordered[half])) / 2.0


def average(values: F64) -> float:
    """Summed one after another: an order that the compiled core can keep, unlike that of numpy's own sum."""
    return float(np.cumsum(values)[-1]) / len(values)


def quantile(ordered: F64, share: float) -> float:
    """The quantile of ascending values, straight lines between them."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low]) + (place - low) * (float(ordered[high]) - float(ordered[low]))


def robust_scale(ordered: F64, centre: float) -> float:
    """1.4826 MAD; where most values are equal the deviation of the middle 98 %; 0 where those are equal too.

    The deviation is taken around `centre`, as z is, not around the mean.
    """
    scale = MAD_TO_SIGMA * middle(np.sort(np.abs(ordered - centre)))
    if scale > 0.0:
        return scale
    cut = -(-len(ordered) // 100)
    most = ordered[cut : len(ordered) - cut] - centre
    return sqrt(average(most * most)) if len(most) else 0.0


def tail_scales(ordered: F64, centre: float, scale: float) -> tuple[float, float]:
    """Deviation of the lower and the upper tail: at least `scale`, more where the tail itself is longer.

    A skewed feature would otherwise call its own healthy tail anomalous.
    """
    below, above = reach((centre - ordered)[::-1]), reach(ordered - centre)
    return max(scale, below / TAIL_SIGMAS), max(scale, above / TAIL_SIGMAS)


def reach(away: F64) -> float:
    """How far a tail goes, its 1 % quantile, from ascending differences; but no further than the power law that goes
    on from what is less rare (Weissman 1978), else one odd value in a hundred of the warm-up would be the quantile.

    Of a tail of zeros where values are rare, anchors are among the values. Where even RARE has none there is no law.
    """
    far, share = quantile(away, TAIL), float(np.count_nonzero(away > 0.0)) / len(away)
    often = min(OFTEN, (share + RARE) / 2.0)
    near, rare = quantile(away, 1.0 - often), quantile(away, 1.0 - RARE)
    if share <= RARE or near <= 0.0:
        return far
    steepness = log(rare / near) / log(often / RARE)
    if log(far) <= log(rare) + steepness * log(RARE / (1.0 - TAIL)):
        return far
    return float(rare * (RARE / (1.0 - TAIL)) ** steepness)


def standardised(away: F64, scale: F64 | float) -> F64:
    """Distances from the centre in units of the scale. A constant reference has none: any other value is then one
    deviation away, whatever its size. A quotient too large for a float is infinite.
    """
    with np.errstate(over="ignore"):
        return np.where(scale > 0.0, away / np.where(scale > 0.0, scale, 1.0), np.sign(away))


class Judged(NamedTuple):
    """A column after the reference, arrays of length m; where `ready` is false there is no verdict, and zeros."""

    ready: Bool  # the value comes after its row's warm-up
    z: F64  # standardised, at most CLIP
    away: F64  # difference from the centre, in the signal's own units


class Learned(NamedTuple):
    """The reference of one row. All but `n`, `first_offset` and `first_time_ms` are final once `n` is the warm-up.

    `centre` and `scale` as above, `mean` and `std` of the whole warm-up, `below` and `above` see `tail_scales`; all in
    the signal's own units.
    """

    n: int
    centre: float
    scale: float
    mean: float
    std: float
    below: float
    above: float
    first_offset: int
    last_offset: int
    first_time_ms: int
    last_time_ms: int


def learn(values: F64, standardise: bool) -> tuple[float, ...]:
    """What a full warm-up amounts to, in the order of STATS. One sort serves every quantile."""
    values = np.clip(values, -HUGE, HUGE)
    ordered = np.sort(values + 0.0)  # There is no -0.0 then, whose place among zeros would be anybody's guess.
    centre = middle(ordered) if standardise else 0.0
    scale = robust_scale(ordered, centre)
    # The mean of differences from the centre keeps its digits where the values are large and close together.
    away = values - centre
    mean = average(away)
    apart = away - mean
    std = sqrt(average(apart * apart))
    return centre, scale, centre + mean, std, *tail_scales(ordered, centre, scale)


class Reference:
    """References of rows 0..rows-1, at most `warmup` values of each.

    With `scale=False` values pass as they are (0/1 indicators, raw values), centre is 0 and the rest is only noted.
    With `keep` the values of each warm-up are there until `completed` has handed them out: whoever else learns from
    them keeps none.
    """

    def __init__(self, warmup: int, scale: bool = True, keep: bool = False) -> None:
        check_warmup(warmup)
        self.warmup = warmup
        self.standardise = scale
        self.keep = keep
        self.kept: list[tuple[int, F64]] = []
        self.rows = 0
        self.waiting: list[array[float] | None] = []  # the warm-up's values; None once frozen
        self.columns: dict[str, NDArray[Any]] = {name: np.zeros(0, dtype) for name, dtype in COLUMNS.items()}

    def at(self, row: int) -> Learned:
        """What is known of a row."""
        return Learned(*(self.columns[name][row].item() for name in COLUMNS))

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        if rows <= self.rows:
            return
        for name, old in self.columns.items():
            self.columns[name] = np.concatenate([old, np.zeros(rows - len(old), old.dtype)])
        self.waiting += [array("d") for _ in range(rows - self.rows)]
        self.rows = rows

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        assert not self.kept, "samples that nobody has taken would be lost"
        self.columns = {name: column[rows] for name, column in self.columns.items()}
        self.waiting = [self.waiting[row] for row in rows.tolist()]
        self.rows = len(rows)

    def forget(self, row: int) -> None:
        """The row learns anew, from values that come from now on."""
        self.columns["n"][row], self.waiting[row] = 0, array("d")

    def heard(self) -> tuple[I64, I64]:
        """Of each row offset and time of the last value that it learned from."""
        return self.columns["last_offset"], self.columns["last_time_ms"]

    def update(self, rows: I64, values: F64, events: I64, offsets: I64, times_ms: I64) -> Judged:
        """Judge m values; value i belongs to event events[i], which stands at offsets[events[i]].

        A row may become ready in the middle: its warm-up is its first `warmup` values, wherever the batches are cut.
        """
        ready: Bool = self.columns["n"][rows] >= self.warmup
        if not ready.all():
            ready = self._learn(rows, values, offsets[events], times_ms[events])
        values = np.clip(values, -HUGE, HUGE)
        z, away = np.zeros(len(values)), np.zeros(len(values))
        chosen = rows[ready]
        away[ready] = apart = values[ready] - self.columns["centre"][chosen]
        if not self.standardise:
            return Judged(ready, np.where(ready, values, 0.0), away)
        z[ready] = standardised(apart, self.columns["scale"][chosen])
        return Judged(ready, np.clip(z, -CLIP, CLIP), away)

    def _learn(self, rows: I64, values: F64, offsets: I64, times_ms: I64) -> Bool:
        own = self.columns
        place = own["n"][rows] + ranks(rows)
        ready: Bool = place >= self.warmup
        early = np.flatnonzero(~ready)
        chosen = rows[early]
        begins = early[place[early] == 0]
        own["first_offset"][rows[begins]] = offsets[begins]
        own["first_time_ms"][rows[begins]] = times_ms[begins]
        np.add.at(own["n"], chosen, 1)
        own["last_offset"][chosen] = offsets[early]  # With repeated rows the last assignment holds, the newest value.
        own["last_time_ms"][chosen] = times_ms[early]
        for row, value in zip(chosen.tolist(), values[early].tolist(), strict=True):
            waiting = self.waiting[row]
            assert waiting is not None
            waiting.append(value)
            if len(waiting) == self.warmup:
                sample = np.array(waiting)
                for name, number in zip(STATS, learn(sample, self.standardise), strict=True):
                    own[name][row] = number
                self.waiting[row] = None
                if self.keep:
                    self.kept.append((row, sample))
        return ready

    def completed(self) -> list[tuple[int, F64]]:
        """The rows whose warm-up has ended since the last call, ascending, each with its values as they came, in the
        order of the log. To be called behind every update where they are kept: a snapshot has none of them.
        """
        completed, self.kept = sorted(self.kept, key=itemgetter(0)), []
        return completed

    def far(self, rows: I64, judged: Judged, beyond: float) -> I64:
        """Places of the judged values more than `beyond` deviations of their own tail from the centre, ascending."""
        places = np.flatnonzero(judged.ready)
        away, chosen = judged.away[places], rows[places]
        above, below = self.columns["above"][chosen], self.columns["below"][chosen]
        return places[(away > beyond * above) | (-away > beyond * below)]

    def dump(self) -> dict[str, NDArray[Any]]:
        """Arrays per row, and `waiting`: the values of unfrozen rows one after another, n of each."""
        assert not self.kept, "samples that nobody has taken would be lost"
        waiting = b"".join(values.tobytes() for values in self.waiting if values is not None)
        copies = {name: column.copy() for name, column in self.columns.items()}
        return {**copies, "waiting": np.frombuffer(waiting, np.float64).copy()}

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state, and then nothing is changed."""
        found = checked_state(state, self.warmup)
        values = found.pop("waiting")
        left = np.where(found["n"] < self.warmup, found["n"], 0)
        waiting: list[array[float] | None] = []
        ends = np.cumsum(left).tolist()
        for n, count, end in zip(found["n"].tolist(), left.tolist(), ends, strict=True):
            waiting.append(None if n == self.warmup else array("d", values[end - count : end].tobytes()))
        self.columns = {name: column.copy() for name, column in found.items()}
        self.waiting, self.rows, self.kept = waiting, len(waiting), []


def check_warmup(warmup: int) -> None:
    if warmup < 1:
        raise ValueError("a reference of no values")


def checked_state(state: State, warmup: int) -> dict[str, NDArray[Any]]:
    """The arrays of a dump; ValueError for what cannot be."""
    found = arrays_of(state, rows_of(state, "n"), COLUMNS)
    count_of(found["n"], warmup)
    left = np.where(found["n"] < warmup, found["n"], 0)
    values = arrays_of(state, int(left.sum()), {"waiting": "f8"})["waiting"]
    if not all(np.isfinite(a).all() for a in (values, *(found[name] for name in STATS))):
        raise ValueError("a reference that is not finite")
    if any((found[name] < 0.0).any() for name in ("scale", "std", "below", "above")):
        raise ValueError("a negative deviation")
    return {**found, "waiting": values}
