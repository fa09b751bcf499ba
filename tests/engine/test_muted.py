"""In the calendar nothing fires and nothing is learned; what still holds after it is told then."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.muted import Muted
from streamer.engine.task import Task
from streamer.port import Tick
from tests.engine.tasks import AT, LEAST, news, piecewise
from tests.monitors.life import MINUTE_MS

BEGIN_S = 1_767_225_600  # 2026-01-01T00:00Z
ENGINES = [engine for engine in (PYTHON, COMPILED) if engine is not None]
ONCE = "calendar: {maintenance: [{from: 2026-01-01T01:00, to: 2026-01-01T02:00}]}\n"
MONITORS = """monitors:
  mean: {signal: features.x, detect: {kind: adwin}}
  nulls: {signal: missing.x, window: {events: 100}, detect: {kind: fraction, max: 0.2}, for: 5m}
  traffic: {signal: traffic, detect: {kind: level}}
"""


def config(calendar: str = ONCE, monitors: str = MONITORS) -> Config:
    return load_text(LEAST + calendar + monitors, "x", {})


def log(first: int, last: int, n: int = 10_800, drop: bool = False) -> list[Record]:
    """An event a second for three hours; from the first to the last one not as usual."""
    rng, records = random.Random(3), []
    for i in range(n):
        odd = first <= i < last
        x = None if odd and i % 2 else rng.gauss(300 if odd else 100, 10)
        if drop and odd and i % 10:
            continue
        event = {"model": "m", "time": BEGIN_S + i, "features": {"x": x}}
        records.append(Record(len(records), (BEGIN_S + i) * 1000, None, json.dumps(event).encode()))
    return records


def run(records: list[Record], to: Config, engine: Engine = ENGINES[-1]) -> Task:
    task = Task(to, AT, 0, engine=engine)
    task.step(decode(records, fields_of(to), AT[0]))
    return task


def monitors_of(task: Task) -> set[str]:
    return {one["alert"]["labels"]["monitor"] for one in news(task.outbox)}


@pytest.mark.parametrize("drop", [False, True])
def test_what_is_over_with_the_calendar_is_not_told(drop: bool) -> None:
    records = log(3600, 7200, drop=drop)
    assert monitors_of(run(records, config(""))) >= ({"traffic"} if drop else {"mean", "nulls"})
    task = run(records, config())
    assert not monitors_of(task)
    assert task.muted.events == {"m": 360 if drop else 3600}
    assert task.admission.counts["used"] == len(records)


def test_what_still_holds_after_it_is_told_then() -> None:
    fired = {one["alert"]["labels"]["monitor"]: one for one in news(run(log(5000, 10_800), config()).outbox)}
    assert fired.keys() >= {"mean", "nulls"}
    assert all(7200 < one["trigger"]["offset"] < 8200 for one in fired.values())
    assert fired["nulls"]["changed"]["offset"] > 7200 + 300, "`for` begins after it"


def test_what_was_pending_when_it_began_does_not_fire_in_it() -> None:
    task = run(log(3350, 7200), config(monitors=MONITORS.replace("  mean", "  # mean")))
    assert not monitors_of(task)
    fired = run(log(3350, 7200), config(""))
    assert "nulls" in monitors_of(fired)


def test_nothing_is_learned_in_it() -> None:
    """The state is that of a log without these events, but for what counts and remembers events as such."""
    odd, to = log(3600, 7200), config()
    without = [record for i, record in enumerate(odd) if not 3600 <= i < 7200]
    with_them, without_them = run(odd, to), run(without, to)
    for monitor, other in zip(with_them.by_order, without_them.by_order, strict=True):
        assert repr(monitor.dump()) == repr(other.dump())


@pytest.mark.parametrize("engine", ENGINES)
def test_any_cutting_gives_the_same(engine: Engine) -> None:
    to, records = config(), log(3000, 10_800, 9000)
    whole = run(records, to, ENGINES[0])
    outs, task = piecewise(to, records, engine, random.Random(1))
    assert task.dump() == whole.dump()
    assert outs == list(whole.outbox)


def test_another_calendar_begins_nothing_anew() -> None:
    before = run(log(0, 0, 3000), config(""))
    after = Task.load(config(), AT, before.dump())
    assert after.monitors_reset == []
    assert after.series == before.series > 0


def minutes(calendar: str, silent: range, n: int) -> list[dict[str, Any]]:
    """An event every six seconds, and nothing in these minutes; what was told."""
    monitors = "monitors: {no-data: {signal: events, detect: {kind: silence, after: 5m}, keep_firing_for: 1m}}\n"
    to = config(calendar, monitors)
    task, offset = Task(to, AT, 0), 0
    for minute in range(n):
        records = []
        for second in range(0, 60, 6) if minute not in silent else ():
            time = BEGIN_S + 60 * minute + second
            event = {"model": "m", "time": time, "features": {"x": 1.0}}
            records.append(Record(offset + len(records), time * 1000, None, json.dumps(event).encode()))
        offset += len(records)
        if records:
            task.step(decode(records, fields_of(to), AT[0]))
        task.tick(Tick(offset, BEGIN_S * 1000 + (minute + 1) * MINUTE_MS, caught_up=True))
    return news(task.outbox)


def test_nobody_misses_who_is_silent_in_it() -> None:
    assert minutes("", range(60, 119), 180)
    assert not minutes(ONCE, range(60, 119), 180)
    [fired, _] = minutes(ONCE, range(60, 140), 180)
    assert fired["trigger"]["time"] >= "2026-01-01T02:00", "after it, when it is still silent"


def test_it_knows_whom_nobody_misses_and_forgets_models() -> None:
    muted, task = Muted(config().calendar), run(log(0, 0, 3660), config())
    assert muted.models(["m"], (BEGIN_S + 3600) * 1000) == {"m"}
    assert muted.models(["m"], (BEGIN_S + 7200) * 1000) == set()
    table = task.by_order[0].table
    assert (muted.rows(table, {"m"}).tolist(), muted.rows(table, set()).tolist()) == ([0], [])
    muted.load(task.muted.dump())
    assert muted.dump() == [("m", 60)]
    muted.forget(["m"])
    assert muted.dump() == []
