"""What goes in parts, and how much goes into one transaction, on a real broker: under a quota, too."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable

import pytest

from streamer.config.load import load_text
from streamer.engine.snapshot import Piece
from streamer.engine.tasks import Tasks
from streamer.kafka.log import KafkaLog
from streamer.kafka.publishing import Publisher
from streamer.kafka.state_topic import CHUNK_BYTES
from streamer.port import Committed, Outcome, Snapshot, Staged
from streamer.service import snapshots
from streamer.service.worker import Worker
from tests.broker.broker import limit_writes
from tests.kafka.service import produce
from tests.kafka.world import CONFIG_HASH, World, assigned, blob_of, owner, wait_for
from tests.sim.campaign import make_log
from tests.waiting import until

pytestmark = pytest.mark.broker

QUOTA = 1_000_000
CONFIG = """
version: 1
kafka: {{brokers: "{broker}", group: "{group}", start: earliest, client: {{client.id: "{group}"}}}}
topics: {{events: [{events}], alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats}}}
commit: {{interval: 200ms, snapshot_interval: 1s}}
"""


def limited(world: World, quota: int = QUOTA) -> Worker:
    """A worker that may write a megabyte a second, or so many bytes, and nobody else with it."""
    limit_writes(world.broker, world.group, quota)
    config = load_text(CONFIG.format(**vars(world)), "x", {})
    log = KafkaLog(config, logging.getLogger("test"))
    world.logs.append(log)
    return Worker(config, Tasks(config), log, time.monotonic, lambda: time.time_ns() // 1_000_000, lambda *a, **k: None)


def step_until(worker: Worker, done: Callable[[], bool]) -> tuple[float, float]:
    """How long the longest round took, in which the group hears nothing of us; and by how much we were held back."""
    longest_s = throttled_s = 0.0

    def step() -> None:
        nonlocal longest_s, throttled_s
        begin_s = time.monotonic()
        worker.step(0.1)
        longest_s = max(longest_s, time.monotonic() - begin_s)
        throttled_s = max(throttled_s, worker.log.throttled())

    until(done, lambda: worker.stats, step)
    return longest_s, throttled_s


def stored(world: World, topic: str) -> tuple[int, int]:
    """Bytes of the values in a topic, and of those that readers see."""
    every, seen = (world.values(topic, isolation) for isolation in ("read_uncommitted", "read_committed"))
    return sum(len(value or b"") for value in every), sum(len(value or b"") for value in seen)


def test_dead_letters_land_under_a_quota(world: World) -> None:
    """Twenty seconds' worth of records that are no JSON: in one transaction they never land. The quota is so low that
    a busy machine, too, writes faster: at a megabyte a second one was held back for .499 s only.
    """
    size, many = 500_000, 24
    records = [record._replace(value=os.urandom(size)) for record in make_log(random.Random(1), 0, many)]
    produce(world.broker, world.events, {0: records})
    worker, at = limited(world, 6 * QUOTA // 10), (world.events, 0)
    longest_s, throttled_s = step_until(worker, lambda: at in worker.owned and worker.owned[at].committed == many)
    assert longest_s < 9.0
    assert throttled_s > 0.5, "or there was no quota"
    assert [len(value or b"") for value in world.values(world.dead)] == [size] * many
    assert stored(world, world.dead) == (many * size, many * size)


def test_a_large_snapshot_lands_under_a_quota(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty-five megabytes: more than any transaction gets through before its deadline."""
    blob, at = os.urandom(25_000_000), (world.events, 0)
    world.produce(10)
    worker = limited(world)
    step_until(worker, lambda: at in worker.owned and worker.owned[at].committed == 10)
    first, (before, _) = worker.owned[at].pointer, stored(world, world.state)
    monkeypatch.setattr(snapshots, "pieces_of", lambda state: [Piece(memoryview(blob), 1)])
    world.produce(10)
    step_until(worker, lambda: bool(worker.stager.under_way()))
    world.produce(10)
    step_until(worker, lambda: worker.owned[at].committed == 30)
    assert worker.owned[at].pointer == first, "the offset goes on while the snapshot is on its way"
    longest_s, throttled_s = step_until(worker, lambda: worker.owned[at].pointer != first)
    assert longest_s < 9.0
    assert throttled_s > 0.5
    assert blob_of(worker.log, at, worker.owned[at].pointer) == [blob]  # type: ignore[arg-type]
    written, whole = stored(world, world.state)
    assert written == whole
    assert 0 < whole - before - len(blob) < 2000, "and the manifest"


def test_parts_come_back_whatever_stands_between_them(world: World) -> None:
    """Parts of another snapshot, one that was aborted, one written twice because nobody knew; and no end of a third."""
    at = (world.events, 0)
    log = owner(world)
    assert log.commit([], {at: Committed(3, None)}, {at: Snapshot(1, 0, CONFIG_HASH, b"first")}).outcome is Outcome.DONE
    root = log.committed(at)
    assert root is not None
    assert root.pointer is not None
    mine = Snapshot(3, 1, CONFIG_HASH, os.urandom(3 * CHUNK_BYTES + 1))
    publisher = log._publisher

    def write(snapshot: Snapshot, staged: Staged, chunks: int) -> Staged:
        outcome, then = log.stage(at, snapshot, staged, chunks, root)
        assert outcome is Outcome.DONE
        assert log.committed(at) == root, "an offset points at none of it yet"
        return then

    write(Snapshot(2, 1, CONFIG_HASH, os.urandom(2 * CHUNK_BYTES)), Staged(), 1)
    write(mine, Staged(), 2)
    one = write(mine, Staged(), 1)
    assert (one.written, one.chunks, one.pointer) == (1, 4, None)
    monkeyed, publisher._membership = publisher._membership, lambda: next(gone)
    gone = iter([object(), None])  # The group counts us in when the part is begun, and no more at its end.
    assert log.stage(at, mine, one, 3, root) == (Outcome.ABORTED, one)
    publisher._membership = monkeyed
    write(Snapshot(2, 1, CONFIG_HASH, b"other"), Staged(), 1)
    write(mine, one, 2)
    whole = write(mine, write(mine, one, 2), 4)
    assert whole.pointer is not None
    assert log.commit([], {at: Committed(5, whole.pointer)}, {}).outcome is Outcome.DONE
    world.close()
    heir = world.log()
    wait_for(heir, assigned(1))
    assert heir.committed(at) == Committed(5, whole.pointer)
    assert blob_of(heir, at, whole.pointer) == [mine.blob]
    assert blob_of(heir, at, None) == [mine.blob, b"other", b"first"]
    assert isinstance(publisher, Publisher)
