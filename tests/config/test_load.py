"""Every rejected config is a fixture with its exact messages; and what the accepted ones mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamer.config.load import check, load_text
from streamer.config.problems import KINDS, ConfigError
from tests.config.samples import CONFIGS, LEAST

BAD = sorted(CONFIGS.glob("*.bad.yaml"))


def test_there_are_enough_fixtures_of_every_kind() -> None:
    assert len(BAD) >= 45
    assert {p.stem for p in BAD} == {p.stem for p in CONFIGS.glob("*.bad.txt")}
    found = {p.kind for path in BAD for p in check(path.read_bytes(), path.name, {})[1]}
    assert found == set(KINDS) - {
        "not-in-sample",
        "read-twice",
        "may-be-codes",
        "only-rises",
        "not-used",
        "odd-field",
        "not-watched",
        "nothing-used",
    }  # They take a sample, see tests/offline.


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.name.removesuffix(".bad.yaml"))
def test_a_broken_config_is_refused_with_exactly_these_words(path: Path) -> None:
    config, problems = check(path.read_bytes(), path.name, {})
    assert config is None
    said = str(ConfigError(problems)) + "\n"
    if os.environ.get("DRIFTLINE_REWRITE"):  # After a default or a sentence changed: rewrite, then read the diff.
        path.with_suffix(".txt").write_text(said)
    assert said == path.with_suffix(".txt").read_text()


def test_the_example_of_the_documentation_loads() -> None:
    text = (
        LEAST
        + """
monitors:
  amount-mean: {model: fraud, signal: features.amount, by: [version], detect: {kind: adwin, delta: 0.002}}
  latency-up:  {signal: latency_ms, detect: {kind: page_hinkley, direction: up, threshold: 50}, severity: critical}
  odd-events:  {signal: anomaly, window: {events: 1000}, detect: {kind: fraction, max: 0.05}, for: 2m, cooldown: 1h}
commit: {interval: 1s, snapshot_interval: 10s}
limits: {series: 20000, message_bytes: 1MiB}
server: {listen: "127.0.0.1:8080"}
"""
    )
    config = load_text(text, "x.yaml", {})
    assert config.monitors["odd-events"].for_ms == 120_000
    assert config.monitors["amount-mean"].detect.params().delta == 0.002  # type: ignore[union-attr]


def test_warnings_are_told_and_stop_nothing() -> None:
    told: list[str] = []
    text = LEAST.replace("}\ntopics", ", client: {fetch.wait.max.mz: 5}}\ntopics")
    assert "client" in text
    load_text(text, "x", {}, lambda problem: told.append(problem.kind))
    assert told == ["unknown-setting"]
