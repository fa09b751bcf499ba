"""References from a file: pinned from the first event on; what they do not know learns by its warm-up."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.references import LEAST, export, pinned_again, seed
from streamer.engine.task import Task
from tests.engine.referenced import build, configured, event
from tests.signals.events import HEAD, batch_of

AT = ("inferences", 0)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return build(tmp_path)


def run(
    config: Config, events: list[dict[str, Any]], size: int = 500, task: Task | None = None, begin: int = 0
) -> Task:
    task = task or Task(config, AT, begin)
    for first in range(0, len(events), size):
        part = enumerate(events[first : first + size], begin + first)
        task.step(decode([Record(i, -1, None, json.dumps(e).encode()) for i, e in part], fields_of(config), AT[0]))
    return task


def firing(task: Task) -> list[dict[str, Any]]:
    found = [json.loads(out.value or b"")["data"] for out in task.outbox if out.topic == "alerts"]
    return [alert for alert in found if alert["status"] == "firing"]


def test_drift_from_the_first_event_on_is_found_only_with_a_given_reference(built: Path) -> None:
    rng = random.Random(2)
    events = [event(rng, i, shift=30.0, country="NL") for i in range(1000)]
    assert firing(run(configured(built), events)) == []
    found = {alert["alert"]["labels"]["monitor"]: alert for alert in firing(run(configured(built, "ref.json"), events))}
    assert set(found) == {"shape", "mix"}  # ADWIN looks for a change, and there is none after the first event.
    before = found["shape"]["evidence"]["before"]
    assert (before["n"], before["source"]) == (3000, str(built / "good.jsonl"))
    assert 99 < before["mean"] < 101
    assert found["shape"]["replay"]["ranges"][0]["from"] == 0
    assert found["mix"]["evidence"]["window"]["moved"][0]["bin"] in ("NL", "DE")


def test_healthy_events_are_healthy_and_what_the_file_does_not_know_learns(built: Path) -> None:
    rng = random.Random(3)
    events = [event(rng, i) for i in range(3000)]
    for e in events:
        e["features"]["new"] = rng.gauss(0, 1)
    task = run(configured(built, "ref.json"), events)
    assert firing(task) == []
    table = next(t for t in task.tables.values() if t.signal.kind == "number")
    rows = {member: row for row, (_, member) in enumerate(table.keys)}
    assert list(table.pinned) == [rows["features.amount"]]
    assert table.reference.at(rows["features.new"]).n == 400


@pytest.mark.parametrize("size", [1, 37])
def test_cuts_and_snapshots_change_nothing(built: Path, size: int) -> None:
    config, rng = configured(built, "ref.json"), random.Random(4)
    events = [event(rng, i, shift=15.0 if i > 300 else 0.0) for i in range(900)]
    whole, cut = run(config, events), run(config, events, size)
    assert cut.outbox == whole.outbox
    assert cut.dump() == whole.dump()
    first = run(config, events[:250])
    second = run(config, events[250:], task=Task.load(config, AT, first.dump()), begin=250)
    assert first.outbox + second.outbox == whole.outbox
    assert second.dump() == whole.dump()
    assert len(whole.outbox) >= 2


def test_another_file_is_another_config_and_begins_anew(built: Path) -> None:
    one, rng = configured(built, "ref.json"), random.Random(5)
    task = run(one, [event(rng, i) for i in range(300)])
    text = (built / "ref.json").read_text()
    (built / "refs.json").write_text(text.replace('"n": 3000', '"n": 2999'))
    other = configured(built, "refs.json")
    assert other.config_hash != one.config_hash
    assert Task.load(one, AT, task.dump()).monitors_reset == []
    again = Task.load(other, AT, task.dump())
    assert set(again.monitors_reset) == set(other.effective_monitors())
    assert any(table.pinned for table in again.tables.values())
    (built / "copy.json").write_text(text)
    assert configured(built, "copy.json").config_hash == one.config_hash


def learning(events: list[dict[str, Any]], warmup: int = 10_000) -> Task:
    head = HEAD.replace("warmup: 100", f"warmup: {warmup}")
    text = f"{head}monitors:\n  m: {{signal: features.*, detect: {{kind: adwin}}}}\n"
    task = Task(load_text(text + "  n: {signal: events, detect: {kind: silence}}\n", "x", {}), AT, 0)
    task.step(batch_of(events))
    return task


def test_what_is_exported_is_what_was_learned_of_series_with_enough_values() -> None:
    events = [{"features": {"a": float(i), **({"few": 1.0} if i < LEAST - 1 else {})}} for i in range(101)]
    task = learning(events)
    made = export(task.watched(task.tables.values()), "some events", "c0ffee")
    [table] = made.tables
    [series] = table.series
    assert (made.source, made.config, table.signal) == ("some events", "c0ffee", "number features.*")
    assert (series.key, series.member, series.n, series.offsets) == (["m"], "features.a", 101, [0, 100])
    assert (series.centre, series.mean, series.categories) == (50.0, 50.0, None)


def test_of_a_series_in_several_partitions_the_one_with_most_values_counts() -> None:
    tasks = [
        learning([{"features": {"a": value}} for _ in range(count)])
        for value, count in ((1.0, 40), (2.0, 60), (3.0, 50))
    ]
    watched = [pair for task in tasks for pair in task.watched(task.tables.values())]
    [table] = export(watched, "s", "c").tables
    assert [(series.n, series.mean) for series in table.series] == [(60, 2.0)]


def test_rows_of_a_file_are_there_and_ready_before_the_first_event() -> None:
    task = learning([{"features": {"a": float(i)}} for i in range(100)])
    made = export(task.watched(task.tables.values()), "s", "c")
    fresh = learning([], warmup=100)
    seed(made, fresh.watched(fresh.tables.values()))
    [table] = [table for table in fresh.tables.values() if table.signal.kind == "number"]
    assert table.keys == [(("m",), "features.a")]
    learned = table.reference.at(0)
    assert (learned.n, learned.mean, learned.first_offset, learned.last_offset) == (100, 49.5, -1, -1)
    assert (table.pinned[0]["source"], table.pinned[0]["n"]) == ("s", 100)
    table.pinned = {}
    pinned_again(table, made)
    assert table.pinned[0]["mean"] == 49.5
