"""Replay: lines of files as records, and their timestamps for ticks of the clock."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from schemas.events.batch import Record
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.replay import BadInput, Replay, parse_inputs, read_lines
from tests.monitors import life
from tests.sim.campaign import CONFIG


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"model":"m"}\n' * 1000)[:-20])
    with pytest.raises(BadInput, match=r"x\.jsonl\.gz"):
        list(read_lines(path, 1000))


def test_an_endless_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"x" * 5_000_000 + b"\n" + b"second\n" + b"last without an end")
    [chunk] = read_lines(path, 1000)
    assert [(r.offset, len(r.value or b"")) for r in chunk] == [(0, 1002), (1, 6), (2, 19)]


def test_where_files_stand() -> None:
    found = parse_inputs(["a", "7=b", "other:3=c"], "events")
    assert [i.partition for i in found] == [("events", 0), ("events", 7), ("other", 3)]


def test_a_record_timestamp_in_microseconds_makes_no_tick() -> None:
    loaded = load_text(CONFIG, "x", {})
    base_ms = 1_700_000_000_000
    interval_ms = loaded.heartbeat.interval_ms
    value = b'{"model": "m", "time": 1700000000, "features": {"x": 1.0}}'
    stamps = [-1, base_ms * 1000, base_ms, base_ms * 1000, base_ms + 3 * interval_ms]
    for cut in (1, 2, 5):
        replay = Replay(loaded, fields_of(loaded))
        records = [Record(i, time_ms, None, value) for i, time_ms in enumerate(stamps)]
        for begin in range(0, 5, cut):
            replay.step(("t", 0), records[begin : begin + cut])
        task = replay.tasks["t", 0]
        assert (task.ticks, task.tick_ms // interval_ms) == (3, base_ms // interval_ms + 3)
        assert task.position == 5


def test_a_replay_takes_the_records_timestamps_for_ticks() -> None:
    engine = Replay(life.CONFIG, fields_of(life.CONFIG))
    records = []
    for i in range(60):
        arrived_ms = life.BEGIN_MS + i * 1000 + (20 * life.MINUTE_MS if i >= 30 else 0)
        event = {"model": "fraud", "time": arrived_ms / 1000, "caller": "app"}
        records.append(Record(i, arrived_ms, None, json.dumps(event).encode()))
    cut = [out for part in (records[:13], records[13:30], records[30:]) for out in engine.step(life.AT, part)]
    statuses = [json.loads(o.value or b"")["data"]["status"] for o in cut]
    assert statuses == ["firing", "open", "firing", "open"], "alerts, and the incident of each"
    assert Replay(life.CONFIG, fields_of(life.CONFIG)).step(life.AT, records) == cut
