"""Parameters of the detectors as plain values, importable without river.

Defaults are chosen for standardised values (see `reference.py`), so that they mean the same for every feature; the
measured price of each is in the table of the README.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DIRECTIONS = ("up", "down", "both")


@dataclass(frozen=True)
class Adwin:
    """Bifet & Gavalda 2007, as `river.drift.ADWIN`; `delta` bounds a false cut per check, not per week."""

    delta: float = 0.002
    clock: int = 32
    max_buckets: int = 5
    min_window_length: int = 5
    grace_period: int = 10
    direction: str = "both"


@dataclass(frozen=True)
class PageHinkley:
    """Page 1954, as `river.drift.PageHinkley`; `delta` and `threshold` in standard deviations of the reference."""

    min_instances: int = 30
    delta: float = 0.25
    threshold: float = 50.0
    alpha: float = 1 - 0.0001
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
