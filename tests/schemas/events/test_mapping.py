"""Records that are no events yet: what is packed is unpacked, and each of their rows is an event at their offset."""

from __future__ import annotations

import base64
import gzip
import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Batch, Record, RecordColumns, columns_of, part_of
from schemas.events.convert import Rejected
from schemas.events.decoder import Decoder
from schemas.events.fields import Fields, compile_fields
from schemas.events.mapping import Plan, compile_plan, expand, rows_of
from schemas.records.dead_letter import dead_letter

PLACES = {"features": "/instances", "label": "/predictions", "event_id": "/id"}


def fields(places: dict[str, str] = PLACES, **mapping: Any) -> Fields:
    plan = compile_plan(mapping.get("decode", {}), mapping.get("each", []), mapping.get("names", {}))
    return replace(compile_fields(places), plan=plan)


BATCHED = fields(each=["/instances", "/predictions"])


def record(value: Any, offset: int = 7, **more: Any) -> Record:
    data = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return Record(offset, 1_700_000_000_000, None, data)._replace(**more)


def of(n: int, first: int = 0, **more: Any) -> dict[str, Any]:
    """A request of n rows with its answer."""
    rows = [{"a": float(first + i), "c": "xy"[i % 2]} for i in range(n)]
    return {"model": "m", "id": f"r{first}", "instances": rows, "predictions": ["no", "yes"] * (n // 2 + 1), **more}


def events(batch: Batch) -> list[dict[str, Any]]:
    """Each event as what was found of it."""
    found: list[dict[str, Any]] = [
        {"offset": offset, "row": row, "id": event_id, "model": batch.strings[model]}
        for offset, row, event_id, model in zip(
            batch.offsets.tolist(), (batch.rows if batch.rows is not None else batch.offsets * 0).tolist(),
            batch.event_id.tolist(), batch.model.tolist(), strict=True,
        )
    ]  # fmt: skip
    for event, name, value in zip(*(column.tolist() for column in batch.numbers), strict=True):
        found[event][batch.names[name]] = value
    for event, name, text in zip(*(column.tolist() for column in batch.texts), strict=True):
        found[event][batch.names[name]] = batch.strings[text]
    return found


@pytest.mark.parametrize("compiled", [True, False])
def test_each_row_is_an_event_at_the_offset_of_its_record(compiled: bool) -> None:
    three = of(3)
    three["predictions"] = three["predictions"][:3]
    batch = Decoder(BATCHED, compiled)([record(three), record({**of(1, 5), "predictions": ["no"]}, 9)], "t")
    found = events(batch)
    assert [(e["offset"], e["row"], e["features.a"], e["prediction.label"]) for e in found] == [
        (7, 0, 0.0, "no"),
        (7, 1, 1.0, "yes"),
        (7, 2, 2.0, "no"),
        (9, 0, 5.0, "no"),
    ]
    assert len({e["id"] for e in found}) == 4, "rows of one record are no duplicates of each other"
    assert (batch.next_offset, batch.rejects) == (10, ())
    alone = events(Decoder(BATCHED, compiled)([record({**of(1), "predictions": ["no"]})], "t"))
    assert alone[0]["id"] == found[0]["id"], "the first row keeps the record's id"


def test_rows_with_ids_of_their_own_keep_them() -> None:
    own = fields({**PLACES, "event_id": "/instances/key"}, each=["/instances"])
    rows = {"model": "m", "instances": [{"key": "a", "x": 1}, {"key": "b", "x": 2}]}
    ids = [json.loads(r.value or b"")["instances"]["key"] for r in expand([record(rows)], own, plan_of(own)).records]
    assert ids == ["a", "b"]


def plan_of(given: Fields) -> Plan:
    assert given.plan is not None
    plan: Plan = given.plan
    return plan


def test_ids_in_the_key_or_a_header_tell_rows_apart_too() -> None:
    for place, more in (("key", {"key": b"k"}), ("header:id", {"headers": (("id", b"h"), ("other", b"o"))})):
        plan = fields({**PLACES, "event_id": place}, each=["/instances"])
        given = record({"model": "m", "instances": [{"a": 1}, {"a": 2}]}, **more)
        ids = Decoder(plan)([given], "t").event_id.tolist()
        assert len(set(ids)) == 2


def test_arrays_with_names_become_objects() -> None:
    plan = fields(
        {"features": "/instances", "scores": "/predictions"},
        each=["/instances", "/predictions"],
        names={"/instances": ["a", "b"], "/predictions": ["no", "yes"]},
    )
    given = {"model": "m", "instances": [[1, 2, 3]], "predictions": [[0.2, 0.8]]}
    [found] = events(Decoder(plan)([record(given)], "t"))
    assert [found[f"features.{name}"] for name in ("a", "b", "2")] == [1, 2, 3]
    assert (found["prediction.scores.yes"], found["prediction.confidence"]) == (0.8, 0.8)


def test_what_is_packed_is_unpacked_first() -> None:
    packed = base64.b64encode(gzip.compress(json.dumps(of(1)["instances"]).encode(), mtime=0)).decode()
    plan = fields({"features": "/in"}, decode={"/in": ["base64", "gzip", "json"]}, each=["/in"])
    assert events(Decoder(plan)([record({"model": "m", "in": packed})], "t"))[0]["features.a"] == 0.0
    whole = fields({"features": "/rows", "model": "topic"}, decode={"": ["gzip", "csv"]}, each=["/rows"])
    [found] = events(Decoder(whole)([record(gzip.compress(b"1,2\n", mtime=0))], "t"))
    assert (found["model"], found["features.0"], found["features.1"]) == ("t", 1, 2)


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        ({"model": "m", "instances": []}, "no_rows", "/instances"),
        ({"model": "m"}, "no_rows", "/instances"),
        ({"model": "m", "instances": 7}, "undecodable", "/instances is no array of rows"),
        ({"model": "m", "instances": [1, 2], "predictions": [1]}, "undecodable", "/instances has 2 rows, /predictions"),
        (b"{", "bad_json", ""),
        (None, "empty", ""),
        ({"model": "m", "instances": [{}] * 10_001}, "too_large", "10001 rows, the limit is 10000"),
    ],
)
def test_a_record_that_cannot_be_taken_apart_is_one_reject(value: Any, reason: str, detail: str) -> None:
    given = record(value)
    batch = Decoder(BATCHED)([given, record({**of(1), "predictions": ["no"]}, 8)], "t")
    assert [(r.record, r.reason, r.row) for r in batch.rejects] == [(given, reason, None)]
    assert batch.rejects[0].detail.startswith(detail)
    assert batch.offsets.tolist() == [8]


