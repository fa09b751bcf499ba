"""Records about inferences of other topics: the same columns of both decoders, wherever the places are."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest

from schemas.core import native
from schemas.events.batch import Batch, Record
from schemas.events.convert import id_hash
from schemas.events.fields import Reading
from schemas.events.registered import Schema, Schemas
from schemas.events.side import Side, SideDecoder, compile_side
from tests.schemas.events.test_packed import same

ABOUT, SAID = "labels.event_id", "labels.label"
NATIVE = {"model": "/model", "time": "/time"}


def side(about: str = "/id", said: str = "/label", places: dict[str, str] = NATIVE, **more: Any) -> Side:
    given = {"pointers": [], "reading": Reading(), "message_bytes": 1000, "schemas": None} | more
    return compile_side(places, ABOUT, {SAID: said, ABOUT: about}, **given)


def decoded(one: Side, records: list[Record], topic: str = "truths") -> Batch:
    batch = SideDecoder(one, False)(records, topic)
    if native is not None:
        compiled = SideDecoder(one)(records, topic)
        assert same(compiled, batch)
        assert compiled.rejects == batch.rejects
    return batch


def record(offset: int, value: Any, key: bytes | None = None, **headers: bytes) -> Record:
    text = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return Record(offset, 1_700_000_000_000, key, text, tuple(headers.items()))


def said_of(batch: Batch) -> list[tuple[str, Any]]:
    """Of each event the id, and what is said."""
    ids, texts = dict[int, str](), dict[int, Any]()
    for event, name, text in zip(*(column.tolist() for column in batch.texts), strict=True):
        if batch.names[name] in (ABOUT, SAID):
            (ids if batch.names[name] == ABOUT else texts)[event] = batch.strings[text]
    for event, name, number in zip(*(column.tolist() for column in batch.numbers), strict=True):
        if batch.names[name] == SAID:
            texts[event] = number
    return [(ids[event], texts.get(event)) for event in range(len(batch.offsets))]


def test_what_a_record_says_has_names_that_no_event_has() -> None:
    event = {"model": "m", "id": "a", "label": "yes", "features": {"x": 1}, "status": "ok", "event_id": "a"}
    batch = decoded(side(), [record(0, event)])
    assert set(batch.names) == {ABOUT, SAID}
    assert said_of(batch) == [("a", "yes")]
    assert batch.event_id.tolist() == [0], "it is not the inference, nor a duplicate of it"
    assert id_hash("a", "") != 0


@pytest.mark.parametrize(
    ("label", "found"), [(3, 3.0), (0.25, 0.25), ("3", "3"), (True, "true"), (None, None), ([], None)]
)
def test_a_label_is_what_it_is(label: Any, found: Any) -> None:
    assert said_of(decoded(side(), [record(0, {"model": "m", "id": 17, "label": label})])) == [("17", found)]


@pytest.mark.parametrize(
    ("about", "said", "found"),
    [
        ("key", "/label", ("k", 1.0)),
        ("/id", "key", ("a", "k")),
        ("header:h", "header:g", ("x", "y")),
        ("/id", "=fraud", ("a", "fraud")),
        ("key", "topic", ("k", "truths")),
        ("/id", "/id", ("a", "a")),
    ],
)
def test_places_are_those_of_fields(about: str, said: str, found: tuple[str, Any]) -> None:
    one = record(0, {"model": "m", "id": "a", "label": 1}, b"k", h=b"x", g=b"y")
    assert said_of(decoded(side(about, said), [one, one._replace(offset=5)])) == [found, found]


def test_who_names_no_inference_is_a_reject_between_the_others() -> None:
    values = [{"model": "m", "id": "a", "label": 1}, {"model": "m"}, {"model": "m", "id": "", "label": 2}, b"{", None]
    values += [{"model": "m", "id": {}, "label": 2}, {"id": "a"}, {"model": "m", "id": "b", "label": 4}]
    batch = decoded(side(), [record(n, value) for n, value in enumerate(values)])
    assert said_of(batch) == [("a", 1.0), ("b", 4.0)]
    assert batch.offsets.tolist() == [0, 7]
    reasons = {one.record.offset: one.reason for one in batch.rejects}
    nothing = dict.fromkeys((1, 2, 5), "about_nothing")
    assert reasons == nothing | {3: "bad_json", 4: "empty", 6: "missing_model"}
    assert [one.record.offset for one in batch.rejects] == sorted(reasons)
    assert {one.detail for one in batch.rejects if one.reason == "about_nothing"} == {"/id"}
    assert batch.next_offset == 8
    nobody = decoded(side(), [record(3, {"model": "m"})])
    assert (len(nobody.offsets), len(nobody.rejects), nobody.next_offset) == (0, 1, 4)


def test_a_key_or_header_that_is_no_text_says_nothing() -> None:
    batch = decoded(
        side("/id", "header:h"), [record(0, {"model": "m", "id": "a"}, h=b"\xff"), record(1, {"model": "m", "id": "b"})]
    )
    assert said_of(batch) == [("a", None), ("b", None)]


def test_the_model_and_the_time_are_where_they_are_there_and_pointers_keep_their_names() -> None:
    places = {"model": "header:m", "time": "/at"}
    one = side(places=places, pointers=["/out", "/out"])
    batch = decoded(one, [record(0, {"id": "a", "at": 1_600_000_000, "out": True}, m=b"fraud")])
    assert [batch.strings[code] for code in batch.model.tolist()] == ["fraud"]
    assert batch.times_ms.tolist() == [1_600_000_000_000]
    assert set(batch.names) == {ABOUT, "/out"}


def test_a_value_that_names_its_schema_is_read_by_it() -> None:
    schemas = Schemas()
    schemas.learn(7, Schema("JSON", "{}"))
    value = b"\0" + (7).to_bytes(4, "big") + b'{"model": "m", "id": "a", "label": "x"}'
    assert said_of(decoded(side(schemas=schemas), [record(0, value)])) == [("a", "x")]


@pytest.mark.parametrize("seed", range(10))
def test_both_decoders_agree_on_anything_and_so_do_pieces(seed: int) -> None:
    rng = random.Random(seed)
    odd: list[Any] = ["a", "", 1, -5, 2.5, None, True, {}, [1], "é" * 300, 10**30]
    records = []
    for offset in range(60):
        event = {name: rng.choice(odd) for name in ("id", "label", "time", "out") if rng.random() < 0.8}
        event |= {"model": rng.choice(["m", "n", "n", None])}
        value: Any = event if rng.random() < 0.95 else rng.choice([b"", b"{", b"\xff", b'{"model":"m","id":NaN}'])
        key = rng.choice([None, b"", b"k", b"\xff"])
        records.append(record(2 * offset, value, key, h=rng.choice([b"x", b"\xfe"])))
    for about, said in (("/id", "/label"), ("key", "/label"), ("/id", "header:h"), ("key", "header:h")):
        one = side(about, said, pointers=["/out"])
        whole, decode = decoded(one, records), SideDecoder(one)
        assert len(whole.offsets) + len(whole.rejects) == len(records)
        pieces = [decode(records[begin : begin + 7], "truths") for begin in range(0, len(records), 7)]
        assert [said for piece in pieces for said in said_of(piece)] == said_of(whole)
        assert np.concatenate([piece.times_ms for piece in pieces]).tolist() == whole.times_ms.tolist()
