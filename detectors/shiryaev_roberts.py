"""Shiryaev-Roberts e-detector on conformal ranks: a change of any kind, with a proved bound on false alarms.

Each value has a conformal p-value (Vovk et al. 2021): its rank among the values so far, ties broken at random. Bets are
made on it (`bets.py`): that normal scores moved or spread, that an atom comes more or less often. Each bet b has a sum
R = (R + 1) b (Shiryaev 1963, Roberts 1966); their weighted mean M is the evidence, an e-detector (Shin, Ramdas &
Rinaldo 2024). At M >= `arl` there is an alarm, and the row begins anew: its reference is made of later values only.

**Proof.** While values are independent and of one law, any law, the p-values are independent and uniform on [0, 1].
A bet is a function of its p-value, chosen before, with mean at most 1. So E[R | past] <= R + 1 before, M - t is a
supermartingale that begins at 0, and by optional stopping `arl` x E[alarms in T values] <= T, for every T, from the
first value on: there is no blind warm-up, only little power at first. Alarms that are left out, and sums that are set
to 0, only help. By linearity it adds up over series, however they depend on each other.

**Bounded state.** The first EDGES values are the edges of bins from then on. Without ties among them the bins are gaps
between order statistics, in which the next value is by the gaps' counts exactly; with ties they are counted from 0, so
that nothing is counted that chose them. In either case the p-value, spread evenly over its bin, stays uniform.

**Limits.**

- A series with an *atom* (one value is a third of the sample: 0/1, many zeros) has bets on how often another comes,
  whose odds know the counts, which is more than the p-values tell. Such a bet is fair in the mean over what the counts
  say of the share, not for each share: there the bound is measured (`benchmarks/edetector.py`), not proved.
- The dice must be fair: they are SplitMix64 of all earlier ranks of the row, a function of the log alone. Series whose
  ranks are all equal so far have the same dice. A constant has nothing but dice, so its alarms are left out.
- Autocorrelated and seasonal values are not exchangeable: nothing is proved of them, and they alarm more often.
- The reference grows with every value, those after a change too: what comes slower than it grows is learned as normal.
- The values themselves mean nothing, their order everything: any strictly increasing transform gives the same alarms.

>>> bank = ShiryaevRobertsBank(ShiryaevRoberts(arl=1e4))
>>> bank.resize(1)
>>> values = np.sin(np.arange(1100.0) ** 2) + np.repeat([0.0, 1.0], [1000, 100])
>>> found = bank.update(np.zeros(1100, np.int64), values)
>>> found.place.tolist(), found.direction.tolist(), found.age.tolist()
([1003], [1], [3])
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import (
    F64,
    I64,
    Hits,
    State,
    array_of,
    arrays_of,
    check_values,
    hits_of,
    ranks,
    rows_of,
)
from detectors.bets import ALL, CELLS, FACTORS, SCORES, Bets, bets_of
from detectors.params import DIRECTIONS, WHICH_WAY, Direction, Params, param

U64 = NDArray[np.uint64]
Found = tuple[int, int, float, float, int]

EDGES = 127
"""Values of a first sample, which become the edges of the bins."""
MOST = (1 << 31) - 2
"""A reference of so many values learns no more."""
ATOM = 1 / 3
"""From this share of the sample on one value is an atom, on which there are bets of its own."""
YOUNG, SMOOTH, LATTICE, ATOM_BELOW, ATOM_ABOVE = range(5)
"""What a row is: collecting its sample; with a sample without ties, or with some; with an atom that most of the other
values are above, or below.
"""
SCALARS = {"n": "i8", "chain": "u8", "kind": "i1", "atom": "i1"}
TABLES = {"edges": ("f8", EDGES), "below": ("i4", EDGES), "sums": ("f8", ALL), "peaks": ("f8", ALL)}
TABLES["ages"] = ("i4", ALL)
EVIDENCE = ("sums", "peaks", "ages")
SEED = 0x9E3779B97F4A7C15
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
FACTOR = np.array(list(FACTORS))
NO_ATOM = np.zeros(ALL - SCORES)


class Bins(NamedTuple):
    """Where values fall among a reference of n: `lower` values are in lower bins, `own` in this one, itself included.
    `atom` are in the bin `atom_place`, and `under` below that.
    """

    place: I64
    lower: I64
    own: I64
    n: I64
    atom_place: I64
    atom: I64
    under: I64


@dataclass(frozen=True)
class ShiryaevRoberts(Params):
    """Ranks of the values against chance: nothing of scale or shape is assumed, and `arl` is a proved bound.

    See `shiryaev_roberts.py` for proof and limits. For N series with r values a week each, `arl` of N r is at most
    one false alarm a week over all of them.
    """

    arl: float = param(
        1e6, "Average run length: at most one false alarm in so many values, on average.", ge=100, le=1e15
    )
    direction: Direction = field(default="both", metadata=WHICH_WAY)

    def __post_init__(self) -> None:
        if not 100.0 <= self.arl <= 1e15:
            raise ValueError("arl must be 100 to 1e15")
        if self.direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}")


class ShiryaevRobertsBank:
    """Rows as in `fresh`. A hit's statistic is the evidence M, an e-value; its threshold `arl`; its age that of the
    largest term of all sums, which is the most likely onset. Its direction is that of the bets that won the most.
    """

    def __init__(self, params: ShiryaevRoberts) -> None:
        self.params = params
        self.bets: Bets = bets_of(params.direction)
        self.rows, self.times = 0, np.ones(0)  # by row how many times `arl` its threshold is; no state
        self._set(fresh(0))

    def _set(self, state: dict[str, NDArray[Any]]) -> None:
        self.state = state
        self.rows = len(state["n"])

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        if rows > self.rows:
            more = fresh(rows - self.rows)
            self.times = np.concatenate([self.times, np.ones(rows - self.rows)])
            self._set({name: np.concatenate([old, more[name]]) for name, old in self.state.items()})

    def raise_thresholds(self, times: F64) -> None:
        """That of each row is so many times `arl` from now on: as much less often there is a false alarm at most."""
        self.times = times.copy()

    def limit(self, row: int) -> float:
        return self.params.arl * self.times.item(row)

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.times = self.times[rows]
        self._set({name: array[rows] for name, array in self.state.items()})

    def forget(self, row: int) -> None:
        """The row begins anew, with values that come from now on."""
        for name, array in fresh(1).items():
            self.state[name][row] = array[0]

    def update(self, rows: I64, values: F64) -> Hits:
        """Row rows[i] takes values[i], in order; AssertionError for a value that is not finite."""
        check_values(rows, values)
        values = values + 0.0
        rank = ranks(rows)
        order = np.argsort(rank, kind="stable")
        ends = np.cumsum(np.bincount(rank)).tolist() if len(rows) else []
        found: list[Found] = []
        begin = 0
        for end in ends:
            places = order[begin:end]
            found += self._step(places, rows[places], values[places])
            begin = end
        return hits_with_age(sorted(found))

    def _step(self, places: I64, rows: I64, values: F64) -> list[Found]:
        """Values of rows that are all different, and their places in the column."""
        kind, chain = self.state["kind"], self.state["chain"]
        dice = (chain[rows] >> np.uint64(11)).astype(np.float64) * 2.0**-53
        kinds = kind[rows]
        where = np.zeros(len(rows), np.int64)
        found = []
        if len(young := np.flatnonzero(kinds == YOUNG)):
            p, where[young] = self._sampled(rows[young], values[young], dice[young])
            found += self._bet(places[young], rows[young], self.bets.scores[cells_of(p)], self.bets.plain)
        if len(grown := np.flatnonzero(kinds != YOUNG)):
            bins = self._counted(rows[grown], values[grown])
            where[grown] = bins.place
            odds = self.bets.scores[cells_of(p_of(bins.lower, bins.own, bins.n, dice[grown]))]
            atom = kinds[grown] >= ATOM_BELOW
            if not atom.all():
                plain = np.flatnonzero(~atom)
                found += self._bet(places[grown[plain]], rows[grown[plain]], odds[plain], self.bets.plain)
            if atom.any():
                chosen = np.flatnonzero(atom)
                own = grown[chosen]
                more = self._atom_odds(rows[own], Bins(*(array[chosen] for array in bins)), dice[own])
                weights = self.bets.atom[kinds[own] - ATOM_BELOW]
                found += self._bet(places[own], rows[own], np.hstack([odds[chosen], *more]), weights)
        chain[rows] = mixed(chain[rows] + (where + 1).astype(np.uint64) * np.uint64(SEED))
        for row in filter(self.full, rows[young].tolist()):
            self.settle(row)
        return found

    def _sampled(self, rows: I64, values: F64, dice: F64) -> tuple[F64, I64]:
        """p-values among the samples so far, which the values then join, and how many of those are below."""
        state = self.state
        sample, n, x = state["edges"][rows], state["n"][rows], values[:, None]
        lower, equal = (sample < x).sum(axis=1), (sample == x).sum(axis=1)
        state["edges"][rows, n] = values
        state["n"][rows] = n + 1
        return p_of(lower, equal + 1, n, dice), lower

    def _counted(self, rows: I64, values: F64) -> Bins:
        """The bins of the values, as they were before these are counted in them."""
        state, each = self.state, np.arange(len(rows))
        below, n = state["below"][rows], state["n"][rows]
        lower_than = values[:, None] < state["edges"][rows]
        place = EDGES - lower_than.sum(axis=1)
        # Between values of the sample itself the bins are gaps: the next value falls into one, and none is left over.
        over = (state["kind"][rows] != SMOOTH).astype(np.int64)
        lower = np.where(place > 0, below[each, place - 1].astype(np.int64), 0)
        upper = np.where(place < EDGES, below[each, np.minimum(place, EDGES - 1)].astype(np.int64), n + 1 - over)
        at = state["atom"][rows].astype(np.int64)
        under = np.where(at < 0, 0, below[each, at].astype(np.int64))
        atom = np.where(at < 0, 0, below[each, at + 1].astype(np.int64) - under)
        learns = n < MOST
        state["below"][rows] = below + (lower_than & learns[:, None])
        state["n"][rows] = n + learns
        return Bins(place, lower, upper - lower + over, n, at + 1, atom, under)

    def _atom_odds(self, rows: I64, bins: Bins, dice: F64) -> tuple[F64, F64]:
        """Odds of the bets on how often another value than the atom comes, and on the ranks among those."""
        other, k, n = bins.place != bins.atom_place, bins.atom, bins.n
        lower = bins.lower - np.where(bins.place > bins.atom_place, k, 0)
        rests = self.bets.rests[cells_of(p_of(np.where(other, lower, 0), bins.own, n - k, dice))]
        rests = np.where(other[:, None], rests, 1.0)
        if self.params.direction != "both":  # Then only those on one side of the atom are others.
            above = self.state["kind"][rows] == ATOM_BELOW
            other = np.where(above, bins.place > bins.atom_place, bins.place < bins.atom_place)
            k = np.where(above, bins.under + k, n - bins.under)
        counts = other | (dice * (k + 1) > k)
        share = ((n - k + 1) / (n + 1))[:, None]
        bet = np.minimum(FACTOR * share, (1.0 + share) / 2.0)
        left = np.where(k > 0, 1.0 - share[:, 0], 1.0)[:, None]
        steps = np.where(counts[:, None], bet / share, (1.0 - bet) / left)
        return np.where((k > 0)[:, None], steps, 1.0), rests

    def _bet(self, places: I64, rows: I64, odds: F64, weights: F64) -> list[Found]:
        """R = (R + 1) odds of every bet. The sum of all, by what they weigh, is the evidence; at `arl` it alarms. The
        largest term of each sum is its peak (CUSUM, Page 1954), and that one's age says when it began.
        Bets that weigh nothing, those on the other direction, are not made: nothing would end their growth.
        """
        state, wide, odds = self.state, slice(0, odds.shape[1]), odds * (weights > 0)
        peaks, ages = state["peaks"][rows, wide], state["ages"][rows, wide]
        ages = np.where(peaks > 1.0, ages + 1, 1)
        peaks = np.maximum(peaks, 1.0) * odds
        sums = (state["sums"][rows, wide] + 1.0) * odds
        state["sums"][rows, wide], state["peaks"][rows, wide], state["ages"][rows, wide] = sums, peaks, ages
        evidence = added(sums * weights)
        beyond = np.flatnonzero(evidence >= self.params.arl * self.times[rows]).tolist()
        return [hit for i in beyond for hit in self.alarm(int(places[i]), int(rows[i]), float(evidence[i]))]

    def alarm(self, place: int, row: int, evidence: float) -> list[Found]:
        """An alarm, behind which the row begins anew; none where the reference is one value, so that the evidence is
        of the dice alone.
        """
        state = self.state
        if self._constant(row):
            for name in EVIDENCE:
                state[name][row] = 0
            return []
        weights, leaning = self._weights(row)
        won = (weights * state["sums"][row]).tolist()
        by_way = {way: sum(one for one, leans in zip(won, leaning, strict=True) if leans == way) for way in (1, -1, 0)}
        age = int(state["ages"][row, np.argmax(weights * state["peaks"][row])])
        for name, array in fresh(1).items():
            if name != "chain":
                state[name][row] = array[0]
        return [(place, max(by_way, key=by_way.__getitem__), evidence, self.limit(row), age)]

    def _constant(self, row: int) -> bool:
        """Whether all values of the reference are one and the same."""
        kind, n, edges = self.state["kind"][row], self.state["n"][row], self.state["edges"][row]
        if kind == YOUNG:
            return bool((edges[:n] == edges[0]).all())
        at, below = self.state["atom"][row], self.state["below"][row]
        return bool(kind >= ATOM_BELOW and below[at + 1] - below[at] == n)

    def _weights(self, row: int) -> tuple[F64, list[int]]:
        """What the bets of a row weigh, and which way each leans; 0 where it is the spread."""
        bets, kind = self.bets, self.state["kind"][row]
        if kind < ATOM_BELOW:
            return np.r_[bets.plain, NO_ATOM], bets.leaning[0].tolist()
        at, below = self.state["atom"][row], self.state["below"][row].astype(np.int64)
        mostly_below = below[at] > self.state["n"][row] - below[at + 1]
        side = int(mostly_below) if self.params.direction == "both" else int(kind - ATOM_BELOW)
        return bets.atom[side], bets.leaning[side].tolist()

    def full(self, row: int) -> bool:
        """Whether the sample of a row has become full."""
        return bool(self.state["kind"][row] == YOUNG and self.state["n"][row] == EDGES)

    def settle(self, row: int) -> None:
        """The sample of a row is full: its edges are those of the bins from now on."""
        state = self.state
        sample = state["edges"][row].copy()
        distinct, counts = np.unique(sample, return_counts=True)
        if len(distinct) == EDGES:
            state["kind"][row], state["edges"][row], state["below"][row] = SMOOTH, distinct, np.arange(1, EDGES + 1)
            return
        edges = np.unique(np.r_[distinct, np.nextafter(distinct[counts > 1], np.inf)])
        state["edges"][row] = np.r_[edges, np.full(EDGES - len(edges), np.inf)]
        state["n"][row] = 0
        value = distinct[np.argmax(counts)]
        if counts.max() < ATOM * EDGES:
            state["kind"][row] = LATTICE
            return
        under, over = (sample < value).sum(), (sample > value).sum()
        others_below = under > over or (under == over and self.params.direction == "down")
        state["kind"][row] = ATOM_ABOVE if others_below else ATOM_BELOW
        state["atom"][row] = np.searchsorted(edges, value)
        capital = added((state["sums"][row, :SCORES] * self.bets.plain)[None])[0]
        state["sums"][row], state["peaks"][row], state["ages"][row] = capital, 0.0, 0

    def dump(self) -> dict[str, NDArray[Any]]:
        """Arrays per row."""
        return {name: array.copy() for name, array in self.state.items()}

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state, and then nothing is changed."""
        self._set({name: array.copy() for name, array in checked_state(state).items()})
        self.times = np.ones(self.rows)


