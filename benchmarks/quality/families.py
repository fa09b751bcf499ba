"""Single series of known laws: false alarms and delays of the product under the least config, and of river's detectors
at their defaults and at the rate of false alarms that the product realises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.quality.drive import AT, play_rows, single
from benchmarks.quality.scores import GROUPINGS, rate
from benchmarks.quality.shapes import BEGIN_MS
from benchmarks.quality.stream import Merged
from benchmarks.quality.weeks import Columns, noise, rng_of
from streamer.engine.task import Task

Array = Any
HEALTHY, AFTER, WARMUP = 2_000, 1_500, 500
SHIFTS = (0.5, 1.0, 2.0)


class Family(NamedTuple):
    draw: Callable[[np.random.Generator, int, float], Array]  # n values, shifted by so many deviations
    kl: Callable[[float], float] | None = None  # per point, of a shift of so many deviations; None = not known


def shifted(law: Callable[[np.random.Generator, int], Array], scale: float) -> Callable[..., Array]:
    return lambda draw, n, d: law(draw, n) + d * scale


def bernoulli(p: float) -> Family:
    def moved(d: float) -> float:
        return min(p + d * math.sqrt(p * (1 - p)), 0.99)

    def kl(d: float) -> float:
        q = moved(d)
        return q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))

    return Family(lambda draw, n, d: (draw.random(n) < moved(d)) * 1.0, kl)


def poisson(mean: float) -> Family:
    def moved(d: float) -> float:
        return mean + d * math.sqrt(mean)

    return Family(
        lambda draw, n, d: draw.poisson(moved(d), n) * 1.0,
        lambda d: moved(d) * math.log(moved(d) / mean) - (moved(d) - mean),
    )


def autoregressive(phi: float) -> Family:
    return Family(lambda draw, n, d: noise(n, phi, draw) + d, lambda d: d * d / 2 * (1 - phi) / (1 + phi))


def zero_inflated(draw: np.random.Generator, n: int, d: float) -> Array:
    """Four of five are 0; the amounts of the others grow by so many halves."""
    return np.where(draw.random(n) < 0.8, 0.0, draw.lognormal(2, 1, n)) * (1 + d / 2)


FAMILIES: dict[str, Family] = {
    "N(0,1)": Family(shifted(lambda g, n: g.normal(0, 1, n), 1), lambda d: d * d / 2),
    "N(100,20)": Family(shifted(lambda g, n: g.normal(100, 20, n), 20), lambda d: d * d / 2),
    "lognormal": Family(shifted(lambda g, n: g.lognormal(0, 1, n), 2.161)),
    "t3": Family(shifted(lambda g, n: g.standard_t(3, n), math.sqrt(3))),
    "Cauchy": Family(shifted(lambda g, n: g.standard_cauchy(n), 1)),
    "Bern .01": bernoulli(0.01),
    "Bern .2": bernoulli(0.2),
    "Poisson 3": poisson(3),
    "80 % zeros": Family(zero_inflated),
    "AR .5": autoregressive(0.5),
    "AR .8": autoregressive(0.8),
}


class Size(NamedTuple):
    null_streams: int  # of 10,000 values
    streams: int  # per shift
    river_null: int  # values


NULL = 10_000


def model_of(values: Array, every_ms: int = 1000) -> Columns:
    """A model with one feature."""
    times_ms = BEGIN_MS + np.arange(len(values)) * every_ms
    return Columns(times_ms, {"features.x": values.astype(np.float32)}, {}, {})


def run(name: str, size: Size) -> dict[str, Any]:
    family = FAMILIES[name]
    streams = [family.draw(rng_of(name, "null", i), NULL, 0.0) for i in range(size.null_streams)]
    null = play_rows(Task(single(), AT, 0), Merged({f"m{i}": model_of(values) for i, values in enumerate(streams)}))
    count = len(GROUPINGS["incidents"](null))
    false = rate(count, size.null_streams)
    rows = [{"who": "driftline", "false": false._asdict(), "delays": ours(name, size)}]
    rows += [{"who": f"river {k} default", **river(name, size, k, None)} for k in RIVER]
    rows += [{"who": f"river {k} equal rate", **equal_rate(name, size, k, false.high)} for k in RIVER]
    values_seen = NULL * size.null_streams
    arl = values_seen / max(count, 1)
    bound = {str(d): math.log(arl) / family.kl(d) for d in SHIFTS} if family.kl else None
    return {"family": name, "rows": rows, "arl_at_least": arl, "log_arl_over_kl": bound}


def change(name: str, d: float, seed: int) -> Array:
    """Healthy values, then as many of the shifted law as there is patience for."""
    family = FAMILIES[name]
    parts = family.draw(rng_of(name, d, seed, 0), HEALTHY, 0.0), family.draw(rng_of(name, d, seed, 1), AFTER, d)
    return np.concatenate(parts)


def summary(delays: Sequence[int | None]) -> dict[str, Any]:
    found = [d for d in delays if d is not None]
    median = float(np.median(found)) if found else None
    return {"median": median, "mean": float(np.mean(found)) if found else None, "missed": 1 - len(found) / len(delays)}


def ours(name: str, size: Size) -> dict[str, Any]:
    """By shift: values from the change to the first alert that opens after it."""
    shown = {}
    for d in SHIFTS:
        models = {f"m{i}": model_of(change(name, d, i)) for i in range(size.streams)}
        onset_ms = BEGIN_MS + HEALTHY * 1000
        first: dict[str, int] = {}
        for alert in play_rows(Task(single(), AT, 0), Merged(models)):
            if alert.status == "firing" and alert.time_ms >= onset_ms:
                first.setdefault(alert.model, (alert.time_ms - onset_ms) // 1000 + 1)
        shown[str(d)] = summary([first.get(model) for model in models])
    return shown


def _adwin(delta: float) -> Any:
    from river.drift import ADWIN

    return ADWIN(delta=delta)


def _page_hinkley(threshold: float) -> Any:
    from river.drift import PageHinkley

    return PageHinkley(delta=0.25, threshold=threshold)


def _default(name: str) -> Any:
    from river import drift

    return getattr(drift, name)()


RIVER: dict[str, tuple[Callable[[float], Any], tuple[float, ...]]] = {
    "ADWIN": (_adwin, (0.05, 2e-3, 2e-4, 2e-5, 1e-6, 1e-8, 1e-12)),
    "PageHinkley": (_page_hinkley, (5, 8, 12, 17, 25, 40, 80)),
}
"""Detector -> how it is made, and its thresholds from the quickest to the quietest; a drift of half a deviation is what
Page-Hinkley's own delta of a quarter is best at."""


