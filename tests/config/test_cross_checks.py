"""Rules over several keys: each finds what it is for, nothing in good configs, and no value makes one fail."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.cross_checks import MONITOR_RULES, RULES, Rule, each_monitor, listed
from streamer.config.detect import DETECTS
from streamer.config.load import check
from streamer.config.standard import resolved
from streamer.config.yaml_source import parse
from tests.config.samples import CONFIGS, LEAST, signal_for

BAD = sorted(CONFIGS.glob("*.bad.yaml"))
GOOD = sorted(CONFIGS.glob("*.good.yaml"))
OF_WHOLE = [rule for rule in RULES if rule is not each_monitor]


@cache
def raw(name: str) -> Any:
    return resolved(parse((CONFIGS / name).read_bytes(), name, {}).value)


def monitors_of(config: Any) -> list[Any]:
    found = config.get("monitors") if isinstance(config, dict) else None
    return list(found.values()) if isinstance(found, dict) else []


@pytest.mark.parametrize("rule", OF_WHOLE, ids=lambda rule: rule.__name__)
def test_every_rule_has_a_config_that_breaks_it(rule: Rule) -> None:
    assert any(list(rule(raw(path.name))) for path in BAD)
    assert not any(list(rule(raw(path.name))) for path in GOOD)


@pytest.mark.parametrize("rule", MONITOR_RULES, ids=lambda rule: rule.__name__)
def test_every_rule_of_a_monitor_has_one_that_breaks_it(rule: Rule) -> None:
    bad, good = ([m for path in paths for m in monitors_of(raw(path.name))] for paths in (BAD, GOOD))
    assert any(list(rule(monitor)) for monitor in bad)
    assert not any(list(rule(monitor)) for monitor in good)


WORDS = st.sampled_from(["features.*", "events", "traffic", "error", "mean(", "river", "level", "2m", "x", ""])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3000) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
KEYS = (
    "signal",
    "by",
    "window",
    "for",
    "detect",
    "kind",
    "name",
    "params",
    "min_count",
    "max",
    "clear",
    "events",
    "time",
)
MONITOR = st.dictionaries(st.sampled_from(KEYS), JUNK | st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=4))


@given(MONITOR | JUNK)
def test_values_of_the_wrong_type_are_passed_over(monitor: Any) -> None:
    whole = {"monitors": {"m": monitor}, "checks": monitor, "topics": monitor, "anomaly": monitor, "kafka": monitor}
    for config in (whole, monitor, {"monitors": monitor}):
        for path, kind, message, _ in (complaint for rule in RULES for complaint in rule(config)):
            assert all(isinstance(part, str | int) for part in path)
            assert (kind, message[-1]) in {(kind, "."), (kind, "?")}


def complaints(kind: str, more: str) -> set[str]:
    """The keys of a monitor of that kind that are refused, of those in `more`."""
    text = f"{LEAST}monitors: {{m: {{signal: {signal_for(kind)}, detect: {{kind: {kind}}}, {more}}}}}\n"
    _, problems = check(text.encode(), "x", {})
    found = {".".join(problem.path.split(".")[2:]) for problem in problems}
    return {path for path in found if path.startswith(("for", "window"))}


@pytest.mark.parametrize("kind", DETECTS)
def test_only_a_kind_that_says_so_can_be_held_for_a_while(kind: str) -> None:
    """By its class variable, whatever kinds there are: none can be missing from a table."""
    assert complaints(kind, "for: 2m") == (set() if DETECTS[kind].held else {"for"})
    assert complaints(kind, "for: 0s") == set()


@pytest.mark.parametrize("kind", DETECTS)
def test_only_a_kind_that_says_so_has_windows(kind: str) -> None:
    detect = DETECTS[kind]
    assert bool(complaints(kind, "window: {events: 100}")) is not (detect.windowed and not detect.timed)
    of_time = detect.aggregated or (detect.windowed and kind != "distribution")
    assert bool(complaints(kind, "window: {time: 1m}")) is not of_time


@pytest.mark.parametrize("what", ["held", "windowed", "counted", "aggregated", "ticked"])
def test_the_sentences_name_the_kinds_of_the_table(what: str) -> None:
    wanted = {kind for kind, detect in DETECTS.items() if getattr(detect, what)}
    assert set(listed(what).replace(" and ", ", ").split(", ")) == wanted
    assert " and " in listed(what)


@pytest.mark.parametrize(
    ("own", "path"),
    [
        ("false_alarms: {scope: service}\n", "false_alarms.scope"),
        ("false_alarms: {models: 3}\n", "false_alarms.models"),
        ("false_alarms: {scope: service, models: 3}\n", None),
        (
            "false_alarms: {scope: service}\nmonitors: {a: {signal: value, model: m, detect: {kind: envelope}}}\n",
            None,
        ),
        (
            "false_alarms: {scope: service}\nmonitors: {a: {signal: value, model: [m, n], detect: {kind: envelope}}}\n",
            None,
        ),
        (
            "false_alarms: {scope: service}\nmonitors: {a: {signal: error, model: [m, n*], detect: {kind: adwin}}}\n",
            "false_alarms.scope",
        ),
    ],
)
def test_a_budget_of_the_service_knows_its_models(own: str, path: str | None) -> None:
    found = [problem.path for problem in check((LEAST + own).encode(), "x.yaml", {})[1]]
    assert found == ([path] if path else [])
