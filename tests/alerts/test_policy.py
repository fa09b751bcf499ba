"""A monitor's durations and directions, as the alert book wants them."""

from __future__ import annotations

from streamer.alerts.policy import policy_of
from streamer.config.load import load_text

TEXT = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
monitors:
  down:
    signal: confidence
    detect: {kind: adwin, direction: down}
    keep_firing_for: 5m
    cooldown: 7m
    repeat_interval: 2h
    accept_after: 3d
  any: {signal: confidence, detect: {kind: adwin}}
"""


def test_what_the_file_says_is_the_policy() -> None:
    monitors = load_text(TEXT, "x", {}).effective_monitors()
    policy = policy_of(monitors["down"])
    assert (policy.keep_firing_for_ms, policy.cooldown_ms, policy.repeat_ms) == (300_000, 420_000, 7_200_000)
    assert (policy.accept_after_ms, policy.side, policy_of(monitors["any"]).side) == (3 * 86_400_000, -1, 0)
