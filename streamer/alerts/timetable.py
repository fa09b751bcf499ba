"""When something happens to alerts by itself, by the clock of their model; and at which events of a batch that is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

import numpy as np

from schemas.events.batch import Batch
from streamer.alerts.alert import FADED, FADING, FIRING, PENDING, QUIET, Alert, Policy
from streamer.signals.columns import I64, Bool

Key = tuple[str, int]
"""Monitor and row."""


REPEAT = "repeat"
"""What a timer says that ends nothing: it is time to tell it again."""
NO_TIMES: Mapping[Key, int] = {}


def clear_for(alert: Alert, policy: Policy) -> int:
    """How long an alert must be clear until it is over."""
    # An edge that could fade at once would publish a resolution with no time between: give it 1 ms.
    return max(policy.keep_firing_for_ms, alert.keep_ms, 1 if alert.how == FADED else 0)


def due_of(alert: Alert, before: str, signal: str, now_ms: int, policy: Policy) -> int | None:
    """When the state that the alert is in now, and was not `before` the signal, has been held long enough."""
    if alert.state == QUIET:
        return None
    if alert.state == PENDING:
        return now_ms + policy.for_ms if before == QUIET else alert.due_ms
    if signal == REPEAT:
        return alert.due_ms
    if alert.state == FIRING:
        return now_ms + clear_for(alert, policy) if alert.how == FADED else None
    return alert.due_ms if before == FADING else now_ms + clear_for(alert, policy)


class Timetable:
    """A time for each alert that has one."""

    def __init__(self) -> None:
        self.times: dict[str, dict[Key, int]] = {}  # by model
        self.first: dict[str, int] = {}  # the earliest of a model, where it is known

    def __bool__(self) -> bool:
        return bool(self.times)

    def note(self, model: str, key: Key, time_ms: int | None) -> None:
        """The time of an alert of this model; None for none."""
        own = self.times.get(model, NO_TIMES)
        before, first = own.get(key), self.first.get(model)
        if time_ms == before:
            return
        if first is not None and first == before:
            del self.first[model]
            first = None
        if time_ms is None:
            del self.times[model][key]
            if not own:
                del self.times[model]
            return
        self.times.setdefault(model, {})[key] = time_ms
        if first is not None and time_ms < first:
            self.first[model] = time_ms

    def due(self, model: str) -> int | None:
        """The earliest time of this model; None without any."""
        if model in self.times and model not in self.first:
            self.first[model] = min(self.times[model].values())
        return self.first.get(model)

    def by(self, model: str, now_ms: int) -> list[Key]:
        """What of this model is due by now, in the order of its time, then of names."""
        return [key for _, key in sorted((ms, key) for key, ms in self.times.get(model, {}).items() if ms <= now_ms)]


class Timers:
    """At which events of a batch timers are due: `next` has the next such event of each model.

    Mostly a timer is due at one of the next few events, or at none of the batch. For all others the used events are
    sorted by their model, once: then a model's events are a stretch of which its clock ascends, and the next one that
    is due is found by halving.
    """

    def __init__(self, timetable: Timetable, batch: Batch, used: Bool, now: I64) -> None:
        self.timetable, self.batch, self.used, self.now = timetable, batch, used, now
        self.next: dict[int, int] = {}
        self.stretches: dict[int, tuple[list[int], list[int]]] | None = None
        if timetable:
            for code in np.flatnonzero(np.bincount(batch.model)).tolist():
                if timetable.due(batch.strings[code]) is not None:
                    self.look(code, 0)

    def look(self, code: int, begin: int) -> None:
        """Find the next event of a model from `begin` on; called whenever its timers may have changed."""
        self.next.pop(code, None)
        due = self.timetable.due(self.batch.strings[code])
        if due is None:
            return
        models, used, now_of = self.batch.model, self.used, self.now
        for event in range(begin, min(begin + NEAR, len(now_of))):
            if models.item(event) == code and used.item(event) and now_of.item(event) >= due:
                self.next[code] = event
                return
        if self.stretches is None:
            self.stretches = self._stretches()
        events, now = self.stretches.get(code, NOTHING)
        place = bisect_left(now, due, bisect_left(events, begin))
        if place < len(events):
            self.next[code] = events[place]

    def _stretches(self) -> dict[int, tuple[list[int], list[int]]]:
        """By model its used events, ascending, and its clock at each."""
        used = np.flatnonzero(self.used)
        used = used[np.argsort(self.batch.model[used], kind="stable")]
        codes = self.batch.model[used]
        events, now, begins = used.tolist(), self.now[used].tolist(), np.flatnonzero(np.diff(codes, prepend=-1))
        spans = zip(codes[begins].tolist(), begins.tolist(), [*begins[1:].tolist(), len(events)], strict=False)
        return {code: (events[begin:end], now[begin:end]) for code, begin, end in spans}


NEAR = 4
"""Events that are looked at one by one."""
NOTHING: tuple[list[int], list[int]] = ([], [])


def part_end(deadlines: Timetable, least_ms: int | None, batch: Batch, used: Bool, now: I64, begin: int) -> int:
    """The event before which a batch that is looked at from `begin` on must be cut.

    A deadline changes what later events are measured by, so its event must be the first of a part. New deadlines are at
    least `least_ms` away; a part in which no model's clock passes so much cannot hold one that it makes itself.
    """
    events = begin + np.flatnonzero(used[begin:])
    if least_ms is None or not len(events):
        return len(now)
    clock = now[events]
    if not deadlines and int(clock.max()) - int(clock.min()) < least_ms:
        return len(now)
    codes, first, which = np.unique(batch.model[events], return_index=True, return_inverse=True)
    due = clock[first] + least_ms
    for place, code in enumerate(codes.tolist()):
        deadline = deadlines.due(batch.strings[code])
        # One that is due at the first event of its model is met there, whatever stands before.
        if deadline is not None:
            due[place] = min(due[place], deadline)
    late = np.flatnonzero((clock >= due[which]) & (events > begin))
    return int(events[late[0]]) if len(late) else len(now)
