"""How far reviewers agree, beyond chance: overlap, Cohen's kappa of each pair, Krippendorff's alpha.

- `overlap`: the share of items with two verdicts or more; without any nothing is known of the verdicts' worth.
- `kappa`: agreement of two reviewers less that of chance by their own habits (Cohen 1960), with the large-sample
  interval of Fleiss, Cohen & Everitt (1969).
- `alpha`: of any number of reviewers, of whom some may not have looked (Krippendorff 2011, nominal), with an interval
  by leaving out each of GROUPS groups of items (the jackknife, Quenouille 1956; Student's t). The group is the item's
  id, so a replay has the same one. Coverage of it, 1,000 tables each of three reviewers (2026-11-29): .954 [.939, .966]
  with 60 items, .946 [.930, .959] with 300.

All is counted in whole numbers, so neither order nor cutting matters, and an item can be taken back when another
verdict on it comes. An item with different verdicts is `conflicting`: none of them is truth.

>>> table = Agreement(categories=5)
>>> for item, (ben, gerry) in enumerate(zip("aabbdcccedda", "babbbccceddd")):
...     table.add(item, [("ben", "abcde".index(ben)), ("gerry", "abcde".index(gerry))])
>>> round(table.alpha().value, 3), round(table.kappa("ben", "gerry").value, 3)  # Krippendorff 2011, example B: 0.692
(0.692, 0.684)
>>> table.items, table.conflicting, table.reviewer("ben").share
(12, 3, 0.75)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import F64, array_of
from detectors.counts import DEVIATE, TAIL, beta_interval, clopper_pearson
from detectors.estimated_error import Share

REVIEWERS_MAX = 16
"""Verdicts of more than these are counted and otherwise left out."""
CATEGORIES_MAX = 32
UNIT = 360_360
"""Every number up to 15 divides it: pairs of an item with m verdicts count 1 / (m - 1) each, here in whole units."""
GROUPS = 20

Verdict = tuple[str, int]
"""A reviewer, and the category that they chose."""


class Figure(NamedTuple):
    """A coefficient, its interval of 95 %, and of how many items."""

    value: float
    low: float
    high: float
    n: int


class Agreement:
    """Verdicts on items, in `categories` categories, each item's given at once."""

    def __init__(self, categories: int = 2) -> None:
        assert 2 <= categories <= CATEGORIES_MAX
        self.categories = categories
        self.items = self.overlapping = self.conflicting = 0
        self.beyond = 0  # verdicts of reviewers for whom there was no room
        self.reviewers: dict[str, int] = {}
        self.tables = np.zeros((0, 0, categories, categories), np.int64)  # of each pair, whoever came first is first
        self.coincidences = np.zeros((GROUPS, categories, categories), np.int64)  # in UNITs

    def add(self, item: int, verdicts: Sequence[Verdict]) -> None:
        """All verdicts on an item, one of each reviewer at most; the item is any whole number of its own."""
        self._count(item, self._known(verdicts), 1)

    def replace(self, item: int, before: Sequence[Verdict], after: Sequence[Verdict]) -> None:
        """Another verdict came, or one was changed: `before` is what was added."""
        self._count(item, [(self.reviewers[who], what) for who, what in before if who in self.reviewers], -1)
        self._count(item, self._known(after), 1)

    def _known(self, verdicts: Sequence[Verdict]) -> list[tuple[int, int]]:
        assert len({who for who, _ in verdicts}) == len(verdicts), "a reviewer has one verdict"
        found = []
        for who, what in verdicts:
            assert 0 <= what < self.categories
            if who not in self.reviewers and len(self.reviewers) < REVIEWERS_MAX:
                self.reviewers[who] = len(self.reviewers)
                self.tables = np.pad(self.tables, [(0, 1), (0, 1), (0, 0), (0, 0)])
            if who in self.reviewers:
                found.append((self.reviewers[who], what))
            else:
                self.beyond += 1
        return found

    def _count(self, item: int, verdicts: list[tuple[int, int]], sign: int) -> None:
        verdicts = sorted(verdicts)
        several = len(verdicts) > 1
        self.items += sign * bool(verdicts)
        self.overlapping += sign * several
        self.conflicting += sign * (len({what for _, what in verdicts}) > 1)
        group, worth = item % GROUPS, sign * UNIT // (len(verdicts) - 1) if several else 0
        for place, (who, what) in enumerate(verdicts):
            for other, there in verdicts[place + 1 :]:
                self.tables[who, other, what, there] += sign
                self.coincidences[group, what, there] += worth
                self.coincidences[group, there, what] += worth

    def overlap(self) -> Share:
        """The share of items with two verdicts or more, with its exact interval."""
        return Share(self.overlapping / max(self.items, 1), *clopper_pearson(self.overlapping, self.items))

    def table(self, one: str, other: str) -> F64:
        """Items of both, by the category of the one (rows) and of the other."""
        a, b = self.reviewers[one], self.reviewers[other]
        counts = self.tables[a, b] if a < b else self.tables[b, a].T
        return np.asarray(counts, np.float64)

    def kappa(self, one: str, other: str) -> Figure | None:
        """None where there is no item of both, or where they have but one category."""
        return kappa_of(self.table(one, other))

    def alpha(self) -> Figure | None:
        """None where all verdicts are of one category, or no item has two."""
        total = self.coincidences.sum(axis=0)
        value = alpha_of(total)
        if value is None:
            return None
        there = np.flatnonzero(self.coincidences.any(axis=(1, 2)))
        without = [alpha_of(total - self.coincidences[group]) for group in there.tolist()]
        left = np.array([1.0 if one is None else one for one in without])  # One category is left: nobody disagrees.
        count = len(left)
        if count < 2:
            return Figure(value, -1.0, 1.0, self.overlapping)
        deviation = sqrt((count - 1) / count * float(((left - left.mean()) ** 2).sum()))
        reach = student(count - 1) * deviation
        return Figure(value, max(value - reach, -1.0), min(value + reach, 1.0), self.overlapping)

    def reviewer(self, who: str) -> Share:
        """How often this one agreed with others on the same item. The interval takes pairs for independent, which those
        of one item are not.
        """
        mine = self.reviewers[who]
        pairs = np.concatenate([self.tables[mine], self.tables[:, mine]])
        agreed, n = int(np.trace(pairs, axis1=1, axis2=2).sum()), int(pairs.sum())
        return Share(agreed / max(n, 1), *clopper_pearson(agreed, n))

    def dump(self) -> dict[str, Any]:
        """Plain values and arrays."""
        counts = [self.items, self.overlapping, self.conflicting, self.beyond]
        tables, coincidences = self.tables.reshape(-1, *self.tables.shape[2:]).copy(), self.coincidences.copy()
        return {"reviewers": [*self.reviewers], "counts": counts, "tables": tables, "coincidences": coincidences}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        names = [str(name) for name in state["reviewers"]]
        counts = [int(count) for count in state["counts"]]
        k, r = self.categories, len(names)
        tables = array_of(state, "tables", "i8", (r * r, k, k)).reshape(r, r, k, k)
        coincidences = array_of(state, "coincidences", "i8", (GROUPS, k, k))
        if len(set(names)) < r or r > REVIEWERS_MAX or len(counts) != 4 or min(counts) < 0:
            raise ValueError("reviewers that cannot be")
        lower = np.tril_indices(r)
        if not counts[0] >= counts[1] >= counts[2] or (tables < 0).any() or tables[lower].any():
            raise ValueError("verdicts that cannot be")
        if (coincidences < 0).any() or (coincidences != coincidences.transpose(0, 2, 1)).any():
            raise ValueError("coincidences that cannot be")
        self.items, self.overlapping, self.conflicting, self.beyond = counts
        self.reviewers = {name: number for number, name in enumerate(names)}
        self.tables, self.coincidences = tables.copy(), coincidences.copy()


