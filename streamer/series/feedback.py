"""What people did with a prediction: accepted, overrode or ignored it, as shares of the events they gave feedback on.

Feedback is an event of its own that names the inference it is about, or stands in the inference event itself. The
former comes later, so the group (caller, segment, version) of recent inferences is remembered by event id, up to a
bound; feedback on what is no longer, or was never, remembered has no group and is counted as unmatched, and so is an
inference that was forgotten before any came. With an inference goes what was done with it, 16 bits an action, so that
feedback that is sent again is known and counts once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from schemas.events.batch import Batch, number_of_event, text_of_event
from schemas.events.convert import id_hash
from streamer.series.predictions import class_of_number
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, SeriesTable, TableId
from streamer.signals.columns import Column, Groups
from streamer.signals.roles import ACTION, REFERENCE, is_feedback

KEPT, BITS = 4, 16
"""Actions on one inference that are remembered, and the bits of each: of 65,534 other ones one is taken for it."""
RESULTS = ("matched", "repeated", "unmatched")
"""Of a feedback event."""
AWAITED = ("answered", "displaced", "erased")
"""Of an inference that feedback events were waited for: the first came, or none before it was forgotten."""


def apart(sources: Mapping[TableId, object]) -> list[Feedback]:
    """Those that count other records: whoever only tells other groups apart, of the same models, meets the same."""
    return list({at.models: one for at, one in sources.items() if isinstance(one, Feedback)}.values())


class Feedback(SourceBase):
    """Makes the shares of actions: a feedback event stands in the group of the inference it is about."""

    def __init__(self, pending_max: int) -> None:
        self.pending_max = pending_max
        self.groups: dict[int, tuple[str, ...]] = {}  # by event id, oldest first
        self.marks: dict[int, int] = {}  # by event id, of actions on these inferences, the newest in the lowest bits
        self.results, self.inferences = dict.fromkeys(RESULTS, 0), dict.fromkeys(AWAITED, 0)

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        actions, about = text_of_event(batch, ACTION), text_of_event(batch, REFERENCE)
        numbers, says = number_of_event(batch, REFERENCE), is_feedback(batch)
        index = {key: i for i, key in enumerate(groups.keys)}
        of_event = np.full(len(batch.offsets), -1, np.int64)
        chosen = np.flatnonzero(groups.of_event >= 0)
        columns = (chosen, groups.of_event[chosen], batch.event_id[chosen], actions[chosen], says[chosen])
        for event, group, event_id, action, is_about in zip(*(c.tolist() for c in columns), strict=True):
            if not is_about:
                self._remember(event_id, groups.keys[group])
            if action < 0:
                continue
            key: tuple[str, ...] | None = groups.keys[group]
            if is_about:
                code = about.item(event)
                text = batch.strings[code] if code >= 0 else class_of_number(numbers.item(event))
                key = self._group(id_hash(text, REFERENCE), batch.strings[action])
            if key is not None:
                of_event[event] = index.setdefault(key, len(index))
        # Only inferences with an id are remembered; feedback is an inference of nobody's.
        table.begin(batch, chosen[~says[chosen] & (batch.event_id[chosen] != 0)])
        return table.column(batch, Groups(of_event, list(index)))

    def _group(self, event_id: int, action: str) -> tuple[str, ...] | None:
        """Of the inference; None where it is not known, or the action on it is."""
        key = self.groups.get(event_id)
        if key is None:
            self.results["unmatched"] += 1
            return None
        known, mark = self.marks.get(event_id, 0), 1 + id_hash(action, ACTION) % ((1 << BITS) - 2)
        if any(known >> BITS * place & (1 << BITS) - 1 == mark for place in range(KEPT)):
            self.results["repeated"] += 1
            return None
        self.results["matched"] += 1
        self.inferences["answered"] += known == 0
        self.marks[event_id] = (known << BITS | mark) & (1 << BITS * KEPT) - 1
        return key

    def _remember(self, event_id: int, group: tuple[str, ...]) -> None:
        if event_id == 0:
            return
        self.groups[event_id] = group
        if len(self.groups) > self.pending_max:
            oldest = next(iter(self.groups))
            del self.groups[oldest]
            self.inferences["displaced"] += self.marks.pop(oldest, 0) == 0

    def erase(self, event_id: int, models: Collection[str]) -> bool:
        known, answered = self.groups.pop(event_id, None) is not None, self.marks.pop(event_id, 0) != 0
        self.inferences["erased"] += known and not answered
        return known

    def forget(self, models: Collection[str]) -> None:
        self.groups = {event_id: group for event_id, group in self.groups.items() if group[0] not in models}
        self.marks = {event_id: marks for event_id, marks in self.marks.items() if event_id in self.groups}

    def dump(self) -> Any:
        """The ids as an array, and the group of each as a number into the distinct ones."""
        distinct: dict[tuple[str, ...], int] = {}
        numbers = [distinct.setdefault(group, len(distinct)) for group in self.groups.values()]
        return {
            "ids": np.fromiter(self.groups, np.uint64, len(self.groups)),
            "numbers": np.array(numbers, np.int64),
            "groups": [list(group) for group in distinct],
            "marks": np.fromiter((self.marks.get(one, 0) for one in self.groups), np.uint64, len(self.groups)),
            **self.results,
            **self.inferences,
        }

    def load(self, state: Any) -> None:
        groups = [tuple(map(str, group)) for group in state["groups"]]
        ids, numbers = state["ids"].tolist(), state["numbers"].tolist()
        if len(ids) != len(numbers) or len(ids) > self.pending_max or not all(0 <= n < len(groups) for n in numbers):
            raise ValueError("invalid remembered inferences")
        self.groups = {event_id: groups[number] for event_id, number in zip(ids, numbers, strict=True)}
        marks = state["marks"].tolist() if "marks" in state else []  # Older snapshots have none.
        if marks and len(marks) != len(ids):
            raise ValueError("invalid remembered actions")
        self.marks = {event_id: mark for event_id, mark in zip(ids, marks, strict=False) if mark}
        for counts in self.results, self.inferences:
            counts |= {name: int(state.get(name, 0)) for name in counts}  # Older snapshots lack most.
