"""The reference of events as a whole in a file: of each group the shape of its features, and how far healthy events are
from it. So what is unfamiliar is judged by the same events as everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detectors.bank import F64
from detectors.mahalanobis import distances, learn_shape
from detectors.reference import STATS, learn
from schemas.records.alert import rfc3339
from streamer.config.reference_file import Series, Space
from streamer.port import Partition
from streamer.series.out_of_distribution import FEATURES_MAX, Sampled, enough
from streamer.series.table import Group, SeriesTable

EVENTS_MAX = 20_000
"""Events per group that a shape is learned from, equally many of each partition."""
LEAST = 60
"""Fewer make no shape, and no distances from it."""


class PooledSpaces:
    """Events of the groups of one table of distances, by partition, and where they are from."""

    def __init__(self, table: SeriesTable) -> None:
        self.table = table
        self.names: dict[Group, dict[str, int]] = {}
        self.events: dict[Group, dict[Partition, list[tuple[list[int], list[float]]]]] = {}
        self.span: dict[Group, list[int]] = {}  # first and last offset, first and last time

    def add(self, partition: Partition, sampled: Mapping[Group, Sampled]) -> None:
        """Events that follow those of the partition that are there."""
        for group, part in sampled.items():
            names = self.names.setdefault(group, {})
            for name in part.names[: FEATURES_MAX - len(names)] if len(names) < FEATURES_MAX else ():
                names.setdefault(name, len(names))
            column = {i: names[name] for i, name in enumerate(part.names) if name in names}
            own = self.events.setdefault(group, {}).setdefault(partition, [])
            for columns, values in part.events[: EVENTS_MAX - len(own)]:
                some = [i for i, at in enumerate(columns) if at in column]
                own.append(([column[columns[i]] for i in some], [values[i] for i in some]))
            known = self.span.setdefault(group, list(part.span))
            self.span[group] = [f(a, b) for f, a, b in zip((min, max, min, max), known, part.span, strict=True)]

    def series(self) -> list[Series]:
        """What the file has of them."""
        found = []
        for group, parts in self.events.items():
            share = EVENTS_MAX // len(parts)
            events = [event for part in parts.values() for event in (part[:share] if len(parts) > 1 else part)]
            if len(events) >= LEAST:
                found.append(self._series(group, _matrix(events, len(self.names[group]))))
        return found

    def _series(self, group: Group, matrix: F64) -> Series:
        """Each half is judged by the shape of the other: an event is nearer to what it was learned from itself."""
        halves = matrix[::2], matrix[1::2]
        apart = [distances(learn_shape(one), other[enough(other)]) for one, other in (halves, halves[::-1])]
        shape, values = learn_shape(matrix), np.concatenate(apart)
        first, last, first_ms, last_ms = self.span[group]
        stats: dict[str, Any] = dict(zip(STATS, learn(values, True), strict=True))
        return Series(
            key=list(group),
            member="distance",
            n=len(values),
            **stats,
            offsets=[first, last],
            begin=rfc3339(first_ms),
            end=rfc3339(last_ms),
            begin_ms=first_ms,
            end_ms=last_ms,
            space=Space(names=list(self.names[group]), **{n: a.tolist() for n, a in shape._asdict().items()}),
        )


def _matrix(events: Sequence[Any], width: int) -> F64:
    matrix = np.full((len(events), width), np.nan)
    for i, (columns, values) in enumerate(events):
        matrix[i, columns] = values
    return matrix
