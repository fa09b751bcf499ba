"""The record of an item: as its schema has it, with an id that offsets alone make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.records.review import ItemFacts, Place, render_item, review_id

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "review.v1.json").read_text()))
FACTS = ItemFacts("log-3-17.2", "fraud", "group", 3_600_000, 7_200_000, "control", (), "Right?", 2, 5,
                  {"id": "e1"}, 60_000, Place("in", 1, 7), Place("log", 3, 17, 2), {"label": "yes"})  # fmt: skip


def record(**changes: Any) -> dict[str, Any]:
    key, value = render_item(FACTS._replace(**changes))
    made: dict[str, Any] = json.loads(value)
    SCHEMA.validate(made)
    assert key.decode() == made["id"]
    return made


def test_an_item_is_told_whole() -> None:
    made = record()
    assert (made["subject"], made["time"]) == ("model/fraud", "1970-01-01T01:00:00.000Z")
    assert made["data"] == {
        "review_id": "log-3-17.2", "model": "fraud", "kind": "control", "reasons": [], "question": "Right?",
        "weight": 2.5, "chosen": 2, "of": 5, "until": "1970-01-01T02:00:00.000Z",
        "event": {"id": "e1", "time": "1970-01-01T00:01:00.000Z", "topic": "in", "partition": 1, "offset": 7},
        "ordered": {"topic": "log", "partition": 3, "offset": 17, "row": 2}, "values": {"label": "yes"},
    }  # fmt: skip


def test_what_is_not_known_is_not_there() -> None:
    made = record(event={}, ordered=None, values={})["data"]
    assert not {"ordered", "values"} & set(made)
    assert not {"id", "id_hash"} & set(made["event"])
    assert record(kind="lowest", reasons=("confidence",), event={"id_hash": "00"})["data"]["reasons"] == ["confidence"]


@pytest.mark.parametrize(("generation", "offset", "row"), [(1, 17, 2), (0, 18, 2), (0, 17, 1), (0, 17, 0)])
def test_what_differs_has_another_id(generation: int, offset: int, row: int) -> None:
    assert review_id("log", 0, 3, 17, 2) != review_id("log", generation, 3, offset, row)
