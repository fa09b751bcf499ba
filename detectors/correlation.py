"""How far the correlations within a block of events are from what they usually are, in their own deviations.

Each pair of features has its coefficient within each block: what moves both in the course of a day moves no block. The
coefficient r is looked at as r / sqrt(1 - r^2), which is about as unsure for every r and has no bound, and what it
usually is, with its deviation, is learned from all blocks so far (of the newest weeks, in event time). The pair that is
farthest from that speaks for the block. So a correlation that appears, vanishes or turns around shows in a block or
two, however few of the pairs it is.

Values are standardised ones, cut and rounded to whole numbers: then all sums are exact, in whatever order a library
adds them, and no bit depends on how the log was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, array_of
from detectors.extremes import DAY_MS, MEMORY

I16 = NDArray[np.int16]

BLOCK = 128
"""Events in a block."""
PAIR_LEAST = BLOCK // 2
"""Events of a block that must have both features."""
VARIED = BLOCK // 4
"""Events of a block that must differ from its median in a feature: else a few of them are all of its correlation."""
UNIT = 1_024
"""Whole numbers in a deviation."""
ABSENT = np.int16(-(1 << 15))
"""What an event has in the place of a feature that it lacks."""
CLOSE = 0.99
"""Coefficients are cut here: of two copies of a feature the last digits say nothing."""
KNOWN = 16
"""Blocks until it is known what is usual."""
SURE = 8.0
"""A deviation counts as learned from so many blocks more, with the one that chance would have."""
CUT = 2.5
"""Nothing farther than so many deviations is learned as it is."""
COUNT_MAX = 1 << 31
USUAL = {"count": "i8", "mean": "f8", "variance": "f8"}


class Farthest(NamedTuple):
    """Of a block the pair that is farthest from what is usual: its columns, how far, what it is and what is usual."""

    first: int
    second: int
    away: float
    now: float
    usual: float


@lru_cache(64)
def pairs_of(features: int) -> tuple[I64, I64]:
    """The columns of each pair; with one feature more there are further pairs behind these."""
    second, first = np.tril_indices(features, -1)
    return first.astype(np.int64), second.astype(np.int64)


def rounded(z: F64) -> I16:
    """Standardised values, which are cut, as whole numbers."""
    return np.rint(np.clip(z, -31.0, 31.0) * UNIT).astype(np.int16)


def coefficients(block: I16) -> F64:
    """r / sqrt(1 - r^2) of each pair; NaN where too few events have both, or one of them hardly varies."""
    first, second = pairs_of(block.shape[1])
    there = block != ABSENT
    m, x = there.astype(np.float64), np.where(there, block, 0).astype(np.float64)
    n, sums, squares, shared = m.T @ m, x.T @ m, (x * x).T @ m, x.T @ x
    count, left, right = n[first, second], sums[first, second], sums[second, first]
    both = count * shared[first, second] - left * right
    one = count * squares[first, second] - left * left
    other = count * squares[second, first] - right * right
    varied = np.count_nonzero(there & (block != np.sort(block, axis=0)[len(block) // 2]), axis=0) >= VARIED
    known = (count >= PAIR_LEAST) & varied[first] & varied[second] & (one > 0.0) & (other > 0.0)
    r = np.clip(both / np.sqrt(np.where(known, one, 1.0)) / np.sqrt(np.where(known, other, 1.0)), -CLOSE, CLOSE)
    found: F64 = np.where(known, r / np.sqrt(1.0 - r * r), np.nan)
    return found


def plain(coefficient: float) -> float:
    """The correlation of what `coefficients` says of it."""
    return coefficient / sqrt(1.0 + coefficient * coefficient)


class Correlations:
    """Of the features of one group: those of the block that goes on, and what is usual for each pair."""

    def __init__(self, features: int = 0) -> None:
        self.block = np.full((BLOCK, 0), ABSENT)
        self.fill = 0  # events of the block so far
        self.count, self.mean, self.variance = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
        self.widen(features)

    @property
    def features(self) -> int:
        return self.block.shape[1]

    def widen(self, features: int) -> None:
        """There are so many features from now on."""
        self.block = np.concatenate([self.block, np.full((BLOCK, features - self.features), ABSENT)], axis=1)
        more = features * (features - 1) // 2 - len(self.count)
        self.count = np.concatenate([self.count, np.zeros(more, np.int64)])
        self.mean, self.variance = (np.concatenate([one, np.zeros(more)]) for one in (self.mean, self.variance))

    def take(self, events: I16) -> None:
        """Events of the block, with the first columns of it."""
        self.block[self.fill : self.fill + len(events), : events.shape[1]] = events
        self.fill += len(events)

    def close(self, elapsed_ms: int) -> Farthest | None:
        """The block is over, so long after the one before; None while of no pair it is known what is usual."""
        now = coefficients(self.block)
        self.block[:], self.fill = ABSENT, 0
        unsure = (1.0 + self.mean * self.mean) / (BLOCK - 3.0)
        spread = np.sqrt((SURE * unsure + self.count * self.variance) / (SURE + self.count))
        spread *= np.sqrt(1.0 + 1.0 / np.maximum(self.count, 1))
        some, known = ~np.isnan(now), self.count >= KNOWN
        away = np.where(some, now, self.mean) - self.mean
        far = np.where(known & some, np.abs(away) / spread, -1.0)
        found = None
        if len(far) and far.max() >= 0.0:
            k = int(far.argmax())
            first, second = (side.item(k) for side in pairs_of(self.features))
            found = Farthest(first, second, far.item(k), plain(now.item(k)), plain(self.mean.item(k)))
        away = np.where(known, np.clip(away, -CUT * spread, CUT * spread), away)
        count = np.minimum(self.count + 1, COUNT_MAX)
        part = np.where(some, np.maximum(1.0 / count, min(elapsed_ms / (MEMORY * DAY_MS), 1.0)), 0.0)
        self.variance = (1.0 - part) * (self.variance + part * away * away)
        self.mean = self.mean + part * away
        self.count = np.where(some, count, self.count)
        return found

    def dump(self) -> list[NDArray[Any]]:
        """As plain arrays; equal histories give equal bytes."""
        block = self.block[: self.fill].astype("<i2").view(np.uint8)
        return [block, self.count.copy(), self.mean.copy(), self.variance.copy()]

    def load(self, state: Sequence[Any]) -> None:
        """Replace the state of so many features; ValueError for an invalid one."""
        block, *usual = state
        given = {"block": block, **dict(zip(USUAL, usual, strict=True))}
        rows = len(block) if isinstance(block, np.ndarray) else 0
        block = array_of(given, "block", "u1", (rows, 2 * self.features)).view("<i2")
        count, mean, variance = (array_of(given, name, kind, self.mean.shape) for name, kind in USUAL.items())
        if rows >= BLOCK or not (np.isfinite(mean).all() and np.isfinite(variance).all()):
            raise ValueError("invalid correlations")
        if len(count) and not (int(count.min()) >= 0 and int(count.max()) <= COUNT_MAX and variance.min() >= 0.0):
            raise ValueError("invalid correlations")
        self.block[:rows], self.fill = block, rows
        self.count, self.mean, self.variance = count.copy(), mean.copy(), variance.copy()
