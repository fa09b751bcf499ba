"""What people did with a prediction: accepted, overrode or ignored it, as shares of the events they gave feedback on.

Feedback is an event of its own that names the inference it is about, or stands in the inference event itself. The
former comes later, so the group (caller, segment, version) of recent inferences is remembered by event id, up to a
bound; feedback on what is no longer, or was never, remembered has no group and is counted as unmatched.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from schemas.events.batch import Batch, text_of_event
from schemas.events.convert import id_hash
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, SeriesTable
from streamer.signals.columns import Column, Groups
from streamer.signals.roles import ACTION, REFERENCE


class Feedback(SourceBase):
    """Makes the shares of actions: a feedback event stands in the group of the inference it is about."""

    def __init__(self, pending_max: int) -> None:
        self.pending_max = pending_max
        self.groups: dict[int, tuple[str, ...]] = {}  # by event id, oldest first
        self.unmatched = 0

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        actions, about = text_of_event(batch, ACTION), text_of_event(batch, REFERENCE)
        index = {key: i for i, key in enumerate(groups.keys)}
        of_event = np.full(len(batch.offsets), -1, np.int64)
        chosen = np.flatnonzero(groups.of_event >= 0)
        columns = (chosen, groups.of_event[chosen], batch.event_id[chosen], actions[chosen], about[chosen])
        for event, group, event_id, action, reference in zip(*(c.tolist() for c in columns), strict=True):
            if reference < 0:
                self._remember(event_id, groups.keys[group])
            if action < 0:
                continue
            key = groups.keys[group] if reference < 0 else self.groups.get(id_hash(batch.strings[reference], REFERENCE))
            if key is None:
                self.unmatched += 1
            else:
                of_event[event] = index.setdefault(key, len(index))
        # Only inferences with an id are remembered; feedback is an inference of nobody's.
        table.begin(batch, chosen[(about[chosen] < 0) & (batch.event_id[chosen] != 0)])
        return table.column(batch, Groups(of_event, list(index)))

    def _remember(self, event_id: int, group: tuple[str, ...]) -> None:
        if event_id == 0:
            return
        self.groups[event_id] = group
        if len(self.groups) > self.pending_max:
            del self.groups[next(iter(self.groups))]

    def forget(self, models: Collection[str]) -> None:
        self.groups = {event_id: group for event_id, group in self.groups.items() if group[0] not in models}

    def dump(self) -> Any:
        """The ids as an array, and the group of each as a number into the distinct ones."""
        distinct: dict[tuple[str, ...], int] = {}
        numbers = [distinct.setdefault(group, len(distinct)) for group in self.groups.values()]
        return {
            "ids": np.fromiter(self.groups, np.uint64, len(self.groups)),
            "numbers": np.array(numbers, np.int64),
            "groups": [list(group) for group in distinct],
            "unmatched": self.unmatched,
        }

    def load(self, state: Any) -> None:
        groups = [tuple(map(str, group)) for group in state["groups"]]
        ids, numbers = state["ids"].tolist(), state["numbers"].tolist()
        if len(ids) != len(numbers) or len(ids) > self.pending_max or not all(0 <= n < len(groups) for n in numbers):
            raise ValueError("invalid remembered inferences")
        self.groups = {event_id: groups[number] for event_id, number in zip(ids, numbers, strict=True)}
        self.unmatched = int(state["unmatched"])
