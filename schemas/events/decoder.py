"""The decoder that runs: the compiled one where it can, `native_json` for the rest, with the same batches.

The compiled decoder only knows good events. A record it is not sure of is given to the Python decoder, which finds the
reason of the reject; should that one take the record after all, it decodes the whole batch. So the compiled part can
neither invent a reason nor lose an event, and what it accepts is compared with Python in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

from schemas.core import native
from schemas.events.batch import Batch, Nulls, Numbers, Record, Reject, Texts, columns_of
from schemas.events.fields import Fields, Selector, outside_text
from schemas.events.native_json import decode


class Decoder:
    """Records of one partition to columns: `decoder(records, topic)`; see `schemas.events.native_json.decode`."""

    def __init__(self, fields: Fields, compiled: bool = native is not None) -> None:
        self.fields = fields
        self.outside = [s for s in fields.selectors if s.kind != "pointer"]
        self.core: Any = _core(fields) if compiled and expressible(fields) else None
        self.size = 0  # bytes of the values of the last batch
        self.fallbacks = 0  # batches that Python decoded because it took a record the compiled decoder had not

    def __call__(self, records: Sequence[Record], topic: str) -> Batch:
        columns = columns_of(records)
        if self.core is None or not len(records):
            self.size = sum(map(len, filter(None, columns.values)))
            return decode(columns, self.fields, topic)
        outside = [tuple(outside_text(s, record, topic) for record in records) for s in self.outside]
        found = self.core.decode(columns.values, columns.offsets, columns.times_ms, outside)
        (offsets, times_ms), (model, version, event_id), (names, strings), numbers, texts, nulls, odd, self.size = found
        rejects: tuple[Reject, ...] = ()
        if len(odd):
            judged = decode([records[place] for place in odd.tolist()], self.fields, topic)
            if len(judged.offsets):
                self.fallbacks += 1
                return decode(columns, self.fields, topic)
            rejects = judged.rejects
        return Batch(
            offsets=offsets,
            times_ms=times_ms,
            model=model,
            version=version,
            event_id=event_id,
            names=names,
            strings=strings,
            numbers=Numbers(*numbers),
            texts=Texts(*texts),
            nulls=Nulls(*nulls),
            rejects=rejects,
            next_offset=int(columns.offsets[-1]) + 1,
        )


def expressible(fields: Fields) -> bool:
    """Whether the compiled decoder can find these fields: objects all the way, and none within another."""
    steps = [s.steps for s in (*fields.selectors, *fields.extra) if s.kind == "pointer"]
    if not all(path and all(index < 0 for _, index in path) for path in steps):
        return False
    return not any(long[: len(short)] == short for short, long in permutations(steps, 2))


def _core(fields: Fields) -> Any:
    assert native is not None
    selectors: list[tuple[int, Selector]] = list(enumerate((*fields.selectors, *fields.extra)))
    return native.Decoder(
        [(slot, [name for name, _ in s.steps]) for slot, s in selectors if s.kind == "pointer"],
        [s.text for s in fields.extra],
        [slot for slot, s in selectors if s.kind != "pointer"],
        fields.message_bytes,
    )