def standardised(values: Array) -> Array:
    """By median and MAD of the warm-up, as the product does it, or by the deviation where the MAD is 0."""
    first = values[:WARMUP]
    centre = np.median(first)
    scale = 1.4826 * np.median(np.abs(first - centre)) or first.std() or 1.0
    return (values - centre) / scale


def alarms(detector: Any, values: Array) -> list[int]:
    """Where it says drift."""
    found = []
    for i, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected:
            found.append(i)
    return found


def detector_of(kind: str, threshold: float | None) -> Any:
    return _default(kind) if threshold is None else RIVER[kind][0](threshold)


def river(name: str, size: Size, kind: str, threshold: float | None) -> dict[str, Any]:
    """River's detector on the values as they are (at its defaults) or standardised (at a threshold)."""
    ready: Callable[[Array], Array] = standardised if threshold is not None else lambda values: values
    delays = {}
    for d in SHIFTS:
        found: list[int | None] = []
        for i in range(size.streams):
            late = [a for a in alarms(detector_of(kind, threshold), ready(change(name, d, i))) if a >= HEALTHY]
            found.append(late[0] - HEALTHY + 1 if late else None)
        delays[str(d)] = summary(found)
    return {"false": river_null(name, size, kind, threshold), "delays": delays}


def river_null(name: str, size: Size, kind: str, threshold: float | None) -> dict[str, Any]:
    values = FAMILIES[name].draw(rng_of(name, "river"), size.river_null, 0.0)
    ready = standardised(values) if threshold is not None else values
    return rate(len(alarms(detector_of(kind, threshold), ready)), size.river_null / NULL)._asdict()


def equal_rate(name: str, size: Size, kind: str, most: float) -> dict[str, Any]:
    """At the quickest threshold whose false alarms are not above the product's upper limit; else at the quietest."""
    grid = RIVER[kind][1]
    chosen = next((t for t in grid if river_null(name, size, kind, t)["rate"] <= most), None)
    used = grid[-1] if chosen is None else chosen
    return {"threshold": used, "as_quiet": chosen is not None, **river(name, size, kind, used)}
