"""Which events of a batch are used, and the account of those that are not.

Every record ends in exactly one of: used, late, duplicate, filtered, dead-lettered. An event is filtered when no
monitor watches its model, a duplicate when its id is among the last ones used, late when it is older than the
newest event of its model by more than the allowed lateness. An event about another one, such as feedback, comes when it
comes: it is never late, moves no clock and is of the time of its model's newest. Of a model that has had no inference
yet it is about nothing that is known, and filtered.

One wrong clock must not make everybody else late, see `event_clock.py`: an event that is further ahead of all before of
its model than most are is used, but its time is not believed: it is that of the newest before. An event that has no
time at all, nor its record, is of that time, too. The first event of a model has none of its own before it: there the
last tick counts, and the newest of all models, of which it may be ahead by a year: their clocks need not be its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from schemas.events.batch import I32, U64, Batch
from streamer.alerts.unusable import DUPLICATE, LATE, counted
from streamer.engine.event_clock import LATE as TOO_LATE
from streamer.engine.event_clock import NOW, TIMELY, UNTIMELY, EventClock
from streamer.series.turnover import Places
from streamer.signals.columns import I64, Bool, dense
from streamer.signals.models import Models, any_pattern, of_models
from streamer.signals.roles import COMMAND, LABELLED, has, is_about, is_command, is_label

ODD_MAX = 200
"""Fields and reasons that are counted on their own: names come from producers, and what is counted is in the state."""
OTHER = "other"

RESULTS = ("used", "late", "duplicate", "filtered", "dead_lettered")

FIRST_AHEAD_MS = 365 * 86_400_000
"""By how much a model's first event may be ahead of all the others, whose clocks need not be its own."""
CLOCK = ("time", "clock_ahead")

Admitted = tuple[Bool, I64, int, I64, I64, I64, int]
"""used, the model's newest time up to and including each event; how many filtered; which are duplicates, which late,
and which of the used ones have a time that is not theirs: that of the newest; how many turned out to be of a wrong
clock"""


class Gate:
    """Decides event by event. A model beyond `models_max` is filtered like an unwatched one: it could have no series
    either.
    """

    def __init__(
        self, watched: Collection[str] | None, lateness_ms: int, capacity: int, models_max: int, ahead_ms: int
    ) -> None:
        self.watched, self.lateness_ms = watched, lateness_ms
        self.capacity, self.models_max, self.ahead_ms = capacity, models_max, ahead_ms
        self.clocks: dict[str, EventClock] = {}
        self.events: dict[str, int] = {}  # used ones
        self.ids: dict[int, None] = {}

    def admit(
        self, codes: I32, times: tuple[I64, int], event_ids: U64, strings: tuple[str, ...], refused: Bool | None
    ) -> Admitted:
        """`codes`: of the models, into `strings`; `times`: of the events, negative of what is about another, and of the
        last tick.
        """
        times_ms, tick_ms = times
        used, now = [False] * len(codes), [0] * len(codes)
        turned_away = [False] * len(codes) if refused is None else refused.tolist()
        filtered, ahead = 0, 0
        duplicate, late, untimely = list[int](), list[int](), list[int]()
        watched, clocks, ids = self.watched, self.clocks, self.ids
        columns = (codes.tolist(), times_ms.tolist(), event_ids.tolist(), turned_away)
        for i, (code, time_ms, event_id, away) in enumerate(zip(*columns, strict=True)):
            model = strings[code]
            clock = clocks.get(model)
            about = time_ms < 0
            full = clock is None and (about or len(clocks) >= self.models_max)
            if away or full or (watched is not None and model not in watched):
                filtered += 1
                continue
            if event_id in ids:
                duplicate.append(i)
                continue
            first = clock is None
            if clock is None:
                clock = clocks[model] = self._first(time_ms, tick_ms)
            if about or (time_ms == 0 and clock.now_ms):
                verdict, wrong = UNTIMELY, 0
            elif first and clock.time_ms == time_ms:
                verdict, wrong = TIMELY, 0
            else:
                verdict, wrong = clock.hear(time_ms, self.lateness_ms, self.ahead_ms)
            ahead += wrong
            if verdict == TOO_LATE:
                late.append(i)
                continue
            if verdict == UNTIMELY:
                untimely.append(i)
            if event_id and self.capacity:
                self._remember(event_id)
            used[i], now[i] = True, clock.now_ms
        taken = np.array(used, bool)
        counts = np.bincount(codes[taken])
        for code in np.flatnonzero(counts).tolist():
            model = strings[code]
            self.events[model] = self.events.get(model, 0) + counts.item(code)
        newest, again, old, doubted = (np.array(some, np.int64) for some in (now, duplicate, late, untimely))
        return taken, newest, filtered, again, old, doubted, ahead

    def _first(self, time_ms: int, tick_ms: int) -> EventClock:
        """The clock of a model whose first event has this time."""
        others_ms = max((clock.now_ms for clock in self.clocks.values()), default=0)
        known_ms = max(tick_ms, others_ms)
        far_ms = self.ahead_ms if tick_ms else max(self.ahead_ms, FIRST_AHEAD_MS)
        return EventClock(known_ms, known=True) if 0 < known_ms < time_ms - far_ms else EventClock(time_ms)

    def _remember(self, event_id: int) -> None:
        self.ids[event_id] = None
        if len(self.ids) > self.capacity:
            del self.ids[next(iter(self.ids))]

    def models(self) -> list[tuple[str, int, int]]:
        """See `Admission.models`."""
        return [(model, clock.now_ms, self.events[model]) for model, clock in self.clocks.items()]

    def times(self) -> list[list[int]]:
        """The clock of each model, see `STATE` in `event_clock.py`."""
        return [clock.dump() for clock in self.clocks.values()]

    def remembered(self) -> U64:
        """The ids remembered, oldest first."""
        return np.fromiter(self.ids, np.uint64, len(self.ids))

    def forget(self, models: Collection[str]) -> None:
        """These models are as if they had never been met."""
        for model in models:
            del self.clocks[model], self.events[model]

    def load(self, models: Sequence[tuple[str, int, int]], ids: U64, times: Sequence[Sequence[int]]) -> None:
        """Add to an empty gate what another one had; of too many ids the newest stay."""
        for (model, _, events), state in zip(models, times, strict=True):
            self.clocks[model], self.events[model] = EventClock.load(state), events
        self.ids = dict.fromkeys(ids.tolist()[-self.capacity :] if self.capacity else [])


