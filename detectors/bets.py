"""Bets on a conformal p-value: functions of it with a mean of at most 1, so that nobody wins without a change.

A p-value is looked at in CELLS cells, over which every column of the tables adds up to at most CELLS, exactly: the
numbers are multiples of 2^-20, rounded down. So a bet is fair whatever the last digit of `exp` is on a machine.

>>> scores, *_ = bets_of("both")
>>> scores.shape, bool((scores.sum(axis=0) <= CELLS).all())
((1024, 14), True)
>>> bool(scores[-1, 11] > 100) and bool(scores[0, 11] < 1e-3)  # The boldest bet on a rise.
True
"""

from __future__ import annotations

from functools import cache
from math import exp, floor
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from detectors.bank import F64, I64
from detectors.params import Direction

CELLS = 1024
GRAIN = 1 << 20
SHIFTS = {0.2: 2, 0.35: 4, 0.6: 5, 1.0: 7, 1.6: 8, 2.5: 8}
"""The normal score of a p-value is bet to have moved by so many deviations, up or down; and what each weighs .."""
SPREADS = (0.5, 2.0)
""".. or to have its spread multiplied so. Their odds are densities over the standard normal's."""
SPREAD_SHARE = 0.06
FACTORS = {2.0: 2, 4.0: 5, 9.0: 7, 20.0: 4, 0.4: 1}
"""What is not the atom is bet to come so many times as often; the bet that it comes seldom weighs less."""
REST_SHIFTS = (0.5, 1.0)
"""The same as SHIFTS among what is not the atom."""
SCORES = 2 * len(SHIFTS) + len(SPREADS)
STEPS = slice(SCORES, SCORES + len(FACTORS))
RESTS = slice(STEPS.stop, STEPS.stop + 2 * len(REST_SHIFTS))
ALL = RESTS.stop
ATOM_SHARES = {"score": 0.06, "step": 0.88, "rest": 0.06}
"""How the capital of a series with an atom is spread over the kinds of bets."""


class Bets(NamedTuple):
    """Tables of odds by cell, and how the capital is spread: of a series without an atom, and of one with an atom that
    has most of the other values above it (side 0) or below it (side 1). `leaning`: which way each bet says.
    """

    scores: F64  # (CELLS, SCORES)
    rests: F64  # (CELLS, 2 * REST_SHIFTS)
    plain: F64  # (SCORES,)
    atom: F64  # (2, ALL)
    leaning: I64  # (2, ALL)


def _column(odds: list[float]) -> list[float]:
    """Odds by cell, fair and a little less."""
    mean = sum(odds) / CELLS
    return [floor(one / mean * GRAIN) / GRAIN for one in odds]


def _normal_scores() -> list[float]:
    normal = NormalDist()
    return [normal.inv_cdf((cell + 0.5) / CELLS) for cell in range(CELLS)]


def _shifted(scores: list[float], by: float) -> list[float]:
    return _column([exp(by * z - by * by / 2.0) for z in scores])


def _spread(scores: list[float], times: float) -> list[float]:
    return _column([exp(z * z / 2.0 * (1.0 - 1.0 / (times * times))) / times for z in scores])


def _table(columns: list[list[float]]) -> F64:
    return np.ascontiguousarray(np.array(columns).T)


@cache
def bets_of(direction: Direction) -> Bets:
    """The bets on a change in this direction; of a changed spread nobody can say one."""
    z = _normal_scores()
    shifts = [-by for by in SHIFTS] + list(SHIFTS)
    rests = [-by for by in REST_SHIFTS] + list(REST_SHIFTS)
    scores = [_shifted(z, by) for by in shifts] + [_spread(z, times) for times in SPREADS]
    ways = {"up": (1,), "down": (-1,), "both": (1, 0, -1)}[direction]
    score_leaning = [1 if by > 0 else -1 for by in shifts] + [0] * len(SPREADS)
    rest_leaning = [1 if by > 0 else -1 for by in rests]
    above = [1 if factor > 1 else -1 for factor in FACTORS]
    leaning = np.array(
        [score_leaning + above + rest_leaning, score_leaning + [-way for way in above] + rest_leaning], np.int64
    )
    sizes = np.array([*SHIFTS.values()] * 2)
    share = np.r_[(1.0 - SPREAD_SHARE) * sizes / sizes.sum(), np.full(len(SPREADS), SPREAD_SHARE / len(SPREADS))]
    plain = np.where(np.isin(leaning[0, :SCORES], ways), share, 0.0)
    plain /= plain.sum()
    weights = {"score": plain, "step": np.array(list(FACTORS.values())), "rest": np.ones(len(rests))}
    atom = np.zeros((2, ALL))
    for side in (0, 1):
        for name, part in (("score", slice(0, SCORES)), ("step", STEPS), ("rest", RESTS)):
            own = np.isin(leaning[side, part], ways) * weights[name]
            atom[side, part] = ATOM_SHARES[name] * own / own.sum()
    return Bets(_table(scores), _table([_shifted(z, by) for by in rests]), plain, atom, leaning)
