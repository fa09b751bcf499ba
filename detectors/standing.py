"""Where the statistic of each series stands, and what it must pass: of every kind of detector, as alerts say it.

It is told from what a bank dumps, so that a compiled bank and its twin say the same. It is no part of detection.

>>> from detectors.page_hinkley import PageHinkleyBank
>>> bank = PageHinkleyBank(PageHinkley(delta=0.0, threshold=10.0, min_instances=3))
>>> bank.resize(1)
>>> _ = bank.update(np.zeros(4, np.int64), np.array([0.0, 0.0, 0.0, 4.0]))
>>> standings(bank.params, bank.dump(), np.ones(1))
[Standing(statistic=3.0, threshold=10.0, words='', usual=0.0, way=1, besides=inf)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf, isfinite, log
from typing import Any, NamedTuple

import numpy as np

from detectors.adwin import Window, cuts, shrink, windows_in
from detectors.bank import DIRECTION, F64, State
from detectors.counts import fisher
from detectors.envelope import COUNTS, Envelope
from detectors.envelope_state import LEVELS, SIZES
from detectors.params import Adwin, Occurrence, PageHinkley, Params, River
from detectors.scales import share_at
from detectors.scan import COMMON, NEVER, Scan
from detectors.scan import SIZES as TOGETHER
from detectors.shiryaev_roberts import ATOM_BELOW, SEED, ShiryaevRoberts, ShiryaevRobertsBank, added

ANEW = "it begins anew with the next value, since it has just fired"
NO_VALUE = "no value has come to it yet"
SIDES = {"up": (0,), "down": (1,), "both": (0, 1)}


class Standing(NamedTuple):
    """Statistic and threshold in the units of an alert; None where there is no number. `words`: why there is none, or
    what else it waits for. `usual`: the statistic when nothing is wrong. `way`: 1 where it must go on from there to the
    threshold, -1 as far to the other side, 0 to either. `besides`: the same of what else must be, 1 where it is so.
    """

    statistic: float | None
    threshold: float | None
    words: str = ""
    usual: float = 0.0
    way: int = 1
    besides: float = inf

    @property
    def reached(self) -> float | None:
        """How much of the way from what is usual to the threshold lies behind it, or of what else must be: 1 there."""
        if self.statistic is None or self.threshold is None or self.threshold == self.usual:
            return None
        part = (self.statistic - self.usual) / (self.threshold - self.usual)
        part = part * self.way if self.way else abs(part)
        return min(part, self.besides) if isfinite(part) else None


def without(words: str) -> Standing:
    """There is no number."""
    return Standing(None, None, words)


def _adwin(params: Adwin, state: State, times: F64) -> Iterable[Standing]:
    whole = zip(windows_in(state), state["tick"].tolist(), state["detected"].tolist(), times.tolist(), strict=True)
    for window, tick, detected, many in whole:
        yield without(ANEW) if detected else _halves(params, window, tick, many)


def _halves(params: Adwin, window: Window, tick: int, times: float) -> Standing:
    """The two sides of a window that are the most apart, by what they may be; beyond that, what a cut would tell."""
    if window.width <= params.grace_period:
        return without(f"no cut is looked for before it has {params.grace_period + 1} values, {window.width:.0f} came")
    wanted = DIRECTION[params.direction]
    sides = [(-moved, bound) for moved, bound in cuts(window, params, times) if bound > 0.0]
    sides = [side for side in sides if np.sign(side[0]) in wanted]
    if not sides:
        return without("no two sides of its window differ in the direction that is asked for")
    moved, bound = max(sides, key=lambda side: abs(side[0]) / side[1])
    if abs(moved) > bound:  # It looks only now and then. Nobody else has this window: it may be cut.
        moved, bound = shrink(window, params, times) or (moved, bound)
    left = params.clock - tick % params.clock
    next_look = f"it looks once in {params.clock} values, the next time in {left}" if params.clock > 1 else ""
    return Standing(abs(moved), bound, next_look)


def _page_hinkley(params: PageHinkley, state: State, times: F64) -> Iterable[Standing]:
    up, down = state["sum_increase"] - state["min_increase"], state["max_decrease"] - state["sum_decrease"]
    sides = np.stack([up, down], axis=1)[:, SIDES[params.direction]].max(axis=1, initial=-np.inf)
    for n, most, many in zip(state["n"].tolist(), sides.tolist(), times.tolist(), strict=True):
        least = params.min_instances
        few = f"no change is told before {least} values, {n:.0f} came" if n < least else ""
        yield Standing(most, params.threshold * many, few) if n else without(NO_VALUE)


def _shiryaev_roberts(params: ShiryaevRoberts, state: State, times: F64) -> Iterable[Standing]:
    bank = ShiryaevRobertsBank(params)
    bank.load(state)
    for row, many in enumerate(times.tolist()):
        kind, own = state["kind"].item(row), bank.bets.plain
        if kind >= ATOM_BELOW:
            own = bank.bets.atom[kind - ATOM_BELOW]
        evidence = added((state["sums"][row, : len(own)] * own)[None]).item()
        if evidence:
            most = params.arl * many
            orders = f"evidence multiplies, and its logarithm is {log(max(evidence, 1.0)) / log(most):.0%} of the way"
            yield Standing(evidence, most, orders)
        else:
            yield without(NO_VALUE if state["chain"].item(row) == SEED else ANEW)


def _scan(params: Scan, state: State, chances: F64) -> Iterable[Standing]:
    for row, likely in enumerate(chances.tolist()):
        n, ones, places = state["n"].item(row), state["ones"].item(row), state["places"][row].tolist()
        if ones * COMMON > n:
            yield without(f"{ones:,} of {n:,} values are ones: it looks at rare ones only")
        elif places[-TOGETHER[0]] == NEVER:
            yield without(f"{ones:,} of {n:,} values are ones: it looks from the {TOGETHER[0]}th on")
        else:
            known = [size for size in TOGETHER if places[-size] > 0]
            odds = [fisher(s - 1, places[-1] - places[-s], ones - s, places[-s]) for s in known]
            closer = "as of the newest one; they must be closer than so many ever were, too"
            yield Standing(-log(max(min(odds, default=1.0), 1e-300)), -log(likely), closer)


def _envelope(params: Envelope, state: State, _: F64) -> Iterable[Standing]:
    """The average of the day that is nearest to its limit, of those within."""
    shares, sides = state["limit"].shape[1] == LEVELS, SIDES[params.direction]
    for today, limit, mean in zip(state["today"], state["limit"], state["mean"], strict=True):
        centre = (mean[:, 0] - mean[:, 1]) / 2.0
        found = list[tuple[float, Standing]]()
        for channel, side in np.argwhere(np.isfinite(today) & np.isfinite(limit)).tolist():
            spread, sign = not shares and channel % 2 == 1, 1.0 if side == 0 else -1.0
            if side not in sides or (spread and len(sides) < 2):
                continue
            size, what = SIZES[channel if shares else channel // 2], "distances" if spread else "averages"
            far, most = today.item(channel, side), limit.item(channel, side)
            if not shares:  # Of what values the block was is known no more; of equal ones is the nearest limit.
                most = max(most, mean.item(channel, side) + COUNTS * abs(far) / size)
                if far > most:  # It was told, or it was of a few odd values, and so no news.
                    continue
            value, most, usual = sign * far, sign * most, centre.item(channel)
            if shares:
                value, most, usual = map(share_at, (value, most, usual))
            at_least = "" if shares else ", whose limit is at least so far"
            one = Standing(value, most, f"the day's nearest, of {what} of {size:,} values{at_least}", usual)
            found.append((one.reached if one.reached is not None else -np.inf, one))
        if found:
            yield max(found, key=lambda each: each[0])[1]
        else:
            taught = bool(np.isfinite(limit).any())
            none = "no average of this day is within its limit, or none is full yet"
            yield without(none if taught else "it has no limit: days have not shown any yet")


def _river(params: River, state: State, _: F64) -> Iterable[Standing]:
    said = f"river's {params.name} says only that it fires: an alert has 1 of 1"
    return [without(said)] * len(state["size"])


def _occurrence(params: Occurrence, state: State, _: F64) -> Iterable[Standing]:
    counts = zip(state["hits"].tolist(), state["n"].tolist(), strict=True)
    return [without(f"the first one fires: {hits:,} in {n:,} values") for hits, n in counts]


STANDINGS: dict[type[Params], Callable[[Any, State, F64], Iterable[Standing]]] = {
    Adwin: _adwin,
    PageHinkley: _page_hinkley,
    ShiryaevRoberts: _shiryaev_roberts,
    Scan: _scan,
    Envelope: _envelope,
    River: _river,
    Occurrence: _occurrence,
}
"""By the class of a detector's parameters."""


def standings(params: Params, state: State, by_row: F64) -> list[Standing]:
    """Of each row of a dump. `by_row`: how many times its own threshold each must pass; of a scan, how unlikely chance
    must be. A detector that is not in the table has no number.
    """
    known = STANDINGS.get(type(params))
    if known is None:
        return [without("its detector states no number")] * len(by_row)
    return list(known(params, state, by_row))
