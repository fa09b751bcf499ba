"""What is added up of a window and finest group, and what several of these say together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from detectors.counts import DEVIATE, clopper_pearson
from streamer.series.estimates import Spoken, by_class

Group = tuple[str, ...]
FIELDS = ("inferences", "right", "wrong", "sure", "confidence", "sure_right", "squared", "numbers", "absolute",
          "residual", "square", "stated", "missed", "valued", "brier_square", "fourth")  # fmt: skip
"""Of a cell: inferences; classes right and wrong; of those with a confidence how many, its sum, how many were right and
the sum of squared errors; numbers, and the sums of their errors: absolute, signed and squared; of them those with a
stated interval, and outside of it; inferences that predict a number; the squares of what is squared of either.
"""
VALUED, BRIER_SQUARE, FOURTH = (FIELDS.index(name) for name in ("valued", "brier_square", "fourth"))
CLASSES = 32
"""Classes of a model that are told one by one."""
SHOWN = 16
"""Pairs of predicted and true class, the most frequent ones, whose share is told with an interval."""
CLOSE = 1e-9
"""So far off a variance may be by rounding, in squares of the mean."""
OTHER = f"other (classes beyond the first {CLASSES})"


class Cell:
    """A window of one finest group."""

    def __init__(self) -> None:
        self.sums: list[float] = [0] * len(FIELDS)
        self.confusion: dict[tuple[int, int], int] = {}  # by predicted and true class
        self.spoken: Spoken = {}


def counted(cells: Sequence[Cell], *names: str) -> list[int]:
    """Sums of counts over cells."""
    places = [FIELDS.index(name) for name in names]
    return [int(sum(cell.sums[place] for cell in cells)) for place in places]


def beside_others(of: Mapping[Group, Sequence[Cell]]) -> dict[Group, tuple[Any, Any]]:
    """Each group, and all others of its model together: predictions by class, labelled classes, and those wrong."""
    found: dict[Group, tuple[dict[int, int], int, int]] = {}
    total: dict[str, tuple[dict[int, int], int, int]] = {}
    for group, cells in of.items():
        right, wrong = counted(cells, "right", "wrong")
        said, (all_said, labelled, all_wrong) = by_class([c.spoken for c in cells]), total.get(group[0], ({}, 0, 0))
        found[group] = said, right + wrong, wrong
        total[group[0]] = _sum(all_said, said, 1), labelled + right + wrong, all_wrong + wrong
    others = {}
    for group, (said, labelled, wrong) in found.items():
        all_said, all_labelled, all_wrong = total[group[0]]
        others[group] = found[group], (_sum(all_said, said, -1), all_labelled - labelled, all_wrong - wrong)
    return others


def _sum(one: Mapping[int, int], other: Mapping[int, int], sign: int) -> dict[int, int]:
    return {code: one.get(code, 0) + sign * other.get(code, 0) for code in [*one, *other]}


def facts_of(cells: Sequence[Cell], names: Sequence[str]) -> dict[str, Any]:
    """What the cells of a window say together; what nothing is known of is not there."""
    sums = dict(zip(FIELDS, (sum(values) for values in zip(*(cell.sums for cell in cells), strict=True)), strict=True))
    right, wrong = int(sums["right"]), int(sums["wrong"])
    told: dict[str, Any] = {
        "inferences": int(sums["inferences"]), "labelled": right + wrong + int(sums["numbers"])
    }  # fmt: skip
    if right + wrong:
        interval = list(clopper_pearson(wrong, right + wrong))
        told["error"] = {"count": wrong, "share": wrong / (right + wrong), "interval": interval}
        told |= _of_classes(cells, names, right + wrong)
    if n := int(sums["sure"]):
        confidence, accuracy = sums["confidence"] / n, sums["sure_right"] / n
        shares = {"confidence": confidence, "accuracy": accuracy, "gap": confidence - accuracy}
        brier = {"brier": sums["squared"] / n, "brier_interval": around(n, sums["squared"], sums["brier_square"])}
        gap = around(n, sums["confidence"] - sums["sure_right"], sums["squared"], -1.0)
        told["calibration"] = {"n": n, **shares, "gap_interval": gap, **brier}
    if n := int(sums["numbers"]):
        errors = {"mae": sums["absolute"] / n, "bias": sums["residual"] / n, "rmse": math.sqrt(sums["square"] / n)}
        told["regression"] = {"n": n, **errors, **_intervals(n, sums)}
    if n := int(sums["stated"]):
        inside = n - int(sums["missed"])
        told["regression"]["coverage"] = {
            "n": n, "count": inside, "share": inside / n, "interval": list(clopper_pearson(inside, n))
        }  # fmt: skip
    return told


def _of_classes(cells: Sequence[Cell], names: Sequence[str], labelled: int) -> dict[str, Any]:
    """Precision, recall and F1 of each class, and what is taken for what."""
    confusion: dict[tuple[int, int], int] = {}
    for cell in cells:
        for place, count in cell.confusion.items():
            confusion[place] = confusion.get(place, 0) + count
    named = [*names, *[OTHER] * (CLASSES + 1 - len(names))]
    classes = []
    for code, name in enumerate(names):
        predicted = sum(count for (one, _), count in confusion.items() if one == code)
        true = sum(count for (_, other), count in confusion.items() if other == code)
        hits = confusion.get((code, code), 0)
        if predicted or true:
            counts = {"predicted": predicted, "true": true, "correct": hits}
            classes.append({"class": name, **counts, **_shares(hits, predicted, true)})
    shown = sorted(confusion.items(), key=lambda one: (-one[1], one[0]))
    return {
        "classes": classes,
        "confusion": [
            {"predicted": named[one], "true": named[other], "count": count, "share": count / labelled}
            | ({"interval": list(clopper_pearson(count, labelled))} if place < SHOWN else {})
            for place, ((one, other), count) in enumerate(shown)
        ],
    }


def _shares(hits: int, predicted: int, true: int) -> dict[str, Any]:
    """Precision, recall and F1 of a class with exact intervals. F1 is 2 q / (1 + q), where q is the share of hits in
    all that are predicted or truly the class.
    """
    told: dict[str, Any] = {}
    for name, n in (("precision", predicted), ("recall", true)):
        told[name] = hits / n if n else None
        told[f"{name}_interval"] = list(clopper_pearson(hits, n)) if n else None
    either = clopper_pearson(hits, predicted + true - hits)
    told["f1"] = 2 * hits / (predicted + true)
    return {**told, "f1_interval": [2 * end / (1 + end) for end in either]}


def around(n: int, total: float, squares: float, least: float = 0.0) -> list[float] | None:
    """The 95 % interval of a mean, by the normal distribution and not below `least`; None of fewer than two values, or
    where squares are beyond all numbers.

    >>> around(101, 50.5, 50.5), around(1, 1.0, 1.0)
    ([0.4020018007729973, 0.5979981992270027], None)
    """
    mean = total / n
    variance = squares / n - mean * mean
    if n < 2 or not math.isfinite(variance) or variance < -CLOSE * mean * mean:  # Of before squares were counted.
        return None
    half = DEVIATE * math.sqrt(max(variance, 0.0) / (n - 1))
    return [max(mean - half, least), mean + half]


def _intervals(n: int, sums: Mapping[str, float]) -> dict[str, Any]:
    """Of the errors of numbers."""
    square = around(n, sums["square"], sums["fourth"])
    return {
        "mae_interval": around(n, sums["absolute"], sums["square"]),
        "bias_interval": around(n, sums["residual"], sums["square"], -math.inf),
        "rmse_interval": None if square is None else [math.sqrt(end) for end in square],
    }
