"""Who is there: silence is what was heard tick by tick, and it ends with the next event."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.series.presence import FIELDS, Presence
from streamer.series.table import SeriesTable
from tests.series.tables import Value, grouped, plain, table_of
from tests.signals.events import HEAD, batch_of

CONFIG = load_text(HEAD, "x", {})


def heard(source: Presence, table: SeriesTable, *callers: str, time: int = 0) -> list[Value]:
    """The silences that end with an event of each caller."""
    batch = batch_of([{"caller": caller, "time": 100 + time} for caller in callers])
    return plain(table, source.column(batch, grouped(table, batch), table, {}))


def state(source: Presence) -> dict[str, list[int]]:
    return {name: column.tolist() for name, column in source.state.items()}


def test_silence_grows_by_ticks_and_ends_with_an_event() -> None:
    source, table = Presence(), table_of("events", ("caller",))
    assert heard(source, table, "a", "b", "a") == []
    assert state(source)["n"] == [2, 1]
    source.tick(60_000)  # It spoke since the tick before: nothing is silent yet.
    assert state(source)["silent_ms"] == [0, 0]
    source.tick(60_000)
    assert heard(source, table, "b") == [(("m", "b"), "events", 0, 60_000.0)]
    source.tick(60_000)
    source.tick(0)  # One that was not listened to.
    assert state(source)["silent_ms"] == [120_000, 0]
    source.tick(30_000)
    assert heard(source, table, "a", "a") == [(("m", "a"), "events", 0, 150_000.0)], "at the first event only"
    assert state(source) == {
        "n": [4, 2], "spoke": [1, 0], "silent_ms": [0, 30_000], "first_ms": [100_000] * 2,
        "last_ms": [100_000] * 2, "last_offset": [1, 0], "newest_ms": [100_000] * 2, "at": [6, 4],
    }  # fmt: skip


def test_a_series_begins_with_the_time_of_its_first_event() -> None:
    source, table = Presence(), table_of("events", ("caller",))
    heard(source, table, "a", time=5)
    heard(source, table, "b", "a", time=3)
    assert state(source)["first_ms"] == [105_000, 103_000]


def test_a_group_that_a_full_table_has_no_row_for_is_counted() -> None:
    source, table = Presence(), table_of("events", ("caller",), rows=1)
    assert heard(source, table, "a", "b", "b") == []
    assert (table.dropped, state(source)["n"]) == (2, [1])


def test_a_snapshot_is_taken_up_and_no_later_tick_changes_it() -> None:
    source, table = Presence(), table_of("events", ("caller",))
    heard(source, table, "a", "b")
    source.tick(1000)
    source.tick(1000)
    taken = source.dump()
    before = {name: taken[name].tolist() for name in FIELDS}
    source.tick(1000)
    assert {name: taken[name].tolist() for name in FIELDS} == before
    again = Presence()
    again.load(taken)
    again.tick(1000)
    assert state(again) == state(source)


@pytest.mark.parametrize(
    "wrong", [{"silent_ms": np.array([-1])}, {"n": np.array([1, 2])}, {"first_ms": np.zeros(0, np.int64)}]
)
def test_a_state_that_no_dump_made_is_refused(wrong: dict[str, Any]) -> None:
    source, table = Presence(), table_of("events")
    heard(source, table, "a")
    before = state(source)
    with pytest.raises(ValueError, match="presence"):
        source.load({**source.dump(), **wrong})
    assert state(source) == before


def spoken(source: Presence, table: SeriesTable, events: list[tuple[float, str]]) -> None:
    values = [json.dumps({"model": "m", "caller": caller, "time": time}).encode() for time, caller in events]
    batch = decode([Record(i, -1, None, value) for i, value in enumerate(values)], fields_of(CONFIG), "inferences")
    source.column(batch, grouped(table, batch), table, {})


GAPS = [(100, "a"), (160, "a"), (150, "b"), (170, "b"), (400, "a"), (86_500, "b"), (86_560, "b"), (180_000, "a")]


@pytest.mark.parametrize("sizes", [[8], [1] * 8, [3, 5], [5, 2, 1]])
def test_the_longest_gap_of_a_day_in_time_and_in_events_of_the_model_however_the_log_is_cut(sizes: list[int]) -> None:
    source, table, begin = Presence(), table_of("events", ("caller",)), 0
    for size in sizes:
        spoken(source, table, GAPS[begin : begin + size])
        begin += size
    # By row: of the first day a gap of 240 s and 3 events, of the third what is newer; the first is no day of its own.
    assert source.days.waiting[:, :, 0, -1].tolist() == [[240_000.0, 3.0], [-np.inf, -np.inf]]
    assert source.days.today[:, :, 0].tolist() == [[179_600_000.0, 3.0], [86_330_000.0, 2.0]]
    assert source.gap(1, "m") == (0.0, 1.0)


def test_gaps_in_disorder_are_those_of_the_newest_time_and_those_that_ticks_saw_count_too() -> None:
    source, table = Presence(), table_of("events", ("caller",))
    spoken(source, table, [(100, "a"), (300, "a"), (250, "a"), (310, "a")])
    assert source.days.today[0, 0, 0] == 200_000.0
    for _ in range(3):
        source.tick(600_000)
    spoken(source, table, [(320, "a")])
    assert source.days.today[0, 0, 0] == 1_200_000.0, "times that say nothing of when it was heard"


def test_who_speaks_seldom_may_be_wrong_seldom() -> None:
    """So many callers as there are together are no more often wrong than one."""
    limits = []
    for others in (1, 200):
        source, table = Presence(), table_of("events", ("caller",))
        for day in range(12):
            spoken(source, table, [(86_400 * day + 21_600 * (day % 3) + 60 * i, "a") for i in range(1, 10)])
            spoken(source, table, [(86_400 * day + 44_000, "b")] * others)
        limits.append(source.days.limits(0, 0)[1] - source.days.usual(0, 0)[1])
    assert limits[1] > limits[0]


def test_the_day_that_it_begins_in_makes_no_night_longer() -> None:
    """Who speaks for a minute of each night has a gap of seconds in the first, and of a day in all others."""
    source, table = Presence(), table_of("events")
    for day in range(12):
        spoken(source, table, [(86_400 * day + 7_200 + i, "a") for i in range(60)])
    assert source.days.limits(0, 0)[1] < 1.6 * 86_400_000


def test_a_model_that_leaves_is_counted_anew() -> None:
    source, table = Presence(), table_of("events", ("caller",))
    spoken(source, table, GAPS)
    source.forget(["m"])
    assert source.dump()["events"] == []
