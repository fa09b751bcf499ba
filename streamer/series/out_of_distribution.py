"""How familiar an event is: `distance` from the reference as a whole, `ood` when it is too far, and `confident_ood`
when the model is sure of itself all the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from detectors.mahalanobis import Shape, distances, learn_shape
from schemas.events.batch import Batch, number_of_event
from streamer.config import reference_file
from streamer.config.model import Ood
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, Group, SeriesTable
from streamer.series.turnover import Places, newest_of_groups
from streamer.signals.columns import F64, I64, Bool, Column, Groups, dense
from streamer.signals.grammar import excluded
from streamer.signals.observe import FEATURES, Takes

FEATURES_MAX = 64
"""Features judged together: the work grows with their square. Later ones of a group are left out."""
FEATURES_MIN = 2
CONFIDENCE = "prediction.confidence"
HALF = 0.5


@dataclass
class Space:
    """The numeric features of one group: while it learns its events, then their shape."""

    names: dict[str, int] = field(default_factory=dict)
    events: list[tuple[list[int], list[float]]] = field(default_factory=list)  # columns and values
    shape: Shape | None = None
    since: tuple[int, int] | None = None  # time and offset of the first event; for a file of references, not state


class Sampled(NamedTuple):
    """What a group learns from so far: the columns' names, its events, first and last offset, first and last time."""

    names: list[str]
    events: list[tuple[list[int], list[float]]]
    span: tuple[int, int, int, int]


