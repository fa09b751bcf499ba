"""The columns of a table of events: to which place in an event each belongs, and how an event is made of a row."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from schemas.events.batch import Record
from schemas.events.fields import FIELDS, Fields, Selector, parse_selector
from schemas.events.json_text import value_of
from streamer.offline.replay import BadInput

NAMING = ("label", "status")
"""Texts that numbers stand for: a column of 0.0 and 1.0 is one of whole numbers, as tools write it that have no other
way to leave a cell empty."""
CONTAINERS = ("object", "array")
INDEX = re.compile(r"Unnamed: \d+|__index_level_\d+__").fullmatch
"""What pandas calls the numbers of rows, where it writes them."""
STEPS = re.compile(r"__|[\[\]/: ]+|_")
SHOWN = 8


class Column(NamedTuple):
    """`field`: the field of the event that it is or is a member of, empty for what only a monitor's pointer finds."""

    name: str
    place: tuple[str, ...]
    field: str
    whole: bool = False  # an object or array, which may be written as JSON

    @property
    def kind(self) -> str:
        """What its cells are: "text", "number", "time", or "any" where the column itself says it."""
        if self.field in ("", "features"):
            return "any"
        kinds = {"object": "number" if self.field == "scores" else "text", "array": "number"}
        kind = FIELDS[self.field].kind
        return kinds.get(kind, kind)


class Layout(NamedTuple):
    """Of each column of a table where it goes, None for nowhere; and what a person should know of that."""

    columns: tuple[Column | None, ...]
    outside: tuple[tuple[int, Selector], ...]  # columns of what the mapping reads beside the value: key and headers
    model: Column | None  # of rows that do not name it
    notes: tuple[str, ...]


def layout(names: Sequence[str], fields: Fields, model: bool, table: str) -> Layout:
    """A column is named by its place in an event (`features.amount`, `/features/amount`) or by its field (`label`,
    `scores.yes`). In a table without any feature what is neither is one. `model`: the model is said beside the table.
    BadInput names columns that cannot be.
    """
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise BadInput(f"{table}: {_listed(doubled)} is there more than once")
    found = {name: column_of(name, fields) for name in names}
    unknown = [name for name in names if found[name] is None and name and not INDEX(name)]
    notes = []
    features = fields.selectors[[*FIELDS].index("features")]
    if unknown and not any(column is not None and column.field == "features" for column in found.values()):
        found |= {name: Column(name, (*_steps(features), name), "features") for name in unknown}
        notes = [f"{table}: taken as features: {_listed(unknown)}"] if features.steps else []
    elif unknown:
        notes = [f"{table}: nothing reads {_listed(unknown)}"]
    notes += [
        f"{table}: {name!r} is no field; did you mean {meant!r}?" for name in unknown if (meant := _meant(name, fields))
    ]
    columns = [column for column in found.values() if column is not None]
    by_field = dict(zip(FIELDS, fields.selectors, strict=True))
    beside = {c.name: by_field[c.field] for c in columns if c.field and by_field[c.field].kind != "pointer"}
    _check_places([column for column in columns if column.name not in beside], table)
    missing = model and not any(column.field == "model" for column in columns)
    said = Column("model", _steps(by_field["model"]), "model") if missing else None
    outside = [(number, beside[name]) for number, name in enumerate(names) if name in beside]
    return Layout(tuple(found[name] for name in names), tuple(outside), said, tuple(notes))


def column_of(name: str, fields: Fields) -> Column | None:
    """None for a name that is of no field."""
    place = _place(name)
    by_field = dict(zip(FIELDS, fields.selectors, strict=True))
    for field, selector in by_field.items():
        steps = _steps(selector)
        if steps and (place == steps or (FIELDS[field].kind in CONTAINERS and place[: len(steps)] == steps)):
            return Column(name, place, field, place == steps and FIELDS[field].kind in CONTAINERS)
    for extra in fields.extra:
        if name == extra.text or place == _steps(extra):
            return Column(name, _steps(extra), "")
    if any(place == _steps(one)[: len(place)] for one in (*fields.selectors, *fields.extra)):
        return Column(name, place, "", whole=True)  # An object with fields in it.
    if place[0] not in FIELDS or (len(place) > 1 and FIELDS[place[0]].kind not in CONTAINERS):
        return None
    return Column(name, (*_steps(by_field[place[0]]), *place[1:]), place[0])


def _meant(name: str, fields: Fields) -> str:
    """The field that such a name most likely is, in another case or with other marks between its steps."""
    like = name.lower().rstrip("] ")
    tried = (like, STEPS.sub(".", like, count=1), STEPS.sub(".", like))
    return next((one for one in tried if column_of(one, fields) is not None), "")


def _place(name: str) -> tuple[str, ...]:
    try:
        return _steps(parse_selector(name)) if name.startswith("/") else tuple(name.split("."))
    except ValueError:
        return (name,)


def _steps(selector: Selector) -> tuple[str, ...]:
    return tuple(name for name, _ in selector.steps)


def _check_places(columns: Sequence[Column], table: str) -> None:
    named: dict[tuple[str, ...], str] = {}
    for column in columns:
        if column.place in named:
            raise BadInput(f"{table}: {named[column.place]!r} and {column.name!r} are one place in an event")
        named[column.place] = column.name
    for place, name in named.items():
        for depth in range(1, len(place)):
            if place[:depth] in named:
                raise BadInput(f"{table}: {name!r} lies within {named[place[:depth]]!r}, which is a column of its own")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more


def records(rows: Iterable[Sequence[Any]], plan: Layout, model: str | None) -> Iterator[Record]:
    """Rows as records of a topic; what the mapping reads from the key or a header is put there."""
    outside = {number for number, _ in plan.outside}
    placed = [(n, column.place) for n, column in enumerate(plan.columns) if column is not None and n not in outside]
    whole = {n for n, column in enumerate(plan.columns) if column is not None and column.whole}
    for offset, row in enumerate(rows):
        event: dict[str, Any] = {}
        if plan.model is not None:
            put(event, plan.model.place, model)
        for number, place in placed:
            put(event, place, _parsed(row[number]) if number in whole else row[number])
        beside = [(selector, _text(row[number])) for number, selector in plan.outside if row[number] is not None]
        key = next((text for selector, text in beside if selector.kind == "key"), None)
        headers = tuple((selector.header, text) for selector, text in beside if selector.kind == "header")
        yield Record(offset, -1, key, _json(event), headers)


def _parsed(value: Any) -> Any:
    """An object or an array that a database wrote into a cell."""
    try:
        return value_of(value.encode()) if isinstance(value, str) and value[:1] in ("{", "[") else value
    except (orjson.JSONDecodeError, RecursionError):
        return value


def put(event: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    """Into an event, in its objects."""
    for name in place[:-1]:
        event = event.setdefault(name, {})
    event[place[-1]] = value


def _text(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else _json(value)


def _json(value: Any) -> bytes:
    """No JSON has infinite numbers, but Python's has: the decoder says what becomes of them."""
    if _infinite(value):
        return json.dumps(value, separators=(",", ":")).encode()
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


def _infinite(value: Any) -> bool:
    if type(value) is float:
        return value in (math.inf, -math.inf)
    if type(value) is dict:
        return any(map(_infinite, value.values()))
    return type(value) is list and any(map(_infinite, value))
