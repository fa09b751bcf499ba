"""A monitor with an envelope: what its bank is given, the budget it follows, and the same bytes in both engines."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from detectors.envelope import Envelope, EnvelopeBank
from schemas.core import native
from schemas.events.batch import Batch, Record
from schemas.events.decoder import Decoder
from schemas.events.native_json import decode
from streamer.alerts.alert import Notice
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.task import Task
from streamer.monitors.envelope import EnvelopeMonitor
from streamer.port import Out
from tests.signals.events import HEAD

MONITORS = """
monitors:
  mean: {signal: features.*, detect: {kind: envelope}, accept_after: 1d}
  nulls: {signal: missing.*, detect: {kind: envelope, direction: up}}
"""
DAY_S = 86_400
ENGINES = [engine for engine in (PYTHON, COMPILED) if engine is not None]


def stream(days: int, change: Any = lambda i, x: x, every_s: int = 300) -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    times = range(0, days * DAY_S, every_s)
    values = rng.normal(100, 20, len(times)) + 6 * np.sin(np.arange(len(times)) * every_s * 2 * np.pi / DAY_S)
    return [
        {
            "model": "m",
            "time": f"{np.datetime64('2026-03-01T00:00:00') + np.timedelta64(s, 's')}Z",
            "features": {"x": change(s / DAY_S, float(x))},
        }
        for s, x in zip(times, values, strict=True)
    ]


def run(events: list[dict[str, Any]], engine: Engine, size: int = 700, text: str = MONITORS) -> Task:
    task = Task(load_text(HEAD + text, "x", {}), ("inferences", 0), 0, engine=engine)
    for begin in range(0, len(events), size):
        task.step(batch(events[begin : begin + size], begin))
    return task


def batch(events: list[dict[str, Any]], begin: int) -> Batch:
    """Of records that were written when their events say: a clock far ahead of its record's is not believed."""
    times = [int(np.datetime64(event["time"].removesuffix("Z"), "ms").astype(np.int64)) for event in events]
    rows = zip(times, events, strict=True)
    records = [Record(i, ms, None, json.dumps(event).encode()) for i, (ms, event) in enumerate(rows, begin)]
    return decode(records, fields_of(load_text(HEAD, "x", {})), "inferences")


def announced(task: Task) -> list[Out | Notice]:
    """What waits to be written."""
    task.box.settle()
    return task.box.decided


def told(task: Task) -> list[str]:
    kept = [notice for notice in announced(task) if isinstance(notice, Notice) and notice.status != "renewed"]
    return [f"{notice.status} {notice.monitor}" for notice in kept]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_it_is_quiet_on_days_and_finds_what_is_none_of_theirs(engine: Engine) -> None:
    assert told(run(stream(20), engine)) == []
    moved = run(stream(20, lambda day, x: x + (30 if day >= 18 else 0)), engine)
    assert told(moved)[0] == "firing mean"
    nulls = run(stream(20, lambda day, x: None if day >= 18 and int(x) % 5 == 0 else x), engine)
    assert "firing nulls" in told(nulls)


def test_both_engines_and_any_cut_give_the_same_snapshot() -> None:
    events = stream(12, lambda day, x: x * 3 if 9 < day < 9.5 else x)
    dumps = [run(events, engine, size).dump() for engine in ENGINES for size in (97, 5_000)]
    assert len(set(dumps)) == 1


def test_the_bank_is_given_the_budget_and_what_its_values_are() -> None:
    task = run(stream(1), PYTHON)
    mean, nulls = task.monitors["mean"], task.monitors["nulls"]
    assert isinstance(mean, EnvelopeMonitor)
    assert isinstance(nulls, EnvelopeMonitor)
    assert isinstance(mean.bank, EnvelopeBank)
    assert mean.bank.params == Envelope(rate=1 / 7 / 2 / 12)
    assert isinstance(nulls.bank, EnvelopeBank)
    assert nulls.bank.params == Envelope(rate=1 / 7 / 2 / 12, direction="up", shares=True)
    more = run(stream(1), PYTHON, text=MONITORS + "false_alarms: {budget: 14, weights: {mean: 3}}\n")
    assert more.monitors["mean"].bank.params == Envelope(rate=2 * 3 / 4 / 12)  # type: ignore[union-attr]


