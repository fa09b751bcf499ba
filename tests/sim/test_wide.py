"""Both stages over a hundred partitions of the input, with fifty instances that come, die and are taken for dead: what
one undisturbed reader tells.
"""

from __future__ import annotations

import os

import pytest

from streamer.service.worker import Worker
from tests.sim.test_two_stages import First, Second

SEEDS = max(int(os.environ.get("DRIFTLINE_SEEDS", "0")) // 40, 1)
FIRST = int(os.environ.get("DRIFTLINE_FIRST_SEED", "0"))
INPUTS, PARTS, INSTANCES, EVENTS, TURNS = 100, 12, 50, 20, 2000
TEXT = """
version: 1
kafka: {brokers: "localhost:1", order: model}
topics: {events: [inferences], windows: drift-windows}
reference: {warmup: 30}
limits: {duplicates: 5000, lateness: 20s}
commit: {interval: 1s, snapshot_interval: 4s}
heartbeat: {interval: 20s}
monitors:
  mean: {signal: features.amount, detect: {kind: adwin, delta: 0.2}, keep_firing_for: 5s}
  jump: {signal: features.amount, detect: {kind: page_hinkley, delta: 0.25, threshold: 3, min_instances: 2}}
  change: {signal: version_change, detect: {kind: occurrence}, keep_firing_for: 5s}
"""


class WideSecond(Second):
    inputs, most = PARTS, INSTANCES


class WideFirst(First):
    inputs, most, text, behind = INPUTS, INSTANCES, TEXT, WideSecond

    def __init__(self, seed: int) -> None:
        super().__init__(seed, Worker, Worker, EVENTS)
        for number in range(1, INSTANCES):
            self.start(f"w{number}")
            self.second.start(f"w{number}")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_a_hundred_partitions_and_fifty_instances(seed: int) -> None:
    both = WideFirst(seed)
    both.run(TURNS)
    both.second.finish()
    both.check()
    assert min(both.broker.joined, both.second.broker.joined) > 2 * INSTANCES, "they died, and others came"
    assert "alerts" in {out.topic for out in both.second.broker.published()}
