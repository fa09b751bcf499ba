"""What came of each model lately: events by 10 s, and versions that were not there before, which is how a deploy looks.

Both are told with the signs of life. Counts are told once and then forgotten here, so that they take no room in the
snapshot: whoever reads two hours of signs of life knows two hours by 10 s, if they come at least every five minutes.
Time is the clock of each model's events.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from schemas.events.batch import Batch
from schemas.records.alert import rfc3339
from streamer.signals.columns import I64, Bool, dense

STEP_MS, STEPS = 10_000, 30
"""Counts are of so long each; of a model so many are kept until the next tick, the newest."""
HOUR_MS, DAY_HOURS = 3_600_000, 24
VERSIONS_MAX, DEPLOYS_MAX = 32, 5
"""Versions of a model that are known, of which one that was not seen for a day makes room; deploys that are told."""


class Recent:
    """State: of each model events by step since the last tick, its versions with the hour of each that was seen last,
    and its newest deploys: version, the one before, time.
    """

    def __init__(self) -> None:
        self.counts: dict[str, dict[int, int]] = {}
        self.cut: dict[str, None] = {}  # models of which more came than is kept: then nothing is told, lest it misleads
        self.versions: dict[str, dict[str, int]] = {}
        self.deploys: dict[str, list[tuple[str, str, int]]] = {}

    def take(self, batch: Batch, used: Bool, now: I64) -> None:
        """Count what comes, and see whether a version is new. `now`: the clock of its model at each event."""
        events = np.flatnonzero(used)
        if len(events):
            self._count(batch, events, now[events] // STEP_MS)
        events = events[batch.version[events] >= 0]
        if len(events):
            self._meet(batch, events, now)

    def _count(self, batch: Batch, events: I64, steps: I64) -> None:
        models = batch.model[events].astype(np.int64)
        newest = np.zeros(len(batch.strings), np.int64)
        newest[models] = steps  # Clocks never go back: the last is the newest.
        first_step, last_step = int(steps.min()), int(steps.max())
        if last_step - first_step >= STEPS:
            kept = steps > newest[models] - STEPS
            over = np.flatnonzero(np.bincount(models[~kept]))
            self.cut |= dict.fromkeys(batch.strings[code] for code in over.tolist())
            mine = np.flatnonzero(kept)
            models, steps = models[mine], steps[mine]
            first_step = int(steps.min())
        number, first = dense(models * (last_step - first_step + 1) + steps - first_step)
        found = zip(models[first].tolist(), steps[first].tolist(), np.bincount(number).tolist(), strict=True)
        for code, step, count in found:
            known = self.counts.setdefault(batch.strings[code], {})
            known[step] = known.get(step, 0) + count
        for code in dict.fromkeys(models[first].tolist()):
            known = self.counts[batch.strings[code]]  # The oldest stands first.
            while (oldest := next(iter(known))) <= newest.item(code) - STEPS:
                del known[oldest]
                self.cut[batch.strings[code]] = None

    def _meet(self, batch: Batch, events: I64, now: I64) -> None:
        hours = now[events] // HOUR_MS
        pairs = batch.model[events].astype(np.int64) * len(batch.strings) + batch.version[events]
        number, first = dense(pairs)
        if hours.max() > hours.min():
            _, first = dense(number * int(hours.max() - hours.min() + 1) + hours - hours.min())
        for place in first.tolist():
            event = events.item(place)
            model, version = (batch.strings[code.item(event)] for code in (batch.model, batch.version))
            self._see(model, version, hours.item(place), now.item(event))

    def _see(self, model: str, version: str, hour: int, time_ms: int) -> None:
        """An event of a version. One that was not there in the last hour, nor in this one, was deployed."""
        known = self.versions.setdefault(model, {})
        last = known.get(version)
        if last == hour:
            return
        if last is None and len(known) >= VERSIONS_MAX:
            oldest = min(known, key=lambda one: known[one])
            if known[oldest] >= hour - DAY_HOURS:
                return
            del known[oldest]
        others = [one for one in reversed(known) if one != version]
        if others and (last is None or last < hour - 1):
            before = max(others, key=lambda one: known[one])
            self.deploys[model] = [*self.deploys.get(model, ()), (version, before, time_ms)][-DEPLOYS_MAX:]
        known.pop(version, None)
        known[version] = hour

    def tick(self, models: Collection[str]) -> dict[str, dict[str, Any]]:
        """By model what is told; of those that are known no more nothing is kept."""
        told: dict[str, dict[str, Any]] = {}
        for model, known in self.counts.items():
            if model in self.cut:
                continue
            first, last = min(known), max(known)
            counts = [known.get(step, 0) for step in range(first, last + 1)]
            told[model] = {"recent": {"from": rfc3339(first * STEP_MS), "counts": counts}}
        for model, deploys in self.deploys.items():
            told.setdefault(model, {})["deploys"] = [
                {"version": version, "before": before, "time": rfc3339(time_ms)} for version, before, time_ms in deploys
            ]
        self.counts, self.cut = {}, {}
        self.forget({model for model in (*self.versions, *self.deploys) if model not in models})
        return {model: facts for model, facts in told.items() if model in models}

    def forget(self, models: Collection[str]) -> None:
        for model in models:
            self.counts.pop(model, None), self.cut.pop(model, None)
            self.versions.pop(model, None), self.deploys.pop(model, None)

    def dump(self) -> dict[str, Any]:
        return {
            "counts": [[model, sorted(known.items())] for model, known in sorted(self.counts.items())],
            "cut": [[model] for model in sorted(self.cut)],
            "versions": [[model, list(known.items())] for model, known in sorted(self.versions.items())],
            "deploys": sorted(self.deploys.items()),
        }

    def load(self, state: Mapping[str, Any] | None) -> None:
        """ValueError and the like for what cannot be; older snapshots have none."""
        if state is None:
            return
        self.counts = {str(model): {int(s): int(n) for s, n in known} for model, known in state["counts"]}
        self.cut = {str(model): None for [model] in state["cut"]}
        self.versions = {str(model): {str(v): int(hour) for v, hour in known} for model, known in state["versions"]}
        self.deploys = {
            str(model): [(str(version), str(before), int(time_ms)) for version, before, time_ms in told]
            for model, told in state["deploys"]
        }


def recent_without(state: Mapping[str, Any], models: Collection[str]) -> dict[str, Any]:
    """A state that knows nothing of these models."""
    return {name: [one for one in known if one[0] not in models] for name, known in state.items()}


def recent_joined(state: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A state with the models of another one, which are not known here."""
    return {name: sorted([*known, *other[name]], key=lambda one: str(one[0])) for name, known in state.items()}
