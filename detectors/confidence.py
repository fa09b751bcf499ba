"""Calibrated confidence: how often a model is wrong where it says that it is so sure, learned from labels as they come.

Confidence is counted in CELLS cells of equal width in log-odds, so that .99 and .999 are apart. The newest pairs of
(confidence, was it right) are kept as counts by cell, in BLOCKS blocks and the one that is being filled: a sliding
history of bounded size, in whole numbers, so that it does not matter how the stream was cut. With each full block the
calibration is made anew and has the next version; what it says in between does not change.

Two views of one calibration:

- `group`: neighbouring cells with at least LEAST pairs together, of which nothing is assumed. An isotonic fit is biased
  where the error does not fall with confidence, and no interval around it covered then (`estimated_error.py`).
- `calibration_error`: confidence against what came of it (Guo et al. 2017, in bins of equal mass); `brier` is the mean
  square of confidence less 1 or 0 (Brier 1950).

>>> history = ConfidenceHistory(block=100)
>>> confidence = np.tile([0.6, 0.9], 100)
>>> right = np.arange(200) % 20 != 1  # Of those at .9 one in ten is wrong, of those at .6 none: underconfident.
>>> history.add(confidence, right)
>>> calibration = history.calibration
>>> calibration.version, calibration.pairs
(2, 200)
>>> [round(1 - error, 3) for error in calibration.rates()[cells_of(np.array([0.6, 0.9]))].tolist()]
[1.0, 0.9]
>>> round(calibration_error(calibration), 3), round(calibration.brier, 3)
(0.2, 0.125)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, Bool, State, array_of

CELLS = 128
WIDTH = 9 / 64
"""Of a cell, in log-odds: they reach from .00012 to .99988, and the outermost two take what is beyond."""
FINE = 1 << 40
EDGES = np.round(FINE / (1.0 + np.exp(-WIDTH * (np.arange(1, CELLS) - CELLS // 2)))) / FINE
"""Between the cells. Rounded, so that they do not hang on the last digit of a machine's `exp`."""
BLOCKS = 8
LEAST = 10
"""Pairs of a group at least. With 20 the interval of an estimated error covered 83 %, not 95 %, where the calibration
is of 300 pairs and confidence falls far below them; with 10 it is not wider where there are more."""
BINS = 15
"""Of the calibration error, as in Guo et al. 2017."""
UNIT = 1 << 24
"""Sums of confidence are of whole multiples of its inverse: exact in any order, and 3e-8 off at most."""
NAMES = {"n": "i8", "wrong": "i8", "sums": "i8"}


def cells_of(confidence: F64) -> I64:
    """The cell of each confidence, 0 to 1; what is outside counts as the nearest."""
    return np.searchsorted(EDGES, confidence, side="right")


def counted(confidence: F64) -> I64:
    """How many there are in each cell: all that is kept of a window."""
    return np.bincount(cells_of(confidence), minlength=CELLS)


def groups_of(n: I64, least: float) -> I64:
    """The number of each cell's group: cells from the lowest on, until there are `least` pairs; what is left over at
    the end belongs to the last.
    """
    group = np.zeros(len(n), np.int64)
    number = held = 0
    for cell, pairs in enumerate(n.tolist()):
        group[cell] = number
        held += pairs
        if held >= least:
            number, held = number + 1, 0
    if number:
        group[group == number] = number - 1
    return group


class Calibration(NamedTuple):
    """What a history said when its newest block was full. Arrays by cell; `calibration_of` makes one."""

    version: int
    n: I64
    wrong: I64
    confidence: F64  # the sum of what was said
    brier: float
    group: I64  # the number of the group that the cell is in

    @property
    def pairs(self) -> int:
        return int(self.n.sum())

    def rates(self) -> F64:
        """The error by cell, as that of its group; 0 where there are no pairs."""
        pairs, wrong = (np.bincount(self.group, counts) for counts in (self.n, self.wrong))
        rates: F64 = (wrong / np.maximum(pairs, 1.0))[self.group]
        return rates


def calibration_of(version: int, n: I64, wrong: I64, confidence: F64, brier: float = 0.0) -> Calibration:
    return Calibration(version, n, wrong, confidence, brier, groups_of(n, LEAST))


