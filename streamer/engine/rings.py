"""Events of each model by hour, of the last 14 days: what the page shows of them after a restart, too.

Hours are those of ticks, so it is when events were looked at, not when they say they were. Once an hour signs of life
carry all of it, so that whoever reads the last two hours of them knows the 14 days. `recent.py` has the newest of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.records.alert import rfc3339
from streamer.engine.recent import Recent, recent_joined, recent_without

HOURS, HOUR_MS = 14 * 24, 3_600_000
MOST = np.iinfo(np.int32).max
BYTES_OF_MODEL = 4 * HOURS
"""1,344 bytes in memory and in a snapshot. There are as many as models are admitted."""

I32 = NDArray[np.int32]
Models = Sequence[tuple[str, int, int]]
"""See `Admission.models`."""


class Rings:
    """State: the hour of the newest tick, and of each model its events by then and in each hour, the newest last."""

    def __init__(self) -> None:
        self.hour = 0
        self.names: list[str] = []
        self.events: NDArray[np.int64] = np.zeros(0, np.int64)
        self.counts: I32 = np.zeros((0, HOURS), np.int32)
        self.recent = Recent()

    def tick(self, models: Models, time_ms: int) -> dict[str, dict[str, Any]]:
        """By model what its sign of life has of the past: `hours`, `recent`, `deploys`, as there is something new."""
        told = self.recent.tick({name for name, _, _ in models})
        for name, hours in self._turn(models, time_ms).items():
            told.setdefault(name, {})["hours"] = hours
        return told

    def _turn(self, models: Models, time_ms: int) -> dict[str, dict[str, Any]]:
        """Count what came since the last tick. By model all hours that are over, where another one has begun."""
        hour = time_ms // HOUR_MS
        if hour < self.hour - HOURS:  # It was the newest that was wrong.
            self.hour = hour
        hour, turned = max(hour, self.hour), hour > self.hour
        self._meet([name for name, _, _ in models])
        self.counts, self.hour = shifted(self.counts, hour - self.hour), hour
        events = np.array([count for _, _, count in models], np.int64)
        now = self.counts[:, -1] + np.maximum(events - self.events, 0)
        self.counts[:, -1], self.events = np.minimum(now, MOST), events
        if not turned:
            return {}
        over, to = self.counts[:, :-1], rfc3339(hour * HOUR_MS)
        first = np.where(over.any(axis=1), (over > 0).argmax(axis=1), HOURS - 1).tolist()
        return {name: {"to": to, "counts": over[row, first[row] :].tolist()} for row, name in enumerate(self.names)}

    def _meet(self, names: list[str]) -> None:
        """These are the models, in this order."""
        if names == self.names:
            return
        known = {name: row for row, name in enumerate(self.names)}
        counts, events = np.zeros((len(names), HOURS), np.int32), np.zeros(len(names), np.int64)
        for row, name in enumerate(names):
            if name in known:
                counts[row], events[row] = self.counts[known[name]], self.events[known[name]]
        self.names, self.counts, self.events = names, counts, events

    def dump(self) -> dict[str, Any]:
        counts = {"names": self.names, "events": self.events.copy(), "counts": self.counts.copy()}
        return {"hour": self.hour, **counts, "recent": self.recent.dump()}

    def load(self, state: Mapping[str, Any] | None, models: Models) -> None:
        """ValueError for what cannot be. Without a state, as of older snapshots, they begin with what comes next."""
        if state is None:
            self._meet([name for name, _, _ in models])
            self.events = np.array([count for _, _, count in models], np.int64)
            return
        self.recent.load(state.get("recent"))
        self.hour, self.names = int(state["hour"]), [str(name) for name in state["names"]]
        self.events, self.counts = np.array(state["events"], np.int64), np.array(state["counts"], np.int32)
        if self.counts.shape != (len(self.names), HOURS) or self.events.shape != (len(self.names),):
            raise ValueError("models and their events by hour differ")


def shifted(counts: I32, hours: int) -> I32:
    """So many hours later."""
    if hours <= 0:
        return counts
    moved = np.zeros_like(counts)
    if hours < HOURS:
        moved[:, :-hours] = counts[:, hours:]
    return moved


def rings_without(state: Mapping[str, Any], models: Collection[str]) -> dict[str, Any]:
    """A state that knows nothing of these models."""
    left = [row for row, name in enumerate(state["names"]) if name not in models]
    names = [state["names"][row] for row in left]
    recent = recent_without(state.get("recent") or Recent().dump(), models)
    return {**state, "names": names, "events": state["events"][left], "counts": state["counts"][left], "recent": recent}


def rings_joined(state: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A state with the models of another one, which are not known here."""
    hour = max(state["hour"], other["hour"])
    both = [shifted(one["counts"], hour - one["hour"]) for one in (state, other)]
    events = np.concatenate([state["events"], other["events"]])
    return {
        "hour": hour,
        "names": [*state["names"], *other["names"]],
        "events": events,
        "counts": np.concatenate(both),
        "recent": recent_joined(*(one.get("recent") or Recent().dump() for one in (state, other))),
    }
