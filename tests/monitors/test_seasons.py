"""Seasons by the clock of a zone: office hours that move by an hour of UTC twice a year are no change."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from math import pi, sin
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.events.batch import Record
from streamer.config.detect import Season
from streamer.engine.engines import COMPILED, PYTHON
from streamer.monitors.seasons import HOUR_MS, around, moderated, slots_of
from tests.engine.tasks import by_topic, piecewise
from tests.monitors.daily import monitor_of, span
from tests.series.windows import alerts, config, fired, run

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SPRING, AUTUMN = "2026-03-29T03:00:00+02:00", "2026-10-25T02:00:00+01:00"
WEEKS_BEFORE, WEEKS_AFTER = 4, 2
MONITOR = "  t: {{signal: traffic, window: {{time: 1h}}, detect: {{kind: level, season: {}}}}}\n"
LOCAL = "{zone: Europe/Amsterdam}"


def office(change: str, seed: int, closed: str | None = None) -> list[dict[str, Any]]:
    """Traffic of office hours by the clock of Amsterdam, weeks around a change of it; one day is `closed`."""
    rng, changed = random.Random(seed), datetime.fromisoformat(change)
    begin_s = int((changed - timedelta(weeks=WEEKS_BEFORE)).timestamp())
    made = []
    for hour in range((WEEKS_BEFORE + WEEKS_AFTER) * 168):
        local = datetime.fromtimestamp(begin_s + hour * 3600, AMSTERDAM)
        busy = local.weekday() < 5 and 9 <= local.hour < 17 and local.date().isoformat() != closed
        n = (40 if busy else 6) + rng.randint(-2, 2)
        made += [{"time": begin_s + hour * 3600 + i * 3600 // n} for i in range(n)]
    return made


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_office_hours_over_a_clock_change_are_healthy_by_their_clock_and_not_by_utc(change: str) -> None:
    for seed in range(5):
        assert fired(run(config(MONITOR.format(LOCAL)), office(change, seed))) == []
    assert {("t", "up"), ("t", "down")} <= set(fired(run(config(MONITOR.format("week")), office(change, 0))))


@pytest.mark.parametrize(("change", "closed"), [(SPRING, "2026-04-01"), (AUTUMN, "2026-10-28")])
def test_a_day_closed_behind_a_clock_change_is_found_by_what_was_before_it(change: str, closed: str) -> None:
    found = alerts(run(config(MONITOR.format(LOCAL)), office(change, 1, closed)))
    assert [(one["status"], one["direction"]) for one in found] == [("firing", "down"), ("resolved", "down")]
    begin = datetime.fromisoformat(found[0]["evidence"]["window"]["from"]).astimezone(AMSTERDAM)
    assert (begin.date().isoformat(), begin.hour) == (closed, 9)
    assert found[0]["detector"]["params"]["season"] == {"per": "week", "zone": "Europe/Amsterdam"}


def test_any_cut_of_the_log_in_either_engine_gives_the_same_bytes() -> None:
    setup, events = config(MONITOR.format(LOCAL)), office(SPRING, 2, "2026-04-01")
    log = [Record(i, -1, None, json.dumps({"model": "m", **e}).encode()) for i, e in enumerate(events)]
    whole = run(setup, events, len(events))
    assert len(alerts(whole)) == 2
    for engine, seed in ((PYTHON, 1), (COMPILED or PYTHON, 2)):
        outs, task = piecewise(setup, log, engine, random.Random(seed))
        assert [out for out in outs if out.topic == "alerts"] == by_topic(whole)["alerts"]
        assert task.dump() == whole.dump()


def slots(season: Any, begin: str, n: int, window_h: int = 1) -> list[int]:
    begin_ms = int(datetime.fromisoformat(begin).timestamp()) * 1000
    slot_of = slots_of(season, window_h * HOUR_MS)
    return [slot_of(begin_ms + i * window_h * HOUR_MS) for i in range(n)]


def test_an_hour_that_never_comes_has_no_window_and_one_that_comes_twice_has_two() -> None:
    daily = Season(per="day", zone="Europe/Amsterdam")
    assert slots(daily, "2026-03-29T00:00+01:00", 4) == [0, 1, 3, 4]
    assert slots(daily, "2026-10-25T01:00+02:00", 4) == [1, 2, 2, 3]


def test_the_week_turns_at_midnight_of_the_clock() -> None:
    for zone, begin in (("America/New_York", "-04:00"), ("Asia/Tokyo", "+09:00"), ("+02:00", "+02:00")):
        found = slots(
            Season(zone=zone), f"2026-07-01T22:00{begin}", 4
        )  # A Wednesday; weeks are counted from Thursdays on.
        assert found == [166, 167, 0, 1]


def test_half_an_hour_away_a_window_counts_as_the_hour_in_which_it_begins() -> None:
    assert slots(Season(per="day", zone="Asia/Kolkata"), "2026-07-01T05:30+05:30", 3) == [5, 6, 7]


def test_windows_of_several_hours_meet_those_of_before_the_change() -> None:
    season = Season(per="day", zone="Europe/Amsterdam")
    for hours in (2, 6, 24):
        before, after = (slots(season, f"2026-{day}T00:00Z", 24 // hours, hours) for day in ("03-27", "03-30"))
        assert sorted(before) == sorted(after) == list(range(0, 24, hours))


def test_without_a_zone_slots_are_those_of_utc() -> None:
    for season, per in (("day", 24), ("week", 168)):
        assert slots(season, "2026-03-28T22:00Z", 200) == slots(
            Season(per=season, zone="UTC"), "2026-03-28T22:00Z", 200
        )
        assert slots(season, "1970-01-01T00:00Z", 200) == [hour % per for hour in range(200)]
    assert slots(None, "2026-03-28T22:00Z", 3) == [0, 0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_three_hours_that_happen_to_be_alike_make_no_fourth_a_breach(seed: int) -> None:
    """Eight healthy weeks of a mean that has a day and a weekend: with the deviations of three to seven windows alone
    eleven of 820 were told, one as 209 deviations away. A shift within the hours of the night is found.
    """
    rng = random.Random(seed)
    monitor = monitor_of("{kind: level, season: week, change: 0.05}", "mean(value)", "{time: 1h}")
    wrong, found = 0, 0
    for hour in range(8 * 168):
        day, of_day = hour // 24, hour % 24
        usual = 100.0 + 15.0 * sin(2 * pi * (of_day - 8) / 24) * (1.0 if day % 7 < 5 else 0.4)
        shift = 12.0 if day >= 51 and 1 <= of_day < 4 else 0.0
        value, begin_ms = rng.gauss(usual + shift, 2.0), hour * HOUR_MS
        breach = monitor.judge(0, value, span(begin_ms, HOUR_MS, 6), hour).breach
        wrong, found = wrong + (breach and not shift), found + (breach and shift > 0.0)
    assert wrong <= 3
    assert found >= 8


def test_a_slot_alone_or_wider_than_those_around_it_keeps_its_own_scale() -> None:
    assert moderated(2.0, 5, []) == 2.0
    assert moderated(2.0, 5, [1.0, 1.5]) == 2.0
    assert moderated(0.0, 5, [3.0]) == pytest.approx(3.0 * (10 / 15) ** 0.5)
    assert moderated(1.0, 10**9, [3.0]) == pytest.approx(1.0)
    assert (around(0, 24), len(set(around(5, 168)))) == ([23, 0, 1], 21)
    assert {166, 167, 0} < set(around(167, 168))
