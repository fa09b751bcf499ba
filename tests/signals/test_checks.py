"""Rules for values: what breaks each of them, and the alert that comes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.config.problems import ConfigError
from streamer.signals.checks import Check, differs, violations
from tests.signals.events import batch_of, firing


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (Check("number", None, None, None, None, False), [1, 2]),
        (Check("text", None, None, None, None, False), [0, 4]),
        (Check(None, 1.0, 6.0, None, None, False), [0, 1, 2]),
        (Check(None, None, None, ("NL",), None, False), [0, 2, 4]),
        (Check(None, None, None, ("NL", "7", "5.0"), None, False), [2]),
        (Check(None, None, None, None, None, True), [3, 5]),
    ],
)
def test_what_breaks_a_check(check: Check, wrong: list[int]) -> None:
    features: list[dict[str, Any]] = [{"a": 7}, {"a": "NL"}, {"a": "DE"}, {"a": None}, {"a": 5}, {}]
    batch = batch_of([{"features": one} for one in features])
    assert np.flatnonzero(violations(batch, "features.a", check)).tolist() == wrong


@pytest.mark.parametrize(
    ("allowed", "fine"),
    [
        ("[12, 47]", [12, 12.0, "12", 47]),
        ("['12', \"47\"]", [12, 12.0, "12", 47]),
        ("[12, NL]", [12, 12.0, "12", "NL"]),
        ("[true]", [True, "true"]),
        ("[false, 1]", [False, "false", 1]),
        ("[0.5, -3.0]", [0.5, "0.5", -3, "-3", "-3.0"]),
        ("[2]", [2, 2.0, "2", "2.0"]),
        ("['2.0']", ["2.0"]),
        ("['012']", ["012"]),
    ],
)
def test_a_code_is_allowed_as_number_and_as_text(allowed: str, fine: list[Any]) -> None:
    text = f"checks: {{features.a: {{allowed: {allowed}}}}}\n"
    text += "monitors: {never: {signal: invalid.a, detect: {kind: occurrence}}}\n"
    assert firing(text, [{"features": {"a": one}} for one in fine]) == []
    for wrong in (13, "13", 12.5, "NL" if "NL" not in fine else "DE", "012" if "012" not in fine else "0012", 1e300):
        assert len(firing(text, [{"features": {"a": wrong}}])) == 1, wrong


def test_a_version_is_allowed_as_number_and_as_text() -> None:
    """2.0 is the text `2.0` of an event, though the config has it as a number that is 2."""
    monitors = "monitors: {never: {signal: invalid.version, detect: {kind: occurrence}}}\n"
    for allowed in ("[2.0, 7]", "[2, 7.0]"):
        text = f"checks: {{version: {{allowed: {allowed}}}}}\n{monitors}"
        assert firing(text, [{"model_version": one} for one in (2.0, "2.0", 2, "2", 7, 7.0)]) == []
        assert len(firing(text, [{"model_version": "2.1"}])) == 1
    assert len(firing(f"checks: {{version: {{allowed: ['2.0']}}}}\n{monitors}", [{"model_version": 2}])) == 1


def test_invalid_takes_a_pattern_of_what_has_checks() -> None:
    checks = 'checks: {"features.Total Charges": {max: 9}, features.age: {max: 9}, label: {allowed: [x]}}\n'
    text = checks + 'monitors: {never: {signal: "invalid.Total*", by: [segment.a b], detect: {kind: occurrence}}}\n'
    events = [{"features": {"Total Charges": i, "age": 10 * i}, "segment": {"a b": "x"}} for i in (1, 2, 9)]
    assert firing(text, events) == []
    assert len(firing(text, [*events, {"features": {"Total Charges": 10}, "segment": {"a b": "x"}}])) == 1
    with pytest.raises(ConfigError, match="no check is about 'no\\*'"):
        firing(text.replace("Total*", "no*"), [])


def test_what_differs_from_what_it_must_be_equal_to() -> None:
    pairs: list[tuple[Any, Any]] = [(1.0, 1.0), (1.0, 1.0005), (1.0, 1.1), (1.0, None), (None, 1.0), ("a", "a")]
    pairs += [("a", "b"), ("a", 1.0), (1.0, "a"), (1e308, -1e308), (0, 0), (True, True), (True, False)]
    batch = batch_of([{"features": {"a": one, "b": other}} for one, other in pairs])
    found = np.flatnonzero(differs(batch, "features.a", "features.b", 0.001)).tolist()
    assert [pairs[i] for i in found] == [
        (1.0, 1.1),
        (None, 1.0),
        ("a", "b"),
        ("a", 1.0),
        (1.0, "a"),
        (1e308, -1e308),
        (True, False),
    ]
    assert not differs(batch, "features.a", "nowhere", 0.001).any()


def test_the_first_impossible_confidence_alerts_at_once() -> None:
    text = """checks: {confidence: {min: 0, max: 1}}
monitors: {never: {signal: invalid.confidence, detect: {kind: occurrence}}}
"""
    events: list[dict[str, Any]] = [{"prediction": {"confidence": 0.5}} for _ in range(10)]
    assert firing(text, events) == []
    events[7] = {"prediction": {"confidence": 1.5}}
    [alert] = firing(text, events)
    assert alert["trigger"]["offset"] == 7
    assert alert["sentence"] == "m: events have an invalid confidence; found by occurrence at inferences[0]@7."
