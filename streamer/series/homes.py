"""Where the names of each model are at home, see `streamer/signals/home.py`: what nearly all of their first values are.

A series that has learned from numbers goes on when they come as texts, and the other way round. So does everything
that is made of the values, whether or not a monitor says that the type has changed. Of texts only those are a home
that are categories: no series of others is there to go on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import ranks
from schemas.events.batch import Batch
from streamer.signals.categories import SHARE_OTHER, Known
from streamer.signals.columns import F64, I64, Bool, dense
from streamer.signals.grammar import excluded
from streamer.signals.home import Home, at_home, meaning
from streamer.signals.observe import FEATURES

PURE = 0.01
"""So large a share of the first values may be of another type."""
NAMES_PER_PLACE = 16
"""Names of all models together per place of the limit."""
LABEL = "prediction.label"
MEANT = (FEATURES, "/", LABEL)
"""What the names begin with whose values may be of any type."""

OPEN, NOWHERE, NUMBERS, BITS, TEXTS = range(5)
"""Kinds of home: not yet known, none, numbers, of these those that are ones and zeros, texts that mean numbers."""
COUNTS = ("n", "numbers", "bits", "meant")
"""Per row, up to the warm-up: values, those of them that were numbers, those that were ones and zeros whatever their
type, and texts that mean a number.
"""
FIELDS = (*COUNTS, "kind", "first", "came")
"""And the offset of the first value, and of the first one that came home as another type."""
STRINGS_FEW = 64
"""Up to so many texts of a batch are looked at without asking whose they are."""
BY_FILE = -1
"""The first offset where a file of references knew it."""
NEVER = int(np.iinfo(np.int64).max)


class There(NamedTuple):
    """Where the names of a batch are at home with its models, and what of it tells that nothing came from elsewhere."""

    names: tuple[str, ...]
    models: tuple[str, ...]
    kinds: I64  # by model and name
    learning: bool  # some are not known yet
    among_numbers: Bool  # with any of the models
    among_texts: Bool
    counted: Bool  # of these those that may come as numbers
    known: frozenset[str]  # texts that all of these had at first

    @classmethod
    def of(cls, names: tuple[str, ...], models: tuple[str, ...], kinds: I64, known: Sequence[Collection[str]]) -> There:
        among_texts: Bool = (kinds == TEXTS).any(axis=0)
        counted = among_texts & np.array([name != LABEL for name in names], bool)  # A label comes as a text.
        common = frozenset(known[0]).intersection(*known[1:]) if known else frozenset[str]()
        among_numbers: Bool = ((kinds == NUMBERS) | (kinds == BITS)).any(axis=0)
        return cls(names, models, kinds, bool((kinds == OPEN).any()), among_numbers, among_texts, counted, common)

    def pure(self, batch: Batch) -> bool:
        """Whether all names are known, and all that there is is at home: by names alone, whatever the model."""
        if self.learning:
            return False
        texts = batch.texts
        if len(texts.name) and self.among_numbers[texts.name].any():
            return False
        if self.counted.any() and self.counted[batch.numbers.name].any():
            return False
        if len(batch.strings) > STRINGS_FEW and self.among_texts.any():
            there = np.unique(texts.text[self.among_texts[texts.name]]).tolist()
            return all(batch.strings[code] in self.known for code in there)
        return not self.among_texts.any() or all(
            text in self.known or meaning(text, bits=True) is None for text in batch.strings
        )


class Homes:
    """State: of each model and name what its first values were, up to the warm-up, and then its home."""

    def __init__(self, warmup: int, places: int, codes: Sequence[str] = (), given: str = "") -> None:
        """`codes`: patterns of names whose numbers come as texts here, see `streamer/signals/codes.py`; `given`: the
        hash of the file of references.
        """
        self.warmup, self.most, self.codes, self.given = warmup, NAMES_PER_PLACE * places, tuple(codes), given
        self.index: dict[str, dict[str, int]] = {}
        self.keys: list[tuple[str, str]] = []  # model and name of each row
        self.state = {name: np.zeros(0, np.int64) for name in FIELDS}
        self.texts: dict[int, Known] = {}  # of rows that learn, or whose home are texts
        self.homes: dict[int, Home] = {}  # made of the state
        self.there: There | None = None  # of the last batch; made of the state
        self.moved: set[str] | None = None  # models with a name that came as another type; made of the state
        self.kinds: dict[str, tuple[tuple[str, ...], I64]] = {}  # of a model, for a batch's names; made of the state

    def at_home(self, batch: Batch, seen: Bool) -> Batch:
        """The batch with the values of the events that are seen where they belong; learns from the first of them. It is
        the same batch where nothing came as another type, as nearly always.
        """
        if not len(seen) or not seen.any():
            return batch
        models = np.flatnonzero(np.bincount(batch.model if seen.all() else batch.model[seen]))
        there = self._there(batch.names, tuple(batch.strings[model] for model in models.tolist()))
        if there.pure(batch):
            return batch
        kinds = there.kinds
        place = np.zeros(len(batch.strings), np.int64)
        place[models] = np.arange(len(models))

        def of(table: Any) -> I64:
            found: I64 = np.where(seen[table.event], kinds[place[batch.model[table.event]], table.name], NOWHERE)
            return found

        number, text = of(batch.numbers), of(batch.texts)
        numbers = np.flatnonzero((number == OPEN) | (number == TEXTS))
        texts = np.flatnonzero(text != NOWHERE)
        if not len(numbers) and not len(texts):
            return batch
        rows, past = self._learn(batch, numbers, texts)
        kind = np.where(past, self.state["kind"][rows], NOWHERE)
        home = np.where(kind > NOWHERE, rows, -1)
        of_number, of_text = np.full(len(number), -1), np.full(len(text), -1)
        of_number[numbers] = np.where(kind == TEXTS, home, -1)[: len(numbers)]
        of_text[texts] = home[len(numbers) :]
        known = {row: self._home(row) for row in np.unique(home[home >= 0]).tolist()}
        found, came, events = at_home(batch, of_number, of_text, known)
        np.minimum.at(self.state["came"], came, batch.offsets[events])
        if len(came):
            self.moved = None
        return found

    def _there(self, names: tuple[str, ...], models: tuple[str, ...]) -> There:
        """Where the names are at home with these models; nearly always those of the batch before."""
        there = self.there
        if there is None or there.models != models or there.names != names:
            kinds = np.concatenate([self._kinds(model, names) for model in models]).reshape(len(models), len(names))
            known = [self.texts[self.index[models[m]][names[n]]].names for m, n in np.argwhere(kinds == TEXTS).tolist()]
            there = self.there = There.of(names, models, kinds, known)
        return there

    def _kinds(self, model: str, names: tuple[str, ...]) -> I64:
        """The kind of home of each name."""
        made = self.kinds.get(model)
        if made is not None and made[0] == names:
            return made[1]
        rows, kind = self.index.get(model, {}), self.state["kind"]
        found = [kind.item(rows[n]) if n in rows else OPEN if n.startswith(MEANT) else NOWHERE for n in names]
        kinds = np.array(found, np.int64)
        if rows:
            self.kinds[model] = names, kinds
        return kinds

    def _learn(self, batch: Batch, numbers: I64, texts: I64) -> tuple[I64, Bool]:
        """The row of each of these values, the numbers before the texts, and whether it is past the warm-up; from the
        others it learns. -1 without a place.
        """
        event, name = (np.concatenate([batch.numbers[i][numbers], batch.texts[i][texts]]) for i in (0, 1))
        order = np.argsort(event, kind="stable")
        rows = np.empty(len(event), np.int64)
        rows[order] = self._rows(batch, event[order], name[order])
        some = order[rows[order] >= 0]  # In the order of the log.
        place = self.state["n"][rows[some]] + ranks(rows[some])
        early, past = some[place < self.warmup], np.zeros(len(rows), bool)
        past[some[place >= self.warmup]] = True
        if len(early):
            number, text = early[early < len(numbers)], early[early >= len(numbers)]
            self._count(rows[number], batch.numbers.value[numbers[number]])
            self._read(
                rows[text], [batch.strings[code] for code in batch.texts.text[texts[text - len(numbers)]].tolist()]
            )
            for row in np.unique(rows[early]).tolist():
                if self.state["n"].item(row) >= self.warmup:
                    self._settle(row)
        return rows, past

    def _count(self, rows: I64, values: F64) -> None:
        """Numbers of the warm-up."""
        np.add.at(self.state["n"], rows, 1)
        np.add.at(self.state["numbers"], rows, 1)
        np.add.at(self.state["bits"], rows, np.isin(values, (0.0, 1.0)))

    def _read(self, rows: I64, texts: Sequence[str]) -> None:
        """Texts of the warm-up, in the order of the log."""
        np.add.at(self.state["n"], rows, 1)
        for row, text in zip(rows.tolist(), texts, strict=True):
            value = meaning(text, bits=True)
            if value is not None:
                self.state["meant"][row] += 1
                self.state["bits"][row] += value in (0.0, 1.0)
                self.texts.setdefault(row, Known()).learn(text, self.warmup)

    def _settle(self, row: int) -> None:
        """The warm-up of a row is over."""
        counts = {name: self.state[name].item(row) for name in COUNTS}
        least = (1.0 - PURE) * counts["n"]
        kind, known = NOWHERE, self.texts.pop(row, None)
        if counts["numbers"] >= least:
            kind = BITS if counts["bits"] >= least else NUMBERS
        elif known is not None and counts["meant"] >= least:
            known.settle()
            if known.is_category(SHARE_OTHER):
                kind, self.texts[row] = TEXTS, known
        self._set(row, kind)

    def _set(self, row: int, kind: int) -> None:
        self.state["kind"][row] = kind
        self.kinds.pop(self.keys[row][0], None)
        self.there = None
        self.homes.pop(row, None)

    def _home(self, row: int) -> Home:
        if row not in self.homes:
            bits = bool(self.state["bits"][row] >= (1.0 - PURE) * self.state["n"][row])
            of_texts = self.state["kind"][row] == TEXTS
            self.homes[row] = Home.of_texts(self.texts[row].names, bits) if of_texts else Home(bits)
        return self.homes[row]

    def _rows(self, batch: Batch, event: I64, name: I64) -> I64:
        """The row of each value, those of new names in the order in which the log shows them; -1 without a place."""
        inverse, first = dense(batch.model[event].astype(np.int64) * len(batch.names) + name)
        keys = zip(batch.model[event[first]].tolist(), name[first].tolist(), strict=True)
        offsets = batch.offsets[event[first]].tolist()
        rows = [self._row(batch.strings[model], batch.names[code]) for model, code in keys]
        self._resize()
        for row, at in zip(rows, offsets, strict=True):
            if row >= 0 and self.state["n"][row] == 0:
                self.state["first"][row] = at
        return np.array(rows, np.int64)[inverse]

    def _row(self, model: str, name: str) -> int:
        rows = self.index.get(model, {})
        if name in rows or len(self.keys) >= self.most:
            return rows.get(name, -1)
        self.index.setdefault(model, {})[name] = len(self.keys)
        self.keys.append((model, name))
        self.kinds.pop(model, None)
        self.there = None
        return len(self.keys) - 1

    def _resize(self) -> None:
        fresh = len(self.keys) - len(self.state["n"])
        if fresh:
            new = {name: np.full(fresh, NEVER if name == "came" else 0) for name in FIELDS}
            self.state = {name: np.concatenate([values, new[name]]) for name, values in self.state.items()}

    def first_offset(self, model: str, before: int) -> int:
        """Where the log must be read from for what came home up to this offset to do so again; NEVER for nothing."""
        if self.moved is None:
            self.moved = {self.keys[row][0] for row in np.flatnonzero(self.state["came"] != NEVER).tolist()}
        if model not in self.moved:
            return NEVER
        rows = np.array([*self.index.get(model, {}).values()], np.int64)
        came, first = self.state["came"][rows], self.state["first"][rows]
        return min(first[(came <= before) & (first != BY_FILE)].tolist(), default=NEVER)

    def seed(self, model: str, name: str, numbers: bool | None, texts: Sequence[str]) -> None:
        """What a file of references knows of a name: whether its numbers are ones and zeros, None where it has none; or
        its categories.
        """
        row = self._row(model, name) if name.startswith(MEANT) and name not in self.index.get(model, {}) else -1
        if row < 0:
            return
        self._resize()
        known, n = Known.of_file(texts, True), self.warmup
        values = [meaning(text, bits=True) for text in texts]
        bits = numbers or (bool(texts) and all(value in (0.0, 1.0) for value in values))
        meant = bool(texts) and None not in values
        kind = NOWHERE if texts else BITS if bits else NUMBERS
        if numbers is None and meant:
            kind, self.texts[row] = TEXTS, known
        counts = n, n * (numbers is not None), n * bits, n * meant
        for field, value in zip(FIELDS, (*counts, kind, BY_FILE, NEVER), strict=True):
            self.state[field][row] = value
        self._set(row, kind)

    def calm(self, models: int, names: int) -> bool:
        """Whether a batch of so many models and names cannot bring it near its limit."""
        return 2 * (len(self.keys) + models * names) < self.most

    def turn(self) -> None:
        """A turn of the log: where there are nearly too many those leave that still learn. Names that are data do not
        come often enough to end that.
        """
        if len(self.keys) >= self.most - self.most // 8:
            self._retain(np.flatnonzero(self.state["kind"] != OPEN))

    def forget(self, models: Collection[str]) -> None:
        """Nothing of these models is to be remembered any more."""
        self._retain(np.array([row for row, (model, _) in enumerate(self.keys) if model not in models], np.int64))

    def _retain(self, rows: I64) -> None:
        kept = rows.tolist()
        self.state = {name: values[rows] for name, values in self.state.items()}
        self.texts = {new: self.texts[row] for new, row in enumerate(kept) if row in self.texts}
        self._number([self.keys[row] for row in kept])

    def _number(self, keys: Iterable[Sequence[object]]) -> None:
        """Make the index anew. Rows of a model mostly stand together, and names repeat."""
        self.index, self.keys, self.homes, self.kinds, self.there, self.moved = {}, [], {}, {}, None, None
        before: object = None
        names, model, of_model = dict[str, str](), "", dict[str, int]()
        for row, (given, text) in enumerate(keys):
            if given != before:
                before, model = given, str(given)
                of_model = self.index.setdefault(model, {})
            name = str(text)
            name = names.setdefault(name, name)
            self.keys.append((model, name))
            of_model[name] = row

    def dump(self) -> Any:
        """The state as plain values and arrays of its own."""
        return {
            "keys": self.keys.copy(),
            "state": {name: values.copy() for name, values in self.state.items()},
            "texts": [[row, known.dump()] for row, known in sorted(self.texts.items())],
            "of": [self.warmup, self.given, list(self.codes)],
        }

    def load(self, state: Any) -> None:
        """Replace the state; ValueError for an invalid one. That of another warm-up or file means nothing. Names
        that are codes by now and were none, or the other way round, learn anew. Older snapshots have no state: the
        values that follow are the first ones then.
        """
        if state is None or list(state["of"][:2]) != [self.warmup, self.given]:
            return
        self._number(state["keys"])
        self.state = {name: np.array(state["state"][name], np.int64) for name in FIELDS}
        self.texts = {int(row): Known.load(known) for row, known in state["texts"]}
        n, kind = self.state["n"], self.state["kind"]
        sizes = {len(self.keys), sum(map(len, self.index.values())), *map(len, self.state.values())}
        of_texts = {*np.flatnonzero(kind == TEXTS).tolist()}
        if len(sizes) != 1 or (n < 0).any() or (n > self.warmup).any() or (kind < OPEN).any() or (kind > TEXTS).any():
            raise ValueError("invalid homes of names")
        if not of_texts <= self.texts.keys() <= {*range(len(n))}:
            raise ValueError("homes of names that do not fit their texts")
        old = tuple(map(str, state["of"][2]))
        if old != self.codes:
            same = [excluded(name, old) == excluded(name, self.codes) for _, name in self.keys]
            self._retain(np.flatnonzero(same))
