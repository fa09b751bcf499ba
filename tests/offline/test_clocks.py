"""Clocks of producers that are wrong, in files and in topics whose records have the times of their events: everything
is used, nobody else is late, and a silence is told by the time that really passed.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas.events.batch import Record
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_config
from streamer.offline.replay import CHUNK, Replay, read_lines

AT = ("inferences", 0)
CONFIG = """version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
heartbeat: {interval: 5m}
limits: {unusable: 1}
monitors:
  silence: {signal: events, detect: {kind: silence, after: 30m, min_count: 50}, repeat_interval: 1h}
"""
BEGIN_S = 1_790_000_000
COUNT, STEP_S = 1200, 10.0
HOUR_S, DAY_S = 3600.0, 86_400.0

Times = Callable[[int], float]
"""How far an event's clock is from the time it is sent at, in seconds, by its number."""


class Told(NamedTuple):
    """What became of events."""

    used: int
    late: int
    ahead: int
    alerts: Counter[str]


def told(
    folder: Path, seconds: list[float], arrived: bool, size: int = CHUNK, unit: Callable[[int], int] | None = None
) -> Told:
    """Of a file of events; `arrived`: as records that have the times of their events."""
    (folder / "driftline.yaml").write_text(CONFIG)
    with gzip.open(folder / "events.jsonl.gz", "wt") as file:
        for number, second in enumerate(seconds):
            time: float = second if unit is None else round(second * unit(number))
            file.write(json.dumps({"model": "m", "time": time, "features": {"x": number % 7}}) + "\n")
    config = load_config(folder / "driftline.yaml", {})
    engine = Replay(config, fields_of(config))
    records = [one for chunk in read_lines(folder / "events.jsonl.gz", 1 << 20) for one in chunk]
    if arrived:
        records = [Record(r.offset, round(s * 1000), None, r.value) for r, s in zip(records, seconds, strict=True)]
    alerts = Counter[str]()
    for begin in range(0, len(records), size):
        for out in engine.step(AT, records[begin : begin + size]):
            if out.topic == "alerts":
                alerts[json.loads(out.value or b"")["data"]["status"]] += 1
    counts = engine.account().counts
    assert sum(counts.values()) == len(seconds)
    return Told(counts["used"], counts["late"], engine.odd().get(("time", "clock_ahead"), 0), alerts)


def sent(off_s: Times, pause_s: float = 0.0) -> list[float]:
    """Events every ten seconds, with a pause in the middle."""
    return [BEGIN_S + STEP_S * i + pause_s * (i >= COUNT // 2) + off_s(i) for i in range(COUNT)]


def some(share: float, *off_s: float, run: int = 1) -> Times:
    """A share of the events, in runs, is of clocks that are so far off."""
    rng = random.Random(1)
    drawn = [rng.choice(off_s) if rng.random() < share else 0.0 for _ in range(COUNT // run + 1)]
    return lambda i: drawn[i // run]


AHEAD: dict[str, Times] = {
    "the first is 8 days ahead": lambda i: 8 * DAY_S * (i == 0),
    "the first are 2 hours ahead": lambda i: 2 * HOUR_S * (i < 3),
    "one in the middle is 8 days ahead": lambda i: 8 * DAY_S * (i == COUNT // 2),
    "two in a row are 8 days ahead": lambda i: 8 * DAY_S * (i in (700, 701)),
    "the last is 8 days ahead": lambda i: 8 * DAY_S * (i == COUNT - 1),
    "one of 20 is 2 hours ahead": some(0.05, 2 * HOUR_S),
    "one of 20 is 6 days ahead": some(0.05, 6 * DAY_S),
    "several are ahead": some(0.15, 2 * HOUR_S, DAY_S, 6 * DAY_S, 8 * DAY_S),
    "a third is ahead": some(0.33, 2 * HOUR_S),
}


@pytest.mark.parametrize("kind", AHEAD)
def test_who_is_ahead_makes_nobody_late_and_no_silence(kind: str, tmp_path: Path) -> None:
    seconds = sent(AHEAD[kind])
    wrong = sum(AHEAD[kind](i) > 0 for i in range(COUNT))
    for arrived in (False, True):
        found = told(tmp_path, seconds, arrived)
        assert (found.used, found.late, found.alerts) == (COUNT, 0, Counter())
        assert wrong - 3 <= found.ahead <= wrong + 3


def test_a_silence_is_told_once_and_again_by_the_time_that_passed(tmp_path: Path) -> None:
    for off_s in (some(0.0, 1.0), some(0.05, 2 * HOUR_S), some(0.02, 8 * DAY_S)):
        for arrived in (False, True):
            found = told(tmp_path, sent(off_s, pause_s=5 * HOUR_S), arrived)
            assert (found.used, found.late) == (COUNT, 0)
            assert 5 <= found.alerts["firing"] <= 6, "five hours, told every hour"
            assert found.alerts["resolved"] == 1


def test_a_run_of_a_fast_producer_makes_nobody_late(tmp_path: Path) -> None:
    """A batch of one producer lies in one piece: time goes on by it, and the others are used all the same."""
    for off_s in (some(0.1, 2 * HOUR_S, run=60), some(0.33, 2 * HOUR_S, run=100)):
        found = told(tmp_path, sent(off_s), arrived=False)
        assert (found.used, found.late) == (COUNT, 0)


def test_whose_clock_is_behind_is_late_and_nobody_else(tmp_path: Path) -> None:
    """Once it is settled that the others are not ahead."""
    behind = some(0.05, -HOUR_S)
    found = told(tmp_path, sent(behind), arrived=False)
    slow = sum(behind(i) < 0 for i in range(COUNT))
    assert slow // 2 < found.late <= slow
    assert (found.used, found.ahead) == (COUNT - found.late, 0)


def test_all_clocks_put_back_an_hour_are_late_until_it_is_over_and_counted(tmp_path: Path) -> None:
    found = told(tmp_path, sent(lambda i: -HOUR_S * (i >= 600)), arrived=False)
    assert found.late == pytest.approx((HOUR_S - 300) / STEP_S, abs=2)


def test_units_may_be_mixed(tmp_path: Path) -> None:
    units = (1, 1000, 1_000_000, 1_000_000_000)
    assert told(tmp_path, sent(lambda i: 0.0), False, unit=lambda i: units[i % 4])[:3] == (COUNT, 0, 0)


def test_models_of_few_events_go_on_by_themselves(tmp_path: Path) -> None:
    rng, now_s, seconds = random.Random(2), float(BEGIN_S), list[float]()
    for _ in range(40):
        now_s += rng.expovariate(1 / HOUR_S)
        seconds.append(now_s)
    for given in (seconds, [BEGIN_S + DAY_S * i for i in range(40)]):
        found = told(tmp_path, given, arrived=False)
        assert (found.used, found.late, found.ahead) == (40, 0, 0)


def test_where_it_is_cut_changes_nothing(tmp_path: Path) -> None:
    seconds = sent(some(0.1, 2 * HOUR_S, 8 * DAY_S), pause_s=5 * HOUR_S)
    assert told(tmp_path, seconds, False, 77) == told(tmp_path, seconds, False)
