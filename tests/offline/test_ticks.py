"""The minutes of a service, by the times of records, or, in a file, by those of the events."""

from __future__ import annotations

import json

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from schemas.events.fields import compile_fields
from streamer.config.model import Limits
from streamer.offline.ticks import GAP_TICKS_MAX, Ticks
from streamer.port import Tick

AT = ("inferences", 0)
START_MS = 1_700_000_040_000  # a full minute
DECODE = Decoder(compile_fields({}))


def records(times_s: list[float | None], arrived: bool = False) -> list[Record]:
    found = []
    for offset, time_s in enumerate(times_s):
        ms = -1 if time_s is None else START_MS + round(time_s * 1000)
        value = json.dumps({"model": "m"} if arrived or time_s is None else {"model": "m", "time": ms / 1000})
        found.append(Record(offset, ms if arrived else -1, None, value.encode()))
    return found


def cut(given: list[Record], size: int = 1000) -> tuple[list[int], list[tuple[int, float]]]:
    """The offsets of all parts, one after the other, and each tick as offset and second."""
    ticks, offsets, found = Ticks(60_000, Limits()), list[int](), list[Tick]()
    for begin in range(0, len(given), size):
        part = given[begin : begin + size]
        for batch, tick in ticks.cut(AT, part, DECODE(part, "inferences")):
            offsets += [] if batch is None else batch.offsets.tolist()
            found += [] if tick is None else [tick]
    return offsets, [(tick.offset, (tick.time_ms - START_MS) / 1000) for tick in found]


def test_a_tick_comes_before_the_record_that_is_beyond_it() -> None:
    for arrived in (True, False):
        given = records([0, 30, 59, 61, 62, 150, 151], arrived)
        late = 0 if arrived else 1  # In a file two in a row say that it is later.
        assert cut(given) == ([*range(7)], [(3 + late, 60), (5 + late, 120)])


def test_where_it_is_cut_changes_no_tick() -> None:
    given = records([i * 7.0 for i in range(100)])
    assert [cut(given, size) for size in (1, 3, 10)] == [cut(given)] * 3


def test_one_clock_that_is_ahead_ends_no_day() -> None:
    assert cut(records([0, 10, 86_400, 20, 30, 61, 62]))[1] == [(6, 60)]


def test_records_without_any_time_have_no_ticks() -> None:
    assert cut(records([None, None, None])) == ([0, 1, 2], [])


def test_after_years_nobody_counts_the_minutes() -> None:
    years = 3 * 365 * 86_400.0
    ticks = cut(records([0, 1, *(years + i for i in range(6))]))[1]
    assert GAP_TICKS_MAX <= len(ticks) <= GAP_TICKS_MAX + 2


def test_records_with_and_without_a_time_of_their_own_make_one_clock_however_they_are_cut() -> None:
    """As those of two files do, which come in the order of their times."""
    both = zip(records([i * 7.0 for i in range(80)]), records([i * 7.0 + 1 for i in range(80)], True), strict=True)
    given = [record._replace(offset=offset) for offset, record in enumerate(one for pair in both for one in pair)]
    whole = cut(given)
    assert len(whole[1]) == 9
    assert [cut(given, size) for size in (1, 3, 10)] == [whole] * 3
