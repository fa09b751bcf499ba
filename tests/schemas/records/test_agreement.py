"""The record of agreement: as its schema has it, one id for each version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from detectors.agreement import Agreement
from schemas.records.agreement import AgreementFacts, render_agreement
from streamer.review.figures import agreement_facts

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "agreement.v1.json").read_text()))


def table(*items: tuple[int, int]) -> dict[str, Any]:
    made = Agreement(3)
    for item, (one, other) in enumerate(items):
        made.add(item, [("ann", one), ("bob", other)])
    return agreement_facts(made)


FACTS = AgreementFacts("fraud", "group", "in", 3, 250, 3_600_000, 2, table((0, 0), (1, 0), (1, 1)))


def record(**changes: Any) -> dict[str, Any]:
    key, value = render_agreement(FACTS._replace(**changes))
    made: dict[str, Any] = json.loads(value)
    SCHEMA.validate(made)
    assert key == b"fraud"
    return made


def test_all_of_it_is_told_and_what_cannot_be_said_is_null() -> None:
    made = record()
    assert (made["id"], made["time"]) == ("agreement-in-3-2-fraud", "1970-01-01T01:00:00.000Z")
    assert made["data"]["pairs"][0]["n"] == 3
    alike = record(agreement=table((0, 0)))["data"]
    assert (alike["alpha"], alike["pairs"][0]["kappa"]) == (None, None)


@pytest.mark.parametrize("changes", [{"version": 3}, {"model": "churn"}, {"generation": 1}, {"partition": 4}])
def test_what_differs_has_another_id(changes: dict[str, Any]) -> None:
    if "model" in changes:
        assert json.loads(render_agreement(FACTS._replace(**changes))[1])["id"] != record()["id"]
    else:
        assert record()["id"] != record(**changes)["id"]
