"""Parameters of the detectors as plain values, importable without river or numpy.

Defaults are chosen for standardised values (see `reference.py`), so that they mean the same for every feature.
Healthy: 2,000,000 values of each family, 20 series after a warm-up of 500 whose error is therefore part of it.
Shifted: 200 series of N(0,1), shifted after 5,000 values; delay is the median. |z| cut at 3 unless said otherwise.

                               false alarms per 10,000 values                    values until found
                               N(0,1)  lognormal  t3      Bern .01  Bern .3      0.5 / 1 / 2 deviations
    adwin delta 0.002          0.005   0.005      0.005   0.005     0.015        120 / 56 / 24
    adwin delta 0.0002         0       0.005      0       0.005     0            152 / 56 / 24
    adwin delta 0.00002  *     0       0.005      0       0         0            184 / 56 / 24
    page_hinkley 0.25, 45      0       0          0       0         0            172 / 59 / 27
    page_hinkley 0.3, 37       0       0          0       0         0            174 / 52 / 23
    page_hinkley 0.3, 40  *    0       0          0       0         0            188 / 57 / 25
      the same, cut at 4       0       0.045      0       0         0            186 / 56 / 23
    page_hinkley 0.25, 50, cut at 4    0.025 of lognormal, else 0                190 / 65 / 28

* the defaults. They were chosen on these streams, so they were measured again on 20,000,000 values of other seeds:
adwin 0 alarms (delta 0.0002: 3), page_hinkley 1 (0.3, 37: 3), all families together. So an adwin ten times stricter
than 0.0002 costs 32 values at half a deviation and, in the mean, 6 at one (64 instead of 58).
None of this holds for autocorrelated or seasonal series: there every detector of this kind alarms more often.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from math import inf, isfinite
from typing import Any, Literal, get_args

Direction = Literal["up", "down", "both"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
WHICH_WAY = {"description": "Which way the mean must move to alert."}
OF_THE_SIGNAL = {"description": "Whether the values are zeros and ones.", "given": False}
OF_THE_BUDGET = {"description": "Healthy days of a series of which this part may alarm.", "given": False}
"""Parameters that no detector's own config gives."""

RIVER_DETECTORS: dict[str, dict[str, tuple[type, ...]]] = {
    # Name -> parameter -> types. Kept equal to the installed river by a test, so that `lint` need not import it.
    "ADWIN": {
        "delta": (float,),
        "clock": (int,),
        "max_buckets": (int,),
        "min_window_length": (int,),
        "grace_period": (int,),
    },
    "PageHinkley": {
        "min_instances": (int,),
        "delta": (float,),
        "threshold": (float,),
        "alpha": (float,),
        "mode": (str,),
    },
    "KSWIN": {"alpha": (float,), "window_size": (int,), "stat_size": (int,), "seed": (int,)},
    "DDM": {"warm_start": (int,), "warning_threshold": (float,), "drift_threshold": (float,)},
    "EDDM": {"warm_start": (int,), "alpha": (float,), "beta": (float,)},
    "FHDDM": {"sliding_window_size": (int,), "confidence_level": (float,), "short_window_size": (int,)},
    "HDDMA": {"drift_confidence": (float,), "warning_confidence": (float,), "two_sided_test": (bool,)},
    "HDDMW": {
        "drift_confidence": (float,),
        "warning_confidence": (float,),
        "lambda_val": (float,),
        "two_sided_test": (bool,),
    },
}

BINARY = frozenset({"DDM", "EDDM", "FHDDM", "HDDMA", "HDDMW"})
"""Detectors of river's `drift.binary`: their bounds hold for values in [0, 1] only, so RiverBank clips to it."""

WINDOW_MAX = 10_000
"""Longest window of values a river detector may keep: it is copied into every snapshot, once per series."""

