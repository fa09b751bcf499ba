"""The 0/1 values of members: each event says of every member that its group knows by then whether it has it.

A member first seen at an event counts from that event on. Where members are texts of which each event has one, it was 0
before, however late it comes: so it learns from that, and what is new stands out.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from detectors.compiled import CompiledHistory, CompiledReference
from detectors.history import History
from detectors.reference import Reference
from schemas.events.batch import Batch
from streamer.signals.columns import F64, I64, Column, Groups, Observed, dense
from streamer.signals.grammar import Signal
from streamer.signals.observe import Observe

PAST_MAX = 20_000
"""Zeros of a late member behind those that make its reference: with more a detector sees no more."""


class Members(Protocol):
    """What is asked of a table of members."""

    signal: Signal
    observe: Observe | None
    many: bool  # texts of which each event has one
    keys: list[tuple[tuple[str, ...], str]]
    members: dict[tuple[str, ...], list[int]]
    pinned: dict[int, dict[str, Any]]
    dropped: int
    reference: Reference | CompiledReference
    history: History | CompiledHistory

    def row(self, group: tuple[str, ...], member: str) -> int:
        """The row of a key, made when it is new; -1 when the table is full."""


def indicators(table: Members, batch: Batch, groups: Groups) -> Column:
    """0/1 for every member a group knows by then: a member first seen at an event counts from that event on."""
    assert table.observe is not None
    seen = table.observe(batch, groups, table.signal.takes)
    speaking = np.flatnonzero(groups.of_event >= 0) if table.signal.spec.every_event else seen.event
    if not len(speaking):
        return Column(speaking, np.zeros(0), speaking)
    if not table.signal.whole:
        own = np.array([table.signal.takes(m) for m in seen.members], bool)[seen.member]
        seen = seen._replace(
            event=seen.event[own], group=seen.group[own], member=seen.member[own], value=seen.value[own]
        )
    starts: dict[int, int] = {}
    rows = _rows_of_members(table, seen, groups, speaking, starts)
    group_of = groups.of_event[speaking]
    parts = [
        _matrix(table, groups, g, speaking[group_of == g], seen, rows, starts) for g in group_of[dense(group_of)[1]]
    ]
    past = _past(table, groups, speaking, starts) if table.many and starts else []
    length = sum(len(rows) for rows, *_ in past)
    rows_of, values, events = (np.concatenate(arrays) for arrays in zip(*past, *parts, strict=True))
    return Column(rows_of, values, events, past=length)


def _past(table: Members, groups: Groups, speaking: I64, starts: dict[int, int]) -> list[tuple[I64, F64, I64]]:
    """Zeros for the members that begin in this batch: so often the group had spoken without them."""
    made = len(table.keys) - len(starts)
    most = table.reference.warmup + PAST_MAX
    number, seen = {key: g for g, key in enumerate(groups.keys)}, table.history.heard()[0]
    found = []
    for row, start in starts.items():
        group = table.keys[row][0]
        eldest, events = table.members[group][0], speaking[groups.of_event[speaking] == number[group]]
        n = int(np.searchsorted(events, start))
        if eldest < made:
            n += most if eldest in table.pinned else table.reference.at(eldest).n + int(seen[eldest])
        else:
            n -= int(np.searchsorted(events, starts[eldest]))
        n = min(n, most)
        found.append((np.full(n, row), np.zeros(n), np.full(n, start)))
    return found


def _rows_of_members(table: Members, seen: Observed, groups: Groups, speaking: I64, starts: dict[int, int]) -> I64:
    """The row of each observation; `starts` receives the first event of the rows made here."""
    known = len(table.keys)
    if not table.signal.every:
        for i in dense(groups.of_event[speaking])[1]:
            row = table.row(groups.keys[groups.of_event[speaking[i]]], table.signal.path)
            if row >= known:
                starts[row] = int(speaking[i])
    if not len(seen.event):
        return np.zeros(0, np.int64)
    inverse, first = dense(seen.group * len(seen.members) + seen.member)
    row_of = np.empty(len(first), np.int64)
    for j, i in enumerate(first):
        row_of[j] = row = table.row(groups.keys[seen.group[i]], seen.members[seen.member[i]])
        if row >= known:
            starts.setdefault(row, int(seen.event[i]))
    rows = row_of[inverse]
    table.dropped += int(np.count_nonzero(rows < 0))
    return rows


def _matrix(
    table: Members, groups: Groups, g: int, events: I64, seen: Observed, rows: I64, starts: dict[int, int]
) -> tuple[I64, F64, I64]:
    """What each of a group's events says of each of its members: the rows, the values, the events."""
    members = np.array(table.members.get(groups.keys[g], []), np.int64)
    hit = np.zeros((len(events), len(members)))
    mine = np.flatnonzero((seen.group == g) & (rows >= 0))
    line, column = np.empty(len(groups.of_event), np.int64), np.empty(len(table.keys), np.int64)
    line[events], column[members] = np.arange(len(events)), np.arange(len(members))
    hit[line[seen.event[mine]], column[rows[mine]]] = seen.value[mine]
    if not table.signal.spec.hit_when_seen:
        hit = 1.0 - hit
    if starts.keys().isdisjoint(members.tolist()):
        return np.tile(members, len(events)), hit.ravel(), np.repeat(events, len(members))
    begun = np.array([starts.get(int(r), -1) for r in members], np.int64)
    known = events[:, None] >= begun[None, :]
    return (
        np.broadcast_to(members, hit.shape)[known],
        hit[known],
        np.broadcast_to(events[:, None], hit.shape)[known],
    )
