"""What to write instead of a value of another type; the words as people read them are in right-form.bad."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.config.right_form import WORDS, in_percent, instead_of_type
from streamer.config.types import Name, Topic


@pytest.mark.parametrize(
    ("wanted", "key", "given", "told"),
    [
        ("model", "window", 1000, "Write window: {events: 1000}."),
        ("model", "window", "5m", "Write window: {time: 5m}."),
        ("model", "window", [], "Write window: {events: 1000} or {time: 5m}."),
        ("model", "detect", "adwin", "Write detect: {kind: adwin}."),
        ("model", "detect", ["x y"], "Write detect: {kind: adwin}."),
        ("model", "commit", 1, "Its keys: a, b."),
        ("model", "kafka", None, "Its keys stand below it, indented further: a, b."),
        ("list", "events", "in", "Write [in]."),
        ("list", "events", "in, out", ""),
        ("string", "group", 7, 'Write it in quotes: "7".'),
        ("string", "group", True, ""),
        ("float", "max", "2.5 %", "Write 0.025."),
        ("float", "delta", "1e-3", "Write it without quotes: 1e-3."),
        ("int", "warmup", "many", ""),
        ("bool", "shadow", "On", "Write true."),
        ("bool", "shadow", 0, "Write false."),
        ("bool", "shadow", "maybe", ""),
        ("date", "x", "y", ""),
    ],
)
def test_the_right_form(wanted: str, key: str, given: Any, told: str) -> None:
    assert instead_of_type(wanted, ("monitors", key), given, ("a", "b")).strip() == told


def test_only_a_share_is_counted_in_percent() -> None:
    assert in_percent("max", 10) == " 10 % is written 0.1."
    assert [in_percent("delta", 10), in_percent("max", 0), in_percent("max", 500), in_percent("max", "10")] == [""] * 4


def test_the_patterns_that_have_words_are_those_of_the_config() -> None:
    theirs = {part.pattern for kind in (Name, Topic) for part in kind.__metadata__ if hasattr(part, "pattern")}
    assert theirs <= set(WORDS)