def hits_with_age(found: list[Found]) -> Hits:
    return hits_of([hit[:4] for hit in found])._replace(age=np.array([hit[4] for hit in found], np.int64))


def fresh(rows: int) -> dict[str, NDArray[Any]]:
    """The state of rows that have seen nothing."""
    return {
        "n": np.zeros(rows, np.int64),
        "chain": np.full(rows, SEED, np.uint64),
        "kind": np.full(rows, YOUNG, np.int8),
        "atom": np.full(rows, -1, np.int8),
        "edges": np.full((rows, EDGES), np.inf),
        "below": np.zeros((rows, EDGES), np.int32),
        "sums": np.zeros((rows, ALL)),
        "peaks": np.zeros((rows, ALL)),
        "ages": np.zeros((rows, ALL), np.int32),
    }


def p_of(lower: I64, own: I64, n: I64, dice: F64) -> F64:
    """Where among n + 1 values one is that is above `lower` of them and equal to `own`, itself included."""
    p: F64 = (lower + dice * own) / (n + 1)
    return p


def cells_of(p: F64) -> I64:
    return np.minimum((p * CELLS).astype(np.int64), CELLS - 1)


def added(table: F64) -> F64:
    """Sums of rows, one number after another: numpy's own sum has an order that depends on the shape."""
    sums: F64 = np.add.accumulate(table, axis=1)[:, -1]
    return sums


