"""Whether inferences have their label by the time that labels have come so far: the signal `unlabelled`.

How long that is, is learned of each model from the labels that met their inference, by the clock of the log: PATIENT of
them came sooner, and there is something on top. It is learned by days, of which the newer ones weigh more. Once an
inference is that old it is judged, whenever its model has an event in another CELL of time than before: 1 without a
label, 0 with one. So labels that are late by habit are waited for, and where a part of them stops this part shows, be
it a half, a tenth or what one caller asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from detectors.extremes import DAY_MS
from schemas.events.batch import Batch
from streamer.series.pending import GONE, Pending
from streamer.series.predictions import NOTHING
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, SeriesTable
from streamer.signals.columns import F64, I64, Bool, Column, Groups, dense

CELL_MS = 600_000
EDGES_MS = [int(60_000 * 1.25**step) for step in range(60)]
"""Delays are told apart so far; the longest is more than a year."""
PATIENT = 0.99
LEAST = 50
"""Labels from which on it is known how long they take."""
DAYS_KNOWN = 7
""".. and days since the first of them. Before its first weekend nobody knows that a model has none then: what would be
judged too soon would be what healthy days are like.
"""
FADE = 0.9
"""What a day's labels weigh the next day."""
OF_TTL = 0.95
"""An inference is judged before it is let go."""
NEVER_MS = -1


Keys = Mapping[int, tuple[str, ...]]
"""Of groups by their number: the model, and the values of the fields that labels are split by."""


class Judged(NamedTuple):
    """Inferences that are old enough, in the order of the log; arrays of one length."""

    event: I64  # of the batch: of the same model, by which they are
    group: I64
    value: F64


