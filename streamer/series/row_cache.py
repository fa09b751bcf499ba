"""The compiled way from the numbers of a batch to rows of a series table, see `native/src/index.rs`.

It is a cache of the table's own index: groups and members as small numbers, pairs of them as rows. What it does not
know it asks of the table, which alone makes rows.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from schemas.core import native
from schemas.events.batch import I32, I64, Batch
from streamer.signals.columns import Column, Groups
from streamer.signals.grammar import Signal

FULL, BEYOND = -1, -2
"""Instead of a row: the table has no place left, which may change; the group has as many members as it may, whose
further ones are not counted as values without a place.
"""
REFUSED = -2
"""A group that the full table has no place for: its values are counted as dropped without another look."""

SPARE = 10_000
"""Groups and members remembered beyond the table's rows; with more the cache begins from nothing."""


class Rows(Protocol):
    """What the cache asks of the table it is one of."""

    rows_max: int
    dropped: int
    signal: Signal
    keys: list[tuple[tuple[str, ...], str]]
    members: dict[tuple[str, ...], list[int]]

    def row(self, group: tuple[str, ...], member: str) -> int:
        """The row of a key, made when it is new; FULL or BEYOND where there is none."""


class RowCache:
    """Numbers of groups and members, and the compiled index over pairs of them."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        assert native is not None
        self.index: Any = native.RowIndex()
        self.groups: dict[tuple[str, ...], int] = {}
        self.members: dict[str, int] = {}
        self.names: tuple[str, ...] = ()
        self.member_of_name = np.zeros(0, np.int32)

    def numbers(self, table: Rows, batch: Batch, groups: Groups) -> tuple[I32, I32]:
        """The number of each event's group, and of the member that each of the batch's names is; -1 for none."""
        if len(self.groups) + len(self.members) > 2 * table.rows_max + SPARE:
            self.clear()
        known = [*map(self.groups.get, groups.keys), -1]
        if None in known:
            known = [*(self._group(table, key) for key in groups.keys), -1]
        group_of = np.array(known, np.int32)[groups.of_event]
        if batch.names != self.names:
            self.names = batch.names
            self.member_of_name = np.array([self._member(table, name) for name in batch.names], np.int32)
        return group_of, self.member_of_name

    def column(self, table: Rows, batch: Batch, groups: Groups) -> Column:
        """The values this batch gives to the table, in log order; makes rows for new keys."""
        numbers = batch.numbers
        given = *self.numbers(table, batch, groups), numbers.event, numbers.name, numbers.value
        rows, values, events, dropped, unknown = self.index.find(*given)
        if len(unknown):
            self._learn(table, batch, groups, unknown)
            rows, values, events, dropped, _ = self.index.find(*given)
        table.dropped += dropped
        return Column(rows, values, events)

    def learn(self, table: Rows, batch: Batch, groups: Groups, codes: tuple[I32, I32]) -> None:
        """Make rows for the new keys of a batch; `codes` as from `numbers`."""
        numbers = batch.numbers
        *_, unknown = self.index.find(*codes, numbers.event, numbers.name, numbers.value)
        self._learn(table, batch, groups, unknown)

    def _learn(self, table: Rows, batch: Batch, groups: Groups, unknown: I64) -> None:
        numbers = batch.numbers
        for place in unknown.tolist():
            key = groups.keys[groups.of_event[numbers.event[place]]]
            member = batch.names[numbers.name[place]]
            row = table.row(key, member)
            if row >= 0:
                self.index.put(self.groups[key], self.members[member], row)
            elif row == BEYOND:
                self.index.leave_out(self.groups[key], self.members[member])

    def _group(self, table: Rows, key: tuple[str, ...]) -> int:
        number = self.groups.get(key)
        if number is None:
            if len(table.keys) >= table.rows_max and key not in table.members:
                return REFUSED
            number = self.groups[key] = len(self.groups)
        return number

    def _member(self, table: Rows, name: str) -> int:
        if not table.signal.takes(name):
            return -1
        return self.members.setdefault(name, len(self.members))
