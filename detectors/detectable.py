"""Minimum detectable drift: the smallest lasting shift that a detector finds within so many values with POWER chance.

Of the envelope (`envelope.py`) it follows from what a row has learned, by scale; the best scale counts. A block of k
values is found when its average leaves its limit. Its averages deviate by chance, as those of independent values do,
and by something slower that one horizon does not average out: a daily cycle, autocorrelation. The slower part is taken
as a sinusoid of its deviation, caught at whatever time of it (its quantiles are Chebyshev's nodes), and as standing
still meanwhile, so what is stated is on the safe side where values are autocorrelated. Blocks are not aligned with the
shift: only those count that lie behind it for certain. Within a whole day the daily extreme itself moves with the
shift, and its own mean and deviation are known (`extremes.py`).

Of shares the chance that a block has too many ones is binomial, and so exact (`counts.py`). Where a limit is so near to
0 or 1 that only some series can show a shift, those are the lucky ones by today's limit, and tomorrow's may be farther:
there the limit counts with its own error, and where that might put it beyond the end nothing is stated. Of 1,800 series
with 288 values a day and a share of 0.05, 0.1, 0.2 and 0.5 so many of 100 state a fall: 0, 5, 22 and 88; of those 84 to
87 % are found.

Of ADWIN it is the cut of Bifet and Gavalda (2007, section 3.1, as river computes it) for so many values before and
behind; of Page-Hinkley (Page 1954) the time threshold / (shift - delta) with the running mean that follows the shift.
In both noise is allowed for. Of other detectors nothing is stated.

>>> round(adwin_shift(delta=2e-5, before=5_000, after=500), 2)
0.34
>>> round(page_hinkley_shift(threshold=40.0, delta=0.3, before=5_000, after=500), 2)
0.44
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, exp, expm1, inf, isfinite, log, log1p, pi, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from detectors.bank import F64, State
from detectors.counts import log_beta
from detectors.envelope import ALIKE, OFTEN
from detectors.envelope_state import LEVELS, SIZES
from detectors.scales import drawn_in, level_of, moments, share_at, slope_of

POWER = 0.8
NORMAL = NormalDist()
SURE = NORMAL.inv_cdf(POWER)
NODES = 16
CYCLE = tuple(sqrt(2.0) * cos(pi * (2 * node + 1) / (2 * NODES)) for node in range(NODES))
"""Of a sinusoid with a deviation of 1, at equally many times."""
NOISE = np.array([NORMAL.inv_cdf((2 * node + 1) / 64) for node in range(32)])
LEAST_BLOCKS = 8.0
"""Averages of a scale before their deviation is known."""
DAYS_LEAST = 3
NEAR = 4.0
"""Standard errors from the end of the scale within which a limit is near to it."""
FARTHEST = 1e6
"""Deviations beyond which nothing is stated."""
STEPS, MOMENTS = 48, 200
BUCKET = 0.85
"""ADWIN cuts where a bucket ends, and a bucket is up to a sixth of what is newer."""


class Row(NamedTuple):
    """What an envelope knows of one series, by scale; the extremes are those of averages, upwards and downwards."""

    seen: F64
    earlier: F64
    limit: F64
    mean: F64
    variance: F64
    days: F64  # how many each of the extremes is of

    @property
    def share(self) -> float:
        """The usual level of its values."""
        return moments(self.seen, 0.0)[1]


def row_of(state: State, row: int) -> Row:
    """One series of a bank's dump."""
    each = len(state["limit"][row]) // LEVELS  # A dump of shares has no channels of spreads.
    sides = (np.asarray(state[name][row], np.float64)[::each] for name in ("limit", "mean", "variance", "count"))
    return Row(*(np.asarray(state[name][row], np.float64) for name in ("seen", "earlier")), *sides)


def shift_of_mean(row: Row, values: float, direction: int, a_day: float = inf) -> float | None:
    """Deviations of the reference, in a direction of 1 or -1; None where it is not known, or nothing would be found.
    `values`: those that follow in the horizon; `a_day`: those of a day.
    """
    side = 0 if direction > 0 else 1
    _, level, own = moments(row.seen, 0.0)
    found = [_moved(row, place, values, side, own) for place in range(len(SIZES))]
    found += [_moved_day(row, place, values, side, a_day) for place in range(len(SIZES))]
    least = min((one for one in found if one is not None), default=None)
    return None if least is None else _undrawn(max(least, 0.0), level if direction > 0 else -level, own)


def _moved(row: Row, place: int, values: float, side: int, own: float) -> float | None:
    """By how much averages of a scale must move until one of those behind the shift is beyond the limit."""
    size, limit = SIZES[place], row.limit.item(place, side)
    blocks, (count, mean, between) = certain(values, size), moments(row.earlier[place], 0.0)
    if blocks < 1 or not isfinite(limit) or count < LEAST_BLOCKS:
        return None
    noise = min(own / sqrt(size), between)
    slow = sqrt(max(between * between - noise * noise, 0.0)) if _varies(count, between, size, own * own) else 0.0
    noise = between if slow == 0.0 else noise
    gap = limit - (mean if side == 0 else -mean)
    if noise == 0.0:
        return gap + slow * sqrt(2.0)

    def chance(moved: float) -> float:
        each = [NORMAL.cdf((moved + slow * node - gap) / noise) for node in (CYCLE if slow else (0.0,))]
        return sum(_any(one, blocks) for one in each) / len(each)

    return _least(chance, gap - 10.0 * (noise + slow), gap + 10.0 * (noise + slow))


