"""Histograms of windows of many series, over bins that each series' own first values decided and that never change.

>>> import numpy as np
>>> bank = Distribution(warmup=4, bins=2, window=3)
>>> bank.resize(1)
>>> bank.learn(0, np.array([1.0, 2, 3, 4]))
>>> bank.bins_of(0)  # from 3 on is the upper half
([3.0], [2, 2])
>>> at = np.arange(3)
>>> values = np.array([9.0, 9, 0])
>>> [(w.place, w.counts) for w in bank.update(np.zeros(3, np.int64), values, np.ones(3, bool), at, at, at)]
[(2, (1, 2))]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, Bool, State, array_of, arrays_of, check_values, ranks, rows_of

BINS_MAX = 256
PLACES = ("first_offset", "last_offset", "from_ms", "to_ms")
LATEST = {"seen": "i8", **dict.fromkeys(PLACES, "i8"), "learned": "?"}


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
    """Rows 0..rows-1. A row learns its bins from `warmup` values that it is given once; from the next one on its values
    are in tumbling windows of `window` values. What comes before it has learned is nobody's.

    Bin b holds edges[b-1] <= value < edges[b]. With `coded` the values are codes 0, 1 .. of categories, each a bin of
    its own; codes from bins - 1 on share the last.
    """

    def __init__(self, warmup: int, bins: int, window: int, coded: bool = False) -> None:
        check_shape(warmup, bins, window)
        self.warmup, self.bins, self.window, self.coded = warmup, bins, window, coded
        self.rows = 0
        self.latest = {name: np.zeros(0, dtype) for name, dtype in LATEST.items()}
        self.edges = np.zeros((0, bins - 1))
        self.reference, self.counts = np.zeros((0, bins), np.int64), np.zeros((0, bins), np.int64)

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = max(rows - self.rows, 0)
        self.latest = {name: np.concatenate([old, np.zeros(more, old.dtype)]) for name, old in self.latest.items()}
        self.edges = np.concatenate([self.edges, np.full((more, self.bins - 1), np.inf)])
        fresh = np.zeros((more, self.bins), np.int64)
        self.reference, self.counts = np.concatenate([self.reference, fresh]), np.concatenate([self.counts, fresh])
        self.rows += more

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.latest = {name: column[rows] for name, column in self.latest.items()}
        self.edges, self.reference, self.counts = self.edges[rows], self.reference[rows], self.counts[rows]
        self.rows = len(rows)

    def learned(self, rows: I64) -> Bool:
        """For each of these rows whether it has learned its bins."""
        found: Bool = self.latest["learned"][rows]
        return found

    def learn(self, row: int, values: F64) -> None:
        """The bins of a row that has none, from the values of its warm-up; AssertionError for any other, or when they
        are not as many as that has, or not finite.
        """
        assert 0 <= row < self.rows
        assert not self.latest["learned"][row], "a row learns once"
        assert len(values) == self.warmup
        assert bool(np.isfinite(values).all())
        self.edges[row] = code_edges(self.bins) if self.coded else edges_of(values.tolist(), self.bins)
        np.add.at(self.reference[row], np.searchsorted(self.edges[row], values, side="right"), 1)
        self.latest["learned"][row] = True

    def update(self, rows: I64, values: F64, chosen: Bool, events: I64, offsets: I64, times_ms: I64) -> list[Closed]:
        """Row rows[i] takes values[i] of event events[i], which stands at offsets[events[i]], where that is chosen and
        the row has learned. The windows that became full, by place in the column as it was given; AssertionError for a
        value that is not finite.

        A row may end its warm-up in the middle of the column: `learn` comes first, and of the row only the values
        behind its warm-up are chosen, which is what `Judged.ready` says of them. So the column is never cut.
        """
        check_values(rows, values)
        assert len(chosen) == len(rows)
        kept = np.flatnonzero(chosen & self.learned(rows))
        rows, values, events = rows[kept], values[kept], events[kept]
        before = self.latest["seen"][rows]
        place = before + ranks(rows)  # within the row's life since it has learned
        np.add.at(self.latest["seen"], rows, 1)
        window = place // self.window - before // self.window  # 0 = the one open so far
        closed: list[Closed] = []
        for number in range(int(window.max(initial=-1)) + 1):
            part = np.flatnonzero(window == number)
            at = offsets[events[part]], times_ms[events[part]]
            closed += self._count(kept[part], rows[part], values[part], place[part] % self.window, *at)
        return sorted(closed)

    def _count(self, given: I64, rows: I64, values: F64, place: I64, offsets: I64, times_ms: I64) -> list[Closed]:
        """Values of which each row's belong to one window, at `place` in it; `given`: their places in the column."""
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
            for at, row in zip(given[full].tolist(), rows[full].tolist(), strict=True)
        ]

    def bins_of(self, row: int) -> tuple[list[float], list[int]]:
        """Edges and counts of the reference; without those past the last bin there is. Empty until it is learned."""
        edges = [edge for edge in self.edges[row].tolist() if edge < np.inf]
        return edges, self.reference[row, : len(edges) + 1].tolist() if self.latest["learned"][row] else []

    def dump(self) -> dict[str, NDArray[Any]]:
        """Arrays per row; `seen` counts the values since the row has learned."""
        wide = {"edges": self.edges, "reference": self.reference, "counts": self.counts}
        return {name: array.copy() for name, array in {**self.latest, **wide}.items()}

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state, and then nothing is changed."""
        found = checked_state(state, self.bins, self.window)
        self.latest = {name: found[name].copy() for name in LATEST}
        self.edges, self.reference, self.counts = (found[n].copy() for n in ("edges", "reference", "counts"))
        self.rows = len(self.edges)


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


def checked_state(state: State, bins: int, window: int) -> dict[str, NDArray[Any]]:
    """The arrays of a dump; ValueError for what cannot be. A reference may be of any number of values: a file has them,
    too.
    """
    rows = rows_of(state, "seen")
    found = arrays_of(state, rows, LATEST)
    found["edges"] = array_of(state, "edges", "f8", (rows, bins - 1))
    found |= {name: array_of(state, name, "i8", (rows, bins)) for name in ("reference", "counts")}
    seen, learned = found["seen"], found["learned"]
    with np.errstate(invalid="ignore"):  # Edges that were never set are infinite, and inf - inf is no step down.
        descending = (np.diff(found["edges"], axis=1) < 0).any()
    if descending or np.isnan(found["edges"]).any():
        raise ValueError("invalid bins")
    if any((array < 0).any() for array in (seen, found["reference"], found["counts"])):
        raise ValueError("a negative count")
    if (np.where(seen > 0, (seen - 1) % window + 1, 0) != found["counts"].sum(axis=1)).any():
        raise ValueError("a window whose counts do not add up to its values")
    fresh = np.isinf(found["edges"]).all(axis=1) & (seen == 0) & ~found["reference"].any(axis=1)
    if not np.where(learned, found["reference"].any(axis=1), fresh).all():
        raise ValueError("a row that has bins but has not learned, or the other way round")
    return found
