"""How healthy traffic breathes: the load by the time of day and week, as factors that multiply each other.

Time is seconds since a Monday at midnight, `draw` a random generator of the model's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

DAY_S = 86_400
DAYS = 28
MONTH_END = (17, 18, 19)
"""Days of the four weeks, which begin on Monday 2026-01-12."""
BEGIN_MS = 1_768_176_000_000
Array = Any
Shape = Callable[[Array, np.random.Generator], Array]


def hour_of(t: Array) -> Array:
    return t % DAY_S / 3600


def is_weekend(t: Array) -> Array:
    return t // DAY_S % 7 >= 5


def flat(t: Array, draw: np.random.Generator) -> Array:
    return np.ones(len(t))


def day_night(t: Array, draw: np.random.Generator) -> Array:
    """A sine over the day, less at weekends, with a time zone of the model's own."""
    wave = 1 + 0.7 * np.sin(2 * np.pi * (hour_of(t) - 9 + draw.integers(-2, 3)) / 24)
    return wave * np.where(is_weekend(t), 0.6, 1.0)


def office(t: Array, draw: np.random.Generator) -> Array:
    """Full from nine to six on weekdays, hardly anything else; the edges are sharp."""
    return np.where((hour_of(t) >= 9) & (hour_of(t) < 18) & ~is_weekend(t), 3.6, 0.03)


def lunch(t: Array, draw: np.random.Generator) -> Array:
    return np.where((hour_of(t) >= 12) & (hour_of(t) < 13), 0.35, 1.0)


def batch_nights(t: Array, draw: np.random.Generator) -> Array:
    """A job at two in the morning, of some forty minutes, that asks for twelve times as much."""
    begins = 2 + draw.normal(0, 0.05, DAYS + 1)[(t // DAY_S).astype(int)]
    return np.where((hour_of(t) >= begins) & (hour_of(t) < begins + 0.7), 12.0, 0.7)


def month_end(t: Array, draw: np.random.Generator) -> Array:
    return np.where(np.isin(t // DAY_S, MONTH_END), 2.5, 1.0)


def holiday(t: Array, draw: np.random.Generator) -> Array:
    """A weekday in the third week, and one in the fourth, are like no weekday."""
    days = draw.integers(14, 18), draw.integers(21, 23)
    return np.where(np.isin(t // DAY_S, days), 0.3, 1.0)


def promotions(t: Array, draw: np.random.Generator) -> Array:
    """Once a week, on a day and at an hour that nobody knows ahead, three times as much for six hours."""
    begins = (np.arange(4) * 7 + draw.integers(0, 7, 4)) * 24 + draw.integers(7, 16, 4)
    since = t / 3600 - begins[(t // (7 * DAY_S)).clip(0, 3).astype(int)]
    return np.where((since >= 0) & (since < 6), 3.0, 1.0)


def missing_nights(t: Array, draw: np.random.Generator) -> Array:
    """Nothing at all from eleven to six."""
    return np.where((hour_of(t) >= 6) & (hour_of(t) < 23), 24 / 17, 0.0)


def growth(t: Array, draw: np.random.Generator) -> Array:
    """5 % more a week."""
    return 1.05 ** (t / (7 * DAY_S))


SHAPES: dict[str, Shape] = {
    one.__name__: one
    for one in (
        *(flat, day_night, office, lunch, batch_nights),
        *(month_end, holiday, promotions, missing_nights, growth),
    )
}


def load_of(names: tuple[str, ...], draw: np.random.Generator) -> Array:
    """The load in each minute of the four weeks, 1 in the mean of the first."""
    t = np.arange(0, DAYS * DAY_S, 60)
    load = np.prod([SHAPES[name](t, draw) for name in names], axis=0)
    return load / load[: 7 * 1440].mean()


def arrivals_s(load: Array, every_s: float, draw: np.random.Generator) -> Array:
    """Times of events as a Poisson process of that load, to the millisecond, ascending."""
    counts = draw.poisson(load * 60 / every_s)
    times = np.repeat(np.arange(len(load)) * 60.0, counts) + draw.random(counts.sum()) * 60
    return np.sort(np.round(times, 3))
