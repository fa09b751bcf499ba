"""What each format costs to read: `python -m benchmarks.formats`. CPU per row of the decoder, mapping included, next to
json.loads of the records alone, which is where every script begins; of a schema registry next to its library's loop."""

from __future__ import annotations

import io
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import fastavro
from google.protobuf.json_format import MessageToDict

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from schemas.events.fields import compile_fields
from schemas.events.mapping import compile_plan
from schemas.events.registered import Schema, Schemas
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.presets import config_text, names
from tests.offline.test_presets import records
from tests.schemas.events import protos

ROWS = 40_000
QUICK = 20
BATCH = 500
FEATURES = 20


def many(name: str, count: int) -> list[Record]:
    """The records of a preset's fixture again and again."""
    few = records(name)
    return [few[i % len(few)]._replace(offset=i) for i in range(count)]


def clocked(log: list[Record], decode: Decoder, plain: Callable[[bytes], object]) -> dict[str, Any]:
    """Rows that were read, of how many, and the CPU for each; the same of the plain loop."""
    read = lost = 0
    began_s = time.process_time()
    for begin in range(0, len(log), BATCH):
        batch = decode(log[begin : begin + BATCH], "events")
        read, lost = read + len(batch.offsets), lost + len(batch.rejects)
    ours_s = time.process_time() - began_s
    began_s = time.process_time()
    for record in log:
        plain(record.value or b"")
    plain_s = time.process_time() - began_s
    return {
        "what": "format",
        "records": len(log),
        "rows": read + lost,
        "rows_used": read,
        "us_per_row": ours_s / read * 1e6,
        "plain_us_per_row": plain_s / read * 1e6,
    }


def cost(name: str, rows: int) -> dict[str, Any]:
    """Of a preset's shape."""
    decode = Decoder(fields_of(load_text(config_text(name, "none:1", "events"), name, {})))
    each = len(decode(many(name, 10), "events").offsets) / 10
    return {"format": name, "plain": "json.loads", **clocked(many(name, round(rows / each)), decode, json.loads)}


def avro_schema() -> dict[str, Any]:
    features = [{"name": f"f{i}", "type": ["null", "double"]} for i in range(FEATURES)]
    inner = {"type": "record", "name": "Features", "fields": features}
    fields = [("model", "string"), ("time", "long"), ("features", inner)]
    return {"type": "record", "name": "Event", "fields": [{"name": name, "type": kind} for name, kind in fields]}


def proto_schema() -> Any:
    made = protos.file("event.proto", "")
    features, event = made.message_type.add(name="Features"), made.message_type.add(name="Event")
    for i in range(FEATURES):
        protos.field(features, i + 1, f"f{i}", "double")
    for number, (name, kind) in enumerate((("model", "string"), ("time", "int64"), ("features", ".Features")), 1):
        protos.field(event, number, name, kind)
    return made


def registered(rows: int) -> list[dict[str, Any]]:
    """An event of 20 numbers as each kind of schema has it."""
    avro, proto = avro_schema(), proto_schema()
    schemas = Schemas()
    schemas.learn(1, Schema("AVRO", json.dumps(avro)))
    schemas.learn(2, Schema("PROTOBUF", protos.text_of(proto)))
    schemas.learn(3, Schema("JSON", ""))
    parsed, kind = fastavro.parse_schema(avro), protos.message_of("Event", proto)
    rng, logs = random.Random(1), tuple[list[Record], ...](([], [], []))
    for i in range(rows):
        features = {f"f{n}": rng.gauss(100, 20) for n in range(FEATURES)}
        event = {"model": "fraud", "time": 1_700_000_000_000 + i, "features": features}
        data = io.BytesIO()
        fastavro.schemaless_writer(data, parsed, event)
        bodies = data.getvalue(), b"\2\2" + kind(**event).SerializeToString(), json.dumps(event).encode()
        for number, (log, body) in enumerate(zip(logs, bodies, strict=True), 1):
            log.append(Record(i, 1_700_000_000_000, None, b"\0" + number.to_bytes(4, "big") + body))
    loops: dict[str, tuple[str, Callable[[bytes], object]]] = {
        "registry avro": ("fastavro", lambda value: fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed, None)),
        "registry protobuf": ("MessageToDict", lambda value: MessageToDict(kind.FromString(value[7:]))),
        "registry json": ("json.loads", lambda value: json.loads(value[5:])),
    }
    decode = Decoder(replace(compile_fields({}), plan=compile_plan({}, [], {}, schemas)))
    return [
        {"format": name, "plain": plain, **clocked(log, decode, loop)}
        for (name, (plain, loop)), log in zip(loops.items(), logs, strict=True)
    ]


def measure(brokers: str, quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row for each preset and kind of schema; no ratio, since the plain loops read nothing yet."""
    rows = ROWS // (QUICK if quick else 1)
    found = [cost(name, rows) for name in names()] + registered(rows)
    for one in found:
        shown = f"{one['us_per_row']:.2f} µs a row, {one['plain']} alone {one['plain_us_per_row']:.2f}"
        print(f"{one['format']}: {one['rows_used']:,} of {one['rows']:,} rows, {shown}", file=sys.stderr, flush=True)
    return found, {}


if __name__ == "__main__":
    measure("", False)
