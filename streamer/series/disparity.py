"""Makes `selection_ratio.LABEL` and `error_ratio`: by windows of event time, how often LABEL is predicted of a group,
or how often the model is wrong about it, over how often all others are (disparate impact; four fifths are 0.8).

Groups are told apart by the last field of `by`; those before it they share. A value comes once a group and all others
together have had `least` predictions, or labels, each, in windows in which both had any: so what moves all alike, a
rush or a weekend, is on both sides. An error counts where its label met its inference, as for `realised_error`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from detectors.bank import renumbered
from detectors.fairness import ratio
from schemas.events.batch import Batch, text_of_event
from streamer.series.aggregates import Aggregates, Clock, Part, Value
from streamer.series.joined import joined_groups
from streamer.series.labels import Labels
from streamer.series.predictions import CLASS
from streamer.series.table import ColumnsSoFar, SeriesTable
from streamer.signals.columns import F64, I64, Column, Groups
from streamer.signals.grammar import BY_PATHS

MEAN = "mean(value)"
"""A rate is the mean of what is 0 or 1."""


class Disparity(Aggregates):
    """Selection. Counts are of ones and of all: of a group, and of all others beside it."""

    def __init__(self, table: SeriesTable, lateness_ms: int) -> None:
        signal = table.signal
        super().__init__(MEAN, signal.window_ms, lateness_ms, signal.least)
        self.member, self.table, self.by, self.goes_on = signal.path, table, table.by, True
        self.counts: dict[int, list[int]] = {}  # by row: window of the first, ones, all, ones and all of others

    def _values(self, batch: Batch) -> F64:
        """1 of an event that is predicted the label, 0 of one with another label."""
        codes = text_of_event(batch, BY_PATHS["label"])
        chosen = np.array([text == self.member for text in batch.strings] or [False], bool)
        found: F64 = np.where(codes >= 0, chosen[codes] * 1.0, np.nan)
        return found

    def _go_on(self, clock: Clock, window: int, parts: dict[int, Part], event: int) -> list[Value]:
        found, sets = list[Value](), dict[tuple[str, ...], list[int]]()
        seen = {row: (round(part.first * part.n + part.total), part.n) for row, part in sorted(parts.items())}
        for row in seen:
            sets.setdefault(self.table.keys[row][0][:-1], []).append(row)
        for rows in sets.values():
            ones, n = (sum(seen[row][place] for row in rows) for place in (0, 1))
            for row in rows if len(rows) > 1 else ():
                mine = self.counts.setdefault(row, [window, 0, 0, 0, 0])
                more = *seen[row], ones - seen[row][0], n - seen[row][1]
                mine[1:] = [one + other for one, other in zip(mine[1:], more, strict=True)]
                if min(mine[2], mine[4]) >= self.least:
                    found.append(self._value(row, window, event))
        return found

    def _value(self, row: int, window: int, event: int) -> Value:
        begin, ones, n, others, n_others = self.counts.pop(row)
        share = ratio(ones, n, others, n_others)
        assert share is not None
        said = f"newest {ones:,} of {n:,} beside {others:,} of {n_others:,}"
        said += f", ratio {share.share:.2f}, 95 % {share.low:.2f} to {share.high:.2f}"
        span = begin * self.window_ms, (window + 1) * self.window_ms
        return Value(event, span[0], row, share.share, span[1], n, said)

    def retain(self, rows: I64, table: SeriesTable) -> None:
        super().retain(rows, table)
        self.counts = renumbered(self.counts, rows)

    def forget(self, models: Collection[str]) -> None:
        super().forget(models)
        keys = self.table.keys
        self.counts = {row: of for row, of in self.counts.items() if row < len(keys) and keys[row][0][0] not in models}

    def dump(self) -> Any:
        counts = [[row, *of] for row, of in sorted(self.counts.items())]
        return {**super().dump(), "counts": counts}

    def load(self, state: Any) -> None:
        super().load(state)
        for row, *of in state["counts"]:
            if len(of) != 5:
                raise ValueError("counts that are not of a group and of others")
            self.counts[int(row)] = [int(one) for one in of]


class ErrorDisparity(Disparity):
    """Errors of predicted classes, by their labels."""

    def __init__(self, table: SeriesTable, lateness_ms: int) -> None:
        super().__init__(table, lateness_ms)
        self.labels: Labels | None = None  # see `late_labels`
        self.wrong = np.zeros(0)  # of the batch

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        assert self.labels is not None
        joined, events = self.labels.joined, len(batch.offsets)
        mine = np.flatnonzero((groups.of_event[joined.event] >= 0) & (joined.kind == CLASS))
        self.wrong = np.full(events, np.nan)
        self.wrong[joined.event[mine]] = joined.wrong[mine]
        known_by, keys = self.labels.by, self.labels.joined_keys
        of_labels = joined_groups(joined, mine, events, [known_by.index(field) for field in table.by], keys)
        return super().column(batch, of_labels, table, known)

    def _values(self, batch: Batch) -> F64:
        return self.wrong

    def forget(self, models: Collection[str]) -> None:
        super().forget(models)
        if self.labels is not None:
            self.labels.forget(models)
