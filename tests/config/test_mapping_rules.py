"""What `mapping` asks of the rest of a config."""

from __future__ import annotations

import pytest

from streamer.config.mapping_rules import MAPPING_RULES


def complaints(**raw: object) -> list[str]:
    return [one.message for rule in MAPPING_RULES for one in rule(raw)]


@pytest.mark.parametrize("each", ["/rows", ["/rows"], ["/rows", "/answers"]])
@pytest.mark.parametrize(
    "others",
    [
        {"fields": {"features": "/rows/features"}},
        {"fields": {"features": "/rows"}},
        {"monitors": {"a": {"signal": "/rows/depth"}}},
        {
            "monitors": {"a": {"signal": "ratio(/rows/a, /rows/b)"}},
        },
        {"checks": {"/rows/depth": {"max": 3}}},
    ],
)
def test_what_is_within_a_row_is_read(each: object, others: dict[str, object]) -> None:
    assert complaints(mapping={"each": each}, **others) == []


@pytest.mark.parametrize("mapping", [{}, None, 7, {"each": []}, {"each": 7}, {"each": [7]}, {"decode": {"": ["gzip"]}}])
def test_without_rows_nothing_is_asked(mapping: object) -> None:
    assert complaints(mapping=mapping) == []


def test_a_pointer_that_starts_at_the_row_is_told_where_it_begins() -> None:
    [told] = complaints(mapping={"each": ["/rows"], "decode": {"/rows/x": ["json"]}}, fields={"features": "/features"})
    assert told.startswith("no field is within '/rows', so nothing of a row would be read")
    assert told.endswith("fields: {features: /rows/features}.")
