"""The error of a window whose labels have not come: estimated from confidence alone, with an interval.

Confidence is calibrated on labelled history (`confidence.py`). If a window's events are only others than those of the
history, and not otherwise related to their outcomes (pure covariate shift), the error in it is the sum of the errors
of the groups of confidence by their shares of the window (Guillory et al. 2021; NannyML calls it CBPE; Garg et al. 2022
compare it with others). It is a directly standardised rate, and gets the interval of one: Clopper & Pearson's of as
many independent events as have the same variance (Korn & Graubard 1998), where the variance is that of the calibration,
by group, and that of the window's own errors, which are chance too; outwards to whole errors, since the window has no
others.

**What the interval says.** The share that *will be found wrong* in this window is within it, with 95 %. Coverage of
1,000 windows each of 180 cases (2026-11-29): 0.939 [0.922, 0.953] in the worst, 0.970 in the mean. The cases:
calibrations of 300, 1,000 and 5,000 pairs; windows of 200 and 2,000 events; errors as the model says, more, a seventh,
the same everywhere, and in waves over confidence; confidence as before, lower, far lower, higher, in a narrow band, and
a tenth of the events very low. `tests/detectors/test_estimated_error.py` repeats seven of them.

**What it cannot see.** BLIND is the sentence of every record with an estimate. Other limits:

- covariate shift must leave the error *at each confidence* as it is. It does where the model's confidence errs alike
  everywhere. Where a model knows nothing of a feature, a shift of that feature by half a deviation was covered by 95 %,
  by one deviation by 82 % (error .248, estimated .236; 5,000 pairs, 2,000 events), a doubled spread by 24 %. That is
  found when labels come (`gap.py`);
- where the history has few pairs the interval is wide; `unseen` is the share of the window in cells without any;
- of more than two labels it is known which predictions are wrong, not what would have been right.

**Regression is left out.** Stated intervals could stand for confidence (mean absolute error by their width, scaled by
it). Of what was tried, with an interval of 95 % by the variance in each group, normal errors were covered by 93 to 96
%, those of Student's t with 3 degrees by 90 to 94 %, lognormal ones by 88 to 95 %, Pareto's by 80 to 93 %: nothing
bounds a loss, so what is rare and large is not among the labelled. That is below the 90 % which classification keeps.
Once more (2026-11-29), 2,000 pairs in tenths of width, windows of 200 and 2,000, ten seeds of 100, five kinds of
errors: 91 to 96 % while inputs stay as they are; where widths shift, 81 % in the worst case of intervals as wide as
errors are, and next to none in that of others: beyond the widths of the history the scale is a guess.

>>> import numpy as np
>>> from detectors.confidence import CELLS, calibration_of, cells_of, counted
>>> n, wrong = np.zeros(CELLS, np.int64), np.zeros(CELLS, np.int64)
>>> n[cells_of(np.array([0.6, 0.95]))] = 500
>>> wrong[cells_of(np.array([0.6, 0.95]))] = 200, 25
>>> calibration = calibration_of(1, n, wrong, 0.775 * n)
>>> window = counted(np.repeat([0.6, 0.95], [800, 200]))
>>> [round(number, 3) for number in estimated([(calibration, window)])[:4]]
[1000, 0.33, 0.285, 0.377]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor
from typing import NamedTuple

import numpy as np

from detectors.bank import F64, I64
from detectors.confidence import CELLS, LEAST, Calibration
from detectors.counts import TAIL, beta_interval

BLIND = (
    "Estimated from confidence alone, as long as the relation of inputs to outcomes is that of the labelled history: "
    "it follows a change of the inputs, and is blind to concept drift."
)


class Estimate(NamedTuple):
    """Of a window: events, the share that is wrong with its interval, how many independent events would say as much,
    the share of events whose confidence no labelled one had, and the version of the (first) calibration.
    """

    n: int
    error: float
    low: float
    high: float
    effective: float
    unseen: float
    version: int


class Share(NamedTuple):
    """A share of all events of a window, with its interval."""

    share: float
    low: float
    high: float


def estimated(parts: Sequence[tuple[Calibration, I64]], tail: float = TAIL) -> Estimate | None:
    """The error of the events that are counted by cell, each part by a calibration of its own (of a predicted label, of
    a segment); `tail`: what the interval leaves on either side. None where a part has events and no labelled pairs.
    """
    total = sum(int(window.sum()) for _, window in parts)
    used = [(calibration, window) for calibration, window in parts if window.any()]
    if not used or any(calibration.pairs == 0 for calibration, _ in used):
        return None
    pairs, wrong, shares, unseen = _grouped(used, total)
    error = float((shares * wrong / pairs).sum())
    # A group in which nobody was wrong yet is no proof that nobody ever is: half a case more of either (Jeffreys).
    rate = (wrong + 0.5) / (pairs + 1.0)
    spread = rate * (1.0 - rate)
    variance = float((shares * shares * spread / pairs).sum() + (shares * spread).sum() / total)
    mean = float((shares * rate).sum())
    effective = mean * (1.0 - mean) / variance
    low, high = standardised(error, effective, tail)
    outwards = floor(low * total + 1e-9) / total, ceil(high * total - 1e-9) / total
    return Estimate(total, error, *outwards, effective, unseen, used[0][0].version)


def _grouped(parts: Sequence[tuple[Calibration, I64]], total: int) -> tuple[I64, I64, F64, float]:
    """Labelled pairs, those wrong, and the window's share, by group; the share in cells that no pair is in."""
    columns: list[list[I64]] = [[], [], []]
    unseen = 0
    for calibration, window in parts:
        assert window.shape == (CELLS,)
        for column, counts in zip(columns, (calibration.n, calibration.wrong, window), strict=True):
            column.append(np.bincount(calibration.group, counts))
        unseen += int(window[calibration.n == 0].sum())
    pairs, wrong, counts = (np.concatenate(column) for column in columns)
    return pairs, wrong, counts / total, unseen / total


