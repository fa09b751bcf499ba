"""Events as Driftline reads them, without what is in them: names, types, roles; values only of what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import orjson

from schemas.events.batch import REASONS, Batch
from schemas.records.alert import rfc3339
from streamer.port import Partition
from streamer.signals.columns import Bool

OPTED_OUT = "filtered: it opted out"


class Event(NamedTuple):
    """One event; or a dead letter, or one that opted out: then `reason` says so, and nothing else is known of it."""

    place: str  # topic[partition]@offset, and .row where its record has several events
    time: str = ""
    model: str = ""
    version: str = ""
    fields: Mapping[str, str] = {}  # by signal path what it is: a number, a text, null, odd
    values: Mapping[str, Any] = {}  # of those that may be shown
    reason: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        told = {name: value for name, value in self._asdict().items() if value not in ("", {})}
        return told if self.reason else {**told, "fields": self.fields}

    def line(self) -> str:
        if self.reason:
            return f"{self.place}  {self.reason if self.reason == OPTED_OUT else f'DEAD LETTER  {self.reason}'}"
        shown = (
            f"{name}={self.values[name]!r}" if name in self.values else f"{name}: {what}"
            for name, what in self.fields.items()
        )
        version = f" {self.version}" if self.version else ""
        return f"{self.place}  {self.time}  {self.model}{version}  {', '.join(shown) or 'nothing to watch'}"


def events(
    batch: Batch, partition: Partition, allowed: Sequence[str] = (), opted_out: Bool | None = None
) -> Iterator[Event]:
    """Those of a batch, and its dead letters after them. allowed: names, or patterns, of what may be shown as it is;
    opted_out: the events of which nothing may be.
    """
    where = f"{partition[0]}[{partition[1]}]"
    fields: list[dict[str, str]] = [{} for _ in batch.offsets]
    values: list[dict[str, Any]] = [{} for _ in batch.offsets]
    for name, event, what, value in _members(batch):
        fields[event][name] = what
        if value is not None and any(fnmatchcase(name, pattern) for pattern in allowed):
            values[event][name] = value
    for event, offset in enumerate(batch.offsets.tolist()):
        row = "" if batch.rows is None else f".{batch.rows.item(event)}"
        if opted_out is not None and opted_out[event]:
            yield Event(f"{where}@{offset}{row}", reason=OPTED_OUT)
            continue
        version = batch.version.item(event)
        yield Event(
            f"{where}@{offset}{row}",
            rfc3339(batch.times_ms.item(event)),
            batch.strings[batch.model.item(event)],
            "" if version < 0 else batch.strings[version],
            fields[event],
            values[event],
        )
    for one in batch.rejects:
        row, detail = "" if one.row is None else f".{one.row}", f" ({one.detail})" if one.detail else ""
        yield Event(f"{where}@{one.record.offset}{row}", reason=f"{one.reason}: {REASONS[one.reason]}{detail}")


def _members(batch: Batch) -> Iterator[tuple[str, int, str, Any]]:
    """Name, event, what it is and its value, of all that a batch has, in the order in which names appeared."""
    found: list[tuple[int, str, int, str, Any]] = []
    for event, name, number in zip(*(column.tolist() for column in batch.numbers), strict=True):
        found.append((name, batch.names[name], event, "number", number))
    for event, name, text in zip(*(column.tolist() for column in batch.texts), strict=True):
        told = batch.strings[text]
        found.append((name, batch.names[name], event, f"text of {len(told)}", told))
    for event, name in zip(*(column.tolist() for column in batch.nulls), strict=True):
        found.append((name, batch.names[name], event, "null", None))
    for _, path, event, what, value in sorted(found, key=lambda one: one[0]):
        yield path, event, what, value
    for odd in batch.odd:
        yield odd.field, odd.event, f"odd ({odd.reason})", None


NAMES_MAX, NAME_MAX = 20, 40
"""Members of an object that are named, and characters of a name."""


def outline(value: bytes | None) -> str:
    """What a record is made of, in words: names of members and what they are, of objects in it likewise, no values."""
    if not value:
        return "nothing"
    try:
        return _outlined(orjson.loads(value), 2)
    except ValueError:
        return f"{len(value):,} bytes that are no JSON"


def _outlined(value: Any, deep: int) -> str:
    """deep: so many objects in one another are opened."""
    if isinstance(value, str):
        return f"text of {len(value)}"
    if isinstance(value, list):
        return f"list of {len(value)}"
    if not isinstance(value, dict):
        return "null" if value is None else "boolean" if isinstance(value, bool) else "number"
    if not deep:
        return f"object of {len(value)}"
    named = [f"{name[:NAME_MAX]}: {_outlined(its, deep - 1)}" for name, its in list(value.items())[:NAMES_MAX]]
    more = f", {len(value) - NAMES_MAX} more" if len(value) > NAMES_MAX else ""
    return f"{{{', '.join(named)}{more}}}"
