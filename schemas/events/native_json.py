"""Stage 1: records to columns. Pure and stateless; decoding a log in pieces gives the same information as the whole.

The native event is described by event.v1.json. The rules below are complete and meant to be simple enough for a second
decoder in another language to give the same columns and the same reasons.

A record is read as if all were well. Checks run in this order; what fails in 1 or for the model is the reason why it
is rejected, and any other field that fails is left out of the event (`odd.py` finds them all), or is a reason as well
where the config wants that:

1. `unreadable_batch`. `empty`: no value or zero bytes. `too_large`: beyond the limit in bytes. `bad_utf8`: not UTF-8,
   nor surrogates, overlong forms, past U+10FFFF. `bad_json`: not one RFC 8259 text, see `_document`. `not_an_object`.
2. All fields are read in the order of FIELDS. A pointer's step into a missing member, past an array's end or into null
   is absent; a step into a string, number or boolean, or a name (or an index with leading zeros) into an array, is
   `wrong_type`. A key or header that is not UTF-8 is `bad_utf8`; `header:NAME` is the last header of that name. For a
   numeric field (and time) the text of a key or header is read as a JSON number; if it is none: `bad_number` (a time
   then stays a text).
3. model: absent, null, empty: `missing_model`; no integer, no string of at most 256 characters: `wrong_type`.
   model_version: string, integer or number. time: see `convert.time_ms`, `bad_time`, `no_zone`; over 5 minutes after
   the record's timestamp: `clock_ahead`; one that is less after it, or left out, is the record's. event_id: string or
   integer. A whole number with a point, 7.0, is the integer for model, event_id, label, status and caller.
4. features, scores, segment must be objects and logits an array (`wrong_type`), in this order: features, scores,
   logits, segment. More than 2,000 entries in them together: `too_many_fields`. Features may also be an array, and
   have objects and arrays of numbers in them, of whose members features are made.
5. The entries and the remaining fields, in this order: features, label, value, scores, confidence, logits, latency_ms,
   status, caller, segment. A name or a naming text (label, status, caller, segment, version) over 256 characters is
   `wrong_type`; a feature's text is cut to 256.
6. The extra pointers. They never reject: a monitor on one model must not cost another model its events. An object, an
   array or a step that cannot be taken is absent there.

Null means absent, except for features and extra pointers where it is recorded as null. Unknown fields are ignored.
Integers are literals without fraction or exponent within -2^63 .. 2^64-1; any other number is a float64. Members of an
object are taken in the order of their first appearance, each with the value of its last appearance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events.batch import (
    I32,
    REASONS,
    Batch,
    Nulls,
    Numbers,
    OddField,
    Record,
    Reject,
    Texts,
    columns_of,
    reject_of,
)
from schemas.events.convert import (
    NAME_MAX,
    TEXT_MAX,
    Rejected,
    as_text,
    event_time_ms,
    id_hash,
    label_text,
    member_path,
    wrong_type,
)
from schemas.events.embeddings import NONE, put, taken
from schemas.events.fields import (
    ABSENT,
    DEFAULTS,
    STUCK,
    Fields,
    Selector,
    compile_fields,
    parse_selector,
    read_mapped,
    walk,
)
from schemas.events.json_text import parsed
from schemas.events.odd import CALLER, FIELDS_MAX, MODEL, NUMBER, SEGMENT, STATUS, VERSION, usable

__all__ = [
    "DEFAULTS",
    "FIELDS_MAX",
    "REASONS",
    "Fields",
    "Selector",
    "compile_fields",
    "decode",
    "parse_selector",
]

PACKED: dict[type[np.generic], str] = {np.int32: "i", np.int64: "q", np.uint64: "Q", np.float64: "d"}


@dataclass(slots=True)
class _Columns:
    """The batch under construction."""

    # ROW integers per good event, one after the other: one call per event instead of ten.
    rows: list[int] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    strings: dict[str, int] = field(default_factory=dict)
    # Codes by short name, per prefix: saves building and hashing the full path for every value.
    features: dict[str | int, int] = field(default_factory=dict)
    scores: dict[str | int, int] = field(default_factory=dict)
    logits: dict[str | int, int] = field(default_factory=dict)
    segment: dict[str | int, int] = field(default_factory=dict)
    extra: dict[str | int, int] = field(default_factory=dict)
    embeddings: dict[str, list[int]] = field(default_factory=dict)  # codes of all numbers of each
    # Names of the last event's features, and their codes: the next one mostly has the same.
    same: list[str] = field(default_factory=list)
    same_codes: list[int] = field(default_factory=list)
    number_name: list[int] = field(default_factory=list)
    number_value: list[float] = field(default_factory=list)
    text_name: list[int] = field(default_factory=list)
    text_text: list[int] = field(default_factory=list)
    null_name: list[int] = field(default_factory=list)
    odd: list[OddField] = field(default_factory=list)


ROW = 10
"""Integers per event in `_Columns.rows`: offset, time, model, version, id, and then the lengths that number_name,
text_name, null_name, names and strings have after the event. From the lengths an event that turns out bad half way is
taken back, and the event index of all values is made once per batch."""


def decode(records: Sequence[Record], fields: Fields, topic: str) -> Batch:
    """Decode one partition's records, in offset order, to columns.

    Whatever a record holds ends as a row or as a Reject: `len(offsets) + len(rejects) == len(records)`. Only
    MemoryError leaves this function, since it says nothing about the record.
    """
    columns, given = _Columns(), columns_of(records)
    rejects = []
    offsets, times_ms = given.offsets.tolist(), given.times_ms.tolist()
    for place, (value, offset, record_ms) in enumerate(zip(given.values, offsets, times_ms, strict=True)):
        try:
            document = parsed(value, fields.message_bytes)
            vectors, odd = taken(document, fields) if fields.reading.embeddings else NONE
            try:
                raw = None if fields.plain else read_mapped(fields, document, records[place], topic)
                _event(columns, raw, document, offset, record_ms, fields)
            except Rejected:
                _take_back(columns)
                left = usable(document, records[place], record_ms, topic, fields)
                _event(columns, left.raw, left.document, offset, record_ms, fields)
                odd = left.odd + odd
            columns.odd += (OddField(len(columns.rows) // ROW - 1, one.field, one.reason) for one in odd)
            put(columns, vectors)
        except Rejected as bad:
            _take_back(columns)
            rejects.append(reject_of(records[place], bad.reason, bad.detail, fields.message_bytes))
    return _batch(columns, tuple(rejects), offsets[-1] + 1 if offsets else 0)


def _event(
    c: _Columns, raw: tuple[Any, ...] | None, document: dict[str, Any], offset: int, record_ms: int, fields: Fields
) -> None:
    """Append one event, or raise Rejected with the columns in need of `_take_back`. `raw`: what `read_mapped` said, or
    None for the default mapping, which is read here, ten times as fast; a test holds the two equal.
    """
    if raw is None:
        get = document.get
        label = value = confidence = scores = logits = None
        prediction = get("prediction")
        if type(prediction) is dict:
            within = prediction.get
            label, value, confidence = within("label"), within("value"), within("confidence")
            scores, logits = within("scores"), within("logits")
        elif prediction is not None:
            raise Rejected("wrong_type", DEFAULTS["label"])
        model, version, time, event_id = get("model"), get("model_version"), get("time"), get("event_id")
        features, latency, segment = get("features"), get("latency_ms"), get("segment")
        status, caller = get("status"), get("caller")
    else:
        (model, version, time, event_id, features, label, value, confidence, scores, logits,
         latency, status, caller, segment) = raw  # fmt: skip
    at = fields.texts
    if type(model) is int or type(model) is float:
        model = as_text(model, MODEL, at[0])
    if model is None or model == "":
        raise Rejected("missing_model", at[0])
    if type(model) is not str or len(model) > NAME_MAX:
        raise wrong_type(model, at[0])
    version_text = None if version is None else as_text(version, VERSION, at[1])
    event_ms = event_time_ms(time, record_ms, at[2], fields.reading.zone)
    id_code = 0 if event_id is None else id_hash(event_id, at[3])
    # Most events have features and nothing else of the four, which is seen sooner than asked.
    if type(features) is not dict or len(features) > FIELDS_MAX or not scores is logits is segment is None:
        _check_shape(features, scores, logits, segment, at)

    strings = c.strings
    model_code = strings.setdefault(model, len(strings))
    version_code = -1 if version_text is None else strings.setdefault(version_text, len(strings))
    if features:
        _features(c, features, at[4])
    if label is not None:
        _put_text(c, "prediction.label", label_text(label, at[5]))
    if value is not None:
        _number(c, "prediction.value", value, at[6])
    if scores:
        _numbers(c, scores.items(), c.scores, "prediction.scores.", at[8])
        if confidence is None:
            # The greatest of nothing but nulls is no confidence.
            confidence = max((score for score in scores.values() if score is not None), default=None)
    if confidence is not None:
        _number(c, "prediction.confidence", confidence, at[7])
    if logits:
        _numbers(c, enumerate(logits), c.logits, "prediction.logits.", at[9])
    if latency is not None:
        _number(c, "latency_ms", latency, at[10])
    if status is not None:
        _text(c, "status", status, STATUS, at[11])
    if caller is not None:
        _text(c, "caller", caller, CALLER, at[12])
    if segment:
        _segment(c, segment, at[13])
    if fields.extra:
        _members(c, _extra(fields.extra, document), c.extra, "", "")
    # The event is good: from here on it can no longer be taken back.
    c.rows += (
        offset, event_ms, model_code, version_code, id_code,
        len(c.number_name), len(c.text_name), len(c.null_name), len(c.names), len(strings),
    )  # fmt: skip


def _check_shape(features: Any, scores: Any, logits: Any, segment: Any, at: tuple[str, ...]) -> None:
    """Types and total size of the four containers, before any entry is looked at: a bomb costs one len()."""
    entries = 0
    if features is not None:
        entries = _entries(features, dict, at[4])
    if scores is not None:
        entries += _entries(scores, dict, at[8])
    if logits is not None:
        entries += _entries(logits, list, at[9])
    if segment is not None:
        entries += _entries(segment, dict, at[13])
    if entries > FIELDS_MAX:
        raise Rejected("too_many_fields", f"{entries} entries, the limit is {FIELDS_MAX}")


def _entries(value: Any, kind: type[dict[str, Any]] | type[list[Any]], path: str) -> int:
    if type(value) is not kind:
        raise wrong_type(value, path)
    return len(value)


def _code(c: _Columns, codes: dict[str | int, int], prefix: str, name: str | int, path: str) -> int:
    """The code of a name this batch has not had under this prefix."""
    if type(name) is str and len(name) > NAME_MAX:
        raise Rejected("wrong_type", member_path(path, name))
    code = codes[name] = c.names.setdefault(f"{prefix}{name}", len(c.names))
    return code


def _features(c: _Columns, features: dict[str, Any], path: str) -> None:
    names, values = [*features], features.values()
    if names == c.same and NUMBER.issuperset(map(type, values)):
        c.number_name += c.same_codes
        c.number_value += values
        return
    _members(c, features, c.features, "features.", path)
    c.same, c.same_codes = names, [c.features[name] for name in names]


def _members(c: _Columns, members: dict[str, Any], codes: dict[str | int, int], prefix: str, path: str) -> None:
    """Values of any leaf type: features and extra pointers."""
    add_name, add_value, strings = c.number_name.append, c.number_value.append, c.strings
    for name, value in members.items():
        code = codes.get(name)
        if code is None:
            code = _code(c, codes, prefix, name, path)
        kind = type(value)
        if kind is float or kind is int:
            add_name(code)
            add_value(value)
        elif value is None:
            c.null_name.append(code)
        elif kind is str:
            c.text_name.append(code)
            c.text_text.append(strings.setdefault(value[:TEXT_MAX], len(strings)))
        elif kind is bool:
            c.text_name.append(code)
            c.text_text.append(strings.setdefault("true" if value else "false", len(strings)))
        else:
            raise wrong_type(value, member_path(path, name))


def _numbers(
    c: _Columns, items: Iterable[tuple[str | int, Any]], codes: dict[str | int, int], prefix: str, path: str
) -> None:
    """Scores and logits: numbers only, null is absent."""
    for name, value in items:
        if value is None:
            continue
        if type(value) is not float and type(value) is not int:
            raise wrong_type(value, member_path(path, name))
        code = codes.get(name)
        c.number_name.append(_code(c, codes, prefix, name, path) if code is None else code)
        c.number_value.append(value)


def _segment(c: _Columns, segment: dict[str, Any], path: str) -> None:
    """Segments split series, so their values are names whatever their type."""
    for name, value in segment.items():
        if value is None:
            continue
        text = value if type(value) is str and len(value) <= NAME_MAX else _segment_text(value, name, path)
        code = c.segment.get(name)
        c.text_name.append(_code(c, c.segment, "segment.", name, path) if code is None else code)
        c.text_text.append(c.strings.setdefault(text, len(c.strings)))


def _segment_text(value: Any, name: str, path: str) -> str:
    return as_text(value, SEGMENT, member_path(path, name))


def _number(c: _Columns, name: str, value: Any, path: str) -> None:
    if type(value) is not float and type(value) is not int:
        raise wrong_type(value, path)
    c.number_name.append(c.names.setdefault(name, len(c.names)))
    c.number_value.append(value)


def _text(c: _Columns, name: str, value: Any, allowed: frozenset[type], path: str) -> None:
    """A naming value."""
    _put_text(c, name, value if type(value) is str and len(value) <= NAME_MAX else as_text(value, allowed, path))


def _put_text(c: _Columns, name: str, text: str) -> None:
    c.text_name.append(c.names.setdefault(name, len(c.names)))
    c.text_text.append(c.strings.setdefault(text, len(c.strings)))


def _extra(pointers: tuple[Selector, ...], document: dict[str, Any]) -> dict[str, Any]:
    """Pointer text to leaf value, without what is absent or no leaf."""
    found = {pointer.text: walk(pointer.steps, document) for pointer in pointers}
    return {
        text: value
        for text, value in found.items()
        if value is not ABSENT and value is not STUCK and type(value) is not dict and type(value) is not list
    }


def _take_back(c: _Columns) -> None:
    """Remove what a rejected event has appended, names and strings too: it must leave no trace."""
    numbers, texts, nulls, names, strings = c.rows[-5:] or (0, 0, 0, 0, 0)
    del c.number_name[numbers:], c.number_value[numbers:], c.text_name[texts:], c.text_text[texts:], c.null_name[nulls:]
    while len(c.strings) > strings:
        c.strings.popitem()
    if len(c.names) > names:
        while len(c.names) > names:
            c.names.popitem()
        c.same = []
        for codes in (c.features, c.scores, c.logits, c.segment, c.extra):
            while codes and next(reversed(codes.values())) >= names:
                codes.popitem()


def _batch(c: _Columns, rejects: tuple[Reject, ...], next_offset: int) -> Batch:
    offsets, times_ms, model, version, event_id, number_ends, text_ends, null_ends, _, _ = (
        c.rows[i::ROW] for i in range(ROW)
    )
    return Batch(
        offsets=_array(offsets, np.int64),
        times_ms=_array(times_ms, np.int64),
        model=_array(model, np.int32),
        version=_array(version, np.int32),
        event_id=_array(event_id, np.uint64),
        names=tuple(c.names),
        strings=tuple(c.strings),
        numbers=Numbers(_events(number_ends), _array(c.number_name, np.int32), _array(c.number_value, np.float64)),
        texts=Texts(_events(text_ends), _array(c.text_name, np.int32), _array(c.text_text, np.int32)),
        nulls=Nulls(_events(null_ends), _array(c.null_name, np.int32)),
        rejects=rejects,
        next_offset=next_offset,
        odd=tuple(c.odd),
    )


def _array(values: Sequence[float], kind: type[np.generic]) -> NDArray[Any]:
    """An array of a list, by way of `struct`: in half the time that numpy itself takes."""
    return np.frombuffer(pack(f"{len(values)}{PACKED[kind]}", *values), kind)


def _events(ends: list[int]) -> I32:
    """The event index of every value, from the number of values after each event."""
    return np.repeat(np.arange(len(ends), dtype=np.int32), np.diff(_array(ends, np.int32), prepend=0))
