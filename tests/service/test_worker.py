"""What the worker says of a commit whose outcome was unknown, and how much it puts into one."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.engine.tasks import Tasks
from streamer.port import CommitResult, Committed, Outcome, Partition, Pointer
from streamer.service.portions import LETTERS_BYTES_MAX
from streamer.service.worker import Worker
from tests.sim.broker import Broker, SimLog
from tests.sim.campaign import CONFIG, by_partition, make_log, oracle

AT = ("inferences", 0)
CONFIGURED = load_text(CONFIG, "x", {})


def reach(worker: Worker, position: int) -> None:
    """Step until the task has taken what comes before."""
    while AT not in worker.owned or worker.owned[AT].task.position < position:
        worker.step(0.0)


@pytest.mark.parametrize(("fault", "drained"), [("lost-ack", True), ("stall-never", False), ("abort", False)])
def test_drained_means_that_the_last_commit_landed(fault: str, drained: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_text(CONFIG, "x", {})
    broker = Broker(random.Random(1), [AT], {})
    broker.logs = {AT: make_log(random.Random(2), 0, 100)}
    log = SimLog(broker, "w0")
    worker = Worker(config, Tasks(config), log, lambda: 0.0, lambda: 0, lambda *a, **k: None)
    reach(worker, 50)
    if fault == "stall-never":  # Every EndTxn gets lost: each outcome is unknown, and each settles as not landed.
        monkeypatch.setattr(broker, "end", lambda transaction, commit: setattr(transaction, "state", "aborted"))
        fault = "stall"
    broker.faults = {fault: 1.0}
    assert worker.drain() is drained
    committed = broker.committed.get(AT)
    assert (committed is not None and committed.offset == worker.owned[AT].task.position) is drained
    assert ("commits" in worker.stats.trouble) is (fault == "stall"), (
        "also where nobody but the committed offset says so"
    )


def test_a_round_commits_what_is_too_much_once_and_the_group_hears_of_us_before_the_next() -> None:
    """Else a backlog of many megabytes under a quota is one round, of minutes."""
    broker = Broker(random.Random(1), [AT], {})
    broker.logs = {AT: [r._replace(value=b"x" * 900_000) for r in make_log(random.Random(2), 0, 12)]}
    log, landed = SimLog(broker, "w0"), list[int]()
    worker = Worker(CONFIGURED, Tasks(CONFIGURED), log, lambda: 0.0, lambda: 0, lambda *a, **k: None)
    while (at := (broker.committed.get(AT) or Committed(0, None)).offset) != 12:
        landed.append(at or 0)
        worker.step(0.0)
        if worker.owned and not worker.backlog:
            worker.commit()
    assert max(after - before for before, after in itertools.pairwise(landed)) <= 2


def test_a_commit_that_others_wait_for_is_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(random.Random(1), [AT], {})
    broker.logs = {AT: make_log(random.Random(2), 0, 100)}
    log = SimLog(broker, "w0")
    worker = Worker(CONFIGURED, Tasks(CONFIGURED), log, lambda: 0.0, lambda: 0, lambda *a, **k: None)
    reach(worker, 50)
    first = broker.committed[AT]
    worker.step(0.0)
    assert broker.committed[AT] == first, "its time has not come"
    monkeypatch.setattr(log, "awaited", lambda: True)
    worker.step(0.0)
    assert (broker.committed[AT].offset or 0) >= 50


def test_a_topic_made_anew_begins_below_what_is_committed_and_that_is_not_taken_for_landed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first commit of the new topic gets lost: the offset of the old one, which is higher, says nothing of it."""
    broker = Broker(random.Random(1), [AT], {"stall": 1.0})
    broker.logs = {AT: make_log(random.Random(2), 0, 200)}
    broker.committed[AT] = Committed(300, None)
    end = broker.end
    monkeypatch.setattr(broker, "end", lambda transaction, commit: setattr(transaction, "state", "aborted"))
    worker = Worker(CONFIGURED, Tasks(CONFIGURED), SimLog(broker, "w0"), lambda: 0.0, lambda: 0, lambda *a, **k: None)
    reach(worker, 200)
    assert not worker.commit()
    monkeypatch.setattr(broker, "end", end)
    broker.faults = {}
    assert worker.drain()
    expected = by_partition(oracle(CONFIGURED, AT, broker.logs[AT], generation=1).outbox)
    assert by_partition(broker.published())["alerts", 0] == expected["alerts", 0]