def _moved_day(row: Row, place: int, values: float, side: int, a_day: float) -> float | None:
    """The same of the extreme of a whole day, of which the horizon has one of every time of day."""
    limit, days = row.limit.item(place, side), row.days.item(place, side)
    if values < a_day or a_day < 4 * SIZES[place] or not isfinite(limit) or days < DAYS_LEAST:
        return None
    deviation = sqrt(row.variance.item(place, side) * days / (days - 1.0))
    return limit - row.mean.item(place, side) + SURE * deviation


def _undrawn(moved: float, level: float, own: float) -> float | None:
    """The shift of the values of which averages move so far: what is far out is drawn in before."""
    usual = level + own * NOISE
    before = float(drawn_in(usual).mean())

    def far_enough(shift: float) -> float:
        return 1.0 if float(drawn_in(usual + shift).mean()) - before >= moved else 0.0

    return _least(far_enough, 0.0, FARTHEST, STEPS + 16)


def shift_of_share(row: Row, values: float, direction: int) -> float | None:
    """The same of zeros and ones, in parts of 1: by how much the share must rise, or fall."""
    side = 0 if direction > 0 else 1
    usual = row.share if direction > 0 else 1.0 - row.share
    found = [_share(row, place, values, side, usual) for place in range(len(SIZES))]
    return min((max(one - usual, 0.0) for one in found if one is not None), default=None)


def _share(row: Row, place: int, values: float, side: int, usual: float) -> float | None:
    """The share of ones, or of zeros, at which a block of this scale has too many."""
    size, limit, blocks = SIZES[place], row.limit.item(place, side), certain(values, SIZES[place])
    if blocks < 1 or not isfinite(limit):
        return None
    error = (limit - row.mean.item(place, side)) / sqrt(2.0 * max(row.days.item(place, side) - 1.0, 1.0))
    limit += error if limit + NEAR * error >= 1.0 else 0.0
    if limit + error >= 1.0:
        return None
    many = max(int(share_at(limit) * size) - 2, 0)
    while many <= size and level_of(many / size) <= limit:
        many += 1
    count, _, between = moments(row.earlier[place], 0.0)
    own = usual * (1.0 - usual) * slope_of(usual)
    slow = sqrt(between * between - own / size) if _varies(count, between, size, own) else 0.0
    if many > size:
        return None

    def chance(share: float) -> float:
        level = level_of(share)
        shares = [share_at(level + slow * node) for node in CYCLE] if slow else [share]
        return sum(_any(at_least(many, size, one), blocks) for one in shares) / len(shares)

    return _least(chance, usual, 1.0)


def at_least(many: int, n: int, share: float) -> float:
    """How likely so many ones or more are among n values."""
    if many <= 0 or share >= 1.0:
        return 1.0
    if many > n or share <= 0.0:
        return 0.0
    a, b, logit = float(many), n - many + 1.0, log(share) - log1p(-share)
    if logit <= log(a / b):
        return min(exp(log_beta(logit, a, b)[0]), 1.0)
    return max(1.0 - exp(log_beta(-logit, b, a)[0]), 0.0)


def shift_of_count(usual: float, many: int, size: int, windows: int) -> float | None:
    """By how much a share must rise until one of so many windows of `size` values has `many` ones."""
    if windows < 1 or many > size:
        return None
    found = _least(lambda share: _any(at_least(many, size, share), windows), usual, 1.0)
    return None if found is None else found - usual


def adwin_shift(delta: float, before: float, after: float, clock: int = 32, least: int = 5) -> float | None:
    """Deviations that ADWIN finds `after` values behind the shift, with `before` in its window when it came."""
    newer = BUCKET * (after - clock)
    if newer <= least or before <= least:
        return None
    total = before + newer
    harmonic = 1.0 / (before - least + 1.0) + 1.0 / (newer - least + 1.0)
    odds, noise = log(2.0 * log(total) / delta), SURE * sqrt(1.0 / before + 1.0 / newer)

    def found(shift: float) -> float:
        variance = 1.0 + shift * shift * before * newer / (total * total)
        cut = sqrt(2.0 * harmonic * variance * odds) + 2.0 / 3.0 * odds * harmonic
        return 1.0 if shift - noise > cut else 0.0

    return _least(found, 0.0, FARTHEST)


def page_hinkley_shift(threshold: float, delta: float, before: float, after: float) -> float | None:
    """Deviations that Page-Hinkley finds within `after` values of the shift. Its mean, of all values, follows it: what
    it has not found when it was nearest to its threshold it finds no more.
    """
    if after < 1.0 or before < 1.0:
        return None
    values = np.geomspace(1.0, after, MOMENTS)
    shifts = (threshold + delta * values + SURE * np.sqrt(values)) / (before * np.log1p(values / before))
    return float(shifts.min())


def certain(values: float, size: int) -> int:
    """Blocks of this size that lie behind a shift, wherever in a block it came."""
    return max(int((values - size + 1.0) // size), 0)


def _varies(count: float, between: float, size: int, own: float) -> bool:
    """Whether averages differ by more than chance, see `EnvelopeBank.tiers`."""
    return count >= OFTEN and between * between * size > ALIKE * own


def _any(chance: float, times: int) -> float:
    """The chance of at least one of so many."""
    return 1.0 if chance >= 1.0 else -expm1(times * log1p(-chance))


def _least(chance: Callable[[float], float], low: float, high: float, steps: int = STEPS) -> float | None:
    """The least number at which an ascending chance is POWER."""
    if chance(high) < POWER:
        return None
    for _ in range(steps):
        middle = (low + high) / 2.0
        low, high = (low, middle) if chance(middle) >= POWER else (middle, high)
    return high
