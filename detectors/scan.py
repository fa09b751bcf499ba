"""Ones that come closer together than chance would have them, and than they ever did: a scan statistic (Naus 1965) for
what hardly ever happens, such as a category or a label that nobody has seen before.

The last 4, 5, 6 .. 64 ones of a series are looked at whenever one comes. How many values it took to have so many is
held against all values before those, by Fisher's exact test: the odds follow from `false_alarms`. And they must be
closer than so many ones ever were, so that what comes in bursts while all is well is no news. There are no blocks to
wait for, and no days: a rare thing that becomes less rare is told by its fourth, fifth or sixth.

What is not rare is left to detectors of shares: a one says nothing where ones are common.

>>> import numpy as np
>>> bank = ScanBank(Scan())
>>> bank.resize(1)
>>> values = np.zeros(5_000)
>>> values[4_000::25] = 1.0  # Never, then 4 %.
>>> bank.update(np.zeros(5_000, np.int64), values).place.tolist()[:1]
[4075]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, TIERLESS, Hits, State, array_of, check_values, rows_of
from detectors.counts import fisher
from detectors.params import OF_THE_BUDGET, Params

SIZES = (4, 5, 6, 8, 12, 16, 24, 32, 48, 64)
"""Ones that are looked at together. Fewer are no pattern for a person, whatever the odds."""
MOST = SIZES[-1]
COMMON = 33
"""Ones are common where there is one in so many values, or more."""
LOOKS = 300.0
"""What shares the rate of a series: thirty ones a day, looked at in ten sizes."""
CLOSER = 1.5
"""They must be so many times as close as ever before."""
EPISODES = 3
"""What was told so often, each time until it was over, is one of the things that happen."""
FAR = 1 << 62
"""As close as so many ones were that never came."""
NEVER = -1
NAMES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("n", "ones", "episodes"), ()),
    "places": (MOST,),
    **dict.fromkeys(("closest", "held"), (len(SIZES),)),
}
"""Arrays of a dump: what they have of each row."""


@dataclass(frozen=True)
class Scan(Params):
    """How close ones may come follows from `false_alarms`."""

    rate: float = field(default=0.002, metadata=OF_THE_BUDGET)

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1.0:
            raise ValueError("rate must be between 0 and 1")


class ScanBank:
    """Of rows 0..rows-1 the places of the newest ones, and how close so many ever were."""

    def __init__(self, params: Scan) -> None:
        self.params = params
        self.chances = np.zeros(0)  # by row
        self.n, self.ones = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.places = np.zeros((0, MOST), np.int64)  # of the newest ones, the newest last; NEVER before
        self.closest = np.zeros((0, len(SIZES)), np.int64)  # values that so many ones took at least
        self.held = np.zeros((0, len(SIZES)), np.int64)  # the same of what is told
        self.episodes = np.zeros(0, np.int64)  # so often something was told and is over

    @property
    def rows(self) -> int:
        return len(self.n)

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = max(rows - self.rows, 0)
        if more:
            self.chances = np.concatenate([self.chances, np.full(more, self.params.rate / LOOKS)])
            for name in ("n", "ones", "episodes"):
                setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.int64)]))
            self.places = np.concatenate([self.places, np.full((more, MOST), NEVER)])
            for name in ("closest", "held"):
                setattr(self, name, np.concatenate([getattr(self, name), np.full((more, len(SIZES)), FAR)]))

    def share(self, rates: F64) -> None:
        """So many false alarms a day each row may have from now on; that is no part of a dump."""
        self.chances = rates / LOOKS

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.chances = self.chances[rows]
        for name in NAMES:
            setattr(self, name, getattr(self, name)[rows])

    def forget(self, row: int) -> None:
        """The row begins anew, with values that come from now on."""
        self.n[row] = self.ones[row] = self.episodes[row] = 0
        self.places[row], self.closest[row], self.held[row] = NEVER, FAR, FAR

    def update(self, rows: I64, values: F64) -> Hits:
        """See `Bank.update`. The statistic is the logarithm of the odds against chance; any value above 0 is a one."""
        check_values(rows, values)
        found: list[tuple[int, float, float, int]] = []
        place = np.flatnonzero(values > 0.0)
        n = np.bincount(rows, minlength=self.rows)
        if len(place):
            mine = rows[place]
            there = np.flatnonzero(np.bincount(mine, minlength=self.rows))
            # Where ones were common even if none came before the last value there is nothing to look at one by one.
            rare = self.ones[there] * COMMON <= self.n[there] + n[there]
            self.places[there[~rare]] = NEVER
            for row in there[rare].tolist():
                found += self._row(row, np.flatnonzero(rows == row), values)
            self.ones += np.bincount(mine, minlength=self.rows)
        self.n += n
        columns = list(zip(*sorted(found), strict=True)) or [()] * 4
        statistic, limit = (np.array(column, np.float64) for column in columns[1:3])
        age = np.array(columns[3], np.int64)
        places = np.array(columns[0], np.int64)
        ones = np.ones(len(found), np.int8)
        return Hits(places, ones, statistic, limit, age, np.full(len(found), TIERLESS, np.int8))

    def _row(self, row: int, at: I64, values: F64) -> list[tuple[int, float, float, int]]:
        """What the ones of a row say, one after another."""
        found, likely = [], self.chances.item(row)
        n, ones, places = self.n.item(row), self.ones.item(row), self.places[row].tolist()
        closest, held = self.closest[row].tolist(), self.held[row].tolist()
        for i in np.flatnonzero(values[at] > 0.0).tolist():
            if ones * COMMON > n + i:
                places = [NEVER] * MOST
            else:
                places = [*places[1:], n + i]
                said = self._look(places, closest, held, (ones + 1, likely))
                if said is not None:
                    found.append((at.item(i), said[0], -log(likely), said[1]))
                elif min(held) < FAR:
                    self.episodes[row] += 1
                    if self.episodes[row] >= EPISODES:
                        closest = list(map(min, closest, held))
                    held = [FAR] * len(SIZES)
            ones += 1
        self.places[row], self.closest[row], self.held[row] = places, closest, held
        return found

    def _look(
        self, places: list[int], closest: list[int], held: list[int], known: tuple[int, float]
    ) -> tuple[float, int] | None:
        """The odds against chance, and how many values the ones took, of the fewest that tell; `closest` learns what is
        not told, and `held` the rest. `known`: how many ones there were, and what is less likely than chance.
        """
        said, (ones, likely) = None, known
        for i, size in enumerate(SIZES):
            first = places[-size]
            if first == NEVER:
                break
            took = places[-1] - first + 1
            # The first of them is where one looks, so it is no part of what chance would have to explain.
            far = said is None and took * CLOSER < closest[i]
            chance = fisher(size - 1, took - 1, ones - size, first) if far and first else 1.0
            if chance < likely:
                said = -log(max(chance, 1e-300)), took
            if said is None:
                closest[i] = min(closest[i], took)
            else:
                held[i] = min(held[i], took)
        return said

    def dump(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name).copy() for name in NAMES}

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state."""
        rows = rows_of(state, "n")
        found = {name: array_of(state, name, "i8", (rows, *NAMES[name])) for name in NAMES}
        n, ones, places = found["n"], found["ones"], found["places"]
        known = places != NEVER
        sane = [((ones >= 0) & (ones <= n) & (known.sum(axis=1) <= ones)).all(), (found["episodes"] >= 0).all()]
        sane += [(found[name] >= np.array(SIZES)).all() for name in ("closest", "held")]
        # In their order, none before the first that is known, none beyond what was seen.
        sane += [(np.diff(places, axis=1) >= known[:, 1:]).all(), (places >= NEVER).all(), (places < n[:, None]).all()]
        if rows and not all(map(bool, sane)):
            raise ValueError("ones that cannot have been")
        for name, array in found.items():
            setattr(self, name, array.copy())
        self.chances = np.full(rows, self.params.rate / LOOKS)