def enough(matrix: F64) -> Bool:
    """Which events have enough of the features to be judged by."""
    least = max(FEATURES_MIN, (matrix.shape[1] + 1) // 2)
    found: Bool = (~np.isnan(matrix)).sum(axis=1) >= least
    return found


class Distance(SourceBase):
    """Makes the signal `distance`, from a group's first `warmup` events with two numeric features on."""

    def __init__(self, warmup: int, groups_max: int) -> None:
        self.warmup = warmup
        self.places: Places[Group] = Places(groups_max, warmup)
        self.spaces: dict[Group, Space] = {}

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        used = np.flatnonzero(groups.of_event >= 0)
        table.begin(batch, used)
        for g, *at in newest_of_groups(batch, groups, used):
            self.places.hear(groups.keys[g], *at)
        table.taken += len(used)
        self.places.clock += len(used)
        codes = groups.of_event[used]
        order = [int(codes[i]) for i in dense(codes)[1]]
        judged = [(groups.keys[g], *self._judge(batch, used[codes == g], groups.keys[g], table)) for g in order]
        # Rows are made in the order of the first events that have a distance, wherever the log was cut.
        judged = sorted((part for part in judged if len(part[1])), key=lambda part: int(part[1][0]))
        parts = [(table.row(key, "distance"), events, values) for key, events, values in judged]
        table.dropped += sum(len(events) for row, events, _ in parts if row < 0)
        parts = [part for part in parts if part[0] >= 0]
        table.resize()
        rows = np.concatenate([np.zeros(0, np.int64), *(np.full(len(events), row) for row, events, _ in parts)])
        values = np.concatenate([np.zeros(0), *(part[2] for part in parts)])
        events = np.concatenate([np.zeros(0, np.int64), *(part[1] for part in parts)])
        by_event = np.argsort(events, kind="stable")
        return Column(rows[by_event], values[by_event], events[by_event])

    def _judge(self, batch: Batch, events: I64, key: tuple[str, ...], table: SeriesTable) -> tuple[I64, F64]:
        """Those events of a group that have a distance, and it; learns from them first where it must."""
        nothing = np.zeros(0, np.int64), np.zeros(0)
        if key not in self.places.heard:
            table.dropped += len(events)
            return nothing
        space = self.spaces.get(key)
        if space is None:
            space = self.spaces[key] = given_space(table.spaces[key]) if key in table.spaces else Space()

        def takes(name: str) -> bool:
            return name.startswith(FEATURES) and not excluded(name, table.signal.without)

        if space.shape is None:
            if space.since is None and len(events):
                space.since = int(batch.times_ms[events[0]]), int(batch.offsets[events[0]])
            events = events[self._learn(batch, events, space, takes) :]
        if space.shape is None or not len(events):
            return nothing
        matrix = self._matrix(batch, events, space, takes)
        judged = enough(matrix)
        return events[judged], distances(space.shape, matrix[judged])

    def _learn(self, batch: Batch, events: I64, space: Space, takes: Takes) -> int:
        """Take events in their order until there are enough; how many were taken."""
        numbers = batch.numbers
        begin, end = np.searchsorted(numbers.event, events), np.searchsorted(numbers.event, events, side="right")
        wanted = [name if takes(name) else None for name in batch.names]
        codes, given = numbers.name.tolist(), numbers.value.tolist()
        for taken, (first, last) in enumerate(zip(begin.tolist(), end.tolist(), strict=True)):
            columns, values = [], []
            for code, value in zip(codes[first:last], given[first:last], strict=True):
                name = wanted[code]
                if name is not None and (name in space.names or len(space.names) < FEATURES_MAX):
                    columns.append(space.names.setdefault(name, len(space.names)))
                    values.append(value)
            if len(values) >= FEATURES_MIN:
                space.events.append((columns, values))
            if len(space.events) == self.warmup:
                matrix = np.full((self.warmup, len(space.names)), np.nan)
                for i, (at, own) in enumerate(space.events):
                    matrix[i, at] = own
                space.shape, space.events = learn_shape(matrix), []
                return taken + 1
        return len(events)

    @staticmethod
    def _matrix(batch: Batch, events: I64, space: Space, takes: Takes) -> F64:
        place = np.full(len(batch.offsets), -1, np.int64)
        place[events] = np.arange(len(events))
        column = np.array([space.names.get(name, -1) if takes(name) else -1 for name in batch.names] or [-1], np.int64)
        at, of = place[batch.numbers.event], column[batch.numbers.name]
        mine = (at >= 0) & (of >= 0)
        matrix = np.full((len(events), len(space.names)), np.nan)
        matrix[at[mine], of[mine]] = batch.numbers.value[mine]
        return matrix

    def samples(self) -> dict[Group, Sampled]:
        """What the groups learned from since the last call."""
        found = {}
        for key, space in self.spaces.items():
            if space.shape is None and space.events and space.since is not None:
                (begin_ms, first), (end_ms, last) = space.since, self.places.heard[key]
                found[key] = Sampled(list(space.names), space.events, (first, last, begin_ms, end_ms))
                space.events = []
        return found

    def calm(self, groups: int, names: int) -> bool:
        return self.places.turnover.calm(len(self.spaces) + groups)

    def rest(self) -> None:
        self.places.turnover.rest()

    def turn(self, offset: int) -> list[Group]:
        gone = self.places.turn(offset)
        for key in gone:
            del self.spaces[key]
        return gone

    def forget(self, models: Collection[str]) -> None:
        gone = [key for key in self.spaces if key[0] in models]
        self.places.forget(gone)
        for key in gone:
            del self.spaces[key]

    def dump(self) -> Any:
        """In the order in which their first events came."""
        spaces = [[list(key), *_plain(self.spaces[key])] for key in self.places.heard]
        return {"spaces": spaces, "places": self.places.dump()}

    def load(self, state: Any) -> None:
        for key, *rest in state["spaces"]:
            self.spaces[tuple(map(str, key))] = _space_of(*rest)
        self.places.load(state["places"], list(self.spaces))


def given_space(given: reference_file.Space) -> Space:
    """What a file of references says of a group."""
    shape = Shape(*(np.array(getattr(given, name), np.float64) for name in Shape._fields))
    return Space({name: i for i, name in enumerate(given.names)}, shape=shape)


def _plain(space: Space) -> list[Any]:
    counts = np.array([len(values) for _, values in space.events], np.int64)
    columns = np.array([c for columns, _ in space.events for c in columns], np.int64)
    values = np.array([v for _, values in space.events for v in values], np.float64)
    shape = [array.copy() for array in space.shape] if space.shape is not None else None
    return [list(space.names), counts, columns, values, shape]


def _space_of(names: Any, counts: Any, columns: Any, values: Any, shape: Any) -> Space:
    if len(columns) != len(values) or int(counts.sum()) != len(values) or len(names) > FEATURES_MAX:
        raise ValueError("an invalid reference space")
    ends = np.cumsum(counts).tolist()
    parts = [slice(end - count, end) for end, count in zip(ends, counts.tolist(), strict=True)]
    space = Space(
        {str(name): i for i, name in enumerate(names)}, [(columns[p].tolist(), values[p].tolist()) for p in parts]
    )
    if shape is not None:
        found = Shape(*(np.array(array, np.float64) for array in shape))
        p = len(names)
        if found.centre.shape != (p,) or found.scale.shape != (p,) or found.factor.shape != (p, p):
            raise ValueError("an invalid reference space")
        if not all(np.isfinite(array).all() for array in found) or not (np.diag(found.factor) > 0).all():
            raise ValueError("an invalid reference space")
        space.shape = found
    return space


class OutOfDistribution(SourceBase):
    """Makes `ood`, and with `confident` only where the model says it is sure: 0/1 for each event that has a distance
    with a reference, or a score of the model's own.
    """

    def __init__(self, table: SeriesTable, numbers: SeriesTable, rule: Ood, confident: bool) -> None:
        self.numbers, self.rule, self.confident = numbers, rule, confident
        self.member = table.signal.path

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        table.since = self.numbers.since  # What is unfamiliar hangs on every event that the distances learned from.
        distance, judged = known[self.numbers.id]
        told, far = np.zeros(len(batch.offsets), bool), np.zeros(len(batch.offsets), bool)
        told[distance.events[judged.ready]] = True
        places = self.numbers.far(distance, judged, self.rule.beyond)
        far[distance.events[places[judged.away[places] > 0]]] = True
        scores = number_of_event(batch, self.rule.score) if self.rule.score is not None else None
        if scores is not None and self.rule.score_max is not None:
            told |= ~np.isnan(scores)
            far |= scores > self.rule.score_max
        if self.confident:
            confidence = number_of_event(batch, CONFIDENCE)
            told &= ~np.isnan(confidence)
            far &= confidence >= self.rule.confident
        events = np.flatnonzero(told & (groups.of_event >= 0))
        inverse, first = dense(groups.of_event[events])
        row_of = [table.row(groups.keys[groups.of_event[events[i]]], self.member) for i in first]
        rows = np.array(row_of, np.int64)[inverse]
        table.resize()
        keep = rows >= 0
        table.dropped += int(np.count_nonzero(~keep))
        return Column(rows[keep], far[events[keep]] * 1.0, events[keep])

    def graded(self, column: Column, known: ColumnsSoFar) -> F64:
        """How unfamiliar each event of its `column` is, from 0 to 1: half where its distance is as many deviations as
        `beyond` allows, and from there on for those that it judged unfamiliar, whatever made it.
        """
        distance, judged = known[self.numbers.id]
        above = {row: self.numbers.learned(row).above for row in np.unique(distance.rows[judged.ready]).tolist()}
        limit = self.rule.beyond * np.array([above.get(row, 0.0) for row in distance.rows.tolist()], np.float64)
        times = np.divide(judged.away, limit, out=np.zeros(len(limit)), where=judged.ready & (limit > 0.0))
        grown = np.zeros(int(max(column.events.max(initial=-1), distance.events.max(initial=-1))) + 1)
        grown[distance.events] = 1.0 - 1.0 / (1.0 + np.maximum(times, 0.0))
        found: F64 = grown[column.events]
        return np.where(column.values > 0.0, np.maximum(found, HALF), np.minimum(found, np.nextafter(HALF, 0.0)))

    def dump(self) -> Any:
        return None

    def load(self, state: Any) -> None:
        """All it remembers is in the table of distances."""
