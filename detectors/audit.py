"""An audit of the least confident: what people find wrong among them, tested against the model's own estimated error.

**Selection.** Of each window the lowest share of confidence is looked at, all of it, and beside it a random sample of
the rest (`lowest.py`). A window's size is known only at its end, so as many candidates are kept as could be chosen.

**The whole population.** The lowest are a stratum of their own, of which all are looked at; the sample stands for the
rest, each for as many as were not chosen (Horvitz & Thompson 1952, in strata). So the error of all events is estimated
without bias, although mostly the worst are looked at. Who is not answered stands for nobody, and those answered in its
stratum for more.

**The test.** The null: of each item the chance of being wrong is at most its estimated error, whatever came before.
Each verdict is bet on: that the odds of being wrong are FACTORS times those estimated. Such a bet does not win on
average under the null, so the mean of the capitals is a test martingale (betting, Waudby-Smith & Ramdas 2024), and the
chance that it ever reaches 1 / alpha is at most alpha (Ville 1939): look after every verdict, stop when you like. One
test has its alpha once, for all of its life, over all versions of a calibration: each item is held against that of its
time, from before it was looked at, and a bet that is fair whatever came before stays so. Over eight versions with 50
items each no healthy test of 1,000 fired, [0, 0.4] %, in any of five cases (two with other inputs than were labelled);
of those with 1.5 times the errors 86 % did in the first, none where the least confident had hardly any labels.

**Which estimate.** One that does not hang on chance is what the alpha is about: the model's own word (1 - confidence),
or what a calibration says that the error is `at_most`. A calibrated error itself is as uncertain as the pairs behind it
are few, and the least confident have the fewest: with it 11 to 37 % of the healthy tests fired (300 each, 400 items
from the lowest 1 %, calibrations of 1,000 to 20,000 pairs), with `at_most` 0.7 % and less, and of those with 1.5 times
the errors that there were (a model that had been right about itself) still 89 to 100 %. Where the least confident were
always wrong before, or one time in ten, the upper border leaves no room, and hardly any fired.

**Intervals that a model states** are tested alike: what lies outside is wrong, and the estimate is 1 less their level.

`found_by` says beforehand how likely the test has fired by the n-th verdict: exactly, since the capital hangs only on
how many were wrong. `needed` is the number of verdicts for a power.

>>> [needed(0.05, truth) for truth in (0.07, 0.09, 0.15)]
[1505, 410, 86]
>>> round(float(found_by(0.05, 0.05, verdicts=5000)[-1]), 3)  # False alarms, of the 5 % granted.
0.04
>>> test = AuditTest()
>>> test.add(np.full(30, 0.05), np.arange(30) % 3 == 0)
>>> test.verdicts, test.wrong, test.told_at, round(test.evidence, 1)
(30, 10, 13, 1154.9)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, Bool, State, array_of
from detectors.estimated_error import Share, standardised
from detectors.lowest import Lowest, Offered, chances

ALPHA = 0.05
POWER = 0.8
FACTORS = np.array([1.3, 1.7, 3.0])
"""How many times the estimated odds are bet on, a third of the capital each."""
SURE = 1e-4
"""No estimate is taken for smaller, or nearer to 1: one verdict must not decide."""
VERDICTS_MAX = 200_000
"""Beyond, nobody will have looked at so many."""
CONTROL_SALT = 0xA0D17


class Selection(NamedTuple):
    """What is to be looked at of a window of `n` events: the lowest by confidence, and of the others a random sample;
    `number` is the confidence of those, of these the chance that they were drawn by. `wanted` is what the shares ask
    for; where the capacity is less, less is chosen.
    """

    n: int
    lowest: Offered
    control: Offered
    wanted: tuple[int, int]

    @property
    def rest(self) -> int:
        return self.n - len(self.lowest.number)


class WindowAudit:
    """One window, in one pass; `most`: how many of either kind are chosen at most."""

    def __init__(self, share: float = 0.01, control: float = 0.002, most: int = 200) -> None:
        assert 0.0 < share <= 1.0
        assert 0.0 <= control <= 1.0
        self.share, self.control, self.most = share, control, most
        self.lowest = Lowest(most)
        self.drawn = Lowest(2 * most)  # However many of them are among the lowest, enough are left.

    def offer(self, events: Offered) -> None:
        """Events by their confidence, in the order of the log."""
        self.lowest.offer(events)
        self.drawn.offer(events._replace(number=chances(events.id, CONTROL_SALT)))

    def selection(self) -> Selection:
        n = self.lowest.seen
        wanted = ceil(self.share * n), ceil(self.control * n)
        lowest = self.lowest.items().take(np.arange(min(self.most, wanted[0], n)))
        drawn = self.drawn.items()
        taken = set(zip(lowest.offset.tolist(), lowest.row.tolist(), strict=True))
        places = zip(drawn.offset.tolist(), drawn.row.tolist(), strict=True)
        others = np.array([place not in taken for place in places], np.bool_)
        control = drawn.take(np.flatnonzero(others)[: min(self.most, wanted[1])])
        return Selection(n, lowest, control, wanted)

    def dump(self) -> dict[str, dict[str, NDArray[Any]]]:
        return {"lowest": self.lowest.dump(), "drawn": self.drawn.dump()}

    def load(self, state: State) -> None:
        """Replace all; ValueError for an invalid state."""
        lowest, drawn = Lowest(self.most), Lowest(2 * self.most)
        lowest.load(state["lowest"])
        drawn.load(state["drawn"])
        if lowest.seen != drawn.seen:
            raise ValueError("an audit of two windows")
        self.lowest, self.drawn = lowest, drawn


class Stratum(NamedTuple):
    """Events of a stratum, those of them that were answered, and those that were wrong."""

    events: int
    answered: int
    wrong: int


def population_error(strata: Sequence[Stratum]) -> Share | None:
    """The error of all events, unbiased, with an interval of 95 %; None where of a stratum nobody is answered.

    >>> [round(number, 4) for number in population_error([Stratum(100, 100, 40), Stratum(9_900, 198, 2)])]
    [0.014, 0.0054, 0.0395]
    """
    total, answered = sum(one.events for one in strata), sum(one.answered for one in strata)
    if not total or any(one.events and not one.answered for one in strata):
        return None
    known, unseen = sum(one.wrong for one in strata), total - answered
    if not unseen:
        return Share(known / total, known / total, known / total)
    error = mean = variance = 0.0  # of those at whom nobody looked
    for one in strata:
        left = one.events - one.answered
        if left:
            part, rate = left / unseen, (one.wrong + 0.5) / (one.answered + 1.0)
            error += part * one.wrong / one.answered
            mean += part * rate
            variance += part * part * rate * (1.0 - rate) * (1.0 / one.answered + 1.0 / left)
    borders = standardised(error, mean * (1.0 - mean) / variance)
    return Share(*((known + unseen * share) / total for share in (error, *borders)))


def bets(estimated: F64, wrong: Bool) -> F64:
    """What each verdict (rows) multiplies the capital of each of FACTORS (columns) by."""
    sure = np.clip(estimated, SURE, 1.0 - SURE)[:, None]
    stake = 1.0 - sure + FACTORS * sure
    return np.where(wrong[:, None], FACTORS, 1.0) / stake


class AuditTest:
    """Verdicts so far, and what the bets on them have won."""

    def __init__(self, alpha: float = ALPHA) -> None:
        assert 0.0 < alpha < 1.0
        self.alpha = alpha
        self.verdicts = self.wrong = 0
        self.expected = 0.0  # wrong ones, by the estimates
        self.told_at = 0  # the verdict with which it fired; 0 for not yet
        self.capital = np.full(len(FACTORS), 1.0 / len(FACTORS))

    @property
    def evidence(self) -> float:
        """The e-value: what 1 has become."""
        return float(np.add.accumulate(self.capital)[-1])

    def add(self, estimated: F64, wrong: Bool) -> None:
        """Verdicts in their order, with the estimated error of each item from before it was looked at."""
        assert len(estimated) == len(wrong)
        if not len(wrong):
            return
        rows = np.multiply.accumulate(np.vstack([self.capital, bets(estimated, wrong)]), axis=0)
        evidence = np.add.accumulate(rows[1:], axis=1)[:, -1]
        beyond = np.flatnonzero(evidence >= 1.0 / self.alpha)
        if len(beyond) and not self.told_at:
            self.told_at = self.verdicts + int(beyond[0]) + 1
        self.capital = rows[-1]
        self.verdicts += len(wrong)
        self.wrong += int(wrong.sum())
        self.expected = float(np.add.accumulate(np.r_[self.expected, estimated])[-1])

    def dump(self) -> dict[str, NDArray[Any]]:
        counts = np.array([self.verdicts, self.wrong, self.told_at])
        return {"counts": counts, "expected": np.array([self.expected]), "capital": self.capital.copy()}

    def load(self, state: State) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        verdicts, wrong, told_at = array_of(state, "counts", "i8", (3,)).tolist()
        expected = float(array_of(state, "expected", "f8", (1,))[0])
        capital = array_of(state, "capital", "f8", FACTORS.shape)
        if not (0 <= wrong <= verdicts and 0 <= told_at <= verdicts and 0.0 <= expected <= verdicts):
            raise ValueError("verdicts that cannot be")
        if not (np.isfinite(capital) & (capital >= 0.0)).all():
            raise ValueError("capital that is no number")
        self.verdicts, self.wrong, self.told_at, self.expected = verdicts, wrong, told_at, expected
        self.capital = capital.copy()


def found_by(estimated: float, truth: float, alpha: float = ALPHA, verdicts: int = 1000) -> F64:
    """The chance that the test has fired by the first, second .. last verdict, where every item is estimated to be
    wrong at one rate and is at another. The same as for the truth at the estimate: the size, which is at most alpha.
    """
    return np.array([chance for chance, _ in zip(_fired(estimated, truth, alpha), range(verdicts), strict=False)])


def needed(estimated: float, truth: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Verdicts by which the test has fired with this chance; None where that takes more than VERDICTS_MAX, as it does
    where the truth is not above the estimate.
    """
    if truth <= estimated:
        return None
    for number, chance in zip(range(1, VERDICTS_MAX + 1), _fired(estimated, truth, alpha), strict=False):
        if chance >= power:
            return number
    return None


def _fired(estimated: float, truth: float, alpha: float) -> Any:
    """After each verdict the chance that the test has fired, for ever: the probabilities of how many were wrong so far
    and it has not, from those one verdict before.
    """
    of_wrong = np.log(bets(np.full(1, estimated), np.ones(1, np.bool_))[0])
    of_right = np.log(bets(np.full(1, estimated), np.zeros(1, np.bool_))[0])
    quiet, fired, limit, verdict = np.ones(1), 0.0, 0, 0
    while True:
        verdict += 1
        after = np.append(quiet * (1.0 - truth), 0.0)
        after[1:] += quiet * truth
        # With so many wrong ones, and not fewer, the capital is enough.
        while np.logaddexp.reduce(limit * of_wrong + (verdict - limit) * of_right) < log(len(FACTORS) / alpha):
            limit += 1
        fired += float(after[limit:].sum())
        quiet = after[:limit]
        yield fired
