"""From records that are no events yet to events: what is packed is unpacked, and a record of many rows becomes as many.

A value with the id of a schema is read by it first. Then two steps, before any field is looked for: `decode` puts what
a text unpacks to in its place, `each` names the arrays whose elements are rows. An event is the record in which each of
these arrays is one of its elements, so the pointers of `fields` are those of the record without the index. The rows of
a record come one after the other, at its offset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import orjson

from schemas.events.batch import Record, Reject, reject_of
from schemas.events.codecs import CODECS, ROWS_MAX, decoded
from schemas.events.convert import NotFinite, Rejected
from schemas.events.fields import ABSENT, FIELDS, STUCK, Fields, Selector, parse_selector, walk
from schemas.events.json_text import parsed
from schemas.events.registered import Schemas, framed, marked

Steps = tuple[tuple[str, int], ...]
EVENT_ID = [*FIELDS].index("event_id")


class Plan(NamedTuple):
    """A compiled mapping. A place is a pointer as text and as steps."""

    whole: tuple[str, ...]  # codecs of the record's value
    decode: tuple[tuple[str, Steps, tuple[str, ...]], ...]
    each: tuple[tuple[str, Steps], ...]
    names: tuple[tuple[str, Steps, tuple[str, ...]], ...]  # of arrays, which become objects
    schemas: Schemas | None = None  # of values that begin with the id of one

    @property
    def plain(self) -> bool:
        """Whether there is nothing to do with what is JSON."""
        return not (self.whole or self.decode or self.each or self.names)


class Rows(NamedTuple):
    """Rows as records of their own, numbered from 0 by their offsets; of each the place of its record, and its number
    there. A record that cannot be taken apart is a reject.
    """

    records: list[Record]
    source: list[int]
    row: list[int]
    rejects: list[Reject]


def compile_plan(
    decode: Mapping[str, Sequence[str]],
    each: Sequence[str],
    names: Mapping[str, Sequence[str]],
    schemas: Schemas | None = None,
) -> Plan | None:
    """None where there is nothing to do. Raises ValueError with one line."""
    for place, codecs in decode.items():
        unknown = [name for name in codecs if name not in CODECS]
        if unknown:
            raise ValueError(f"decode {place or 'the value'}: {unknown[0]!r} is none of {', '.join(CODECS)}")
    if not decode and not each and not names and schemas is None:
        return None
    for one, other in permutations(each, 2):
        if other == one or other.startswith(f"{one}/"):
            raise ValueError(f"{other!r} lies within the rows of {one!r}")
    inner = tuple((place, _steps(place), tuple(codecs)) for place, codecs in decode.items() if place)
    return Plan(
        tuple(decode.get("", ())),
        inner,
        tuple((place, _steps(place)) for place in each),
        tuple((place, _steps(place), tuple(given)) for place, given in names.items()),
        schemas,
    )


def _steps(place: str) -> Steps:
    selector = parse_selector(place)
    if selector.kind != "pointer" or not selector.steps:
        raise ValueError(f"{place!r} is not a JSON Pointer that begins with '/'")
    return selector.steps


def expand(records: Sequence[Record], fields: Fields, plan: Plan) -> Rows:
    """The rows of records, in their order. Pure: what a record becomes depends on it alone."""
    found = Rows([], [], [], [])
    read = _read(fields, plan)
    for place, record in enumerate(records):
        try:
            rows = list(_rows(record, len(found.records), fields, plan, read))
        except Rejected as bad:
            found.rejects.append(reject_of(record, bad.reason, bad.detail, fields.message_bytes))
            continue
        found.records.extend(rows)
        found.source.extend([place] * len(rows))
        found.row.extend(range(len(rows)))
    return found


def document_of(record: Record, plan: Plan, bytes_max: int) -> dict[str, Any]:
    """The record, unpacked."""
    if record.value and len(record.value) > bytes_max:
        raise Rejected("too_large", f"{len(record.value)} bytes, the limit is {bytes_max}")
    if plan.schemas is not None and framed(record.value):
        document = plan.schemas.document(record.value or b"")
    elif record.value and plan.whole:
        document = decoded(record.value, plan.whole, bytes_max, "")
        if isinstance(document, bytes):
            document = parsed(document, bytes_max)
    else:
        document = parsed(record.value, bytes_max)
    if type(document) is list:  # Rows without anything around them.
        document = {"rows": document}
    if type(document) is not dict:
        raise Rejected("not_an_object")
    for at, steps, codecs in plan.decode:
        value = walk(steps, document)
        if value is not ABSENT and value is not STUCK and value is not None:
            value = decoded(value, codecs, bytes_max, at)
            place, name = _slot(document, steps)
            place[name] = _text(value, at) if isinstance(value, bytes) else value
    found: dict[str, Any] = document
    return found


def _text(data: bytes, at: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Rejected("undecodable", f"{at} unpacks to bytes that are no text") from None


def rows_of(document: dict[str, Any], plan: Plan) -> Iterator[dict[str, Any]]:
    """The rows of a document: for each the document with its own elements, one and the same object that changes."""
    arrays = {at: walk(steps, document) for at, steps in plan.each}
    for at, value in list(arrays.items()):
        if value is None or value is ABSENT:
            del arrays[at]
        elif type(value) is not list:
            raise Rejected("undecodable", f"{at} is no array of rows")
    lengths = {at: len(array) for at, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise Rejected("undecodable", ", ".join(f"{at} has {length} rows" for at, length in lengths.items()))
    count = next(iter(lengths.values()), 0 if plan.each else 1)
    if not count:
        raise Rejected("no_rows", plan.each[0][0])
    if count > ROWS_MAX:
        raise Rejected("too_large", f"{count} rows, the limit is {ROWS_MAX}")
    for at, steps in plan.each:
        if at in arrays:  # What holds a row is changed with each, so it is a copy.
            document = _with(document, steps, None)
    slots = [(*_slot(document, steps), arrays[at]) for at, steps in plan.each if at in arrays]
    for number in range(count):
        for place, name, array in slots:
            place[name] = array[number]
        for _, steps, names in plan.names:
            value = walk(steps, document)
            if type(value) is list:
                place, name = _slot(document, steps)
                place[name] = _named(value, names)
        yield document


def _slot(document: Any, steps: Steps) -> tuple[Any, str | int]:
    """What holds the value of a place that there is, and by which name or number."""
    place = walk(steps[:-1], document)
    name, index = steps[-1]
    return place, name if type(place) is dict else index


def _named(values: list[Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Beyond the names a position is its number."""
    if len(values) == len(names):
        return dict(zip(names, values, strict=True))
    return {names[i] if i < len(names) else str(i): value for i, value in enumerate(values)}


