"""The snapshot codec: what is encoded comes back, equal states give equal bytes, and nothing broken is believed."""

from __future__ import annotations

import random

import pytest

from streamer.config.load import load_text
from streamer.engine.snapshot import InvalidSnapshot
from streamer.engine.task import Task
from tests.engine.tasks import AT, run
from tests.sim.campaign import CONFIG, make_log


def test_a_broken_snapshot_is_refused_whatever_is_broken() -> None:
    config = load_text(CONFIG, "x", {})
    blob = run(config, make_log(random.Random(4), 0, 200)).dump()
    rng = random.Random(1)
    for _ in range(200):
        broken = bytearray(blob)
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        with pytest.raises(InvalidSnapshot):
            Task.load(config, AT, bytes(broken[: rng.choice([len(broken), rng.randrange(len(broken))])]))
    with pytest.raises(InvalidSnapshot, match="snapshot of"):
        Task.load(config, ("inferences", 1), blob)
