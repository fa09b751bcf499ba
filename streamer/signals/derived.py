"""Numbers that no field of an event holds but several of them make: one entry of DERIVED each, and ratios by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from schemas.events.batch import Batch, Numbers

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

SCORES = "prediction.scores."
RATIO = re.compile(r"ratio\(\s*(\S+)\s*,\s*(\S+)\s*\)").fullmatch

EventValues = tuple[I64, F64]
"""Events, ascending, and the value of each."""


def scores_of(batch: Batch) -> EventValues:
    """Events and values of all scores."""
    chosen = np.array([name.startswith(SCORES) for name in batch.names], bool)
    mine = chosen[batch.numbers.name] if len(chosen) else np.zeros(0, bool)
    return batch.numbers.event[mine].astype(np.int64), batch.numbers.value[mine]


def entropy(batch: Batch) -> EventValues:
    """Shannon's entropy of the scores in bits, each over their sum; scores below 0 count as 0."""
    events, values = scores_of(batch)
    present = np.unique(events)
    place, values = np.searchsorted(present, events), np.maximum(values, 0.0)
    total = np.bincount(place, values, len(present))
    share: F64 = values / np.where(total > 0.0, total, 1.0)[place]
    each: F64 = -share * np.log2(np.where(share > 0.0, share, 1.0))
    bits = np.bincount(place, each, len(present)).astype(np.float64)
    some = (total > 0.0) & np.isfinite(total)
    return present[some], bits[some]


def margin(batch: Batch) -> EventValues:
    """The greatest score less the second, of events with two or more, where it is finite."""
    events, values = scores_of(batch)
    order = np.lexsort((-values, events))
    events, values = events[order], values[order]
    first = np.flatnonzero(np.r_[True, events[1:] != events[:-1]]) if len(events) else np.zeros(0, np.int64)
    pairs = first[np.diff(np.r_[first, len(events)]) >= 2]
    with np.errstate(over="ignore"):
        apart: F64 = values[pairs] - values[pairs + 1]
    some = np.isfinite(apart)
    return events[pairs][some], apart[some]


DERIVED: dict[str, Callable[[Batch], EventValues]] = {"entropy": entropy, "margin": margin}


def ratio(above: str, below: str) -> Callable[[Batch], EventValues]:
    """The quotient of two numbers of an event, where it has both and the quotient is finite."""

    def compute(batch: Batch) -> EventValues:
        one, two = _column(batch, above), _column(batch, below)
        events, left, right = np.intersect1d(one[0], two[0], assume_unique=True, return_indices=True)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            values = one[1][left] / two[1][right]
        some = np.isfinite(values)
        return events[some], values[some]

    return compute


def _column(batch: Batch, name: str) -> EventValues:
    if name not in batch.names:
        return np.zeros(0, np.int64), np.zeros(0)
    mine = batch.numbers.name == batch.names.index(name)
    return batch.numbers.event[mine].astype(np.int64), batch.numbers.value[mine]


def enriched(batch: Batch, wanted: Mapping[str, Callable[[Batch], EventValues]]) -> Batch:
    """The batch with the wanted numbers beside its own, each under its name."""
    if not wanted:
        return batch
    own = batch.numbers
    events, names, values = [own.event.astype(np.int64)], [own.name.astype(np.int64)], [own.value]
    for number, compute in enumerate(wanted.values(), len(batch.names)):
        event, value = compute(batch)
        events.append(event)
        names.append(np.full(len(event), number))
        values.append(value)
    event = np.concatenate(events)
    order = np.argsort(event, kind="stable")
    numbers = Numbers(
        event[order].astype(np.int32), np.concatenate(names)[order].astype(np.int32), np.concatenate(values)[order]
    )
    return replace(batch, names=(*batch.names, *wanted), numbers=numbers)
