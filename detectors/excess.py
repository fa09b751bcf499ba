"""Where the errors are that nobody promised: the windows of a gap by segment.

Of each label it is known how likely it was to be wrong, by its confidence. Summed up by segment, in whole numbers, that
is the number of errors that were promised there, with its variance; what is beyond is the segment's excess. A segment
stands out where its excess per label is another than that of all others together, by so many standard errors.

>>> excess = Excess()
>>> excess.add(("country", "NL"), np.array([25, 15, round(2.5 * UNIT), round(2.2 * UNIT)]))
>>> excess.add(("country", "DE"), np.array([25, 2, round(2.5 * UNIT), round(2.2 * UNIT)]))
>>> [(one.value, one.n, one.realised, one.promised, round(one.apart, 1)) for one in excess.parts(0, 1)]
[('NL', 25, 0.6, 0.1, 4.5), ('DE', 25, 0.08, 0.1, -4.5)]
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import I64, array_of
from detectors.confidence import UNIT, Calibration
from detectors.gap import SCALES, WINDOWS

SEGMENTS_MAX = 64
"""Labels of further ones are in no segment."""
N, WRONG, PROMISED, VARIANCE = range(4)
Segment = tuple[str, str]
"""The field that is split by, and its value."""


class Part(NamedTuple):
    """A segment's labels in a window: how many, the share that was wrong, the share that was promised, and how far its
    excess is from that of the others, in standard errors.
    """

    field: str
    value: str
    n: int
    realised: float
    promised: float
    apart: float


def promised(reference: Calibration) -> tuple[I64, I64]:
    """By cell the chance to be wrong and its variance, in units of 1 / UNIT."""
    rate = reference.rates()
    return np.rint(rate * UNIT).astype(np.int64), np.rint(rate * (1.0 - rate) * UNIT).astype(np.int64)


class Excess:
    """Of one gap: sums by segment for each of its windows that is being filled."""

    def __init__(self) -> None:
        self.sums: dict[Segment, I64] = {}  # (SCALES, 4), in the order in which they came

    def add(self, segment: Segment, more: I64) -> None:
        """Labels of a segment: how many, those wrong, and the sums of `promised`."""
        known = self.sums.get(segment)
        if known is None:
            if len(self.sums) >= SEGMENTS_MAX:
                return
            known = self.sums[segment] = np.zeros((SCALES, 4), np.int64)
        known += more

    def parts(self, scale: int, way: int) -> list[Part]:
        """Of the window of this scale, those first that stand out most in this direction."""
        found = []
        total: dict[str, I64] = {}
        for (field, _), sums in self.sums.items():
            total[field] = total.get(field, np.zeros(4, np.int64)) + sums[scale]
        for (field, value), sums in self.sums.items():
            mine = sums[scale].tolist()
            if mine[N]:
                others = (total[field] - sums[scale]).tolist()
                shares = mine[WRONG] / mine[N], mine[PROMISED] / UNIT / mine[N]
                found.append(Part(field, value, mine[N], *shares, _apart(mine, others)))
        return sorted(found, key=lambda one: -one.apart * way)

    def passed(self, labels: int) -> None:
        """So many labels of the span were looked at: windows that are full begin anew, with a span all segments do."""
        if labels == 0:
            self.sums.clear()
        for sums in self.sums.values():
            sums[labels % WINDOWS == 0] = 0

    def dump(self) -> dict[str, Any]:
        """Plain values and an array."""
        table = np.array([*self.sums.values()], np.int64).reshape(-1, SCALES, 4)
        return {"segments": [list(segment) for segment in self.sums], "sums": table}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        names = [(str(field), str(value)) for field, value in state["segments"]]
        table = array_of(state, "sums", "i8", (len(names), SCALES, 4))
        if len(set(names)) < len(names) or len(names) > SEGMENTS_MAX:
            raise ValueError("segments that cannot be")
        if (table < 0).any() or (table[:, :, WRONG] > table[:, :, N]).any():
            raise ValueError("sums of segments that cannot be")
        self.sums = dict(zip(names, table.copy(), strict=True))


def _apart(mine: list[int], others: list[int]) -> float:
    """In standard errors, of the errors promised or of those that were, whichever vary more; 0 without others."""
    if not others[N]:
        return 0.0
    excess, variance = [], 0.0
    for n, wrong, likely, spread in (mine, others):
        excess.append((wrong - likely / UNIT) / n)
        variance += max(spread / UNIT, wrong * (n - wrong) / n, 0.25) / n / n
    return (excess[0] - excess[1]) / sqrt(variance)
