"""The record of a window: as its schema has it, with one id per window of one series, keyed by its model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.records.window import WindowFacts, render_window

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "window.v1.json").read_text()))
LABELS = {
    "model": "fraud",
    "monitor": "m",
    "detector": "fraction",
    "signal": "error",
    "caller": "app",
    "model_version": "",
}
WINDOW = {
    "n": 150, "count": 3, "fraction": 0.02, "interval": [0.01, 0.06], "reasons": [{"reason": "r", "count": 3}],
    "offsets": [100, 249], "from": "2026-01-02T03:04:00.000Z", "to": "2026-01-02T03:05:00.000Z",
}  # fmt: skip
FACTS = WindowFacts(LABELS, "group", "in.put", 3, 250, "evaluated", False, 0.05, WINDOW)


def record(**changes: Any) -> tuple[bytes, dict[str, Any]]:
    key, value = render_window(FACTS._replace(**changes))
    made: dict[str, Any] = json.loads(value)
    SCHEMA.validate(made)
    return key, made


def test_a_window_is_told_whole() -> None:
    key, made = record()
    assert (key, made["subject"], made["time"]) == (b"fraud", "model/fraud/monitor/m", WINDOW["to"])
    assert made["id"] == f"in.put-3-250-{WINDOW['from']}-fraud/m/error/app/"
    assert made["data"] == {
        "labels": {name: text for name, text in LABELS.items() if text},
        "ended": "evaluated",
        "breach": False,
        "limit": 0.05,
        "closed_by": {"topic": "in.put", "partition": 3, "offset": 250},
        "window": WINDOW,
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "b/c"), ("a/b", "c")), (("a", ""), ("", "a")), (("a/", "b"), ("a", "/b")), (("%2F", "b"), ("/", "b"))],
)
def test_values_that_share_a_separator_make_no_two_windows_one(one: tuple[str, str], other: tuple[str, str]) -> None:
    found = {
        record(labels={**LABELS, "caller": caller, "model_version": version})[1]["id"]
        for caller, version in (one, other)
    }
    assert len(found) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"offset": 251},
        {"partition": 4},
        {"topic": "other"},
        {"generation": 1},
        {"labels": {**LABELS, "signal": "anomaly"}},
        {"labels": {**LABELS, "caller": "desk"}},
        {"labels": {**LABELS, "model": "churn"}},
        {"window": {**WINDOW, "from": "2026-01-02T03:03:00.000Z"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_window_has_another_id(changes: dict[str, Any]) -> None:
    assert record(**changes)[1]["id"] != record()[1]["id"]


@pytest.mark.parametrize("changes", [{"breach": True}, {"limit": None, "ended": "insufficient"}, {"ended": "late"}])
def test_the_same_window_has_the_same_id_whatever_came_of_it(changes: dict[str, Any]) -> None:
    assert record(**changes)[1]["id"] == record()[1]["id"]