def calibration_error(calibration: Calibration, bins: int = BINS) -> float:
    """The expected calibration error: how far confidence is from the share that is right, by the mass of its bins,
    which are of equal mass, nearly.
    """
    group = groups_of(calibration.n, max(calibration.pairs / bins, 1))
    columns = (calibration.n, calibration.wrong, calibration.confidence)
    found = zip(*(np.bincount(group, column).tolist() for column in columns), strict=True)
    apart = [n * abs(said / n - (n - wrong) / n) for n, wrong, said in found if n]
    return float(sum(apart)) / max(calibration.pairs, 1)


class ConfidenceHistory:
    """The newest BLOCKS full blocks of `block` pairs, and the one that is being filled."""

    def __init__(self, block: int = 500) -> None:
        assert block > 0
        self.block = block
        self.seen = 0
        self.n = np.zeros((BLOCKS + 1, CELLS), np.int64)
        self.wrong = np.zeros((BLOCKS + 1, CELLS), np.int64)
        self.sums = np.zeros((BLOCKS + 1, CELLS), np.int64)  # of confidence, in units of 1 / UNIT
        self.squares = np.zeros(BLOCKS + 1, np.int64)  # of confidence less 1 or 0, likewise
        self.calibration = self._calibrated()

    @property
    def room(self) -> int:
        """Pairs until the next version."""
        return self.block - self.seen % self.block

    def add(self, confidence: F64, right: Bool) -> None:
        """Pairs in the order of the log. AssertionError for a confidence that is not of 0 to 1."""
        assert len(confidence) == len(right)
        assert bool(((confidence >= 0.0) & (confidence <= 1.0)).all()), "a confidence that is not of 0 to 1"
        begin = 0
        while begin < len(confidence):
            end = min(len(confidence), begin + self.room)
            self._count(self.seen // self.block % (BLOCKS + 1), confidence[begin:end], right[begin:end])
            self.seen += end - begin
            if self.seen % self.block == 0:
                self.calibration = self._calibrated()
                for array in (self.n, self.wrong, self.sums, self.squares):
                    array[self.seen // self.block % (BLOCKS + 1)] = 0
            begin = end

    def _count(self, slot: int, confidence: F64, right: Bool) -> None:
        cells = cells_of(confidence)
        units = np.rint(confidence * UNIT).astype(np.int64)
        self.n[slot] += np.bincount(cells, minlength=CELLS)
        self.wrong[slot] += np.bincount(cells[~right], minlength=CELLS)
        np.add.at(self.sums[slot], cells, units)
        self.squares[slot] += np.rint((confidence - right) ** 2 * UNIT).astype(np.int64).sum()

    def _calibrated(self) -> Calibration:
        """Of the blocks that are full."""
        full = np.arange(BLOCKS + 1) != self.seen // self.block % (BLOCKS + 1)
        n = self.n[full].sum(axis=0)
        brier = self.squares[full].sum().item() / UNIT / max(n.sum().item(), 1)
        sums = self.sums[full].sum(axis=0) / UNIT
        return calibration_of(self.seen // self.block, n, self.wrong[full].sum(axis=0), sums, brier)

    def dump(self) -> dict[str, NDArray[Any]]:
        """Arrays; the calibration follows from them."""
        names = (*NAMES, "squares")
        return {"seen": np.array([self.seen]), **{name: getattr(self, name).copy() for name in names}}

    def load(self, state: State) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        seen = int(array_of(state, "seen", "i8", (1,))[0])
        found = {name: array_of(state, name, dtype, (BLOCKS + 1, CELLS)) for name, dtype in NAMES.items()}
        squares = array_of(state, "squares", "i8", (BLOCKS + 1,))
        n, wrong = found["n"], found["wrong"]
        if seen < 0 or not ((wrong >= 0) & (wrong <= n) & (found["sums"] >= 0) & (found["sums"] <= n * UNIT)).all():
            raise ValueError("counts of pairs that cannot be")
        # How many pairs are in each block follows from how many there were.
        open_, number = seen // self.block % (BLOCKS + 1), seen // self.block
        held = [self.block if (open_ - slot) % (BLOCKS + 1) <= number else 0 for slot in range(BLOCKS + 1)]
        held[open_] = seen % self.block
        sizes = n.sum(axis=1)
        if sizes.tolist() != held or not ((squares >= 0) & (squares <= sizes * UNIT)).all():
            raise ValueError("blocks that are not as long as they should be")
        self.seen, self.squares = seen, squares.copy()
        self.n, self.wrong, self.sums = (found[name].copy() for name in NAMES)
        self.calibration = self._calibrated()
