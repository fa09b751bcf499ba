"""Fourteen faults, one of them in two directions: functions of a model's columns; which signal should tell of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from benchmarks.quality.shapes import BEGIN_MS, DAY_S
from benchmarks.quality.weeks import LABEL_SHARES, NEW, Columns, rng_of

Array = Any
HOUR_MS = 3_600_000
ONSET_MS = BEGIN_MS + 24 * DAY_S * 1000 + 10 * HOUR_MS
"""Day 24, a Thursday, at ten in the morning."""


class Fault(NamedTuple):
    apply: Callable[[Columns, Array, np.random.Generator], Columns]
    signal: str  # a pattern that the signal or another label of the right alert has
    within_h: float = 24.0  # found later is not found


def numbers(columns: Columns, name: str, values: Array) -> Columns:
    return replace(columns, numbers={**columns.numbers, name: values.astype(np.float32)})


def texts(columns: Columns, name: str, codes: Array) -> Columns:
    return replace(columns, texts={**columns.texts, name: codes.astype(np.int32)})


def unit_change(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    """Cents for euros."""
    amount = c.numbers["features.amount"]
    return numbers(c, "features.amount", np.where(after, amount * 100, amount))


def nulls(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    return replace(c, nulls={**c.nulls, "features.age": after & (draw.random(len(after)) < 0.1)})


def stuck(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    """The last healthy value for ever."""
    u = c.numbers["features.u"]
    first = int(np.argmax(after))
    return numbers(c, "features.u", np.where(after, u[max(first - 1, 0)], u))


def new_category(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    country = c.texts["features.country"]
    return texts(c, "features.country", np.where(after & (draw.random(len(after)) < 0.05), NEW, country))


def typo(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    """One of three writers writes "Web" for "web"."""
    channel = c.texts["features.channel"]
    chosen = after & (channel == 1) & (draw.random(len(after)) < 1 / 3)
    return texts(c, "features.channel", np.where(chosen, NEW, channel))


def new_label(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    label = c.texts["prediction.label"]
    return texts(c, "prediction.label", np.where(after & (draw.random(len(after)) < 0.05), NEW, label))


def label_collapse(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    return texts(c, "prediction.label", np.where(after, 0, c.texts["prediction.label"]))


def rare_class(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    """Three times as often, at the expense of the commonest."""
    label, share = c.texts["prediction.label"], 2 * LABEL_SHARES[2] / LABEL_SHARES[0]
    return texts(c, "prediction.label", np.where(after & (label == 0) & (draw.random(len(after)) < share), 2, label))


def confidence(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    value = c.numbers["prediction.confidence"]
    return numbers(c, "prediction.confidence", value - 0.05 * after)


def spread(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    value = c.numbers["features.v"]
    return numbers(c, "features.v", np.where(after, 0.5 + 2 * (value - 0.5), value))


def flip(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    """y is as it was by itself, but falls where x rises."""
    y = c.numbers["features.y"]
    return numbers(c, "features.y", np.where(after, -y, y))


def appearance(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    """u and v had nothing to do with each other; now v follows u, with the mean and spread it had."""
    u, v = c.numbers["features.u"], c.numbers["features.v"]
    joined = 0.5 + 0.9 * 0.05 * (u - 100) / 20 + np.sqrt(1 - 0.81) * (v - 0.5)
    return numbers(c, "features.v", np.where(after, joined, v))


def gradual(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    """Up by one deviation in the course of two days."""
    age = c.numbers["features.age"]
    part = ((c.times_ms - ONSET_MS) / (48 * HOUR_MS)).clip(0, 1)
    return numbers(c, "features.age", age + 12 * part)


def latency(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    value = c.numbers["latency_ms"]
    return numbers(c, "latency_ms", value * np.where(after, 1.3, 1.0))


def silent_caller(c: Columns, after: Array, draw: np.random.Generator) -> Columns:
    """The caller of a fifth of the traffic asks no more."""
    return c.where(~(after & (c.texts["caller"] == 1)))


FAULTS: dict[str, Fault] = {
    "unit change": Fault(unit_change, r"features\.amount$"),
    "nulls 10 %": Fault(nulls, r"missing\.(features\.)?age$"),
    "stuck value": Fault(stuck, r"features\.u$"),
    "new category 5 %": Fault(new_category, r"(unseen|category)\.(features\.)?country"),
    "category typo": Fault(typo, r"(unseen|category)\.(features\.)?channel"),
    "new label 5 %": Fault(new_label, r"label"),
    "label collapse": Fault(label_collapse, r"label"),
    "rare class x3": Fault(rare_class, r"label"),
    "confidence -.05": Fault(confidence, r"^confidence"),
    "spread x2": Fault(spread, r"features\.v$"),
    "correlation flip": Fault(flip, r"distance|correlation|^ood|joint"),
    "correlation appears": Fault(appearance, r"distance|correlation|^ood|joint"),
    "gradual +1 sd, 2 days": Fault(gradual, r"features\.age$", within_h=72.0),
    "latency +30 %": Fault(latency, r"latency"),
    "caller silent": Fault(silent_caller, r"caller"),
}


def broken(columns: Columns, fault: str, *seed: str | int) -> Columns:
    """The columns with a fault from its onset on; before it they are what they were."""
    return FAULTS[fault].apply(columns, columns.times_ms >= ONSET_MS, rng_of(fault, *seed))
