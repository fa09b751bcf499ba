"""Which events of a batch are used, and the account of those that are not.

Every record ends in exactly one of: used, late, duplicate, filtered, dead-lettered. An event is filtered when no
monitor watches its model, a duplicate when its id is among the last ones used, late when it is older than the
newest event of its model by more than the allowed lateness.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from schemas.events.batch import I32, U64, Batch
from streamer.series.turnover import Places
from streamer.signals.columns import I64, Bool, dense

RESULTS = ("used", "late", "duplicate", "filtered", "dead_lettered")

Admitted = tuple[Bool, I64, int, int, I64]
"""used, the model's newest time up to and including each event; how many filtered, how many duplicates; which late"""


class Gate:
    """Decides event by event. A model beyond `models_max` is filtered like an unwatched one: it could have no series
    either.
    """

    def __init__(self, watched: Collection[str] | None, lateness_ms: int, capacity: int, models_max: int) -> None:
        self.watched, self.lateness_ms = watched, lateness_ms
        self.capacity, self.models_max = capacity, models_max
        self.newest_ms: dict[str, int] = {}
        self.events: dict[str, int] = {}  # used ones
        self.ids: dict[int, None] = {}

    def admit(
        self, codes: I32, times_ms: I64, event_ids: U64, strings: tuple[str, ...], refused: Bool | None
    ) -> Admitted:
        used, now = [False] * len(codes), [0] * len(codes)
        turned_away = [False] * len(codes) if refused is None else refused.tolist()
        filtered = duplicate = 0
        late: list[int] = []
        watched, lateness_ms, newest_ms, ids = self.watched, self.lateness_ms, self.newest_ms, self.ids
        columns = (codes.tolist(), times_ms.tolist(), event_ids.tolist(), turned_away)
        for i, (code, time_ms, event_id, away) in enumerate(zip(*columns, strict=True)):
            model = strings[code]
            latest = newest_ms.get(model)
            full = latest is None and len(newest_ms) >= self.models_max
            if away or full or (watched is not None and model not in watched):
                filtered += 1
                continue
            if event_id in ids:
                duplicate += 1
                continue
            if latest is None or time_ms > latest:
                newest_ms[model] = latest = time_ms
            elif time_ms < latest - lateness_ms:
                late.append(i)
                continue
            if event_id and self.capacity:
                self._remember(event_id)
            used[i], now[i] = True, latest
        taken = np.array(used, bool)
        counts = np.bincount(codes[taken])
        for code in np.flatnonzero(counts).tolist():
            model = strings[code]
            self.events[model] = self.events.get(model, 0) + counts.item(code)
        return taken, np.array(now, np.int64), filtered, duplicate, np.array(late, np.int64)

    def _remember(self, event_id: int) -> None:
        self.ids[event_id] = None
        if len(self.ids) > self.capacity:
            del self.ids[next(iter(self.ids))]

    def models(self) -> list[tuple[str, int, int]]:
        """See `Admission.models`."""
        return [(model, newest_ms, self.events[model]) for model, newest_ms in self.newest_ms.items()]

    def remembered(self) -> U64:
        """The ids remembered, oldest first."""
        return np.fromiter(self.ids, np.uint64, len(self.ids))

    def forget(self, models: Collection[str]) -> None:
        """These models are as if they had never been met."""
        for model in models:
            del self.newest_ms[model], self.events[model]

    def load(self, models: Iterable[tuple[str, int, int]], ids: U64) -> None:
        """Add to an empty gate what another one had; of too many ids the newest stay."""
        for model, newest_ms, events in models:
            self.newest_ms[model], self.events[model] = newest_ms, events
        self.ids = dict.fromkeys(ids.tolist()[-self.capacity :] if self.capacity else [])


