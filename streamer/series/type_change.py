"""Features that change their type: a number that comes as text from now on, or the other way round.

What a feature's type is its first values say, nearly all of which must agree; of one that is mixed nothing is said.
It is another one when by far the most values are of that: each counts one up and each of the type so far RETURN down,
so that what is mixed, however long, does not flap. Nulls are of no type.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.events.batch import Batch
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, Heard, SeriesTable
from streamer.signals.columns import I64, Bool, Column, Groups, dense
from streamer.signals.kinds import NOW_NUMBER, NOW_TEXT

RUN = 30
"""So many in a row, or more where some are of the type so far."""
RETURN = 4
PURE = 0.01
"""So large a share of the first values may be of the other type."""
FIELDS = ("n", "texts", "kind", "count", "last_ms", "last_offset")
"""Per row: values so far and how many of them were texts, both up to the warm-up; the type, which follows from them;
how sure it is that it is another; time and offset of the last value."""
OPEN, NUMBERS, TEXTS, MIXED = range(4)


class TypeChange(SourceBase):
    """Makes `type_change.NAME`: a value where a feature has turned, NOW_TEXT or NOW_NUMBER, and none elsewhere."""

    def __init__(self, warmup: int) -> None:
        self.warmup = warmup
        self.state = {name: np.zeros(0, np.int64) for name in FIELDS}

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        table.begin(batch, np.flatnonzero(groups.of_event >= 0))
        event, name, text = _typed(batch, groups, table)
        table.taken += len(event)
        left = ~self._settled(batch, groups, table, event, name, text)
        event, name, text = event[left], name[left], text[left]
        order = np.argsort(event, kind="stable")
        event, name, text = event[order], name[order], text[order]
        rows = self._rows(batch, groups, table, event, name)
        order = np.argsort(rows, kind="stable")
        order = order[np.searchsorted(rows[order], 0) :]
        rows, events, texts = rows[order], event[order], text[order]
        begins = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]]) if len(rows) else np.zeros(0, np.int64)
        ends = np.append(begins[1:], len(rows))[: len(begins)]
        self._hear(batch, rows[begins], events[ends - 1])
        found = [
            (events.item(begin + place), row, value)
            for row, begin, end in zip(rows[begins].tolist(), begins.tolist(), ends.tolist(), strict=True)
            for place, value in self._turns(row, texts[begin:end])
        ]
        refused = len(event) - len(rows)
        table.dropped += refused
        table.taken -= refused + len(found)  # What is told counts when it is judged.
        found.sort()
        at, of_row, values = zip(*found, strict=True) if found else ((), (), ())
        return Column(np.array(of_row, np.int64), np.array(values, np.float64), np.array(at, np.int64))

    def _settled(self, batch: Batch, groups: Groups, table: SeriesTable, event: I64, name: I64, text: Bool) -> Bool:
        """Which values say nothing new: nearly all, so no order is made of them. They are heard here."""
        inverse, first, keys = _different(batch, groups, event, name)
        rows = np.array([table.index.get(key, -1) for key in keys], np.int64)
        texts = np.bincount(inverse, text, len(first))
        counts = np.bincount(inverse, minlength=len(first))
        state, some = self.state, rows >= 0
        kind, sure = np.full(len(first), OPEN), np.zeros(len(first), bool)
        kind[some], sure[some] = state["kind"][rows[some]], state["count"][rows[some]] == 0
        pure = ((kind == NUMBERS) & (texts == 0)) | ((kind == TEXTS) & (texts == counts))
        quiet = (sure & pure) | (kind == MIXED)
        last = np.zeros(len(first), np.int64)
        np.maximum.at(last, inverse, event)
        self._hear(batch, rows[quiet], last[quiet])
        found: Bool = quiet[inverse] if len(first) else np.zeros(0, bool)
        return found

    def _rows(self, batch: Batch, groups: Groups, table: SeriesTable, event: I64, name: I64) -> I64:
        """The row of each value, those of new features in the order in which the log shows them; -1 without a place."""
        inverse, _, keys = _different(batch, groups, event, name)
        rows = np.array([table.row(*key) for key in keys], np.int64)
        table.resize()
        self._resize(len(table.keys))
        return rows[inverse] if len(rows) else rows

    def _hear(self, batch: Batch, rows: I64, events: I64) -> None:
        self.state["last_ms"][rows], self.state["last_offset"][rows] = batch.times_ms[events], batch.offsets[events]

    def _turns(self, row: int, texts: Bool) -> list[tuple[int, float]]:
        """Where among these values of a row it turned, and to what."""
        state = self.state
        learned = min(self.warmup - state["n"].item(row), len(texts))
        if learned > 0:
            state["n"][row] += learned
            state["texts"][row] += np.count_nonzero(texts[:learned])
            if state["n"][row] >= self.warmup:
                state["kind"][row] = self._kind(state["texts"].item(row) / self.warmup)
        kind, count = state["kind"].item(row), state["count"].item(row)
        rest = texts[max(learned, 0) :]
        if kind in (OPEN, MIXED):
            return []
        found = []
        for place, text in enumerate(rest.tolist(), len(texts) - len(rest)):
            count = count + 1 if text != (kind == TEXTS) else max(count - RETURN, 0)
            if count >= RUN:
                kind, count = (TEXTS, 0) if text else (NUMBERS, 0)
                found.append((place, NOW_TEXT if text else NOW_NUMBER))
        state["kind"][row], state["count"][row] = kind, count
        return found

    def _kind(self, share: float) -> int:
        return NUMBERS if share <= PURE else TEXTS if share >= 1.0 - PURE else MIXED

    def _resize(self, rows: int) -> None:
        fresh = np.zeros(max(rows - len(self.state["n"]), 0), np.int64)
        if len(fresh):
            self.state = {name: np.concatenate([values, fresh]) for name, values in self.state.items()}

    def heard(self, table: SeriesTable) -> Heard:
        return self.state["last_ms"], self.state["last_offset"]

    def retain(self, rows: I64, table: SeriesTable) -> None:
        self.state = {name: values[rows] for name, values in self.state.items()}

    def dump(self) -> Any:
        return {name: values.copy() for name, values in self.state.items()}

    def load(self, state: Any) -> None:
        self.state = {name: np.array(state[name], np.int64) for name in FIELDS}
        n, kind = self.state["n"], self.state["kind"]
        sizes = {len(values) for values in self.state.values()}
        if len(sizes) != 1 or (n < 0).any() or (n > self.warmup).any() or (kind < OPEN).any() or (kind > MIXED).any():
            raise ValueError("invalid types of features")


def _different(
    batch: Batch, groups: Groups, event: I64, name: I64
) -> tuple[I64, I64, list[tuple[tuple[str, ...], str]]]:
    """Of each value which of the different features of groups it is of; of these the first value, and the key."""
    inverse, first = dense(groups.of_event[event] * len(batch.names) + name)
    pairs = zip(groups.of_event[event[first]].tolist(), name[first].tolist(), strict=True)
    return inverse, first, [(groups.keys[group], batch.names[n]) for group, n in pairs]


def _typed(batch: Batch, groups: Groups, table: SeriesTable) -> tuple[I64, I64, Bool]:
    """Event, name and whether it is a text of each value of a feature that is meant: the numbers before the texts."""
    wanted = np.array([table.signal.takes(name) for name in batch.names] or [False], bool)
    tables = batch.numbers, batch.texts
    event, name = (np.concatenate([t[i] for t in tables]).astype(np.int64) for i in (0, 1))
    text = np.repeat([False, True], [len(t.event) for t in tables])
    chosen = wanted[name] & (groups.of_event[event] >= 0)
    return event[chosen], name[chosen], text[chosen]
