"""Page-Hinkley test (Page, "Continuous inspection schemes", 1954), two-sided, bit-equal to river.

Bank of `river.drift.PageHinkley` 0.26.1: the mean uses river's operation order, the sums forget with `alpha`, and a
row starts over at the value after an alarm.

>>> import numpy as np
>>> bank = PageHinkleyBank(PageHinkley(delta=0.005, threshold=50))
>>> bank.resize(1)
>>> values = np.r_[np.zeros(1000), np.ones(1000)]
>>> bank.update(np.zeros(2000, np.int64), values).place.tolist()
[1051]
"""

from __future__ import annotations

from math import inf
from operator import length_hint
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, Hits, State, arrays_of, by_row, check_values, hits_of, rows_of
from detectors.params import PageHinkley

FIELDS = ("n", "mean", "sum_increase", "sum_decrease", "min_increase", "max_decrease", "detected")
FRESH = (0.0, 0.0, 0.0, 0.0, float("inf"), -1.0, 0.0)  # river's, its maximum of -1 included


class PageHinkleyBank:
    """One row per series: seven numbers, see FIELDS.

    A row is one tuple while the bank runs and becomes columns in a snapshot only. A hit's statistic is the excess of
    the alarming side, its threshold the parameter.
    """

    def __init__(self, params: PageHinkley) -> None:
        self.params = params
        self.rows = 0
        self.state: list[tuple[float, ...]] = []
        self.times: list[float] = []  # by row how many times the parameter its threshold is; no state

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        self.state += [FRESH] * (rows - self.rows)
        self.times += [1.0] * (rows - self.rows)
        self.rows = len(self.state)

    def raise_thresholds(self, times: F64) -> None:
        """That of each row is so many times the parameter from now on."""
        self.times = times.tolist()

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.times = [self.times[row] for row in rows.tolist()]
        self.state = [self.state[row] for row in rows.tolist()]
        self.rows = len(self.state)

    def forget(self, row: int) -> None:
        """The row begins anew, with values that come from now on."""
        self.state[row] = FRESH

    def update(self, rows: I64, values: F64) -> Hits:
        """Row rows[i] takes values[i], in order; AssertionError for a value that is not finite."""
        check_values(rows, values)
        params, state = self.params, self.state
        alpha, delta, least = params.alpha, params.delta, params.min_instances
        found: list[tuple[int, int, float, float]] = []
        order, sorted_values, spans = by_row(rows, values)
        for row, begin, end in spans:
            n, mean, increase, decrease, lowest, highest, detected = FRESH if state[row][-1] else state[row]
            threshold = params.threshold * self.times[row]
            most_up, most_down = (inf if params.direction == other else threshold for other in ("down", "up"))
            left = iter(sorted_values[begin:end])
            for x in left:
                n += 1.0
                mean += (1.0 / n) * (x - mean)
                away = x - mean
                increase = alpha * increase + away - delta
                decrease = alpha * decrease + away + delta
                if increase < lowest:
                    lowest = increase
                if decrease > highest:
                    highest = decrease
                if (increase - lowest > most_up or highest - decrease > most_down) and n >= least:
                    up, more = increase - lowest, length_hint(left)
                    place = order.item(end - 1 - more)
                    found.append(
                        (place, 1, up, threshold) if up > most_up else (place, -1, highest - decrease, threshold)
                    )
                    if more:
                        n, mean, increase, decrease, lowest, highest, _ = FRESH
                    else:
                        detected = 1.0
            state[row] = (n, mean, increase, decrease, lowest, highest, detected)
        return hits_of(sorted(found))

    def dump(self) -> dict[str, NDArray[Any]]:
        """One array of `rows` numbers per field."""
        table = np.array(self.state, np.float64).reshape(self.rows, len(FIELDS))
        return {name: np.ascontiguousarray(table[:, i]) for i, name in enumerate(FIELDS)}

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state."""
        columns = checked_state(state)
        self.state = list(zip(*(columns[name].tolist() for name in FIELDS), strict=True))
        self.rows = len(self.state)
        self.times = [1.0] * self.rows


def checked_state(state: State) -> dict[str, NDArray[Any]]:
    """The arrays of a dump. Sums may be infinite or NaN (huge raw values overflow), counts may not: ValueError."""
    columns = arrays_of(state, rows_of(state, "n"), dict.fromkeys(FIELDS, "f8"))
    n, detected = columns["n"], columns["detected"]
    if not (np.isfinite(n) & (n >= 0.0) & (n == np.floor(n))).all():
        raise ValueError("an invalid number of values")
    if not np.isin(detected, (0.0, 1.0)).all():
        raise ValueError("a detection that is neither yes nor no")
    return columns
