"""The standard set: when it is there, how a file changes it, and what monitors share by default."""

from __future__ import annotations

import re
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.config.problems import ConfigError
from streamer.config.standard import STANDARD, resolved
from tests.config.samples import CONFIGS, LEAST, ROOT, STANDARD_MONITORS


def test_the_least_config_has_the_standard_monitors() -> None:
    config = load_text(LEAST, "least.yaml", {})
    assert config.effective_monitors() == STANDARD_MONITORS
    assert {m.signal for m in STANDARD_MONITORS.values()} == {
        "features.*",
        "confidence",
        "score.*",
        "logit.*",
        "label.*",
        "missing.*",
        "anomaly",
        "category.*",
        "events",
        "unseen.*",
        "correlation",
        "traffic",
        "p95(latency_ms)",
        "error",
        "value",
        "nan_prediction",
        "type_change.*",
    }
    assert (config.reference.warmup, config.commit.interval_ms, config.limits.message_bytes) == (500, 1000, 1 << 20)


def test_the_standard_set_is_changed_by_name_and_defaults_are_shared() -> None:
    config = load_text(CONFIGS / "standard-changed.good.yaml", "x", {})
    found = config.effective_monitors()
    assert set(found) == set(STANDARD_MONITORS) - {"anomaly-drift"} | {"score"}
    assert found["feature-mean"].detect.shown()["delta"] == 0.0001
    assert found["feature-mean"].signal == "features.*"
    assert (found["feature-mean"].severity, found["missing"].severity) == ("info", "critical")
    assert found["latency"].detect.kind == "trend"
    assert (found["latency"].for_ms, found["anomaly-fraction"].for_ms, found["score"].for_ms) == (180_000, 180_000, 0)
    assert {m.cooldown_ms for m in found.values()} == {3_600_000}


@pytest.mark.parametrize(
    ("more", "standard"),
    [
        ("monitors: {traffic: {signal: traffic, detect: {kind: level}}}", False),
        ("standard: true\nmonitors: {traffic: {signal: traffic, detect: {kind: trend}}}", True),
        ("standard: true\nmonitors: {mine: {signal: value, detect: {kind: adwin}}}", True),
        ("monitors: {traffic: false}", True),
        ("standard: false\nmonitors: {mine: {signal: value, detect: {kind: adwin}}}", False),
        ("monitors: {}", True),
    ],
)
def test_when_the_standard_set_is_there(more: str, standard: bool) -> None:
    found = load_text(LEAST + more + "\n", "x", {}).effective_monitors()
    assert ("feature-mean" in found) is standard
    if "kind: trend" in more:
        assert found["traffic"].detect.kind == "trend"


def test_the_readme_names_the_standard_set_and_nothing_else() -> None:
    text = (ROOT / "streamer" / "config" / "README.md").read_text()
    table = text.partition("| standard monitor |")[2].partition("\n\n")[0]
    named = re.findall(r"`([a-z-]+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert named == sorted(named, key=list(STANDARD_MONITORS).index)
    assert set(named) == set(STANDARD_MONITORS)


ADWIN = {"signal": "value", "detect": {"kind": "adwin"}}


@pytest.mark.parametrize("value", [None, 3, "x", [], {"monitors": 3}, {"monitors": [1]}, {"monitors": "off"}])
def test_what_is_no_config_is_left_for_others_to_refuse(value: Any) -> None:
    assert resolved(value) == value


def monitors(own: Any, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = resolved({"monitors": own, **more})["monitors"]
    return found


def test_an_entry_without_a_signal_changes_the_standard_one_key_by_key() -> None:
    found = monitors({"confidence": {"detect": {"delta": 0.1}, "severity": "info"}})
    changed = {"kind": "adwin", "direction": "down", "delta": 0.1}
    assert found["confidence"] == {**STANDARD["confidence"], "detect": changed, "severity": "info"}
    assert {name: found[name] for name in found if name != "confidence"} == {
        name: STANDARD[name] for name in STANDARD if name != "confidence"
    }
    other = monitors({"confidence": {"detect": {"kind": "page_hinkley"}}})["confidence"]["detect"]
    assert other == {"kind": "page_hinkley"}, "of another kind nothing is inherited"
    assert STANDARD["confidence"]["detect"] == {"kind": "envelope", "direction": "down"}


@pytest.mark.parametrize("off", [False, "off"])
def test_a_standard_monitor_can_be_taken_away(off: Any) -> None:
    assert set(monitors({"missing": off})) == set(STANDARD) - {"missing"}


def test_a_whole_monitor_under_a_standard_name_takes_its_place() -> None:
    assert monitors({"missing": ADWIN}) == {"missing": ADWIN}
    found = monitors({"missing": ADWIN}, standard=True)
    assert list(found) == list(STANDARD)
    assert found["missing"] == ADWIN
    assert monitors({"mine": False}, standard=True)["mine"] is False, "for the models to refuse"


DEFAULTS = {"severity": "info", "for": "2m", "by": ["version"], "cooldown": "1h"}


def test_defaults_fill_in_what_a_monitor_leaves_open() -> None:
    found = monitors(
        {
            "edge": ADWIN,
            "level": {"signal": "error", "detect": {"kind": "share"}},
            "own": {**ADWIN, "severity": "critical", "by": []},
            "whole": {"signal": "events", "detect": {"kind": "silence"}},
            "wrong": 3,
        },
        defaults=DEFAULTS,
    )
    without_for = {key: value for key, value in DEFAULTS.items() if key != "for"}
    assert found["edge"] == {**without_for, **ADWIN}, "an edge has no length"
    assert found["level"] == {**DEFAULTS, "signal": "error", "detect": {"kind": "share"}}
    assert (found["own"]["severity"], found["own"]["by"], found["own"]["cooldown"]) == ("critical", [], "1h")
    assert "by" not in found["whole"], "an old version that falls silent is no news"
    assert found["wrong"] == 3
    unfilled = resolved({"monitors": {"edge": ADWIN}, "defaults": DEFAULTS}, filled=False)
    assert unfilled["monitors"] == {"edge": ADWIN}


def test_a_shadow_has_a_topic_without_one_there_is_none() -> None:
    head = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]OTHER}\n'
    none = load_text(head.replace("OTHER", ""), "x", {})
    assert none.topics.shadow is None
    assert "shadow" not in none.topics.own()
    text = head + "monitors: {feature-mean: {shadow: true}}\n"
    one = load_text(text.replace("OTHER", ""), "x", {})
    assert one.topics.published()["shadow"] == "drift-shadow"
    assert one.monitors["feature-mean"].shadow
    assert len(one.monitors) == len(none.monitors), "an entry of the standard set is changed, the others stay"
    assert load_text(text.replace("OTHER", ", shadow: mine"), "x", {}).topics.own()["shadow"] == "mine"
    with pytest.raises(ConfigError, match="every topic has one use"):
        load_text(text.replace("OTHER", ", alerts: drift-shadow"), "x", {})