def test_a_bad_row_is_a_dead_letter_of_its_own_and_costs_no_other() -> None:
    plan = fields({"model": "/rows/m", "features": "/rows/f"}, each=["/rows"])
    given = record({"rows": [{"m": "a", "f": {"x": 1}}, {"f": {"x": 2}}, {"m": "c", "f": {"x": 3}}]})
    batch = Decoder(plan)([given], "t")
    assert [e["row"] for e in events(batch)] == [0, 2]
    [bad] = batch.rejects
    assert (bad.reason, bad.row, bad.record.offset) == ("missing_model", 1, 7)
    _, value, headers = dead_letter("t", 0, bad)
    assert json.loads(value or b"") == {"rows": {"f": {"x": 2}}}
    assert ("driftline.error.row", b"1") in headers


def test_what_lies_in_the_way_of_a_pointer_is_seen_by_the_decoder() -> None:
    plan = fields({"features": "/in/f", "label": "/out/label"}, each=["/in/f"])
    batch = Decoder(plan)([record({"model": "m", "in": {"f": [{"a": 1}]}, "out": 0.5})], "t")
    assert [(one.field, one.reason) for one in batch.odd] == [("prediction.label", "wrong_type")]


def test_a_constant_stands_for_what_no_record_says() -> None:
    given = Decoder(compile_fields({"model": "=fraud", "features": "", "version": "=7"}))([record({"a": 1})], "t")
    assert [given.strings[code] for code in (given.model.item(0), given.version.item(0))] == ["fraud", "7"]


def test_any_cutting_gives_the_same_events() -> None:
    rng = random.Random(3)
    records = []
    for offset in range(40):
        n = rng.randrange(0, 5)
        value = {**of(n, offset * 10), "predictions": ["no"] * n}
        records.append(record(value if rng.random() < 0.9 else b"{", offset))
    whole = Decoder(BATCHED)(records, "t")
    cut = [Decoder(BATCHED)(records[i : i + 7], "t") for i in range(0, 40, 7)]
    assert [e for batch in cut for e in events(batch)] == events(whole)
    assert [r for batch in cut for r in batch.rejects] == list(whole.rejects)
    rows = sum(json.loads(r.value or b"")["instances"] != [] for r in records if r.value != b"{")
    assert rows
    parts = [part_of(whole, begin, begin + 8) for begin in range(0, 40, 8)]
    assert [e for part in parts for e in events(part)] == events(whole)
    assert np.concatenate([part.rows for part in parts]).tolist() == whole.rows.tolist()


@pytest.mark.parametrize("compiled", [True, False])
def test_records_of_which_only_columns_are_there_are_taken_apart_as_well(compiled: bool) -> None:
    """So they come from Kafka: whoever took the last by -1 died of it, with every mapped topic."""
    records = [record(of(2, 10 * i, predictions=["no", "yes"]), offset=i) for i in range(3)] + [record(b"{", offset=3)]
    columns, decode = columns_of(records), Decoder(BATCHED, compiled=compiled)

    def made(place: int) -> Record:
        assert 0 <= place < len(records)
        return records[place]

    lazy = RecordColumns(columns.values, columns.offsets, columns.times_ms, made)
    found, plain = decode(lazy, "t"), decode(records, "t")
    assert (events(found), found.rejects) == (events(plain), plain.rejects)
    assert (len(found.offsets), len(found.rejects), found.next_offset) == (6, 1, 4)


def test_the_document_is_not_changed() -> None:
    plan = compile_plan({}, ["/a/b"], {})
    assert plan is not None
    document = {"a": {"b": [1, 2]}, "c": 3}
    assert [json.dumps(row) for row in rows_of(document, plan)] == [
        '{"a": {"b": 1}, "c": 3}',
        '{"a": {"b": 2}, "c": 3}',
    ]
    assert document == {"a": {"b": [1, 2]}, "c": 3}


def test_a_mapping_that_cannot_be_is_said() -> None:
    assert compile_plan({}, [], {}) is None
    wrong: list[tuple[Any, Any, Any, str]] = [
        ({"/a": ["zip"]}, [], {}, "decode /a: 'zip' is none of base64, gzip"),
        ({}, ["a"], {}, "'a' is not a JSON Pointer such as '/a'"),
        ({}, ["/a", "/a/b"], {}, "'/a/b' lies within the rows of '/a'"),
        ({}, [], {"key": ["a"]}, "'key' is not a JSON Pointer that begins with '/'"),
    ]
    for *given, words in wrong:
        with pytest.raises(ValueError, match=words):
            compile_plan(*given)
    with pytest.raises(Rejected):
        list(rows_of({}, Plan((), (), (("/a", (("a", -1),)),), ())))
