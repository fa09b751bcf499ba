"""How often the alerts of a monitor are right, by what people say of them, and which share of the budget it deserves.

**Precision** is the mean of a Beta distribution with the prior PRIOR (Jeffreys: half an alert that was right and half
one that was not), with its interval. Verdicts are wrong themselves: where a share w of them is, of alerts that are
right by a share p there are said to be (1 - w) p + w (1 - p); `corrected` undoes that (Rogan & Gladen 1978).

**Strength** of an alert is how many times its threshold its statistic became at the most until it was over. Alerts are
counted by the doublings of that. An e-detector's threshold is in inverse proportion to its share
(`shiryaev_roberts.py`): half the share doubles it, and what never got that far is not told any more. So of a smaller
share both sides are known: what it would have kept quiet, and how often people said that that was right. After a change
`Verdicts` begin anew, since strengths are of another threshold.

**The rule is safe** in that it gives up only what is surely not worth a page: alerts below a doubling are, with 1 -
SURE confidence and after correction, right in less than `worth` (1 of 10) of all cases; they hold by the mean at most
LOSS of all alerts that are right, of this monitor and `elsewhere`; and there are LEAST verdicts on them. It takes the
largest such doubling, up to HALVINGS at once. It never proposes more than a monitor has: what is not told has no
verdicts. `undo` gives the earlier version back, bit for bit.

Measured (2026-11-29, ten seeds, 15 % of the verdicts wrong): eight monitors with three alerts a week that are right and
one in two weeks that is not, and a noisy one with 45 that are not and two that are. After half a year of verdicts pages
are 57 to 59 % fewer in all, 93 % of the noisy one's, and 1.0 to 1.3 % of the alerts that are right are lost. After ten
weeks it is as much in eight of ten seeds; in one it is a first half of the share, in one nothing yet.

>>> verdicts = Verdicts()
>>> for strength, right, times in [(1.2, 0, 40), (1.5, 1, 3), (2.5, 0, 30), (9.0, 1, 12)]:
...     verdicts.add(np.full(times, strength), np.full(times, bool(right)))
>>> [round(number, 3) for number in verdicts.precision()]
[0.18, 0.107, 0.268]
>>> proposal = verdicts.proposal(wrong=0.1)
>>> proposal.factor, proposal.quiet, round(proposal.lost, 2), proposal.verdicts
(0.25, 73, 0.0, 85)
>>> shares = Shares()
>>> shares.set("noisy", 0.4)
>>> shares.apply("noisy", proposal), shares.apply("noisy", proposal), shares.of("noisy")
(1, 2, 0.025)
>>> shares.undo("noisy"), shares.of("noisy")
(3, 0.1)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import F64, I64, Bool, State, array_of
from detectors.counts import TAIL, beta_interval
from detectors.estimated_error import Share

PRIOR = 0.5
"""Alerts of either kind that count as seen before the first."""
DOUBLINGS = 16
"""The last one takes what is stronger, 32,768 times the threshold."""
HALVINGS = 4
"""A share becomes a sixteenth at once at the most."""
LEAST = 20
WORTH = 0.1
LOSS = 0.05
SURE = 0.05
"""The odds that what is given up was worth it."""
WRONG = 0.15
"""The share of verdicts that are wrong, unless more is known of the reviewers."""
VERSIONS_MAX = 64
"""Of each monitor so many changes can be undone; older ones are forgotten."""


class Proposal(NamedTuple):
    """A monitor's share times `factor`: of `verdicts` alerts so many would have been quiet, of which `precision` (its
    upper border) is right at most; `lost` is the share of all alerts that are right, as the mean has it.
    """

    factor: float
    quiet: int
    verdicts: int
    precision: float
    lost: float


def beta(right: int, n: int, tail: float = TAIL) -> Share:
    """Of a share of which so many were seen: mean and interval of its posterior."""
    a, b = right + PRIOR, n - right + PRIOR
    return Share(a / (a + b), *beta_interval(a, b, tail))


def corrected(share: float, wrong: float) -> float:
    """The share that is right where so many are said to be, by verdicts of which `wrong` (below a half) are wrong."""
    assert 0.0 <= wrong < 0.5
    return min(max((share - wrong) / (1.0 - 2.0 * wrong), 0.0), 1.0)


def expected(right: int, n: int, wrong: float) -> float:
    """How many of n alerts are right, if so many are said to be."""
    return n * corrected(right / n, wrong) if n else 0.0


class Verdicts:
    """What people said of the alerts of one monitor (or of one of its segments)."""

    def __init__(self) -> None:
        self.n = np.zeros(DOUBLINGS, np.int64)
        self.right = np.zeros(DOUBLINGS, np.int64)

    def add(self, strength: F64, right: Bool) -> None:
        """One alert each; AssertionError for a strength below 1, which no alert has."""
        assert bool((strength >= 1.0).all())
        doublings = doublings_of(strength)
        self.n += np.bincount(doublings, minlength=DOUBLINGS)
        self.right += np.bincount(doublings[right], minlength=DOUBLINGS)

    def precision(self, wrong: float = 0.0) -> Share:
        """As people say; with `wrong` as it is if they err so often."""
        share = beta(int(self.right.sum()), int(self.n.sum()))
        return share if wrong == 0.0 else Share(*(corrected(number, wrong) for number in share))

    def found(self, wrong: float = WRONG) -> float:
        """How many alerts were right, as the mean has it."""
        return expected(int(self.right.sum()), int(self.n.sum()), wrong)

    def proposal(self, wrong: float = WRONG, elsewhere: float = 0.0, worth: float = WORTH) -> Proposal | None:
        """See above; None where the share is to stay as it is. `elsewhere`: what other monitors `found`."""
        best = None
        for halvings in range(1, HALVINGS + 1):
            n, right = int(self.n[:halvings].sum()), int(self.right[:halvings].sum())
            if n < LEAST:
                continue
            surely = corrected(beta(right, n, SURE).high, wrong)
            given_up = expected(right, n, wrong)
            kept = expected(int(self.right[halvings:].sum()), int(self.n[halvings:].sum()), wrong)
            lost = given_up / max(given_up + kept + elsewhere, 1.0)
            if surely < worth and lost <= LOSS and n > (best.quiet if best else 0):
                best = Proposal(0.5**halvings, n, int(self.n.sum()), surely, lost)
        return best

    def dump(self) -> dict[str, I64]:
        return {"n": self.n.copy(), "right": self.right.copy()}

    def load(self, state: State) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        n, right = (array_of(state, name, "i8", (DOUBLINGS,)) for name in ("n", "right"))
        if not ((right >= 0) & (right <= n)).all():
            raise ValueError("verdicts that cannot be")
        self.n, self.right = n.copy(), right.copy()


def doublings_of(strength: F64) -> I64:
    """How often the threshold doubles up to each strength, exactly: [1, 1.9, 2, 1e9] -> [0, 0, 1, 15]."""
    return np.minimum(np.frexp(strength)[1].astype(np.int64) - 1, DOUBLINGS - 1)


class Shares:
    """Shares of the budget by monitor, with all versions of each that can be undone: a change is a new version, and so
    is its undoing.
    """

    def __init__(self) -> None:
        self.version: dict[str, int] = {}
        self.past: dict[str, list[float]] = {}  # the newest last

    def of(self, monitor: str) -> float:
        """KeyError for one that was never set."""
        return self.past[monitor][-1]

    def set(self, monitor: str, share: float) -> None:
        """Its share as the config has it, from which everything else begins."""
        assert 0.0 < share <= 1.0
        self.version[monitor], self.past[monitor] = 0, [share]

    def apply(self, monitor: str, proposal: Proposal) -> int:
        """The new version's number."""
        assert 0.0 < proposal.factor < 1.0
        past = self.past[monitor]
        self.past[monitor] = [*past, past[-1] * proposal.factor][-VERSIONS_MAX - 1 :]
        self.version[monitor] += 1
        return self.version[monitor]

    def undo(self, monitor: str) -> int:
        """Back to the share before the newest change that was not undone; its version's number. ValueError where there
        is none.
        """
        if len(self.past[monitor]) < 2:
            raise ValueError(f"{monitor} has no change that could be undone")
        self.past[monitor].pop()
        self.version[monitor] += 1
        return self.version[monitor]

    def dump(self) -> dict[str, list[Any]]:
        """Plain values."""
        return {monitor: [self.version[monitor], *past] for monitor, past in self.past.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        version, past = {}, {}
        for monitor, (number, *shares) in state.items():
            if not shares or len(shares) > VERSIONS_MAX + 1 or not all(0.0 < float(share) <= 1.0 for share in shares):
                raise ValueError(f"shares of {monitor} that cannot be")
            version[str(monitor)], past[str(monitor)] = int(number), [float(share) for share in shares]
            if number < len(shares) - 1:
                raise ValueError(f"a version of {monitor} that cannot be")
        self.version, self.past = version, past