NOBODY = Judged(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


class Habit:
    """Of a model: how many labels took how long, how far its inferences are judged, and the cell it is in."""

    def __init__(self) -> None:
        self.delays, self.day, self.begun = [0.0] * len(EDGES_MS), 0, 0  # begun: the day of the first label
        self.upto_ms, self.cell = NEVER_MS, 0  # those that came before this clock are judged

    def learn(self, took_ms: int, day: int) -> None:
        """A label, by the day on which it met its inference."""
        self.begun = self.begun or day
        if day > self.day:
            faded = FADE ** min(day - self.day, 365)
            self.delays, self.day = [count * faded for count in self.delays], day
        self.delays[min(bisect_left(EDGES_MS, took_ms), len(EDGES_MS) - 1)] += 1.0

    def patience_ms(self, ttl_ms: int) -> int | None:
        """How long labels are waited for; None where nobody knows yet."""
        upto = list(accumulate(self.delays))
        if upto[-1] < LEAST:
            return None
        step = bisect_left(upto, PATIENT * upto[-1])
        return min(EDGES_MS[min(step + 1, len(EDGES_MS) - 1)], int(OF_TTL * ttl_ms))


class Due:
    """Of one partition: habits of up to so many models, and what was judged in the last batch."""

    def __init__(self, most: int, ttl_ms: int) -> None:
        self.most, self.ttl_ms = most, ttl_ms
        self.habits: dict[str, Habit] = {}
        self.batch: tuple[Batch, I64] | None = None  # the last one, with the clock of each event; not state
        self.learned, self.parts = 0, list[Judged]()  # of it: labels that are learned, and what was judged
        self.keys: dict[int, tuple[str, ...]] = {}

    def begin(self, batch: Batch, inferences: Bool, clock: I64) -> list[int]:
        """Events by which their model is in another cell than before: what is old enough is judged before each."""
        self.batch, self.learned, self.parts, self.keys = (batch, clock), 0, [], {}
        events = np.flatnonzero(inferences)
        events = events[np.argsort(batch.model[events], kind="stable")]
        models, cells = batch.model[events], clock[events] // CELL_MS
        other = np.ones(len(events), bool)
        other[1:] = (models[1:] != models[:-1]) | (cells[1:] != cells[:-1])
        found = []
        for event in np.sort(events[other]).tolist():
            cell = clock.item(event) // CELL_MS
            habit = self._habit(batch.strings[batch.model.item(event)], cell)
            if habit is not None and habit.cell != cell:
                habit.cell = cell
                found.append(event)
        return found

    def _habit(self, model: str, cell: int) -> Habit | None:
        """That of a model; None where there are too many. Who was silent for `ttl` has nothing that waits."""
        if model not in self.habits and len(self.habits) >= self.most:
            oldest = cell - self.ttl_ms // CELL_MS
            self.habits = {name: one for name, one in self.habits.items() if one.cell >= oldest}
            if len(self.habits) >= self.most:
                return None
        return self.habits.setdefault(model, Habit())

    def turn(
        self, event: int | None, found: Sequence[tuple[Any, ...]], known: Keys, store: Pending, keys: Keys
    ) -> None:
        """Before an event, or at the end of the batch: learn from the labels that met their inference so far, which are
        of the groups `known`, and judge what is in the store, of the groups `keys`.
        """
        assert self.batch is not None
        batch, clock = self.batch
        for at, of, *_, time_ms, _ in found[self.learned :]:
            habit = self.habits.get(known[of][0])
            if habit is not None:
                habit.learn(clock.item(at) - time_ms, clock.item(at) // DAY_MS)
        self.learned = len(found)
        if event is not None:
            self._judge(batch.strings[batch.model.item(event)], event, clock.item(event), store, keys)

    def _judge(self, model: str, event: int, clock_ms: int, store: Pending, keys: Keys) -> None:
        """What is old enough by now and was not judged."""
        habit = self.habits[model]
        patience_ms = habit.patience_ms(self.ttl_ms)
        if patience_ms is None or clock_ms // DAY_MS < habit.begun + DAYS_KNOWN:
            return
        begin_ms, end_ms = habit.upto_ms, clock_ms - patience_ms
        habit.upto_ms = max(begin_ms, end_ms)
        if begin_ms == NEVER_MS or end_ms <= begin_ms:
            return
        first = store.since(begin_ms, store.first)
        rows = store.rows(first, store.since(end_ms, first), ("group", "kind"))
        group = rows.columns["group"].astype(np.int64)
        mine = {of: keys[of] for of in np.unique(group).tolist() if of in keys and keys[of][0] == model}
        chosen = np.isin(group, [*mine]) & (rows.marks != GONE) & (rows.columns["kind"] != NOTHING)
        self.keys |= mine
        group, without = group[chosen], rows.marks[chosen] == 0
        self.parts.append(Judged(np.full(len(group), event), group, without.astype(np.float64)))

    @property
    def judged(self) -> Judged:
        """In the last batch."""
        return Judged(*map(np.concatenate, zip(NOBODY, *self.parts, strict=True)))

    def forget(self, models: Collection[str]) -> None:
        for model in models:
            self.habits.pop(model, None)

    def join(self, other: Due, models: Collection[str], later_ms: int) -> None:
        """Go on with these models of another partition, whose clock is so much behind."""
        for model in [model for model in other.habits if model in models]:
            self.habits[model] = habit = other.habits[model]
            if habit.upto_ms != NEVER_MS:
                habit.upto_ms = max(habit.upto_ms + later_ms, 0)

    def dump(self) -> Any:
        return [
            [model, list(one.delays), one.day, one.begun, one.upto_ms, one.cell] for model, one in self.habits.items()
        ]

    def load(self, state: Any) -> None:
        for model, delays, *numbers in state:
            self.habits[str(model)] = habit = Habit()
            habit.delays = [float(count) for count in delays]
            habit.day, habit.begun, habit.upto_ms, habit.cell = map(int, numbers)
            if len(habit.delays) != len(EDGES_MS):
                raise ValueError("delays that are told apart otherwise")


class Unlabelled(SourceBase):
    """Makes the signal. It remembers nothing; the labels, which all sources share, do."""

    def __init__(self, table: SeriesTable) -> None:
        self.by = table.by
        self.labels: Any = None  # see `late_labels`

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        due = self.labels.due
        judged = due.judged
        table.begin(batch, np.flatnonzero(groups.of_event >= 0))
        seen = groups.of_event[judged.event] >= 0
        number, member = judged.group[seen], table.signal.path
        at = [0, *(1 + self.labels.by.index(field) for field in self.by)]
        dense_of, first = dense(number)
        keys = [due.keys[of] for of in number[first].tolist()]
        row_of = np.array([table.row(tuple(key[place] for place in at), member) for key in keys], np.int64)
        table.resize()
        rows = row_of[dense_of] if len(row_of) else number
        table.dropped += int(np.count_nonzero(rows < 0))
        kept = rows >= 0
        return Column(rows[kept], judged.value[seen][kept], judged.event[seen][kept])

    def forget(self, models: Collection[str]) -> None:
        if self.labels is not None:
            self.labels.forget(models)