def kappa_of(table: F64) -> Figure | None:
    """Cohen's kappa of a square table of counts; None where chance alone would agree always."""
    n = int(table.sum())
    if not n:
        return None
    shares = table / n
    rows, columns, agreed = shares.sum(axis=1), shares.sum(axis=0), np.diag(shares)
    observed, expected = float(agreed.sum()), float(rows @ columns)
    if expected >= 1.0 - 1e-12:
        return None
    value = (observed - expected) / (1.0 - expected)
    # Fleiss, Cohen & Everitt 1969, equation 13.
    same = float((agreed * (1.0 - (rows + columns) * (1.0 - value)) ** 2).sum())
    cross = shares * (columns[:, None] + rows[None, :]) ** 2
    other = (1.0 - value) ** 2 * float(cross.sum() - np.diag(cross).sum())
    variance = same + other - (value - expected * (1.0 - value)) ** 2
    reach = DEVIATE * sqrt(max(variance, 0.0) / n) / (1.0 - expected)
    return Figure(value, max(value - reach, -1.0), min(value + reach, 1.0), n)


def alpha_of(coincidences: Any) -> float | None:
    """Krippendorff's nominal alpha of a symmetric matrix of coincidences in UNITs; None where there is no disagreement
    to expect.
    """
    by_category = [int(number) for number in coincidences.sum(axis=1)]
    total = sum(by_category)
    disagreed = total - int(np.trace(coincidences))
    expected = total * total - sum(number * number for number in by_category)
    if not expected:
        return None
    return 1.0 - disagreed * (total - UNIT) / expected


def student(degrees: int, tail: float = TAIL) -> float:
    """The deviate above which this tail of Student's t is.

    >>> round(student(19), 3)
    2.093
    """
    share = beta_interval(0.5, degrees / 2.0, 2.0 * tail)[1]
    return sqrt(degrees * share / (1.0 - share))
