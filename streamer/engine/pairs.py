"""Two records that are one inference: a request and its answer with one id, which some loggers send apart.

The first of a pair is kept until the other comes, and is then a part of it: the event stands where the second does, and
has what either has, of the second where both have it; its time is the later one. One whose other half does not come
within the time allowed, or before too many wait, is an event of its own, just before the event that shows it. Time is
that of the model's events so far, and of those that wait for long (`spilled.py`) of all models of the partition, so
that all of this is a matter of the log alone. An event with features and an answer is whole and waits for none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from schemas.events.batch import Batch, Nulls, Numbers, OddField, Origin, Texts, origin_of
from streamer.config import model as cfg
from streamer.engine.figures import Counter
from streamer.engine.spilled import Half, Spilled, half_of, plain
from streamer.signals.columns import I64, Bool
from streamer.signals.roles import OPT_OUT, is_about

HALVES = ("features.", "prediction.")
"""How the names of what was asked and of the answer begin: who has both is whole."""

SIDES = ("request", "answer", "neither")
YOUNG = 4096
"""So many halves are at hand, which a snapshot has anew each time. With answers that come soon no more wait than come
in that time.
"""
AHEAD_MS = 86_400_000
Key = tuple[str, int]
"""Model and id."""


class Join(NamedTuple):
    """A half that joins the event at a place, or stands before it."""

    place: int
    joins: bool
    half: Half


class Pairs:
    """The halves of one partition that wait, oldest first, and how many were paired or went alone. The newest are at
    hand, up to `young` of them; the others are `old`.
    """

    def __init__(self, within_ms: int, most: int, ahead_ms: int = AHEAD_MS, young: int = YOUNG) -> None:
        self.within_ms, self.most, self.young = within_ms, most, young
        self.open: dict[Key, Half] = {}
        self.of_model: dict[str, dict[Key, None]] = {}
        self.newest_ms: dict[str, int] = {}
        self.old = Spilled(within_ms, most, ahead_ms)
        self.paired, self.alone = 0, 0
        self.alone_by = dict.fromkeys(SIDES, 0)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self.open) + self.old.waiting

    def take(self, batch: Batch, refused: Bool | None = None) -> Batch:
        """The events of a batch as they are after pairing. Of the `refused`, whose owners opted out, only that is kept
        until the other half comes.
        """
        kept, joins, taken = np.ones(len(batch.offsets), bool), list[Join](), Taken(batch)
        models = [batch.strings[code] for code in batch.model.tolist()]
        about = is_about(batch)  # They are halves of nothing, and come when they come.
        whole, times_ms = _whole(batch) | about, np.where(about, 0, batch.times_ms)
        columns = zip(models, batch.event_id.tolist(), times_ms.tolist(), whole.tolist(), strict=True)
        for place, (model, event_id, time_ms, complete) in enumerate(columns):
            self.newest_ms[model] = now_ms = max(time_ms, self.newest_ms.get(model, 0))
            self.old.pass_time(time_ms)
            joins += (Join(place, False, self._goes(half)) for half in (*self.old.over(), *self._over(model, now_ms)))
            key = model, event_id
            if not event_id or complete:
                continue
            other = self._out(key) if key in self.open else self.old.take(*key)
            if other is not None:
                joins.append(Join(place, True, other))
                self.paired += 1
                continue
            if self.waiting >= self.most:
                oldest = self.old.oldest() or self._out(next(iter(self.open)))
                joins.append(Join(place, False, self._goes(oldest)))
            half = taken.half(place, model)
            self.open[key] = half if refused is None or not refused.item(place) else bare(half, batch)
            self.of_model.setdefault(model, {})[key] = None
            kept[place] = False
            while len(self.open) > self.young:
                self.old.put(self._out(next(iter(self.open))))
        return batch if kept.all() and not joins else joined(batch, kept, joins, taken)

    def erase(self, event_id: int) -> int:
        """Halves of this id wait no longer, and become no events; how many there were."""
        mine = [key for key in self.open if key[1] == event_id]
        for key in mine:
            self._out(key)
        return len(mine) + self.old.erase(event_id, self.newest_ms)

    def leave(self, models: Collection[str]) -> None:
        """Halves of these models go elsewhere. All others are at hand for once, however many they are."""
        halves = [*self.old.all_out(), *self.open.values()]
        self.open, self.of_model = {}, {}
        for half in halves:
            if half.model not in models:
                self._hold(half)
        self.newest_ms = {model: time_ms for model, time_ms in self.newest_ms.items() if model not in models}

    def counters(self, topic: str) -> Iterator[Counter]:
        """What became of them; of those that stayed alone which halves they were."""
        for result, count in (("paired", self.paired), ("alone", self.alone)):
            yield Counter("pairs_total", {"topic": topic, "result": result}, count)
        for side, count in self.alone_by.items():
            yield Counter("pairs_alone_total", {"topic": topic, "half": side}, count)

    def _goes(self, half: Half) -> Half:
        """It goes alone."""
        self.alone += 1
        self.alone_by[side_of(half)] += 1
        return half

    def _over(self, model: str, now_ms: int) -> Iterator[Half]:
        """Those of a model whose time is over, in the order in which they came."""
        waiting = self.of_model.get(model, {})
        while waiting and self.open[oldest := next(iter(waiting))].time_ms < now_ms - self.within_ms:
            yield self._out(oldest)

    def _hold(self, half: Half) -> None:
        key = half.model, half.event_id
        self.open[key] = half
        self.of_model.setdefault(half.model, {})[key] = None

    def _out(self, key: Key) -> Half:
        del self.of_model[key[0]][key]
        return self.open.pop(key)

    def dump(self) -> dict[str, Any]:
        return {
            "open": [plain(half) for half in self.open.values()],
            "newest_ms": list(self.newest_ms.items()),
            "counts": [self.paired, self.alone],
            "alone": list(self.alone_by.values()),
            "old": self.old.dump(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Into an empty one. Raises ValueError and its like."""
        for one in state["open"]:
            self._hold(half_of(one))
        if len(self.open) < len(state["open"]):
            raise ValueError("two halves of one id")
        self.newest_ms = {str(model): int(time_ms) for model, time_ms in state["newest_ms"]}
        self.paired, self.alone = map(int, state["counts"])
        self.alone_by |= zip(SIDES, map(int, state.get("alone", ())), strict=False)  # Older snapshots have none.
        self.old.load(state.get("old"))


