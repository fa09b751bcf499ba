"""Labels, and the inferences that labels are waited for, when their model moves to another partition.

What is open there goes on waiting here, for as long as it would have: by when it came as counted back from the clock of
its partition. What is closed by now stays behind and is counted there; of what is more than there is room for here the
newest stay. All counts stay where they are: of labels that wait `moved` says how many came and went.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from streamer.series.labels import CLASSES_MAX, Labels
from streamer.series.pending import CAME, Pending, Rows
from streamer.series.predictions import CLASS, NOTHING, model_hash
from streamer.signals.columns import Bool


def models_of(labels: Labels) -> set[str]:
    """The models that something of waits."""
    return {*(key[0] for key in labels.numbers), *labels.models.values()}


def leave(labels: Labels, models: Collection[str], lost: Collection[str] = ()) -> None:
    """Forget these models: another partition goes on with them, but for the `lost` ones."""
    early, waiting = _open(labels)
    goes, nobody = _of_early(early, models), _of_early(early, lost)
    labels.moved -= int(np.count_nonzero(goes & ~nobody & (early.marks == 0)))
    labels.results["unmatched"] += int(np.count_nonzero(nobody & (early.marks == 0)))
    labels.inferences["displaced"] += int(np.count_nonzero(_of_waiting(labels, waiting, lost) & (waiting.marks == 0)))
    stays = ~_of_waiting(labels, waiting, models)
    labels.forget(models)
    _hold(labels, early.of(~goes), waiting.of(stays))
    if labels.performance is not None:
        labels.performance.leave(models)


def join(labels: Labels, other: Labels, models: Collection[str]) -> None:
    """Go on with these models of another partition, of which nothing waits here. Of the other all counts change."""
    early, waiting = _open(labels)
    more, further = _open(other)
    more, further = more.of(_of_early(more, models)), further.of(_of_waiting(other, further, models))
    labels.moved += int(np.count_nonzero(more.marks == 0))
    labels.models |= {model: name for model, name in other.models.items() if name in models}
    _name(labels, other, more, further)
    number = np.full(other.groups + 1, -1, np.int64)  # The last one is that of none.
    for of, key in other.keys.items():
        if key[0] in models:
            number[of] = labels.numbers[key] = labels.groups
            labels.keys[labels.groups], labels.groups = key, labels.groups + 1
    further.columns["group"] = number[further.columns["group"]].astype(np.int32)
    clock_ms = labels.clock_ms or other.clock_ms
    parts = (labels, early, waiting), (other, more, further)
    for one, *stores in parts:
        for rows, begun_ms in zip(stores, (one.early.begun_ms, one.waiting.begun_ms), strict=True):
            came = np.maximum(rows.columns[CAME], begun_ms) + clock_ms - one.clock_ms
            rows.columns[CAME] = np.maximum(came, 0)
    labels.early.begun_ms = max(min(one.early.begun_ms + clock_ms - one.clock_ms for one, *_ in parts), 0)
    labels.clock_ms = clock_ms
    early, displaced = _newest(labels.early, early.merged(more))
    labels.results["unmatched"] += displaced
    waiting, displaced = _newest(labels.waiting, waiting.merged(further))
    labels.inferences["displaced"] += displaced
    _hold(labels, early, waiting)
    if labels.performance is not None and other.performance is not None:
        labels.performance.join(other.performance, models)
    if labels.calibrations is not None and other.calibrations is not None:
        labels.calibrations.join(other.calibrations, models)
    if labels.due is not None and other.due is not None:
        labels.due.join(other.due, models, clock_ms - other.clock_ms)


def _open(labels: Labels) -> tuple[Rows, Rows]:
    """Labels and inferences that are open; all others are counted."""
    labels.settle(labels.clock_ms)
    store = labels.waiting
    border = store.border(labels.clock_ms, store.first)
    closed = store.rows(store.first, border)
    left, young = closed.marks == 0, closed.columns[CAME] >= store.oldest_ms(labels.clock_ms)
    labels.inferences["displaced"] += int(np.count_nonzero(left & young))
    labels.inferences["expired"] += int(np.count_nonzero(left & ~young))
    return labels.early.rows(labels.settled, labels.early.end), store.rows(border, store.end)


def _of_early(rows: Rows, models: Collection[str]) -> Bool:
    found: Bool = np.isin(rows.columns["model"], _hashes(models))
    return found


def _of_waiting(labels: Labels, rows: Rows, models: Collection[str]) -> Bool:
    """Those of a group of these models; those without a place by their model."""
    groups = [of for of, key in labels.keys.items() if key[0] in models]
    columns = rows.columns
    placeless = (columns["group"] < 0) & (columns["kind"] == NOTHING)
    found: Bool = np.isin(columns["group"], np.array(groups, np.int64))
    found |= placeless & np.isin(columns["prediction"], _hashes(models))
    return found


def _hashes(models: Collection[str]) -> Any:
    return np.array([model_hash(name) for name in models], np.uint64)


def _name(labels: Labels, other: Labels, early: Rows, waiting: Rows) -> None:
    """Classes of what waits, which nobody names again."""
    predicted = waiting.columns["prediction"][waiting.columns["kind"] == CLASS]
    needed = {*predicted.tolist(), *early.columns["truth"].tolist()}
    for code, text in other.classes.items():
        if code in needed and len(labels.classes) < CLASSES_MAX:
            labels.classes.setdefault(code, text)


def _newest(store: Pending, rows: Rows) -> tuple[Rows, int]:
    """Those that there is room for, and how many of the others wait in vain."""
    border = max(len(rows.marks) - store.most, 0)
    return rows.of(slice(border, None)), int(np.count_nonzero(rows.marks[:border] == 0))


def _hold(labels: Labels, early: Rows, waiting: Rows) -> None:
    labels.early.refill(early)
    labels.waiting.refill(waiting)
    labels.settled = 0
    present = {*np.unique(early.columns["model"]).tolist()}
    labels.models = {model: name for model, name in labels.models.items() if model in present}
    labels.count_groups()