SHARE = (1e-300, 1.0 - 1e-9)
RIVER_RANGES: dict[str, dict[str, tuple[float, float]]] = {
    # Least and greatest value, both allowed.
    "ADWIN": {
        "delta": SHARE,
        "clock": (1, 2**31 - 1),
        "max_buckets": (2, 1000),
        "min_window_length": (1, 10**6),
        "grace_period": (0, 10**6),
    },
    "PageHinkley": {
        "min_instances": (0, 10**9),
        "delta": (0.0, 1e300),
        "threshold": (0.0, 1e300),
        "alpha": (1e-300, 1.0),
    },
    "KSWIN": {
        "alpha": (0.0, 1.0),
        "window_size": (2, WINDOW_MAX),
        "stat_size": (1, WINDOW_MAX // 2),
        "seed": (0, 2**63 - 1),
    },
    "DDM": {"warm_start": (0, 10**9), "warning_threshold": (0.0, 1e6), "drift_threshold": (0.0, 1e6)},
    "EDDM": {"warm_start": (1, 10**9), "alpha": (0.0, 1.0), "beta": (0.0, 1.0)},
    "FHDDM": {"sliding_window_size": (1, WINDOW_MAX), "confidence_level": SHARE, "short_window_size": (1, WINDOW_MAX)},
    "HDDMA": {"drift_confidence": SHARE, "warning_confidence": SHARE},
    "HDDMW": {"drift_confidence": SHARE, "warning_confidence": SHARE, "lambda_val": (0.0, 1.0)},
}

RIVER_TEXTS = {("PageHinkley", "mode"): ("up", "down", "both")}

RIVER_ORDERED = {
    # Name -> (larger, its default, smaller, its default, factor): larger >= factor * smaller.
    "KSWIN": ("window_size", 100, "stat_size", 30, 2),  # It draws stat_size values from those that are not the newest.
    "FHDDM": ("sliding_window_size", 100, "short_window_size", 1, 1),
    "EDDM": ("alpha", 0.95, "beta", 0.9, 1),
}


def param(default: Any, description: str, **limits: float) -> Any:
    """A parameter as the config shows it: what it does, and what it may be there (`ge`, `gt`, `le`, `lt`), which is
    less than what its bank could work with. MISSING: it has no default.
    """
    return field(default=default, metadata={"description": description, **limits})


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def check_river(name: str, params: dict[str, Any]) -> None:
    """Raises ValueError for a detector or parameter that is not in the tables, or a value river cannot work with."""
    known = RIVER_DETECTORS.get(name)
    if known is None:
        raise ValueError(f"river has no detector {name!r} that Driftline knows")
    for param, value in params.items():
        if param not in known:
            raise ValueError(f"{name} has no parameter {param!r}")
        kind = known[param][0]
        right = type(value) is kind or (kind is float and type(value) is int)
        _require(right, f"{param} of {name} must be {kind.__name__}")
        texts = RIVER_TEXTS.get((name, param))
        _require(texts is None or value in texts, f"{param} of {name} must be one of {', '.join(texts or ())}")
        if param in RIVER_RANGES[name]:
            low, high = RIVER_RANGES[name][param]
            _require(isfinite(value) and low <= value <= high, f"{param} of {name} must be in {low:g}..{high:g}")
    if name in RIVER_ORDERED:
        large, large_default, small, small_default, factor = RIVER_ORDERED[name]
        enough = params.get(large, large_default) >= factor * params.get(small, small_default)
        times = f"{factor} times " if factor > 1 else ""
        _require(enough, f"{large} of {name} must be at least {times}{small}")


class Params:
    """What a detector is given, as a frozen dataclass; values that it cannot work with are a ValueError."""


@dataclass(frozen=True)
class Adwin(Params):
    """Bifet & Gavalda 2007, as `river.drift.ADWIN`; `delta` bounds a false cut per check, not per week.

    Raises ValueError outside the ranges below: there river's own core divides by zero, panics or never fires.
    """

    delta: float = param(0.00002, "Confidence of a cut; smaller is quieter and slower.", gt=0, lt=1)
    clock: int = param(32, "Look for a cut every so many values.", ge=1, le=100_000)
    max_buckets: int = param(5, "Buckets per size before two are merged; more is finer.", ge=2, le=100)
    min_window_length: int = param(5, "A half shorter than this is never compared.", ge=1, le=100_000)
    grace_period: int = param(10, "No cut before so many values.", ge=2, le=1_000_000)
    direction: Direction = field(default="both", metadata=WHICH_WAY)

    def __post_init__(self) -> None:
        _require(0.0 < self.delta < 1.0, "delta must be between 0 and 1")
        _require(1 <= self.clock < 1 << 31, "clock must be at least 1, and below 2^31")
        _require(2 <= self.max_buckets <= 255, "max_buckets must be 2 to 255")
        _require(1 <= self.min_window_length < 1 << 31, "min_window_length must be at least 1, and below 2^31")
        _require(0 <= self.grace_period < 1 << 31, "grace_period must not be negative, and below 2^31")
        _require(self.direction in DIRECTIONS, f"direction must be one of {', '.join(DIRECTIONS)}")


@dataclass(frozen=True)
class PageHinkley(Params):
    """Page 1954, as `river.drift.PageHinkley`; `delta` and `threshold` in standard deviations of the reference.

    `alpha` below 1 makes the sum forget, which bounds it: river's 0.9999 lets healthy noise swing it by 70
    deviations and so fires for ever. Here nothing is forgotten unless asked for.
    """

    min_instances: int = param(30, "No change before so many values.", ge=1, le=1_000_000)
    delta: float = param(0.3, "Half the shift of interest, in deviations.", ge=0)
    threshold: float = param(40.0, "Larger is quieter and slower.", gt=0)
    alpha: float = param(1.0, "Below 1 the sum forgets; 1 forgets nothing.", gt=0, le=1)
    direction: Direction = field(default="both", metadata=WHICH_WAY)

    def __post_init__(self) -> None:
        _require(self.min_instances >= 0, "min_instances must not be negative")
        _require(0.0 <= self.delta < inf, "delta must be a number and not negative")
        object.__setattr__(self, "delta", self.delta + 0.0)  # Not -0.0, or sums could be that, too.
        _require(0.0 < self.threshold < inf, "threshold must be a number above 0")
        _require(0.0 < self.alpha <= 1.0, "alpha must be above 0 and at most 1")
        _require(self.direction in DIRECTIONS, f"direction must be one of {', '.join(DIRECTIONS)}")


@dataclass(frozen=True)
class Occurrence(Params):
    """Every value above zero."""


@dataclass(frozen=True)
class River(Params):
    """Any other drift detector of river, by name; ValueError for what river would only trip over later."""

    name: str = param(MISSING, f"One of {', '.join(RIVER_DETECTORS)}.")
    params: tuple[tuple[str, Any], ...] = param((), "The detector's own parameters, by river's names for them.")
    direction: Direction = field(default="both", metadata=WHICH_WAY)

    def __post_init__(self) -> None:
        _require(self.direction in DIRECTIONS, f"direction must be one of {', '.join(DIRECTIONS)}")
        check_river(self.name, dict(self.params))