def side_of(half: Half) -> str:
    """Which half it is."""
    names = [*(name for name, _ in half.numbers), *(name for name, _ in half.texts), *half.nulls]
    heads = zip(SIDES, HALVES, strict=False)
    return next((side for side, head in heads if any(name.startswith(head) for name in names)), SIDES[-1])


def pairs_of(config: cfg.Config) -> Pairs | None:
    """Where the config asks for them."""
    pair = config.mapping.pair
    return None if pair is None else Pairs(pair.within_ms, pair.most, config.limits.ahead_ms, YOUNG)


def bare(half: Half, batch: Batch) -> Half:
    """Nothing but that its owner opted out."""
    place = batch.aliases.get(OPT_OUT, OPT_OUT)
    numbers = tuple(one for one in half.numbers if one[0] == place)
    return half._replace(numbers=numbers, texts=tuple(one for one in half.texts if one[0] == place), nulls=(), odd=())


def _whole(batch: Batch) -> Bool:
    """Which events have both what was asked and an answer."""
    both = np.ones(len(batch.offsets), bool)
    for head in HALVES:
        mine = np.array([name.startswith(head) for name in batch.names], bool)
        has = np.zeros(len(batch.offsets), bool)
        for table in (batch.numbers, batch.texts, batch.nulls):
            if len(table.event):
                has[table.event[mine[table.name]]] = True
        both &= has
    return both


class Taken:
    """Takes single events out of a batch."""

    def __init__(self, batch: Batch) -> None:
        self.batch, places = batch, np.arange(len(batch.offsets) + 1)
        self.ends = [np.searchsorted(table.event, places) for table in (batch.numbers, batch.texts, batch.nulls)]

    def columns(self, place: int) -> tuple[slice, slice, slice]:
        """Where the numbers, texts and nulls of an event are."""
        numbers, texts, nulls = (slice(*ends[place : place + 2].tolist()) for ends in self.ends)
        return numbers, texts, nulls

    def names(self, place: int) -> set[str]:
        """What an event has."""
        batch, parts = self.batch, self.columns(place)
        columns = (batch.numbers.name, batch.texts.name, batch.nulls.name)
        return {batch.names[n] for column, part in zip(columns, parts, strict=True) for n in column[part].tolist()}

    def half(self, place: int, model: str) -> Half:
        batch, names, strings = self.batch, self.batch.names, self.batch.strings
        numbers, texts, nulls = self.columns(place)
        version, (_, name, value), (_, named, text) = batch.version.item(place), batch.numbers, batch.texts
        pairs = zip(named[texts].tolist(), text[texts].tolist(), strict=True)
        return Half(
            model,
            None if version < 0 else strings[version],
            batch.event_id.item(place),
            0 if batch.rows is None else batch.rows.item(place),
            batch.times_ms.item(place),
            batch.offsets.item(place),
            tuple((names[n], v) for n, v in zip(name[numbers].tolist(), value[numbers].tolist(), strict=True)),
            tuple((names[n], strings[t]) for n, t in pairs),
            tuple(names[n] for n in batch.nulls.name[nulls].tolist()),
            tuple((one.field, one.reason) for one in batch.odd if one.event == place),
            origin_of(batch, place),
        )


