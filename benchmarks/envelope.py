"""`python -m benchmarks.envelope`: of the false alarms that an envelope is granted, how many it makes on healthy days.

Sixty series of 28 days per seed, family and rate, a value a minute. A day that alarms counts once.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from detectors import Envelope, make_compiled_bank
from detectors.extremes import SCHOOL

Array = Any
DAY, DAYS, SERIES = 1440, 28, 60
RATES = (0.008, 0.0007)
"""What the standard set grants a series of one of its signals, and one of twelve features."""


def wave(at: Array, period: float) -> Array:
    return np.sin(2 * np.pi * at / period)


def days_apart(draw: np.random.Generator, at: Array) -> Array:
    """Each day a little higher or lower than others."""
    return np.repeat(draw.normal(0, 0.1, len(at) // DAY), DAY)


FAMILIES: dict[str, Callable[[np.random.Generator, Array], Array]] = {
    "independent": lambda draw, at: 0.0,
    "day": lambda draw, at: 0.3 * wave(at, DAY),
    "day and week": lambda draw, at: 0.3 * wave(at, DAY) + 0.15 * wave(at, 7 * DAY),
    "week": lambda draw, at: 0.3 * wave(at, 7 * DAY),
    "days off": lambda draw, at: 0.3 * wave(at, DAY) * (at // DAY % 7 < 5),
    "day, days apart": lambda draw, at: 0.3 * wave(at, DAY) + days_apart(draw, at),
}
"""What is added to independent standard normal values."""


def alarms(family: str, rate: float, seed: int) -> Counter[tuple[bool, int]]:
    """Days that alarmed, by whether the school was over and the size of the block that told it."""
    bank, at = make_compiled_bank(Envelope(rate=rate)), np.arange(DAYS * DAY)
    bank.resize(SERIES)
    found: Counter[tuple[bool, int]] = Counter()
    for series in range(SERIES):
        draw = np.random.default_rng([seed * SERIES + series, len(family)])
        values = draw.standard_normal(len(at)) + FAMILIES[family](draw, at)
        hits = bank.update(np.full(len(at), series), values, at * 60_000)  # type: ignore[call-arg]
        first = dict(zip((hits.place[::-1] // DAY).tolist(), hits.age[::-1].tolist(), strict=True))
        found.update((day >= SCHOOL, size) for day, size in first.items())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how often, each with series of its own")
    seeds = parser.parse_args().seeds
    print("| healthy days | rate | days that alarmed after school | of what is granted | in blocks of | in school |")
    print("| --- | --- | --- | --- | --- | --- |")
    for family in FAMILIES:
        for rate in RATES:
            found = sum((alarms(family, rate, seed) for seed in range(seeds)), Counter[tuple[bool, int]]())
            sizes = {size: count for (over, size), count in sorted(found.items()) if over}
            count, days = sum(sizes.values()), seeds * SERIES * (DAYS - SCHOOL)
            shown = ", ".join(f"{size} ({times})" for size, times in sizes.items()) or "-"
            school = sum(times for (over, _), times in found.items() if not over)
            print(f"| {family} | {rate} | {count} of {days} | {count / days / rate:.2f} | {shown} | {school} |")


if __name__ == "__main__":
    main()
