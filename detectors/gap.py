"""The gap: the error that labels show against the error that confidence promised for the very same events.

The estimate without labels (`estimated_error.py`) holds while only inputs change. So where the realised error is
outside of what was estimated for these events, the relation of inputs to outcomes has changed (concept drift), or the
model's confidence errs on inputs that the history hardly had.

Labels are looked at in tumbling windows of 50, 100, 200 .. 1,600, in the order in which they come: a large gap is told
by a short window, a small one by a long one. Each is held once, when it is full, against the estimate for its events,
at odds such that all windows together have one false alarm in `arl` labels, each length having the same share of that.
The odds add up whatever the windows have in common, so the chance of an alarm within T healthy labels is T / `arl` at
most, after whichever label one looks; once there is one, others come of the same cause.

The calibration that is compared with stands still for a span of 1,600 labels, so that it has not learned from what it
judges; the newest one is taken after a span in which nothing was found. After a finding it stays, and what it finds is
told again with each window, until one that is four times as long is within the usual interval of 95 % (`direction`
0), or until `accept`. Whoever has a budget of time instead of labels sets `arl` before each `add`.

Errors are a gap where they are outside of the interval around what was estimated, and that is outside of the interval
around the errors. At odds as small as a budget may ask for these differ: no error of 50 is below the interval around an
estimate of 22 % at odds of 4 in 100 million, and comes by chance a hundred times as often.

Labels must not come sooner, or more often, for what was wrong: such a selection looks like a gap.

Measured (2026-11-29): 300 runs of 3,200 labels at an `arl` of 64,000, of which 5 % may have an alarm; calibrations of
500, 2,000 and 5,000 pairs. Healthy, with the five errors and the first five shifts of `estimated_error.py`: 4.0 % in
the worst of 75 cases, 1.0 % in the mean. With more errors at each confidence:

| error | times | runs with an alarm, by the pairs known before | labels to the first, in the median |
| --- | --- | --- | --- |
| 14 %, as the model says | 2 | 100 %, 100 %, 100 % | 200 |
| | 1.5 | 92 %, 100 %, 100 % | 800, 400, 400 |
| 10 %, everywhere the same | 2 | 100 %, 100 %, 100 % | 400, 400, 300 |
| | 1.5 | 65 %, 98 %, 100 % | 1,600, 800, 800 |
| 2 %, a seventh of what it says | 2 | 31 %, 89 %, 97 % | -, 1,600, 1,600 |

>>> from detectors.confidence import ConfidenceHistory
>>> history, gap = ConfidenceHistory(block=2_000), Gap(arl=100_000)
>>> confidence, order = np.full(2_000, 0.9), np.arange(2_000)
>>> history.add(confidence, order % 10 > 0)
>>> gap.add(confidence, order % 10 == 0, history.calibration)
[]
>>> found = gap.add(confidence, order % 4 == 0, history.calibration)[0]
>>> found.place, found.window, found.direction
(199, 200, 1)
>>> found.realised, round(found.estimate.error, 3), round(found.estimate.high, 3)
(0.25, 0.1, 0.205)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, Bool, State, array_of
from detectors.confidence import CELLS, Calibration, calibration_of, cells_of
from detectors.counts import TAIL
from detectors.estimated_error import Estimate, estimated, standardised

SHORTEST = 50
SCALES = 6
WINDOWS = SHORTEST * 2 ** np.arange(SCALES)
SPAN = int(WINDOWS[-1])
SURER = 4
"""What a window has found is over by one that is so many times as long, if there is such a one: a gap that is just
large enough to be found is within the interval of 95 % now and then.
"""
TAIL_MAX = 0.1
"""Of a window's odds on either side, for a small `arl`."""


class Found(NamedTuple):
    """A window of labels whose errors are outside of what was estimated for them."""

    place: int  # of its last label, in what was given
    window: int  # its length
    realised: float
    estimate: Estimate  # its interval is that of the odds
    direction: int  # +1 more errors than estimated, -1 fewer; 0 as many as usual again, after a finding


