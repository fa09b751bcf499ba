"""What an item will say of its event, kept while the event may still be chosen; and of features only what is asked for.

The queue and the audit know candidates by offset and row alone. When they let one go, what is known of it goes, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from schemas.events.batch import Batch, number_of_event, origin_of, text_of_event
from schemas.events.convert import id_hash
from streamer.config.review import column_of
from streamer.signals.roles import EVENT_NAME

CONFIDENCE = "prediction.confidence"
ROW_BITS = 20
"""So many count the rows of a record: of one of 64 MiB, the longest there is, each has 64 bytes or more."""
HOME_BITS = 32
"""From this one on the row of an event that has moved here says where it came from: the number of its partition, from 1
on. So no two have one place, and an item names the place where its event is.
"""
Spot = tuple[int, int]
"""Offset and row of an event in the log that is read."""


class Known(NamedTuple):
    """Of one event."""

    model: str
    name: str  # its id, or the hash of that where no text of it is told; empty where it has none
    time_ms: int
    origin: tuple[str, int, int, int] | None  # of one of the ordered log
    confidence: float | None
    values: tuple[tuple[str, Any], ...]


class Columns:
    """What a batch says of its events."""

    def __init__(self, batch: Batch, fields: Sequence[str], hashed: bool) -> None:
        self.batch, self.hashed = batch, hashed
        names = {EVENT_NAME: EVENT_NAME, CONFIDENCE: CONFIDENCE, **{name: column_of(name) for name in fields}}
        self.texts = {name: text_of_event(batch, column) for name, column in names.items()}
        self.numbers = {name: number_of_event(batch, column) for name, column in names.items()}
        self.fields = fields

    def value(self, name: str, event: int) -> Any:
        code, number = self.texts[name].item(event), self.numbers[name].item(event)
        if code >= 0:
            return self.batch.strings[code]
        return number if number == number else None

    def known(self, event: int) -> Known:
        id, confidence = self.batch.event_id.item(event), self.numbers[CONFIDENCE].item(event)
        told = f"{id:016x}" if self.hashed else self.value(EVENT_NAME, event)
        name = "" if not id or told is None else f"{told:.17g}" if isinstance(told, float) else str(told)
        values = tuple((field, self.value(field, event)) for field in self.fields)
        what = self.batch.times_ms.item(event), origin_of(self.batch, event), confidence
        model = self.batch.strings[self.batch.model.item(event)]
        return Known(model, name, *what[:2], None if confidence != confidence else confidence, values)


class Candidates:
    """By place what is known of those that may be chosen. `hashed`: of ids the hash, XXH3-64 in hex."""

    def __init__(self, fields: Sequence[str], hashed: bool) -> None:
        self.fields, self.hashed = tuple(fields), hashed
        self.known: dict[Spot, Known] = {}

    def of(self, held: Iterable[Spot], batch: Batch | None) -> dict[Spot, Known]:
        """Of those that are `held`, here or in this batch."""
        found, fresh = dict[Spot, Known](), dict[Spot, None]()
        for spot in held:
            if spot in self.known:
                found[spot] = self.known[spot]
            else:
                fresh[spot] = None
        if fresh and batch is not None:
            columns = Columns(batch, self.fields, self.hashed)
            events = zip(fresh, events_at(batch, list(fresh)), strict=True)
            found |= {spot: columns.known(event) for spot, event in events}
        return found

    def keep(self, held: Iterable[Spot], batch: Batch | None = None) -> None:
        """Know of those that are `held`, of whom some may be in this batch, and of nobody else."""
        self.known = self.of(held, batch)

    def erase(self, event_id: int) -> bool:
        """Know of the events of this id nothing but where they are; whether there were any."""
        mine = [spot for spot, one in self.known.items() if id_of(one.name, self.hashed) == event_id]
        for spot in mine:
            one = self.known[spot]
            self.known[spot] = Known(one.model, "", one.time_ms, one.origin, None, ())
        return bool(mine)

    def dump(self) -> list[Any]:
        return [[*spot, *_plain(known)] for spot, known in sorted(self.known.items())]

    def load(self, state: Iterable[Any]) -> None:
        for offset, row, model, name, time_ms, origin, confidence, values in state:
            at = None if origin is None else (str(origin[0]), *map(int, origin[1:]))
            sure = None if confidence is None else float(confidence)
            pairs = tuple((str(field), value) for field, value in values if field in self.fields)
            known = Known(str(model), str(name), int(time_ms), at, sure, pairs)  # type: ignore[arg-type]
            self.known[int(offset), int(row)] = known


def id_of(name: str, hashed: bool) -> int:
    """The hash of an id that an item would name so; 0 where it has none."""
    return int(name, 16) if hashed and name else id_hash(name, EVENT_NAME)


def _plain(known: Known) -> list[Any]:
    *rest, values = known
    return [*(list(one) if isinstance(one, tuple) else one for one in rest), [list(pair) for pair in values]]


def events_at(batch: Batch, spots: Sequence[Spot]) -> list[int]:
    """Which events of a batch stand there: they lie by offset and row."""
    offsets, rows = np.array(spots, np.int64).reshape(-1, 2).T
    own = np.int64(0) if batch.rows is None else batch.rows.astype(np.int64)
    found = np.searchsorted((batch.offsets << ROW_BITS) + own, (offsets << ROW_BITS) + rows)
    return [int(place) for place in found]


def place_of(spot: Spot) -> tuple[int, int, int | None]:
    """Offset, row, and of one that has moved here the partition in which these are.

    >>> place_of((17, 2)), place_of((17, (4 << HOME_BITS) + 2))
    ((17, 2, None), (17, 2, 3))
    """
    offset, row = spot
    home = row >> HOME_BITS
    return offset, row - (home << HOME_BITS), home - 1 if home else None


def spots(offsets: Any, rows: Any) -> list[Spot]:
    """Places as plain numbers."""
    return list(zip(np.asarray(offsets).tolist(), np.asarray(rows).tolist(), strict=True))
