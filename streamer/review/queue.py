"""The review queue: which events people are asked to look at, most alarming first, within a budget per day of event
time.

Theory of operation. Event time is cut into slots. Of a slot's events those that alarm are ranked, each stratum on its
own, and in bounded memory: as many as could be asked at most. When event time leaves the slot the best are chosen: the
first of each stratum before the second of any, so that one stratum cannot have it all. Beside them a control share is
drawn from all other events of the slot by the hash of the event's id (`detectors/lowest.py`), whatever they look like:
with `of` / `chosen` as its weight it stands for them, so what is found among them tells the error of all.

What a slot may ask is its part of the day's budget and what the earlier ones left. So a day's budget is never exceeded,
and the state is a function of the log: neither a restart nor another cut of the log changes an item. Event time that
goes back counts in the slot that is open. An event that was asked about lately is not asked about again.

An item says where its event is, why, and what is asked; it has no values of features, and of the id only the hash.

>>> queue = ReviewQueue(Terms(budget=48, slots=24))
>>> told = Figures(evidence=[0, 5, 0], unfamiliarity=[0.1, 0.99, 0.2], confidence=[0.9, 0.4, 0.3], segments=[0, 0, 0])
>>> events = batch([0, 60_000, 120_000], offset=[7, 8, 9], ids=[11, 12, 13], stratum=[0, 0, 0])
>>> queue.offer(events, told)
[]
>>> for item in queue.tick(3_600_000):
...     print(item.offset, item.kind, item.reasons, item.asks)
8 ranked ('evidence', 'unfamiliarity', 'confidence') Is the prediction right, and does such an input belong here?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import F64, I64
from detectors.lowest import Lowest, Offered, chances
from detectors.shiryaev_roberts import U64

WEIGHTS = {"evidence": 0.4, "unfamiliarity": 0.3, "confidence": 0.2, "segments": 0.1}
"""What each part of an alarm adds to its score, from 0 to 1 each."""
ALARMING = 0.5
"""From here on a part is a reason; an event without one is never ranked."""
RIGHT, BELONGS = "Is the prediction right?", "Does such an input belong here?"
BOTH = "Is the prediction right, and does such an input belong here?"
STRATA_MAX = 32
"""Strata of a slot that are ranked on their own; what comes after them shares one."""
OTHER = -1
SALT = 0x5EED
RANKED, CONTROL = "ranked", "control"
NOBODY = 0
"""Stands for the models of events in a snapshot that does not say whose they are: it is an older one."""


@dataclass(frozen=True)
class Terms:
    """Items per day of event time at most, of which `control` are drawn whatever they look like."""

    budget: int = 200
    per_ms: int = 86_400_000
    control: float = 0.2
    slots: int = 24

    def __post_init__(self) -> None:
        if not (0 < self.budget <= 100_000 and 0.0 <= self.control <= 1.0 and self.slots > 0):
            raise ValueError("a budget of 1 to 100,000, a control share of 0 to 1, and a slot are needed")
        if self.per_ms <= 0 or self.per_ms % self.slots:
            raise ValueError("a day must be a whole number of slots")

    @property
    def parts(self) -> dict[str, int]:
        """The budget of either kind."""
        control = int(self.budget * self.control)
        return {RANKED: self.budget - control, CONTROL: control}


class Figures(NamedTuple):
    """Columns: evidence (how many times its threshold an alarm's statistic is), unfamiliarity (the share of the
    reference that is less odd), the model's confidence, and alerts of the event's segments that are open. NaN: unknown.
    """

    evidence: Any
    unfamiliarity: Any
    confidence: Any
    segments: Any


class Events(NamedTuple):
    """Columns of a batch, in the order of the log."""

    time_ms: I64
    offset: I64
    row: I64
    id: U64
    stratum: I64  # a number of the caller's, 0 and up: of a model, a segment
    model: U64  # a number of it


class Item(NamedTuple):
    """One event to look at, chosen when the slot ended at `until_ms`, of whose day's budget it is. Of `of` events
    `chosen` were drawn: a ranked one stands for itself.
    """

    offset: int
    row: int
    time_ms: int
    id: int
    kind: str
    reasons: tuple[str, ...]
    asks: str
    chosen: int
    of: int
    until_ms: int


def batch(time_ms: Any, offset: Any, ids: Any, stratum: Any, row: Any = None) -> Events:
    """Columns from plain lists."""
    rows = np.zeros(len(offset)) if row is None else row
    whole = (np.asarray(column, np.int64) for column in (time_ms, offset, rows))
    model = np.zeros(len(offset), np.uint64)
    return Events._make([*whole, np.asarray(ids, np.uint64), np.asarray(stratum, np.int64), model])


def alarm(figures: Figures) -> tuple[F64, I64]:
    """The score of each event, and its reasons as bits in the order of WEIGHTS."""
    evidence, unfamiliarity, confidence, segments = (np.asarray(column, np.float64) for column in figures)
    grown = [1.0 - 1.0 / (1.0 + np.maximum(many, 0.0)) for many in (evidence, segments)]
    parts = [grown[0], unfamiliarity, 1.0 - confidence, grown[1]]
    score, bits = np.zeros(len(evidence)), np.zeros(len(evidence), np.int64)
    for place, (part, weight) in enumerate(zip(parts, WEIGHTS.values(), strict=True)):
        known = np.clip(np.nan_to_num(part, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
        score += weight * known
        bits |= (known >= ALARMING).astype(np.int64) << place
    return score, bits


def reasons_of(bits: int) -> tuple[str, ...]:
    return tuple(name for place, name in enumerate(WEIGHTS) if bits >> place & 1)


def asked(reasons: Sequence[str]) -> str:
    """The question to whoever looks."""
    if "unfamiliarity" not in reasons:
        return RIGHT
    return BELONGS if len(reasons) == 1 else BOTH


class ReviewQueue:
    """Memory: at most 2 x STRATA_MAX candidates per item that one slot can have, and the ids of two budgets."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.slot_ms = terms.per_ms // terms.slots
        self.capacity = 2 * terms.budget
        self.slot: int | None = None  # the open one: event time over slot_ms
        self.sent = {RANKED: 0, CONTROL: 0}  # in the day of the open slot
        self.counts = dict.fromkeys(("events", "alarming", RANKED, CONTROL), 0)
        self.asked: dict[int, None] = {}  # ids, the newest last
        self._open()

    def _open(self) -> None:
        self.events = 0  # of the open slot
        self.limit = np.inf  # of the control share: what is above it is not known, as models have moved here or away
        self.of_model: dict[int, int] = {}  # these, by the number of their model
        self.ranked: dict[int, Lowest] = {}
        self.control = Lowest(3 * self.capacity)

    def offer(self, events: Events, figures: Figures) -> list[Item]:
        """All events of a batch; the items of the slots that end in it."""
        score, bits = alarm(figures)
        clock = events.time_ms if self.slot is None else np.maximum(events.time_ms, self.slot * self.slot_ms)
        slots = np.maximum.accumulate(clock) // self.slot_ms
        borders = [0, *(np.flatnonzero(np.diff(slots)) + 1).tolist(), len(slots)]
        found: list[Item] = []
        for begin, end in zip(borders, borders[1:], strict=False):
            if begin < end:
                found += self._move(int(slots[begin]))
                self._hold(Events._make(column[begin:end] for column in events), score[begin:end], bits[begin:end])
        return found

    def tick(self, time_ms: int) -> list[Item]:
        """It is so late, events or not."""
        return [] if self.slot is None else self._move(max(self.slot, time_ms // self.slot_ms))

    def held(self) -> Iterator[tuple[int, int]]:
        """Offset and row of all candidates of the open slot."""
        for kept in (*self.ranked.values(), self.control):
            items = kept.items()
            yield from zip(items.offset.tolist(), items.row.tolist(), strict=True)

    def erase(self, ids: U64) -> bool:
        """Ask about none of these events; whether one of them was known."""
        kept = *self.ranked.values(), self.control
        known = [one.blank(ids) for one in kept] + [self.asked.pop(id, 1) is None for id in ids.tolist()]
        return any(known)

    def _hold(self, events: Events, score: F64, bits: I64) -> None:
        note = events.time_ms << len(WEIGHTS) | bits
        drawn = Offered(chances(events.id, SALT), events.offset, events.row, events.id, note)
        self.control.offer(drawn if self.limit == np.inf else drawn.take(np.flatnonzero(drawn.number <= self.limit)))
        self.events += len(score)
        for model, count in zip(
            *(found.tolist() for found in np.unique(events.model, return_counts=True)), strict=True
        ):
            self.of_model[model] = self.of_model.get(model, 0) + count
        self.counts["events"] += len(score)
        alarming = np.flatnonzero(bits)
        self.counts["alarming"] += len(alarming)
        everyone = Offered(-score, events.offset, events.row, events.id, note)
        strata, first = np.unique(events.stratum[alarming], return_index=True)
        for stratum in strata[np.argsort(first)].tolist():  # In the order in which they came.
            mine = everyone.take(alarming[events.stratum[alarming] == stratum])
            room = stratum in self.ranked or len(self.ranked) < STRATA_MAX
            self.ranked.setdefault(stratum if room else OTHER, Lowest(self.capacity)).offer(mine)

    def _move(self, slot: int) -> list[Item]:
        """The items of the open slot, if another one begins."""
        if self.slot is None:
            self.slot = slot
        if slot == self.slot:
            return []
        ranked = self._best(self._quota(RANKED))
        drawn = self._drawn(self._quota(CONTROL), {item.id for item in ranked})
        for item in (*ranked, *drawn):
            self.sent[item.kind] += 1
            self.counts[item.kind] += 1
            self.asked[item.id] = None
        while len(self.asked) > 2 * self.terms.budget:
            del self.asked[next(iter(self.asked))]
        if slot // self.terms.slots != self.slot // self.terms.slots:
            self.sent = {RANKED: 0, CONTROL: 0}
        self.slot = slot
        self._open()
        return ranked + drawn

    def _quota(self, kind: str) -> int:
        """Items of the kind that the open slot may have: all that was granted so far today less what was sent."""
        assert self.slot is not None
        sofar = self.slot % self.terms.slots + 1
        return self.terms.parts[kind] * sofar // self.terms.slots - self.sent[kind]

    def _best(self, most: int) -> list[Item]:
        """The first of each stratum, then the second of each .., by their score; ties by the log."""
        order = []
        for kept in self.ranked.values():
            fresh = [c for c in columns(kept.items()) if c[3] and c[3] not in self.asked]
            order += [(rank, *candidate) for rank, candidate in enumerate(fresh)]
        chosen: dict[int, Item] = {}
        for _, _, offset, row, id, note in sorted(order):
            if len(chosen) < most and id not in chosen:
                chosen[id] = self._item(offset, row, id, note, RANKED, 1, 1)
        return list(chosen.values())

    def _drawn(self, most: int, taken: set[int]) -> list[Item]:
        """A random sample of the events that are not ranked."""
        chosen: dict[int, tuple[int, int, int]] = {}
        for _, offset, row, id, note in columns(self.control.items()):
            if len(chosen) < most and id and id not in taken and id not in self.asked:
                chosen.setdefault(id, (offset, row, note))
        of = self.events - len(taken)
        return [self._item(*at[:2], id, at[2], CONTROL, len(chosen), of) for id, at in chosen.items()]

    def _item(self, offset: int, row: int, id: int, note: int, kind: str, chosen: int, of: int) -> Item:
        assert self.slot is not None
        reasons = reasons_of(note) if kind == RANKED else ()
        until_ms = (self.slot + 1) * self.slot_ms
        return Item(offset, row, note >> len(WEIGHTS), id, kind, reasons, asked(reasons), chosen, of, until_ms)

    def dump(self) -> dict[str, Any]:
        """Plain values and arrays."""
        return {
            "slot": self.slot,
            "sent": [self.sent[RANKED], self.sent[CONTROL]],
            "counts": [*self.counts.values()],
            "events": self.events,
            "of_model": [list(pair) for pair in sorted(self.of_model.items())],  # However the log was cut.
            "asked": np.array([*self.asked], np.uint64),
            "strata": [*self.ranked],
            "ranked": [kept.dump() for kept in self.ranked.values()],
            "control": self.control.dump(),
            "limit": self.limit,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace all; ValueError for an invalid state, and then nothing is changed."""
        ranked = {int(stratum): Lowest(self.capacity) for stratum in state["strata"]}
        control, sent = Lowest(3 * self.capacity), dict(zip((RANKED, CONTROL), map(int, state["sent"]), strict=True))
        control.load(state["control"])
        events = int(state["events"])
        of_model = {int(model): int(count) for model, count in state.get("of_model", [(NOBODY, events)])}
        for kept, dumped in zip(ranked.values(), state["ranked"], strict=True):
            kept.load(dumped)
        if len(ranked) > STRATA_MAX + 1 or control.seen > events or len(state["asked"]) > self.capacity:
            raise ValueError("candidates that cannot be")
        if sum(of_model.values()) != events:
            raise ValueError("events of models that cannot be")
        if any(not 0 <= count <= self.terms.parts[kind] for kind, count in sent.items()):
            raise ValueError("more items than a day may have")
        self.slot = None if state["slot"] is None else int(state["slot"])
        self.sent, self.events, self.ranked, self.control = sent, events, ranked, control
        self.of_model, self.limit = of_model, float(state.get("limit", np.inf))  # Older snapshots have neither.
        self.counts = dict(zip(self.counts, map(int, state["counts"]), strict=True))
        self.asked = dict.fromkeys(np.asarray(state["asked"], np.uint64).tolist())


def columns(events: Offered) -> list[tuple[float, int, int, int, int]]:
    """Events as plain tuples, the lowest first."""
    return list(zip(*(column.tolist() for column in events), strict=True))
