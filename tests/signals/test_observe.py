"""How the values of signals are found in a batch, before they have rows."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from streamer.signals.checks import Check
from streamer.signals.columns import group, groups_of
from streamer.signals.grammar import parse_signal
from streamer.signals.observe import (
    Observe,
    is_error,
    observe_errors,
    observe_invalid,
    observe_numbers,
    observe_presence,
    observe_texts,
    one_text,
)
from tests.signals.events import batch_of, firing

EVENTS: list[dict[str, Any]] = [
    {"features": {"a": 1.0, "b": "x"}, "status": "200", "caller": "app"},
    {"features": {"b": None, "a": 2.0}, "status": "503"},
    {"features": {"a": None}, "caller": "desk"},
    {"features": {"a": 9.0, "b": "y"}, "status": "404", "caller": "app"},
]
USED = np.array([True, True, True, False])


def seen(observe: Observe, signal: str = "features.*") -> list[tuple[int, str, float]]:
    """(event, member, value) of what is observed of the used ones of EVENTS, all of one group."""
    batch = batch_of(EVENTS)
    groups = groups_of(batch, USED, (), {}, group)
    found = observe(batch, groups, parse_signal(signal).takes)
    assert found.group.tolist() == groups.of_event[found.event].tolist() == [0] * len(found.event)
    assert (np.diff(found.event) >= 0).all()
    names = [found.members[number] for number in found.member.tolist()]
    return list(zip(found.event.tolist(), names, found.value.tolist(), strict=True))


def test_numbers_under_a_path_of_used_events_in_their_order() -> None:
    assert (
        seen(observe_numbers)
        == seen(observe_numbers, "features.[ab]") + seen(observe_numbers, "features.?")
        == [(0, "features.a", 1.0), (1, "features.a", 2.0)]
    )
    assert seen(observe_numbers, "features.a") == [(0, "features.a", 1.0), (1, "features.a", 2.0)]
    assert seen(observe_numbers, "features.b") == seen(observe_numbers, "missing.nothing") == []


def test_a_text_is_its_own_member() -> None:
    assert seen(observe_texts("caller")) == [(0, "app", 1.0), (2, "desk", 1.0)]
    assert seen(observe_texts("segment.country")) == []


def test_presence_is_of_features_and_null_is_none() -> None:
    assert seen(observe_presence, "missing.b") == [(0, "features.b", 1.0), (1, "features.b", 0.0)]
    assert seen(observe_presence) == [
        (0, "features.a", 1.0),
        (0, "features.b", 1.0),
        (1, "features.a", 1.0),
        (1, "features.b", 0.0),
        (2, "features.a", 0.0),
    ]


def test_an_error_is_said_of_events_with_a_status() -> None:
    assert seen(observe_errors) == [(0, "error", 0.0), (1, "error", 1.0)]


def test_every_used_event_is_checked_by_every_check_that_is_asked_for() -> None:
    at_most_one = Check(None, None, 1.0, None, None, False)
    needed = Check(None, None, None, None, None, True)
    checks = {"features.a": at_most_one, "features.b": needed}
    assert seen(observe_invalid(checks), "invalid.b") == [
        (0, "features.b", 0.0),
        (1, "features.b", 1.0),
        (2, "features.b", 1.0),
    ]
    assert [value for _, _, value in seen(observe_invalid(checks), "invalid.*")] == [0.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    assert [event for event, _, _ in seen(observe_invalid(checks), "invalid.*")] == [0, 0, 1, 1, 2, 2]
    assert seen(observe_invalid({})) == []


def test_a_batch_without_any_names_is_no_trouble() -> None:
    batch = batch_of([{}, {}])
    groups = groups_of(batch, np.array([True, True]), (), {}, group)
    for observe in (observe_numbers, observe_texts("caller"), observe_presence, observe_errors):
        assert len(observe(batch, groups, parse_signal("features.*").takes).event) == 0
    event, codes = one_text(batch, groups, "caller")
    assert (event.tolist(), codes.tolist()) == ([], [])


def test_errors_by_number_and_by_word() -> None:
    assert [s for s in ("200", "301", "404", "503", "ok", "OK", "timeout", "") if is_error(s)] == [
        "404",
        "503",
        "timeout",
        "",
    ]


def test_shares_of_status_and_caller_name_what_moved() -> None:
    text = """monitors:
  errors: {signal: error, detect: {kind: adwin, direction: up}}
  callers: {signal: caller.*, detect: {kind: adwin}}
"""
    rng = random.Random(3)

    def event(failing: float, web: float) -> dict[str, Any]:
        status = "503" if rng.random() < failing else "200"
        return {"status": status, "caller": "web" if rng.random() < web else "batch"}

    before = [event(0.02, 0.5) for _ in range(3000)]
    assert firing(text, before) == []
    found = firing(text, before + [event(0.2, 0.9) for _ in range(1500)])
    assert {a["alert"]["labels"]["signal"] for a in found} == {"error", "caller.web", "caller.batch"}
    [errors] = [a for a in found if a["alert"]["labels"]["signal"] == "error"]
    assert errors["sentence"].startswith("m: share of failed events went from ")
