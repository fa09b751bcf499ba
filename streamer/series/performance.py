"""How good predictions were, by windows of the inferences' event time, as far as their labels are there by now.

Everything is added up per window and finest group; what is told of the model, or of the groups of a monitor, are sums
of that. A window is told when it is over, if it has a label or an estimate of its error by then, and again, in a new
version, while labels of it still come, until nobody waits for them any more.

The estimate is made once, when the window is over, by the calibrations of then, and stands: a later one has learned
from the window's own labels, and what is compared with them must not.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from detectors.confidence import cells_of
from detectors.counts import clopper_pearson
from streamer.series.calibrations import Calibrations
from streamer.series.estimates import (
    UNSURE,
    Spoken,
    by_class,
    cells_said,
    estimate_facts,
    fairness_facts,
    hushed,
    speak,
)
from streamer.series.predictions import CLASS
from streamer.signals.columns import F64, I64, dense

Group = tuple[str, ...]
FIELDS = ("inferences", "right", "wrong", "sure", "confidence", "sure_right", "squared", "numbers", "absolute",
          "residual", "square", "stated", "missed")  # fmt: skip
"""Of a cell: inferences; classes right and wrong; of those with a confidence how many, its sum, how many were right and
the sum of squared errors; numbers, and the sums of their errors: absolute, signed and squared; of them those with a
stated interval, and outside of it.
"""
CLASSES = 32
"""Classes of a model that are told one by one."""
OTHER = f"other (classes beyond the first {CLASSES})"


class Cell:
    """A window of one finest group."""

    def __init__(self) -> None:
        self.sums: list[float] = [0] * len(FIELDS)
        self.confusion: dict[tuple[int, int], int] = {}  # by predicted and true class
        self.spoken: Spoken = {}


class Predicted(NamedTuple):
    """What inferences say: arrays of one length."""

    kind: I64
    prediction: Any  # U64
    confidence: F64


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
        self.estimates: dict[int, dict[tuple[int, Group], Any]] = {}  # likewise; None where none could be made
        self.changed: dict[int, dict[Group, None]] = {}  # since it was told
        self.classes: dict[str, dict[int, int]] = {}  # by model: hash -> number of the class
        self.names: dict[str, list[str]] = {}
        self.cells = 0

    def expect(self, keys: Mapping[int, Group], groups: I64, times_ms: I64, said: Predicted) -> int:
        """Inferences whose labels are to come; how many have no place, as there are too many windows."""
        refused, windows = 0, times_ms // self.window_ms
        cells = cells_said(said.kind, said.confidence, cells_of(said.confidence))
        codes, code = np.unique(np.where(cells >= 0, said.prediction, np.uint64(0)), return_inverse=True)
        number = dense(windows - windows.min())[0] * (int(groups.max()) + 1) + groups
        number = dense(number)[0] * len(codes) + code.reshape(-1)
        number, first = dense(number * (UNSURE + 2) + cells + 1)
        counts = np.bincount(number)
        for place, count in zip(first.tolist(), counts.tolist(), strict=True):  # In the order of the log.
            cell = self._cell(windows.item(place) * self.window_ms, keys[groups.item(place)])
            if cell is None:
                refused += count
                continue
            cell.sums[0] += count
            if cells[place] >= 0:
                speak(cell.spoken, codes.item(code.item(place)), cells.item(place), count)
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
        residual, missed = joined.residual, joined.missed
        columns = joined.group, joined.time_ms, joined.kind, joined.prediction, joined.truth, joined.confidence
        for group, time_ms, kind, predicted, true, confidence, off, miss in zip(
            *(column.tolist() for column in columns), residual.tolist(), missed.tolist(), strict=True
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
                more = [0, 0, 0, 0, 0, 0, 0, 1, abs(off), off, off * off, *((1, int(miss)) if miss == miss else ())]
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

    def tell(self, clock_ms: int, learned: Calibrations, texts: Mapping[int, str]) -> Iterator[Told]:
        """The windows that are over and have changed since they were told; those that no label comes to are dropped.
        `texts`: of predicted classes, by hash.
        """
        for begin_ms in sorted(self.changed):
            if begin_ms + self.window_ms <= clock_ms:
                changed = self.changed.pop(begin_ms)
                for number, (split, places) in enumerate(self.splits.items()):
                    of: dict[Group, list[Cell]] = {}
                    for key, cell in sorted(self.windows[begin_ms].items(), key=itemgetter(0)):
                        of.setdefault(projected(key, places), []).append(cell)
                    beside = beside_others(of) if split else {}
                    for group in sorted({projected(key, places) for key in changed}):
                        self._estimate(begin_ms, number, split, group, of[group], learned, texts)
                        fair = fairness_facts(*beside[group], texts) if group in beside else None
                        yield from self._told(begin_ms, number, split, group, of[group], fair)
                for key in changed:
                    cell = self.windows[begin_ms][key]
                    cell.spoken = hushed(cell.spoken)
        for begin_ms in [begin for begin in self.windows if begin + self.window_ms + self.ttl_ms < clock_ms]:
            self.cells -= len(self.windows.pop(begin_ms))
            for parts in (self.versions, self.estimates, self.changed):
                parts.pop(begin_ms, None)

    def _estimate(
        self, begin_ms: int, number: int, split: tuple[str, ...], group: Group, mine: Sequence[Cell],
        learned: Calibrations, texts: Mapping[int, str],
    ) -> None:  # fmt: skip
        made = self.estimates.setdefault(begin_ms, {})
        if (number, group) not in made:
            made[number, group] = estimate_facts(split, group, [cell.spoken for cell in mine], learned, texts)

    def _told(
        self, begin_ms: int, number: int, split: tuple[str, ...], group: Group, mine: Sequence[Cell], fair: Any
    ) -> Iterator[Told]:
        facts = facts_of(mine, self.names.get(group[0], []))
        estimate = self.estimates[begin_ms][number, group]
        if facts["labelled"] or estimate:
            versions = self.versions.setdefault(begin_ms, {})
            versions[number, group] = version = versions.get((number, group), 0) + 1
            facts |= {name: part for name, part in (("estimated", estimate), ("fairness", fair)) if part}
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
        for made in self.estimates.values():
            for place in [place for place in made if place[1][0] in models]:
                del made[place]
        self.estimates = {begin: made for begin, made in self.estimates.items() if begin in self.windows}
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
        told: list[tuple[Any, Any]] = [(self.versions, other.versions), (self.estimates, other.estimates)]
        for mine, parts in told:
            for begin_ms, of in parts.items():
                if found := {of_split: one for of_split, one in of.items() if of_split[1][0] in models}:
                    mine.setdefault(begin_ms, {}).update(found)
        self.cells = sum(map(len, self.windows.values()))
        self.classes |= {model: known for model, known in other.classes.items() if model in models}
        self.names |= {model: names for model, names in other.names.items() if model in models}

    def dump(self) -> dict[str, Any]:
        return {
            "by": list(self.by),
            "splits": [list(split) for split in self.splits],
            "windows": [
                [begin, [[list(key), list(cell.sums), [[*place, n] for place, n in sorted(cell.confusion.items())],
                          [[code, sorted(of.items())] for code, of in sorted(cell.spoken.items())]]
                         for key, cell in sorted(cells.items())]]
                for begin, cells in sorted(self.windows.items())
            ],
            "estimates": [
                [begin, [[number, list(group), of[number, group]] for number, group in sorted(of)]]
                for begin, of in sorted(self.estimates.items())
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
            for key, sums, confusion, *spoken in cells:  # Older snapshots do not have what was said.
                cell = self.windows.setdefault(int(begin), {})[tuple(map(str, key))] = Cell()
                cell.sums = [float(value) if type(value) is float else int(value) for value in sums]
                cell.sums += [0] * (len(FIELDS) - len(cell.sums))  # Older snapshots have fewer.
                cell.confusion = {(int(p), int(t)): int(n) for p, t, n in confusion}
                for code, of in spoken[0] if spoken else ():
                    cell.spoken[int(code)] = {int(place): int(n) for place, n in of}
                    if not all(0 <= place <= UNSURE for place in cell.spoken[int(code)]):
                        raise ValueError("cells that there are not")
                if len(cell.sums) != len(FIELDS):
                    raise ValueError("sums of another window")
        self.cells = sum(map(len, self.windows.values()))
        for begin, of in state["versions"]:
            found = {(int(number), tuple(map(str, group))): int(n) for number, group, n in of}
            if int(begin) in self.windows:
                self.versions[int(begin)] = found
        for begin, of in state.get("estimates", ()):
            if int(begin) in self.windows:
                self.estimates[int(begin)] = {(int(n), tuple(map(str, group))): made for n, group, made in of}
        for begin, keys in state["changed"]:
            if int(begin) in self.windows:
                self.changed[int(begin)] = dict.fromkeys(tuple(map(str, key)) for key in keys)
        for model, known in state["classes"]:
            self.classes[str(model)] = {int(code): n for n, (code, _) in enumerate(known)}
            self.names[str(model)] = [str(name) for _, name in known]


def beside_others(of: Mapping[Group, Sequence[Cell]]) -> dict[Group, tuple[Any, Any]]:
    """Each group, and all others of its model together: predictions by class, labelled classes, and those wrong."""
    found: dict[Group, tuple[dict[int, int], int, int]] = {}
    total: dict[str, tuple[dict[int, int], int, int]] = {}
    for group, cells in of.items():
        right, wrong = (int(sum(cell.sums[FIELDS.index(name)] for cell in cells)) for name in ("right", "wrong"))
        said, (all_said, labelled, all_wrong) = by_class([c.spoken for c in cells]), total.get(group[0], ({}, 0, 0))
        found[group] = said, right + wrong, wrong
        total[group[0]] = _sum(all_said, said, 1), labelled + right + wrong, all_wrong + wrong
    others = {}
    for group, (said, labelled, wrong) in found.items():
        all_said, all_labelled, all_wrong = total[group[0]]
        others[group] = found[group], (_sum(all_said, said, -1), all_labelled - labelled, all_wrong - wrong)
    return others


def _sum(one: Mapping[int, int], other: Mapping[int, int], sign: int) -> dict[int, int]:
    return {code: one.get(code, 0) + sign * other.get(code, 0) for code in [*one, *other]}


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
    if n := int(sums["stated"]):
        inside = n - int(sums["missed"])
        told["regression"]["coverage"] = {
            "n": n, "count": inside, "share": inside / n, "interval": list(clopper_pearson(inside, n))
        }  # fmt: skip
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
