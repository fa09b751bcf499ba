"""Values that begin with the id of a schema: the batches of the JSON they would have been, and an account of all."""

from __future__ import annotations

import io
import json
import os
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import fastavro
import pytest

from schemas.core import native
from schemas.events.batch import Batch, Record
from schemas.events.decoder import Decoder
from schemas.events.fields import Fields, compile_fields
from schemas.events.mapping import compile_plan, expand
from schemas.events.registered import SCHEMAS_MAX, UNKNOWN_MAX, Schema, Schemas, framed, id_of
from schemas.records.dead_letter import dead_letter
from tests.schemas.events.protos import events, message_of, text_of

MESSAGES = int(os.environ.get("DRIFTLINE_FUZZ", "3000"))
SEED = int(os.environ.get("DRIFTLINE_FIRST_SEED", "20261129"))
TIME_MS = 1_700_000_000_000
FEATURES = {
    "type": "record",
    "name": "Features",
    "fields": [
        {"name": "amount", "type": ["null", "double"]},
        {"name": "country", "type": {"type": "enum", "name": "Country", "symbols": ["NL", "DE"]}},
        {"name": "emb", "type": {"type": "array", "items": "float"}},
    ],
}
AVRO = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "model", "type": "string"},
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "event_id", "type": "string"},
        {"name": "features", "type": FEATURES},
    ],
}
ROWS = {
    "type": "record",
    "name": "Rows",
    "fields": [{"name": "model", "type": "string"}, {"name": "rows", "type": {"type": "array", "items": FEATURES}}],
}
PARSED = {"AVRO": fastavro.parse_schema(AVRO), "ROWS": fastavro.parse_schema(ROWS)}
EVENT = message_of("shop.Event", events())


def frame(number: int, payload: bytes) -> bytes:
    return b"\0" + number.to_bytes(4, "big") + payload


def avro(value: Any, number: int = 1, schema: str = "AVRO") -> bytes:
    data = io.BytesIO()
    fastavro.schemaless_writer(data, PARSED[schema], value)
    return frame(number, data.getvalue())


def event(i: int = 0, amount: Any = 1.5) -> dict[str, Any]:
    features = {"amount": amount, "country": "DE", "emb": [0.5, float(i)]}
    return {"model": "m", "time": TIME_MS + i, "event_id": f"e{i}", "features": features}


def protobuf(of: dict[str, Any]) -> bytes:
    features = {**of["features"], "country": 2}
    message = EVENT(model=of["model"], features=features)
    message.time.FromMilliseconds(of["time"])
    return frame(2, b"\x02\x02" + message.SerializeToString())


def known() -> Schemas:
    schemas = Schemas()
    schemas.learn(1, Schema("AVRO", json.dumps(AVRO)))
    schemas.learn(2, Schema("PROTOBUF", text_of(events())))
    schemas.learn(3, Schema("JSON", "{}"))
    schemas.learn(4, Schema("AVRO", json.dumps(ROWS)))
    schemas.learn(5, Schema("AVRO", json.dumps({"type": "array", "items": "null"})))
    schemas.learn(8, Schema("AVRO", '"string"'))
    schemas.refuse(6, "Schema 6 not found")
    return schemas


def fields(schemas: Schemas | None, **mapping: Any) -> Fields:
    given = {"decode": {}, "each": [], "names": {}} | mapping
    return replace(compile_fields({}), plan=compile_plan(given["decode"], given["each"], given["names"], schemas))


def records(*values: bytes | None) -> list[Record]:
    return [Record(i, TIME_MS, None, value) for i, value in enumerate(values)]


def told(batch: Batch) -> Any:
    """All that a batch says, by name: the tables number names as they come."""
    number = [(e, batch.names[n], v) for e, n, v in zip(*(c.tolist() for c in batch.numbers), strict=True)]
    text = [(e, batch.names[n], batch.strings[v]) for e, n, v in zip(*(c.tolist() for c in batch.texts), strict=True)]
    null = [(e, batch.names[n]) for e, n in zip(*(c.tolist() for c in batch.nulls), strict=True)]
    rest = batch.offsets.tolist(), batch.times_ms.tolist(), batch.event_id.tolist(), batch.odd, batch.rejects
    return sorted(number), sorted(text), sorted(null), rest


@pytest.mark.parametrize("compiled", [False, *([True] if native is not None else [])])
def test_each_format_is_what_its_json_would_have_been(compiled: bool) -> None:
    sent = [event(i, amount) for i, amount in enumerate((1.5, None, float("nan"), float("-inf"), 0.0))]
    wanted = told(Decoder(compile_fields({}), compiled)(records(*(json.dumps(one).encode() for one in sent)), "t"))
    assert [(odd.event, odd.field, odd.reason) for odd in wanted[3][3]] == [
        (2, "features.amount", "not_finite"),
        (3, "features.amount", "not_finite"),
    ]
    decode = Decoder(fields(known()), compiled)
    assert told(decode(records(*map(avro, sent)), "t")) == wanted
    assert told(decode(records(*(frame(3, json.dumps(one).encode()) for one in sent)), "t")) == wanted
    plain = [{**one, "event_id": None} for one in (sent[0], sent[4])]
    wanted = told(Decoder(compile_fields({}), compiled)(records(*(json.dumps(one).encode() for one in plain)), "t"))
    found = told(decode(records(*map(protobuf, plain)), "t"))
    assert found == (wanted[0], wanted[1], sorted([*wanted[2], (0, "features.age"), (1, "features.age")]), wanted[3])


