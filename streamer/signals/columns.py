"""The columns that flow from a batch to the series: groups of events, and values with their row.

Everything here is independent of where the log was cut into batches: members (feature names, labels) appear in the
order in which the log shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.core import native
from schemas.events.batch import Batch, text_of_event

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


class Groups(NamedTuple):
    """The groups of a batch under one `by`: for each event its group, for each group its key."""

    of_event: I64  # -1 where the event is not used
    keys: list[tuple[str, ...]]


class Column(NamedTuple):
    """What one step feeds to a table: m values with their row and their event's index in the batch.

    `reasons` names why a value is 1: (index of the value, reason), ascending; only anomalies have any. The first `past`
    values are of events before: what a row that has just begun had been until then.
    """

    rows: I64
    values: F64
    events: I64
    reasons: Sequence[tuple[int, str]] = ()
    spans: Sequence[tuple[int, int, int]] = ()  # of an aggregate: where each window begins and ends, and of how many
    past: int = 0


class Observed(NamedTuple):
    """Values found in a batch before they have rows: parallel arrays of m values."""

    event: I64
    group: I64
    member: I64  # index into `members`
    value: F64
    members: list[str]


def dense(codes: I64) -> tuple[I64, I64]:
    """Codes >= 0 renumbered 0.. in order of first appearance, and the index of each code's first appearance."""
    if native is None:
        return numbered(codes)
    return native.group([np.ascontiguousarray(codes, np.int64)], np.ones(len(codes), bool))


def numbered(codes: I64) -> tuple[I64, I64]:
    """The same by numpy: a batch asks some 25 times, for 10 to 50 µs each time."""
    most = int(codes.max(initial=0))
    if most == 0:
        return np.zeros(len(codes), np.int64), np.zeros(min(len(codes), 1), np.int64)
    if most <= 4 * len(codes):  # A table of all codes is cheaper than to sort them.
        first = np.full(most + 1, len(codes))
        first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # With repeated codes the last assignment holds.
        present = np.flatnonzero(first < len(codes))
        present = present[np.argsort(first[present])]
        number = np.empty(most + 1, np.int64)
        number[present] = np.arange(len(present))
        return number[codes], first[present]
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse.reshape(-1)], first[order]


def group(columns: list[I64], used: Bool) -> tuple[I64, I64]:
    """The group of each used event (-1 of the others), and an event of each group: of each tuple of codes (>= -1)."""
    events = np.flatnonzero(used)
    codes = np.zeros(len(events), np.int64)
    for column in columns:
        chosen = column[events] + 1
        codes = numbered(codes)[0] * (int(chosen.max(initial=0)) + 1) + chosen
    number, first = numbered(codes)
    of_event = np.full(len(used), -1, np.int64)
    of_event[events] = number
    return of_event, events[first]


Grouping = Callable[[list[I64], Bool], tuple[I64, I64]]
"""`group`, or its compiled twin, whose numbers of groups may differ: they mean nothing."""


def groups_of(batch: Batch, used: Bool, by: tuple[str, ...], names: Mapping[str, str], grouping: Grouping) -> Groups:
    """Group the used events by model and the `by` fields; an event without such a field has the empty text.

    `names`: the batch's name of a field of `by`, where it is another. The numbers of the groups mean nothing: what
    depends on an order takes that of the events.
    """
    columns = [batch.model.astype(np.int64), *(text_of_event(batch, names.get(field, field)) for field in by)]
    of_event, example = grouping(columns, used)
    strings = (*batch.strings, "")  # -1 is the empty text
    picked = [[strings[code] for code in column[example].tolist()] for column in columns]
    return Groups(of_event, list(zip(*picked, strict=True)))
