"""Histograms of windows of many series, over bins that each series' own first values decided and that never change.

>>> import numpy as np
>>> bank = Distribution(warmup=4, bins=2, window=3)
>>> bank.resize(1)
>>> at = np.arange(7)
>>> values = np.array([1.0, 2, 3, 4, 9, 9, 0])
>>> [(w.place, w.counts) for w in bank.update(np.zeros(7, np.int64), values, at, at, at)]
[(6, (1, 2))]
>>> bank.bins_of(0)  # from 3 on is the upper half
([3.0], [2, 2])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, State, array_of, check_values, ranks, rows_of

BINS_MAX = 256
PLACES = ("first_offset", "last_offset", "from_ms", "to_ms")
LATEST = ("seen", *PLACES)


class Closed(NamedTuple):
    """A full window: `place` is that of its last value in the column."""

    place: int
    row: int
    counts: tuple[int, ...]
    first_offset: int
    last_offset: int
    from_ms: int
    to_ms: int


class Distribution:
    """Rows 0..rows-1. The first `warmup` values of a row are its reference; then tumbling windows of `window` values.

    Bin b holds edges[b-1] <= value < edges[b]. With `coded` the values are codes 0, 1 .. of categories, each a bin of
    its own; codes from bins - 1 on share the last.
    """

    def __init__(self, warmup: int, bins: int, window: int, coded: bool = False) -> None:
        check_shape(warmup, bins, window)
        self.warmup, self.bins, self.window, self.coded = warmup, bins, window, coded
        self.rows = 0
        self.latest = {name: np.zeros(0, np.int64) for name in LATEST}
        self.edges = np.zeros((0, bins - 1))
        self.reference, self.counts = np.zeros((0, bins), np.int64), np.zeros((0, bins), np.int64)
        self.waiting: list[list[float]] = []  # the warm-up's values; empty once it is over

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = max(rows - self.rows, 0)
        self.latest = {name: np.concatenate([old, np.zeros(more, np.int64)]) for name, old in self.latest.items()}
        self.edges = np.concatenate([self.edges, np.full((more, self.bins - 1), np.inf)])
        fresh = np.zeros((more, self.bins), np.int64)
        self.reference, self.counts = np.concatenate([self.reference, fresh]), np.concatenate([self.counts, fresh])
        self.waiting += [[] for _ in range(more)]
        self.rows += more

    def update(self, rows: I64, values: F64, events: I64, offsets: I64, times_ms: I64) -> list[Closed]:
        """Row rows[i] takes values[i] of event events[i], which stands at offsets[events[i]]. The windows that became
        full, by place; AssertionError for a value that is not finite.
        """
        check_values(rows, values)
        before = self.latest["seen"][rows]
        place = before + ranks(rows) - self.warmup  # within the row's life after its warm-up; negative in it
        np.add.at(self.latest["seen"], rows, 1)
        self._learn(rows, values, np.flatnonzero(place < 0))
        window = place // self.window - np.maximum(before - self.warmup, 0) // self.window  # 0 = the one open so far
        closed: list[Closed] = []
        for number in range(int(window.max(initial=-1)) + 1):
            chosen = np.flatnonzero((window == number) & (place >= 0))
            at = offsets[events[chosen]], times_ms[events[chosen]]
            closed += self._count(chosen, rows[chosen], values[chosen], place[chosen] % self.window, *at)
        return sorted(closed)

    def _learn(self, rows: I64, values: F64, early: I64) -> None:
        for row, value in zip(rows[early].tolist(), values[early].tolist(), strict=True):
            waiting = self.waiting[row]
            waiting.append(value)
            if len(waiting) == self.warmup:
                self.edges[row] = code_edges(self.bins) if self.coded else edges_of(waiting, self.bins)
                np.add.at(self.reference[row], np.searchsorted(self.edges[row], waiting, side="right"), 1)
                self.waiting[row] = []

    def _count(self, chosen: I64, rows: I64, values: F64, place: I64, offsets: I64, times_ms: I64) -> list[Closed]:
        """Values of which each row's belong to one window, at `place` in it."""
        latest, opens = self.latest, np.flatnonzero(place == 0)
        self.counts[rows[opens]] = 0
        latest["first_offset"][rows[opens]] = offsets[opens]
        latest["from_ms"][rows[opens]] = latest["to_ms"][rows[opens]] = times_ms[opens]
        latest["last_offset"][rows] = offsets  # Of repeated rows the last assignment holds: the newest.
        np.minimum.at(latest["from_ms"], rows, times_ms)
        np.maximum.at(latest["to_ms"], rows, times_ms)
        np.add.at(self.counts, (rows, (self.edges[rows] <= values[:, None]).sum(axis=1)), 1)
        full = np.flatnonzero(place == self.window - 1)
        return [
            Closed(at, row, tuple(self.counts[row].tolist()), *(int(latest[name][row]) for name in PLACES))
            for at, row in zip(chosen[full].tolist(), rows[full].tolist(), strict=True)
        ]

    def bins_of(self, row: int) -> tuple[list[float], list[int]]:
        """Edges and counts of the reference; without those past the last bin there is. Empty while it is learned."""
        edges = [edge for edge in self.edges[row].tolist() if edge < np.inf]
        learned = self.latest["seen"][row] >= self.warmup
        return edges, self.reference[row, : len(edges) + 1].tolist() if learned else []

    def dump(self) -> dict[str, NDArray[Any]]:
        """Arrays per row, and `waiting`: the values of the warm-ups that are not over, one after another."""
        waiting = np.array([value for values in self.waiting for value in values], np.float64)
        wide = {"edges": self.edges, "reference": self.reference, "counts": self.counts}
        return {**{name: array.copy() for name, array in {**self.latest, **wide}.items()}, "waiting": waiting}

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for a state that cannot be, and then nothing is changed."""
        found = checked_state(state, self.warmup, self.bins)
        values, waiting, begin = found["waiting"].tolist(), [], 0
        for seen in found["seen"].tolist():
            end = begin + (seen if seen < self.warmup else 0)
            waiting.append(values[begin:end])
            begin = end
        self.latest = {name: found[name].copy() for name in LATEST}
        self.edges, self.reference, self.counts = (found[n].copy() for n in ("edges", "reference", "counts"))
        self.waiting, self.rows = waiting, len(waiting)


def edges_of(values: Sequence[float], bins: int) -> list[float]:
    """Edges that give every bin about as many of the values; one value that is frequent has a bin of its own.

    The rest is infinite where there are fewer different values than bins.
    """
    distinct, counts = np.unique(np.array(values) + 0.0, return_counts=True)
    edges: list[float] = []
    left, in_bin = len(values), 0
    for value, count in zip(distinct.tolist(), counts.tolist(), strict=True):
        # A bin is closed when that brings it nearer to an equal share of what is left than this value would.
        if in_bin and len(edges) < bins - 1 and in_bin + count / 2 > left / (bins - len(edges)):
            edges.append(value)
            left, in_bin = left - in_bin, 0
        in_bin += count
    return edges + [np.inf] * (bins - 1 - len(edges))


def code_edges(bins: int) -> list[float]:
    return [code + 0.5 for code in range(bins - 1)]


def check_shape(warmup: int, bins: int, window: int) -> None:
    if not 2 <= bins <= BINS_MAX or warmup < 1 or window < 1:
        raise ValueError(f"a distribution has a warm-up, 2 to {BINS_MAX} bins and a window")


def checked_state(state: State, warmup: int, bins: int) -> dict[str, NDArray[Any]]:
    """The arrays of a dump; ValueError for what cannot be."""
    rows = rows_of(state, "seen")
    found = {name: array_of(state, name, "i8", (rows,)) for name in LATEST}
    found["edges"] = array_of(state, "edges", "f8", (rows, bins - 1))
    found |= {name: array_of(state, name, "i8", (rows, bins)) for name in ("reference", "counts")}
    seen = found["seen"]
    left = int(np.where(seen < warmup, seen, 0).sum()) if (seen >= 0).all() else -1
    found["waiting"] = array_of(state, "waiting", "f8", (left,))
    with np.errstate(invalid="ignore"):  # Edges that were never set are infinite, and inf - inf is no step down.
        descending = (np.diff(found["edges"], axis=1) < 0).any()
    if descending or np.isnan(found["edges"]).any() or not np.isfinite(found["waiting"]).all():
        raise ValueError("bins that cannot be")
    if (found["reference"] < 0).any() or (found["counts"] < 0).any():
        raise ValueError("a negative count")
    return found
