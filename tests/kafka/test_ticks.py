"""Time as data on a real broker: a stopped producer is reported, once, whatever is killed meanwhile."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.config.load import load_config
from tests.kafka.service import beats_of, first_ends, produce, wait_committed
from tests.kafka.test_service import MORE, PARTITIONS, Setup
from tests.sim.campaign import make_log, oracle, ticks_of
from tests.waiting import until

pytestmark = pytest.mark.broker

SILENCE = """
  silent: {signal: events, detect: {kind: silence, after: 4s, min_count: 5}, keep_firing_for: 1ms}
heartbeat: {interval: 1s}
"""


def test_silence_is_reported_exactly_once_through_kills(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    setup = Setup(broker, make_topics, tmp_path, 40, MORE + SILENCE)
    logs = {n: make_log(random.Random(n), n, 400) for n in range(PARTITIONS)}
    produce(broker, setup.events, {n: records[:300] for n, records in logs.items()})
    for _ in range(3):
        with setup.run() as service:
            time.sleep(random.SystemRandom().uniform(3.0, 5.0))
            service.kill()
    expected = {f"m{n}" for n in range(PARTITIONS)}
    with setup.run() as service:  # Killed ones may have heard nothing: after a start the first ticks do not count.
        until(lambda: told_silent(setup) >= expected)
        produce(broker, setup.events, {n: records[300:] for n, records in logs.items()})
        wait_committed(broker, setup.group, setup.events, dict.fromkeys(logs, 400))
        assert service.stop() == 0, setup.log.read_text()[-2000:]
    config, alerts, beats, ends = load_config(setup.path, {}), [], [], first_ends(setup.log.parent)
    published = beats_of(broker, setup.beats, PARTITIONS)
    for n, records in logs.items():
        task = oracle(config, (setup.events, n), records, ticks_of(published[n]), first_end=ends.get(n, 0))
        alerts += [out.value for out in task.outbox if out.topic in ("alerts", "incidents")]
        beats += [out.value for out in task.outbox if out.topic == "heartbeats"]
    assert sorted(beats) == sorted(out.value or b"" for own in published.values() for out in own)
    assert sorted(alerts) == sorted(setup.published())
    silent = [json.loads(value) for value in setup.published() if b'"monitor":"silent","detector"' in value]
    assert {a["data"]["status"] for a in silent} == {"firing", "resolved"}
    assert told_silent(setup) >= expected


def told_silent(setup: Setup) -> set[str]:
    """The models of which somebody said so."""
    found = [json.loads(value) for value in setup.published() if b'"monitor":"silent","detector"' in value]
    return {one["data"]["alert"]["labels"]["model"] for one in found}
