"""Arrays that are one embedding each: taken out of an event before its fields are read, so that they are no features.

Its numbers are columns like any other, `embedding.NAME.0` and so on, always all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from schemas.events.convert import NOT_FINITE, Rejected
from schemas.events.fields import ABSENT, STUCK, Embedding, Fields, walk
from schemas.events.odd import NUMBER, Odd

PREFIX = "embedding."


class Taken(NamedTuple):
    """The embeddings of an event by name, and those that cannot be used."""

    vectors: list[tuple[str, list[float]]]
    odd: list[Odd]


NONE = Taken([], [])


class Columns(Protocol):
    """What is asked of a batch under construction; see `native_json`."""

    rows: list[int]
    names: dict[str, int]
    embeddings: dict[str, list[int]]
    number_name: list[int]
    number_value: list[float]


def put(columns: Columns, vectors: list[tuple[str, list[float]]]) -> None:
    """Numbers of the last event, which is good: so the lengths that it ends with are others."""
    for name, values in vectors:
        if name not in columns.embeddings:
            paths = (f"{PREFIX}{name}.{i}" for i in range(len(values)))
            columns.embeddings[name] = [columns.names.setdefault(path, len(columns.names)) for path in paths]
        columns.number_name += columns.embeddings[name]
        columns.number_value += values
        columns.rows[-5], columns.rows[-2] = len(columns.number_name), len(columns.names)


def taken(document: dict[str, Any], fields: Fields) -> Taken:
    """Raises Rejected for the first that cannot be used, where the config has it so; null is absent."""
    found = Taken([], [])
    values = [(one, walk(one.steps, document)) for one in fields.reading.embeddings]
    for one, value in values:
        if value is ABSENT or value is STUCK or value is None:
            continue
        reason = _reason(value, one)
        if not reason:
            found.vectors.append((one.name, value))
        elif fields.reading.strict:
            raise Rejected(reason, one.text)
        else:
            found.odd.append(Odd(PREFIX + one.name, reason, one.text))
        _take_out(document, one)
    return found


def _reason(value: Any, one: Embedding) -> str:
    """Why a value is no embedding; empty when it is."""
    if type(value) is not list:
        return "not_finite" if value is NOT_FINITE else "wrong_type"
    if len(value) != one.dimensions:
        return "wrong_dimension"
    if NUMBER.issuperset(map(type, value)):
        return ""
    return "not_finite" if any(number is NOT_FINITE for number in value) else "wrong_type"


def _take_out(document: dict[str, Any], one: Embedding) -> None:
    place, (name, index) = walk(one.steps[:-1], document), one.steps[-1]
    if type(place) is dict:
        place.pop(name, None)
    elif type(place) is list:
        place[index] = None