@pytest.mark.skipif(native is None, reason="no compiled core")
def test_a_level_that_is_accepted_is_what_days_are_learned_from() -> None:
    task = run(stream(12, lambda day, x: x + (100 if day >= 9 else 0)), ENGINES[-1])
    assert told(task)[:2] == ["firing mean", "resolved mean"], "accepted after a day"
    monitor = task.monitors["mean"]
    assert isinstance(monitor, EnvelopeMonitor)
    assert monitor.envelope.in_school(0)


@pytest.mark.parametrize(("days", "day", "tier"), [(4, 3.0, "school"), (14, 13.0, "calibrated")])
def test_an_alert_says_how_far_its_limits_could_be_trusted(days: int, day: float, tier: str) -> None:
    """That of its hit, whatever comes behind it in the batch, and in both engines."""
    events = stream(days, lambda now, x: x if now < day else 100 * x, every_s=60 if days < 5 else 300)
    told = []
    for engine in ENGINES:
        for size in (len(events), 700, 97):
            alerts = [json.loads(o.value)["data"] for o in run(events, engine, size).outbox if o.topic == "alerts"]
            told.append([one for one in alerts if one["alert"]["labels"].get("monitor") == "mean"])
    assert all(one == told[0] for one in told)
    first = told[0][0]
    assert first["evidence"]["tier"] == tier
    assert first.get("provisional", False) == (tier == "school")


WEEKLY = "labels: {ttl: 30d}\nmonitors: {late: {signal: label_delay, detect: {kind: envelope}}}\n"


def told_of_delay(engine: Engine, size: int, hour_s: int = 3600) -> tuple[list[str], bytes]:
    """Labels once a week, of all that was asked since: at first of two days, then of seven. What was told, and the
    state.
    """
    config = load_text(HEAD + WEEKLY, "x", {})
    task, decoder = Task(config, ("inferences", 0), 0, engine=engine), Decoder(fields_of(config))
    begin_s, events, waiting = 1_767_225_600, list[dict[str, Any]](), list[str]()
    for number in range(24 * 24 * 12):
        at_s = begin_s + number * 300
        events.append({"model": "m", "time": at_s, "event_id": f"e{number}", "prediction": {"label": "a"}})
        waiting.append(f"e{number}")
        if number % (7 * 24 * 12) == 2 * 24 * 12:
            events += [{"model": "m", "time": at_s, "label": {"event_id": one, "value": "a"}} for one in waiting]
            waiting = []
    records = [Record(i, int(one["time"]) * 1000, None, json.dumps(one).encode()) for i, one in enumerate(events)]
    told = list[str]()
    for begin in range(0, len(records), size):
        task.step(decoder(records[begin : begin + size], "inferences"))
        told += [json.loads(out.value or b"")["data"]["sentence"] for out in task.outbox if out.topic == "alerts"]
        task.published()
    return told, task.dump()


def test_the_second_batch_of_weekly_labels_is_no_late_one(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {engine.name: told_of_delay(engine, 20_000) for engine in ENGINES}
    assert [told for told, _ in whole.values()] == [[]] * len(ENGINES)
    assert len({state for _, state in whole.values()}) == 1
    assert told_of_delay(ENGINES[-1], 97) == whole[ENGINES[-1].name], "wherever the log is cut"
    monkeypatch.setattr("streamer.signals.grammar.DAYS_NEEDED", {})
    told, _ = told_of_delay(ENGINES[-1], 20_000)
    assert any("label_delay" in one for one in told), "but for the days it takes it would be told"
