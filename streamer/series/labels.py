"""Late labels: label records are joined with the inference that they name, by model and event id.

The label may come after its inference or before; either waits for the other until the clock, the newest event time of
the partition so far, has passed by `ttl`, or until `pending` of its kind have come behind it. Every label record ends
in one count of `RESULTS`; those that are in none yet wait.

An inference is kept as a row of numbers: its prediction as the hash of its label, or as the number it is. Of a label
that was joined 16 bits stay, so that one that comes again is known from one that says otherwise: of 65,534 that say
otherwise one is taken for a repetition.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from schemas.events.batch import Batch
from streamer.series.calibrations import Calibrations
from streamer.series.joined import joined_of
from streamer.series.pending import CAME, ID, Block, Layout, Pending
from streamer.series.performance import Performance, Predicted
from streamer.series.predictions import CLASS, NOTHING, NUMBER, Said, model_hash, said_of
from streamer.series.unlabelled import Due
from streamer.signals.columns import I64, Bool, Grouping, dense, group, groups_of
from streamer.signals.grammar import BY_PATHS
from streamer.signals.roles import Population, populations

RESULTS = ("matched", "duplicate", "conflicting", "unmatched", "unusable", "erased")
"""matched: joined. duplicate: it says again what an earlier one said. conflicting: it says otherwise, and the first one
stands. unmatched: it waited in vain. unusable: it holds no truth, or none that can be compared with what was predicted.
erased: its id was, before it met an inference.
"""
AWAITED = ("labelled", "expired", "displaced", "refused", "erased")
"""What became of inferences: labelled; no label came within `ttl`, or before `pending` others; there were more groups
than have a place, or more windows of them.
"""
MARKS = 65_534
CLASSES_MAX = 1000
"""Classes of a partition whose texts are remembered."""

WAITING: Layout = (
    ("time_ms", "<i8"), ("prediction", "<u8"), ("confidence", "<f8"), ("group", "<i4"), ("kind", "|u1")
)  # fmt: skip
"""Of one that has no place its prediction is the hash of its model, since no group says it."""
EARLY: Layout = (("time_ms", "<i8"), ("truth", "<u8"), ("number", "<f8"), ("model", "<u8"))


class Piece(NamedTuple):
    """A batch, what it says, and of each event the clock, the time it was sent with and whether it is a label."""

    batch: Batch
    said: Said
    clock: I64
    sent_ms: I64
    labels: Bool


def mark_of(truth: int) -> int:
    """What stays of a label once it is joined."""
    return 1 + truth % MARKS


class Labels:
    """What waits in one partition, and the counts. `by`: fields whose values the groups of inferences are made of."""

    def __init__(
        self, ttl_ms: int, pending: int, by: tuple[str, ...], groups_max: int, grouping: Grouping = group
    ) -> None:
        self.by, self.groups_max, self.grouping = by, groups_max, grouping
        self.performance: Performance | None = None  # where somebody asks for it
        self.calibrations: Calibrations | None = None  # likewise
        self.due: Due | None = None  # likewise
        self.waiting, self.early = Pending(WAITING, ttl_ms, pending), Pending(EARLY, ttl_ms, pending, later=1)
        self.clock_ms = 0
        self.keys: dict[int, tuple[str, ...]] = {}  # of the groups that rows are of, by number
        self.numbers: dict[tuple[str, ...], int] = {}
        self.blocks_of: dict[int, int] = {}  # in how many full blocks each group is
        self.classes: dict[int, str] = {}  # by hash
        self.models: dict[int, str] = {}  # by hash, those that early labels are of
        self.groups = 0  # that there were so far
        self.settled = 0  # early labels before this number are counted, or were joined
        self.received, self.moved = 0, 0  # moved: waiting labels that came with their model, less those that went
        self.results = dict.fromkeys(RESULTS, 0)
        self.inferences = dict.fromkeys(AWAITED, 0)
        self.joined = joined_of(())  # of the last batch, with the keys of its groups; not state
        self.joined_keys: dict[int, tuple[str, ...]] = {}

    def take(self, batch: Batch, used: Bool, sent_ms: I64) -> None:
        """Join what a batch brings; `sent_ms`: the times that label records themselves have."""
        of = populations(batch, used)
        labels, inferences = of[Population.LABELS], of[Population.INFERENCES]
        clock = np.maximum.accumulate(
            np.where(used & ~labels, np.maximum(batch.times_ms, self.clock_ms), self.clock_ms)
        )
        if self.clock_ms == 0 and clock.any():
            self.early.begun_ms = clock.item(int(np.flatnonzero(clock)[0]))
        self.received += int(np.count_nonzero(labels))
        found, done, self.joined_keys = list[tuple[Any, ...]](), 0, {}
        events = np.flatnonzero(labels | (inferences & (batch.event_id != 0)))
        turns = self.due.begin(batch, inferences, clock) if self.due is not None else []
        if len(events):
            said = said_of(batch, labels, inferences)
            self._name(said)
            one = Piece(batch, said, clock, sent_ms, labels)
        for upto, turn in zip(np.searchsorted(events, [*turns, len(clock)]).tolist(), [*turns, None], strict=True):
            mine, events = events[: upto - done], events[upto - done :]
            done = upto
            for part in self._parts(mine, labels[mine]):
                self._join(one, part, found)
                self._turn(clock.item(part.item(-1)))
            if self.due is not None:
                self.due.turn(turn, found, self.joined_keys, self.waiting, self.keys)
        self.joined = joined_of(found)
        if self.calibrations is not None:
            self.calibrations.add(self.joined, self.joined_keys)
        if self.performance is not None:
            self.performance.add(self.joined, self.joined_keys, self.classes)
        self.clock_ms = int(clock[-1]) if len(clock) else self.clock_ms
        self.settle(self.clock_ms)

    def _parts(self, events: I64, labels: Bool) -> Iterator[I64]:
        """The events cut where a block is full: there, and nowhere else, blocks are let go."""
        begin = 0
        while begin < len(events):
            ends = [
                int(np.searchsorted(np.cumsum(some[begin:]), store.room)) + 1
                for some, store in ((~labels, self.waiting), (labels, self.early))
            ]
            end = min(begin + min(ends), len(events))
            yield events[begin:end]
            begin = end

    def _name(self, said: Said) -> None:
        """Remember what classes are called, in the order of the log."""
        classes = np.where(said.kind == CLASS, said.prediction, said.truth)
        hashes, first = np.unique(classes, return_index=True)
        for _, code in sorted(zip(first.tolist(), hashes.tolist(), strict=True)):
            if code and code not in self.classes and len(self.classes) < CLASSES_MAX:
                self.classes[code] = said.texts[code]

    def _join(self, one: Piece, events: I64, found: list[tuple[Any, ...]]) -> None:
        """Take inferences and labels for which there is room, and add those that meet to what was `found`."""
        labels, said = one.labels[events], one.said
        mine = events[~labels]
        ids, first = said.ids[mine], self._add(one, mine)
        # Rows get their numbers together; a label is to find those before it alone. So those that a label of this piece
        # is about, or that a label waits for, are made known at their place in the log, and the others behind.
        about = said.ids[events[labels]]
        before = zip(self.waiting.find(about).tolist(), self.early.find(about).tolist(), strict=True)
        of_label = dict(zip(events[labels].tolist(), before, strict=True))
        early, waits, sought = self.early.find(ids), self.early.places, set(about.tolist())
        meets = early >= 0
        if sought or waits:
            meets |= np.array([i in sought or i in waits for i in ids.tolist()], bool)
        chosen = labels.copy()
        chosen[~labels] = meets
        number = first + np.cumsum(~labels) - ~labels
        columns = events[chosen], number[chosen], labels[chosen], said.ids[events[chosen]]
        of_inference: dict[int, int] = dict(zip(mine[meets].tolist(), early[meets].tolist(), strict=True))
        for event, row, is_label, event_id in zip(*(column.tolist() for column in columns), strict=True):
            if is_label:
                rows = self.waiting.places.get(event_id, of_label[event][0]), waits.get(event_id, of_label[event][1])
                self._label(one, event, rows, row, found)
            else:
                self.waiting.places[event_id] = row
                self._inference(one, event, waits.get(event_id, of_inference[event]), row, found)
        self.waiting.known(ids.tolist(), first)

    def _add(self, one: Piece, events: I64) -> int:
        """Rows of inferences, in their groups; the number of the first."""
        chosen, said = np.zeros(len(one.labels), bool), one.said
        chosen[events] = True
        groups = groups_of(one.batch, chosen, self.by, BY_PATHS, self.grouping)
        of_event = groups.of_event[events]
        number = np.full(len(groups.keys), -1, np.int64)
        for place in dense(of_event)[1].tolist():
            number[of_event[place]] = self._group(groups.keys[of_event[place]])
        group_of = number[of_event]
        placed = group_of >= 0
        self.inferences["refused"] += int(np.count_nonzero(~placed))
        if self.performance is not None and placed.any():
            mine = events[placed]
            predicted = Predicted(said.kind[mine], said.prediction[mine], said.confidence[mine])
            times_ms = one.batch.times_ms[mine]
            self.inferences["refused"] += self.performance.expect(self.keys, group_of[placed], times_ms, predicted)
        columns = {
            ID: said.ids[events], CAME: one.clock[events], "time_ms": one.batch.times_ms[events],
            "prediction": np.where(placed, said.prediction[events], said.models[events]),
            "confidence": said.confidence[events], "group": group_of,
            "kind": np.where(placed, said.kind[events], NOTHING),
        }  # fmt: skip
        return self.waiting.add(columns, len(events))

    def _group(self, key: tuple[str, ...]) -> int:
        """Its number; -1 where there are too many."""
        found = self.numbers.get(key)
        if found is None:
            if len(self.numbers) >= self.groups_max:
                return -1
            found = self.numbers[key] = self.groups
            self.keys[found], self.groups = key, found + 1
        return found

    def _label(self, one: Piece, event: int, rows: tuple[int, int], end: int, found: list[tuple[Any, ...]]) -> None:
        """A label record; the inference of its id and the label that waits for that, -1 for none; `end`: the number of
        the next inference.
        """
        (row, early), truth = rows, one.said.truth.item(event)
        clock_ms = one.clock.item(event)
        if not truth:
            self.results["unusable"] += 1
            return
        found_row = self.waiting.open(row, clock_ms, end)
        if found_row is not None and self._known(*found_row):
            mark = found_row[0].marks.item(found_row[1])
            if mark:
                self.results["duplicate" if mark == mark_of(truth) else "conflicting"] += 1
            else:
                said = truth, one.said.number.item(event), one.sent_ms.item(event)
                self._meet(event, *found_row, said, found)
            return
        waits = self.early.open(early, clock_ms, self.early.end) if early >= 0 else None
        if waits is not None:
            same = waits[0].columns["truth"].item(waits[1]) == truth
            self.results["duplicate" if same else "conflicting"] += 1
            return
        event_id, model = one.said.ids.item(event), one.said.models.item(event)
        self.models.setdefault(model, one.batch.strings[one.batch.model.item(event)])
        row_of = {ID: event_id, CAME: clock_ms, "time_ms": one.sent_ms.item(event), "truth": truth, "model": model}
        self.early.places[event_id] = self.early.add({**row_of, "number": one.said.number.item(event)}, 1)

    def _known(self, block: Block, place: int) -> bool:
        """Whether the group of an inference is not forgotten."""
        of = block.columns["group"].item(place)
        return of < 0 or of in self.keys

    def _inference(self, one: Piece, event: int, early: int, row: int, found: list[tuple[Any, ...]]) -> None:
        """An inference, and the label that waited for its id if there is one."""
        waits = self.early.open(early, one.clock.item(event), self.early.end)
        if waits is None or waits[0].marks.item(waits[1]):
            return
        block, place = waits
        columns = block.columns
        truth = columns["truth"].item(place)
        block.marks[place] = mark_of(truth)
        said = truth, columns["number"].item(place), columns["time_ms"].item(place)
        self._meet(event, *self.waiting.at(row), said, found)

    def _meet(
        self, event: int, block: Block, place: int, said: tuple[int, float, int], found: list[tuple[Any, ...]]
    ) -> None:
        columns, (truth, number, label_ms) = block.columns, said
        kind = columns["kind"].item(place)
        if kind == NOTHING or (kind == NUMBER and number != number):
            self.results["unusable"] += 1
            return
        block.marks[place] = mark_of(truth)
        self.results["matched"] += 1
        self.inferences["labelled"] += 1
        of = columns["group"].item(place)
        self.joined_keys[of] = self.keys[of]
        prediction, confidence = columns["prediction"].item(place), columns["confidence"].item(place)
        of_inference = of, kind, prediction, truth, number, confidence, columns["time_ms"].item(place)
        found.append((event, *of_inference, label_ms))

    def erase(self, event_id: int, models: Collection[str]) -> bool:
        """Know nothing more of this id, be it of any of these models, or of one that something waits of."""
        names = dict.fromkeys([*models, *(key[0] for key in self.keys.values()), *self.models.values()])
        ids = np.array([event_id ^ model_hash(name) for name in names], np.uint64)
        left, known = self.waiting.erase(ids)
        self.inferences["erased"] += left
        unmet, early = self.early.erase(ids, self.settled)
        self.results["erased"] += unmet
        return known or early

    def _turn(self, clock_ms: int) -> None:
        """Begin a block where one is full, and let those go that hold nothing open."""
        if self.early.room == 0:
            self.early.seal()
            self._let_go(clock_ms)
        if self.waiting.room:
            return
        for of in np.unique(self.waiting.blocks[-1].columns["group"]).tolist():
            self.blocks_of[of] = self.blocks_of.get(of, 0) + 1
        self.waiting.seal()
        self._let_go(clock_ms)
        for block in self.waiting.closed(clock_ms):
            left = block.marks == 0
            young = block.came >= self.waiting.oldest_ms(clock_ms)
            self.inferences["displaced"] += int(np.count_nonzero(left & young))
            self.inferences["expired"] += int(np.count_nonzero(left & ~young))
            for of in np.unique(block.columns["group"]).tolist():
                self.blocks_of[of] -= 1
                if not self.blocks_of[of]:
                    del self.blocks_of[of]
                    self._drop(of)

    def _let_go(self, clock_ms: int) -> None:
        """Blocks of early labels that nobody waits for."""
        self.settle(clock_ms)
        if self.early.closed(clock_ms):
            left = {model for block in self.early.blocks for model in np.unique(block.columns["model"]).tolist()}
            self.models = {model: name for model, name in self.models.items() if model in left}

    def settle(self, clock_ms: int) -> None:
        """Count early labels that waited in vain."""
        border = self.early.border(clock_ms, self.settled)
        self.results["unmatched"] += self.early.unanswered(self.settled, border)
        self.settled = border

    @property
    def wait(self) -> int:
        """Labels that wait for their inference."""
        return self.received + self.moved - sum(self.results.values())

    def forget(self, models: Collection[str]) -> None:
        """Inferences of these models are known no more."""
        for of in [of for of, key in self.keys.items() if key[0] in models]:
            self._drop(of)
        for part in (self.performance, self.calibrations, self.due):
            if part is not None:
                part.forget(models)

    def count_groups(self) -> None:
        """In how many full blocks each group is; one that is in none, nor in the last, is none any more."""
        found = [np.unique(block.columns["group"][: block.rows]).tolist() for block in self.waiting.blocks]
        self.blocks_of = {}
        for of in (of for some in found[:-1] for of in some):
            self.blocks_of[of] = self.blocks_of.get(of, 0) + 1
        for of in self.keys.keys() - self.blocks_of.keys() - {*found[-1]}:
            self._drop(of)

    def _drop(self, of: int) -> None:
        """A group is no more. Where `by` had more fields once, another one may have the same key."""
        key = self.keys.pop(of, None)
        if key is not None and self.numbers.get(key) == of:
            del self.numbers[key]

    def dump(self) -> dict[str, Any]:
        return {
            "waiting": self.waiting.dump(),
            "early": self.early.dump(),
            "clock_ms": self.clock_ms,
            "by": list(self.by),
            "keys": [[number, list(key)] for number, key in self.keys.items()],
            "groups": self.groups,
            "classes": [[code, text] for code, text in self.classes.items()],
            "settled": self.settled,
            "received": self.received,
            "moved": self.moved,
            "models": list(self.models.values()),
            "results": list(self.results.items()),
            "inferences": list(self.inferences.items()),
            "performance": self.performance.dump() if self.performance is not None else None,
            "calibrations": self.calibrations.dump() if self.calibrations is not None else None,
            "due": self.due.dump() if self.due is not None else None,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Into an empty one. Where `by` was another then, groups have of the old fields those that are still there."""
        self.waiting.load(state["waiting"])
        self.early.load(state["early"])
        self.clock_ms, self.groups = int(state["clock_ms"]), int(state["groups"])
        self.settled, self.received = int(state["settled"]), int(state["received"])
        self.moved = int(state.get("moved", 0))  # Older snapshots have none, nor models.
        self.models = {model_hash(str(name)): str(name) for name in state.get("models", ())}
        before = [str(field) for field in state["by"]]
        for number, (model, *values) in state["keys"]:
            had = dict(zip(before, map(str, values), strict=True))
            self.keys[int(number)] = key = (str(model), *(had.get(field, "") for field in self.by))
            self.numbers[key] = int(number)
        self.classes = {int(code): str(text) for code, text in state["classes"]}
        for block in self.waiting.blocks:
            groups = block.columns["group"][: block.rows]
            if len(groups) and not -1 <= groups.min() <= groups.max() < self.groups:
                raise ValueError("rows of groups that there are not")
        self.count_groups()
        if self.performance is not None and state["performance"] is not None:
            self.performance.load(state["performance"])
        if self.calibrations is not None and state.get("calibrations") is not None:  # Older snapshots have none.
            self.calibrations.load(state["calibrations"])
        if self.due is not None and state.get("due") is not None:  # Likewise.
            self.due.load(state["due"])
        self.results |= {str(name): int(count) for name, count in state["results"]}
        self.inferences |= {str(name): int(count) for name, count in state["inferences"]}