def test_rows_of_a_framed_value_are_events_of_their_own() -> None:
    rows = {"model": "m", "rows": [event()["features"], {**event()["features"], "amount": float("nan")}]}
    of = replace(compile_fields({"features": "/rows"}), plan=compile_plan({}, ["/rows"], {}, known()))
    batch = Decoder(of)(records(avro(rows, 4, "ROWS")), "t")
    assert (batch.offsets.tolist(), batch.rows.tolist() if batch.rows is not None else None) == ([0, 0], [0, 1])
    assert [(odd.event, odd.field) for odd in batch.odd] == [(1, "features.amount")]


def test_what_has_no_frame_is_read_as_ever_and_not_written_anew() -> None:
    given = records(json.dumps(event()).encode(), b"{", b"", None, b"\0\0", avro(event(5)))
    of = fields(known())
    assert expand(given, of, of.plan).records[0].value is given[0].value
    batch = Decoder(of)(given, "t")
    assert batch.offsets.tolist() == [0, 5]
    assert [(r.record.offset, r.reason) for r in batch.rejects] == [
        (1, "bad_json"),
        (2, "empty"),
        (3, "empty"),
        (4, "bad_json"),
    ]


def test_what_cannot_be_read_is_a_dead_letter_as_it_came_that_names_the_id() -> None:
    values = [
        frame(6, b"x"),
        frame(7, b"x"),
        frame(5, b"\xfe\xff\xff\xff\x0f"),
        avro(event())[:-3],
        frame(2, b"\x02\x02\xff"),
        frame(3, b"{"),
        frame(8, b"\x02a"),
        avro({**event(), "model": ""}),
    ]
    batch = Decoder(fields(known()))(records(*values), "t")
    assert [(r.reason, r.detail) for r in batch.rejects] == [
        ("unknown_schema", "schema 6: Schema 6 not found"),
        ("unknown_schema", "schema 7: no registry was asked for it"),
        ("unusable_schema", "schema 5: what stands in its arrays has more values than bytes"),
        ("undecodable", "the value is not as its schema 1 (AVRO) has it"),
        ("undecodable", "the value is not as its schema 2 (PROTOBUF) has it"),
        ("bad_json", "unexpected end of data (char 1)"),
        ("not_an_object", ""),
        ("missing_model", "/model"),
    ]
    assert [r.record.value for r in batch.rejects] == values


def test_what_is_not_known_is_named_by_its_first_place() -> None:
    schemas = known()
    assert schemas.missing([b"{}", avro(event()), frame(9, b""), None, frame(9, b"x"), frame(6, b""), b"\0\0\0\0"]) == {
        9: 2
    }
    schemas.forget(6)
    assert schemas.missing([frame(6, b"")]) == {6: 0}
    assert (framed(frame(9, b"")), framed(b"\0\0\0\0"), framed(b"\1\0\0\0\0"), framed(None)) == (
        True,
        False,
        False,
        False,
    )
    assert id_of(frame(1 << 31, b"")) == 1 << 31


def test_what_is_kept_is_bounded_and_what_is_needed_stays() -> None:
    schemas = Schemas()
    for number in range(SCHEMAS_MAX + 50):
        schemas.learn(number, Schema("JSON", ""), {0, 1})
    assert len(schemas) == SCHEMAS_MAX
    assert set(schemas.missing(frame(n, b"") for n in range(SCHEMAS_MAX + 50))) == set(range(2, 52))
    for number in range(UNKNOWN_MAX + 5):
        schemas.refuse(10**6 + number, "no")
    assert len(schemas.missing(frame(10**6 + n, b"") for n in range(UNKNOWN_MAX + 5))) == 5


def test_a_kind_that_nobody_knows_says_so() -> None:
    assert "its kind is XML" in Schemas().learn(1, Schema("XML", ""))


def test_every_mutated_value_is_accounted_for() -> None:
    rng, schemas, reasons = random.Random(SEED), known(), Counter[str]()
    of, read = fields(schemas), 0
    for start in range(0, MESSAGES, 100):
        values = []
        for i in range(100):
            one = event(start + i, rng.choice((1.0, None, float("nan"))))
            value = bytearray(
                rng.choice((avro, avro, protobuf))({**one, "features": {**one["features"], "amount": 1.0}})
            )
            for _ in range(rng.choice((0, 1, 1, 3))):
                action, at = (
                    rng.random(),
                    rng.randrange(min(5, len(value) - 1) if rng.random() < 0.9 else 0, len(value)),
                )
                if action < 0.6:
                    value[at] = rng.choice((0, 1, 2, 127, 128, 255, rng.randrange(256)))
                elif action < 0.8:
                    del value[max(at, 1) :]
                else:
                    value[at:at] = bytes(rng.choices((0, 2, 127, 255), k=rng.randrange(1, 12)))
            values.append(bytes(value))
        batch, plain = Decoder(of)(records(*values), "t"), Decoder(of, compiled=False)(records(*values), "t")
        assert told(batch) == told(plain)
        found = sorted([*batch.offsets.tolist(), *(r.record.offset for r in batch.rejects)])
        assert found == list(range(100))
        read += len(batch.offsets)
        for reject in batch.rejects:
            reasons[reject.reason] += 1
            dead_letter("t", 0, reject)
    assert {"undecodable", "missing_model"} <= set(reasons), reasons
    assert read > MESSAGES / 5
