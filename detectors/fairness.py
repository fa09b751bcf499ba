"""Groups side by side: how often each is selected and how often the model is wrong about it, against all the others.

A rate has the exact interval of Clopper & Pearson. A ratio of two rates has the interval of its logarithm, with half a
case more of each kind (Katz et al. 1978, Walter 1975), so that a group without any has one as well. The ratio of
selection is what the rule of four fifths looks at (EEOC 1978): an interval below 0.8 says more than a ratio below it.

Each interval is of 95 % by itself: of twenty healthy groups one is outside. Coverage of a ratio's, 1,000 tables each of
96 cases (2026-11-29; 60 to 2,000 events of a group, rates of 3 to 60 %): .951 in the mean; .898 in the worst, of 60
events at 3 %.

>>> groups = Groups()
>>> groups.add("a", events=400, selected=120, labelled=100, wrong=5)
>>> groups.add("b", events=600, selected=120, labelled=200, wrong=24)
>>> [round(number, 3) for number in groups.selection("a")], [round(number, 3) for number in groups.error("b")]
([0.3, 0.255, 0.348], [0.12, 0.078, 0.173])
>>> [round(number, 2) for number in groups.selection_ratio("a")]
[1.5, 1.2, 1.86]
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log, sqrt
from typing import Any

import numpy as np

from detectors.bank import I64, array_of
from detectors.counts import DEVIATE, clopper_pearson
from detectors.estimated_error import Share

GROUPS_MAX = 64
"""Of more groups the events are counted, and otherwise left out."""
EVENTS, SELECTED, LABELLED, WRONG = range(4)


def rate(hits: int, n: int) -> Share:
    return Share(hits / max(n, 1), *clopper_pearson(hits, n))


def ratio(hits: int, n: int, others: int, n_others: int) -> Share | None:
    """Of the rate of a group to that of others, with its interval; None where one of the two has no events."""
    if not n or not n_others:
        return None
    a, m, b, k = hits + 0.5, n + 1.0, others + 0.5, n_others + 1.0
    value = log(a / m) - log(b / k)
    reach = DEVIATE * sqrt(1.0 / a - 1.0 / m + 1.0 / b - 1.0 / k)
    plain = hits / n / (others / n_others) if others else exp(value)
    return Share(plain, exp(value - reach), exp(value + reach))


class Groups:
    """Counts by group: of a window, or of all so far."""

    def __init__(self) -> None:
        self.counts: dict[str, I64] = {}  # in the order in which they came
        self.beyond = 0

    def add(self, group: str, *, events: int = 0, selected: int = 0, labelled: int = 0, wrong: int = 0) -> None:
        """Some more of a group: of its events those selected (for what is a benefit, or a burden), and of
        those that have a label those where the model was wrong.
        """
        assert 0 <= selected <= events
        assert 0 <= wrong <= labelled
        if group not in self.counts and len(self.counts) == GROUPS_MAX:
            self.beyond += events
            return
        more = np.array([events, selected, labelled, wrong])
        self.counts[group] = self.counts.get(group, np.zeros(4, np.int64)) + more

    def selection(self, group: str) -> Share:
        return self._rate(group, SELECTED, EVENTS)

    def error(self, group: str) -> Share:
        return self._rate(group, WRONG, LABELLED)

    def selection_ratio(self, group: str) -> Share | None:
        """Its selection rate over that of all other groups together."""
        return self._ratio(group, SELECTED, EVENTS)

    def error_ratio(self, group: str) -> Share | None:
        return self._ratio(group, WRONG, LABELLED)

    def _rate(self, group: str, hits: int, n: int) -> Share:
        counts = self.counts[group].tolist()
        return rate(counts[hits], counts[n])

    def _ratio(self, group: str, hits: int, n: int) -> Share | None:
        mine = self.counts[group]
        others = (sum(self.counts.values(), np.zeros(4, np.int64)) - mine).tolist()
        return ratio(int(mine[hits]), int(mine[n]), others[hits], others[n])

    def dump(self) -> dict[str, Any]:
        """Plain values and an array."""
        table = np.array([*self.counts.values()], np.int64).reshape(-1, 4)
        return {"groups": [*self.counts], "beyond": self.beyond, "counts": table}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        names = [str(name) for name in state["groups"]]
        table = array_of(state, "counts", "i8", (len(names), 4))
        events, selected, labelled, wrong = table.T
        if len(set(names)) < len(names) or len(names) > GROUPS_MAX or int(state["beyond"]) < 0:
            raise ValueError("groups that cannot be")
        if not ((selected >= 0) & (selected <= events) & (wrong >= 0) & (wrong <= labelled)).all():
            raise ValueError("counts of groups that cannot be")
        self.counts, self.beyond = dict(zip(names, table.copy(), strict=True)), int(state["beyond"])