def at_most(calibration: Calibration, tail: float = TAIL) -> F64:
    """By cell what the error is at most, each at these odds: what the audit of single events is held against.

    It is the upper border of the pairs in the cell and in those below it, as many as hold LEAST pairs: at less
    confidence nobody is wrong less often. (A group of the calibration reaches upwards as well, and the least confident
    of it are wrong more often than its mean: held against that, 35 % of the healthy audits fired after a shift to where
    the history has few pairs.) 1 where there are too few, and then nothing can be found.
    """
    borders, known, cells = np.ones(CELLS), dict[tuple[int, int], float](), range(CELLS)
    pairs, errors = calibration.n.tolist(), calibration.wrong.tolist()
    for cell in cells:
        n = wrong = 0
        for below in cells[cell::-1]:
            n, wrong = n + pairs[below], wrong + errors[below]
            if n >= LEAST:
                borders[cell] = known[n, wrong] = known.get((n, wrong)) or standardised(wrong / n, n, tail)[1]
                break
    return borders


def standardised(rate: float, effective: float, tail: float = TAIL) -> tuple[float, float]:
    """Clopper & Pearson's interval of a rate that has the variance of so many independent events."""
    hits, misses = effective * rate, effective * (1.0 - rate)
    low = beta_interval(hits, misses + 1.0, tail)[0] if hits >= 0.5 else 0.0
    high = beta_interval(hits + 1.0, misses, tail)[1] if misses >= 0.5 else 1.0
    return low, high


def confusion(by_label: Mapping[str, Estimate]) -> dict[str, tuple[Share, Share]]:
    """Of each predicted label the shares of all events that are it rightly, and wrongly. With two labels these are the
    four of the confusion matrix: what is wrongly one is rightly the other.
    """
    total = sum(estimate.n for estimate in by_label.values())
    found = {}
    for label, (n, error, low, high, *_) in by_label.items():
        part = n / total
        right = Share((1.0 - error) * part, (1.0 - high) * part, (1.0 - low) * part)
        found[label] = right, Share(error * part, low * part, high * part)
    return found
