"""The search for batches that nobody survives, over a log of batches in memory; and the whole on a real broker."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.batch import Record
from streamer.engine.snapshot import decode
from streamer.kafka import killer_batch
from streamer.kafka.killer_batch import CannotLook, Readers, Seen, Stretch, Stretches, Way, search
from streamer.kafka.offset_metadata import from_text
from streamer.port import Committed, LogDown
from tests.kafka.service import Service, committed, read_all, wait_committed
from tests.waiting import PATIENCE_S

AT = ("in", 0)
DATA_BYTES = 450 << 20
"""The service takes 280 MB of it, threads' stacks included."""
BATCHES = 6, 8, 9
"""Records before the batch that kills, in it and after it."""
CONFIG = """
version: 1
kafka:
  brokers: "{broker}"
  group: "g-{events}"
  start: earliest
  client: {{session.timeout.ms: 3000, heartbeat.interval.ms: 500}}
topics: {{events: [{events}], alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats}}}
commit: {{interval: 200ms}}
server: {{listen: "127.0.0.1:0"}}
"""


class Batches:
    """A log of batches: how many records each has, and whether it kills."""

    def __init__(self, batches: list[tuple[int, bool]], spared: int = 0) -> None:
        self.kills = [kills for count, kills in batches for _ in range(count)]
        self.batch = [number for number, (count, _) in enumerate(batches) for _ in range(count)]
        self.spared = spared  # readers that die of something else
        self.looks = 0

    def look(self, start: int, way: Way) -> Generator[None, None, Seen]:
        yield
        self.looks += 1
        if self.spared:
            self.spared -= 1
            return Seen([], died=True)
        records: list[Record] = []
        for offset in range(start, len(self.kills)):
            if self.kills[offset]:
                return Seen(records if way is Way.BY_BATCH else [], died=True)
            records.append(Record(offset, 0, None, b"v"))
            if way is Way.ONE_RECORD:
                break
        return Seen(records if way is not Way.AS_WE_DO else [], died=False)

    def search(self, start: int = 0) -> Stretch | None:
        return done(search(self.look, start, len(self.kills)))


