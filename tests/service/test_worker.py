"""What the worker says of a commit whose outcome was unknown, and how much it puts into one."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.engine.task import Tasks
from streamer.port import CommitResult, Committed, Outcome
from streamer.service.portions import LETTERS_BYTES_MAX
from streamer.service.worker import Worker
from tests.sim.broker import Broker, SimLog
from tests.sim.campaign import CONFIG, by_partition, make_log, oracle

AT = ("inferences", 0)
CONFIGURED = load_text(CONFIG, "x", {})


@pytest.mark.parametrize(("fault", "drained"), [("lost-ack", True), ("stall-never", False), ("abort", False)])
def test_drained_means_that_the_last_commit_landed(fault: str, drained: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_text(CONFIG, "x", {})
    broker = Broker(random.Random(1), [AT], {})
    broker.logs = {AT: make_log(random.Random(2), 0, 100)}
    log = SimLog(broker, "w0")
    worker = Worker(config, Tasks(config), log, lambda: 0.0, lambda: 0, lambda *a, **k: None)
    while AT not in worker.owned or worker.owned[AT].task.position < 50:
        worker.step(0.0)
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
    while AT not in worker.owned or worker.owned[AT].task.position < 200:
        worker.step(0.0)
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
    while AT not in worker.owned or worker.owned[AT].task.position < 50:
        worker.step(0.0)
    assert worker.commit(snapshot_all=True)
    while worker.owned[AT].task.position < 100:
        worker.step(0.0)
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


def test_what_was_read_and_not_taken_waits_for_a_commit_that_lands_and_goes_with_its_partition() -> None:
    broker = Broker(random.Random(1), [AT], {"abort": 1.0})
    broker.logs = {AT: [r._replace(value=b"x" * 900_000) for r in make_log(random.Random(2), 0, 40)]}
    log = SimLog(broker, "w0")
    worker = Worker(CONFIGURED, Tasks(CONFIGURED), log, lambda: 0.0, lambda: 0, lambda *a, **k: None)
    for _ in range(100):
        worker.step(0.0)
    taken = worker.owned[AT].task.position
    assert 0 < taken < 5
    assert worker.backlog
    worker.drop(AT)
    assert not worker.backlog
