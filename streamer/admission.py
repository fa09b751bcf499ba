"""Which events of a batch are used, and the account of those that are not.

Every record ends in exactly one of: used, late, duplicate, filtered, dead-lettered. An event is filtered when no
monitor watches its model, a duplicate when its id is among the last ones used, late when it is older than the
newest event of its model by more than the allowed lateness.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from schemas.batch import I32, U64, Batch
from schemas.compiled import native
from streamer.signals import I64, Bool

RESULTS = ("used", "late", "duplicate", "filtered", "dead_lettered")

NEVER = int(np.iinfo(np.int64).min)
"""Newest time of a model none of whose events was used yet."""

Admitted = tuple[Bool, I64, I64, int, int, int]
"""used, the model's newest time up to and including each event, newest time per code; filtered, duplicate, late"""


class Gate:
    """Decides event by event; `codes` are models, `watched` and `newest_ms` are per code.

    A model beyond `room` new ones is filtered like an unwatched one: it could have no series either.
    """

    def __init__(self, lateness_ms: int, capacity: int) -> None:
        self.lateness_ms = lateness_ms
        self.capacity = capacity
        self.ids: dict[int, None] = {}

    def admit(self, codes: I32, times_ms: I64, event_ids: U64, watched: Bool, newest_ms: I64, room: int) -> Admitted:
        used, now = np.zeros(len(codes), bool), np.zeros(len(codes), np.int64)
        newest, ids = newest_ms.tolist(), self.ids
        filtered = duplicate = late = 0
        for i, (code, time_ms, event_id) in enumerate(
            zip(codes.tolist(), times_ms.tolist(), event_ids.tolist(), strict=True)
        ):
            fresh = newest[code] == NEVER
            if not watched[code] or (fresh and room == 0):
                filtered += 1
                continue
            if event_id in ids:
                duplicate += 1
                continue
            latest = time_ms if fresh else newest[code]
            if time_ms < latest - self.lateness_ms:
                late += 1
                continue
            if event_id and self.capacity:
                ids[event_id] = None
                if len(ids) > self.capacity:
                    del ids[next(iter(ids))]
            room -= fresh
            newest[code] = now[i] = max(latest, time_ms)
            used[i] = True
        return used, now, np.array(newest, np.int64), filtered, duplicate, late

    def dump(self) -> U64:
        """The ids remembered, oldest first."""
        return np.fromiter(self.ids, np.uint64, len(self.ids))

    def load(self, ids: U64) -> None:
        """Replace them all; of too many the newest stay."""
        self.ids = dict.fromkeys(ids.tolist()[-self.capacity :] if self.capacity else [])


class Admission:
    """State: newest event time per model, the last `duplicates` event ids, and the counters."""

    def __init__(
        self,
        watched: Callable[[str], bool],
        lateness_ms: int,
        duplicates: int,
        models_max: int,
        compiled: bool = native is not None,
    ) -> None:
        self.watched = watched
        self.models_max = models_max
        self.gate: Any = (
            native.Admission(lateness_ms, duplicates) if compiled and native else Gate(lateness_ms, duplicates)
        )
        self.newest_ms: dict[str, int] = {}
        self.events: dict[str, int] = {}  # used ones, by model
        self.counts: dict[str, int] = dict.fromkeys(RESULTS, 0)
        self.reasons: dict[str, int] = {}

    def admit(self, batch: Batch, refused: Bool | None = None) -> tuple[Bool, I64]:
        """For each event whether it is used, and its model's newest time up to and including it. The refused ones are
        filtered before anything of them is remembered.
        """
        present = np.flatnonzero(np.bincount(batch.model))
        names = [batch.strings[code] for code in present.tolist()]
        # One code more than there are: the model of the refused, which nobody watches.
        watched = np.zeros(len(batch.strings) + 1, bool)
        before = np.full(len(batch.strings) + 1, NEVER, np.int64)
        watched[present] = list(map(self.watched, names))
        before[present] = [self.newest_ms.get(name, NEVER) for name in names]
        codes = batch.model if refused is None else np.where(refused, len(batch.strings), batch.model).astype(np.int32)
        room = max(self.models_max - len(self.newest_ms), 0)
        used, now, newest, filtered, duplicate, late = self.gate.admit(
            codes, batch.times_ms, batch.event_id, watched, before, room
        )
        # New models enter in the order of their first used event, so that no snapshot depends on the cuts.
        fresh = np.flatnonzero((before == NEVER) & (newest != NEVER)).tolist()
        for code in sorted(fresh, key=lambda code: first_use(batch, used, code)):
            self.newest_ms[batch.strings[code]], self.events[batch.strings[code]] = NEVER, 0
        taken = np.bincount(batch.model[used], minlength=len(batch.strings))[present]
        for name, newest_ms, count in zip(names, newest[present].tolist(), taken.tolist(), strict=True):
            if count:
                self.newest_ms[name] = newest_ms
                self.events[name] += count
        for name, count in (("filtered", filtered), ("duplicate", duplicate), ("late", late)):
            self.counts[name] += count
        self.counts["used"] += len(used) - filtered - duplicate - late
        self.counts["dead_lettered"] += len(batch.rejects)
        for reject in batch.rejects:
            self.reasons[reject.reason] = self.reasons.get(reject.reason, 0) + 1
        return used, now

    def dump(self) -> dict[str, Any]:
        return {
            "newest_ms": [[model, newest_ms, self.events[model]] for model, newest_ms in self.newest_ms.items()],
            "ids": self.gate.dump(),
            "counts": list(self.counts.items()),
            "reasons": list(self.reasons.items()),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.newest_ms = {str(model): int(time_ms) for model, time_ms, _ in state["newest_ms"]}
        self.events = {str(model): int(count) for model, _, count in state["newest_ms"]}
        self.gate.load(np.ascontiguousarray(state["ids"], np.uint64))
        self.counts.update({str(name): int(n) for name, n in state["counts"]})
        self.reasons = {str(name): int(n) for name, n in state["reasons"]}


def first_use(batch: Batch, used: Bool, code: int) -> int:
    return int(np.argmax(used & (batch.model == code)))
