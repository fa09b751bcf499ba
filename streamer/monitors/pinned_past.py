"""What a series of a file of references would have shown, had it been watched: a past for detectors of changes.

Such a detector has nothing to say of a fault that is there from its first value on. So where a file pins a
reference it is first given values of that: as many as the reference had, up to PAST, of its quantiles, and in an order
in which each part of them is like the whole. They are a past without any change, whatever order the real ones had; what
a detector would say of them is not told.
"""

from __future__ import annotations

import numpy as np

from detectors.bank import F64
from detectors.reference import standardised
from detectors.shiryaev_roberts import SEED, mixed
from streamer.config.reference_file import Series

PAST = 2048
"""Values of a past: so many that later ones are compared with little chance, so few that a start takes no time."""
SLOW_PAST = 256
"""The same for detectors of river, some of which need a millisecond for a value."""
QUANTILES = 128


def quantiles_of(values: F64) -> list[float]:
    """Those of a reference that a file keeps."""
    steps = (np.arange(QUANTILES) + 0.5) / QUANTILES
    found: list[float] = np.quantile(values, steps, method="inverted_cdf").tolist()
    return found


def past_of(one: Series) -> F64:
    """Values of a reference in the signal's own units; none where the file is older than its quantiles."""
    count = min(one.n, PAST)
    if one.quantiles:
        known = np.array(one.quantiles, np.float64)
        return known[(spread_out(count) * len(known)).astype(np.int64)]
    if 0.0 <= one.mean <= 1.0 and is_share(one):
        return np.diff(np.floor(np.arange(count + 1) * one.mean + 0.5))
    return np.zeros(0)


def is_share(one: Series) -> bool:
    """Whether its values were ones and zeros, whose deviation follows from their mean."""
    return abs(one.std * one.std - one.mean * (1.0 - one.mean)) < 1e-9


def spread_out(count: int) -> F64:
    """Numbers from 0 to 1 of which each run is spread evenly: van der Corput's (1935), in the base of 2."""
    numbers, found, part = np.arange(count), np.zeros(count), 0.5
    while numbers.any():
        found += part * (numbers & 1)
        numbers, part = numbers >> 1, part / 2.0
    return found


def shuffled(values: F64) -> F64:
    """The same values in an order of chance, which is always the same."""
    found: F64 = values[np.argsort(mixed(np.arange(len(values), dtype=np.uint64) * np.uint64(SEED)), kind="stable")]
    return found


def deviations_of(values: F64, one: Series) -> F64:
    """Distances from the centre in units of the reference's scale."""
    return standardised(values - one.centre, one.scale)