def done(steps: Generator[None, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_a_batch_is_skipped_as_a_whole_and_what_was_before_it_is_kept() -> None:
    found = Batches([(3, False), (5, True), (4, False)]).search()
    assert found is not None
    assert (found.start, found.end, found.skipped) == (0, 8, [(3, 7)])
    assert [record.offset for record in found.records] == [0, 1, 2, 7]
    assert found.records[3] == Record(
        7, -1, None, None, unreadable="offsets 3 to 7: there is no memory to unpack them", skipped_from=3
    )


@given(st.integers(0, 5), st.integers(1, 300), st.integers(0, 9))
def test_the_end_is_found_exactly_and_soon(before: int, size: int, after: int) -> None:
    batches = Batches([(before, False), (size, True), (after, False)])
    found = batches.search()
    assert found is not None
    assert found.skipped == [(before, before + size - 1)]
    assert batches.looks < 50


def test_every_such_batch_is_found_until_one_reads_on_and_lives() -> None:
    found = Batches([(1, True), (2, False), (1, True), (1, True), (3, False), (4, True), (9, False)]).search()
    assert found is not None
    assert found.skipped == [(0, 0), (3, 4), (8, 11)]
    assert [r.offset for r in found.records if r.skipped_from is None] == [1, 2, 5, 6, 7]


def test_nothing_is_skipped_where_somebody_lives() -> None:
    assert Batches([(3, False), (5, False)]).search() is None
    assert Batches([(3, False), (5, False)], spared=2).search() is None
    assert Batches([(5, True), (5, False)]).search(5) is None


CONFIGURED: Any = SimpleNamespace(
    kafka=SimpleNamespace(brokers="127.0.0.1:1", group="g", client={}), limits=SimpleNamespace(message_bytes=1000)
)


def found_one() -> Stretches:
    stretches = Stretches(CONFIGURED, logging.getLogger("test"))
    found = Batches([(3, False), (5, True), (4, False)]).search()
    assert found is not None
    stretches._found[AT] = found
    return stretches


def test_what_was_found_is_delivered_first_and_committed_before_anybody_reads_on() -> None:
    stretches = found_one()
    assert not stretches.start(AT, 8)  # It is behind us.
    assert stretches.start(AT, 1)
    assert [r.offset for r in stretches.take(2)[AT]] == [1, 2]
    stretches.landed({AT: Committed(3, None)})
    assert stretches.passed() == []
    assert [r.offset for r in stretches.take(2)[AT]] == [7]
    assert (stretches.take(2), stretches.passed()) == ({}, [])
    stretches.landed({AT: Committed(8, None)})
    assert stretches.passed() == [(AT, 8)]
    assert stretches.passed() == []
    assert not stretches.start(AT, 1)


def test_a_replay_has_it_as_it_was() -> None:
    stretches = found_one()
    [part], rest = stretches.between(AT, 0, 20)
    assert ([r.offset for r in part], rest) == ([0, 1, 2, 7], 8)
    assert stretches.between(AT, 8, 20) == ([], 8)
    [part], rest = stretches.between(AT, 1, 3)
    assert ([r.offset for r in part], rest) == ([1, 2], 8)


def test_who_is_not_suspected_is_not_looked_at() -> None:
    stretches = found_one()
    assert done(stretches.examine(AT, 0, 9, 2)) == []
    assert not stretches.start(AT, 0)


READER = """
import os, sys, msgpack
from streamer.kafka.lookout import *
order = json.loads(sys.stdin.readline())
{}
"""
SAYS = {
    "lives": ("tell(READY); tell(RECORD, 5, 7, None, b'v', (), None, ''); tell(DONE)", ([5], False)),
    "dies": ("tell(READY); tell(RECORD, 5, 7, None, b'v', (), None, ''); os.abort()", ([5], True)),
    "no memory": ("tell(READY); os._exit(NO_MEMORY)", ([], True)),
    "dies before it reads": ("os.abort()", CannotLook),
    "is killed": ("tell(READY); os.kill(os.getpid(), 9)", CannotLook),
    "is stopped": ("tell(READY); os.kill(os.getpid(), 15)", CannotLook),
    "is broken": ("tell(READY); raise ValueError", CannotLook),
    "hangs": ("tell(READY); time.sleep(600)", CannotLook),
    "no broker": ("tell(CANNOT, 'no answer')", LogDown),
}


@pytest.mark.parametrize("says", SAYS)
def test_only_the_death_of_who_was_ready_is_one(says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script, expected = SAYS[says]
    monkeypatch.setattr(killer_batch, "COMMAND", [sys.executable, "-c", READER.format(script)])
    monkeypatch.setattr(killer_batch, "HANGS_S", 2.0 if says == "hangs" else PATIENCE_S)
    monkeypatch.setattr(killer_batch, "free", lambda: killer_batch.FREE_MIN)
    look = Readers(CONFIGURED, AT, 3).look
    if isinstance(expected, tuple):
        seen = done(look(5, Way.BY_BATCH))
        assert ([record.offset for record in seen.records], seen.died) == expected
    else:
        with pytest.raises(expected):
            done(look(5, Way.BY_BATCH))


def test_a_reader_has_half_of_what_is_free_and_less_at_each_further_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killer_batch, "free", lambda: 1 << 30)
    rooms = [Readers(CONFIGURED, AT, starts)._room >> 20 for starts in (3, 4, 5, 6, 7, 999_999)]
    assert rooms == [512, 256, 128, 64, 64, 64]


def test_one_partition_is_looked_at_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers of several at once would have more memory than there is."""
    busy, most = [0], [0]

    class Counted(Batches):
        def look(self, start: int, way: Way) -> Generator[None, None, Seen]:
            busy[0] += 1
            most[0] = max(busy[0], most[0])
            try:
                return (yield from super().look(start, way))
            finally:
                busy[0] -= 1

    monkeypatch.setattr(killer_batch, "Readers", lambda *of: Counted([(3, False), (5, True), (4, False)]))
    stretches = Stretches(CONFIGURED, logging.getLogger("test"))
    dropped, *looks = [stretches.examine(("in", number), 0, 12, 3) for number in range(4)]
    next(dropped)
    waiting = dict(enumerate(looks))
    for _ in range(3):
        assert [next(look) for look in looks] == [None] * 3
    dropped.close()
    while waiting:
        for number, look in list(waiting.items()):
            if next(look, done) is done:
                del waiting[number]
    assert most == [1]
    assert all(stretches.start(("in", number), 0) for number in range(1, 4))


@pytest.mark.parametrize("why", ["no memory", "no process"])
def test_where_nobody_can_look_nothing_is_skipped(
    why: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(killer_batch, "COMMAND", ["/no/such/program"])
    monkeypatch.setattr(killer_batch, "free", lambda: 1 << 20 if why == "no memory" else 1 << 30)
    assert done(Stretches(CONFIGURED, logging.getLogger("test")).examine(AT, 0, 9, 3)) == []
    words = {"no memory": "1 MiB of memory are free, 128 are needed", "no process": "no process can be started"}[why]
    assert words in caplog.text
    assert caplog.text.count("in[0]: nobody can look") == 1


@pytest.mark.parametrize("starts", [3, 30])
def test_at_the_end_there_is_nothing_to_look_at(starts: int) -> None:
    assert done(found_one().examine(AT, 9, 9, starts)) == []


def produced(broker: str, topic: str, count: int, size: int = 1, **more: Any) -> None:
    settings = {
        "bootstrap.servers": broker,
        "linger.ms": 60_000,
        "batch.size": 10**9,
        "queue.buffering.max.kbytes": 10**6,
    }
    producer = Producer(settings | {"message.max.bytes": 10**9} | more)
    for i in range(count):
        event = json.dumps({"model": "m", "features": {"a": i}, "filling": "x" * size})
        producer.produce(topic, event.encode(), partition=0)
    assert producer.flush(PATIENCE_S) == 0


@pytest.mark.broker
def test_a_batch_that_kills_the_process_at_three_starts_is_skipped_at_the_fourth(
    broker: str, make_topics: Any, tmp_path: Path
) -> None:
    events, alerts, state, dead, beats = make_topics("in", "al", "st", "dl", "hb")
    before, within, after = BATCHES
    produced(broker, events, before)
    produced(broker, events, within, 32_000_000, **{"compression.type": "gzip"})
    produced(broker, events, after)
    first, last, end = before, before + within - 1, sum(BATCHES)
    names = {"events": events, "alerts": alerts, "state": state, "dead": dead, "beats": beats}
    config = tmp_path / "driftline.yaml"
    config.write_text(CONFIG.format(broker=broker, **names))
    for start in range(3):
        with Service(config, tmp_path / f"{start}.log", DATA_BYTES) as service:
            assert service.process.wait(PATIENCE_S) == -signal.SIGABRT
    with Service(config, tmp_path / "log", DATA_BYTES) as service:
        wait_committed(broker, f"g-{events}", events, {0: end}, 200)  # A dozen readers start anew.
        [suspected], [skipped] = service.lines("starts_failed"), service.lines("batch_skipped")
        assert suspected["why"].startswith("3 starts in a row")
        assert (skipped["first_offset"], skipped["last_offset"]) == (first, last)
        assert service.stop() == 0
    [letter] = read_all(broker, dead, 1)
    told = {name.removeprefix("driftline.error."): text.decode() for name, text in letter.headers()}
    assert (told["reason"], told["topic"], told["partition"]) == ("killed_the_process", events, "0")
    assert (told["offset"], told["last_offset"]) == (str(first), str(last))
    offset, metadata = committed(broker, f"g-{events}", events, 1)[0]
    root = from_text(offset, metadata)
    assert (root.offset, root.starts) == (end, 0)
    assert root.pointer is not None
    consumed = snapshot_of(broker, state)["admission"]["counts"]
    assert dict(consumed) == {"used": before + after, "dead_lettered": within, **dict.fromkeys(NOT_HERE, 0)}
    for start in range(1, 4):  # It is not looked at again. Whether the first fetch overtakes the pause is chance.
        with Service(config, tmp_path / "after.log", DATA_BYTES) as service:
            produced(broker, events, 1)
            wait_committed(broker, f"g-{events}", events, {0: end + start})
            assert service.stop() == 0


NOT_HERE = ("late", "duplicate", "filtered")


def snapshot_of(broker: str, topic: str) -> Any:
    """The newest state, which is of one chunk."""
    return decode(read_all(broker, topic, 1)[-1].value())