def mixed(numbers: U64) -> U64:
    """SplitMix64 (Steele, Lea & Flood 2014)."""
    for by, times in MIX:
        numbers = (numbers ^ (numbers >> np.uint64(by))) * np.uint64(times)
    return numbers ^ (numbers >> np.uint64(31))


def checked_state(state: State) -> dict[str, NDArray[Any]]:
    """The arrays of a dump; ValueError for what cannot be."""
    rows = rows_of(state, "n")
    found = arrays_of(state, rows, SCALARS)
    found |= {name: array_of(state, name, dtype, (rows, wide)) for name, (dtype, wide) in TABLES.items()}
    n, kind, atom, edges, below = (found[name] for name in ("n", "kind", "atom", "edges", "below"))
    young = kind == YOUNG
    if not ((n >= 0) & (n <= np.where(young, EDGES - 1, MOST)) & (kind >= YOUNG) & (kind <= ATOM_ABOVE)).all():
        raise ValueError("an invalid number of values, or an invalid kind of row")
    if not np.where(kind >= ATOM_BELOW, (atom >= 0) & (atom < EDGES - 1), atom == -1).all():
        raise ValueError("an atom that there is not")
    if not (np.isfinite(edges) == (np.arange(EDGES) < n[:, None]))[young].all():
        raise ValueError("a sample that is not as long as it should be")
    grown, counts = edges[~young], below[~young].astype(np.int64)
    if np.isnan(grown).any() or (grown[:, 1:] < grown[:, :-1]).any() or (np.diff(counts, axis=1) < 0).any():
        raise ValueError("bins that are not in order")
    if (counts > n[~young, None] + 1).any() or below[young].any():
        raise ValueError("counts that do not add up")
    if not all((np.isfinite(found[name]) & (found[name] >= 0)).all() for name in EVIDENCE):
        raise ValueError("evidence that is no number")
    return found
