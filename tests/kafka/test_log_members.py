"""`KafkaLog` when members come, go, sleep and clash, and when the broker does not answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streamer.kafka.client import Limits
from streamer.port import Committed, LogDown, Lost, Out, Outcome, Partition, Records, Snapshot
from tests.bounded import close_log
from tests.broker.broker import Broker
from tests.kafka.world import (
    CONFIG_HASH,
    QUICK,
    MakeTopics,
    World,
    alert,
    assigned,
    blob_of,
    nothing,
    offsets_in,
    owner,
    stopped,
    wait_for,
)
from tests.waiting import until

pytestmark = pytest.mark.broker


def test_a_revoked_partition_commits_inside_the_callback(broker: str, make_topics: MakeTopics) -> None:
    world = World(broker, make_topics, partitions=2)
    for number in (0, 1):
        world.produce(10, number)
    first = world.log(**QUICK)
    wait_for(first, assigned(2))
    for number in (0, 1):
        first.start((world.events, number), 0)
    results: dict[Partition, Outcome] = {}

    def release(partitions: list[Partition]) -> None:
        for partition in partitions:
            snapshot = Snapshot(4, 0, CONFIG_HASH, b"handed over")
            result = first.commit([alert("last")], {partition: Committed(4, None)}, {partition: snapshot})
            results[partition] = result.outcome

    second = world.log()
    events: list[Any] = []

    def both() -> None:
        first.poll(10, 0.05, release)
        events.extend(second.poll(10, 0.05, nothing))

    until(lambda: assigned(1)(events), lambda: events, both)
    [moved] = [e.partition for e in events]
    assert results == {moved: Outcome.DONE}
    committed = second.committed(moved)
    assert committed is not None
    assert committed.offset == 4
    assert blob_of(second, moved, committed.pointer) == [b"handed over"]
    # The old owner can no longer commit it, but still what it kept.
    kept = (world.events, 1 - moved[1])
    assert first.commit([], {moved: Committed(9, None)}, {}).outcome is Outcome.ABORTED
    assert first.commit([], {kept: Committed(5, None)}, {}).outcome is Outcome.DONE
    assert second.committed(moved) == committed
    world.produce(1, kept[1])
    assert kept in {e.partition for e in wait_for(first, lambda seen: bool(seen)) if isinstance(e, Records)}
    world.close()


def test_a_member_that_polled_too_late_writes_nothing(world: World) -> None:
    """librdkafka itself left the group for it; the worker may not know yet."""
    world.produce(5)
    partition = (world.events, 0)
    late = owner(world, **QUICK, **{"max.poll.interval.ms": 2000})
    wait_for(late, lambda seen: len(offsets_in(seen, partition)) == 5)
    assert late.commit([], {partition: Committed(2, None)}, {}).outcome is Outcome.DONE
    heir = world.log()
    wait_for(heir, assigned(1))
    assert heir.committed(partition) == Committed(2, None)
    assert heir.commit([], {partition: Committed(3, None)}, {}).outcome is Outcome.DONE
    assert late.commit([alert("late")], {partition: Committed(5, None)}, {}).outcome is Outcome.ABORTED
    seen = wait_for(late, lambda seen: Lost(partition) in seen)
    assert not [e for e in seen if isinstance(e, Records)]
    assert late.commit([alert("late")], {partition: Committed(5, None)}, {}).outcome is Outcome.ABORTED
    assert heir.committed(partition) == Committed(3, None)
    assert world.values(world.alerts) == []


@pytest.mark.parametrize(
    ("delay_s", "unguarded", "stages"),
    [(0.0, False, False), (0.3, False, False), (0.3, True, False), (0.3, True, True)],
)
def test_a_zombie_writes_nothing(world: World, delay_s: float, unguarded: bool, stages: bool) -> None:
    """A process stopped for longer than its session commits at the moment it wakes, while its heartbeat learns why; or
    it writes a part of a snapshot, whose keys are those of its heir's.

    Unguarded, without the check of the member id: Kafka 4 refuses it by itself; older brokers need not.
    """
    world.produce(5)
    partition = (world.events, 0)
    config = world.config(**QUICK)
    options = {"kafka": vars(config.kafka), "topics": vars(config.topics), "unguarded": unguarded}
    options["stages"] = stages
    program = Path(__file__).with_name("zombie.py")
    with subprocess.Popen(
        [sys.executable, str(program), json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as zombie:
        assert zombie.stdin is not None
        assert zombie.stdout is not None
        assert zombie.stdout.readline() == "READY done\n"
        zombie.send_signal(signal.SIGSTOP)
        heir = world.log(**QUICK)
        wait_for(heir, assigned(1))
        assert heir.commit([], {partition: Committed(3, None)}, {}).outcome is Outcome.DONE
        zombie.stdin.write(f"{delay_s}\n")
        zombie.stdin.flush()
        zombie.send_signal(signal.SIGCONT)
        assert zombie.stdout.readline() == "aborted\n"
        assert zombie.stdout.readline() == "LOST\n"
    assert heir.committed(partition) == Committed(3, None)
    assert world.values(world.alerts) == world.values(world.state) == []


def test_recover_settles_a_commit_that_the_broker_slept_through(world: World, request: pytest.FixtureRequest) -> None:
    if os.environ.get("DRIFTLINE_TEST_KAFKA"):
        pytest.skip("a given broker is not ours to stop")
    the_broker: Broker = request.getfixturevalue("the_broker")
    world.produce(9)
    partition = (world.events, 0)
    log = owner(world, limits=Limits(slice=0.5, commit=1.0))

    def lands(offset: int, *outs: Out) -> bool:
        """A second may be too short on a busy machine."""
        if log.commit([*outs], {partition: Committed(offset, None)}, {}).outcome is Outcome.DONE:
            return True
        log.recover()
        return False

    until(lambda: lands(1))
    landed = [1]
    for i in range(3):
        with stopped(the_broker, 2.0):
            outcome = log.commit([alert(str(i))], {partition: Committed(2 + i, None)}, {}).outcome
            assert outcome is Outcome.UNKNOWN
        log.recover()
        committed = log.committed(partition)
        assert committed is not None
        assert committed.offset in (landed[-1], 2 + i)
        if committed.offset == 2 + i:
            landed.append(2 + i)
        assert world.values(world.alerts) == [b"%d" % (at - 2) for at in landed[1:]]
    until(lambda: lands(9, alert("end")))
    assert log.committed(partition) == Committed(9, None)


def test_trouble_in_the_log_replaces_the_producer_first(world: World) -> None:
    class Watch:
        trouble = False
        resets = 0

        def reset(self) -> None:
            self.trouble = False
            self.resets += 1

    watch = Watch()
    log = owner(world, watch=watch)
    resets = watch.resets
    assert log.commit([], {(world.events, 0): Committed(0, None)}, {}).outcome is Outcome.DONE
    assert watch.resets == resets
    watch.trouble = True
    assert log.commit([], {(world.events, 0): Committed(0, None)}, {}).outcome is Outcome.DONE
    assert watch.resets == resets + 1
    assert not watch.trouble


def test_two_processes_with_one_transactional_id_do_not_go_on_for_ever(broker: str, make_topics: MakeTopics) -> None:
    world = World(broker, make_topics, partitions=2)
    world_2 = World(broker, make_topics, partitions=2)
    world_2.group = world.group
    first = world.log(instance="same")
    wait_for(first, assigned(2))
    world_2.group, group = world_2.group + "-b", world.group
    second = world_2.log(instance="same")
    wait_for(second, assigned(2))
    # Another group, so that only the transactional.id clashes and not the membership.
    second._transactions.id = first._transactions.id
    for _ in range(3):
        second.recover()
        assert first.commit([alert("x")], {(world.events, 0): Committed(1, None)}, {}).outcome is Outcome.UNKNOWN
        if _ < 2:
            first.recover()
    with pytest.raises(LogDown, match=f"transactional.id driftline-{group}-same .*'same'.*fenced 3 times"):
        first.recover()
    for log in (first, second):
        close_log(log)


def test_what_a_callback_raises_comes_out_of_poll(broker: str, make_topics: MakeTopics) -> None:
    world = World(broker, make_topics, partitions=2)
    first = world.log(**QUICK)
    wait_for(first, assigned(2))

    def fail(partitions: list[Partition]) -> None:
        raise RuntimeError("inside the callback")

    second = world.log()
    with pytest.raises(RuntimeError, match="inside the callback"):
        wait_for(first, lambda seen: bool(second.poll(10, 0.0, nothing)) and False, on_revoke=fail)
    world.close()
