"""event.v1.json says what decode does, as far as a schema can."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from schemas.events.native_json import decode
from tests.schemas.events.samples import SCHEMA, STRICT, make, one
from tests.schemas.events.strategies import LOOSE
from tests.schemas.events.tables import REJECTED, TEXTS, TIMES, feature

VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BY_SHAPE = ("missing_model", "wrong_type", "bad_time", "no_zone", "too_many_members")
SHAPES = [value for _, value, reason in REJECTED if reason in BY_SHAPE]
BEYOND_A_SCHEMA = [
    feature(b'{"a":' * 9 + b"1" + b"}" * 9),
    b'{"model":"m","time":"2026-02-30T03:04:05Z"}',
    b'{"model":"m","time":"1970-01-01T00:00:00+00:01"}',
]


def test_the_schema_is_a_schema_and_its_examples_are_events() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for example in SCHEMA["examples"]:
        VALIDATOR.validate(example)
        one(example)


@pytest.mark.parametrize("value", [v for v in SHAPES if v not in BEYOND_A_SCHEMA])
def test_the_schema_rejects_what_decode_rejects(value: bytes) -> None:
    assert not VALIDATOR.is_valid(json.loads(value))


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, value, _, _ in TEXTS]
    + [("time", time) for time, expected in TIMES if expected is not None],
)
def test_the_schema_accepts_what_decode_accepts(field: str, value: Any) -> None:
    VALIDATOR.validate({"model": "m", field: value})


@given(LOOSE)
def test_schema_and_decode_agree(event: dict[str, Any]) -> None:
    """Where they may differ (see the schema's $comment): a float that is integral counts as integer in a schema."""
    value = json.dumps(event)
    plain = decode([make(value.encode(), time_ms=-1)], STRICT, "t")
    if not any(isinstance(f, float) and f.is_integer() for f in _leaves(event)):
        assert VALIDATOR.is_valid(event) == (not plain.rejects), plain.rejects


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]