def test_a_snapshot_that_never_lands_is_told_though_all_else_has_landed() -> None:
    """It looked like a commit that landed: ready, while a producer was made anew four times a second."""
    broker = Broker(random.Random(1), [AT], {})
    broker.logs = {AT: make_log(random.Random(2), 0, 100)}
    log = SimLog(broker, "w0")
    worker = Worker(CONFIGURED, Tasks(CONFIGURED), log, lambda: 0.0, lambda: 0, lambda *a, **k: None)
    reach(worker, 50)
    assert worker.commit(snapshot_all=True)
    reach(worker, 100)
    assert worker.commit()
    commit = log.commit
    log.commit = lambda *given: CommitResult(Outcome.UNKNOWN, {}, "no right")  # type: ignore[method-assign]
    pauses = []
    for _ in range(3):
        assert not worker.commit(snapshot_all=True)
        assert worker.stats.trouble["commits"].why == "no right"
        pauses.append(worker.stats.trouble["commits"].pause_s)
    assert pauses == [0.1, 0.2, 0.4]
    log.commit = commit  # type: ignore[method-assign]
    assert worker.commit(snapshot_all=True)
    assert worker.stats.trouble == {}


def test_dead_letters_of_many_bytes_go_in_transactions_of_few() -> None:
    """A hundred records of half a megabyte in one batch: under a quota one transaction of all would never land."""
    broker = Broker(random.Random(1), [AT], {})
    events = make_log(random.Random(2), 0, 100)
    large = b"x" * 500_000
    broker.logs = {AT: [r._replace(value=large) if r.offset % 2 else r for r in events]}
    log, sizes = SimLog(broker, "w0"), []
    commit = log.commit

    def weighed(outs: Any, offsets: Any, snapshots: Any) -> Any:
        sizes.append(sum(len(out.value or b"") for out in outs if out.topic == "dead_letter"))
        return commit(outs, offsets, snapshots)

    log.commit = weighed  # type: ignore[method-assign]
    now = itertools.count()
    worker = Worker(CONFIGURED, Tasks(CONFIGURED), log, lambda: next(now) / 1000, lambda: 0, lambda *a, **k: None)
    while (broker.committed.get(AT) or Committed(0, None)).offset != 100:
        worker.step(0.0)
    assert max(sizes) <= 2 * LETTERS_BYTES_MAX
    expected = by_partition(oracle(CONFIGURED, AT, broker.logs[AT]).outbox)
    assert by_partition(broker.published())["dead_letter", 0] == expected["dead_letter", 0]
    assert len(expected["dead_letter", 0]) >= 50


def counting(records: int, pace_s: float = 0.001) -> tuple[Broker, Worker, list[dict[Partition, int]]]:
    """A worker of two partitions that stand at offset 5, and the starts in each of its commits."""
    places = [("inferences", number) for number in range(2)]
    broker = Broker(random.Random(1), places, {})
    broker.logs = {place: make_log(random.Random(2), 0, records) for place in places}
    broker.committed = {place: Committed(5, None, starts=1) for place in places}
    log, told = SimLog(broker, "w0"), list[dict[Partition, int]]()
    commit = log.commit

    def noted(outs: Any, offsets: Any, snapshots: Any) -> Any:
        told.append({partition: root.starts for partition, root in offsets.items()})
        return commit(outs, offsets, snapshots)

    log.commit = noted  # type: ignore[method-assign]
    now = itertools.count()
    worker = Worker(CONFIGURED, Tasks(CONFIGURED), log, lambda: next(now) * pace_s, lambda: 0, lambda *a, **k: None)
    return broker, worker, told


