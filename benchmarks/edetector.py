"""The e-detector's promise and price: false alarms against `arl`, delays next to what is possible, time per value.

`python -m benchmarks.edetector [--quick] [PART ..]`; the parts are false_alarms, delays and cost. Seeds are fixed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from detectors import Bank, ShiryaevRoberts, make_bank, make_compiled_bank
from detectors.params import Direction
from schemas.core import native

F64 = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], F64]

SERIES = 2_000
CHUNK = 20  # values of each series in one update
BEFORE, AFTER = 2_000, 1_500  # values before a change, and how long it is looked for


def bernoulli(share: float) -> Draw:
    return lambda rng, shape: (rng.random(shape) < share) * 1.0


def normal(mean: float, std: float = 1.0) -> Draw:
    return lambda rng, shape: rng.normal(mean, std, shape)


def amounts(zeros: float, times: float = 1.0) -> Draw:
    return lambda rng, shape: np.where(rng.random(shape) < zeros, 0.0, times * rng.lognormal(0, 1, shape))


def poisson(mean: float) -> Draw:
    return lambda rng, shape: rng.poisson(mean, shape) * 1.0


FAMILIES: dict[str, Draw] = {
    "N(0, 1)": normal(0.0),
    "N(100, 20)": normal(100.0, 20.0),
    "lognormal": lambda rng, shape: rng.lognormal(0, 1, shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape),
    "Cauchy": lambda rng, shape: rng.standard_cauchy(shape),
    "Bernoulli .01": bernoulli(0.01),
    "Bernoulli .2": bernoulli(0.2),
    "Bernoulli .001": bernoulli(0.001),
    "Poisson 3": poisson(3.0),
    "zero-inflated .8": amounts(0.8),
}

CHANGES: dict[str, tuple[Draw, Draw, float | None, float | None]] = {
    # before, after, Kullback-Leibler divergence, mean delay that is the target at an average run length of 1e6
    "N, mean + 0.5": (normal(0), normal(0.5), 0.125, 1.40 * 82.2),
    "N, mean + 1": (normal(0), normal(1.0), 0.5, 1.20 * 23.8),
    "N, mean + 2": (normal(0), normal(2.0), 2.0, 1.30 * 6.7),
    "Bernoulli .01 to .06": (bernoulli(0.01), bernoulli(0.06), None, 225.0),
    "Bernoulli .01 to .109": (bernoulli(0.01), bernoulli(0.109), None, 75.0),
    "Bernoulli .01 to .209": (bernoulli(0.01), bernoulli(0.209), None, 32.0),
    "N, spread doubled": (normal(0), normal(0, 2.0), log(0.5) + 1.5, None),
    "N, spread halved": (normal(0), normal(0, 0.5), log(2.0) - 0.375, None),
    "zero-inflated .7, times 2": (amounts(0.7), amounts(0.7, 2.0), 0.3 * log(2.0) ** 2 / 2, None),
    "zero-inflated .95, times 2": (amounts(0.95), amounts(0.95, 2.0), 0.05 * log(2.0) ** 2 / 2, None),
    "never to .05": (bernoulli(0.0), bernoulli(0.05), None, None),
    "Poisson 3 to 4": (poisson(3), poisson(4), 4 * log(4 / 3) - 1, None),
    "another unit, times 100": (amounts(0.0), amounts(0.0, 100.0), None, None),
}


def bits(before: float, after: float) -> float:
    """Divergence of one share from another."""
    return after * log(after / before) + (1 - after) * log((1 - after) / (1 - before))


DIVERGENCE = {f"Bernoulli .01 to {text}": bits(0.01, float(text)) for text in (".06", ".109", ".209")}


def bank_of(series: int, arl: float, direction: Direction = "both") -> Bank:
    bank = (make_bank if native is None else make_compiled_bank)(ShiryaevRoberts(arl, direction))
    bank.resize(series)
    return bank


def alarms(draw: Draw, arl: float, values: int, direction: Direction, seed: int) -> int:
    rng, bank = np.random.default_rng(seed), bank_of(SERIES, arl, direction)
    rows = np.tile(np.arange(SERIES), CHUNK)
    return sum(
        len(bank.update(rows, draw(rng, (CHUNK, SERIES)).ravel()).place) for _ in range(values // (SERIES * CHUNK))
    )


def false_alarms(scale: int) -> list[dict[str, Any]]:
    """Alarms of healthy series over those that `arl` allows, with the exact Poisson interval of 95 %."""
    found = []
    for arl, values, direction in ((1e4, 10_000_000, "both"), (1e5, 20_000_000, "both"), (1e4, 10_000_000, "up")):
        for seed, (family, draw) in enumerate(FAMILIES.items()):
            count = values // scale // (SERIES * CHUNK) * SERIES * CHUNK
            seen, allowed = alarms(draw, arl, count, direction, seed), count / arl  # type: ignore[arg-type]
            low, high = chi2.ppf(0.025, 2 * seen) / 2 if seen else 0.0, chi2.ppf(0.975, 2 * seen + 2) / 2
            ratios = {"ratio": seen / allowed, "from": low / allowed, "to": high / allowed}
            found.append({"family": family, "direction": direction, "arl": arl, "alarms": seen, **ratios})
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    return found


def delay(before: Draw, after: Draw, arl: float, series: int) -> tuple[F64, int]:
    """Values from the change to the first alarm of each series; infinite where it is missed. Alarms before it."""
    rng, bank = np.random.default_rng(11), bank_of(series, arl)
    rows, found = np.tile(np.arange(series), CHUNK), np.full(series, np.inf)
    early = sum(len(bank.update(rows, before(rng, (CHUNK, series)).ravel()).place) for _ in range(BEFORE // CHUNK))
    for begin in range(0, AFTER, CHUNK):
        places = bank.update(rows, after(rng, (CHUNK, series)).ravel()).place
        np.minimum.at(found, places % series, begin + places // series + 1.0)
        if np.isfinite(found).all():
            break
    return found, early


def delays(scale: int) -> list[dict[str, Any]]:
    """At `arl` 1e6, and at the one whose true average run length is 1e6 by the alarms of healthy series at 1e4."""
    series, found = max(1_000 // scale, 50), []
    true = {
        family: alarms(FAMILIES[family], 1e4, 10_000_000 // scale, "both", 5) / (10_000_000 // scale / 1e4)
        for family in ("N(0, 1)", "Bernoulli .01")
    }
    for change, (before, after, divergence, target) in CHANGES.items():
        divergence = DIVERGENCE.get(change, divergence)
        ratio = true["N(0, 1)" if change.startswith("N") else "Bernoulli .01"] if target else 1.0
        for arl in {1e6: None, 1e6 * ratio: None}:
            given, early = delay(before, after, arl, series)
            seen = given[np.isfinite(given)]
            found.append(
                {
                    "change": change,
                    "arl": round(arl),
                    "mean": seen.mean(),
                    "error": seen.std() / len(seen) ** 0.5,
                    "median": float(np.median(given)),
                    "p90": float(np.quantile(given, 0.9, method="lower")),
                    "missed": int(series - len(seen)),
                    "early": early,
                    "log(arl) / divergence": log(arl) / divergence if divergence else None,
                    "target": target,
                }
            )
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    return found


def cost(scale: int) -> list[dict[str, Any]]:
    """Microseconds of CPU per value past the sample: many series in one batch, and a single one by itself."""
    found = []
    for family in ("N(0, 1)", "Bernoulli .01"):
        for series, values in ((5_000, 400), (500, 2_000), (1, 20_000)):
            count = max(values // scale, 200)
            drawn = FAMILIES[family](np.random.default_rng(1), (count, series))
            rows, bank = np.tile(np.arange(series), 200), bank_of(series, 1e6)
            bank.update(rows, drawn[:200].ravel())
            once = max(5_000 // series, 1)
            begin = time.process_time()
            for at in range(0, count, once):
                part = drawn[at : at + once]
                bank.update(rows[: part.size] if part.size <= len(rows) else np.zeros(part.size, int), part.ravel())
            us = (time.process_time() - begin) / drawn.size * 1e6
            found.append({"family": family, "series": series, "us per value": us})
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    return found


PARTS = {"false_alarms": false_alarms, "delays": delays, "cost": cost}

if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if name != "--quick"] or list(PARTS)
    print(json.dumps({name: PARTS[name](20 if "--quick" in sys.argv else 1) for name in chosen}, indent=1))