class Admission:
    """State: newest event time and used events per model, the last `duplicates` event ids, and the counters.
    `gate` decides: a `Gate`, or its compiled twin. A model has one of `places`, see `Turnover`. `watched`: the models
    that are. The gate knows them where they are names alone; those of patterns are refused before it.
    """

    def __init__(self, gate: Any, places: Places[str], watched: Models = ()) -> None:
        self.gate, self.places, self.watched = gate, places, watched
        self.patterns = any_pattern(watched)
        self.no_place = 0  # events of models beyond the limit, which are filtered
        self.counts: dict[str, int] = dict.fromkeys(RESULTS, 0)
        self.reasons: dict[str, int] = {}
        self.odd: dict[tuple[str, str], int] = {}  # fields left out of events, by field and reason

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

    def admit(
        self, batch: Batch, refused: Bool | None = None, clock_ms: int = 0
    ) -> tuple[Batch, Bool, I64, dict[str, I64]]:
        """The batch, with times that can be believed; for each event whether it is used, and its model's newest time up
        to and including it; and which are late, and which duplicates. The refused ones are filtered before anything of
        them is remembered. A label record is used whenever it comes, and so is a command: its time is no concern of its
        model's, and it is looked at as of the model's newest.
        """
        labels = self._labels(batch, refused)
        away = self._away(batch, refused) if self.patterns else refused
        if labels is not None:
            away = labels if away is None else away | labels
        about = is_about(batch)
        given_ms = np.where(about, np.int64(-1), batch.times_ms) if about.any() else batch.times_ms
        used, now, filtered, duplicate, late, untimely, ahead = self.gate.admit(
            batch.model, (given_ms, clock_ms), batch.event_id, batch.strings, away
        )
        if labels is not None:
            batch, used, now = self._with_labels(batch, used, now, labels, clock_ms)
            filtered -= int(np.count_nonzero(labels))
            self.places.clock -= int(np.count_nonzero(labels))
        else:
            self._hear(batch, used, now)
        self.places.clock += len(used) - (0 if refused is None else int(np.count_nonzero(refused)))
        if filtered and self.places.full:
            self.no_place += filtered - int(np.count_nonzero(self._away(batch, refused)))
        for name, count in (("filtered", filtered), ("duplicate", len(duplicate)), ("late", len(late))):
            self.counts[name] += count
        self.counts["used"] += len(used) - filtered - len(duplicate) - len(late)
        self.counts["dead_lettered"] += sum(reject.records for reject in batch.rejects)
        self.reasons = counted(self.reasons, batch.rejects)
        for event, field, reason in batch.odd:
            if refused is None or not refused.item(event):
                self._leave_out((field, reason))
        if ahead:
            self._leave_out(CLOCK, ahead)
        if len(untimely):
            times_ms = batch.times_ms.copy()
            times_ms[untimely] = now[untimely]
            batch = replace(batch, times_ms=times_ms)
        return batch, used, now, {LATE: late, DUPLICATE: duplicate}

    def _labels(self, batch: Batch, refused: Bool | None) -> Bool | None:
        """The label records that are used, and the commands; None where there are none. A command is used whatever it
        is about, for each is answered.
        """
        found = None
        if has(batch, LABELLED) and (labels := is_label(batch)).any():
            found = labels & ~self._away(batch, refused)
        if has(batch, COMMAND) and (commands := is_command(batch)).any():
            commands = commands if refused is None else commands & ~refused
            found = commands if found is None else found | commands
        return found

    def _with_labels(self, batch: Batch, used: Bool, now: I64, labels: Bool, clock_ms: int) -> tuple[Batch, Bool, I64]:
        """The batch, what is used and the clocks, as if each label or command had come at its model's newest time."""
        now, newest = now.copy(), {model: heard[0] for model, heard in self.places.heard.items()}
        every = max([clock_ms, *newest.values()])
        columns = batch.model.tolist(), used.tolist(), labels.tolist(), now.tolist()
        for event, (code, is_used, label, now_ms) in enumerate(zip(*columns, strict=True)):
            model = batch.strings[code]
            if is_used:
                newest[model], every = now_ms, max(every, now_ms)
            elif label:
                now[event] = newest.get(model, every)
        self._hear(batch, used, now)
        times_ms = np.where(labels, now, batch.times_ms)
        return replace(batch, times_ms=times_ms), used | labels, now

    def _leave_out(self, place: tuple[str, str], count: int = 1) -> None:
        """Count what was left out of events. The clock has a place always: it is counted by batch, not by event."""
        if place not in self.odd and place != CLOCK and len(self.odd.keys() - {CLOCK}) >= ODD_MAX:
            place = OTHER, place[1]
        self.odd[place] = self.odd.get(place, 0) + count

    def _away(self, batch: Batch, refused: Bool | None) -> Bool:
        """Which events are filtered however few models there are."""
        away = np.zeros(len(batch.model), bool) if refused is None else refused
        return away | ~of_models(batch, self.watched) if self.watched else away

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
            "clocks": self.gate.times(),
            "ids": self.gate.remembered(),
            "counts": list(self.counts.items()),
            "reasons": list(self.reasons.items()),
            "odd": [[*place, count] for place, count in sorted(self.odd.items())],
            "no_place": self.no_place,
        }

    def load(self, state: dict[str, Any]) -> None:
        models = [(str(model), int(time_ms), int(count)) for model, time_ms, count in state["newest_ms"]]
        ids = np.ascontiguousarray(state["ids"], np.uint64)
        # Older snapshots have none.
        clocks = state.get("clocks", [EventClock(newest_ms, known=True).dump() for _, newest_ms, _ in models])
        if [int(clock[NOW]) for clock in clocks] != [newest_ms for _, newest_ms, _ in models]:
            raise ValueError("models and their clocks differ")
        if len({model for model, _, _ in models}) < len(models) or len(set(ids.tolist()) - {0}) < len(ids):
            raise ValueError("a model or an event id that is there twice, or an id that is none")
        self.gate.load(models, ids, [[int(part) for part in clock] for clock in clocks])
        self.places.load(state["places"], [model for model, _, _ in models])
        self.counts.update({str(name): int(n) for name, n in state["counts"]})
        self.reasons = {str(name): int(n) for name, n in state["reasons"]}
        self.odd = {(str(field), str(reason)): int(n) for field, reason, n in state["odd"]}
        self.no_place = int(state.get("no_place", 0))  # Snapshots of before 0.2 have none.
