"""Parameters of the detectors as plain values, importable without river.

Defaults are chosen for standardised values (see `reference.py`), so that they mean the same for every feature.
Measured over ten healthy streams of 60,000 values per family, warm-up 500, and twenty shifted ones after 5,000:

    false alarms per 10,000    N(0,1)  lognormal  t3     Bern .01  Bern .3   median delay at 0.5 / 1 / 2 deviations
    adwin delta 0.0002         0       0          0      0         0         152 / 56 / 24
    adwin delta 0.002          0       0.017      0      0.017     0         136 / 56 / 24
    page_hinkley (defaults)    0       0          0      0         0         232 / 72 / 29
    page_hinkley threshold 35  0       0.217      0.033  0         0         152 / 49 / 20
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DIRECTIONS = ("up", "down", "both")


@dataclass(frozen=True)
class Adwin:
    """Bifet & Gavalda 2007, as `river.drift.ADWIN`; `delta` bounds a false cut per check, not per week."""

    delta: float = 0.0002
    clock: int = 32
    max_buckets: int = 5
    min_window_length: int = 5
    grace_period: int = 10
    direction: str = "both"


@dataclass(frozen=True)
class PageHinkley:
    """Page 1954, as `river.drift.PageHinkley`; `delta` and `threshold` in standard deviations of the reference.

    `alpha` below 1 makes the sum forget, which bounds it: river's 0.9999 lets healthy noise swing it by 70
    deviations and so fires for ever. Here nothing is forgotten unless asked for.
    """

    min_instances: int = 30
    delta: float = 0.25
    threshold: float = 50.0
    alpha: float = 1.0
    direction: str = "both"


@dataclass(frozen=True)
class River:
    """Any other drift detector of river, by name."""

    name: str
    params: tuple[tuple[str, Any], ...] = ()
    direction: str = "both"


Params = Adwin | PageHinkley | River

RIVER_DETECTORS: dict[str, dict[str, tuple[type, ...]]] = {
    # Name -> parameter -> types. Kept equal to the installed river by a test, so that `lint` need not import it.
    "ADWIN": {"delta": (float,), "clock": (int,), "max_buckets": (int,), "min_window_length": (int,),
              "grace_period": (int,)},
    "PageHinkley": {"min_instances": (int,), "delta": (float,), "threshold": (float,), "alpha": (float,),
                    "mode": (str,)},
    "KSWIN": {"alpha": (float,), "window_size": (int,), "stat_size": (int,), "seed": (int,)},
    "DDM": {"warm_start": (int,), "warning_threshold": (float,), "drift_threshold": (float,)},
    "EDDM": {"warm_start": (int,), "alpha": (float,), "beta": (float,)},
    "FHDDM": {"sliding_window_size": (int,), "confidence_level": (float,), "short_window_size": (int,)},
    "HDDMA": {"drift_confidence": (float,), "warning_confidence": (float,), "two_sided_test": (bool,)},
    "HDDMW": {"drift_confidence": (float,), "warning_confidence": (float,), "lambda_val": (float,),
              "two_sided_test": (bool,)},
}
