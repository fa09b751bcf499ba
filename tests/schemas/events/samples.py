"""What the tests of the decoder share: make a record, decode one event, expand a batch to plain rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from schemas.events.batch import ODD_REASONS, REASONS, Batch, Record
from schemas.events.fields import Reading
from schemas.events.native_json import Fields, compile_fields, decode
from tests.schemas.events.tables import T0

NATIVE = compile_fields({})
STRICT = compile_fields({}, reading=Reading(strict=True))
"""One odd field costs the whole event: the reject then says what is odd."""
SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "event.v1.json").read_text())


def make(value: bytes | None, **more: Any) -> Record:
    return Record(**{"offset": 7, "time_ms": T0, "key": None, "value": value, **more})


def rows(batch: Batch) -> list[tuple[Any, ...]]:
    """A batch without its codes: one plain tuple per event, values in their order."""
    values: list[list[list[Any]]] = [[[], [], []] for _ in batch.offsets]
    for event, name, number in zip(*batch.numbers, strict=True):
        values[event][0].append((batch.names[name], repr(float(number))))
    for event, name, text in zip(*batch.texts, strict=True):
        values[event][1].append((batch.names[name], batch.strings[text]))
    for event, name in zip(*batch.nulls, strict=True):
        values[event][2].append(batch.names[name])
    heads = zip(batch.offsets, batch.times_ms, batch.model, batch.version, batch.event_id, strict=True)
    return [
        (int(o), int(t), batch.strings[m], batch.strings[v] if v >= 0 else None, int(i), *map(tuple, values[e]))
        for e, (o, t, m, v, i) in enumerate(heads)
    ]


def check(batch: Batch, count: int) -> None:
    """What every batch promises, whatever the records were."""
    assert len(batch.offsets) + len(batch.rejects) == count
    assert all(len(c) == len(batch.offsets) for c in (batch.times_ms, batch.model, batch.version, batch.event_id))
    for table in (batch.numbers, batch.texts, batch.nulls):
        assert len({len(column) for column in table}) == 1
        assert np.all(np.diff(table.event) >= 0)
        assert not len(table.event) or 0 <= table.event[0] <= table.event[-1] < len(batch.offsets)
    assert np.isfinite(batch.numbers.value).all()
    assert len(set(batch.names)) == len(batch.names)
    used = set(batch.numbers.name.tolist()) | set(batch.texts.name.tolist()) | set(batch.nulls.name.tolist())
    assert used == set(range(len(batch.names))), "a rejected event has left a name behind"
    assert len(set(batch.strings)) == len(batch.strings)
    used = set(batch.model.tolist()) | set(batch.version.tolist()) - {-1} | set(batch.texts.text.tolist())
    assert used == set(range(len(batch.strings))), "a rejected event has left a string behind"
    for odd in batch.odd:
        assert 0 <= odd.event < len(batch.offsets)
        assert odd.reason in ODD_REASONS
    assert [odd.event for odd in batch.odd] == sorted(odd.event for odd in batch.odd)
    for reject in batch.rejects:
        assert reject.reason in REASONS
        assert len(reject.detail) <= 80
        assert reject.detail.isprintable()


def one(event: Any, fields: Fields = NATIVE, topic: str = "t", **more: Any) -> dict[str, Any]:
    """The signals of a single event that must be used, by path; null is None."""
    batch = decode([make(event if isinstance(event, bytes) else orjson.dumps(event), **more)], fields, topic)
    check(batch, 1)
    assert not batch.rejects, batch.rejects
    (_, time_ms, model, version, event_id, numbers, texts, nulls) = rows(batch)[0]
    signals = {name: float(number) for name, number in numbers} | dict(texts) | dict.fromkeys(nulls)
    return {"model": model, "version": version, "time_ms": time_ms, "event_id": event_id, **signals}


def why(value: bytes | None, fields: Fields = STRICT, **more: Any) -> tuple[str, str]:
    batch = decode([make(value, **more)], fields, "t")
    check(batch, 1)
    assert len(batch.rejects) == 1, "it was used"
    assert batch.rejects[0].record == make(value, **more)
    return batch.rejects[0].reason, batch.rejects[0].detail
