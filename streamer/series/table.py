"""Series tables: which row of the banks a value belongs to, its reference, and its recent history.

One table per distinct (signal, by, model filter); monitors on the same signal share its rows and its reference.
Rows are created in the order in which the log shows their keys, so the table depends on the log alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import renumbered
from detectors.compiled import CompiledHistory, CompiledReference
from detectors.history import NO_MARKS, History
from detectors.last_change import Asked, Change
from detectors.reference import Judged, Learned, Reference
from schemas.events.batch import Batch
from streamer.config.reference_file import Space
from streamer.series.indicators import indicators
from streamer.series.living import Living
from streamer.series.row_cache import BEYOND, FULL, RowCache
from streamer.series.tails import FLAT, TOLERANCE, Tails
from streamer.series.turnover import Turnover
from streamer.signals.categories import CODES, SHARE_OTHER, SHARE_UNSEEN, UNSEEN, Categories, texts_under
from streamer.signals.checks import Checks
from streamer.signals.columns import F64, I64, Bool, Column, Grouping, Groups, dense, groups_of
from streamer.signals.grammar import BY_PATHS, Signal
from streamer.signals.models import Models, of_models, told_models
from streamer.signals.observe import observe_invalid, observe_numbers

BEYOND_MAX = 1000
"""Names per group that are remembered for no more than to count them."""

Group = tuple[str, ...]
"""Model and `by` values."""
Key = tuple[Group, str]
"""(group key, member: name of the value)."""
Heard = tuple[I64, I64]
"""Of each row event time and offset of its last value; of one without any zeros."""


class TableId(NamedTuple):
    """Monitors with the same table id share rows, reference and history."""

    signal: Signal
    by: tuple[str, ...]
    models: Models


ColumnsSoFar = Mapping[TableId, tuple[Column, Judged]]
"""What the tables before have of the same batch."""

Samples = Sequence[tuple[int, F64]]
"""Rows, each with the values of its warm-up in the order of the log."""


class TableParts(NamedTuple):
    """What a table is made of, in Python or compiled; see `streamer/engine/engines.py`."""

    reference: Callable[[int, bool, bool], Reference | CompiledReference]  # warm-up, standardise, keep samples
    history: Callable[[], History | CompiledHistory]
    row_cache: Callable[[], RowCache] | None  # the compiled way from numbers to rows
    grouping: Grouping


class SeriesTable:
    """Rows of one signal. `rows_max` bounds them, see `Turnover`; values of keys beyond it are counted in `dropped`."""

    def __init__(
        self,
        table_id: TableId,
        warmup: int,
        rows_max: int,
        parts: TableParts,
        checks: Checks | None = None,
        given: str = "",
        sampled: bool = False,
    ) -> None:
        """`sampled`: somebody wants the samples of the warm-ups, see `completed`."""
        self.parts, self.given = parts, given  # `given`: hash of the file of references, empty without one
        self.id = table_id
        self.signal, self.by, self.models = table_id
        self.who = told_models(self.models)
        self.checks = (checks or {}) if self.signal.kind == "invalid" else {}
        self.observe = observe_invalid(self.checks) if self.checks else self.signal.spec.observe
        self.rows_max = rows_max
        self.index: dict[Key, int] = {}
        self.keys: list[Key] = []
        self.members: dict[tuple[str, ...], list[int]] = {}
        self.turnover = Turnover(rows_max, warmup)
        self.taken, self.dropped, self.evicted = 0, 0, 0  # values with a row, values without, rows given to others
        self.pinned: dict[int, dict[str, Any]] = {}  # rows whose reference a file gave, and what it says
        self.unpinned: dict[int, None] = {}  # those that learned anew since, for another level was accepted
        self.spaces: dict[Group, Space] = {}  # of distances: the shapes that a file gave
        self.began: dict[int, int] = {}  # of those: the offset of their first value
        self.since: int | None = None  # offset of the first event that a rule remembers something of
        self.living = Living()
        self.many = self.signal.every and self.signal.spec.members_max is not None
        # Tables whose references the values depend on: one that comes late knows of the others how long they are there.
        self.origins: tuple[SeriesTable, ...] = (self,) if self.many else ()
        self.beyond: dict[Group, dict[str, None]] = {}  # names of those that have no row of their own
        self.row_cache = parts.row_cache() if parts.row_cache is not None else None
        self.reference = parts.reference(warmup, self.signal.scaled, sampled)
        share = SHARE_UNSEEN if self.signal.kind == "unseen" else SHARE_OTHER
        self.categories = Categories(warmup, share, self.signal.kind == "category") if self.signal.text else None
        self.tails: Tails | None = None  # see `widen`
        self.final: dict[int, Learned] = {}  # references that change no more, of the rows that were asked for
        self.history = parts.history()

    @property
    def identity(self) -> str:
        """Stable name of the table's state in a snapshot: the same text means the same meaning of its rows."""
        kind, path, every = self.signal.kind, self.signal.path, self.signal.every
        path += self.signal.pattern  # Not what is excluded: the rest of the state means what it did.
        path += f"@{self.signal.window_ms}" if self.signal.window_ms else ""
        path += f"/{self.signal.least}" if self.signal.least > 1 else ""
        parts = (kind, path, every, ",".join(self.by), self.who or "*", self.reference.warmup, self.given)
        return "|".join(map(str, (*parts, *(f"{name}={check}" for name, check in self.checks.items()))))

    def begin(self, batch: Batch, events: I64) -> None:
        """Note where what a rule remembers begins: with the first of these events, unless it began before."""
        if self.since is None and len(events):
            self.since = int(batch.offsets[events[0]])

    def groups(self, batch: Batch, used: Bool) -> Groups:
        """Groups of the batch's used events that pass the model filter."""
        if self.models:
            used = used & of_models(batch, self.models)
        return groups_of(batch, used, self.by, BY_PATHS, self.parts.grouping)

    def wants(self, member: str) -> bool:
        """Whether a row of this member is to be there at all."""
        return not (self.signal.every and self.signal.without) or self.signal.takes(member)

    def row(self, group: tuple[str, ...], member: str) -> int:
        """The row of a key, made when it is new; FULL, or BEYOND what its group may have, where there is none."""
        key = (group, member)
        row = self.index.get(key)
        if row is not None:
            return row
        siblings, others = self.members.setdefault(group, []), self.signal.spec.others
        there = next((self.index[group, one] for one in others if (group, one) in self.index), BEYOND)
        if member not in others and (there >= 0 or len(siblings) >= (self.signal.members_max or inf)):
            names = self.beyond.setdefault(group, {})
            if len(names) < BEYOND_MAX:
                names[member] = None
            # Behind the others there is no room: who comes now may have been among them.
            return there if there >= 0 or not others else self.row(group, others[0])
        if there >= 0:
            return there
        if len(self.keys) >= self.rows_max:
            if not siblings:
                del self.members[group]  # A full table must not grow by the names of groups it does not hold.
            return FULL
        return self._add_key(key)

    def _add_key(self, key: Key) -> int:
        row, siblings = len(self.keys), self.members.setdefault(key[0], [])
        key = (self.keys[siblings[0]][0], key[1]) if siblings else key  # One object for the group of all of them.
        self.index[key] = row
        self.keys.append(key)
        siblings.append(row)
        return row

    def _add_keys(self, keys: Iterable[tuple[Sequence[object], object]]) -> None:
        before, group, names = object(), Group(), dict[str, str]()
        for given, member in keys:
            group = tuple(map(str, given)) if given != before else group
            before, name = given, str(member)
            self._add_key((group, names.setdefault(name, name)))

    def column(self, batch: Batch, groups: Groups) -> Column:
        """The values this batch gives to the table, in log order per row; makes rows for new keys."""
        if self.categories is not None:
            column = self._texts(batch, groups, self.categories)
        elif self.signal.indicator:
            column = indicators(self, batch, groups)
        else:
            column = self._numbers(batch, groups)
        self.resize()
        return column

    def _texts(self, batch: Batch, groups: Groups, categories: Categories) -> Column:
        """The number of each text's category; of an `unseen` signal whether it has none of its own."""
        events, names, texts = texts_under(batch, groups, self.signal)
        if not len(events):
            return Column(events, np.zeros(0), events)
        inverse, first = dense(groups.of_event[events] * (len(batch.names) + 1) + names)
        members = batch.names if self.signal.every else (self.signal.path,)
        row_of = np.array([self.row(groups.keys[groups.of_event[events[i]]], members[names[i]]) for i in first])
        rows = row_of[inverse]
        keep = rows >= 0
        self.dropped += int(np.count_nonzero(~keep))
        rows, events = rows[keep], events[keep]
        categories.resize(len(self.keys))
        numbers, said = categories.encode(rows, texts[keep], batch.strings, batch.times_ms[events])
        values = np.minimum(numbers, CODES) if self.signal.kind == "category" else (numbers == UNSEEN) * 1.0
        return Column(rows[said], values[said], events[said])

    def resize(self) -> None:
        self.reference.resize(len(self.keys))
        self.history.resize(len(self.keys))

    def _numbers(self, batch: Batch, groups: Groups) -> Column:
        if self.row_cache is not None:
            return self.row_cache.column(self, batch, groups)
        seen = observe_numbers(batch, groups, self.signal.takes)
        if not len(seen.event):
            return Column(seen.event, seen.value, seen.event)
        inverse, first = dense(seen.group * len(seen.members) + seen.member)
        row_of = np.array([self.row(groups.keys[seen.group[i]], seen.members[seen.member[i]]) for i in first], np.int64)
        rows = row_of[inverse]
        keep = rows >= 0
        self.dropped += int(np.count_nonzero(rows == FULL))
        return Column(rows[keep], seen.value[keep], seen.event[keep])

    @property
    def name(self) -> str:
        """What the values are, whatever they are compared with: `number features.* by version`."""
        text = f"{self.signal.kind} {self.signal.path}{(self.signal.pattern or '*') * self.signal.every}"
        text += f" per {self.signal.window_ms} ms" if self.signal.window_ms else ""
        text += f" and {self.signal.least} events" if self.signal.least > 1 else ""
        text += f" by {', '.join(self.by)}" if self.by else ""
        return text + (f" of {self.who}" if self.models else "")

    def judge(self, batch: Batch, column: Column) -> Judged:
        """Learn the reference from the first values of each row, standardise the others."""
        self.taken += len(column.rows)
        if self.pinned and not self.pinned.keys() <= self.began.keys():
            rows, first = np.unique(column.rows, return_index=True)
            for row, i in zip(rows.tolist(), first.tolist(), strict=True):
                if row in self.pinned:
                    self.began.setdefault(row, int(batch.offsets[column.events[i]]))
        return self.reference.update(column.rows, column.values, column.events, batch.offsets, batch.times_ms)

    def completed(self) -> Samples:
        """The rows whose warm-up has ended since the last call, with its values."""
        samples = self.reference.completed()
        if self.categories is None or self.signal.kind != "category":
            return samples
        return [(row, self.categories.settled(row, values)) for row, values in samples]

    def remember(
        self, batch: Batch, column: Column, judged: Judged, marks: I64 = NO_MARKS, asked: Sequence[Asked] = ()
    ) -> list[Change | None]:
        """Add the judged values to the history; what is `asked` of it right behind each of the ascending `marks`."""
        places = column.events, batch.offsets, batch.times_ms
        return self.history.update(column.rows, judged.away, judged.ready, *places, marks, asked)

    def widen(self) -> None:
        """Healthy days are to say how far is far, see `learn_tails`."""
        self.tails = Tails(self.learned)

    def learn_tails(self, batch: Batch, column: Column, judged: Judged) -> None:
        """Take what this batch shows of that; before its values are asked for."""
        assert self.tails is not None
        self.tails.resize(len(self.keys))
        some = slice(None) if judged.ready.all() else np.flatnonzero(judged.ready)
        self.tails.learn(column.rows[some], judged.away[some], column.events[some], batch.times_ms)

    def far(self, column: Column, judged: Judged, beyond: float) -> I64:
        """Places of the judged values that are further out than so many deviations, ascending.

        Where the reference has no spread at all that cannot be said in deviations of it: there a share of its size is
        one, so that what only rounds otherwise is not far.
        """
        places = self.reference.far(column.rows, judged, beyond)
        if not len(places):
            return places
        rows, away = column.rows[places], judged.away[places]
        least = {row: self._tolerance(row) * beyond for row in np.unique(rows).tolist()}
        some = np.abs(away) > np.array([least[row] for row in rows.tolist()], np.float64)
        if self.tails is not None:
            some &= self.tails.beyond(rows, away, column.events[places], beyond)
        found: I64 = places[some]
        return found

    def _tolerance(self, row: int) -> float:
        learned = self.learned(row)
        flat = max(learned.above, learned.below) <= FLAT * abs(learned.centre)
        return TOLERANCE * abs(learned.centre) if flat else 0.0

    def heard(self) -> Heard:
        """When each row had its last value."""
        early, early_ms = self.reference.heard()
        seen, offsets, times_ms = self.history.heard()
        return np.where(seen > 0, times_ms, early_ms), np.where(seen > 0, offsets, early)

    def calm(self, groups: int, names: int) -> bool:
        """Whether a batch of so many groups and names cannot bring the table near its limit."""
        members = self.signal.members_max or names
        return self.turnover.calm(len(self.keys) + groups * (members if self.signal.every else 1))

    def turn(self, offset: int) -> bool:
        """A turn of the log: whether rows may have to leave."""
        return self.turnover.turn(offset, self.taken + self.dropped, len(self.keys))

    def leaving(self, heard: Heard, last: Collection[int]) -> I64:
        """The rows that leave: the `last` ones only after all others, those of a file never."""
        after, never = np.zeros(len(self.keys), bool), np.zeros(len(self.keys), bool)
        after[list(last)], never[list(self.pinned)] = True, True
        return self.turnover.leaving(*heard, after, never, len(self.keys))

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.living.retain(rows, len(self.keys))
        self.evicted += len(self.keys) - len(rows)
        keys, self.index, self.keys, self.members = [self.keys[row] for row in rows.tolist()], {}, [], {}
        self._add_keys(keys)
        self.beyond = {group: names for group, names in self.beyond.items() if group in self.members}
        self.pinned, self.began = renumbered(self.pinned, rows), renumbered(self.began, rows)
        self.final, self.unpinned = renumbered(self.final, rows), renumbered(self.unpinned, rows)
        if self.row_cache is not None:
            self.row_cache.clear()
        if self.categories is not None:
            self.categories.retain(rows)
        self.reference.retain(rows)
        self.history.retain(rows)
        if self.tails is not None:
            self.tails.resize(int(rows.max(initial=-1)) + 1)
            self.tails.retain(rows)

    def renew(self, row: int) -> None:
        """The row is compared with what comes from now on. Others may have learned from its first values: so that is
        where the log must still be read from.
        """
        self.began.setdefault(row, self.learned(row).first_offset)
        self.final.pop(row, None)
        if self.pinned.pop(row, None) is not None:
            self.unpinned[row] = None
        self.reference.forget(row)
        self.history.forget(row)
        if self.tails is not None:
            self.tails.resize(len(self.keys))
            self.tails.forget(row)

    def learned(self, row: int) -> Learned:
        """The reference of a row as it is by now."""
        found = self.final.get(row)
        if found is None:
            found = self.reference.at(row)
            if found.n >= self.reference.warmup and not self.given:
                self.final[row] = found
        return found

    def first_offset(self, row: int) -> int:
        """Where the log must be read from for this row to become what it is."""
        first = self.began[row] if row in self.began or row in self.pinned else self.learned(row).first_offset
        if self.since is not None:
            return min(first, self.since)
        if not self.origins:
            return first
        group = self.keys[row][0]
        others = ((table, row) for table in self.origins for row in table.members.get(group, ()))
        return min([first, *(table.learned(row).first_offset for table, row in others if row not in table.pinned)])

    def dump(self) -> dict[str, Any]:
        return {
            "keys": self.keys.copy(),
            "values": [self.taken, self.dropped, self.evicted],
            "marks": self.turnover.dump(),
            "since": self.since,
            "began": sorted(self.began.items()),
            "unpinned": sorted(self.unpinned),
            "further": [[list(group), list(names)] for group, names in self.beyond.items()],
            "categories": self.categories.dump() if self.categories is not None else None,
            "reference": self.reference.dump(),
            "history": self.history.dump(),
            "tails": self.tails.dump() if self.tails is not None else None,
            "living": self.living.dump(len(self.keys)),
        }

    def load(self, state: dict[str, Any]) -> None:
        """ValueError for an invalid state. Of more rows than the limit by now allows none is refused but new ones."""
        older = [list(group) for group, _ in state.get("beyond", ())]  # There all further members were called `other`.
        self._add_keys(
            (g, (m == "other" and [*g] in older and self.signal.spec.others[-1]) or m) for g, m in state["keys"]
        )
        self.taken, self.dropped, self.evicted = map(int, state["values"])
        self.turnover.load(state["marks"])
        self.since = None if state["since"] is None else int(state["since"])
        self.began = {int(row): int(offset) for row, offset in state["began"]}
        self.unpinned = {int(row): None for row in state.get("unpinned", ())}  # Older snapshots have none.
        for group, names in state["further"] if "further" in state else state["beyond"]:
            self.beyond[tuple(map(str, group))] = dict.fromkeys(map(str, names))
        if self.categories is not None:
            self.categories.load(state["categories"], len(self.keys))
        self.reference.load(state["reference"])
        self.history.load(state["history"])
        if self.tails is not None and state["tails"] is not None:
            self.tails.load(state["tails"])
        self.living.load(state, len(self.keys))
        if not self.reference.rows == self.history.rows == len(self.keys):
            raise ValueError("series table and its arrays differ in length")