class Admission:
    """State: newest event time and used events per model, the last `duplicates` event ids, and the counters.
    `gate` decides: a `Gate`, or its compiled twin. A model has one of `places`, see `Turnover`. `watched`: the models
    that are, None for all.
    """

    def __init__(self, gate: Any, places: Places[str], watched: Collection[str] | None = None) -> None:
        self.gate, self.places, self.watched = gate, places, watched
        self.no_place = 0  # events of models beyond the limit, which are filtered
        self.counts: dict[str, int] = dict.fromkeys(RESULTS, 0)
        self.reasons: dict[str, int] = {}

    def models(self) -> list[tuple[str, int, int]]:
        """Name, newest event time and used events of every model that had one, in the order of their first."""
        found: list[tuple[str, int, int]] = self.gate.models()
        return found

    @property
    def newest_ms(self) -> dict[str, int]:
        """Newest event time by model."""
        return {model: newest_ms for model, newest_ms, _ in self.models()}

    @property
    def events(self) -> dict[str, int]:
        """Used events by model."""
        return {model: events for model, _, events in self.models()}

    def admit(self, batch: Batch, refused: Bool | None = None) -> tuple[Bool, I64, I64]:
        """For each event whether it is used, and its model's newest time up to and including it; and which are late.
        The refused ones are filtered before anything of them is remembered.
        """
        used, now, filtered, duplicate, late = self.gate.admit(
            batch.model, batch.times_ms, batch.event_id, batch.strings, refused
        )
        self._hear(batch, used, now)
        self.places.clock += len(used) - (0 if refused is None else int(np.count_nonzero(refused)))
        if filtered and self.places.full:
            self.no_place += filtered - self._unwanted(batch, refused)
        for name, count in (("filtered", filtered), ("duplicate", duplicate), ("late", len(late))):
            self.counts[name] += count
        self.counts["used"] += len(used) - filtered - duplicate - len(late)
        for reject in batch.rejects:
            self.counts["dead_lettered"] += reject.records
            self.reasons[reject.reason] = self.reasons.get(reject.reason, 0) + reject.records
        return used, now, late

    def _unwanted(self, batch: Batch, refused: Bool | None) -> int:
        """How many events were filtered however few models there are."""
        away = np.zeros(len(batch.model), bool) if refused is None else refused
        if self.watched is not None:
            met: list[int] = np.unique(batch.model).tolist()
            away = away | np.isin(batch.model, [code for code in met if batch.strings[code] not in self.watched])
        return int(np.count_nonzero(away))

    def _hear(self, batch: Batch, used: Bool, now: I64) -> None:
        """Note where each model had its last event that was used."""
        events = np.flatnonzero(used)
        codes = batch.model[events]
        last = np.zeros(len(batch.strings), np.int64)
        last[codes] = events  # With repeated codes the last assignment holds.
        met: list[int] = np.flatnonzero(np.bincount(codes)).tolist()
        if len(met) > 1:  # In the order of their first events.
            met = codes[dense(codes.astype(np.int64))[1]].tolist()
        for code in met:
            event = last.item(code)
            self.places.hear(batch.strings[code], now.item(event), batch.offsets.item(event))

    def calm(self, models: int) -> bool:
        """Whether a batch of so many models cannot bring them near their limit."""
        return self.places.turnover.calm(len(self.places.heard) + models)

    def forget(self, models: Collection[str]) -> None:
        """These models, which `places` has already forgotten."""
        self.gate.forget(list(models))

    def dump(self) -> dict[str, Any]:
        return {
            "places": self.places.dump(),
            "newest_ms": self.models(),
            "ids": self.gate.remembered(),
            "counts": list(self.counts.items()),
            "reasons": list(self.reasons.items()),
            "no_place": self.no_place,
        }

    def load(self, state: dict[str, Any]) -> None:
        models = [(str(model), int(time_ms), int(count)) for model, time_ms, count in state["newest_ms"]]
        ids = np.ascontiguousarray(state["ids"], np.uint64)
        if len({model for model, _, _ in models}) < len(models) or len(set(ids.tolist()) - {0}) < len(ids):
            raise ValueError("a model or an event id that is there twice, or an id that is none")
        self.gate.load(models, ids)
        self.places.load(state["places"], [model for model, _, _ in models])
        self.counts.update({str(name): int(n) for name, n in state["counts"]})
        self.reasons = {str(name): int(n) for name, n in state["reasons"]}
        self.no_place = int(state.get("no_place", 0))  # Snapshots of before 0.2 have none.
