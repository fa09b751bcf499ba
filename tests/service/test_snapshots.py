"""When a state is written down, by whom, and what a commit says of it."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.engine.snapshot import Piece, encode
from streamer.kafka.offset_metadata import TICKS_MAX
from streamer.kafka.parts import kept_of
from streamer.port import Committed, Pointer, Tick
from streamer.service import snapshots
from streamer.service.partitions import LivePartition, Stats
from streamer.service.snapshots import ROOM_BYTES, Snapshots, root

LEAST = "version: 1\nkafka: {brokers: 'b:1'}\ntopics: {events: [in]}\ncommit: {snapshot_interval: 100s}\n"


class Beside:
    """A pool whose work is done when the test says so."""

    def __init__(self) -> None:
        self.given: list[Future[bytes]] = []

    def submit(self, work: Any, state: Any) -> Future[bytes]:
        self.given.append(Future())
        return self.given[-1]


class Life:
    def __init__(self, pointer: Pointer | None) -> None:
        self.now_s, self.beside, self.stats = 50.0, Beside(), Stats()
        self.made = Snapshots(load_text(LEAST, "x", {}), self.beside, lambda: self.now_s, self.stats)
        task: Any = SimpleNamespace(position=7, ticks=3, generation=2, state=lambda: {"a": 1}, parts=None)
        self.owned = LivePartition(task, 5, pointer, 0, snapshot_due_s=100.0, snapshot_s=0.0)


def at(position: int, ticks: int = 3) -> Pointer:
    return Pointer(position, 0, 5, 1, "sha", "config", 0, ticks)


def test_the_first_and_the_last_one_are_there_at_once() -> None:
    first = Life(None)
    made = first.made.due(first.owned, at_once=False, room=ROOM_BYTES)
    assert made is not None
    assert (made.position, made.slot, made.ticks, len(made.blob)) == (7, 1, 3, first.owned.snapshot_bytes)
    assert made.generation == 2
    last = Life(at(6))
    assert last.made.due(last.owned, at_once=True, room=ROOM_BYTES) is not None
    assert first.beside.given == last.beside.given == []
    assert [name for name, _ in first.stats.timings] == ["checkpoint_seconds"]


def test_between_them_it_is_encoded_beside_the_loop_when_it_is_due() -> None:
    life = Life(at(6))
    assert life.made.due(life.owned, at_once=False, room=ROOM_BYTES) is None
    assert life.beside.given == [], "not due"
    life.now_s = 100.0
    assert life.made.due(life.owned, at_once=False, room=ROOM_BYTES) is None
    life.owned.task.position = 9
    assert life.made.due(life.owned, at_once=False, room=ROOM_BYTES) is None
    [future] = life.beside.given
    future.set_result(b"blob")
    made = life.made.due(life.owned, at_once=False, room=ROOM_BYTES)
    assert made is not None
    assert (made.position, made.blob) == (7, b"blob"), "of where it stood when the copy was made"


@pytest.mark.parametrize(("ticks", "written"), [(TICKS_MAX // 2, False), (TICKS_MAX // 2 + 1, True)])
def test_where_nothing_came_but_ticks_it_waits_until_they_fill_the_metadata(ticks: int, written: bool) -> None:
    life = Life(at(7))
    life.now_s = 100.0
    life.owned.ticks = [Tick(7, 1000, True)] * ticks
    life.made.due(life.owned, at_once=False, room=ROOM_BYTES)
    assert bool(life.beside.given) is written


def test_partitions_are_not_in_step() -> None:
    periods = {Life(None).made.period_s(("in", number)) for number in range(20)}
    assert len(periods) == 20
    assert all(75.0 <= period <= 100.0 for period in periods)


def test_the_root_has_the_ticks_that_its_snapshot_has_not_seen() -> None:
    life = Life(at(6, ticks=1))
    life.owned.ticks = [Tick(6, 1000, True), Tick(7, 2000, True)]
    told = root(life.owned, None)
    assert (told.offset, told.pointer, told.ticked, told.ticks) == (7, at(6, 1), 3, tuple(life.owned.ticks))
    made = life.made.due(life.owned, at_once=True, room=ROOM_BYTES)
    assert root(life.owned, made).ticks == ()


def test_a_commit_carries_so_many_bytes_of_snapshots_and_the_others_go_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshots, "pieces_of", lambda state: [Piece(memoryview(bytes(ROOM_BYTES // 2)), 1)])
    lives = {("in", number): Life(at(6)) for number in range(4)}
    for life in lives.values():
        life.owned.root = Committed(5, at(6))
    lives["in", 3].owned.root = Committed(None, None)  # Nothing to write down beside a part.
    owned = {partition: life.owned for partition, life in lives.items()}
    made = lives["in", 0].made
    assert set(made.carried(owned, at_once=True)) == {("in", 0), ("in", 1), ("in", 3)}
    staging = owned["in", 2].staging
    assert staging is not None
    assert (staging.snapshot.position, staging.staged.written) == (7, 0)
    owned["in", 2].task.position = 9
    assert made.due(owned["in", 2], at_once=True, room=ROOM_BYTES) is None, "first this one"
    assert root(owned["in", 2], None).pointer == at(6)
    staging.staged = staging.staged._replace(pointer=at(7))
    assert root(owned["in", 2], None).pointer == at(7)


def test_a_large_one_is_cut_and_goes_in_parts_however_much_room_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "PARTS_BYTES", 10)
    life = Life(at(6))
    life.owned.root = Committed(5, at(6))
    assert life.made.due(life.owned, at_once=True, room=ROOM_BYTES) is None
    assert life.owned.staging is not None
    cut = life.owned.staging.snapshot.cut
    assert cut is not None
    assert life.owned.snapshot_bytes == life.owned.staging.snapshot.size == len(encode({"a": 1})) == cut.size
    assert [name for name, _ in cut.fresh] == [0]
    life.owned.kept, life.owned.staging = (kept_of(cut, (7,), "sha"),), None
    monkeypatch.setattr(snapshots, "PARTS_BYTES", 1000)
    whole = life.made.due(life.owned, at_once=True, room=ROOM_BYTES)
    assert whole is not None
    assert (whole.blob, whole.gone) == (encode({"a": 1}), (0,)), "who is written whole needs no parts any more"
