"""What became of one record, field by field: where each was looked for, what was found, and why nothing was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from schemas.events.batch import REASONS, Batch, Record
from schemas.events.convert import NotFinite, Rejected
from schemas.events.decoder import Decoder
from schemas.events.fields import ABSENT, FIELDS, STUCK, Fields, Selector, outside_text, walk
from schemas.events.json_text import parsed
from schemas.events.mapping import document_of, rows_of
from schemas.events.odd import PATHS
from schemas.events.side import ID, Side, SideDecoder
from streamer.config.problems import did_you_mean
from streamer.signals.roles import COMMAND, GOLDEN, LABELLED, OPT_OUT, REFERENCE, REVIEWED, has, is_true

SHOWN_MAX = 40
ELSEWHERE = "another field was pointed at what holds it"
ROLE_SAYS = {LABELLED: "a label", REFERENCE: "feedback", REVIEWED: "a verdict", COMMAND: "a command"}
NO_ROLES: Mapping[str, str] = {}
SET_APART = {
    OPT_OUT: "opted out by {}: it is filtered, and nothing of it is remembered",
    GOLDEN: "a golden probe by {}: only checks look at it",
}


class Seen(NamedTuple):
    """One field or place of an event."""

    name: str
    place: str
    became: str  # "used", "odd", "absent" or "unread"
    why: str


class View(NamedTuple):
    """A record: what it is in a line, and the fields of its first event; `rows`: how many events it has."""

    told: str
    rows: int
    fields: list[Seen]


def view(record: Record, fields: Fields, topic: str, roles: Mapping[str, str] = NO_ROLES) -> View:
    """Look at a record as the decoder does. `roles`: the pointer of each role that a field may have."""
    batch = replace(Decoder(fields)([record], topic), aliases=dict(roles))
    count = len(batch.offsets) + len(batch.rejects)
    try:
        size = fields.message_bytes
        document = document_of(record, fields.plan, size) if fields.plan else parsed(record.value, size)
        row = dict(next(iter(rows_of(document, fields.plan)))) if fields.plan else document
    except Rejected as bad:
        detail = f" ({bad.detail})" if bad.detail else ""
        return View(f"a dead letter: {bad.reason}, {REASONS[bad.reason]}{detail}", 0, [])
    first = [reject for reject in batch.rejects if (reject.row or 0) == 0]
    role = next((f", {says.format(roles[one])}" for one, says in SET_APART.items() if _first_is(batch, one)), "")
    told = f"an event{role}" if count == 1 else f"{count:,} events; of the first{role}:"
    if first:
        told = f"a dead letter: {first[0].reason}, {REASONS[first[0].reason]} ({first[0].detail})"
    odd = {one.field: one.reason for one in batch.odd if one.event == 0}
    seen = [_field(name, s, row, record, topic, odd) for name, s in zip(FIELDS, fields.selectors, strict=True)]
    return View(told, count, [*seen, *_members(batch), *_unread(row, fields)])


def side_view(record: Record, side: Side, topic: str) -> View:
    """The same of a record of a topic of its own, which is about an inference or what was made of it."""
    found, batch = view(record, side.fields, topic), SideDecoder(side)([record], topic)
    told = f"about another record: {ROLE_SAYS.get(side.about, side.about)}"
    for bad in batch.rejects:
        told = f"a dead letter: {bad.reason}, {REASONS[bad.reason]} ({bad.detail})"
    seen = [one._replace(name=side.about if one.name == ID else one.name) for one in found.fields]
    return View(told, found.rows, [one for one in seen if one.why != ELSEWHERE])


def _first_is(batch: Batch, role: str) -> bool:
    """Whether the first event has that role; it may be a dead letter."""
    there = has(batch, role) and len(batch.offsets) > 0 and (batch.rows is None or batch.rows.item(0) == 0)
    return there and bool(is_true(batch, role)[0])


def _field(name: str, selector: Selector, row: Any, record: Record, topic: str, odd: dict[str, str]) -> Seen:
    place = selector.text or "the whole value"
    own = PATHS.get(name, name)
    mine = [(field, reason) for field, reason in odd.items() if field == own or field.startswith(f"{own}.")]
    if mine:
        return Seen(name, place, "odd", "; ".join(f"{field}: {REASONS[reason]}" for field, reason in mine))
    if selector.kind == "nowhere":
        return Seen(name, place, "absent", ELSEWHERE)
    if selector.kind != "pointer":
        found = outside_text(selector, record, topic)
        if found is None:
            return Seen(name, place, "absent", "the record has none")
        return Seen(name, place, "used", "text")
    value = walk(selector.steps, row)
    if value is ABSENT or value is STUCK:
        return Seen(name, place, "absent", _why(selector, row))
    return Seen(name, place, "absent", "null") if value is None else Seen(name, place, "used", kind_of(value))


def _why(selector: Selector, row: Any) -> str:
    """How far a pointer leads, and what is there."""
    for depth in range(len(selector.steps)):
        value = walk(selector.steps[: depth + 1], row)
        if value is ABSENT or value is STUCK:
            above, name = walk(selector.steps[:depth], row), selector.steps[depth][0]
            at = "".join(f"/{name}" for name, _ in selector.steps[:depth]) or "the value"
            if isinstance(above, dict):
                return f"{at} has no {name!r}.{did_you_mean(name, above) if above else ''}"
            return f"{at} is {kind_of(above)}, which has no {name!r}."
    return "nothing is there"


def kind_of(value: Any) -> str:
    """What a value is, never the value itself."""
    if value is None:
        return "null"
    if type(value) is bool:
        return "true or false"
    if type(value) is NotFinite:
        return "a number that is not finite"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return f"an object of {len(value)} members" if isinstance(value, dict) else f"an array of {len(value)}"


def _members(batch: Batch) -> Iterator[Seen]:
    """The columns of the first event that are members of a field, as signals call them."""
    for table, kind in ((batch.numbers, "a number"), (batch.texts, "a text"), (batch.nulls, "null, so missing")):
        for event, name in zip(table.event.tolist(), table.name.tolist(), strict=True):
            path = batch.names[name]
            if event == 0 and path.count(".") > path.startswith("prediction."):
                yield Seen(path, "", "used", kind)


def _unread(row: dict[str, Any], fields: Fields) -> Iterator[Seen]:
    """Places of the record that no field, monitor or check looks at."""
    pointers = (s for s in (*fields.selectors, *fields.extra) if s.kind == "pointer")
    read = [tuple(name for name, _ in one.steps) for one in pointers]
    if () in read:
        return
    left: list[tuple[tuple[str, ...], Any]] = [((name,), value) for name, value in row.items()]
    found = 0
    while left and found < SHOWN_MAX:
        place, value = left.pop(0)
        if any(one == place[: len(one)] for one in read):
            continue
        if any(one[: len(place)] == place for one in read):  # What is read lies somewhere within.
            left += [((*place, name), inner) for name, inner in value.items()] if isinstance(value, dict) else []
            continue
        found += 1
        yield Seen("", "/" + "/".join(place), "unread", f"{kind_of(value)}; nothing reads it")


def lines(found: View) -> Iterator[str]:
    """A line for each field, the used ones first."""
    yield found.told
    rows = [(one.became, one.name, one.place, one.why) for one in found.fields]
    order = ("used", "odd", "absent", "unread")
    rows.sort(key=lambda row: order.index(row[0]))
    wide = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    for became, name, place, why in rows:
        yield f"  {became:{wide[0]}}  {name:{wide[1]}}  {place:{wide[2]}}  {why}".rstrip()
