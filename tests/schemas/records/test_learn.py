"""What was learned is a CloudEvent of its schema; whole ones are in tests/engine/test_learned_alerts.py."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from schemas.records.learn import LearnFacts, render_learn

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "learn.v1.json").read_text()))
FACTS = LearnFacts(
    status="changed",
    sentence="fraud: ada undid a change of mean.",
    model="fraud",
    monitor="mean",
    version=2,
    before=0.25,
    after=1.0,
    because=None,
    source="driftline",
    topic="drift-ordered",
    partition=2,
    offset=41,
    row=3,
    time_ms=1_700_000_000_000,
)


@pytest.mark.parametrize("status", ["proposed", "changed"])
def test_it_is_of_its_schema_and_named_by_place_and_version(status: str) -> None:
    key, value = render_learn(FACTS._replace(status=status))
    record = json.loads(value)
    SCHEMA.validate(record)
    assert key.decode() == record["id"] == record["partitionkey"]
    assert record["id"].endswith(f"-drift-ordered-2-41.3-2-{status}")
    assert record["data"]["strength"] == {"before": 4.0, "after": 1.0}
    others = [
        FACTS._replace(monitor="other"),
        FACTS._replace(model="m"),
        FACTS._replace(row=0),
        FACTS._replace(version=3),
    ]
    assert len({render_learn(one)[0] for one in (FACTS, *others)}) == 5
