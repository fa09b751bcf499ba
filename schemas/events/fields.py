"""Where an event's fields are found: selectors, and the compiled mapping that `decode` takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final, NamedTuple

import orjson

from schemas.events.batch import Record
from schemas.events.convert import NAME_MAX, Rejected

MESSAGE_BYTES = 1 << 20


class Field(NamedTuple):
    """A field of the native event: where it is by default, what kind of value it takes, and what stands there."""

    pointer: str
    kind: str  # "text", "number", "time", "object" or "array"
    says: str  # completes "Where .."


FIELDS: dict[str, Field] = {
    "model": Field("/model", "text", "the model's name is; an event without one is a dead letter"),
    "version": Field("/model_version", "text", "the model's version is"),
    "time": Field("/time", "time", "the event time is (RFC 3339 or epoch); without one the record's timestamp counts"),
    "event_id": Field("/event_id", "text", "the id is by which duplicates are known"),
    "features": Field("/features", "object", "the object of the model's inputs is"),
    "label": Field("/prediction/label", "text", "the predicted label is"),
    "value": Field("/prediction/value", "number", "the predicted number is"),
    "confidence": Field("/prediction/confidence", "number", "the confidence is; without one the greatest score counts"),
    "scores": Field("/prediction/scores", "object", "the object of scores by class is"),
    "logits": Field("/prediction/logits", "array", "the array of logits is"),
    "latency_ms": Field("/latency_ms", "number", "the latency in milliseconds is"),
    "status": Field("/status", "text", "the status of the call is"),
    "caller": Field("/caller", "text", "the name of the caller is"),
    "segment": Field("/segment", "object", "the object of segments (country, channel ...) is"),
}
"""The order is part of the contract: it is the order in which fields are read, so it decides which reason wins."""

PLAIN_FIELDS: dict[str, Field] = {}
"""Fields that are but a text or a number of their own, which a signal can be about: found by their pointer as any other
that a monitor names, and called by their name. They never reject an event. A new field of an event belongs here.
"""

INTERVAL_FIELDS: dict[str, Field] = {
    "interval_low": Field("/prediction/interval/0", "number", "the lower end of a regression's stated interval is"),
    "interval_high": Field("/prediction/interval/1", "number", "the upper end of it is"),
}
"""The same, but read only where there are labels, which alone have a use for them."""

CONTAINERS = ("object", "array")
DEFAULTS: dict[str, str] = {name: field.pointer for name, field in FIELDS.items()}

ABSENT: Final = object()
STUCK: Final = object()
"""`walk` met a value that has no such step: a scalar, or an array asked for a name."""

_INDEX = re.compile(r"0|[1-9][0-9]*").fullmatch
_HEADER = re.compile(r"headers?[.:/\[ ]['\"]?([\w-]+)", re.I).match
_BAD_TILDE = re.compile(r"~(?![01])").search


@dataclass(frozen=True, slots=True)
class Selector:
    """A place in a record: a JSON Pointer into the value, its key, a header, the topic's name; or a constant."""

    text: str  # as the config has it
    kind: str  # "pointer", "key", "header", "topic", "constant" or "nowhere"
    steps: tuple[tuple[str, int], ...] = ()  # pointer: (member name, array index or -1)
    header: str = ""  # its name; of a constant the text


class Embedding(NamedTuple):
    """An array that is one thing."""

    name: str
    text: str  # the pointer as the config has it
    steps: tuple[tuple[str, int], ...]
    dimensions: int


class Reading(NamedTuple):
    """How values are read that are not as the native event has them."""

    strict: bool = False  # a field that cannot be used costs the whole event
    array: int = 100  # numbers of an array of a feature, at most
    names: tuple[str, ...] = ()  # of features by position
    zone: tzinfo | None = None  # of times that name none
    embeddings: tuple[Embedding, ...] = ()


AS_NATIVE = Reading()


@dataclass(frozen=True, slots=True)
class Fields:
    """A compiled mapping. `selectors` has one entry per FIELDS, in that order, `texts` says it as the config does."""

    selectors: tuple[Selector, ...]
    texts: tuple[str, ...]
    extra: tuple[Selector, ...]
    message_bytes: int
    plain: bool  # every field is where the native event has it: `decode` then reads by plain dict gets
    reading: Reading = AS_NATIVE
    plan: Any = None  # a `mapping.Plan`: what comes before any field is looked for, if anything


def parse_selector(text: str) -> Selector:
    """Read `/json/pointer` (RFC 6901), `key`, `topic`, `header:NAME` or `=CONSTANT`; the empty text is the whole event.

    Raises ValueError with one line that says what is wrong.
    """
    if len(text) > NAME_MAX:
        raise ValueError(f"{text[:40]!r}... is longer than {NAME_MAX} characters")
    if text in ("key", "topic"):
        return Selector(text, text)
    if text == "=":
        raise ValueError("'=' lacks the text that it stands for, as in '=fraud'")
    if text.startswith("="):
        return Selector(text, "constant", header=text[1:])
    if text.startswith("header:"):
        if text == "header:":
            raise ValueError("'header:' lacks the header's name, as in 'header:model'")
        if text != text.rstrip() or text[7:8].isspace():
            raise ValueError(f"{text!r} has a blank in front of or behind the header's name")
        return Selector(text, "header", header=text.removeprefix("header:"))
    if text and not text.startswith("/"):
        header = _HEADER(text)
        if header:
            raise ValueError(f"{text!r} is not a JSON Pointer; a header is 'header:{header[1]}'")
        like = as_pointer(text)
        raise ValueError(
            f"{text!r} is not a JSON Pointer such as {like!r}, nor 'key', 'topic', 'header:NAME' or '=TEXT'"
        )
    if _BAD_TILDE(text):
        raise ValueError(f"{text!r} has a lone '~'; in a JSON Pointer '~' is written '~0' and '/' inside a name '~1'")
    return Selector(text, "pointer", tuple(_step(token) for token in text.split("/")[1:]))