class Gap:
    """Of one series: its reference, and the windows that are being filled."""

    def __init__(self, arl: float = 100_000.0, way: int = 0) -> None:
        """`way`: the direction that is looked for, 0 for both."""
        assert arl > 0
        self.arl, self.way = arl, way
        self.labels = 0  # judged, since the span began
        self.unjudged = 0  # came before there was a calibration
        self.found = 0  # length of the window that found something last, if that is neither over nor accepted
        self.reference: Calibration | None = None
        self.newest: Found | None = None  # the newest window that was full, whatever it says; not state
        self.counts = np.zeros((SCALES, CELLS), np.int64)
        self.wrong = np.zeros(SCALES, np.int64)

    @property
    def tails(self) -> F64:
        """What the interval of a window leaves on either side, by its length."""
        tails: F64 = np.minimum(WINDOWS / (2.0 * SCALES * self.arl), TAIL_MAX)
        return tails

    @property
    def room(self) -> int:
        """Labels until the next look."""
        return SHORTEST - self.labels % SHORTEST

    def add(self, confidence: F64, wrong: Bool, calibration: Calibration) -> list[Found]:
        """Labels in the order of the log; `calibration` is the newest one before the first of them. Where a new version
        would come between them, they are to be given in two parts (`ConfidenceHistory.room`).
        """
        assert len(confidence) == len(wrong)
        if self.reference is None and not calibration.pairs:
            self.unjudged += len(wrong)
            return []
        found: list[Found] = []
        cells, begin = cells_of(confidence), 0
        while begin < len(wrong):
            if self.reference is None or (self.labels == 0 and not self.found):
                self.reference = calibration
            end = min(len(wrong), begin + self.room)
            self.counts += np.bincount(cells[begin:end], minlength=CELLS)
            self.wrong += int(wrong[begin:end].sum())
            self.labels += end - begin
            found += self._look(self.reference, end - 1)
            begin = end
        return found

    def _look(self, reference: Calibration, place: int) -> list[Found]:
        """At the windows that are full now."""
        full, tails = np.flatnonzero(self.labels % WINDOWS == 0).tolist(), self.tails
        found = []
        for scale in full:
            one = self.newest = self._held(reference, scale, place, float(tails[scale]))
            if one.direction and one.direction * self.way >= 0:
                found.append(one)
        if found:
            self.found = found[-1].window
        elif full and self.found and int(WINDOWS[full[-1]]) >= min(SURER * self.found, SPAN):
            usual = self._held(reference, full[-1], place, TAIL)
            if usual.direction == 0 or usual.direction * self.way < 0:
                found, self.found = [usual._replace(direction=0)], 0
        self.counts[full] = 0
        self.wrong[full] = 0
        self.labels %= SPAN
        return found

    def _held(self, reference: Calibration, scale: int, place: int, tail: float) -> Found:
        """A full window against its estimate."""
        size = int(WINDOWS[scale])
        estimate, realised = estimated([(reference, self.counts[scale])], tail), int(self.wrong[scale]) / size
        assert estimate is not None
        direction = (realised > estimate.high) - (realised < estimate.low)
        if direction:
            low, high = standardised(realised, estimate.effective, tail)
            direction *= not low <= estimate.error <= high
        return Found(place, size, realised, estimate, direction)

    def accept(self) -> None:
        """The relation as it is now is the new normal: a new span begins, with the calibration that is given next."""
        self.labels, self.found, self.reference = 0, 0, None
        self.counts[:] = 0
        self.wrong[:] = 0

    def dump(self) -> dict[str, NDArray[Any]]:
        """Arrays."""
        reference = self.reference
        version = -1 if reference is None else reference.version
        empty = np.zeros(CELLS, np.int64)
        return {
            "scalars": np.array([self.labels, self.unjudged, self.found, version]),
            "counts": self.counts.copy(),
            "wrong": self.wrong.copy(),
            "reference": np.stack([empty, empty] if reference is None else [reference.n, reference.wrong]),
        }

    def load(self, state: State) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        labels, unjudged, found, version = array_of(state, "scalars", "i8", (4,)).tolist()
        counts = array_of(state, "counts", "i8", (SCALES, CELLS))
        wrong = array_of(state, "wrong", "i8", (SCALES,))
        pairs, errors = array_of(state, "reference", "i8", (2, CELLS))
        if not (0 <= labels < SPAN and unjudged >= 0 and found in (0, *WINDOWS.tolist()) and version >= -1):
            raise ValueError("labels that cannot be")
        if (counts < 0).any() or (counts.sum(axis=1) != labels % WINDOWS).any():
            raise ValueError("windows that are not as long as they should be")
        if not ((wrong >= 0) & (wrong <= labels % WINDOWS)).all() or not ((errors >= 0) & (errors <= pairs)).all():
            raise ValueError("more errors than there are labels")
        if (version < 0) != (not pairs.any()) or (version < 0 and labels):
            raise ValueError("labels that nothing was compared with")
        self.labels, self.unjudged, self.found = labels, unjudged, found
        self.counts, self.wrong = counts.copy(), wrong.copy()
        self.reference = None
        if version >= 0:
            self.reference = calibration_of(version, pairs.copy(), errors.copy(), np.zeros(CELLS))
