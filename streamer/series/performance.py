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
from streamer.series.calibrations import Calibrations
from streamer.series.cells import (
    BRIER_SQUARE,
    CLASSES,
    FIELDS,
    FOURTH,
    VALUED,
    Cell,
    Group,
    beside_others,
    counted,
    facts_of,
)
from streamer.series.coverage import ByWindow, Coverage, with_coverage
from streamer.series.estimates import (
    UNSURE,
    by_class,
    cells_said,
    estimate_facts,
    fairness_facts,
    hushed,
    reasons_told,
    speak,
    unestimated,
)
from streamer.series.predictions import CLASS, NUMBER
from streamer.signals.columns import F64, I64, dense

VALUE = -2
"""Stands for a cell where a number is predicted; -1 where nothing is that a label could be compared with."""


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
        self.estimates, self.unestimated = ByWindow(), ByWindow()  # None, or empty, where there is nothing to tell
        self.coverage = Coverage()
        self.changed: dict[int, dict[Group, None]] = {}  # since it was told
        self.classes: dict[str, dict[int, int]] = {}  # by model: hash -> number of the class
        self.names: dict[str, list[str]] = {}
        self.cells = 0

    def expect(self, keys: Mapping[int, Group], groups: I64, times_ms: I64, said: Predicted) -> int:
        """Inferences whose labels are to come; how many have no place, as there are too many windows."""
        refused, windows = 0, times_ms // self.window_ms
        cells = cells_said(said.kind, said.confidence, cells_of(said.confidence))
        cells = np.where(said.kind == NUMBER, VALUE, cells)
        codes, code = np.unique(np.where(cells >= 0, said.prediction, np.uint64(0)), return_inverse=True)
        number = dense(windows - windows.min())[0] * (int(groups.max()) + 1) + groups
        number = dense(number)[0] * len(codes) + code.reshape(-1)
        number, first = dense(number * (UNSURE - VALUE + 1) + cells - VALUE)
        counts = np.bincount(number)
        for place, count in zip(first.tolist(), counts.tolist(), strict=True):  # In the order of the log.
            cell = self._cell(windows.item(place) * self.window_ms, keys[groups.item(place)])
            if cell is None:
                refused += count
                continue
            cell.sums[0] += count
            if cells[place] == VALUE:
                cell.sums[VALUED] += count
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
                    square = (confidence - right) ** 2
                    more += [1, confidence, int(right), square]
                    cell.sums[BRIER_SQUARE] += square * square
            elif math.isfinite(off * off):
                more = [0, 0, 0, 0, 0, 0, 0, 1, abs(off), off, off * off, *((1, int(miss)) if miss == miss else ())]
                cell.sums[FOURTH] += off * off * (off * off)
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
            for parts in (self.versions, self.changed):
                parts.pop(begin_ms, None)
            for made in self._made():
                made.drop(begin_ms)

    def _made(self) -> tuple[ByWindow, ...]:
        return self.estimates, self.unestimated, self.coverage

    def _estimate(
        self, begin_ms: int, number: int, split: tuple[str, ...], group: Group, mine: Sequence[Cell],
        learned: Calibrations, texts: Mapping[int, str],
    ) -> None:  # fmt: skip
        made, parts = self.estimates.of.setdefault(begin_ms, {}), [cell.spoken for cell in mine]
        if (number, group) in made:
            return
        made[number, group] = estimate_facts(split, group, parts, learned, texts)
        inferences, *known = counted(mine, "inferences", "valued", "numbers")
        numbers = max(known)  # Of an older snapshot only those with labels.
        others = {"numbers": numbers, "nothing": inferences - numbers - sum(by_class(parts).values())}
        left = unestimated(split, group, parts, learned, others)
        self.unestimated.of.setdefault(begin_ms, {})[number, group] = left

    def _told(
        self, begin_ms: int, number: int, split: tuple[str, ...], group: Group, mine: Sequence[Cell], fair: Any
    ) -> Iterator[Told]:
        facts, place = facts_of(mine, self.names.get(group[0], [])), (number, group)
        estimate = self.estimates.of[begin_ms][place]
        labelled, right = counted(mine, "sure", "sure_right")
        self.coverage.judge(begin_ms, place, estimate, labelled, labelled - right)
        if facts["labelled"] or estimate:
            versions = self.versions.setdefault(begin_ms, {})
            versions[place] = version = versions.get(place, 0) + 1
            left = reasons_told(self.unestimated.of.get(begin_ms, {}).get(place, ()))
            told = with_coverage(estimate, self.coverage.facts(place)) if estimate else None
            more = ("estimated", told), ("unestimated", left), ("fairness", fair)
            facts |= {name: part for name, part in more if part}
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
        for made in self._made():
            made.forget(models, self.windows)
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
            if versions := {of_split: n for of_split, n in of.items() if of_split[1][0] in models}:
                self.versions.setdefault(begin_ms, {}).update(versions)
        for made, further in zip(self._made(), other._made(), strict=True):
            made.join(further, models)
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
            "estimates": self.estimates.dump(),
            "unestimated": self.unestimated.dump(),
            "covered": self.coverage.dump(),
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
        for name, made in zip(("estimates", "unestimated", "covered"), self._made(), strict=True):
            made.load(state.get(name, ()), self.windows)  # Older snapshots do not have them all.
        for begin, keys in state["changed"]:
            if int(begin) in self.windows:
                self.changed[int(begin)] = dict.fromkeys(tuple(map(str, key)) for key in keys)
        for model, known in state["classes"]:
            self.classes[str(model)] = {int(code): n for n, (code, _) in enumerate(known)}
            self.names[str(model)] = [str(name) for _, name in known]
