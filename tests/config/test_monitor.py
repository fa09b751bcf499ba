"""A monitor's config: how its alerts end by default, and what its state depends on."""

from __future__ import annotations

import pytest

from streamer.config.detect import DETECTS
from streamer.config.load import check, load_text
from streamer.config.monitor import EVENTS_PER_WINDOW, TIME_PER_WINDOW
from tests.config.samples import LEAST, by_for, signal_for
from tests.monitors.every import NEEDED


def config_of(kind: str, more: str = "", defaults: str = "{}") -> str:
    needed = f", {NEEDED[kind]}" if kind in NEEDED else ""
    monitor = f"{{signal: '{signal_for(kind)}', {by_for(kind)}detect: {{kind: {kind}{needed}}}{more}}}"
    return f"{LEAST}labels: {{}}\ndefaults: {defaults}\nmonitors: {{m: {monitor}}}\n"


@pytest.mark.parametrize("kind", DETECTS)
def test_what_has_a_before_or_a_condition_recovers_and_the_rest_fades(kind: str) -> None:
    for defaults in ("{}", "{resolve: faded}"):
        monitor = load_text(config_of(kind, defaults=defaults), "x", {}).monitors["m"]
        edge = DETECTS[kind].edged and kind != "occurrence"
        faded = kind == "occurrence" or (edge and defaults != "{}")
        assert monitor.resolves == ("faded" if faded else "recovered")


def test_how_alerts_end_is_no_matter_of_the_detectors_state() -> None:
    one, other = (load_text(config_of("adwin", more), "x", {}) for more in ("", ", resolve: accepted, recover_band: 2"))
    assert one.monitors["m"].state_spec() == other.monitors["m"].state_spec()
    assert one.config_hash != other.config_hash


def test_a_window_is_of_events_unless_it_says_otherwise() -> None:
    monitor = load_text(config_of("fraction"), "x", {}).monitors["m"]
    assert monitor.windows == EVENTS_PER_WINDOW
    assert monitor.aggregate_ms == 60_000
    assert load_text(config_of("peers"), "x", {}).monitors["m"].windows == TIME_PER_WINDOW


@pytest.mark.parametrize("said", ["[]", "5", "[5]", "''", "[a, '']", "{a: 1}"])
def test_what_is_no_model_is_told_in_one_sentence(said: str) -> None:
    text = f"{LEAST}monitors: {{m: {{model: {said}, signal: value, detect: {{kind: adwin}}}}}}\n"
    problems = check(text.encode(), "x", {})[1]
    assert [(one.path, one.kind) for one in problems] == [("monitors.m.model", "bad-value")]
    assert problems[0].message.startswith("wanted is a model's name or pattern, or a list of some")
