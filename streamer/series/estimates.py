"""The error of a window before its labels come, and its groups side by side: from what was predicted, and how surely.

Counted is by predicted class and cell of confidence (`detectors/confidence.py`), which is all that an estimate needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detectors.confidence import CELLS, calibration_error
from detectors.estimated_error import BLIND, Estimate, Share, confusion, estimated
from detectors.fairness import rate, ratio
from streamer.series.calibrations import ANY, Calibrations, Group
from streamer.series.predictions import CLASS
from streamer.signals.columns import F64, I64

UNSURE = CELLS
"""Stands for a cell where a class has no confidence from 0 to 1."""
CLASSES_SAID = 32
"""Predicted classes of a window of a finest group that are counted one by one; further ones are OTHERS."""
OTHERS = 0
SELECTED = 4
"""Classes whose selection is compared between groups: the most frequent ones."""

WHY_NOT = {
    "regression": "No loss is estimated of predictions that are numbers: what is rare and large is not among the "
    "labelled, so no interval would hold it often enough.",
    "no_room": "There are more groups than calibrations have a place for.",
    "no_confidence": "A prediction without a confidence from 0 to 1 says nothing of its own error.",
    "no_prediction": "They predict nothing that a label could be compared with.",
}
"""Why nothing is estimated of inferences."""

Spoken = dict[int, dict[int, int]]
"""By hash of the predicted class, by cell: how many."""


def cells_said(kind: I64, confidence: F64, cells: I64) -> I64:
    """The cell of each inference; -1 of those that predict no class."""
    sure = (confidence >= 0.0) & (confidence <= 1.0)
    found: I64 = np.where(kind == CLASS, np.where(sure, cells, UNSURE), -1)
    return found


def speak(spoken: Spoken, code: int, cell: int, count: int) -> None:
    """Count predictions."""
    if code not in spoken and len(spoken) >= CLASSES_SAID:
        code = OTHERS
    cells = spoken.setdefault(code, {})
    cells[cell] = cells.get(cell, 0) + count


def hushed(spoken: Spoken) -> Spoken:
    """Of a window whose estimate is made only how many there were of each class."""
    return {code: {UNSURE: sum(cells.values())} for code, cells in spoken.items()}


def by_class(parts: Sequence[Spoken]) -> dict[int, int]:
    """How many predictions of each class there are."""
    found: dict[int, int] = {}
    for spoken in parts:
        for code, cells in spoken.items():
            found[code] = found.get(code, 0) + sum(cells.values())
    return found


def estimate_facts(
    split: tuple[str, ...], group: Group, parts: Sequence[Spoken], learned: Calibrations, texts: Mapping[int, str]
) -> dict[str, Any] | None:
    """The estimated error of a group, by its own calibration; None without one, or without confidence."""
    windows: dict[int, I64] = {}
    for spoken in parts:
        for code, cells in spoken.items():
            window = windows.setdefault(code, np.zeros(CELLS + 1, np.int64))
            window[[*cells]] += [*cells.values()]
    own = learned.newest((split, group, ANY))
    if own is None or not windows:
        return None
    found = estimated([(own, sum(windows.values(), np.zeros(CELLS + 1, np.int64))[:CELLS])])
    if found is None:
        return None
    version = {"version": own.version, "pairs": own.pairs, "error": calibration_error(own), "brier": own.brier}
    told = {"n": found.n, **_share(Share(found.error, found.low, found.high)), "unseen": found.unseen}
    told |= {"calibration": version, "text": BLIND}
    by_label = {} if split else _by_label(group, windows, learned, texts)
    if by_label:
        told["confusion"] = [
            {"predicted": label, "right": _share(right), "wrong": _share(wrong)}
            for label, (right, wrong) in sorted(confusion(by_label).items())
        ]
    return told


def unestimated(
    split: tuple[str, ...], group: Group, parts: Sequence[Spoken], learned: Calibrations, others: Mapping[str, int]
) -> list[list[Any]]:
    """Which inferences of a window have no estimate: reason, how many, and of few labels how many there were and how
    many it takes. Of `others`, numbers and those that predict nothing, it is given how many there are.
    """
    unsure = sum(cells.get(UNSURE, 0) for spoken in parts for cells in spoken.values())
    found: list[list[Any]] = [["regression", others["numbers"]]]
    if learned.newest((split, group, ANY)) is None:
        needed, sure = learned.needed((split, group, ANY)), sum(by_class(parts).values()) - unsure
        found.append(["no_room", sure] if needed is None else ["few_labels", sure, *needed])
    found += [["no_confidence", unsure], ["no_prediction", others["nothing"]]]
    return [one for one in found if one[1] > 0]


def reasons_told(left: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """The same as records have it, in sentences."""
    return [
        {"reason": reason, "n": n, "text": few_labels(*more) if more else WHY_NOT[reason]} for reason, n, *more in left
    ]


def few_labels(had: int, needed: int) -> str:
    return f"Confidence is not calibrated yet: that takes {needed:,} labels of the group, and {had:,} were there."


def _by_label(
    group: Group, windows: Mapping[int, I64], learned: Calibrations, texts: Mapping[int, str]
) -> dict[str, Estimate]:
    """Of each predicted class; of none where one is not known, as the shares are to add up."""
    found = {}
    for code, window in windows.items():
        if window[:CELLS].any():
            own = learned.newest(((), group, code))
            estimate = None if own is None or code not in texts else estimated([(own, window[:CELLS])])
            if estimate is None:
                return {}
            found[texts[code]] = estimate
    return found


def _share(share: Share) -> dict[str, Any]:
    return {"share": share.share, "interval": [share.low, share.high]}


def _ratio(share: Share | None) -> dict[str, Any] | None:
    return None if share is None else {"value": share.share, "interval": [share.low, share.high]}


def fairness_facts(
    mine: tuple[Mapping[int, int], int, int], others: tuple[Mapping[int, int], int, int], texts: Mapping[int, str]
) -> dict[str, Any] | None:
    """A group beside all others of its model and window; of either: predictions by class, labelled classes, those
    wrong. None where there are no others.
    """
    (said, labelled, wrong), (said_others, labelled_others, wrong_others) = mine, others
    n, n_others = sum(said.values()), sum(said_others.values())
    if not n or not n_others:
        return None
    total = {code: said.get(code, 0) + said_others.get(code, 0) for code in [*said, *said_others]}
    named = sorted((-count, texts[code], code) for code, count in total.items() if code in texts)
    selection = []
    for _, text, code in named[:SELECTED]:
        hits, hits_others = said.get(code, 0), said_others.get(code, 0)
        beside = _ratio(ratio(hits, n, hits_others, n_others))
        selection.append({"class": text, "count": hits, **_share(rate(hits, n)), "ratio": beside})
    told: dict[str, Any] = {"n": n, "others": n_others, "selection": selection}
    error = _ratio(ratio(wrong, labelled, wrong_others, labelled_others))
    return told if error is None else {**told, "error": {"ratio": error}}
