"""Snapshots that go in parts: between commits, smaller where it takes long, given up where there is no time."""

from __future__ import annotations

import random
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.engine import snapshot
from streamer.engine.tasks import Tasks
from streamer.port import LogDown, Outcome, Staged
from streamer.service import snapshots, staging
from streamer.service.worker import Worker
from tests.sim.broker import Broker, SimLog, in_small_parts
from tests.sim.campaign import CONFIG, make_log

AT = ("inferences", 0)
CONFIGURED = load_text(CONFIG, "x", {})


class Life:
    """A worker that has committed, and has a new snapshot of many parts to write down; parts take their time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        in_small_parts(monkeypatch)
        monkeypatch.setattr(snapshots, "ROOM_BYTES", 0)
        self.now_s, self.part_s, self.sent = 0.0, 0.0, list[int]()
        self.outcomes: list[Outcome | LogDown] = []
        self.broker = Broker(random.Random(1), [AT], {})
        self.broker.logs = {AT: make_log(random.Random(2), 0, 100)}
        self.log = SimLog(self.broker, "w0")
        self.stage, self.log.stage = self.log.stage, self.staged  # type: ignore[method-assign]
        self.worker = Worker(CONFIGURED, Tasks(CONFIGURED), self.log, lambda: self.now_s, lambda: 0, self.nothing)
        while AT not in self.worker.owned or self.worker.owned[AT].task.position < 100:
            self.worker.step(0.0)
        assert self.worker.commit()
        self.owned = self.worker.owned[AT]
        self.first = self.owned.pointer
        assert self.first is not None, "without an offset to write down beside it the first snapshot goes in one piece"
        self.owned.task.generation += 1  # Another state at the same offset.
        self.owned.writing = 100, 0, snapshots.InPlace().submit(snapshot.encode, self.owned.task.state())
        assert self.worker.commit()
        assert self.owned.staging is not None

    def nothing(self, *what: Any, **more: Any) -> None: ...

    def staged(self, partition: Any, snapshot: Any, staged: Staged, chunks: int, root: Any) -> Any:
        self.now_s += self.part_s
        self.sent.append(chunks)
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome.DONE
        if isinstance(outcome, LogDown):
            raise outcome
        return self.stage(partition, snapshot, staged, chunks, root) if outcome is Outcome.DONE else (outcome, staged)

    @property
    def written(self) -> int:
        assert self.owned.staging is not None
        return self.owned.staging.staged.written


def test_one_part_per_round_and_the_offset_points_at_it_when_all_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(monkeypatch)
    seen = []
    while life.worker.stager.under_way():
        seen.append(life.written)
        life.worker.step(0.0)
        assert life.broker.committed[AT].pointer == life.first
    assert len(seen) > 1
    assert seen == list(range(0, len(seen) * staging.CHUNKS, staging.CHUNKS))
    assert life.worker.commit()
    pointer = life.broker.committed[AT].pointer
    assert pointer is not None
    assert pointer == life.owned.pointer != life.first
    assert life.owned.staging is None
    assert [one.blob for one in life.log.read_state(AT, pointer) if one is not None] == [life.owned.task.dump()]


def test_parts_become_smaller_where_they_take_long_or_do_not_land(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(monkeypatch)
    life.part_s = staging.SLOW_S + 1
    life.worker.stager.step()
    life.part_s = staging.SLOW_S - 1
    life.worker.stager.step()
    life.part_s = 0.0
    life.worker.stager.step()
    assert life.sent == [2, 1, 1]
    assert life.worker.stager.chunks == staging.CHUNKS
    life.outcomes = [Outcome.ABORTED]
    life.worker.stager.step()
    assert life.worker.stager.chunks == 1


@pytest.mark.parametrize("failure", [Outcome.ABORTED, Outcome.UNKNOWN, LogDown("no answer")])
def test_a_part_that_did_not_land_is_sent_again_after_a_pause_and_commits_go_on(
    failure: Outcome | LogDown, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(monkeypatch)
    life.outcomes = [failure]
    assert not life.worker.stager.step()
    assert life.written == 0
    assert "snapshots" in life.worker.stats.trouble
    assert not life.worker.refused
    assert not life.worker.stager.step()
    assert len(life.sent) == 1, "not at once"
    assert life.worker.commit()
    life.now_s += 1.0
    assert life.worker.stager.step()
    assert life.written > 0
    assert "snapshots" not in life.worker.stats.trouble


def test_whoever_gives_a_partition_up_finishes_its_snapshot_if_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Life(monkeypatch)
    assert quick.worker.drain()
    assert quick.owned.pointer != quick.first
    slow = Life(monkeypatch)
    slow.part_s = staging.LEAVE_S
    assert slow.worker.drain(), "everything is published; only the next start has more to replay"
    assert slow.owned.pointer == slow.first
    assert len(slow.sent) == 1


def test_without_a_snapshot_to_point_at_nothing_is_committed_until_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a change of the config: what the offset pointed at was made under another one."""
    life = Life(monkeypatch)
    life.owned.pointer = None
    before = life.broker.committed[AT]
    assert life.worker.stager.held() == {AT}
    assert life.worker.commit()
    assert life.broker.committed[AT] == before
    life.part_s = staging.LEAVE_S
    assert not life.worker.stager.leave()
    life.part_s = life.worker.stager.chunk_s = 0.0
    assert life.worker.stager.leave()
    assert life.owned.pointer is not None
    assert life.broker.committed[AT].pointer == life.owned.pointer