def test_that_it_begins_is_written_down_once_before_anything_is_read_and_forgotten_with_progress() -> None:
    broker, worker, told = counting(30)
    both = dict.fromkeys(broker.partitions, 2)
    while not told:
        worker.step(0.0)
    assert told == [both]
    assert not worker.owned
    while len(worker.owned) < 2 or any(owned.task.position < 30 for owned in worker.owned.values()):
        worker.step(0.0)
    assert worker.commit()
    assert [root.starts for root in broker.committed.values()] == [0, 0]


def test_who_leaves_in_order_takes_its_start_back() -> None:
    broker, worker, _ = counting(30)
    worker.log.start = lambda partition, offset: None  # type: ignore[method-assign]  # Nothing comes.
    while len(worker.owned) < 2:
        worker.step(0.0)
    assert worker.commit()
    assert [root.starts for root in broker.committed.values()] == [2, 2]
    worker.release(list(worker.owned))
    assert [root.starts for root in broker.committed.values()] == [0, 0]


def test_who_loses_a_partition_and_lives_does_not_count_twice() -> None:
    broker, worker, told = counting(30)
    log = worker.log
    log.start = lambda partition, offset: None  # type: ignore[method-assign]  # Nothing comes.
    for _ in range(3):
        while len(worker.owned) < 2:
            worker.step(0.0)
        assert [root.starts for root in broker.committed.values()] == [2, 2]
        broker.leave(log.member)  # type: ignore[attr-defined]
        while worker.owned:
            worker.step(0.0)
    broker.committed = {place: root._replace(starts=3) for place, root in broker.committed.items()}  # Somebody died.
    while len(worker.owned) < 2:
        worker.step(0.0)
    assert [root.starts for root in broker.committed.values()] == [4, 4]
    assert {starts for one in told for starts in one.values()} == {2, 4}


def test_where_nothing_is_to_be_read_nothing_is_counted() -> None:
    _, worker, told = counting(5)
    while len(worker.owned) < 2:
        worker.step(0.0)
    assert worker.commit()
    assert {starts for one in told for starts in one.values()} == {1}


def test_what_is_only_replayed_counts_as_well() -> None:
    """Of what was skipped there may be no snapshot yet."""
    broker, worker, told = counting(5)
    pointer = Pointer(3, 0, 0, 1, "", "other")
    broker.committed = {place: Committed(5, pointer) for place in broker.partitions}
    while len(worker.owned) < 2:
        worker.step(0.0)
    assert told[0] == dict.fromkeys(broker.partitions, 1)


@pytest.mark.parametrize("fault", ["abort", "abort-late", "stall", "lost-ack"])
def test_a_start_that_could_not_be_written_down_is_tried_again_and_counts_once(fault: str) -> None:
    broker, worker, told = counting(30, 0.1)
    broker.faults = {fault: 1.0}
    for _ in range(50):
        worker.step(0.0)
        if told:
            assert "restores" in worker.stats.trouble or worker.owned
    broker.faults = {}
    while len(worker.owned) < 2:
        worker.step(0.0)
    assert len(told) > 1
    assert max(starts for one in told for starts in one.values()) == 2


def test_what_was_read_and_not_taken_waits_for_a_commit_that_lands_and_goes_with_its_partition() -> None:
    broker = Broker(random.Random(1), [AT], {})
    broker.logs = {AT: [r._replace(value=b"x" * 900_000) for r in make_log(random.Random(2), 0, 40)]}
    log = SimLog(broker, "w0")
    worker = Worker(CONFIGURED, Tasks(CONFIGURED), log, lambda: 0.0, lambda: 0, lambda *a, **k: None)
    while AT not in broker.committed:
        worker.step(0.0)
    broker.faults = {"abort": 1.0}
    for _ in range(100):
        worker.step(0.0)
    taken = worker.owned[AT].task.position
    assert 0 < taken < 5
    assert worker.backlog
    worker.drop(AT)
    assert not worker.backlog
