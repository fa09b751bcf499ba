"""Groups side by side: how often each is selected and how often the model is wrong about it, against all the others.

A rate has the exact interval of Clopper & Pearson. A ratio of two rates has the interval of its logarithm, with half a
case more of each kind (Katz et al. 1978, Walter 1975), so that a group without any has one as well. The ratio of
selection is what the rule of four fifths looks at (EEOC 1978): an interval below 0.8 says more than a ratio below it.

Each interval is of 95 % by itself: of twenty healthy groups one is outside. Coverage of a ratio's, 1,000 tables each of
96 cases (2026-11-29; 60 to 2,000 events of a group, rates of 3 to 60 %): .951 in the mean; .898 in the worst, of 60
events at 3 %.

>>> [round(number, 3) for number in rate(120, 400)]
[0.3, 0.255, 0.348]
>>> [round(number, 2) for number in ratio(120, 400, 120, 600)]
[1.5, 1.2, 1.86]
"""

from __future__ import annotations

from math import exp, log, sqrt

from detectors.counts import DEVIATE, clopper_pearson
from detectors.estimated_error import Share


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
