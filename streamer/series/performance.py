"""How good predictions were, by windows of the inferences' event time, as far as their labels are there by now.

Everything is added up per window and finest group; what is told of the model, or of the groups of a monitor, are sums
of that. A window is told again, in a new version, while labels of it still come, until nobody waits for them any more.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from detectors.counts import clopper_pearson
from streamer.series.predictions import CLASS
from streamer.signals.columns import I64

Group = tuple[str, ...]
FIELDS = ("inferences", "right", "wrong", "sure", "confidence", "sure_right", "squared", "numbers", "absolute",
          "residual", "square")  # fmt: skip
"""Of a cell: inferences; classes right and wrong; of those with a confidence how many, its sum, how many were right and
the sum of squared errors; numbers, and the sums of their errors: absolute, signed and squared.
"""
CLASSES = 32
"""Classes of a model that are told one by one."""
OTHER = f"other (classes beyond the first {CLASSES})"


class Cell:
    """A window of one finest group."""

    def __init__(self) -> None:
        self.sums: list[float] = [0] * len(FIELDS)
        self.confusion: dict[tuple[int, int], int] = {}  # by predicted and true class


class Told(NamedTuple):
    """A window of a group, by the fields of `by`."""

    by: tuple[str, ...]
    group: Group
    begin_ms: int
    end_ms: int
    version: int
    facts: dict[str, Any]


def projected(key: Group, places: Sequence[int]) -> Group:
    return tuple(key[place] for place in places)


class Performance:
    """The windows of one partition. `by`: the fields of the finest groups; `splits`: those that are told by."""

    def __init__(
        self, window_ms: int, ttl_ms: int, most: int, by: tuple[str, ...], splits: Collection[tuple[str, ...]]
    ) -> None:
        self.window_ms, self.ttl_ms, self.most, self.by = window_ms, ttl_ms, most, by
        self.splits = {split: [0, *(1 + by.index(field) for field in split)] for split in splits}
        self.windows: dict[int, dict[Group, Cell]] = {}  # by where they begin
        self.versions: dict[int, dict[tuple[int, Group], int]] = {}  # by number of the split and group
        self.changed: dict[int, dict[Group, None]] = {}  # since it was told
        self.classes: dict[str, dict[int, int]] = {}  # by model: hash -> number of the class
        self.names: dict[str, list[str]] = {}
        self.cells = 0

    def expect(self, keys: Mapping[int, Group], groups: I64, times_ms: I64) -> int:
        """Inferences whose labels are to come; how many have no place, as there are too many windows."""
        refused = 0
        pairs = np.stack([times_ms // self.window_ms, groups])
        found, first, counts = np.unique(pairs, axis=1, return_index=True, return_counts=True)
        for place in np.argsort(first).tolist():  # In the order of the log, in which places are given.
            (window, group), count = found[:, place].tolist(), counts.item(place)
            cell = self._cell(window * self.window_ms, keys[group])
            if cell is None:
                refused += count
            else:
                cell.sums[0] += count
        return refused

    def _cell(self, begin_ms: int, group: Group) -> Cell | None:
        cells = self.windows.get(begin_ms, {})
        if group not in cells:
            if self.cells >= self.most:
                return None
            self.windows.setdefault(begin_ms, cells)[group] = Cell()
            self.cells += 1
        self.changed.setdefault(begin_ms, {})[group] = None
        return cells[group]

    def add(self, joined: Any, keys: Mapping[int, Group], texts: Mapping[int, str]) -> None:
        """Labels that met their inference, in the order of the log: a `Joined`."""
        if not len(joined.event):
            return
        residual = joined.residual
        columns = joined.group, joined.time_ms, joined.kind, joined.prediction, joined.truth, joined.confidence
        for group, time_ms, kind, predicted, true, confidence, off in zip(
            *(column.tolist() for column in columns), residual.tolist(), strict=True
        ):
            begin_ms, key = time_ms // self.window_ms * self.window_ms, keys[group]
            cell = self.windows.get(begin_ms, {}).get(key)
            if cell is None:
                continue
            self.changed.setdefault(begin_ms, {})[key] = None
            more: list[float]
            if kind == CLASS:
                right = predicted == true
                place = self._class(key[0], predicted, texts), self._class(key[0], true, texts)
                cell.confusion[place] = cell.confusion.get(place, 0) + 1
                more = [0, int(right), int(not right)]
                if 0.0 <= confidence <= 1.0:
                    more += [1, confidence, int(right), (confidence - right) ** 2]
            elif math.isfinite(off * off):
                more = [0, 0, 0, 0, 0, 0, 0, 1, abs(off), off, off * off]
            else:
                continue
            for place_of, value in enumerate(more):
                cell.sums[place_of] += value

    def _class(self, model: str, code: int, texts: Mapping[int, str]) -> int:
        """The number of a class; CLASSES stands for all further ones."""
        known = self.classes.setdefault(model, {})
        found = known.get(code)
        if found is None:
            if len(known) >= CLASSES or code not in texts:
                return CLASSES
            found = known[code] = len(known)
            self.names.setdefault(model, []).append(texts[code])
        return found

    def tell(self, clock_ms: int) -> Iterator[Told]:
        """The windows that are over and have changed since they were told; those that no label comes to are dropped."""
        for begin_ms in sorted(self.changed):
            if begin_ms + self.window_ms <= clock_ms:
                changed = self.changed.pop(begin_ms)
                for number, (split, places) in enumerate(self.splits.items()):
                    of = {group: list[Cell]() for group in sorted({projected(key, places) for key in changed})}
                    for key, cell in sorted(self.windows[begin_ms].items(), key=itemgetter(0)):
                        of.get(projected(key, places), []).append(cell)
                    for group, mine in of.items():
                        yield from self._told(begin_ms, number, split, group, mine)
        for begin_ms in [begin for begin in self.windows if begin + self.window_ms + self.ttl_ms < clock_ms]:
            self.cells -= len(self.windows.pop(begin_ms))
            self.versions.pop(begin_ms, None)
            self.changed.pop(begin_ms, None)

    def _told(
        self, begin_ms: int, number: int, split: tuple[str, ...], group: Group, mine: Sequence[Cell]
    ) -> Iterator[Told]:
        facts = facts_of(mine, self.names.get(group[0], []))
        if facts["labelled"]:
            versions = self.versions.setdefault(begin_ms, {})
            versions[number, group] = version = versions.get((number, group), 0) + 1
            yield Told(split, group, begin_ms, begin_ms + self.window_ms, version, facts)

    def forget(self, models: Collection[str]) -> None:
        """Nothing of these models is told any more."""
        both: list[dict[int, dict[Group, Any]]] = [self.windows, self.changed]
        for parts in both:
            for begin_ms, keys in list(parts.items()):
                for key in [key for key in keys if key[0] in models]:
                    del keys[key]
                if not keys:
                    del parts[begin_ms]
        self.cells = sum(map(len, self.windows.values()))
        self.versions = {begin: of for begin, of in self.versions.items() if begin in self.windows}
        for model in models:
            self.classes.pop(model, None)
            self.names.pop(model, None)

    def leave(self, models: Collection[str]) -> None:
        """Another one goes on with these models, also with the numbers of their versions."""
        self.forget(models)
        for begin_ms, of in list(self.versions.items()):
            self.versions[begin_ms] = {of_split: n for of_split, n in of.items() if of_split[1][0] not in models}
            if not self.versions[begin_ms]:
                del self.versions[begin_ms]

    def join(self, other: Performance, models: Collection[str]) -> None:
        """Go on with these models of another one, which knows them alone."""
        both: list[tuple[Any, Any]] = [(self.windows, other.windows), (self.changed, other.changed)]
        for mine, parts in both:
            for begin_ms, keys in parts.items():
                if found := {key: value for key, value in keys.items() if key[0] in models}:
                    mine.setdefault(begin_ms, {}).update(found)
        for begin_ms, of in other.versions.items():
            if found := {of_split: n for of_split, n in of.items() if of_split[1][0] in models}:
                self.versions.setdefault(begin_ms, {}).update(found)
        self.cells = sum(map(len, self.windows.values()))
        self.classes |= {model: known for model, known in other.classes.items() if model in models}
        self.names |= {model: names for model, names in other.names.items() if model in models}

    def dump(self) -> dict[str, Any]:
        return {
            "by": list(self.by),
            "splits": [list(split) for split in self.splits],
            "windows": [
                [begin, [[list(key), list(cell.sums), [[*place, n] for place, n in sorted(cell.confusion.items())]]
                         for key, cell in sorted(cells.items())]]
                for begin, cells in sorted(self.windows.items())
            ],
            "versions": [
                [begin, [[number, list(group), n] for (number, group), n in sorted(of.items())]]
                for begin, of in sorted(self.versions.items())
            ],
            "changed": [[begin, [list(key) for key in sorted(keys)]] for begin, keys in sorted(self.changed.items())],
            "classes": [
                [model, [[code, self.names[model][n]] for code, n in known.items()]]
                for model, known in sorted(self.classes.items())
            ],
        }  # fmt: skip

    def load(self, state: Mapping[str, Any]) -> None:
        """Into an empty one. Windows of other groups or of another length mean nothing any more."""
        if [state["by"], state["splits"]] != [list(self.by), [list(split) for split in self.splits]]:
            return
        for begin, cells in state["windows"]:
            if int(begin) % self.window_ms:
                continue
            for key, sums, confusion in cells:
                cell = self.windows.setdefault(int(begin), {})[tuple(map(str, key))] = Cell()
                cell.sums = [float(value) if type(value) is float else int(value) for value in sums]
                cell.confusion = {(int(p), int(t)): int(n) for p, t, n in confusion}
                if len(cell.sums) != len(FIELDS):
                    raise ValueError("sums of another window")
        self.cells = sum(map(len, self.windows.values()))
        for begin, of in state["versions"]:
            found = {(int(number), tuple(map(str, group))): int(n) for number, group, n in of}
            if int(begin) in self.windows:
                self.versions[int(begin)] = found
        for begin, keys in state["changed"]:
            if int(begin) in self.windows:
                self.changed[int(begin)] = dict.fromkeys(tuple(map(str, key)) for key in keys)
        for model, known in state["classes"]:
            self.classes[str(model)] = {int(code): n for n, (code, _) in enumerate(known)}
            self.names[str(model)] = [str(name) for _, name in known]


def facts_of(cells: Sequence[Cell], names: Sequence[str]) -> dict[str, Any]:
    """What the cells of a window say together; what nothing is known of is not there."""
    sums = dict(zip(FIELDS, (sum(values) for values in zip(*(cell.sums for cell in cells), strict=True)), strict=True))
    right, wrong = int(sums["right"]), int(sums["wrong"])
    told: dict[str, Any] = {
        "inferences": int(sums["inferences"]), "labelled": right + wrong + int(sums["numbers"])
    }  # fmt: skip
    if right + wrong:
        interval = list(clopper_pearson(wrong, right + wrong))
        told["error"] = {"count": wrong, "share": wrong / (right + wrong), "interval": interval}
        told |= _of_classes(cells, names, right + wrong)
    if n := int(sums["sure"]):
        confidence, accuracy = sums["confidence"] / n, sums["sure_right"] / n
        shares = {"confidence": confidence, "accuracy": accuracy, "gap": confidence - accuracy}
        told["calibration"] = {"n": n, **shares, "brier": sums["squared"] / n}
    if n := int(sums["numbers"]):
        errors = {"mae": sums["absolute"] / n, "bias": sums["residual"] / n, "rmse": math.sqrt(sums["square"] / n)}
        told["regression"] = {"n": n, **errors}
    return told


def _of_classes(cells: Sequence[Cell], names: Sequence[str], labelled: int) -> dict[str, Any]:
    """Precision, recall and F1 of each class, and what is taken for what."""
    confusion: dict[tuple[int, int], int] = {}
    for cell in cells:
        for place, count in cell.confusion.items():
            confusion[place] = confusion.get(place, 0) + count
    named = [*names, *[OTHER] * (CLASSES + 1 - len(names))]
    classes = []
    for code, name in enumerate(names):
        predicted = sum(count for (one, _), count in confusion.items() if one == code)
        true = sum(count for (_, other), count in confusion.items() if other == code)
        hits = confusion.get((code, code), 0)
        if predicted or true:
            shares = {"precision": hits / predicted if predicted else None, "recall": hits / true if true else None}
            counts = {"predicted": predicted, "true": true, "correct": hits}
            classes.append({"class": name, **counts, **shares, "f1": 2 * hits / (predicted + true)})
    shown = sorted(confusion.items(), key=lambda one: (-one[1], one[0]))
    return {
        "classes": classes,
        "confusion": [
            {"predicted": named[one], "true": named[other], "count": count, "share": count / labelled}
            for (one, other), count in shown
        ],
    }