def as_pointer(text: str) -> str:
    """The JSON Pointer that a path in another notation most likely means.

    >>> [as_pointer(text) for text in ("model", ".svc", "$.a.b[0]", "$['a b'].c", "a/b", "x..y")]
    ['/model', '/svc', '/a/b/0', '/a b/c', '/a/b', '/x/y']
    """
    steps = re.split(r"[./\[\]'\"]+", text.removeprefix("$"))
    return "/" + "/".join(step for step in steps if step)


def _step(token: str) -> tuple[str, int]:
    return token.replace("~1", "/").replace("~0", "~"), int(token) if _INDEX(token) else -1


def compile_fields(
    mapping: Mapping[str, str],
    extra: Sequence[str] = (),
    message_bytes: int = MESSAGE_BYTES,
    reading: Reading = AS_NATIVE,
) -> Fields:
    """Precompile a mapping of field name (a key of FIELDS) to selector; fields not named keep their default.

    `extra`: JSON Pointers that monitors name; each is a signal of its own, called like the pointer. `message_bytes`:
    longest value that is decoded. A default that lies within what another field was pointed at is nowhere: nobody chose
    it. Raises ValueError with one line.
    """
    unknown = [name for name in mapping if name not in FIELDS]
    if unknown:
        raise ValueError(f"{unknown[0]}: unknown field; the fields are {', '.join(FIELDS)}")
    if message_bytes < 1:
        raise ValueError(f"message_bytes: {message_bytes} is not positive")
    named = {name: _named(name, mapping.get(name, pointer)) for name, pointer in DEFAULTS.items()}
    chosen = [s.steps for name, s in named.items() if s.text != DEFAULTS[name] and FIELDS[name].kind not in CONTAINERS]
    selectors = tuple(
        Selector(s.text, "nowhere") if s.text == DEFAULTS[name] and _within(s.steps, chosen) else s
        for name, s in named.items()
    )
    pointers = tuple(parse_selector(text) for text in dict.fromkeys(extra))
    for pointer in pointers:
        if not pointer.steps:
            raise ValueError(f"{pointer.text!r} is not a JSON Pointer that begins with '/'")
    texts = tuple(selector.text for selector in selectors)
    return Fields(selectors, texts, pointers, message_bytes, texts == tuple(DEFAULTS.values()), reading)


def _within(steps: tuple[tuple[str, int], ...], others: Sequence[tuple[tuple[str, int], ...]]) -> bool:
    return any(0 < len(other) < len(steps) and steps[: len(other)] == other for other in others)


def parse_field(name: str, text: str) -> Selector:
    """`parse_selector` for a field of FIELDS: also refuses a place that cannot hold what the field takes."""
    selector = parse_selector(text)
    kind = FIELDS[name].kind
    if kind in CONTAINERS and selector.kind != "pointer":
        raise ValueError(f"{text!r} is a text, but {name} is an {kind}: use a JSON Pointer")
    if text == "" and kind != "object":
        raise ValueError(f"the empty pointer is the whole event, an object, which {name} cannot be")
    return selector


def _named(name: str, text: str) -> Selector:
    try:
        return parse_field(name, text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def walk(steps: tuple[tuple[str, int], ...], value: Any) -> Any:
    """Follow a pointer: the value (None = null), STUCK, or ABSENT past a missing member, an array's end or a null."""
    for name, index in steps:
        if type(value) is dict:
            value = value.get(name, ABSENT)
        elif type(value) is list:
            if index < 0:
                return STUCK
            value = value[index] if index < len(value) else ABSENT
        elif value is None or value is ABSENT:
            return ABSENT
        else:
            return STUCK
    return value


def read_mapped(fields: Fields, document: dict[str, Any], record: Record, topic: str) -> tuple[Any, ...]:
    """The raw value of every field in the order of FIELDS; None where it is absent or null."""
    return tuple(
        read_field(selector, field.kind, document, record, topic)
        for selector, field in zip(fields.selectors, FIELDS.values(), strict=True)
    )


def read_field(selector: Selector, kind: str, document: dict[str, Any], record: Record, topic: str) -> Any:
    if selector.kind == "pointer":
        value = walk(selector.steps, document)
        if value is STUCK:
            raise Rejected("wrong_type", selector.text)
        return None if value is ABSENT else value
    if selector.kind == "nowhere":
        return None
    raw = outside_text(selector, record, topic)
    try:
        text = None if raw is None else raw.decode()
    except UnicodeDecodeError:
        raise Rejected("bad_utf8", selector.text) from None
    if text is None or kind == "text":
        return text
    return _number_of_text(text, kind, selector)


def outside_text(selector: Selector, record: Record, topic: str) -> bytes | None:
    """What a selector that is no pointer finds beside the value: the key, the last header of a name, the topic."""
    if selector.kind == "topic":
        return topic.encode()
    if selector.kind == "constant":
        return selector.header.encode()
    if selector.kind == "key":
        return record.key
    return next((value for header, value in reversed(record.headers) if header == selector.header), None)


def _number_of_text(text: str, kind: str, selector: Selector) -> Any:
    """Headers have no types, so a numeric field takes a JSON number literal; a time may also be a date as text."""
    try:
        number = orjson.loads(text)
    except (ValueError, RecursionError):
        number = None
    if type(number) is int or type(number) is float:
        return number
    if kind == "time":
        return text
    raise Rejected("bad_number", selector.text)