def _with(value: Any, steps: Steps, new: Any) -> Any:
    """A copy in which something else stands at a place that there is."""
    if not steps:
        return new
    (name, index), *rest = steps
    copy = value.copy()
    at = name if type(value) is dict else index
    copy[at] = _with(value[at], tuple(rest), new)
    return copy


def _read(fields: Fields, plan: Plan) -> tuple[Steps, ...]:
    """The places that are read, of those within one of `each` or `names` that one. A row is written anew, and all else
    of its record would be written with every row.
    """
    wanted = [s.steps for s in (*fields.selectors, *fields.extra) if s.kind == "pointer"]
    wanted += [one.steps for one in fields.reading.embeddings]
    larger = [steps for _, steps in plan.each] + [steps for _, steps, _ in plan.names]
    wanted = [next((o for o in larger if steps[: len(o)] == o), steps) for steps in wanted]
    return tuple(dict.fromkeys(s for s in wanted if not any(len(o) < len(s) and s[: len(o)] == o for o in wanted)))


def _part(document: dict[str, Any], read: tuple[Steps, ...]) -> dict[str, Any]:
    """Of a document what is read; where a pointer cannot go on, what is in its way."""
    if () in read:
        return document
    part: dict[str, Any] = {}
    for steps in read:
        value = walk(steps, document)
        if value is STUCK:
            steps = steps[:1]
            value = document[steps[0][0]]
        if value is not ABSENT:
            place = part
            for name, _ in steps[:-1]:
                place = place.setdefault(name, {})
            place[steps[-1][0]] = value
    return part


def _rows(record: Record, first: int, fields: Fields, plan: Plan, read: tuple[Steps, ...]) -> Iterator[Record]:
    if record.value is None or record.unreadable or record.whole is not None:
        yield record._replace(offset=first)  # The decoder says what is the matter.
        return
    binary = plan.schemas is not None and framed(record.value)
    if plan.plain:
        yield (_as_json(record, plan, fields.message_bytes) if binary else record)._replace(offset=first)
        return
    identity = fields.selectors[EVENT_ID]
    own = any(identity.steps[: len(steps)] == steps for _, steps in plan.each)
    part = _part(document_of(record, plan, fields.message_bytes), read)
    given, known = record, walk(identity.steps, part) if identity.kind == "pointer" and not own else None
    for number, row in enumerate(rows_of(part, plan)):
        if number and not own:
            if type(known) in (str, int) and known != "":
                place, name = _slot(row, identity.steps)
                place[name] = f"{known}#{number}"
            record = _told_apart(given, identity, number)
        yield Record(first + number, record.time_ms, record.key, _json(row, binary), record.headers)


def _as_json(record: Record, plan: Plan, bytes_max: int) -> Record:
    """A framed record that needs no more than to be read by its schema."""
    assert plan.schemas is not None
    text = plan.schemas.json_in(record.value or b"")
    if text is None:
        document = document_of(record, plan, bytes_max)
        text = _json(document, True)
    return record._replace(value=text)


def _told_apart(record: Record, identity: Selector, number: int) -> Record:
    """All rows have the id of their record: behind the first it gets the row's number, or they were duplicates."""
    if identity.kind == "key" and record.key:
        return record._replace(key=record.key + b"#%d" % number)
    if identity.kind == "header":
        headers = [(name, v + b"#%d" % number if name == identity.header and v else v) for name, v in record.headers]
        return record._replace(headers=tuple(headers))
    return record


def _json(value: Any, binary: bool) -> bytes:
    """What was binary may have numbers that are not finite. They are null here: without one there are none."""
    text = orjson.dumps(value, default=_literal)
    return orjson.dumps(marked(value), default=_literal) if binary and b"null" in text else text


def _literal(value: Any) -> Any:
    """A number that is not finite, which the decoder is to find as it found it."""
    if type(value) is NotFinite:
        return orjson.Fragment(b"NaN")
    raise TypeError
