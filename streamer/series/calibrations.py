"""How sure models are against how right they are, learned from labels as they come: a calibration of each group.

There is one of each model, and of each group that its labels are told by: at the same confidence one group may be
wrong more often than another, and then the calibration of all holds for neither. Of a model that predicts few classes
there is also one of each predicted class, from which the confusion follows. Each has its own versions.

A label is judged by what stood before it: `stood` gives the calibrations of a batch with the event behind which each is
the newest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from detectors.confidence import Calibration, ConfidenceHistory
from streamer.series.predictions import CLASS
from streamer.signals.columns import F64, I64, dense

BLOCK = 500
"""Labels by which a calibration gets its next version; it is of the newest eight such blocks."""
BLOCK_OF_CLASS = 200
"""The same of a predicted class, some of which are rare."""
CLASSES_FEW = 4
"""Who predicts more of them has no estimated confusion."""
HISTORIES_MAX = 256
"""Of a partition, each of 28 kB. Groups beyond have no calibration, and their labels are counted."""
ANY = 0
"""Stands for all classes together."""
BEGINNING = -1
Group = tuple[str, ...]
Key = tuple[tuple[str, ...], Group, int]
"""The fields it is split by; model and their values; hash of the predicted class, or ANY."""


class Calibrations:
    """Of one partition. `by`: the fields of the finest groups; `splits`: those that there are calibrations for."""

    def __init__(self, by: tuple[str, ...], splits: Collection[tuple[str, ...]]) -> None:
        self.places = {split: [0, *(1 + by.index(field) for field in split)] for split in splits}
        self.histories: dict[Key, ConfidenceHistory] = {}  # in the order in which they came
        self.classes: dict[str, dict[int, None]] = {}  # by model those predicted, while they are few
        self.many: dict[str, None] = {}  # models that predict more than a few classes
        self.refused = 0  # labels of groups without a place
        self.changes: dict[Key, list[tuple[int, Calibration]]] = {}  # of the last batch; not state

    def newest(self, key: Key) -> Calibration | None:
        """What is known of a group by now; None before its first version."""
        history = self.histories.get(key)
        return history.calibration if history is not None and history.calibration.pairs else None

    def needed(self, key: Key) -> tuple[int, int] | None:
        """How many labels a group without a calibration has, and how many the first one takes; None where it gets
        none.
        """
        history = self.histories.get(key)
        if history is not None:
            return history.seen, history.block
        return None if self.full else (0, BLOCK)

    @property
    def full(self) -> bool:
        """The places of classes that turned out to be too many stay taken."""
        return len(self.histories) + CLASSES_FEW * len(self.many) >= HISTORIES_MAX

    def stood(self, key: Key) -> list[tuple[int, Calibration]]:
        """The calibrations of the last batch, oldest first, each with the event of the batch behind which it is the
        newest; BEGINNING for what was there before.
        """
        history = self.histories.get(key)
        if history is None:
            return []
        return self.changes.get(key) or [(BEGINNING, history.calibration)]

    def before(self, key: Key, event: int | None) -> Calibration | None:
        """What was known of a group before an event of the last batch, or by now; None before its first version."""
        stood = self.stood(key)
        if event is None or not stood:
            return self.newest(key)
        found = stood[in_force(stood, np.array([event])).item()][1]
        return found if found.pairs else None

    def add(self, joined: Any, keys: Mapping[int, Group]) -> None:
        """Labels that met their inference in a batch, a `Joined`: classes with a confidence from 0 to 1."""
        self.changes = {}
        confidence: F64 = joined.confidence
        chosen = np.flatnonzero((joined.kind == CLASS) & (confidence >= 0.0) & (confidence <= 1.0))
        if not len(chosen):
            return
        self._admit(joined, chosen, keys)
        for split, places in self.places.items():
            parts: dict[Group, list[int]] = {}
            for number in np.unique(joined.group[chosen]).tolist():
                parts.setdefault(tuple(keys[number][place] for place in places), []).append(number)
            for group, of in parts.items():
                mine = chosen[np.isin(joined.group[chosen], of)]
                if (split, group, ANY) not in self.histories:
                    self.refused += len(mine)
                    continue
                self._learn((split, group, ANY), mine, joined)
                for code in self.classes.get(group[0], ()) if not split else ():
                    self._learn((split, group, code), mine[joined.prediction[mine] == code], joined)

    def _admit(self, joined: Any, chosen: I64, keys: Mapping[int, Group]) -> None:
        """Give places in the order of the log; who got none gets none later, so that it is as good where it is cut."""
        codes, which = np.unique(joined.prediction[chosen], return_inverse=True)
        pairs = joined.group[chosen] * len(codes) + which.reshape(-1)
        for place in dense(pairs)[1].tolist():
            number, code = joined.group.item(chosen.item(place)), codes.item(which.item(place))
            model = keys[number][0]
            for split, places in self.places.items():
                self._place((split, tuple(keys[number][at] for at in places), ANY), BLOCK)
            known = self.classes.setdefault(model, {}) if ((), (model,), ANY) in self.histories else None
            if known is None or code in known or model in self.many:
                continue
            if len(known) < CLASSES_FEW:
                if self._place(((), (model,), code), BLOCK_OF_CLASS):
                    known[code] = None
                continue
            self.many[model] = None
            for one in self.classes.pop(model):
                del self.histories[(), (model,), one]

    def _place(self, key: Key, block: int) -> bool:
        if key in self.histories:
            return True
        if self.full:
            return False
        self.histories[key] = ConfidenceHistory(block)
        return True

    def _learn(self, key: Key, mine: I64, joined: Any) -> None:
        history, right = self.histories[key], ~joined.wrong[mine]
        changes, begin = [(BEGINNING, history.calibration)], 0
        while begin < len(mine):
            end = min(begin + history.room, len(mine))
            history.add(joined.confidence[mine[begin:end]], right[begin:end])
            if history.calibration is not changes[-1][1]:
                changes.append((joined.event.item(mine.item(end - 1)), history.calibration))
            begin = end
        self.changes[key] = changes

    def forget(self, models: Collection[str]) -> None:
        """Nothing is known of these models any more."""
        self.histories = {key: one for key, one in self.histories.items() if key[1][0] not in models}
        self.many = {model: None for model in self.many if model not in models}
        self.classes = {model: known for model, known in self.classes.items() if model not in models}

    def join(self, other: Calibrations, models: Collection[str]) -> None:
        """Go on with these models of another one, which are not known here, as far as there are places."""
        for key, history in sorted(other.histories.items()):
            if key[1][0] in models and len(self.histories) < HISTORIES_MAX:
                self.histories[key] = history
        self.many |= {model: None for model in other.many if model in models}
        for split, group, code in self.histories:
            if group[0] in models and not split and code != ANY:
                self.classes.setdefault(group[0], {})[code] = None
            elif group[0] in models and not split:
                self.classes.setdefault(group[0], {})

    def dump(self) -> dict[str, Any]:
        return {
            "histories": [
                [list(split), list(group), code, one.block, one.dump()]
                for (split, group, code), one in sorted(self.histories.items())
            ],
            "many": sorted(self.many),
            "refused": self.refused,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Into an empty one; ValueError for an invalid state. What the config has no split for is forgotten."""
        histories: Sequence[Any] = state["histories"]
        for split, group, code, block, given in histories:
            key = tuple(map(str, split)), tuple(map(str, group)), int(code)
            if key[0] in self.places:
                self.histories[key] = ConfidenceHistory(int(block))
                self.histories[key].load(given)
                if key[2] != ANY:
                    self.classes.setdefault(key[1][0], {})[key[2]] = None
                else:
                    self.classes.setdefault(key[1][0], {})
        self.many = dict.fromkeys(map(str, state["many"]))
        self.refused = int(state["refused"])


def in_force(stood: Sequence[tuple[int, Calibration]], events: I64) -> I64:
    """Which of the calibrations of a batch stands at each of its events, which ascend: the number of the last one whose
    event is before.
    """
    found: I64 = np.searchsorted([event for event, _ in stood], events, side="left") - 1
    return np.maximum(found, 0)
