"""Replay: lines of files as records, and their timestamps for ticks of the clock."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

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


def test_without_signs_of_life_a_task_is_the_same() -> None:
    event = {"model": "fraud", "caller": "app"}
    times_ms = [life.BEGIN_MS + i * life.MINUTE_MS for i in range(30)]
    records = [
        Record(i, at_ms, None, json.dumps({**event, "time": at_ms / 1000}).encode()) for i, at_ms in enumerate(times_ms)
    ]
    engine, other = (Replay(life.CONFIG, fields_of(life.CONFIG)) for _ in range(2))
    first = engine.step(life.AT, records[:1])
    other.step(life.AT, records[:1])
    other.tasks[life.AT].beats = True
    [cut] = other.cuts([(life.AT, records[1:])])
    assert (engine.step(life.AT, records[1:]), first) == (other.take(cut), [])
    assert engine.tasks[life.AT].ticks == 30 - 1
    assert engine.tasks[life.AT].dump() == other.tasks[life.AT].dump()


CASES = Path(__file__).parents[3] / "shared" / "cases"
LEAST = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\n'
RARELY = LEAST + "heartbeat: {interval: 1h}\n"  # For events a minute apart, or each would have a tick of its own.
BEGIN_S = 1_790_000_000


def replayed(config: str, records: list[Record]) -> tuple[Replay, list[dict[str, Any]]]:
    """The engine behind them, and the alerts that fired."""
    loaded = load_text(config, "x", {})
    engine = Replay(loaded, fields_of(loaded))
    outs = [out for i in range(0, len(records), 250) for out in engine.step(("inferences", 0), records[i : i + 250])]
    alerts = [json.loads(out.value or b"")["data"] for out in outs if out.topic == "alerts"]
    return engine, [one for one in alerts if one["episode"]["detections"] == 1 and one["status"] == "firing"]


@pytest.mark.skipif(not CASES.is_dir(), reason="the folder of cases is not there")
@pytest.mark.parametrize(("name", "used"), [("one-bad-field", 10), ("one-bad-field-mapped", 3), ("clock-ahead", 60)])
def test_cases_of_other_tools_users(name: str, used: int) -> None:
    lines = (CASES / f"{name}.jsonl").read_bytes().splitlines()
    records = [Record(i, -1, None, line) for i, line in enumerate(lines)]
    if name == "clock-ahead":
        told = [json.loads(line) for line in lines]
        records = [Record(i, t["record_ms"], None, json.dumps(t["value"]).encode()) for i, t in enumerate(told)]
    engine, _ = replayed((CASES / f"{name}.yaml").read_text(), records)
    assert engine.account().counts == {"used": used, "late": 0, "duplicate": 0, "filtered": 0, "dead_lettered": 0}


def events_with(odd: str, value_at: int = -1) -> list[Record]:
    """A fifth of one feature is `odd` from event 1,200 on; the predicted value of one event is NaN."""
    rng, records = random.Random(5), []
    for i in range(1800):
        amount = odd if i >= 1200 and rng.random() < 0.2 else f"{rng.gauss(0, 1):.4f}"
        value = "NaN" if i == value_at else f"{rng.random():.4f}"
        event = f'{{"model":"m","time":{BEGIN_S + 60 * i},"features":{{"amount":{amount}}}'
        event += f',"prediction":{{"value":{value}}}}}'
        records.append(Record(i, 1000 * (BEGIN_S + 60 * i), None, event.encode()))
    return records


def test_a_fifth_of_nan_is_seen_as_a_fifth_of_null_is() -> None:
    null, nan = (replayed(RARELY, events_with(odd)) for odd in ("null", "NaN"))
    assert [one["sentence"] for one in null[1]] == [one["sentence"] for one in nan[1]]
    assert any("without amount" in one["sentence"] for one in nan[1])
    assert null[0].odd() == {}
    [(place, count)] = nan[0].odd().items()
    assert (place, count > 60) == (("features.amount", "not_finite"), True)


def test_the_first_prediction_that_is_not_a_number_is_an_alert() -> None:
    engine, alerts = replayed(RARELY, events_with("0.5", 1500)[:1700])
    assert [(one["alert"]["labels"]["monitor"], one["trigger"]["offset"]) for one in alerts][-1] == (
        "nan-prediction",
        1500,
    )
    assert engine.odd() == {("prediction.value", "not_finite"): 1}


def test_a_check_finds_what_cannot_be_used_invalid() -> None:
    checked = "checks: {features.amount: {min: -100}}\n"
    watched = "monitors:\n  bad: {signal: invalid.amount, detect: {kind: occurrence}}\n"
    watched += "  any: {signal: odd.*, detect: {kind: occurrence}}\n"
    for odd in ("Infinity", "[[1]]", "{}"):
        _, alerts = replayed(RARELY + checked + watched, events_with(odd))
        first = {one["alert"]["labels"]["monitor"]: one["trigger"]["offset"] for one in reversed(alerts)}
        assert set(first) == {"bad", "any"}
        assert first["bad"] == first["any"] >= 1200


def test_where_the_config_says_so_an_odd_field_costs_the_event() -> None:
    engine, _ = replayed(RARELY + "on_odd_field: dead_letter\n", events_with("NaN"))
    account = engine.account()
    assert [(one.reason, one.records) for one in account.rejected] == [("not_finite", account.counts["dead_lettered"])]
    assert account.counts["dead_lettered"] > 60
    assert engine.odd() == {}


def test_times_of_a_zone_and_names_of_positions_by_the_config() -> None:
    config = LEAST + "time_zone: Europe/Amsterdam\nfields: {names: [amount, age]}\nlimits: {array: 2}\n"
    value = b'{"model":"m","time":"2026-07-01 12:00:00","features":[1,2,[3,4,5]]}'
    engine, _ = replayed(config, [Record(0, -1, None, value)])
    [task] = engine.tasks.values()
    assert task.admission.newest_ms == {"m": 1_782_900_000_000}
    assert engine.odd() == {("features.2", "too_many_members"): 1}
