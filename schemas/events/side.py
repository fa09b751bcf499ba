"""Records that are about inferences of other topics, or what was made of them: labels, feedback, verdicts, commands.
They come to columns as events do, with their model and time, but what they are about and what they say of it stand in
columns of names that no event has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from schemas.core import native
from schemas.events.batch import I64, Batch, Record, Reject, Texts, columns_of, reject_of, split, text_of_event
from schemas.events.decoder import OUTSIDE, Decoder
from schemas.events.fields import FIELDS, Fields, Reading, Selector, outside_text, parse_field, parse_selector
from schemas.events.mapping import compile_plan
from schemas.events.registered import Schemas

ID = "status"
"""The field of an event by which the id is read: it takes a text or a whole number, and gives a text."""


class Side(NamedTuple):
    """What is read of such a record."""

    fields: Fields
    about: str  # the column of the id of what it is about
    outside: tuple[tuple[str, Selector], ...] = ()  # columns of what is no part of the value
    or_about: tuple[str, ...] = ()  # columns of other ids, of which one is enough


def compile_side(
    places: Mapping[str, str], about: str, roles: Mapping[str, str], pointers: Sequence[str], reading: Reading,
    message_bytes: int, schemas: Schemas | None, or_about: tuple[str, ...] = (),
) -> Side:  # fmt: skip
    """places: of model and time; roles: by column the place, also of `about`. pointers: are called as themselves."""
    named = {name: parse_field(name, text) for name, text in places.items()} | {ID: parse_selector(roles[about])}
    selectors = tuple(named.get(name, Selector(field.pointer, "nowhere")) for name, field in FIELDS.items())
    found = {name: parse_selector(text) for name, text in roles.items() if name != about}
    extra = [replace(one, text=name) for name, one in found.items() if one.kind == "pointer"]
    extra += [parse_selector(text) for text in dict.fromkeys(pointers)]
    texts = tuple(one.text for one in selectors)
    plan = compile_plan({}, (), {}, schemas)
    fields = Fields(selectors, texts, tuple(extra), message_bytes, False, reading, plan)
    return Side(fields, about, tuple((name, one) for name, one in found.items() if one.kind in OUTSIDE), or_about)


class SideDecoder:
    """As `Decoder`. Who does not say what it is about is a reject."""

    def __init__(self, side: Side, compiled: bool = native is not None) -> None:
        self.side, self.decode = side, Decoder(side.fields, compiled)
        self.place = side.fields.selectors[[*FIELDS].index(ID)].text

    @property
    def size(self) -> int:
        """Bytes of the values of the last batch."""
        return self.decode.size

    def __call__(self, records: Sequence[Record], topic: str) -> Batch:
        batch = self.decode(records, topic)
        batch = replace(batch, names=tuple(self.side.about if name == ID else name for name in batch.names))
        return self._without_strays(self._with_outside(batch, records, topic), records)

    def _with_outside(self, batch: Batch, records: Sequence[Record], topic: str) -> Batch:
        if not self.side.outside or not len(batch.offsets):
            return batch
        places = np.searchsorted(columns_of(records).offsets, batch.offsets).tolist()
        for name, selector in self.side.outside:
            texts = [text_of(outside_text(selector, records[place], topic)) for place in places]
            batch = with_texts(batch, name, texts)
        return batch

    def _without_strays(self, batch: Batch, records: Sequence[Record]) -> Batch:
        blank = np.array([not text for text in batch.strings] + [True])
        stray = blank[text_of_event(batch, self.side.about)]
        for name in self.side.or_about:
            stray &= blank[text_of_event(batch, name)]
        if not stray.any():
            return batch
        at = np.searchsorted(columns_of(records).offsets, batch.offsets[stray]).tolist()
        made = [self._stray(records[place]) for place in at]
        kept = dict(split(batch, stray.astype(np.int64))).get(0)
        rejects = tuple(sorted((*batch.rejects, *made), key=lambda one: one.record.offset))
        if kept is None:
            empty = self.decode([], "")
            return replace(empty, rejects=rejects, next_offset=batch.next_offset)
        return replace(kept, rejects=rejects)

    def _stray(self, record: Record) -> Reject:
        return reject_of(record, "about_nothing", self.place, self.side.fields.message_bytes)


def text_of(raw: bytes | None) -> str | None:
    """None of what is not there, or no UTF-8."""
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return None


def with_texts(batch: Batch, name: str, texts: Sequence[str | None]) -> Batch:
    """With one more column, behind what its events have."""
    strings = {text: code for code, text in enumerate(batch.strings)}
    mine = [(event, strings.setdefault(text, len(strings))) for event, text in enumerate(texts) if text is not None]
    if not mine:
        return batch
    event, text = np.array(mine, np.int32).T
    added: tuple[Any, ...] = event, np.full(len(event), len(batch.names), np.int32), text
    columns = [np.concatenate([one, other]) for one, other in zip(batch.texts, added, strict=True)]
    order: I64 = np.argsort(columns[0], kind="stable")
    own = Texts(*(column[order] for column in columns))
    return replace(batch, names=(*batch.names, name), strings=tuple(strings), texts=own)
