"""What is written in parts, and how much goes into one transaction, on a real broker: under a quota, too."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.engine.task import Tasks
from streamer.kafka.log import KafkaLog
from streamer.kafka.state_topic import CHUNK_BYTES
from streamer.port import Committed, Outcome, Snapshot, Staged
from streamer.service import snapshots
from streamer.service.worker import Worker
from tests.broker.broker import limit_writes
from tests.kafka.world import CONFIG_HASH, MakeTopics, World, blob_of, owner, wait_for, assigned
from tests.kafka.service import produce
from tests.sim.campaign import make_log

pytestmark = pytest.mark.broker

QUOTA = 1_000_000
LIMITED = "driftline-limited"
CONFIG = (
    """
version: 1
kafka: {{brokers: "{broker}", group: "{group}", start: earliest, client: {{client.id: "%s"}}}}
topics: {{events: [{events}], alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats}}}
commit: {{interval: 200ms, snapshot_interval: 1s}}
"""
    % LIMITED
)


@pytest.fixture(scope="module")
def limited(broker: str) -> str:
    limit_writes(broker, LIMITED, QUOTA)
    return LIMITED


def started(world: World) -> Worker:
    """A worker on the real log, which may write 1 MB a second."""
    text = CONFIG.format(
        **{name: getattr(world, name) for name in ("broker", "group", "events", "alerts", "state", "dead", "beats")}
    )
    config = load_text(text, "x", {})
    log = KafkaLog(config, logging.getLogger("test"))
    world.logs.append(log)
    return Worker(config, Tasks(config), log, time.monotonic, lambda: time.time_ns() // 1_000_000, lambda *a, **k: None)


def step_until(worker: Worker, done: Callable[[], bool], seconds: float) -> float:
    """The longest step, in seconds."""
    end_s, longest_s = time.monotonic() + seconds, 0.0
    while not done():
        begin_s = time.monotonic()
        assert begin_s < end_s, f"not within {seconds} s: {worker.stats}"
        worker.step(0.1)
        longest_s = max(longest_s, time.monotonic() - begin_s)
    return longest_s


def aborted_bytes(world: World, topic: str) -> int:
    every, seen = (
        sum(len(v or b"") for v in world.values(topic, kind)) for kind in ("read_uncommitted", "read_committed")
    )
    return every - seen


def test_dead_letters_land_under_a_quota(world: World, limited: str) -> None:
    """Fifty megabytes of records that are no JSON."""
    records = [r._replace(value=os.urandom(500_000)) for r in make_log(random.Random(1), 0, 100)]
    produce(world.broker, world.events, {0: records})
    worker = started(world)
    at = (world.events, 0)
    begin_s = time.monotonic()
    longest_s = step_until(worker, lambda: at in worker.owned and worker.owned[at].committed == 100, 100)
    print(
        f"landed after {time.monotonic() - begin_s:.1f} s, longest step {longest_s:.1f} s, aborted {aborted_bytes(world, world.dead)}, {worker.stats.commits}"
    )
    assert len(world.values(world.dead)) == 100
    assert aborted_bytes(world, world.dead) == 0


def test_a_large_snapshot_lands_under_a_quota(world: World, limited: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty megabytes: more than any transaction gets through before its deadline."""
    blob = os.urandom(40_000_000)
    at = (world.events, 0)
    world.produce(10)
    worker = started(world)
    step_until(worker, lambda: at in worker.owned and worker.owned[at].committed == 10, 20)
    monkeypatch.setattr(snapshots, "encode", lambda state: blob)
    first = worker.owned[at].pointer
    world.produce(10)
    begin_s = time.monotonic()
    longest_s = step_until(worker, lambda: worker.owned[at].committed == 20, 20)
    told = time.monotonic() - begin_s
    longest_s = step_until(worker, lambda: worker.owned[at].pointer != first, 100)
    print(
        f"offset after {told:.1f}, snapshot after {time.monotonic() - begin_s:.1f} s, longest step {longest_s:.1f} s, aborted {aborted_bytes(world, world.state)}, {worker.stats.commits}, throttled {worker.log.throttled()}"
    )
    assert blob_of(worker.log, at, worker.owned[at].pointer) == [blob]
    assert aborted_bytes(world, world.state) == 0
