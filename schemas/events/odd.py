"""What of an event cannot be used: found field by field, once reading it as a whole has failed, and left out of it.

One odd field is one odd field. Most events have none and never come here: `native_json` reads an event as if all were
well, and asks only when that is not so. What is left of the event is read in the same way, so there is one place that
makes columns, and this one only takes away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from schemas.events.batch import Record
from schemas.events.convert import (
    NAME_MAX,
    NOT_FINITE,
    NotFinite,
    Rejected,
    as_text,
    event_time_ms,
    id_hash,
    label_text,
    member_path,
    wrong_type,
)
from schemas.events.fields import DEFAULTS, FIELDS, Fields, read_field, walk
from schemas.events.json_text import settled

FIELDS_MAX = 2000
"""Entries of features, scores, logits and segment in one event. Each may become a series with its own detector state;
the widest tabular models have about a thousand inputs; an object beyond that is a map keyed by ids, not features."""

DEPTH_MAX = 8
"""Objects within objects of which features are made."""

NUMBER = frozenset((int, float))
VERSION = frozenset((str, int, float))
STATUS = frozenset((str, int))
MODEL = CALLER = STATUS
SEGMENT = frozenset((str, int, float, bool))


class Odd(NamedTuple):
    """A field that is left out."""

    field: str  # as a signal's path has it
    reason: str
    path: str  # where it is in the event


class Usable(NamedTuple):
    """What is left of an event: the raw values of FIELDS, the document that pointers go into, and what is left out."""

    raw: tuple[Any, ...]
    document: dict[str, Any]
    odd: list[Odd]


def usable(document: dict[str, Any], record: Record, record_ms: int, topic: str, fields: Fields) -> Usable:
    """What of an event can be used. Raises Rejected where it is the model that cannot be read, and for any other field
    if the config has it so.
    """
    odd: list[Odd] = []
    raw = dict(zip(FIELDS, _read_each(document, record, topic, fields, odd), strict=True))
    if type(raw["model"]) is int or type(raw["model"]) is float:
        raw["model"] = as_text(raw["model"], MODEL, fields.texts[0])
    if not raw["model"] or type(raw["model"]) is not str or len(raw["model"]) > NAME_MAX:
        return Usable((*raw.values(),), document, odd)  # It is rejected for that, whatever else there is.
    at = dict(zip(FIELDS, fields.texts, strict=True))

    def tried(name: str, read: Callable[[Any, str], Any]) -> None:
        """Leave the field out if it cannot be read."""
        if raw[name] is not None:
            try:
                read(raw[name], at[name])
            except Rejected as bad:
                raw[name] = None
                odd.append(Odd(PATHS.get(name, name), bad.reason, bad.detail))

    def time(value: Any, path: str) -> None:
        event_time_ms(value, record_ms, path, fields.reading.zone)

    tried("version", lambda value, path: as_text(value, VERSION, path))
    tried("time", time)
    tried("event_id", id_hash)
    if type(raw["features"]) is list:
        names = fields.reading.names
        raw["features"] = {names[i] if i < len(names) else str(i): v for i, v in enumerate(raw["features"][:ROOM])}
    _containers(raw, at, odd)
    _bound(raw, at, odd)
    if raw["features"]:
        raw["features"] = dict(_features(raw["features"], at["features"], fields.reading.array, odd))
    if raw["segment"]:
        raw["segment"] = dict(_members("segment", raw["segment"].items(), _segment_text, at["segment"], odd))
    if raw["scores"]:
        raw["scores"] = dict(_members("scores", raw["scores"].items(), _number, at["scores"], odd))
    if raw["logits"]:
        raw["logits"] = [v for _, v in _members("logits", enumerate(raw["logits"]), _number, at["logits"], odd)]
    _bound(raw, at, odd)
    tried("label", label_text)
    for name in ("value", "confidence", "latency_ms"):
        tried(name, _number)
    tried("status", lambda value, path: as_text(value, STATUS, path))
    tried("caller", lambda value, path: as_text(value, CALLER, path))
    for pointer in fields.extra:
        if walk(pointer.steps, document) is NOT_FINITE:
            odd.append(Odd(pointer.text, "not_finite", pointer.text))
    if odd and fields.reading.strict:
        raise Rejected(odd[0].reason, odd[0].path)
    return Usable((*raw.values(),), settled(document, lambda v: None if v is NOT_FINITE else v), odd)


PATHS = {name: f"prediction.{name}" for name in ("label", "value", "confidence", "scores", "logits")}
"""The names of what is not called as its field is."""
ROOM = FIELDS_MAX + 1


def _read_each(document: dict[str, Any], record: Record, topic: str, fields: Fields, odd: list[Odd]) -> Iterator[Any]:
    """The raw value of every field. Where a default leads into what is no object, that one thing is odd, and not all
    that would be in it.
    """
    for (name, field), selector in zip(FIELDS.items(), fields.selectors, strict=True):
        try:
            yield read_field(selector, field.kind, document, record, topic)
        except Rejected as bad:
            if name == "model":
                raise
            where, reason = PATHS.get(name, name), bad.reason
            if selector.text == DEFAULTS[name]:
                where = selector.steps[0][0]
                reason = wrong_type(walk(selector.steps[:1], document), "").reason
            if all(one.field != where for one in odd):
                odd.append(Odd(where, reason, bad.detail))
            yield None


def _containers(raw: dict[str, Any], at: dict[str, str], odd: list[Odd]) -> None:
    """Leave out what is no container."""
    for name in ("features", "scores", "logits", "segment"):
        kind = list if name == "logits" else dict
        if raw[name] is not None and type(raw[name]) is not kind:
            odd.append(Odd(PATHS.get(name, name), wrong_type(raw[name], at[name]).reason, at[name]))
            raw[name] = None


def _bound(raw: dict[str, Any], at: dict[str, str], odd: list[Odd]) -> None:
    """Leave out the containers that there is no more room for."""
    entries = 0
    for name in ("features", "scores", "logits", "segment"):
        own = len(raw[name] or ())
        if entries + own > FIELDS_MAX:
            odd.append(Odd(PATHS.get(name, name), "too_many_fields", at[name]))
            raw[name] = None
        else:
            entries += own


def _members(
    field: str, items: Any, read: Callable[[Any, str], Any], path: str, odd: list[Odd]
) -> Iterator[tuple[Any, Any]]:
    """Members that can be read, the others as null."""
    prefix = PATHS.get(field, field)
    for number, (name, value) in enumerate(items):
        if number > FIELDS_MAX:
            yield name, None
            continue
        where = member_path(path, name)
        if type(name) is str and len(name) > NAME_MAX:
            odd.append(Odd(prefix, "wrong_type", where))
            continue
        try:
            if value is not None:
                read(value, where)
            yield name, value
        except Rejected as bad:
            odd.append(Odd(f"{prefix}.{name}", bad.reason, bad.detail))
            yield name, None


def _number(value: Any, path: str) -> None:
    if type(value) not in NUMBER:
        raise wrong_type(value, path)


def _segment_text(value: Any, path: str) -> None:
    as_text(value, SEGMENT, path)


def _features(features: dict[str, Any], path: str, array_max: int, odd: list[Odd]) -> dict[str, Any]:
    """Features by name; a member of an object is OBJECT.MEMBER, one of an array of numbers ARRAY.0 and so on, and of
    two of one name the first counts. What cannot be used is null: it is missing.
    """
    found: dict[str, Any] = {}

    def take(name: str, value: Any, where: str, depth: int) -> None:
        if len(found) > FIELDS_MAX:
            return
        if len(name) > NAME_MAX:
            odd.append(Odd("features", "wrong_type", where))
            return
        if type(value) is dict and value and depth < DEPTH_MAX:
            for inner, of in value.items():
                take(f"{name}.{inner}", of, member_path(where, inner), depth + 1)
            return
        why = ""
        if value is NOT_FINITE:
            why = "not_finite"
        elif type(value) is list and value and all(v is None or type(v) in ENTRY for v in value):
            if len(value) <= array_max:
                for number, of in enumerate(value):
                    take(f"{name}.{number}", of, member_path(where, number), depth)
                return
            why = "too_many_members"
        elif type(value) is dict or type(value) is list:
            why = "wrong_type"
        if why:
            odd.append(Odd(f"features.{name}", why, where))
            value = None
        found.setdefault(name, value)

    for name, value in features.items():
        take(name, value, member_path(path, name), 0)
    return found


ENTRY = frozenset((int, float, bool, NotFinite))
"""What an array of numbers has."""
