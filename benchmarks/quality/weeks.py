"""Healthy weeks: four weeks of one model's events as columns, drawn by (kind, seed) and by nothing else.

Twelve features, a label, confidence, latency, status and caller. What breathes is the kind's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from benchmarks.quality.shapes import BEGIN_MS, arrivals_s, hour_of, load_of

Array = Any


class Kind(NamedTuple):
    """One kind of healthy traffic."""

    load: tuple[str, ...] = ("flat",)  # names of SHAPES, multiplied
    breathe: float = 0.0  # by so many deviations times .1 to .3 features move with the load; 1 as the issue has it
    follow: bool = False  # latency and confidence follow the load
    ar: float = 0.0  # autocorrelation of the numbers from event to event
    sawtooth: bool = False  # a cache that fills for six hours and is emptied
    more: tuple[str, ...] = ()  # further features, names of MORE
    slower: float = 1.0  # times the usual time between two events


DAY = ("day_night",)
KINDS: dict[str, Kind] = {
    "even": Kind(),
    "traffic": Kind(DAY),
    "values": Kind(DAY, 1.0, True),
    "values-slow": Kind(DAY, 1.0, True, slower=6.0),
    "office": Kind(("office",), 1.0, True),
    "lunch": Kind(("day_night", "lunch"), 1.0, True),
    "batch-nights": Kind(("day_night", "batch_nights"), 1.0, True),
    "calendar": Kind(("day_night", "month_end", "holiday"), 1.0, True),
    "promotions": Kind(("day_night", "promotions"), 1.0, True),
    "sawtooth": Kind(sawtooth=True),
    "missing-nights": Kind(("missing_nights",)),
    "growth": Kind(("growth",)),
    "ar-.5": Kind(ar=0.5),
    "ar-.8": Kind(ar=0.8),
    "hour": Kind(DAY, more=("hour",)),
    "categories": Kind(DAY, more=("merchant", "user", "note")),
    "all": Kind(
        ("day_night", "lunch", "batch_nights", "growth"), 1.0, True, 0.5, True, ("hour", "merchant", "user", "note")
    ),
}
STILL = ("even", "ar-.5", "ar-.8")
"""Kinds whose load and values have no cycle."""
EVERY_S = 10.0

CHANNELS = ("app", "web", "branch")
COUNTRIES = ("at", "be", "ch", "de", "es", "fr", "it", "nl")
LABELS = ("good", "check", "fraud")
LABEL_SHARES = (0.90, 0.08, 0.02)
CALLERS = ("checkout", "desk", "partner")
STATUSES = ("ok", "error")
NEW = 90
"""Codes from here on are texts that healthy weeks do not have."""
Words = Callable[[int], str]


def words(known: tuple[str, ...], new: tuple[str, ...] = ()) -> Words:
    return lambda code: known[code] if code < NEW else new[code - NEW]


TEXTS: dict[str, Words] = {
    "features.channel": words(CHANNELS, ("Web",)),
    "features.country": words(COUNTRIES, ("xk",)),
    "prediction.label": words(LABELS, ("review",)),
    "status": words(STATUSES),
    "caller": words(CALLERS),
    "features.merchant": lambda code: f"m{code}",
    "features.user": lambda code: f"u{code}",
    "features.note": lambda code: f"note {code}",
}
"""Column -> what its codes say; no text is one of two columns."""


@dataclass
class Columns:
    """A model's events: NaN is absent, -1 is absent, `nulls` is where a number is null instead."""

    times_ms: Array
    numbers: dict[str, Array]
    texts: dict[str, Array]
    nulls: dict[str, Array]

    def where(self, chosen: Array) -> Columns:
        """Some of the events."""
        tables = ({k: v[chosen] for k, v in t.items()} for t in (self.numbers, self.texts, self.nulls))
        return Columns(self.times_ms[chosen], *tables)

    def at(self, times_ms: Array) -> Columns:
        """The same events at other times."""
        return replace(self, times_ms=times_ms)


