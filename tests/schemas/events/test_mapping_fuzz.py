"""Mutated records through every step of a mapping: nothing raises, and every record and row is accounted for, in the
compiled decoder and in Python alike. DRIFTLINE_FUZZ says how many."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from typing import Any

from schemas.events.batch import Record
from schemas.events.convert import Rejected
from schemas.events.decoder import Decoder
from schemas.events.fields import Fields, compile_fields
from schemas.events.mapping import compile_plan, document_of, expand, rows_of
from schemas.records.dead_letter import dead_letter

MESSAGES = int(os.environ.get("DRIFTLINE_FUZZ", "6000"))
SEED = int(os.environ.get("DRIFTLINE_FIRST_SEED", "20261128"))
BATCH = 100
ROWS = [{"a": 1.5, "c": "x"}, {"a": 2, "c": None}, {"a": float("nan"), "c": "y"}]
ODD: list[Any] = [None, 7, "", "x", [], {}, [[]], {"name": "a"}, True, 1e308, ["a"], [None], -1, "MTIz"]


def fields(decode: dict[str, list[str]], each: list[str], names: dict[str, list[str]], **places: str) -> Fields:
    return replace(compile_fields({"event_id": "/id", **places}), plan=compile_plan(decode, each, names))


def packed(value: Any, *steps: str) -> Any:
    for step in steps:
        if step == "json":
            value = json.dumps(value)
        elif step == "gzip":
            value = gzip.compress(value.encode() if isinstance(value, str) else value, 1, mtime=0)
        else:
            value = base64.b64encode(value).decode()
    return value


TENSORS = [{"name": "a", "shape": [3], "data": [1, 2, 3]}, {"name": "v", "shape": [3, 2], "data": [1, 2, 3, 4, 5, 6]}]
SHAPES: list[tuple[Fields, dict[str, Any]]] = [
    (
        fields({}, ["/in", "/out"], {}, features="/in", label="/out"),
        {"model": "m", "id": "i", "in": ROWS, "out": ["y", "n", "y"]},
    ),
    (
        fields({"/in": ["base64", "gzip", "json"]}, ["/in"], {}, features="/in"),
        {"model": "m", "id": 5, "in": packed(ROWS, "json", "gzip", "base64")},
    ),
    (
        fields({"/in": ["tensors"]}, ["/in"], {"/in/v": ["p", "q"]}, features="/in", value="/in/a"),
        {"model": "m", "in": TENSORS},
    ),
    (
        fields({"/in": ["csv"]}, ["/in"], {"/in": ["p"]}, features="/in", time="/t"),
        {"model": "m", "t": 1_700_000_000, "in": "1,2\n3,x\n"},
    ),
    (
        fields({"/r": ["json"], "/r/s": ["split"]}, ["/r/s"], {}, features="/r/s"),
        {"model": "m", "r": packed({"s": {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}}, "json")},
    ),
    (fields({"/c": ["columns"]}, ["/c"], {}, features=""), {"model": "m", "c": {"a": [1, 2], "b": ["x", "y"]}}),
]


def mutated(rng: random.Random, document: Any) -> Any:
    """Something of it replaced, left out or doubled; or its bytes."""
    copy = json.loads(json.dumps(document))
    for _ in range(rng.choice((0, 1, 1, 2))):
        place = copy
        while isinstance(place, (dict, list)) and place:
            key: Any = rng.choice(sorted(place)) if isinstance(place, dict) else rng.randrange(len(place))
            if rng.random() < 0.4 or not isinstance(place[key], (dict, list)):
                action = rng.random()
                if action < 0.6:
                    place[key] = deepcopy(rng.choice(ODD))
                elif action < 0.8:
                    del place[key]
                elif isinstance(place, list):
                    place.append(place[key])
                elif isinstance(place[key], str) and place[key]:
                    at = rng.randrange(len(place[key]))
                    place[key] = place[key][:at] + rng.choice('A=\n,{"') + place[key][at + 1 :]
                break
            place = place[key]
    data = json.dumps(copy).encode()
    if rng.random() < 0.1:
        at = rng.randrange(len(data))
        data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    return data


def rows_in(record: Record, of: Fields) -> int | None:
    """How many rows a record has; None for one that cannot be taken apart."""
    try:
        return sum(1 for _ in rows_of(document_of(record, of.plan, of.message_bytes), of.plan))
    except Rejected:
        return None


def test_every_row_of_a_mutated_record_is_accounted_for() -> None:
    rng, reasons = random.Random(SEED), Counter[str]()
    for start in range(0, MESSAGES, BATCH):
        of, document = SHAPES[(start // BATCH) % len(SHAPES)]
        records = [Record(start + i, 1_700_000_000_000, None, mutated(rng, document)) for i in range(BATCH)]
        counts = [rows_in(record, of) for record in records]
        assert len(expand(records, of, of.plan).records) == sum(count or 0 for count in counts)
        batch, plain = Decoder(of)(records, "t"), Decoder(of, compiled=False)(records, "t")
        assert batch.offsets.tolist() == plain.offsets.tolist()
        assert batch.event_id.tolist() == plain.event_id.tolist()
        assert batch.rejects == plain.rejects
        found = Counter(batch.offsets.tolist()) + Counter(reject.record.offset for reject in batch.rejects)
        assert found == Counter({start + i: 1 if count is None else count for i, count in enumerate(counts)})
        assert batch.next_offset == start + BATCH
        for reject in batch.rejects:
            reasons[reject.reason] += 1
            dead_letter("t", 0, reject)
    assert {"undecodable", "no_rows", "bad_json", "missing_model"} <= set(reasons), reasons
