"""The standard set: when it is there, how a file changes it, and what monitors share by default."""

from __future__ import annotations

import re

import pytest

from streamer.config.load import load_text
from tests.config.samples import CONFIGS, LEAST, ROOT, STANDARD_MONITORS


def test_the_least_config_has_the_standard_monitors() -> None:
    config = load_text(LEAST, "least.yaml", {})
    assert config.effective_monitors() == STANDARD_MONITORS
    assert {m.signal for m in STANDARD_MONITORS.values()} == {
        "features.*",
        "confidence",
        "label.*",
        "missing.*",
        "anomaly",
        "category.*",
        "events",
        "unseen.*",
        "distance",
        "traffic",
        "p95(latency_ms)",
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
    assert (found["latency"].for_ms, found["anomaly-fraction"].for_ms, found["score"].for_ms) == (120_000, 180_000, 0)
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
    table = (ROOT / "README.md").read_text().partition("| standard monitor |")[2].partition("\n\n")[0]
    named = re.findall(r"`([a-z-]+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert named == sorted(named, key=list(STANDARD_MONITORS).index)
    assert set(named) == set(STANDARD_MONITORS)
