"""Who is there: silence is what was heard tick by tick, and it ends with the next event."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.series.presence import FIELDS, Presence
from streamer.series.table import SeriesTable
from tests.series.tables import Value, grouped, plain, table_of
from tests.signals.events import batch_of


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
        "last_ms": [100_000] * 2, "last_offset": [1, 0],
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