def joined(batch: Batch, kept: Bool, joins: list[Join], taken: Taken) -> Batch:
    """A batch without the events that wait, with halves that joined its events or stand before them."""
    names, strings = {n: i for i, n in enumerate(batch.names)}, {t: i for i, t in enumerate(batch.strings)}
    before = np.zeros(len(kept) + 1, np.int64)  # new events at or before each place
    for one in joins:
        before[one.place] += not one.joins
    at = np.cumsum(before[:-1]) + np.cumsum(kept) - kept  # where each event of the batch comes to stand
    count = int(kept.sum()) + int(before.sum())
    own = at[kept]
    columns: dict[str, Any] = {}
    origins: list[Any] = []
    for column in () if batch.origin is None else batch.origin:
        origins.append(np.zeros(count, column.dtype))
        origins[-1][own] = column[kept]
    for name in ("offsets", "times_ms", "model", "version", "event_id", *(() if batch.rows is None else ("rows",))):
        column = getattr(batch, name)
        columns[name] = np.zeros(count, column.dtype)
        columns[name][own] = column[kept]
    numbers, texts, nulls = list[tuple[int, int, float]](), list[tuple[int, int, int]](), list[tuple[int, int]]()
    odd = [one._replace(event=at.item(one.event)) for one in batch.odd if kept.item(one.event)]
    alone = dict.fromkeys((one.place for one in joins if not one.joins), 0)
    for place, joins_it, half in joins:
        if joins_it:
            event, has = at.item(place), taken.names(place)
            columns["times_ms"][event] = max(columns["times_ms"][event], half.time_ms)
            if columns["version"][event] < 0 and half.version is not None:
                columns["version"][event] = _code(strings, half.version)
        else:
            event, has = at.item(place) - before.item(place) + alone[place], set()
            alone[place] += 1
            version = -1 if half.version is None else _code(strings, half.version)
            told = batch.offsets.item(place), half.time_ms, _code(strings, half.model), version, half.event_id, half.row
            for name, value in zip(columns, told, strict=False):
                columns[name][event] = value
            if half.origin is not None:
                topic, *place_of = half.origin
                for origin, number in zip(origins, (_code(strings, topic), *place_of), strict=True):
                    origin[event] = number
        numbers += ((event, _code(names, name), value) for name, value in half.numbers if name not in has)
        texts += ((event, _code(names, name), _code(strings, text)) for name, text in half.texts if name not in has)
        nulls += ((event, _code(names, name)) for name in half.nulls if name not in has)
        odd += (OddField(event, field, reason) for field, reason in half.odd)
    return replace(
        batch,
        **columns,
        names=tuple(names),
        strings=tuple(strings),
        numbers=Numbers(*_table(batch.numbers, kept, at, numbers)),
        texts=Texts(*_table(batch.texts, kept, at, texts)),
        nulls=Nulls(*_table(batch.nulls, kept, at, nulls)),
        odd=tuple(sorted(odd)),
        origin=Origin(*origins) if origins else None,
    )


def _code(codes: dict[str, int], text: str) -> int:
    return codes.setdefault(text, len(codes))


def _table(table: Any, kept: Bool, at: I64, more: list[Any]) -> list[Any]:
    """The columns of a table with more rows, in the order of their events."""
    mine = kept[table.event]
    own = [at[table.event[mine]].astype(np.int32), *(column[mine] for column in table[1:])]
    added = list(zip(*more, strict=True)) or [()] * len(own)
    columns = [np.concatenate([one, np.array(other, one.dtype)]) for one, other in zip(own, added, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return [column[order] for column in columns]