def noise(n: int, ar: float, draw: np.random.Generator) -> Array:
    """Standard normal, autocorrelated from event to event."""
    from scipy.signal import lfilter  # Takes a second: only who draws shall wait for it.

    white = draw.standard_normal(n)
    if ar == 0.0 or n == 0:
        return white
    white[1:] *= np.sqrt(1 - ar * ar)
    return lfilter([1.0], [1.0, -ar], white)


def rng_of(*names: str | int) -> np.random.Generator:
    """By names, so that one more kind or fault changes no other."""
    return np.random.default_rng(crc32(repr(names).encode()))


def drawn(name: str, seed: int, every_s: float = EVERY_S) -> Columns:
    """Four weeks of a model."""
    kind = KINDS[name]
    load = load_of(kind.load, rng_of(name, seed, "load"))
    t = arrivals_s(load, every_s * kind.slower, rng_of(name, seed, "arrivals"))
    draw, n = rng_of(name, seed, "values"), len(t)
    now = load[(t // 60).astype(int)]
    pressure = (now - 1) / (now + 1)
    sizes = kind.breathe * draw.uniform(0.1, 0.3, 6) * draw.choice((-1, 1), 6)
    saw = t % (6 * 3600) / (6 * 3600) - 0.5 if kind.sawtooth else np.zeros(n)

    def wave(i: int) -> Array:
        """Standard normal, and what it breathes."""
        return noise(n, kind.ar, draw) + sizes[i] * 2 * pressure

    x, u, v = wave(0), wave(1), wave(2)
    numbers = {
        "features.amount": np.exp(3.5 + 0.8 * wave(3)),
        "features.age": 41 + 12 * wave(4),
        "features.x": x,
        "features.y": 0.8 * x + 0.6 * noise(n, kind.ar, draw),
        "features.u": 100 + 20 * u,
        "features.v": 0.5 + 0.05 * v,
        "features.ratio": 1 / (1 + np.exp(-wave(5) - saw)),
        "features.recent": draw.poisson(12 * now) * 1.0,
        "features.flag": (draw.random(n) < 0.03) * 1.0,
        "features.spend": np.where(draw.random(n) < 0.8, 0.0, draw.lognormal(2, 1, n)),
        "latency_ms": draw.gamma(4, 10, n) * np.exp((0.4 * pressure if kind.follow else 0) + 0.5 * saw),
        "prediction.confidence": draw.beta(8, 2, n),
    }
    if kind.follow:
        numbers["prediction.confidence"] -= 0.03 * (pressure + 1)
    texts = {
        "features.channel": draw.choice(3, n, p=(0.6, 0.3, 0.1)),
        "features.country": draw.choice(8, n, p=(0.4, 0.2, 0.15, 0.1, 0.06, 0.05, 0.03, 0.01)),
        "prediction.label": draw.choice(3, n, p=LABEL_SHARES),
        "status": (draw.random(n) < 0.01).astype(int),
        "caller": draw.choice(3, n, p=(0.7, 0.2, 0.1)),
    }
    for extra in kind.more:
        MORE[extra](t, draw, numbers, texts)
    return Columns(
        BEGIN_MS + np.round(t * 1000).astype(np.int64),
        {k: np.round(c, 4).astype(np.float32) for k, c in numbers.items()},
        {k: c.astype(np.int32) for k, c in texts.items()},
        {},
    )


def _hour(t: Array, draw: np.random.Generator, numbers: dict[str, Array], texts: dict[str, Array]) -> None:
    numbers["features.hour"] = np.floor(hour_of(t))


def _merchant(t: Array, draw: np.random.Generator, numbers: dict[str, Array], texts: dict[str, Array]) -> None:
    """200 levels, none of which is rare."""
    texts["features.merchant"] = draw.integers(0, 200, len(t))


def _user(t: Array, draw: np.random.Generator, numbers: dict[str, Array], texts: dict[str, Array]) -> None:
    texts["features.user"] = draw.integers(0, 1_000_000, len(t))


def _note(t: Array, draw: np.random.Generator, numbers: dict[str, Array], texts: dict[str, Array]) -> None:
    """A text of each event's own."""
    texts["features.note"] = np.arange(len(t))


MORE: dict[str, Callable[..., None]] = {"hour": _hour, "merchant": _merchant, "user": _user, "note": _note}
