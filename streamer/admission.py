"""Which events of a batch are used, and the account of those that are not.

Every record ends in exactly one of: used, late, duplicate, filtered, dead-lettered. An event is filtered when no
monitor watches its model, a duplicate when its id is among the last ones used, late when it is older than the
newest event of its model by more than the allowed lateness.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from schemas.batch import Batch
from streamer.signals import I64, Bool

RESULTS = ("used", "late", "duplicate", "filtered", "dead_lettered")


class Admission:
    """State: newest event time per model, the last `duplicates` event ids, and the counters."""

    def __init__(self, watched: Callable[[str], bool], lateness_ms: int, duplicates: int, models_max: int) -> None:
        self.watched = watched
        self.lateness_ms = lateness_ms
        self.duplicates = duplicates
        self.models_max = models_max
        self.newest_ms: dict[str, int] = {}
        self.ids: dict[int, None] = {}
        self.counts: dict[str, int] = dict.fromkeys(RESULTS, 0)
        self.reasons: dict[str, int] = {}

    def admit(self, batch: Batch) -> tuple[Bool, I64]:
        """For each event whether it is used, and its model's newest time up to and including it."""
        used = np.zeros(len(batch.offsets), bool)
        now = np.zeros(len(batch.offsets), np.int64)
        watched: dict[int, bool] = {}
        counts, newest, ids = self.counts, self.newest_ms, self.ids
        columns = zip(batch.model.tolist(), batch.times_ms.tolist(), batch.event_id.tolist(), strict=True)
        for i, (code, time_ms, event_id) in enumerate(columns):
            model = batch.strings[code]
            if code not in watched:
                watched[code] = self.watched(model)
            # A model beyond the bound is filtered like an unwatched one: it could have no series either.
            if not watched[code] or (model not in newest and len(newest) >= self.models_max):
                counts["filtered"] += 1
                continue
            if event_id in ids:
                counts["duplicate"] += 1
                continue
            latest = newest.get(model, time_ms)
            if time_ms < latest - self.lateness_ms:
                counts["late"] += 1
                continue
            if event_id and self.duplicates:
                ids[event_id] = None
                if len(ids) > self.duplicates:
                    del ids[next(iter(ids))]
            newest[model] = now[i] = max(latest, time_ms)
            used[i] = True
        counts["used"] += int(np.count_nonzero(used))
        counts["dead_lettered"] += len(batch.rejects)
        for reject in batch.rejects:
            self.reasons[reject.reason] = self.reasons.get(reject.reason, 0) + 1
        return used, now

    def dump(self) -> dict[str, Any]:
        return {
            "newest_ms": list(self.newest_ms.items()),
            "ids": np.fromiter(self.ids, np.uint64, len(self.ids)),
            "counts": list(self.counts.items()),
            "reasons": list(self.reasons.items()),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.newest_ms = {str(model): int(time_ms) for model, time_ms in state["newest_ms"]}
        self.ids = dict.fromkeys(state["ids"].tolist()[-self.duplicates :] if self.duplicates else [])
        self.counts.update({str(name): int(n) for name, n in state["counts"]})
        self.reasons = {str(name): int(n) for name, n in state["reasons"]}
